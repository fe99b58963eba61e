"""The profiles of a scenario as arrays: from a table where one is given, synthetic otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from gridmarl.data import profiles
from gridmarl.data.columns import UNIT_KINDS
from gridmarl.data.resample import resample
from gridmarl.data.synthetic import shape
from gridmarl.data.table import TimeTable, load_table
from gridmarl.errors import DataError
from gridmarl.scenario.profiles import Profile
from gridmarl.scenario.rules import Split
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import HOURS_PER_DAY, Float, Int

FORECAST_H = 24.0
ALLOWED_UNITS = {
    "share": ("share", "mw", "mwh", "pu", "w_per_m2"),
    "per_mwh": ("per_mwh",),
    "celsius": ("celsius",),
    "kg_per_mwh": ("kg_per_mwh",),
}
"""What a profile of a unit may be fed with; megawatts become a share through ``per``."""


@dataclass(frozen=True, slots=True)
class Series:
    """The public time series of a world.

    Attributes
    ----------
    names : tuple of str
        Profiles, in order.
    table : (profile, column) array
        Parameters of each profile (columns of :mod:`gridmarl.data.profiles`).
    values : (profile, index) array
        Base values, or data.
    start_utc : datetime
        UTC start of index 0.
    local_h : (index,) array
        Local hours since the midnight before index 0.
    origins : dict
        Split -> indices where its episodes begin.
    source : str
        Where the values come from, for the report.
    """

    names: tuple[str, ...]
    table: Float
    values: Float
    start_utc: datetime
    local_h: Float
    origins: dict[Split, Int]
    source: str


def build_series(scenario: Scenario) -> Series:
    """Read or make the profiles of a scenario.

    Raises
    ------
    DataError
        Where the table lacks a column or an interval that the world needs, or holds prices that no order may name.
    """
    mapped = {name: p.column for name, p in scenario.profiles.items() if p.column}
    table = load_table(scenario.data, columns=mapped, timezone=scenario.timezone) if scenario.data and mapped else None
    if scenario.data and not mapped:
        raise DataError(
            f"scenario {scenario.name!r} with data {scenario.data.name!r}",
            None,
            "at least one profile that names a column",
            "give one with --map PROFILE=COLUMN",
        )
    start, count, origins = _span(scenario, table)
    local_h = _local_hours(start, count, scenario.interval_h, scenario.timezone)
    midnight = start.astimezone(ZoneInfo(scenario.timezone))
    values = np.array([_values(scenario, n, p, table, local_h, midnight) for n, p in scenario.profiles.items()])
    series = Series(
        names=tuple(scenario.profiles),
        table=_parameters(scenario, table),
        values=values.reshape(len(scenario.profiles), count),
        start_utc=start,
        local_h=local_h,
        origins=origins,
        source=f"{table.source}: {', '.join(sorted(mapped.values()))}" if table else "synthetic",
    )
    _check_prices(scenario, series)
    return series


def _span(scenario: Scenario, table: TimeTable | None) -> tuple[datetime, int, dict[Split, Int]]:
    """UTC start and length of the series, and where each split's episodes begin."""
    step = timedelta(hours=scenario.interval_h)
    splits: tuple[Split, ...] = ("train", "select", "test")
    if table is None:
        start = _first_start(scenario) - step
        return start, profiles.FIRST + scenario.intervals + _forecast_intervals(scenario), _everywhere(splits)
    count = round(len(next(iter(table.columns.values()))) * table.interval_h / scenario.interval_h)
    origins: dict[Split, Int] = {
        s: np.array([_origin(scenario, table, when, count) for when in scenario.window_starts(s)]) for s in splits
    }
    return table.start_utc, count, origins


def _everywhere(splits: tuple[Split, ...]) -> dict[Split, Int]:
    return {split: np.array([profiles.FIRST]) for split in splits}


def _first_start(scenario: Scenario) -> datetime:
    return scenario.window_starts("test")[0]


def _forecast_intervals(scenario: Scenario) -> int:
    return round(FORECAST_H / scenario.interval_h)


def _origin(scenario: Scenario, table: TimeTable, start: datetime, count: int) -> int:
    """Index of an episode's first interval; a day must lie before it and the whole episode behind it."""
    origin = (start - table.start_utc) / timedelta(hours=scenario.interval_h)
    day = HOURS_PER_DAY / scenario.interval_h
    if origin != int(origin) or not day + 1 <= origin <= count - scenario.intervals:
        end = table.start_utc + timedelta(hours=scenario.interval_h * count)
        raise DataError(
            f"{table.source}: an episode of scenario {scenario.name!r} from",
            start.isoformat(),
            f"a start at least {day + 1:g} intervals after {table.start_utc.isoformat()}, and "
            f"{scenario.intervals} intervals before {end.isoformat()}",
            "give a longer table, or other windows in the YAML",
        )
    return int(origin)


def _local_hours(start: datetime, count: int, interval_h: float, timezone: str) -> Float:
    """Hours of the local clock since the local midnight before ``start``; days of 23 and 25 hours included."""
    zone = ZoneInfo(timezone)
    midnight = start.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    step = timedelta(hours=interval_h)
    local = [(start + i * step).astimezone(zone).replace(tzinfo=None) - midnight for i in range(count)]
    return np.array([delta.total_seconds() / 3600.0 for delta in local])


def _values(
    scenario: Scenario, name: str, profile: Profile, table: TimeTable | None, local_h: Float, midnight: datetime
) -> Float:
    if table is not None and profile.column:
        values = profile.offset + profile.scale * _from_table(scenario, name, profile, table) / profile.per
        return np.clip(values, *_possible(scenario, name)) if profile.unit == "share" else values
    if profile.values is not None:
        index = np.arange(len(local_h)) - profiles.FIRST
        return profile.offset + profile.scale * np.asarray(profile.values)[index % len(profile.values)]
    hours = local_h - profile.shift_h
    day, weekday = midnight.timetuple().tm_yday, midnight.weekday()
    return profile.offset + profile.scale * shape(profile.shape, hours, day_of_year=day, weekday=weekday)


def _from_table(scenario: Scenario, name: str, profile: Profile, table: TimeTable) -> Float:
    """A column at the market's interval; energies become mean powers."""
    unit = table.units[name]
    allowed = ALLOWED_UNITS[profile.unit]
    if unit not in allowed:
        raise DataError(
            f"{table.source}: unit of column {profile.column!r} for the {profile.unit} profile {name!r}",
            unit,
            ", ".join(allowed),
            "map another column with --map",
        )
    values = resample(table.columns[name], table.interval_h, scenario.interval_h, UNIT_KINDS[unit])
    return values / scenario.interval_h if unit == "mwh" else values


def _possible(scenario: Scenario, name: str) -> tuple[float, float]:
    """Bounds that its users put on a profile: capacity, consumption above zero, wholesale prices that orders may name.

    Meters pass them: solar output reads below zero at night, and above an installed capacity that has grown since.
    """
    connection, market = scenario.connection, scenario.market
    if connection and name == connection.wholesale:
        return market.floor_per_mwh + connection.export_fee_per_mwh, market.cap_per_mwh - connection.import_fee_per_mwh
    available = name in {unit.availability for unit in scenario.all_generators}
    consumed = name in {consumer.profile for consumer in scenario.all_consumers}
    return 0.0 if available or consumed else -np.inf, 1.0 if available else np.inf


def _parameters(scenario: Scenario, table: TimeTable | None) -> Float:
    parameters = np.zeros((len(scenario.profiles), profiles.PROFILE_COLUMNS))
    for row, (name, profile) in enumerate(scenario.profiles.items()):
        decay = float(np.exp(-scenario.interval_h / profile.correlation_h))
        parameters[row, profiles.FROM_DATA] = float(table is not None and profile.column is not None)
        parameters[row, profiles.RELATIVE] = profile.deviation_relative
        parameters[row, profiles.ABSOLUTE] = profile.deviation_absolute
        parameters[row, profiles.DECAY] = decay
        parameters[row, profiles.INNOVATION] = np.sqrt(1.0 - decay**2)
        lowest, highest = _possible(scenario, name)
        parameters[row, profiles.MINIMUM] = max(profile.minimum, lowest)
        parameters[row, profiles.MAXIMUM] = min(profile.maximum, highest)
        parameters[row, profiles.DEMAND_MW] = sum(c.load_mw for c in scenario.all_consumers if c.profile == name)
        parameters[row, profiles.RENEWABLE_MW] = sum(
            g.capacity_mw for g in scenario.all_generators if g.renewable and g.availability == name
        )
        parameters[row, profiles.DAY] = round(HOURS_PER_DAY / scenario.interval_h)
    return parameters


def _check_prices(scenario: Scenario, series: Series) -> None:
    """Wholesale prices plus and minus fees must be orders the auction accepts."""
    connection = scenario.connection
    if connection is None:
        return
    row = series.names.index(connection.wholesale)
    floor, cap = scenario.market.floor_per_mwh, scenario.market.cap_per_mwh
    lowest, highest = series.values[row].min(), series.values[row].max()
    if lowest - connection.export_fee_per_mwh < floor or highest + connection.import_fee_per_mwh > cap:
        raise DataError(
            f"{series.source}: wholesale profile {connection.wholesale!r} of {scenario.name!r}, plus and minus fees",
            f"{lowest - connection.export_fee_per_mwh:g} .. {highest + connection.import_fee_per_mwh:g} $/MWh",
            f"floor {floor:g} .. cap {cap:g} $/MWh",
            "widen market.floor_per_mwh or market.cap_per_mwh",
        )
