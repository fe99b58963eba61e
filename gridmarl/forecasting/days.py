"""A series as a table of local days: one row a delivery day, one column an interval of its clock.

Day-ahead markets trade local calendar days, and a model wants every day to have the same hours. So the clock's changes
are evened out as is usual for price forecasts (Lago, Marcjasz, De Schutter & Weron 2021, "Forecasting day-ahead
electricity prices", Applied Energy 293): the hour skipped in spring is interpolated, and marked so that it is neither
learned from nor scored; the hour repeated in autumn becomes the mean of the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, timedelta

import numpy as np

from gridmarl.data.clock import zone_named
from gridmarl.data.table import TimeTable
from gridmarl.errors import DataError, nearest
from gridmarl.units import HOURS_PER_DAY, Bool, Float, Int

WHOLE = 1e-9
"""How far a number of intervals a day may be from a whole number."""


@dataclass(frozen=True, slots=True, eq=False)
class Days:
    """Whole local days of one series.

    Attributes
    ----------
    values : array (day, step)
        In the series' own unit.
    measured : array (day, step)
        False where the clock skipped the interval and the value is interpolated.
    first : date
        Local date of day 0.

    Raises
    ------
    DataError
        For NaN or infinite values, or arrays that are not (day, step) alike.
    """

    values: Float
    measured: Bool
    first: date

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.size == 0 or self.measured.shape != self.values.shape:
            shapes = (self.values.shape, self.measured.shape)
            raise DataError("days, shapes of values and of measured", shapes, "(day, step), both alike, not empty")
        bad = np.argwhere(~np.isfinite(self.values))
        if bad.size:
            day, step = bad[0].tolist()
            thing = f"days, {len(bad)} values; the first is step {step} of {self.first + timedelta(days=day)}"
            raise DataError(thing, float(self.values[day, step]), "finite numbers", "fill or cut the gap first")

    @property
    def step_h(self) -> float:
        """Hours a step."""
        return HOURS_PER_DAY / self.values.shape[1]

    @property
    def weekday(self) -> Int:
        """(day,) Monday is 0."""
        return (self.first.weekday() + np.arange(len(self.values))) % 7


def days_of(values: Float, first: date) -> Days:
    """Days whose every value is measured.

    Parameters
    ----------
    values : array (day, step)
        The series.
    first : date
        Date of its first row.
    """
    array = np.asarray(values, dtype=np.float64)
    return Days(array, np.ones(array.shape, dtype=np.bool_), first)


def local_days(table: TimeTable, column: str, timezone: str = "UTC") -> Days:
    """Whole local days of a table's column; an unfinished first or last day is left out.

    Parameters
    ----------
    table : TimeTable
        The data, gap-free.
    column : str
        One of its columns.
    timezone : str
        Zone whose calendar days are delivered, such as ``Europe/Berlin``.

    Raises
    ------
    DataError
        No such column or zone, no whole day, or an interval that does not divide a day.
    """
    if column not in table.columns:
        known = ", ".join(table.columns)
        raise DataError(f"{table.source}, column", column, known, nearest(column, table.columns))
    steps = _steps_a_day(table)
    day, step, first = _places(table, timezone, steps)
    total, count = np.zeros((2, day[-1] + 1, steps))
    np.add.at(total, (day, step), table.columns[column])
    np.add.at(count, (day, step), 1.0)
    kept = slice(int(step[0] > 0), len(total) - int(step[-1] < steps - 1))
    if kept.stop <= kept.start:
        raise DataError(f"{table.source}, intervals", table.intervals, "at least one whole day", "give a longer series")
    total, count = total[kept], count[kept]
    return Days(_filled(total, count), count > 0, first + timedelta(days=kept.start))


def _steps_a_day(table: TimeTable) -> int:
    steps = HOURS_PER_DAY / table.interval_h
    if steps < 1 or abs(steps - round(steps)) > WHOLE * steps:
        raise DataError(f"{table.source}, interval in h", table.interval_h, "one that divides a day", "resample it")
    return round(steps)


def _places(table: TimeTable, timezone: str, steps: int) -> tuple[Int, Int, date]:
    """Day and step of each interval on the local clock, and the date of day 0."""
    zone = zone_named(timezone)
    start, size = table.start_utc.astimezone(UTC), timedelta(hours=table.interval_h)
    local = [(start + i * size).astimezone(zone) for i in range(table.intervals)]
    day = np.array([moment.toordinal() for moment in local], dtype=np.int64)
    seconds = np.array([3600 * m.hour + 60 * m.minute + m.second for m in local], dtype=np.int64)
    return day - day[0], seconds * steps // 86_400, local[0].date()


def _filled(total: Float, count: Float) -> Float:
    flat, known = total.ravel(), np.flatnonzero(count.ravel())
    means = flat[known] / count.ravel()[known]
    return np.interp(np.arange(flat.size), known, means).reshape(total.shape)
