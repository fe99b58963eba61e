"""A table of real data: tidy CSV or Parquet becomes columns of MW, MWh and $ on a UTC grid, or is refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil, floor
from pathlib import Path

import numpy as np

from gridmarl.data.clock import TimeGrid, find_time_column, read_grid, utc_text, zone_named
from gridmarl.data.columns import ALLOWED, UNIT_KINDS, converted_name, find_unit, require_unit
from gridmarl.data.gaps import Gaps, close_gaps
from gridmarl.data.periods import with_starts
from gridmarl.data.reading import RawTable, is_numeric, numbers, read_raw
from gridmarl.data.resample import interval_ratio, resample, whole
from gridmarl.errors import DataError, nearest
from gridmarl.units import Float


@dataclass(frozen=True, slots=True, eq=False)
class TimeTable:
    """Series on one regular UTC grid, without gaps."""

    start_utc: datetime  # start of the first interval, aware, UTC
    interval_h: float
    columns: Mapping[str, Float]  # name -> (interval,) read-only
    units: Mapping[str, str]  # name -> a key of columns.UNIT_KINDS: per_mwh, mw, mwh, share, celsius, ...
    source: str  # path of the file
    filled: Mapping[str, int]  # name -> values that were missing and filled; columns without gaps are absent

    @property
    def intervals(self) -> int:
        """Number of intervals."""
        return len(next(iter(self.columns.values())))

    @property
    def end_utc(self) -> datetime:
        """End of the last interval."""
        return self.start_utc + timedelta(hours=self.intervals * self.interval_h)


def load_table(
    path: Path | str,
    columns: Mapping[str, str] | None = None,
    time_column: str | None = None,
    timezone: str | None = None,
    gaps: Gaps = "refuse",
) -> TimeTable:
    """Load a tidy CSV or Parquet file: one row an interval, one column of interval starts, units in column names.

    Parameters
    ----------
    path : Path or str
        The file; ``.csv``, ``.parquet`` or ``.pq``.
    columns : mapping of str to str, optional
        Wanted name -> column of the file. Default: every numeric column that ends in a known unit, under its own name
        (after conversion: ``load_kw`` is given as ``load_mw``).
    time_column : str, optional
        Column of interval starts. Default: found by name, UTC first; or made of year, month, day and period.
    timezone : str, optional
        IANA name or fixed offset of times that state neither UTC nor an offset.
    gaps : {"refuse", "interpolate", "hold"}
        What to do about missing rows and empty, NaN or infinite values.

    Returns
    -------
    TimeTable
        MW, MWh and currency per MWh; kW, kWh and per-kWh columns are converted.

    Raises
    ------
    DataError
        The file, a column, a unit, a time or a value is missing or malformed, or there are gaps; says which and where.
    """
    raw = with_starts(read_raw(Path(path)))
    time_name = find_time_column(raw, time_column)
    chosen = _choose(raw, columns, time_name)
    units = {name: require_unit(column, raw.label) for name, column in chosen.items()}
    values = {name: numbers(raw, column) for name, column in chosen.items()}
    empty = np.all([np.isnan(series) for series in values.values()], axis=0)
    grid = read_grid(raw, time_name, None if timezone is None else zone_named(timezone), empty)
    gridded = {name: _on_grid(series * units[name].factor, grid) for name, series in values.items()}
    complete, filled = close_gaps(gridded, grid, gaps, raw.label)
    for series in complete.values():
        series.flags.writeable = False
    names = {name: unit.unit for name, unit in units.items()}
    return TimeTable(grid.start_utc, grid.interval_h, complete, names, str(path), filled)


def _choose(raw: RawTable, columns: Mapping[str, str] | None, time_name: str) -> dict[str, str]:
    """Wanted name -> column of the file."""
    if columns is None:
        return _all_known(raw, time_name)
    for name, column in columns.items():
        if column not in raw.columns:
            thing = f"{raw.label}, column for {name!r}"
            raise DataError(thing, column, ", ".join(raw.columns), nearest(column, raw.columns))
    if not columns:
        raise DataError("columns", {}, "at least one", "leave it out to take every column with a unit")
    return dict(columns)


def _all_known(raw: RawTable, time_name: str) -> dict[str, str]:
    known = [c for c, cells in raw.columns.items() if c != time_name and find_unit(c) and is_numeric(cells)]
    if not known:
        thing = f"{raw.label}, columns without a unit"
        raise DataError(thing, list(raw.columns), f"names ending in {ALLOWED}", "rename the columns")
    chosen: dict[str, str] = {}
    for column in known:
        name = converted_name(column)
        if name in chosen:
            remedy = "choose one with columns={...}"
            raise DataError(f"{raw.label}, two columns for {name!r}", [chosen[name], column], "one", remedy)
        chosen[name] = column
    return chosen


def _on_grid(series: Float, grid: TimeGrid) -> Float:
    values = np.full(grid.size, np.nan)
    values[grid.position] = series[grid.kept]
    return values


def window(table: TimeTable, profile: str, start_utc: datetime, intervals: int, interval_h: float) -> Float:
    """Values of one column over a stretch of time, on another interval.

    Parameters
    ----------
    table : TimeTable
        The data.
    profile : str
        A name of ``table.columns``.
    start_utc : datetime
        Start of the stretch, with a time zone; must lie on the finer of the two grids.
    intervals : int
        Length of the stretch, at least 1.
    interval_h : float
        Wanted interval [h]; divides the table's interval or is a multiple of it.

    Returns
    -------
    Float
        (intervals,) in the column's unit; energies are per wanted interval. A fresh array.

    Raises
    ------
    DataError
        Unknown column, a stretch outside the table, or times that do not fit the grid.
    """
    if profile not in table.columns:
        known = ", ".join(table.columns)
        raise DataError(f"{table.source}, column", profile, known, nearest(profile, table.columns))
    if intervals < 1:
        raise DataError("intervals", intervals, "at least 1", "ask for one interval or more")
    finer = min(interval_h, table.interval_h)
    pieces = interval_ratio(max(interval_h, table.interval_h), finer)
    first = _offset(table, start_utc, finer)
    count = intervals * (pieces if interval_h > table.interval_h else 1)  # of the finer intervals
    per_row = pieces if interval_h < table.interval_h else 1
    rows = slice(floor(first / per_row), ceil((first + count) / per_row))
    if rows.start < 0 or rows.stop > table.intervals:
        _refuse_outside(table, start_utc, intervals * interval_h)
    kind = UNIT_KINDS[table.units[profile]]
    stretch = resample(table.columns[profile][rows], table.interval_h, interval_h, kind)
    skipped = first - rows.start * per_row
    return stretch[skipped : skipped + intervals]


def _offset(table: TimeTable, start_utc: datetime, finer_h: float) -> int:
    """Intervals of the finer grid from the table's start to the asked start."""
    if start_utc.tzinfo is None:
        remedy = "use datetime(..., tzinfo=UTC)"
        raise DataError("start_utc", start_utc.isoformat(), "a time with a time zone", remedy)
    apart = (start_utc - table.start_utc) / timedelta(hours=finer_h)
    remedy = f"start on the grid of {table.source}: {utc_text(table.start_utc)} plus a multiple of {finer_h:g} h"
    return whole(apart, f"start {utc_text(start_utc)}, intervals after the table's start", remedy)


def _refuse_outside(table: TimeTable, start_utc: datetime, length_h: float) -> None:
    asked = f"{utc_text(start_utc)} to {utc_text(start_utc.astimezone(UTC) + timedelta(hours=length_h))}"
    covers = f"{utc_text(table.start_utc)} to {utc_text(table.end_utc)}"
    raise DataError(f"stretch of {table.source}", asked, f"within {covers}", "choose another start or fewer intervals")
