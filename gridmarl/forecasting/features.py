"""What a forecaster may look at when the day-ahead gate closes: lags, recent levels and the calendar, nothing later.

Everything is relative to a recent level and divided by a recent spread, so that a model trained in spring still knows
its way in a dearer autumn. There is no day of the year among the features: within one year it is time itself, and no
later season has been seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from gridmarl.errors import DataError
from gridmarl.forecasting.days import Days
from gridmarl.units import HOURS_PER_DAY, Bool, Float, Int

WEEK: Final = 7
HISTORY_DAYS: Final = 10
"""Days before the first one that can be forecast: a week back from the last day surely known, and one to spare."""
SPREAD_DAYS: Final = 28
"""The recent spread is that of the last four weeks, or of what there is of them."""


@dataclass(frozen=True, slots=True)
class Gate:
    """What is known when the bids for the next local day are due.

    Attributes
    ----------
    closes_h : float
        Local hour, on the day before delivery, in (0, 24]: 12 in Europe's coupled auction, 10 in CAISO.
    published : bool
        True for results of the auction itself: those of the whole day before delivery came out a day earlier. False
        for what is metered (loads, wind): known until ``closes_h``, and no further.
    """

    closes_h: float = 12.0
    published: bool = True

    def __post_init__(self) -> None:
        if not 0.0 < self.closes_h <= HOURS_PER_DAY:
            raise DataError("gate.closes_h", self.closes_h, "a local hour in (0, 24]", "noon is 12")

    @property
    def whole_days(self) -> int:
        """Days from delivery back to the last day that is known entirely."""
        return 1 if self.published else 2

    def latest(self, steps: int) -> Int:
        """(step,) days from delivery back to the last known value at the same step."""
        ends_h = (np.arange(steps) + 1) * HOURS_PER_DAY / steps
        return np.where(self.published | (ends_h <= self.closes_h), 1, 2)


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """A regression problem: one row a delivery day and step.

    Attributes
    ----------
    features : array (day, step, feature)
        Known at the gate closure of that day, dimensionless.
    names : tuple of str
        Of the features.
    target : array (day, step)
        ``(value - level) / spread``.
    level, spread : arrays (day, step)
        Recent level and spread, known at the gate closure, in the series' unit.
    measured : array (day, step)
        False where the value is not to be learned from nor scored.
    """

    features: Float
    names: tuple[str, ...]
    target: Float
    level: Float
    spread: Float
    measured: Bool

    def days(self, kept: slice) -> Design:
        """The same of some days."""
        arrays = (self.target[kept], self.level[kept], self.spread[kept], self.measured[kept])
        return Design(self.features[kept], self.names, *arrays)


def build_design(series: Days, gate: Gate, known: Sequence[Days] = ()) -> Design:
    """Features and targets of every day that has enough history.

    Parameters
    ----------
    series : Days
        What is to be forecast.
    gate : Gate
        What of it is known when.
    known : sequence of Days
        Forecasts of other series issued before the gate closes (load, wind, sun), each covering the same days.

    Returns
    -------
    Design
        Its day 0 is day ``HISTORY_DAYS`` of the series.

    Raises
    ------
    DataError
        Fewer days than the history takes, or ``known`` that do not cover the same days.
    """
    count, steps = series.values.shape
    if count <= HISTORY_DAYS:
        raise DataError("days of the series", count, f"more than {HISTORY_DAYS}", "give a longer series")
    for other in known:
        if other.values.shape != series.values.shape or other.first != series.first:
            found = (other.first.isoformat(), other.values.shape)
            allowed = f"days from {series.first.isoformat()} of shape {series.values.shape}"
            raise DataError("known forecasts", found, allowed, "cut them to the days of the series")
    level, spread = _level(series.values, gate), _spread(series.values, gate)
    own = {name: (lag - level) / spread for name, lag in _lags(series.values, gate).items()}
    others = {f"known_{i}_{name}": x for i, other in enumerate(known) for name, x in _foreseen(other.values).items()}
    columns = own | others | _calendar(series, steps)
    target = (series.values[HISTORY_DAYS:] - level) / spread
    features = np.stack([np.broadcast_to(column, level.shape) for column in columns.values()], axis=2)
    return Design(features, tuple(columns), target, level, spread, series.measured[HISTORY_DAYS:])


def lagged(values: Float, days: Int | int) -> Float:
    """Values so many days before, of every day from ``HISTORY_DAYS`` on.

    Parameters
    ----------
    values : array (day, step)
        A series.
    days : int or array (step,)
        Days back, at most ``HISTORY_DAYS``.
    """
    day = np.arange(HISTORY_DAYS, len(values))[:, None]
    return values[day - days, np.arange(values.shape[1])]


def _lags(values: Float, gate: Gate) -> dict[str, Float]:
    steps = values.shape[1]
    latest, whole = gate.latest(steps), gate.whole_days
    day_mean = np.repeat(values.mean(axis=1, keepdims=True), steps, axis=1)
    level = _level(values, gate)
    smallest = np.repeat(values.min(axis=1, keepdims=True), steps, axis=1)
    largest = np.repeat(values.max(axis=1, keepdims=True), steps, axis=1)
    end = steps - 1 if gate.published else max(int(np.sum(latest == 1)) - 1, 0)
    last = np.repeat(values[:, end : end + 1], steps, axis=1)
    drift = lagged(day_mean, whole) - lagged(day_mean, whole + WEEK)
    return {
        "latest": lagged(values, latest),
        "day_before_latest": lagged(values, latest + 1),
        "two_before_latest": lagged(values, latest + 2),
        "last_week": lagged(values, WEEK),
        "last_known": lagged(last, int(latest[end])),
        "mean_of_last_day": lagged(day_mean, whole),
        "mean_of_last_week": np.repeat(level.mean(axis=1, keepdims=True), steps, axis=1),
        "mean_a_week_ago": lagged(day_mean, WEEK),
        "lowest_of_last_day": lagged(smallest, whole),
        "highest_of_last_day": lagged(largest, whole),
        "drift_over_a_week": drift + level,
    }


def _level(values: Float, gate: Gate) -> Float:
    """Mean of the last seven known values at the same step."""
    latest = gate.latest(values.shape[1])
    return np.mean([lagged(values, latest + back) for back in range(WEEK)], axis=0)


def _spread(values: Float, gate: Gate) -> Float:
    """Root mean square change from day to day over the last four weeks, alike for all steps; 1 where nothing moved."""
    moved = np.concatenate([[0.0], np.mean(np.diff(values, axis=0) ** 2, axis=1)])
    total = np.concatenate([[0.0], np.cumsum(moved)])
    stop = np.arange(HISTORY_DAYS, len(values)) - gate.whole_days + 1
    start = np.maximum(stop - SPREAD_DAYS, 1)
    spread = np.sqrt(np.maximum(total[stop] - total[start], 0.0) / (stop - start))
    dust = 1e-9 * max(1.0, float(np.abs(values).max()))
    return np.repeat(np.where(spread > dust, spread, 1.0)[:, None], values.shape[1], axis=1)


def _foreseen(values: Float) -> dict[str, Float]:
    """A forecast of the delivery day, against the same forecast of the week before; scaled by its past alone."""
    steps = values.shape[1]
    size = np.cumsum(np.abs(values).mean(axis=1)) / np.arange(1, len(values) + 1)
    scale = np.where(size > 0.0, size, 1.0)[HISTORY_DAYS - 1 : -1, None]
    day_mean = np.repeat(values.mean(axis=1, keepdims=True), steps, axis=1)
    week = np.mean([lagged(values, 1 + back) for back in range(WEEK)], axis=0)
    return {
        "level": lagged(values, 0) / scale,
        "against_day_before": (lagged(values, 0) - lagged(values, 1)) / scale,
        "against_last_week": (lagged(values, 0) - week) / scale,
        "mean_against_day_before": (lagged(day_mean, 0) - lagged(day_mean, 1)) / scale,
    }


def _calendar(series: Days, steps: int) -> dict[str, Float]:
    weekday = series.weekday[HISTORY_DAYS:, None]
    angle = 2.0 * np.pi * (np.arange(steps) + 0.5) / steps
    names = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    days = {name: (weekday == i).astype(np.float64) for i, name in enumerate(names)}
    return {"step_sine": np.sin(angle)[None, :], "step_cosine": np.cos(angle)[None, :], **days}
