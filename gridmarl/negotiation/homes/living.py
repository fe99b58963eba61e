"""How batteries and cars of a fleet live from day to day, and what an event takes from them; all prosumers at once.

A battery stores what the roof does not need, and serves the load from four in the afternoon, when energy is dear, down
to its backup. A car charges in the small hours, and earlier where it would otherwise not be ready in time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from gridmarl.data.synthetic import shape
from gridmarl.errors import ScenarioError
from gridmarl.negotiation.homes.fleet import ONE_WAY_EFFICIENCY, ProsumerFleet
from gridmarl.units import HOURS_PER_DAY, Bool, Float

PEAK_STARTS_H: Final = 16.0
"""Californian time-of-use rates are highest from 16 to 21 h."""
NIGHT_ENDS_H: Final = 6.0
SLACK_H: Final = 1.0
ARRIVING_SHARE: Final = 0.7
"""Of the car's energy, left when it comes home."""
OVERNIGHT_SHARE: Final = 0.6
"""Of the battery's energy, at the beginning of the first day."""
DEFAULT_INTERVAL_H: Final = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """Energy that the fleet holds at a moment."""

    battery_kwh: Float  # (prosumer,)
    ev_kwh: Float  # (prosumer,)
    hour: float  # local, since midnight of the first day


def overnight(fleet: ProsumerFleet) -> Stored:
    """How the first day begins, at midnight."""
    battery = np.maximum(OVERNIGHT_SHARE, fleet.backup_share) * fleet.battery_kwh
    return Stored(battery, np.maximum(ARRIVING_SHARE, fleet.ev_target_share) * fleet.ev_kwh, 0.0)


def stay_h(fleet: ProsumerFleet) -> Float:
    """Hours from coming home to leaving again; 24 where any time is fine."""
    stay = (fleet.ev_deadline_hour - fleet.ev_arrival_hour) % HOURS_PER_DAY
    return np.where(np.isnan(stay), HOURS_PER_DAY, stay)


def since_arrival_h(fleet: ProsumerFleet, hour: float) -> Float:
    """Hours since the car came home last."""
    return np.where(np.isnan(fleet.ev_deadline_hour), 0.0, (hour - fleet.ev_arrival_hour) % HOURS_PER_DAY)


def blocked_at(fleet: ProsumerFleet, hour: float) -> Bool:
    """Who will not discharge at this local hour."""
    start, end = fleet.blocked_hours[..., 0], fleet.blocked_hours[..., 1]
    time = hour % HOURS_PER_DAY
    inside = np.where(start <= end, (start <= time) & (time < end), (start <= time) | (time < end))
    return np.asarray(inside.any(axis=1), np.bool_)


def simulate(
    fleet: ProsumerFleet,
    stored: Stored,
    intervals: int,
    interval_h: float = DEFAULT_INTERVAL_H,
    battery_order_kw: Float | None = None,
    ev_order_kw: Float | None = None,
) -> Stored:
    """Let the fleet live for some intervals.

    Parameters
    ----------
    fleet : ProsumerFleet
    stored : Stored
        What it holds at the beginning.
    intervals : int
    interval_h : float
        Length of one [h].
    battery_order_kw, ev_order_kw : (prosumer,) array, optional
        Discharge that was promised, throughout; NaN for who promised nothing and lives as usual.

    Returns
    -------
    Stored
        What it holds at the end. Energy never leaves 0 .. capacity.

    Raises
    ------
    ScenarioError
        Where the number or length of intervals is not positive.
    """
    if intervals < 0 or not interval_h > 0.0:
        raise ScenarioError("time to simulate", (intervals, interval_h), "intervals >= 0, interval_h > 0", "correct it")
    hours: Float = stored.hour + interval_h * np.arange(intervals, dtype=np.float64)
    load, sun = shape("home_load", hours + interval_h / 2), shape("solar", hours + interval_h / 2)
    load /= float(shape("home_load", np.arange(24.0) + 0.5).mean())
    battery, car = stored.battery_kwh.copy(), stored.ev_kwh.copy()
    stay, nobody = stay_h(fleet), np.full(len(fleet), np.nan)
    battery_order = nobody if battery_order_kw is None else battery_order_kw
    ev_order = nobody if ev_order_kw is None else ev_order_kw
    for hour, load_now, sun_now in zip(hours.tolist(), load.tolist(), sun.tolist(), strict=True):
        usual = _at_home(fleet, battery, hour, load_now * fleet.load_kw - sun_now * fleet.pv_kw, interval_h)
        power = np.where(np.isnan(battery_order), usual, battery_order)
        battery = _flow(battery, power, fleet.battery_kwh, interval_h)
        charge = _charging(fleet, car, stay, hour, interval_h)
        car = _flow(car, np.where(np.isnan(ev_order), -charge, ev_order), fleet.ev_kwh, interval_h)
        back = _comes_home(fleet, hour, interval_h)
        car = np.where(back, np.minimum(car, ARRIVING_SHARE * fleet.ev_kwh), car)
    return Stored(battery, car, stored.hour + interval_h * intervals)


def usual_day(fleet: ProsumerFleet, interval_h: float = DEFAULT_INTERVAL_H) -> tuple[Stored, ...]:
    """What the fleet holds at each full hour of a usual day, after another one.

    Parameters
    ----------
    fleet : ProsumerFleet
    interval_h : float
        Of the simulation; an hour is a whole multiple of it.
    """
    steps = round(1.0 / interval_h)
    now = replace(simulate(fleet, overnight(fleet), round(HOURS_PER_DAY) * steps, interval_h), hour=0.0)
    hours = [now]
    for _ in range(round(HOURS_PER_DAY) - 1):
        now = simulate(fleet, now, steps, interval_h)
        hours.append(now)
    return tuple(hours)


def live_until(fleet: ProsumerFleet, stored: Stored, hour: float) -> Stored:
    """Let the fleet live as usual until an hour, counted as ``stored.hour`` is."""
    hours = hour - stored.hour
    steps = max(1, math.ceil(hours / DEFAULT_INTERVAL_H - 1e-9))
    return simulate(fleet, stored, steps, hours / steps) if hours > 0.0 else stored


def at_hour(fleet: ProsumerFleet, hour: float, interval_h: float = DEFAULT_INTERVAL_H) -> Stored:
    """What the fleet holds at a local hour after a usual day."""
    day = simulate(fleet, overnight(fleet), round(HOURS_PER_DAY / interval_h), interval_h)
    return simulate(fleet, replace(day, hour=0.0), round(hour / interval_h), interval_h)


def _at_home(fleet: ProsumerFleet, battery: Float, hour: float, need: Float, interval_h: float) -> Float:
    """Power of batteries that serve what their own home needs [kW], + discharges."""
    if hour % HOURS_PER_DAY < PEAK_STARTS_H:
        need = np.minimum(need, 0.0)
    spare = np.maximum(battery - fleet.backup_share * fleet.battery_kwh, 0.0) * ONE_WAY_EFFICIENCY
    most = np.where(blocked_at(fleet, hour), 0.0, np.minimum(fleet.battery_kw, spare / interval_h))
    return np.clip(need, -fleet.battery_kw, most)


def _charging(fleet: ProsumerFleet, car: Float, stay: Float, hour: float, interval_h: float) -> Float:
    """Power of cars that charge [kW]."""
    missing = np.maximum(fleet.ev_target_share * fleet.ev_kwh - car, 0.0) / ONE_WAY_EFFICIENCY
    since = since_arrival_h(fleet, hour)
    late = missing > (stay - since - SLACK_H) * fleet.ev_kw
    wanted = (since + interval_h <= stay) & (late | (hour % HOURS_PER_DAY < NIGHT_ENDS_H))
    return np.where(wanted, np.minimum(fleet.ev_kw, missing / interval_h), 0.0)


def _comes_home(fleet: ProsumerFleet, hour: float, interval_h: float) -> Bool:
    """Whose car arrives within the interval."""
    since = (hour + interval_h - fleet.ev_arrival_hour) % HOURS_PER_DAY
    return ~np.isnan(fleet.ev_deadline_hour) & (since < interval_h)


def _flow(energy: Float, power: Float, capacity: Float, interval_h: float) -> Float:
    """Energy after an interval at a power [kW], + discharges."""
    taken = np.where(power > 0.0, power / ONE_WAY_EFFICIENCY, power * ONE_WAY_EFFICIENCY) * interval_h
    return np.clip(energy - taken, 0.0, capacity)
