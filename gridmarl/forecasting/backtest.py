"""Learn on the first part of a series, forecast the rest day by day, and put the scores beside the naive forecasts'.

The first part is cut in two: models learn from its beginning, its end calibrates them. Nothing is fitted again later;
only the calibration follows the truth of past days as it becomes known. The naive forecasts are calibrated in the same
way, so that what is compared is the forecasts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, get_args

import numpy as np

from gridmarl.errors import DataError
from gridmarl.forecasting import scores
from gridmarl.forecasting.conformal import Adaptation, adapt, conformalise
from gridmarl.forecasting.days import Days
from gridmarl.forecasting.features import HISTORY_DAYS, Design, Gate, build_design
from gridmarl.forecasting.naive import Naive, fit_naive
from gridmarl.forecasting.quantiles import LEVELS, Kind, Progress, combine, fit_quantiles
from gridmarl.units import Bool, Float

BAND: Final = 0.9
KINDS: Final[tuple[Kind, ...]] = ("linear", "boosted")
COMBINED: Final = "combined"
FEWEST: Final = {"learning": 56, "calibration": 21, "test": 7}
"""Days of each part, at least: eight weeks to learn from, three to calibrate with, one to test on."""


@dataclass(frozen=True, slots=True)
class Parts:
    """How many forecast days learn, calibrate and test, in this order."""

    learning: int
    calibration: int
    test: int


@dataclass(frozen=True, slots=True)
class Row:
    """Scores of one forecast over all test days; money or power in the series' unit."""

    forecast: str
    mae: float  # of the median
    mape: float | None  # share, where |value| > 10
    pinball: float  # mean over levels
    crps: float
    coverage: float  # share within the 90 % band
    coverage_raw: float  # before calibration
    width: float  # of the 90 % band, mean


@dataclass(frozen=True, slots=True, eq=False)
class Backtest:
    """Forecasts of the test days and their scores.

    Attributes
    ----------
    rows : tuple of Row
        Naive forecasts first, the combined one last.
    parts : Parts
        Days of each part.
    levels : array (level,)
        Quantile levels.
    quantiles : dict of arrays (day, step, level)
        Calibrated, of the test days, by the forecast's name.
    truth : array (day, step)
        What came; NaN where it is not scored.
    past_quantiles : dict of arrays (day, step, level)
        Of the calibration days, calibrated on these days themselves: scenarios learn dependence there, no score does.
    past_truth : array (day, step)
        What came on these.
    """

    rows: tuple[Row, ...]
    parts: Parts
    levels: Float
    quantiles: dict[str, Float]
    truth: Float
    past_quantiles: dict[str, Float]
    past_truth: Float


def backtest(
    series: Days,
    gate: Gate,
    known: Sequence[Days] = (),
    train_share: float = 0.6,
    kinds: Sequence[Kind] = KINDS,
    levels: Float = LEVELS,
    seed: int = 0,
    progress: Progress | None = None,
) -> Backtest:
    """Score forecasts on days that come after those they learned from.

    Parameters
    ----------
    series : Days
        What is to be forecast.
    gate : Gate
        What of it is known when.
    known : sequence of Days
        Forecasts of other series that are issued before the gate closes.
    train_share : float
        Share of the days that may be learned from; the last third of these calibrates.
    kinds : sequence of {"linear", "boosted", "lightgbm"}
        Models; the combined forecast averages their quantiles.
    levels : array (level,)
        Quantile levels; must hold 0.05 and 0.95.
    seed : int
        Of the boosting.
    progress : callable, optional
        Told 1 after each fit, of ``len(kinds) * len(levels)``.

    Raises
    ------
    DataError
        Too few days for one of the parts; says how many there are and must be.
    """
    _edges(levels)
    if not kinds:
        raise DataError("kinds of quantile models", [], ", ".join(get_args(Kind)), "name at least one")
    design = build_design(series, gate, known)
    parts = split(len(design.target), train_share)
    learning, later = design.days(slice(0, parts.learning)), design.days(slice(parts.learning, None))
    models = {kind: fit_quantiles(kind, learning, levels, seed, progress) for kind in kinds}
    naive = {name: [fit_naive(name, learning, levels)] for name in get_args(Naive)}
    forecasters: dict[str, Sequence[Any]] = {**naive, **{kind: [model] for kind, model in models.items()}}
    if len(models) > 1:
        forecasters[COMBINED] = list(models.values())
    return _scored(forecasters, later, levels, parts, Adaptation(delay_days=gate.whole_days))


def split(days: int, train_share: float) -> Parts:
    """Cut days into parts: learning, calibration (the last third of what may be learned from), test.

    Raises
    ------
    DataError
        A part would be too short, or the share is not within (0, 1).
    """
    if not 0.0 < train_share < 1.0:
        raise DataError("train_share", train_share, "within (0, 1)", "0.6 leaves two fifths to test on")
    train = round(train_share * days)
    parts = Parts(train - train // 3, train // 3, days - train)
    for name, fewest in FEWEST.items():
        found: int = getattr(parts, name)
        if found < fewest:
            allowed = f"at least {fewest}, after {HISTORY_DAYS} days of history"
            raise DataError(f"{days} days that can be forecast, of which for {name}", found, allowed, "a longer series")
    return parts


def _edges(levels: Float) -> tuple[int, int]:
    """Places of the 90 % band's two levels."""
    wanted = ((1.0 - BAND) / 2.0, (1.0 + BAND) / 2.0)
    found = [np.flatnonzero(np.abs(levels - level) < scores.SAME_LEVEL) for level in wanted]
    if any(place.size == 0 for place in found):
        raise DataError("quantile levels", levels.tolist(), "0.05 and 0.95 among them", "the 90 % band is scored")
    return int(found[0][0]), int(found[1][0])


def _scored(
    forecasters: dict[str, Sequence[Any]], later: Design, levels: Float, parts: Parts, how: Adaptation
) -> Backtest:
    target = np.where(later.measured, later.target, np.nan)
    test, past = later.days(slice(parts.calibration, None)), later.days(slice(0, parts.calibration))
    rows: list[Row] = []
    found: dict[str, Float] = {}
    before: dict[str, Float] = {}
    for name, models in forecasters.items():
        raw = combine(models, later)
        moved = adapt(raw, target, levels, parts.calibration, how)
        found[name] = _in_units(moved, test)
        own = conformalise(raw[: parts.calibration], raw[: parts.calibration], target[: parts.calibration], levels)
        before[name] = _in_units(own, past)
        rows.append(_row(name, found[name], _in_units(raw[parts.calibration :], test), _truth(test), levels))
    return Backtest(tuple(rows), parts, levels, found, _truth(test), before, _truth(past))


def _in_units(quantiles: Float, design: Design) -> Float:
    return design.level[:, :, None] + design.spread[:, :, None] * quantiles


def _truth(design: Design) -> Float:
    return np.where(design.measured, design.level + design.spread * design.target, np.nan)


def _row(name: str, quantiles: Float, raw: Float, truth: Float, levels: Float) -> Row:
    known: Bool = np.isfinite(truth)
    at, before, came = quantiles[known], raw[known], truth[known]
    low, high = _edges(levels)
    median = at[:, levels.size // 2]
    return Row(
        forecast=name,
        mae=scores.mae(median, came),
        mape=scores.mape(median, came),
        pinball=float(scores.pinball(at, came, levels).mean()),
        crps=float(scores.crps(at, came, levels).mean()),
        coverage=scores.coverage(at[:, low], at[:, high], came),
        coverage_raw=scores.coverage(before[:, low], before[:, high], came),
        width=float(np.mean(at[:, high] - at[:, low])),
    )
