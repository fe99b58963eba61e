"""Synthetic years to learn in: weather, the demand of three classes that feel it, and prices that follow both.

Weather is drawn, everything else is computed from it. Noise is a first-order autoregression throughout, with the
correlation time of what it stands for; a series at another interval has the same noise in law, not in value.

    temperature  the base shape, plus passing weather of three days' memory
    sun          clear sky times a clear-sky index between ``darkest`` and 1, of a few hours' memory
    wind         Weibull-distributed speeds behind an autoregressive Gaussian (Brown, Katz & Murphy, J. Climate and
                 Applied Meteorology 23, 1984), through a cubic power curve
    demand       a class's daily and weekly curve, times 1 + heating and cooling per degree (degree days with a dead
                 band: Pardo, Meneu & Valor, Energy Economics 24, 2002) of a temperature that buildings follow slowly
    price        demand less sun and wind, through a stack of rising costs (Barlow, Mathematical Finance 12, 2002:
                 prices as a nonlinear function of a mean-reverting demand), times fuel prices that drift over weeks
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

import numpy as np
from scipy.signal import lfilter
from scipy.special import gamma, ndtr

from gridmarl.data.clock import zone_named
from gridmarl.data.columns import require_unit
from gridmarl.data.synthetic import DAYS_PER_YEAR, WIND_MEAN, Anchors, shape
from gridmarl.data.table import TimeTable
from gridmarl.errors import DataError
from gridmarl.units import HOURS_PER_DAY, Bool, Float

HOURS_PER_YEAR: Final = 8760
CLEAR_SKY_W_PER_M2: Final = 1000.0
"""Irradiance where the solar shape is 1 (the standard test condition of panels, IEC 60904-3)."""
WINDIEST_DAY: Final = 110.0
"""20 April: spring is windy on the Californian coast, which the temperature's shape is also taken from."""
STACK: Final[Anchors] = {
    -0.3: -30, -0.05: 0, 0.1: 12, 0.25: 28, 0.4: 38, 0.55: 48, 0.7: 64, 0.85: 105, 1.0: 220, 1.15: 700
}  # fmt: skip
"""Net demand, per unit of the peak -> $/MWh: what must run pays to, renewables, coal, gas in rising order, scarcity."""


@dataclass(frozen=True, slots=True)
class DemandClass:
    """How one class of consumers behaves.

    Attributes
    ----------
    energy_share : float
        Of all energy consumed in a year.
    weekday, weekend : mapping
        Local hour -> relative load.
    heating_per_c, cooling_per_c : float
        Share of the load that each degree below, and above, comfort adds.
    deviation : float
        Standard deviation of the noise, share of the load.
    """

    energy_share: float
    weekday: Anchors
    weekend: Anchors
    heating_per_c: float
    cooling_per_c: float
    deviation: float


CLASSES: Final[Mapping[str, DemandClass]] = {
    "residential": DemandClass(
        0.39,
        {0: 0.62, 4: 0.48, 7: 0.82, 10: 0.72, 15: 0.82, 19: 1.35, 22: 1.02},
        {0: 0.64, 4: 0.50, 9: 0.90, 13: 0.92, 19: 1.28, 22: 1.00},
        0.020,
        0.040,
        0.03,
    ),
    "commercial": DemandClass(
        0.35,
        {0: 0.62, 5: 0.62, 9: 1.30, 16: 1.38, 19: 1.0, 22: 0.72},
        {0: 0.62, 6: 0.60, 11: 0.85, 17: 0.85, 21: 0.68},
        0.010,
        0.030,
        0.02,
    ),
    "industrial": DemandClass(0.26, {0: 0.94, 5: 0.94, 8: 1.1, 16: 1.1, 20: 0.98}, {0: 0.84}, 0.001, 0.003, 0.015),
}
"""Energy shares: sales of the USA in 2022 (EIA, Electric Power Annual 2022, table 1.2), transport left out."""


@dataclass(frozen=True, slots=True)
class YearSettings:
    """Sizes and weather of a synthetic region.

    Attributes
    ----------
    peak_mw : float
        What ``demand_share`` and the stack are relative to; about what the hottest evening takes.
    load_factor : float
        Mean demand over ``peak_mw`` before weather and noise.
    solar_mw, wind_mw : float
        Installed, of which net demand is relieved.
    weather_c, weather_h : float
        Standard deviation and memory of passing weather.
    building_h : float
        Time constant of buildings, which heating and cooling follow.
    heat_below_c, cool_above_c : float
        The dead band of comfort.
    clearness, clearness_spread, darkest, cloud_h : float
        Median of the clear-sky index's Gaussian and its standard deviation, both on a scale whose 0 and 1 are heavy
        clouds and clear sky; the least index; memory.
    wind_speed_m_per_s, wind_shape, wind_h : float
        Mean, Weibull shape (2: Rayleigh, IEC 61400-1) and memory of wind speeds at the hub.
    fuel_deviation, fuel_h : float
        Standard deviation of the logarithm of fuel prices, and its memory.
    price_deviation, price_h : float
        The same for what else moves prices: outages, strategy.
    """

    peak_mw: float = 120.0
    load_factor: float = 0.55
    solar_mw: float = 45.0
    wind_mw: float = 25.0
    weather_c: float = 3.0
    weather_h: float = 72.0
    building_h: float = 10.0
    heat_below_c: float = 16.0
    cool_above_c: float = 20.0
    clearness: float = 1.0
    clearness_spread: float = 0.45
    darkest: float = 0.15
    cloud_h: float = 6.0
    wind_speed_m_per_s: float = 7.5
    wind_shape: float = 2.0
    wind_h: float = 12.0
    fuel_deviation: float = 0.12
    fuel_h: float = 720.0
    price_deviation: float = 0.08
    price_h: float = 4.0


def make_year(
    rng: np.random.Generator,
    start: datetime,
    *,
    days: int = 365,
    interval_h: float = 1.0,
    timezone: str = "UTC",
    settings: YearSettings | None = None,
) -> TimeTable:
    """Draw weather, demand by class and prices.

    Parameters
    ----------
    rng : numpy.random.Generator
        The same stream, the same table.
    start : datetime
        Start of the first interval; local in ``timezone`` where it states no offset.
    days : int
        Length in days of 24 hours.
    interval_h : float
        A whole number of them makes a day.
    timezone : str
        IANA name of the clock that people live by; the sun is highest at its noon.
    settings : YearSettings, optional

    Returns
    -------
    TimeTable
        ``temperature_c``, ``irradiance_w_per_m2``, ``solar_share``, ``wind_share``, ``residential_mw``,
        ``commercial_mw``, ``industrial_mw``, ``demand_mw``, ``demand_share`` (of ``peak_mw``) and ``price_per_mwh``, on
        a UTC grid.

    Raises
    ------
    DataError
        Where the length, the interval or the time zone is impossible.
    """
    count = _count(days, interval_h)
    zone = zone_named(timezone)
    begin = (start if start.tzinfo else start.replace(tzinfo=zone)).astimezone(UTC)
    clock = _Clock.of(begin, count, interval_h, zone)
    columns = _columns(rng, clock, settings or YearSettings())
    for values in columns.values():
        values.flags.writeable = False
    units = {name: require_unit(name, "synthetic year").unit for name in columns}
    return TimeTable(begin, interval_h, columns, units, "synthetic year", {})


def _count(days: int, interval_h: float) -> int:
    per_day = HOURS_PER_DAY / interval_h if interval_h > 0 else 0.0
    if days < 1:
        raise DataError("days of a synthetic year", days, "1 or more", "365 is a year")
    if per_day < 1.0 or abs(per_day - round(per_day)) > 1e-9:
        remedy = "choose 1, 0.5, 0.25 or 1/12 hours"
        raise DataError("interval_h of a synthetic year", interval_h, "hours that divide a day", remedy)
    return days * round(per_day)


@dataclass(frozen=True, slots=True, eq=False)
class _Clock:
    """Local time of every interval."""

    hours: Float  # (time,) since the local midnight before the first
    interval_h: float
    day_of_year: int  # of that midnight
    weekday: int

    @classmethod
    def of(cls, begin: datetime, count: int, interval_h: float, zone: tzinfo) -> _Clock:
        local = begin.astimezone(zone)
        offsets = _offsets_h(begin, count, interval_h, zone)
        first = local.hour + local.minute / 60.0 + local.second / 3600.0
        hours = first + np.arange(count) * interval_h + offsets - offsets[0]
        return cls(hours, interval_h, min(local.timetuple().tm_yday, 365), local.weekday())

    def shape(self, name: str) -> Float:
        return shape(name, self.hours, self.day_of_year, self.weekday)

    def weekend(self) -> Bool:
        return (self.weekday + np.floor(self.hours / HOURS_PER_DAY)) % 7 >= 5

    def season(self, day: float) -> Float:
        """1 on a day of the year, -1 half a year away."""
        return np.cos(2.0 * np.pi * (self.day_of_year - day + self.hours / HOURS_PER_DAY) / DAYS_PER_YEAR)


def _offsets_h(begin: datetime, count: int, interval_h: float, zone: tzinfo) -> Float:
    """Offset of the local clock from UTC in every interval; clocks change on whole hours, one look an hour serves."""
    looks = int(np.ceil(count * interval_h)) + 1
    found = [(begin + timedelta(hours=h)).astimezone(zone).utcoffset() for h in range(looks)]
    hourly = np.array([offset.total_seconds() / 3600.0 if offset else 0.0 for offset in found])
    return hourly[np.floor(np.arange(count) * interval_h + 1e-9).astype(np.int64)]


def _columns(rng: np.random.Generator, clock: _Clock, s: YearSettings) -> dict[str, Float]:
    weather, cloud, wind, fuel, unrest, *people = (
        autoregression(stream, len(clock.hours), clock.interval_h, memory)
        for stream, memory in zip(
            rng.spawn(5 + len(CLASSES)),
            (s.weather_h, s.cloud_h, s.wind_h, s.fuel_h, s.price_h, *[6.0] * len(CLASSES)),
            strict=True,
        )
    )
    temperature = clock.shape("temperature") + s.weather_c * weather
    solar = clock.shape("solar") * _clear_sky_index(cloud, s)
    wind_share = _wind_share(wind, clock, s)
    classes = {
        f"{name}_mw": _class_mw(kind, temperature, noise, clock, s)
        for (name, kind), noise in zip(CLASSES.items(), people, strict=True)
    }
    demand = sum(classes.values(), np.zeros(len(solar)))
    net_share = (demand - s.solar_mw * solar - s.wind_mw * wind_share) / s.peak_mw
    moved = np.exp(s.fuel_deviation * fuel + s.price_deviation * unrest)
    return {
        "temperature_c": temperature,
        "irradiance_w_per_m2": CLEAR_SKY_W_PER_M2 * solar,
        "solar_share": solar,
        "wind_share": wind_share,
        **classes,
        "demand_mw": demand,
        "demand_share": demand / s.peak_mw,
        "price_per_mwh": np.interp(net_share, list(STACK), list(STACK.values())) * moved,
    }


def autoregression(rng: np.random.Generator, count: int, interval_h: float, memory_h: float) -> Float:
    """A stationary first-order autoregression of mean 0 and variance 1, (time,), correlated by exp(-lag / memory)."""
    phi = np.exp(-interval_h / memory_h)
    innovations = np.sqrt(1.0 - phi**2) * rng.standard_normal(count)
    innovations[0] /= np.sqrt(1.0 - phi**2)  # begins in its stationary law
    return np.asarray(lfilter([1.0], [1.0, -phi], innovations), np.float64)


def _clear_sky_index(noise: Float, s: YearSettings) -> Float:
    """Between ``darkest`` and 1: days are mostly clear, or mostly not, as measured indices are."""
    return s.darkest + (1.0 - s.darkest) * np.clip(s.clearness + s.clearness_spread * noise, 0.0, 1.0)


def _wind_share(noise: Float, clock: _Clock, s: YearSettings) -> Float:
    """Speeds v = scale (-log(1 - F))^(1/k), F the Gaussian's distribution; power as v³ from 3 to 12 m/s, 0 past 25.

    Nights and springs are windier by a tenth, as the base shape of wind is.
    """
    scale = s.wind_speed_m_per_s / gamma(1.0 + 1.0 / s.wind_shape)
    speed = scale * (-np.log(np.maximum(1.0 - ndtr(noise), 1e-12))) ** (1.0 / s.wind_shape)
    daily = clock.shape("wind")
    speed = speed * (daily / WIND_MEAN) ** (1.0 / 3.0) * (1.0 + 0.1 * clock.season(WINDIEST_DAY))
    power = np.clip((speed**3 - 3.0**3) / (12.0**3 - 3.0**3), 0.0, 1.0)
    return np.where(speed > 25.0, 0.0, power)


def _class_mw(kind: DemandClass, temperature: Float, noise: Float, clock: _Clock, s: YearSettings) -> Float:
    """Load of a class: its curve, what the weather adds to it, and noise."""
    hour = clock.hours % HOURS_PER_DAY
    curves = [
        np.interp(hour, list(day), list(day.values()), period=HOURS_PER_DAY) for day in (kind.weekday, kind.weekend)
    ]
    mean = (5.0 * _mean(kind.weekday) + 2.0 * _mean(kind.weekend)) / 7.0
    curve = np.where(clock.weekend(), curves[1], curves[0]) / mean
    felt = _followed(temperature, clock.interval_h, s.building_h)
    heating = kind.heating_per_c * np.maximum(s.heat_below_c - felt, 0.0)
    cooling = kind.cooling_per_c * np.maximum(felt - s.cool_above_c, 0.0)
    mean_mw = s.peak_mw * s.load_factor * kind.energy_share
    return mean_mw * curve * (1.0 + heating + cooling) * np.exp(kind.deviation * noise)


def _mean(anchors: Anchors) -> float:
    return float(np.interp(np.arange(0.0, 24.0, 0.25), list(anchors), list(anchors.values()), period=24.0).mean())


def _followed(values: Float, interval_h: float, time_constant_h: float) -> Float:
    """What a body with this time constant follows: an exponentially weighted mean of the past."""
    keep = np.exp(-interval_h / time_constant_h)
    return lfilter([1.0 - keep], [1.0, -keep], values, zi=[keep * values[0]])[0]
