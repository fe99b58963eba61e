"""How good a probabilistic forecast is: proper scores of quantiles and of scenarios, coverage, and errors of a point.

Gneiting & Raftery 2007, "Strictly proper scoring rules, prediction, and estimation" (pinball, CRPS, energy score);
Scheuerer & Hamill 2015, "Variogram-based proper scoring rules" (variogram score). Smaller is better in all of them.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from gridmarl.errors import DataError
from gridmarl.units import Float

SAME_LEVEL: Final = 1e-9
"""Quantile levels this near are the same."""
MAPE_ABOVE: Final = 10.0
"""A percentage of a value near zero says nothing; only values larger than this in size count, in the series' unit."""


def pinball(quantiles: Float, truth: Float, levels: Float) -> Float:
    """Pinball loss of each quantile: ``max(τ (y - q), (τ - 1)(y - q))``.

    Parameters
    ----------
    quantiles : array (..., level)
        The forecast.
    truth : array (...,)
        What came, in the same unit.
    levels : array (level,)
        τ, in (0, 1).

    Returns
    -------
    array (..., level)
        In the series' unit.
    """
    _refuse_unlike(quantiles[..., 0], truth)
    error = truth[..., None] - quantiles
    return np.maximum(levels * error, (levels - 1.0) * error)


def crps(quantiles: Float, truth: Float, levels: Float) -> Float:
    """Continuous ranked probability score, ``2 ∫ pinball dτ``, by a sum over the levels.

    A quantile stands for the cell of (0, 1) nearest to its level, and is scored at the middle of that cell: exact for
    the step function that these quantiles are, so that a forecast of one number scores its absolute error.

    Parameters
    ----------
    quantiles, truth, levels
        As in :func:`pinball`; levels symmetric about 0.5.

    Returns
    -------
    array (...,)
        In the series' unit.
    """
    edges = np.concatenate([[0.0], (levels[1:] + levels[:-1]) / 2.0, [1.0]])
    return 2.0 * pinball(quantiles, truth, (edges[1:] + edges[:-1]) / 2.0) @ np.diff(edges)


def coverage(lower: Float, upper: Float, truth: Float) -> float:
    """Share of the truth within [lower, upper]; NaN truths are left out.

    Parameters
    ----------
    lower, upper, truth : arrays of one shape
        Band and truth.

    Returns
    -------
    float
        In [0, 1].
    """
    known = np.isfinite(truth)
    return float(np.mean((truth >= lower)[known] & (truth <= upper)[known])) if known.any() else float("nan")


def mae(point: Float, truth: Float) -> float:
    """Mean absolute error, in the series' unit; NaN truths are left out."""
    _refuse_unlike(point, truth)
    return float(np.nanmean(np.abs(point - truth)))


def mape(point: Float, truth: Float, above: float = MAPE_ABOVE) -> float | None:
    """Mean absolute percentage error over values larger than ``above`` in size.

    Parameters
    ----------
    point, truth : arrays of one shape
        Forecast and truth.
    above : float
        Values this small or smaller are left out.

    Returns
    -------
    float or None
        As a share (0.1 is 10 %); None where no value is large enough.
    """
    _refuse_unlike(point, truth)
    large = np.abs(truth) > above
    return float(np.mean(np.abs((point - truth)[large] / truth[large]))) if large.any() else None


def energy_score(members: Float, probability: Float, truth: Float) -> float:
    """Energy score of weighted scenarios: ``Σ π |x - y| - 1/2 Σ Σ π π' |x - x'|`` with Euclidean norms.

    Never negative, and zero only where all probability lies on the truth.

    Parameters
    ----------
    members : array (S, K)
        Scenarios.
    probability : array (S,)
        Adds up to 1.
    truth : array (K,)
        What came.

    Returns
    -------
    float
        In the series' unit.
    """
    _refuse_scenarios(members, probability, truth)
    off = np.linalg.norm(members - truth, axis=1) @ probability
    return float(off - 0.5 * probability @ distances(members) @ probability)


def variogram_score(members: Float, probability: Float, truth: Float, order: float = 0.5) -> float:
    """Variogram score: how well differences between steps are foreseen, all pairs alike, as their mean square.

    ``mean_ij (|y_i - y_j|^p - Σ π |x_i - x_j|^p)²``. Blind to a shift of all steps, so it goes with an energy score.

    Parameters
    ----------
    members, probability, truth
        As in :func:`energy_score`.
    order : float
        p > 0; 0.5 is Scheuerer and Hamill's choice.

    Returns
    -------
    float
        In the series' unit to the power 2p.
    """
    _refuse_scenarios(members, probability, truth)
    if not order > 0.0:
        raise DataError("variogram order", order, "more than 0", "0.5 is usual")
    seen = np.abs(truth[:, None] - truth[None, :]) ** order
    foreseen = np.tensordot(probability, np.abs(members[:, :, None] - members[:, None, :]) ** order, axes=1)
    return float(np.mean((seen - foreseen) ** 2))


def distances(members: Float) -> Float:
    """Euclidean distances between scenarios, (S, S); exactly 0 between equal ones.

    Parameters
    ----------
    members : array (S, K)
        Scenarios.
    """
    from scipy.spatial.distance import cdist

    return np.asarray(cdist(members, members), dtype=np.float64)


def _refuse_unlike(forecast: Float, truth: Float) -> None:
    if forecast.shape != truth.shape:
        raise DataError("shapes of forecast and truth", (forecast.shape, truth.shape), "the same shape")


def _refuse_scenarios(members: Float, probability: Float, truth: Float) -> None:
    if members.ndim != 2 or members.shape != (probability.size, truth.size):
        shapes = (members.shape, probability.shape, truth.shape)
        raise DataError("shapes of scenarios, probability and truth", shapes, "(S, K), (S,) and (K,)")
