"""Uncertain prices and the risk measure: expectation and CVaR of revenue over scenarios.

``CVaR_α(R) = max_η η - 1/(1-α) Σ_s π_s max(0, η - R_s)`` (Rockafellar & Uryasev 2000, for gains). ``alpha`` is a
confidence level: the mean of the worst 5 % is ``alpha = 0.95``.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache

import numpy as np

from gridmarl.errors import ScenarioError
from gridmarl.units import Float

logger = logging.getLogger(__name__)

PROBABILITY_TOLERANCE = 1e-9
TAIL_SCENARIOS = 2.0
"""CVaR needs at least this many scenarios' worth of probability in its tail, or it is just the worst one."""


@dataclass(frozen=True, slots=True, eq=False)
class Prices:
    """Price scenarios that owners plan against.

    Attributes
    ----------
    per_mwh : array (S, K)
        $/MWh in scenario s and step k.
    probability : array (S,)
        Adds up to 1.
    alpha : float
        Confidence level of CVaR, in [0, 1).

    Raises
    ------
    ScenarioError
        For NaN, shapes that do not fit, or probabilities that do not add up to 1.
    """

    per_mwh: Float
    probability: Float
    alpha: float = 0.95

    def __post_init__(self) -> None:
        if self.per_mwh.ndim != 2 or not np.all(np.isfinite(self.per_mwh)):
            raise ScenarioError("prices.per_mwh", self.per_mwh.shape, "finite numbers of shape (scenarios, steps)")
        if self.probability.shape != self.per_mwh.shape[:1]:
            raise ScenarioError("prices.probability", self.probability.shape, f"shape {self.per_mwh.shape[:1]}")
        one = abs(self.probability.sum() - 1.0) <= PROBABILITY_TOLERANCE  # False for NaN
        if not (one and np.all(self.probability >= 0)):
            raise ScenarioError("prices.probability", self.probability, "not negative, adding up to 1")
        if not 0.0 <= self.alpha < 1.0:
            raise ScenarioError("prices.alpha", self.alpha, "in [0, 1); the worst 5 % is 0.95")

    @classmethod
    def certain(cls, per_mwh: Float) -> Prices:
        """One scenario: the price forecast (K,) itself."""
        return cls(np.asarray(per_mwh, dtype=np.float64)[None, :], np.ones(1))

    @property
    def expected_per_mwh(self) -> Float:
        """Expected price (K,) in $/MWh."""
        return self.probability @ self.per_mwh


def check_risk(prices: Prices, beta: float) -> None:
    """Refuse a CVaR whose tail holds fewer than two scenarios.

    Parameters
    ----------
    prices : Prices
        The scenarios and ``alpha``.
    beta : float
        The largest risk weight in use; 0 needs no check.

    Raises
    ------
    ScenarioError
        Where ``S (1 - alpha) < 2``: such a CVaR is the single worst scenario's revenue.
    """
    count = len(prices.probability)
    if beta <= 0:
        return
    if count * (1 - prices.alpha) < TAIL_SCENARIOS - PROBABILITY_TOLERANCE:
        raise ScenarioError(
            "prices.alpha",
            prices.alpha,
            f"at most {max(0.0, 1 - TAIL_SCENARIOS / count):.6g} with {count} scenarios",
            "with less than two scenarios in the tail CVaR is just the worst one: draw more scenarios or lower alpha",
        )


def warn_of_thin_tail(prices: Prices, averse: int) -> None:
    """Log where the tail holds less than twice the likeliest scenario's probability and ``averse`` owners mind it."""
    largest = float(prices.probability.max())
    if averse and 1 - prices.alpha < TAIL_SCENARIOS * largest - PROBABILITY_TOLERANCE:
        _say_thin_tail(round(1 - prices.alpha, 9), round(largest, 9))


@cache
def _say_thin_tail(tail: float, largest: float) -> None:
    """Once a process for the same numbers: planners plan every hour."""
    logger.warning(
        "CVaR's tail of %.3g is less than twice the likeliest scenario's probability %.3g: few scenarios decide",
        tail,
        largest,
    )


def revenue(injection_mw: Float, step_h: Float, prices: Prices) -> Float:
    """Revenue in each scenario.

    Parameters
    ----------
    injection_mw : array (..., K)
        Net injections.
    step_h : array (K,)
        Hours a step.
    prices : Prices
        $/MWh.

    Returns
    -------
    array (..., S)
        Dollars, ``R_s = Σ_k Δ_k p_sk x_k``.
    """
    return (injection_mw * step_h) @ prices.per_mwh.T


def cvar(gain: Float, probability: Float, alpha: float) -> float:
    """Mean of the worst ``1 - alpha`` share of gains, by sorting (no optimisation).

    Parameters
    ----------
    gain : array (S,)
        Dollars gained in each scenario.
    probability : array (S,)
        Their probabilities.
    alpha : float
        Confidence level, in [0, 1).

    Returns
    -------
    float
        Dollars.
    """
    order = np.argsort(gain, kind="stable")
    before = np.cumsum(probability[order]) - probability[order]
    taken = np.clip(1 - alpha - before, 0.0, probability[order])
    return float(taken @ gain[order] / (1 - alpha))
