"""Many scenarios become few, each with the probability of those it stands for; and what that does to CVaR.

A mean of scenarios (K-means) keeps the expectation of every revenue exactly, but averages extremes away: CVaR of gains
is concave, so reduction can only raise it, and the risk looks smaller than it is. A medoid (Kaufman & Rousseeuw 1990,
"Finding groups in data") is a scenario that was drawn; its error may have either sign.
:func:`cvar_bias` says how large.
"""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias, get_args

import numpy as np

from gridmarl.errors import DataError, ScenarioError, nearest
from gridmarl.forecasting.scenarios import Scenarios
from gridmarl.forecasting.scores import distances
from gridmarl.units import Float, Int

Method: TypeAlias = Literal["k-medoids", "k-means"]
MOST_ROUNDS: Final = 100
STARTS: Final = 4


def reduce_scenarios(scenarios: Scenarios, count: int, method: Method, rng: np.random.Generator) -> Scenarios:
    """Choose or make a few scenarios that stand for all.

    Parameters
    ----------
    scenarios : Scenarios
        All of them.
    count : int
        K, from 1 to their number. Fewer come back where there are not so many different ones.
    method : {"k-medoids", "k-means"}
        Drawn scenarios, or means of clusters.
    rng : Generator
        Of the first guess.

    Raises
    ------
    DataError
        Unknown method or an impossible count.
    """
    if method not in get_args(Method):
        raise DataError("method of reduction", method, ", ".join(get_args(Method)), nearest(method, get_args(Method)))
    if not 1 <= count <= len(scenarios.values):
        raise DataError("scenarios to keep", count, f"1 to {len(scenarios.values)}", "draw more, or keep fewer")
    distinct, where = np.unique(scenarios.values, axis=0, return_inverse=True)
    weight = _sums(where.ravel(), scenarios.probability, len(distinct))
    distinct, weight = distinct[weight > 0.0], weight[weight > 0.0]
    if len(distinct) <= count:
        return Scenarios(distinct, weight / weight.sum())
    if method == "k-means":
        return _means(distinct, weight, count, rng)
    return _medoids(distinct, weight, count, rng)


def _means(values: Float, weight: Float, count: int, rng: np.random.Generator) -> Scenarios:
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    seed = int(rng.integers(2**31))
    model: Any = KMeans(count, n_init=STARTS, random_state=seed)  # pyright: ignore[reportArgumentType]  # its stub: str
    with threadpool_limits(1):
        label: Int = model.fit(values, sample_weight=weight).labels_
    total = _sums(label, weight, count)
    sums = np.zeros((count, values.shape[1]))
    np.add.at(sums, label, weight[:, None] * values)
    held = total > 0.0
    return Scenarios(sums[held] / total[held, None], total[held] / total.sum())


def _medoids(values: Float, weight: Float, count: int, rng: np.random.Generator) -> Scenarios:
    """The best of a few searches: assign to the nearest medoid, move each to its cluster's centre, until none moves."""
    apart = distances(values)
    found = [_search(apart, weight, _spread_out(apart, weight, count, rng)) for _ in range(STARTS)]
    medoids = min(found, key=lambda chosen: float(apart[:, chosen].min(axis=1) @ weight))
    label = np.argmin(apart[:, medoids], axis=1)
    total = _sums(label, weight, count)
    return Scenarios(values[medoids], total / total.sum())


def _spread_out(apart: Float, weight: Float, count: int, rng: np.random.Generator) -> Int:
    """First medoids, each drawn in proportion to its distance from those before (as k-means++ does)."""
    chosen = [int(rng.choice(len(weight), p=weight / weight.sum()))]
    while len(chosen) < count:
        chance = weight * apart[:, chosen].min(axis=1)
        chosen.append(int(rng.choice(len(weight), p=chance / chance.sum())))
    return np.array(chosen, dtype=np.int64)


def _search(apart: Float, weight: Float, medoids: Int) -> Int:
    for _ in range(MOST_ROUNDS):
        label = np.argmin(apart[:, medoids], axis=1)
        moved = np.array([_centre(apart, weight, np.flatnonzero(label == k)) for k in range(medoids.size)])
        if np.array_equal(moved, medoids):
            break
        medoids = moved
    return medoids


def _centre(apart: Float, weight: Float, members: Int) -> int:
    return int(members[np.argmin(apart[np.ix_(members, members)] @ weight[members])])


def _sums(label: Int, weight: Float, count: int) -> Float:
    return np.bincount(label, weights=weight, minlength=count).astype(np.float64)


def revenue(scenarios: Scenarios, injection_mw: Float, step_h: float) -> Float:
    """Revenue of a fixed schedule in each scenario of prices, (S,) in $.

    Parameters
    ----------
    scenarios : Scenarios
        Prices [$/MWh].
    injection_mw : array (K,)
        Net injection.
    step_h : float
        Hours a step.
    """
    return step_h * scenarios.values @ injection_mw


def cvar_of(gain: Float, probability: Float, alpha: float) -> float:
    """Mean of the worst ``1 - alpha`` share of gains (Rockafellar & Uryasev 2000).

    Parameters
    ----------
    gain : array (S,)
        Dollars gained in each scenario.
    probability : array (S,)
        Adds up to 1.
    alpha : float
        Confidence level, in [0, 1): the worst 5 % is 0.95.

    Raises
    ------
    ScenarioError
        For another ``alpha``.
    """
    if not 0.0 <= alpha < 1.0:
        raise ScenarioError("alpha", alpha, "in [0, 1)", "the worst 5 % is 0.95")
    order = np.argsort(gain, kind="stable")
    ordered = probability[order]
    taken = np.clip(1.0 - alpha - (np.cumsum(ordered) - ordered), 0.0, ordered)
    return float(taken @ gain[order] / taken.sum())


def cvar_bias(full: Scenarios, reduced: Scenarios, injection_mw: Float, alpha: float, step_h: float = 1.0) -> float:
    """What reduction adds to the CVaR of a schedule's revenue [$]; positive means that risk looks smaller than it is.

    Parameters
    ----------
    full, reduced : Scenarios
        Prices [$/MWh].
    injection_mw : array (K,)
        Net injection.
    alpha : float
        Confidence level, in [0, 1).
    step_h : float
        Hours a step.
    """
    both = (reduced, full)
    few, all_of_them = (cvar_of(revenue(s, injection_mw, step_h), s.probability, alpha) for s in both)
    return few - all_of_them
