"""Time stamps become one regular UTC grid: offsets, local clocks with their 23 and 25 hour days, and missing rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

import numpy as np

from gridmarl.data.columns import find_unit
from gridmarl.data.reading import RawTable
from gridmarl.errors import DataError, nearest
from gridmarl.units import Bool, Int

NAME_PATTERNS: Final = (
    r".*start.*_utc",
    r"(timestamp|date_?time|time|date)\w*_utc",
    r".*_utc",
    r"(interval_|period_|hour_)?start.*",
    r"interval.*",
    r"timestamp.*",
    r"date_?time.*",
    r"time(_.*)?",
    r"date",
)
"""Names a time column may have, the clearest first: UTC before local, interval starts before bare times."""

END_NAME: Final = re.compile(r"(^|_)end(s|ing)?(_|$)", re.IGNORECASE)
ISO_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d.*)?")
OFFSET: Final = re.compile(r"([+-])(\d\d):?(\d\d)")
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
MICROSECONDS_PER_HOUR: Final = 3_600_000_000
TIME_EXAMPLES: Final = "ISO 8601 such as 2023-08-01T07:00Z, 2023-08-01 00:00:00-0700 or 2023-08-01 00:00"
ZONE_REMEDY: Final = "pass timezone='America/Los_Angeles' or the like, or a fixed offset such as '-08:00'"


@dataclass(frozen=True, slots=True, eq=False)
class TimeGrid:
    """A regular grid and where each kept row of the file stands on it."""

    start_utc: datetime
    interval_h: float
    size: int  # intervals from the first to the last row, missing ones included
    position: Int  # (kept row,) index on the grid
    kept: Bool  # (row,) False where a local clock skipped the time and the row held nothing

    def moment(self, index: int) -> str:
        """UTC start of one interval as text."""
        return utc_text(self.start_utc + index * timedelta(hours=self.interval_h))


def utc_text(moment: datetime) -> str:
    """Write a time the way errors quote it: ``2023-08-01T07:00Z``."""
    precision = "minutes" if moment.second == moment.microsecond == 0 else "auto"
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=precision) + "Z"


def find_time_column(raw: RawTable, wanted: str | None) -> str:
    """Name of the column of interval starts.

    Parameters
    ----------
    raw : RawTable
        The file.
    wanted : str or None
        The caller's choice; None looks for the names of ``NAME_PATTERNS``.

    Raises
    ------
    DataError
        No such column, no column named like a time, or one that holds interval ends.
    """
    if wanted is not None and wanted not in raw.columns:
        raise DataError(f"{raw.label}, time column", wanted, ", ".join(raw.columns), nearest(wanted, raw.columns))
    names = [wanted] if wanted is not None else [*_time_like(raw), *filter(END_NAME.search, raw.columns)]
    if not names:
        allowed = "a column such as interval_start_utc, timestamp_utc or timestamp"
        remedy = "add one, or name it with time_column"
        raise DataError(f"{raw.label}, columns without a time", list(raw.columns), allowed, remedy)
    if END_NAME.search(names[0]):
        raise DataError(f"{raw.label}, time column", names[0], "interval starts", "subtract one interval and rename it")
    return names[0]


def _time_like(raw: RawTable) -> list[str]:
    patterns = [re.compile(pattern, re.IGNORECASE) for pattern in NAME_PATTERNS]
    names = [name for name in raw.columns if not END_NAME.search(name) and find_unit(name) is None]
    return [name for pattern in patterns for name in names if pattern.fullmatch(name)]


def zone_named(name: str) -> tzinfo:
    """Time zone of an IANA name (``Europe/Berlin``) or a fixed offset (``-08:00``).

    Parameters
    ----------
    name : str
        The zone.

    Raises
    ------
    DataError
        No such zone.
    """
    offset = OFFSET.fullmatch(name)
    if offset and int(offset[2]) < 24 and int(offset[3]) < 60:
        size = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        return timezone(-size if offset[1] == "-" else size)
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError) as error:
        allowed = "an IANA name such as America/Los_Angeles, or an offset such as -08:00"
        raise DataError("timezone", name, allowed, nearest(name, available_timezones())) from error


def read_grid(raw: RawTable, column: str, zone: tzinfo | None, empty: Bool) -> TimeGrid:
    """Put the rows of a file on a regular UTC grid.

    Times with an offset or a Z need no zone, nor do those in a column named ``*_utc``. A local clock's repeated autumn
    hour is resolved by order: the first pass is summer time, the second standard time. The hour it skips in spring is
    no gap, and an empty row that stands there is dropped.

    Parameters
    ----------
    raw : RawTable
        The file.
    column : str
        Its column of interval starts.
    zone : tzinfo or None
        Zone of times that state none.
    empty : Bool
        (row,) whether the row holds no value at all.

    Returns
    -------
    TimeGrid
        The grid and each row's place on it.

    Raises
    ------
    DataError
        A time is unreadable, without a zone, skipped by its clock, repeated, out of order or off the grid.
    """
    moments = _utc_moments(raw, column, UTC if column.lower().endswith("_utc") else zone)
    kept = np.array([moment is not None for moment in moments], dtype=np.bool_)
    _refuse_skipped(raw, column, kept, empty)
    rows = [row for row, keep in zip(raw.rows, kept, strict=True) if keep]
    ticks = np.array([(moment - EPOCH) // MICROSECOND for moment in moments if moment is not None], dtype=np.int64)
    step = _regular_step(ticks, rows, f"{raw.label}, column {column!r}")
    position = (ticks - ticks[0]) // step
    start = EPOCH + int(ticks[0]) * MICROSECOND
    return TimeGrid(start, step / MICROSECONDS_PER_HOUR, int(position[-1]) + 1, position, kept)


def _utc_moments(raw: RawTable, column: str, zone: tzinfo | None) -> list[datetime | None]:
    cells = raw.columns[column]
    if isinstance(cells, np.ndarray):
        raise DataError(f"{raw.label}, column {column!r}, row {raw.rows[0]}", float(cells[0]), TIME_EXAMPLES)
    moments: list[datetime | None] = []
    last: datetime | None = None
    for row, text in zip(raw.rows, cells, strict=True):
        moment = _parse_time(text, f"{raw.label}, column {column!r}, row {row}")
        utc = _to_utc(moment, _zone_of(moment, zone, raw, column), last)
        moments.append(utc)
        last = utc or last
    return moments


def _parse_time(text: str, label: str) -> datetime:
    try:
        if ISO_TIME.fullmatch(text.strip()):
            return datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise DataError(label, text, TIME_EXAMPLES, "rewrite the time") from error
    raise DataError(label, text, TIME_EXAMPLES, "rewrite the time: 08/01/2023 does not say which is the month")


def _zone_of(moment: datetime, zone: tzinfo | None, raw: RawTable, column: str) -> tzinfo:
    found = moment.tzinfo or zone
    if found is None:
        thing = f"{raw.label}, column {column!r}, a local time without a zone"
        raise DataError(thing, moment.isoformat(), "UTC, an offset, or a stated timezone", ZONE_REMEDY)
    return found


def _to_utc(moment: datetime, zone: tzinfo, last: datetime | None) -> datetime | None:
    """Turn a clock's reading into UTC; None where the clock skips it (PEP 495: there, fold 0 lies after fold 1)."""
    early = moment.replace(tzinfo=zone, fold=0).astimezone(UTC)
    late = moment.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if early > late:
        return None
    return early if last is None or early > last else late


def _refuse_skipped(raw: RawTable, column: str, kept: Bool, empty: Bool) -> None:
    for i in np.flatnonzero(~kept & ~empty).tolist():
        thing = f"{raw.label}, column {column!r}, row {raw.rows[i]}, a time that this clock skips"
        remedy = "if the file keeps standard time all year, pass a fixed offset such as timezone='-08:00'"
        raise DataError(thing, raw.columns[column][i], "times that exist in the time zone", remedy)


def _regular_step(ticks: Int, rows: Sequence[int], label: str) -> int:
    """Most frequent difference of successive times [µs]; every difference must be a whole multiple of it."""
    if ticks.size < 2:
        remedy = "the interval cannot be known from fewer"
        raise DataError(f"{label}, rows with a time", ticks.size, "at least 2", remedy)
    steps = np.diff(ticks)
    checks = ((steps == 0, "repeated", "remove the row"), (steps < 0, "out of order", "sort the rows by time"))
    for bad, word, remedy in checks:
        _refuse_first(bad, ticks, rows, f"{label}, {word} time", "each interval once, ascending", remedy)
    sizes, counts = np.unique(steps, return_counts=True)
    step = int(sizes[np.argmax(counts)])
    allowed = f"a whole number of {step / MICROSECONDS_PER_HOUR:.6g} h intervals after the row before"
    remedy = "bring the file onto a regular grid"
    _refuse_first(steps % step != 0, ticks, rows, f"{label}, irregular time", allowed, remedy)
    return step


def _refuse_first(bad: Bool, ticks: Int, rows: Sequence[int], thing: str, allowed: str, remedy: str) -> None:
    if bad.any():
        i = int(np.argmax(bad)) + 1
        moment = utc_text(EPOCH + int(ticks[i]) * MICROSECOND)
        raise DataError(f"{thing} ({int(bad.sum())} such rows, the first is row {rows[i]})", moment, allowed, remedy)
