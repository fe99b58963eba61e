"""Scenarios put to the test: how near they are to the days that came, and what reducing them does to a risk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, get_args

import numpy as np

from gridmarl.errors import DataError
from gridmarl.forecasting.backtest import Backtest
from gridmarl.forecasting.quantiles import Progress
from gridmarl.forecasting.reduction import Method, cvar_bias, reduce_scenarios
from gridmarl.forecasting.scenarios import Dependence, Scenarios, day_ranks, draw_scenarios
from gridmarl.forecasting.scores import energy_score, variogram_score
from gridmarl.units import Float

ALL: Final = "all"
ALPHA: Final = 0.8
"""Ten scenarios have two in the worst 20 %, the fewest that make a tail."""


@dataclass(frozen=True, slots=True)
class ScenarioRow:
    """Mean scores of one way to make scenarios, over the judged days."""

    dependence: str
    reduction: str  # "all" where nothing was reduced
    scenarios: int
    energy: float  # in the series' unit
    variogram: float  # in the series' unit, with order 0.5
    cvar_bias: float  # of the day's mean (1 MW sold all day), in the series' unit; > 0: risk looks smaller than it is


def judge_scenarios(
    tested: Backtest,
    forecast: str,
    delay_days: int,
    rng: np.random.Generator,
    drawn: int = 200,
    kept: int = 10,
    alpha: float = ALPHA,
    every: int = 5,
    progress: Progress | None = None,
) -> tuple[ScenarioRow, ...]:
    """Draw scenarios of test days, reduce them, and score both against what came.

    Parameters
    ----------
    tested : Backtest
        Forecasts and truth.
    forecast : str
        Which of its forecasts; dependence is learned from the calibration days and the test days known by then.
    delay_days : int
        Days from delivery back to the last day that is known entirely (``Gate.whole_days``).
    rng : Generator
        The randomness.
    drawn, kept : int
        Scenarios before and after reduction.
    alpha : float
        Confidence level of CVaR, in [0, 1).
    every : int
        Judge every so many test days.
    progress : callable, optional
        Told 1 after each of :func:`judged_days`.

    Raises
    ------
    DataError
        Unknown forecast, or no test day that was measured completely.
    """
    if forecast not in tested.quantiles:
        raise DataError("forecast", forecast, ", ".join(tested.quantiles), "name one of the backtest")
    days = judged_days(tested, every)
    if not days:
        raise DataError("complete test days to judge", 0, "at least 1", "test on more days")
    found: dict[tuple[str, str, int], list[tuple[float, float, float]]] = {}
    for day in days:
        past = _past(tested, forecast, day - delay_days + 1)
        for how in get_args(Dependence):
            full = draw_scenarios(tested.quantiles[forecast][day], past, tested.levels, drawn, how, rng)
            for name, some in _versions(full, kept, rng).items():
                key = (how, name, drawn if name == ALL else kept)
                found.setdefault(key, []).append(_scores(some, full, tested.truth[day], alpha))
        if progress:
            progress(1)
    return tuple(ScenarioRow(*key, *np.mean(values, axis=0).tolist()) for key, values in found.items())


def judged_days(tested: Backtest, every: int) -> list[int]:
    """Indices of the test days to judge: every so many, those measured completely.

    Parameters
    ----------
    tested : Backtest
        Forecasts and truth.
    every : int
        Days from one to the next, at least 1.
    """
    if every < 1:
        raise DataError("every", every, "at least 1", "1 judges every day")
    return [day for day in range(0, len(tested.truth), every) if np.isfinite(tested.truth[day]).all()]


def _past(tested: Backtest, forecast: str, known: int) -> Float:
    """Ranks of the calibration days and of so many first test days; fewer calibration days where known < 0."""
    quantiles = np.concatenate([tested.past_quantiles[forecast], tested.quantiles[forecast]])
    truth = np.concatenate([tested.past_truth, tested.truth])
    stop = len(tested.past_truth) + known
    return day_ranks(quantiles[:stop], truth[:stop], tested.levels)


def _versions(full: Scenarios, kept: int, rng: np.random.Generator) -> dict[str, Scenarios]:
    return {ALL: full} | {method: reduce_scenarios(full, kept, method, rng) for method in get_args(Method)}


def _scores(some: Scenarios, full: Scenarios, truth: Float, alpha: float) -> tuple[float, float, float]:
    flat = np.full(truth.size, 1.0 / truth.size)
    return (
        energy_score(some.values, some.probability, truth),
        variogram_score(some.values, some.probability, truth),
        cvar_bias(full, some, flat, alpha),
    )
