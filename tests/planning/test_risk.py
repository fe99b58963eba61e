"""CVaR by its definition, and the scenario sets that cannot carry one."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from gridmarl.errors import ScenarioError
from gridmarl.planning.model.risk import Prices, check_risk, cvar, revenue, warn_of_thin_tail

TOLERANCE = 1e-9


def test_cvar_is_the_mean_of_the_worst_share_by_hand():
    gain = np.array([10.0, -4.0, 2.0, 0.0])
    assert cvar(gain, np.full(4, 0.25), 0.5) == pytest.approx(-2.0, abs=TOLERANCE)
    assert cvar(gain, np.full(4, 0.25), 0.6) == pytest.approx((-4 * 0.25 + 0 * 0.15) / 0.4, abs=TOLERANCE)


def test_cvar_at_confidence_zero_is_the_expectation():
    gain, probability = np.array([3.0, 1.0, -1.0]), np.array([0.5, 0.3, 0.2])
    assert cvar(gain, probability, 0.0) == pytest.approx(probability @ gain, abs=TOLERANCE)


def test_cvar_equals_the_maximum_over_eta():
    rng = np.random.default_rng(1)
    gain, probability, alpha = rng.normal(size=12), rng.dirichlet(np.ones(12)), 0.7

    def negative(eta: float) -> float:
        return -float(eta - probability @ np.maximum(0.0, eta - gain) / (1 - alpha))

    best = max(-negative(float(eta)) for eta in gain)  # piecewise linear: the maximum stands on a scenario
    assert cvar(gain, probability, alpha) == pytest.approx(best, abs=TOLERANCE)
    assert -minimize_scalar(negative, bounds=(gain.min(), gain.max()), method="bounded").fun <= best + TOLERANCE


def test_revenue_counts_hours():
    prices = Prices(np.array([[10.0, 20.0], [30.0, -40.0]]), np.array([0.5, 0.5]))
    gains = revenue(np.array([1.0, 2.0]), np.array([0.5, 0.25]), prices)
    assert gains == pytest.approx([15.0, -5.0], abs=TOLERANCE)


@pytest.mark.parametrize(
    "count, alpha, refused", [(10, 0.8, False), (10, 0.81, True), (40, 0.95, False), (1, 0.0, True)]
)
def test_a_tail_of_less_than_two_scenarios_is_refused(count, alpha, refused):
    prices = Prices(np.zeros((count, 3)), np.full(count, 1 / count), alpha)
    check_risk(prices, 0.0)
    if refused:
        with pytest.raises(ScenarioError, match=r"prices.alpha.*two scenarios"):
            check_risk(prices, 0.1)
    else:
        check_risk(prices, 0.1)


def test_a_tail_dominated_by_one_scenario_is_logged(caplog):
    prices = Prices(np.zeros((4, 2)), np.array([0.7, 0.1, 0.1, 0.1]), 0.5)
    with caplog.at_level(logging.WARNING):
        warn_of_thin_tail(prices, 0)
        assert not caplog.records
        warn_of_thin_tail(prices, 1)
    assert "few scenarios decide" in caplog.text


@pytest.mark.parametrize(
    "per_mwh, probability, thing",
    [
        (np.array([[np.nan]]), np.ones(1), "prices.per_mwh"),
        (np.zeros(3), np.ones(1), "prices.per_mwh"),
        (np.zeros((2, 3)), np.ones(1), "prices.probability"),
        (np.zeros((2, 3)), np.array([0.5, 0.6]), "prices.probability"),
        (np.zeros((2, 3)), np.array([1.5, -0.5]), "prices.probability"),
    ],
)
def test_malformed_scenarios_are_refused_by_name(per_mwh, probability, thing):
    with pytest.raises(ScenarioError, match=thing):
        Prices(per_mwh, probability)


def test_alpha_is_a_confidence_level_below_one():
    with pytest.raises(ScenarioError, match=r"prices\.alpha"):
        Prices(np.zeros((1, 1)), np.ones(1), 1.0)
