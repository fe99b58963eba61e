"""What each prosumer could hold for the whole of an event, and what that costs it: known to its own menu only.

The cost of holding q kW for d hours is that of a price which rises once a soft wish is strained: m per MWh up to the
preferred power (1 - c/2) Q, and m (1 + c) beyond, where Q is the most that its hard wishes allow, c its comfort and m
its minimum price times the share of the energy that is expected to be called. The **floor** of an offer of q is its
average cost, which never falls with q: whoever is paid the floor of an offer loses on no part of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from gridmarl.negotiation.homes.fleet import ONE_WAY_EFFICIENCY, ProsumerFleet
from gridmarl.negotiation.homes.living import Stored, since_arrival_h, stay_h
from gridmarl.negotiation.schemas import MarketOpportunity
from gridmarl.units import HOURS_PER_DAY, KW_PER_MW, Bool, Float

STRAIN: Final = 0.5
"""A prosumer of comfort 1 prefers to give half of what it could."""
LEAST_CAR_SHARE: Final = 0.2
"""Of its energy a car keeps, whoever needs it when."""
ROUNDING: Final = 1e-9
"""Differences so small, in kW, $/MWh or cents, come from rounding alone."""


@dataclass(frozen=True, slots=True, eq=False)
class Capability:
    """Limits and costs of all prosumers in one event. Private."""

    battery_kw: Float  # (prosumer,) most that the battery holds throughout
    ev_kw: Float  # (prosumer,) the car
    hours: float
    unit_cost_per_mwh: Float  # (prosumer,) m
    comfort: Float  # (prosumer,) c

    @property
    def most_kw(self) -> Float:
        """What hard wishes allow, Q."""
        return self.battery_kw + self.ev_kw

    @property
    def preferred_kw(self) -> Float:
        """What soft wishes would rather not exceed."""
        return (1.0 - STRAIN * self.comfort) * self.most_kw

    def floor_per_mwh(self, kw: Float) -> Float:
        """Average cost of an offer; of none, that of the first watt.

        Parameters
        ----------
        kw : (prosumer,) or (prosumer, offer) array
        """
        shaped = (slice(None),) + (None,) * (kw.ndim - 1)
        preferred, unit, comfort = self.preferred_kw[shaped], self.unit_cost_per_mwh[shaped], self.comfort[shaped]
        strained = np.maximum(kw - preferred, 0.0) / np.maximum(kw, ROUNDING)
        return unit * (1.0 + comfort * strained)

    def cost(self, kw: Float) -> Float:
        """What holding this power for the event costs [$]."""
        return self.floor_per_mwh(kw) * kw * self.hours / KW_PER_MW

    def affordable_kw(self, price_per_mwh: float) -> Float:
        """The most whose floor is no more than a price."""
        rise = price_per_mwh / np.maximum(self.unit_cost_per_mwh, 1e-12) - 1.0  # floor / m - 1, at the price
        beyond = self.preferred_kw * self.comfort / np.maximum(self.comfort - rise, 1e-12)
        most = np.where(rise >= self.comfort, self.most_kw, np.minimum(beyond, self.most_kw))
        return np.where(rise >= 0.0, most, 0.0)


def capability(fleet: ProsumerFleet, stored: Stored, opportunity: MarketOpportunity) -> Capability:
    """What each prosumer could hold for an event.

    Parameters
    ----------
    fleet : ProsumerFleet
    stored : Stored
        What it holds when the event begins.
    opportunity : MarketOpportunity
    """
    hour, hours = opportunity.local_hour, opportunity.duration_hours
    free = ~blocked_within(fleet, hour, hours)
    spare = np.maximum(stored.battery_kwh - fleet.backup_share * fleet.battery_kwh, 0.0)
    battery = np.minimum(fleet.battery_kw, spare * ONE_WAY_EFFICIENCY / hours)
    car = np.minimum(fleet.ev_kw, _car_spare(fleet, stored, hour, hours) * ONE_WAY_EFFICIENCY / hours)
    return Capability(
        np.where(free, battery, 0.0),
        np.where(free & fleet.ev_discharges, car, 0.0),
        hours,
        fleet.minimum_price_per_mwh * opportunity.call_share,
        fleet.comfort,
    )


def blocked_within(fleet: ProsumerFleet, hour: float, hours: float) -> Bool:
    """Whose blocked hours overlap ``[hour, hour + hours)``."""
    start, end = fleet.blocked_hours[..., 0], fleet.blocked_hours[..., 1]
    end = np.where(end < start, end + HOURS_PER_DAY, end)
    days = HOURS_PER_DAY * np.array([-1.0, 0.0, 1.0])
    begins = np.maximum(start[..., None] + days, hour)
    ends = np.minimum(end[..., None] + days, hour + hours)
    return np.asarray((begins < ends).any(axis=(1, 2)), np.bool_)


def _car_spare(fleet: ProsumerFleet, stored: Stored, hour: float, hours: float) -> Float:
    """Energy that a car could give and still leave in time with what it needs [kWh]; none while it is away."""
    left = stay_h(fleet) - since_arrival_h(fleet, hour) - hours
    target = fleet.ev_target_share * fleet.ev_kwh
    recharged = np.where(np.isnan(fleet.ev_deadline_hour), 0.0, fleet.ev_kw * ONE_WAY_EFFICIENCY * left)
    kept = np.maximum(target - recharged, LEAST_CAR_SHARE * fleet.ev_kwh)
    return np.where(left >= 0.0, np.maximum(stored.ev_kwh - kept, 0.0), 0.0)
