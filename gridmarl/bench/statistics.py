"""Interquartile means and their bootstrap intervals, as pure functions of (run, task) arrays.

Agarwal, Schwarzer, Castro, Courville & Bellemare (2021), "Deep reinforcement learning at the edge of the statistical
precipice", NeurIPS 34: the interquartile mean is robust to outlying runs and needs fewer of them than the median; runs
are drawn anew within each task (stratified), because tasks are given and runs are chance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.stats import trim_mean

from gridmarl.errors import ScenarioError
from gridmarl.units import Float

LEVEL: Final = 0.95
RESAMPLES: Final = 2000
TRIMMED: Final = 0.25
"""Share that is cut off each end; of n numbers floor(n / 4), so that up to three give their mean."""

Statistic = Callable[[Float], Float]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A point and the ends of its interval, which are none where a single run cannot say how much chance matters."""

    value: float
    low: float | None
    high: float | None


def interquartile_mean(scores: Float) -> Float:
    """Mean of the middle half of all runs of all tasks.

    Parameters
    ----------
    scores : (..., run, task) array

    Returns
    -------
    (...) array
    """
    pooled = np.reshape(scores, (*scores.shape[:-2], -1))
    return np.asarray(trim_mean(pooled, TRIMMED, axis=-1), np.float64)


def stratified_bootstrap(
    scores: Float, rng: np.random.Generator, statistic: Statistic = interquartile_mean, resamples: int = RESAMPLES
) -> Float:
    """The statistic of many samples in which the runs of each task are drawn anew, with replacement.

    Parameters
    ----------
    scores : (run, task) array
    rng : numpy Generator
    statistic : callable
        (..., run, task) array -> (...) array.
    resamples : int

    Returns
    -------
    (resample,) array
    """
    runs, tasks = scores.shape
    drawn = rng.integers(0, runs, (resamples, runs, tasks))
    return statistic(scores[drawn, np.arange(tasks)])


def estimate(
    scores: Float,
    rng: np.random.Generator,
    statistic: Statistic = interquartile_mean,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Estimate:
    """The statistic with its percentile bootstrap interval.

    Parameters
    ----------
    scores : (run, task) array
        Finite.
    rng : numpy Generator
    statistic : callable
        (..., run, task) array -> (...) array.
    resamples : int
    level : float
        Coverage, such as 0.95. With few runs a percentile interval covers somewhat less.

    Raises
    ------
    ScenarioError
        Where the scores are not a table of finite numbers.
    """
    if scores.ndim != 2 or scores.size == 0 or not np.isfinite(scores).all():
        raise ScenarioError("scores", scores.shape, "a (run, task) array of finite numbers", "leave failed runs out")
    value = float(statistic(scores))
    if len(scores) < 2:
        return Estimate(value, None, None)
    samples = stratified_bootstrap(scores, rng, statistic, resamples)
    low, high = np.quantile(samples, [(1 - level) / 2, (1 + level) / 2]).tolist()
    return Estimate(value, low, high)


def paired_difference(
    scores: Float, others: Float, rng: np.random.Generator, resamples: int = RESAMPLES, level: float = LEVEL
) -> Estimate:
    """By how much scores exceed others that met the same chance: the interquartile mean of run-wise differences.

    Parameters
    ----------
    scores, others : (run, task) arrays
        Run i of both saw the same seed, so what the seed alone decides cancels.
    rng : numpy Generator
    resamples : int
    level : float

    Raises
    ------
    ScenarioError
        Where the two are not of the same shape.
    """
    if scores.shape != others.shape:
        raise ScenarioError("paired scores", scores.shape, f"the others' shape {others.shape}", "keep shared runs only")
    return estimate(scores - others, rng, resamples=resamples, level=level)
