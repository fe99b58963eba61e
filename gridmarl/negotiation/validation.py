"""An independent look at a coalition before it is committed: devices are run step by step, books added up anew.

Nothing of the code that builds menus is used here, so that a mistake there cannot hide: it reads the fleet, what is
stored and what was promised, and computes everything again in its own way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from gridmarl.errors import (
    BackupError,
    BooksError,
    CapacityError,
    CommitmentError,
    DeadlineError,
    FloorError,
    ForbiddenHourError,
    StateOfChargeError,
)
from gridmarl.negotiation.homes.fleet import ProsumerFleet
from gridmarl.negotiation.homes.living import Stored
from gridmarl.negotiation.schemas import EXPECTED_CALL, MarketOpportunity
from gridmarl.units import HOURS_PER_DAY, KW_PER_MW, Bool, Float

STEPS_PER_EVENT: Final = 24
LEAST_CAR_SHARE: Final = 0.2
EFFICIENCY: Final = 0.95
STRAIN: Final = 0.5
TOLERANCE_KWH: Final = 1e-6
TOLERANCE_PER_MWH: Final = 1e-6
DUST_H: Final = 1e-9
CENT: Final = 0.01 + 1e-9
"""Largest remainders move each payment by less than a cent."""


@dataclass(frozen=True, slots=True, eq=False)
class Commitment:
    """What is about to be promised. Discharge is constant throughout the event."""

    battery_kw: Float  # (prosumer,)
    ev_kw: Float  # (prosumer,)
    agreed_per_mwh: Float  # (prosumer,)
    payments: Float  # (prosumer,) $
    sold_mw: float
    revenue: float
    profit: float
    within_market: bool = True  # no agreed price may exceed the market's; VCG and Shapley values may


def check_commitment(
    fleet: ProsumerFleet, stored: Stored, opportunity: MarketOpportunity, promised: Commitment
) -> None:
    """Refuse a commitment that breaks anything.

    Parameters
    ----------
    fleet : ProsumerFleet
    stored : Stored
        What it holds when the event begins.
    opportunity : MarketOpportunity
    promised : Commitment

    Raises
    ------
    CapacityError, StateOfChargeError, BackupError, ForbiddenHourError, DeadlineError, FloorError, BooksError
        What is broken first, and by whom.
    """
    check_devices(fleet, stored, opportunity, promised.battery_kw, promised.ev_kw)
    check_prices(fleet, stored, opportunity, promised)
    check_books(opportunity, promised)


def check_devices(
    fleet: ProsumerFleet, stored: Stored, opportunity: MarketOpportunity, battery_kw: Float, ev_kw: Float
) -> None:
    """Run batteries and cars through the event and the cars on to their departure."""
    for power, limit, what in ((battery_kw, fleet.battery_kw, "battery"), (ev_kw, fleet.ev_kw, "car")):
        _refuse(fleet, ~(np.isfinite(power) & (power >= 0.0)), power, CapacityError, f"{what}, kW", "0 or more")
        _refuse(fleet, power > limit + TOLERANCE_KWH, power, CapacityError, f"{what}, kW", "its power limit")
    _refuse(fleet, (ev_kw > 0.0) & ~fleet.ev_discharges, ev_kw, CapacityError, "car, kW", "0: it cannot discharge")
    start, hours = opportunity.local_hour, opportunity.duration_hours
    step, acting = hours / STEPS_PER_EVENT, (battery_kw + ev_kw) > 0.0
    asleep, away = _asleep(fleet, start, hours), _away(fleet, start, hours)
    _refuse(fleet, acting & asleep, battery_kw + ev_kw, ForbiddenHourError, "kW", "0 in its blocked hours")
    _refuse(fleet, (ev_kw > 0.0) & away, ev_kw, DeadlineError, "car, kW", "0: it is away")
    battery, car = stored.battery_kwh.copy(), stored.ev_kwh.copy()
    for _ in range(STEPS_PER_EVENT):
        battery, car = battery - battery_kw * step / EFFICIENCY, car - ev_kw * step / EFFICIENCY
    _refuse(fleet, battery < -TOLERANCE_KWH, battery, StateOfChargeError, "battery, kWh", "0 or more")
    _refuse(fleet, car < -TOLERANCE_KWH, car, StateOfChargeError, "car, kWh", "0 or more")
    kept = fleet.backup_share * fleet.battery_kwh
    _refuse(
        fleet, (battery_kw > 0.0) & (battery < kept - TOLERANCE_KWH), battery, BackupError, "battery, kWh", "backup"
    )
    low = (ev_kw > 0.0) & (car < LEAST_CAR_SHARE * fleet.ev_kwh - TOLERANCE_KWH)
    _refuse(fleet, low, car, BackupError, "car, kWh", "a fifth of its energy")
    leaving = np.minimum(car + fleet.ev_kw * EFFICIENCY * _until_departure(fleet, start + hours), fleet.ev_kwh)
    late = (ev_kw > 0.0) & (leaving < fleet.ev_target_share * fleet.ev_kwh - TOLERANCE_KWH)
    _refuse(fleet, late, leaving, DeadlineError, "car at departure, kWh", "its target")


def check_prices(fleet: ProsumerFleet, stored: Stored, opportunity: MarketOpportunity, promised: Commitment) -> None:
    """Nobody sells below its floor, and no posted price exceeds the market's."""
    power = promised.battery_kw + promised.ev_kw
    acting = power > 0.0
    floors = true_floors(fleet, stored, opportunity, power)
    low = acting & (promised.agreed_per_mwh < floors - TOLERANCE_PER_MWH)
    _refuse(fleet, low, promised.agreed_per_mwh, FloorError, "agreed $/MWh", "its floor or more")
    due = floors * power * opportunity.duration_hours / KW_PER_MW
    _refuse(fleet, acting & (promised.payments < due - CENT), promised.payments, FloorError, "paid $", "its cost")
    high = acting & (promised.agreed_per_mwh > opportunity.market_price_mwh + TOLERANCE_PER_MWH)
    if promised.within_market:
        _refuse(fleet, high, promised.agreed_per_mwh, FloorError, "agreed $/MWh", "the market's price or less")


def check_books(opportunity: MarketOpportunity, promised: Commitment) -> None:
    """What is sold is held, and revenue - payments = profit in whole cents."""
    held = float((promised.battery_kw + promised.ev_kw).sum()) / KW_PER_MW
    if not math.isclose(held, promised.sold_mw, rel_tol=1e-9, abs_tol=1e-8):
        raise CapacityError("power held by the coalition, MW", held, f"what is sold, {promised.sold_mw}", "settle anew")
    cents = [100.0 * float(amount) for amount in promised.payments]
    revenue, profit = 100.0 * promised.revenue, 100.0 * promised.profit
    for what, amounts in (("payments", cents), ("revenue", [revenue]), ("profit", [profit])):
        if any(abs(a - round(a)) > 1e-4 for a in amounts):
            raise BooksError(what, amounts, "whole cents", "round by largest remainders")
    if round(revenue) - sum(round(c) for c in cents) != round(profit):
        raise BooksError("profit, cents", round(profit), "revenue - payments", "close the books anew")
    due = opportunity.market_price_mwh * promised.sold_mw * opportunity.duration_hours
    if abs(promised.revenue - due) > CENT:
        raise BooksError("revenue, $", promised.revenue, f"price x energy = {due:.2f}", "settle anew")


def true_floors(fleet: ProsumerFleet, stored: Stored, opportunity: MarketOpportunity, power: Float) -> Float:
    """Average cost of holding a power [$/MWh]: m up to the preferred power, m (1 + comfort) for what is beyond."""
    unit = fleet.minimum_price_per_mwh * EXPECTED_CALL[opportunity.market_type]
    preferred = (1.0 - STRAIN * fleet.comfort) * _most(fleet, stored, opportunity)
    calm = np.minimum(power, preferred)
    dollars = unit * calm + unit * (1.0 + fleet.comfort) * (power - calm)
    return np.divide(dollars, power, out=unit.copy(), where=power > 0.0)


def _most(fleet: ProsumerFleet, stored: Stored, opportunity: MarketOpportunity) -> Float:
    """The most that a prosumer's hard wishes allow throughout, by energy first and power second [kW]."""
    start, hours = opportunity.local_hour, opportunity.duration_hours
    awake = ~_asleep(fleet, start, hours)
    home = ~_away(fleet, start, hours) & fleet.ev_discharges
    room = (stored.battery_kwh - fleet.backup_share * fleet.battery_kwh) * EFFICIENCY
    target = fleet.ev_target_share * fleet.ev_kwh - fleet.ev_kw * EFFICIENCY * _until_departure(fleet, start + hours)
    drive = (stored.ev_kwh - np.maximum(target, LEAST_CAR_SHARE * fleet.ev_kwh)) * EFFICIENCY
    battery = np.clip(room / hours, 0.0, fleet.battery_kw)
    return np.where(awake, battery + np.where(home, np.clip(drive / hours, 0.0, fleet.ev_kw), 0.0), 0.0)


def _moments(start: float, hours: float) -> tuple[Float, float]:
    """(step, 1) beginnings of short times that make up an event, and their length."""
    step = hours / STEPS_PER_EVENT
    return (start + step * np.arange(STEPS_PER_EVENT, dtype=np.float64))[:, None], step


def _asleep(fleet: ProsumerFleet, start: float, hours: float) -> Bool:
    """Whose blocked hours have begun before a moment of the event, or begin in it."""
    begins, step = _moments(start, hours)
    found = np.zeros((len(begins), len(fleet)), np.bool_)
    for span in range(fleet.blocked_hours.shape[1]):
        first, last = fleet.blocked_hours[:, span, 0], fleet.blocked_hours[:, span, 1]
        length = np.where(last > first, last - first, last - first + HOURS_PER_DAY)
        found |= (begins - first) % HOURS_PER_DAY < length - DUST_H
        found |= (first - begins) % HOURS_PER_DAY < step - DUST_H
    return np.asarray(found.any(axis=0), np.bool_)


def _away(fleet: ProsumerFleet, start: float, hours: float) -> Bool:
    """Whose car is not there for the whole of an event."""
    begins, step = _moments(start, hours)
    stay = (fleet.ev_deadline_hour - fleet.ev_arrival_hour) % HOURS_PER_DAY
    here = (begins - fleet.ev_arrival_hour) % HOURS_PER_DAY
    return ~np.isnan(stay) & np.asarray((here + step > stay + DUST_H).any(axis=0), np.bool_)


def _until_departure(fleet: ProsumerFleet, end: float) -> Float:
    """Hours left to charge after an event; none where the car may leave at any time."""
    left = (fleet.ev_deadline_hour - end) % HOURS_PER_DAY
    left = np.where(left > HOURS_PER_DAY - DUST_H, 0.0, left)
    return np.where(np.isnan(left), 0.0, left)


def _refuse(
    fleet: ProsumerFleet, broken: Bool, values: Float, error: type[CommitmentError], what: str, allowed: str
) -> None:
    if broken.any():
        first = int(np.argmax(broken))
        raise error(f"{fleet.names[first]}, {what}", float(values[first]), allowed, "nothing was committed")
