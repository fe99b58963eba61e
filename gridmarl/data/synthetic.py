"""Base shapes for worlds without data: each a pure function of local time, continuous over midnight, free of chance.

Deviations from a shape are drawn elsewhere, as first-order autoregressive noise. The daily curves are straight lines
between a few anchors, so that their bounds and their peaks can be read off the numbers below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np

from gridmarl.errors import DataError, nearest
from gridmarl.units import HOURS_PER_DAY, Bool, Float

LATITUDE_DEG: Final = 34.0
DAYS_PER_YEAR: Final = 365.0
HOTTEST_DAY: Final = 205.0
"""24 July: on average the warmest and the busiest day of a grid that cools its buildings."""
DEFAULT_DAY_OF_YEAR: Final = 205
DEFAULT_WEEKDAY: Final = 1
"""A Tuesday; Monday is 0."""

Anchors: TypeAlias = Mapping[float, float]
"""Local hour of the day -> value there."""


@dataclass(frozen=True, slots=True, eq=False)
class Clock:
    """Local time, taken apart."""

    hour: Float  # (time,) local hour of the day, 0 <= hour <= 24
    day_of_year: Float  # (time,) 1 = start of 1 January, with the fraction of the day; 365 days a year
    weekend: Bool  # (time,) Saturday or Sunday


@dataclass(frozen=True, slots=True)
class Shape:
    """A base shape, its unit and the bounds it never leaves."""

    function: Callable[[Clock], Float]
    unit: str
    low: float
    high: float


def shape(name: str, hours: Float, day_of_year: int = DEFAULT_DAY_OF_YEAR, weekday: int = DEFAULT_WEEKDAY) -> Float:
    """Values of a base shape.

    Parameters
    ----------
    name : str
        A key of ``SHAPES``: constant, demand, solar, wind, price, home_load, temperature or ev.
    hours : Float
        (time,) local hours since local midnight of day 0; may exceed 24 or be negative.
    day_of_year : int
        Day 0's number, 1 = 1 January (default 205, a summer day).
    weekday : int
        Day 0's weekday, 0 = Monday (default 1, a Tuesday).

    Returns
    -------
    Float
        (time,) in the shape's unit, within its bounds.

    Raises
    ------
    DataError
        Unknown name, hours that are not finite, or a day or weekday that does not exist.
    """
    if name not in SHAPES:
        raise DataError("shape", name, ", ".join(SHAPES), nearest(name, SHAPES))
    return SHAPES[name].function(_clock(np.asarray(hours, dtype=np.float64), day_of_year, weekday))


def _clock(hours: Float, day_of_year: int, weekday: int) -> Clock:
    if not np.isfinite(hours).all():
        raise DataError("hours of a shape that are not finite", int((~np.isfinite(hours)).sum()), "0", "check the grid")
    if not 1 <= day_of_year <= 366:
        raise DataError("day_of_year", day_of_year, "1 (1 January) to 366", "count days from 1")
    if not 0 <= weekday <= 6:
        raise DataError("weekday", weekday, "0 (Monday) to 6 (Sunday)", "count weekdays from Monday = 0")
    days = np.floor(hours / HOURS_PER_DAY)
    year_day = 1.0 + (day_of_year - 1.0 + hours / HOURS_PER_DAY) % DAYS_PER_YEAR
    return Clock(hours - days * HOURS_PER_DAY, year_day, (weekday + days) % 7.0 >= 5.0)


def _daily(clock: Clock, anchors: Anchors) -> Float:
    """Straight lines between anchors (hour -> value), closed over midnight."""
    return np.interp(clock.hour, list(anchors), list(anchors.values()), period=HOURS_PER_DAY)


def _season(clock: Clock) -> Float:
    """1 on the hottest day, -1 half a year later."""
    return np.cos(2.0 * np.pi * (clock.day_of_year - HOTTEST_DAY) / DAYS_PER_YEAR)


# Hour -> per unit of the summer weekday's peak; both curves agree at midnight, so no Saturday starts with a jump.
DEMAND_WEEKDAY: Anchors = {0: 0.68, 4: 0.58, 6: 0.63, 9: 0.74, 11: 0.74, 14: 0.84, 18: 0.98, 19: 1, 20: 0.97, 22: 0.82}
DEMAND_WEEKEND: Anchors = {0: 0.68, 4: 0.57, 7: 0.58, 10: 0.66, 14: 0.76, 18: 0.90, 19: 0.91, 20: 0.89, 22: 0.77}
DEMAND_SEASON: Final = 0.15

# Hour -> $/MWh: the sun presses the middle of the day, the evening pays for its setting (the "duck").
PRICE_WEEKDAY: Anchors = {0: 48, 4: 42, 6: 52, 8: 40, 11: 22, 13: 20, 16: 40, 18: 85, 19.5: 110, 21: 75}
PRICE_WEEKEND: Anchors = {0: 48, 4: 40, 6: 44, 8: 30, 11: 12, 13: 10, 16: 30, 18: 70, 19.5: 92, 21: 65}

# Hour -> per unit of a home's peak.
HOME_WEEKDAY: Anchors = {0: 0.36, 3: 0.25, 5: 0.27, 7: 0.50, 9: 0.36, 13: 0.34, 16: 0.48, 19: 1.0, 21: 0.82, 23: 0.46}
HOME_WEEKEND: Anchors = {0: 0.36, 3: 0.26, 6: 0.27, 9: 0.52, 12: 0.56, 15: 0.56, 19: 0.96, 21: 0.78, 23: 0.46}

# Hour -> per unit of the peak charging demand of cars that come home in the evening.
EV_WEEKDAY: Anchors = {0: 0.45, 3: 0.16, 6: 0.05, 10: 0.04, 15: 0.15, 18: 0.75, 20: 1.0, 22: 0.80}
EV_WEEKEND: Anchors = {0: 0.45, 3: 0.16, 6: 0.05, 10: 0.10, 15: 0.30, 18: 0.60, 20: 0.80, 22: 0.68}

WIND_MEAN, WIND_SWING, WINDIEST_HOUR = 0.35, 0.12, 2.0
TEMPERATURE_MEAN_C, TEMPERATURE_SEASON_C, TEMPERATURE_DAY_C, WARMEST_HOUR = 18.0, 5.0, 5.0, 15.0


def _by_weekday(clock: Clock, weekday: Anchors, weekend: Anchors) -> Float:
    return np.where(clock.weekend, _daily(clock, weekend), _daily(clock, weekday))


def _constant(clock: Clock) -> Float:
    return np.ones_like(clock.hour)


def _demand(clock: Clock) -> Float:
    """System demand: morning shoulder, evening peak at 19 h, weekends lower, winters up to 30 % lower."""
    level = 1.0 - DEMAND_SEASON * (1.0 - _season(clock))
    return level * _by_weekday(clock, DEMAND_WEEKDAY, DEMAND_WEEKEND)


def _solar(clock: Clock) -> Float:
    """Clear-sky irradiance on level ground at 34 N, per unit of that under a sun overhead; solar noon at 12 h.

    sin(elevation) = sin(lat) sin(dec) + cos(lat) cos(dec) cos(15 deg (h - 12)) (Duffie and Beckman, Solar Engineering
    of Thermal Processes, eq. 1.6.5), declination dec = 23.45 deg sin(360 deg (284 + n) / 365) (Cooper, Solar Energy 12,
    1969); irradiance ~ s exp(-0.059 / s) with s = sin(elevation) (Haurwitz, J. Meteorology 2, 1945).
    """
    declination = np.radians(23.45) * np.sin(2.0 * np.pi * (284.0 + clock.day_of_year) / DAYS_PER_YEAR)
    hour_angle = np.radians(15.0 * (clock.hour - 12.0))
    latitude = np.radians(LATITUDE_DEG)
    at_six = np.sin(latitude) * np.sin(declination)
    sine = at_six + np.cos(latitude) * np.cos(declination) * np.cos(hour_angle)
    above = np.maximum(sine, 1e-3)  # keeps 1 / s finite below 0.06 deg, where exp(-59) is as good as night
    return np.where(sine > 0.0, above * np.exp(-0.059 * (1.0 / above - 1.0)), 0.0)


def _wind(clock: Clock) -> Float:
    """Coastal wind: strongest at 2 h, mean 0.35."""
    return WIND_MEAN + WIND_SWING * np.cos(2.0 * np.pi * (clock.hour - WINDIEST_HOUR) / HOURS_PER_DAY)


def _price(clock: Clock) -> Float:
    return _by_weekday(clock, PRICE_WEEKDAY, PRICE_WEEKEND)


def _home_load(clock: Clock) -> Float:
    return _by_weekday(clock, HOME_WEEKDAY, HOME_WEEKEND)


def _temperature(clock: Clock) -> Float:
    """Mild coast: 18 C on average, warmest at 15 h and in late July."""
    day = TEMPERATURE_DAY_C * np.cos(2.0 * np.pi * (clock.hour - WARMEST_HOUR) / HOURS_PER_DAY)
    return TEMPERATURE_MEAN_C + TEMPERATURE_SEASON_C * _season(clock) + day


def _ev(clock: Clock) -> Float:
    return _by_weekday(clock, EV_WEEKDAY, EV_WEEKEND)


SHAPES: Final[Mapping[str, Shape]] = {
    "constant": Shape(_constant, "share", 1.0, 1.0),
    "demand": Shape(_demand, "share", 0.39, 1.0),
    "solar": Shape(_solar, "share", 0.0, 1.0),
    "wind": Shape(_wind, "share", 0.22, 0.48),
    "price": Shape(_price, "per_mwh", 10.0, 110.0),
    "home_load": Shape(_home_load, "share", 0.25, 1.0),
    "temperature": Shape(_temperature, "celsius", 8.0, 28.0),
    "ev": Shape(_ev, "share", 0.04, 1.0),
}
