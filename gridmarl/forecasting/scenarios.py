"""Days that could come: the quantiles say how far each hour strays, past days say how hours stray together.

The ranks of past days within their own forecasts are uniform if these were calibrated; what is left in them is the
dependence between hours. It is drawn anew by a Gaussian copula (Pinson, Madsen, Nielsen, Papaefthymiou & Klöckl 2009,
"From probabilistic forecasts to statistical scenarios") or by taking whole past days of ranks as they were.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

import numpy as np

from gridmarl.errors import DataError, ScenarioError, nearest
from gridmarl.forecasting.distribution import ranks, values_at
from gridmarl.units import Float

Dependence: TypeAlias = Literal["copula", "bootstrap", "independent"]
PROBABILITY_TOLERANCE: Final = 1e-9
FEWEST_DAYS: Final = 14
"""Past days that dependence is learned from, at least."""


@dataclass(frozen=True, slots=True, eq=False)
class Scenarios:
    """Days that could come, and how likely each is.

    Attributes
    ----------
    values : array (S, K)
        In the series' unit.
    probability : array (S,)
        Adds up to 1.

    Raises
    ------
    ScenarioError
        For NaN, shapes that do not fit, or probabilities that are negative or do not add up to 1.
    """

    values: Float
    probability: Float

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.size == 0 or not np.all(np.isfinite(self.values)):
            raise ScenarioError("scenarios.values", self.values.shape, "finite numbers of shape (scenarios, steps)")
        if self.probability.shape != self.values.shape[:1]:
            raise ScenarioError("scenarios.probability", self.probability.shape, f"shape {self.values.shape[:1]}")
        total = float(self.probability.sum())
        if not (np.all(self.probability >= 0.0) and abs(total - 1.0) <= PROBABILITY_TOLERANCE):
            remedy = "divide them by their sum"
            raise ScenarioError("scenarios.probability, sum", total, "not negative, adding up to 1", remedy)


def day_ranks(quantiles: Float, truth: Float, levels: Float) -> Float:
    """Ranks of past days within their forecasts (probability integral transforms).

    Parameters
    ----------
    quantiles : array (day, step, level)
        Forecasts, ascending along the levels.
    truth : array (day, step)
        What came; days with NaN are left out.
    levels : array (level,)
        Quantile levels.

    Returns
    -------
    array (complete day, step)
        In (0, 1).
    """
    complete = np.isfinite(truth).all(axis=1)
    flat = ranks(quantiles[complete].reshape(-1, levels.size), truth[complete].ravel(), levels)
    return flat.reshape(-1, truth.shape[1])


def draw_scenarios(
    quantiles: Float, past: Float, levels: Float, count: int, how: Dependence, rng: np.random.Generator
) -> Scenarios:
    """Draw equally likely days around one forecast.

    Parameters
    ----------
    quantiles : array (step, level)
        The forecast of the day, ascending along the levels.
    past : array (day, step)
        Ranks of past days; see :func:`day_ranks`.
    levels : array (level,)
        Quantile levels.
    count : int
        How many.
    how : {"copula", "bootstrap", "independent"}
        Where dependence between steps comes from; ``independent`` has none and is there for comparison.
    rng : Generator
        The randomness.

    Raises
    ------
    DataError
        Unknown ``how``, no scenario asked for, or fewer than ``FEWEST_DAYS`` past days.
    """
    if how not in get_args(Dependence):
        raise DataError("dependence", how, ", ".join(get_args(Dependence)), nearest(how, get_args(Dependence)))
    if count < 1:
        raise DataError("scenarios to draw", count, "at least 1")
    if how != "independent" and len(past) < FEWEST_DAYS:
        raise DataError("past days of ranks", len(past), f"at least {FEWEST_DAYS}", "calibrate on more days")
    steps = len(quantiles)
    if how == "copula":
        drawn = _copula(past, count, rng)
    elif how == "bootstrap":
        drawn = past[rng.integers(len(past), size=count)]
    else:
        drawn = rng.random((count, steps))
    rows = np.broadcast_to(quantiles, (count, *quantiles.shape)).reshape(-1, levels.size)
    values = values_at(rows, drawn.ravel(), levels).reshape(count, steps)
    return Scenarios(values, np.full(count, 1.0 / count))


def _copula(past: Float, count: int, rng: np.random.Generator) -> Float:
    """Ranks with the dependence of past ones: correlated normals, each uniform by itself."""
    from scipy.special import ndtr

    return np.asarray(ndtr(rng.standard_normal((count, past.shape[1])) @ correlation(past).T), dtype=np.float64)


def correlation(past: Float) -> Float:
    """Root ``L`` of the correlation ``L L'`` of normal scores of ranks, shrunk for want of days (Ledoit & Wolf 2004).

    Parameters
    ----------
    past : array (day, step)
        Ranks.

    Returns
    -------
    array (step, step)
        Its rows have norm 1.
    """
    from scipy.special import ndtri
    from sklearn.covariance import LedoitWolf

    covariance: Float = LedoitWolf().fit(np.asarray(ndtri(past), dtype=np.float64)).covariance_
    size = np.sqrt(np.maximum(np.diag(covariance), np.finfo(np.float64).tiny))
    values, vectors = np.linalg.eigh(covariance / np.outer(size, size))
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    norm = np.linalg.norm(root, axis=1, keepdims=True)
    return np.where(norm > 0.0, root / np.where(norm > 0.0, norm, 1.0), np.eye(len(root)))
