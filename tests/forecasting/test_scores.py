"""Scores are proper, and agree with each other where theory says so."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gridmarl.errors import DataError
from gridmarl.forecasting.quantiles import LEVELS
from gridmarl.forecasting.scores import coverage, crps, energy_score, mae, mape, pinball, variogram_score

TOLERANCE = 1e-9
PRICES = st.floats(-500.0, 4000.0, allow_nan=False)
FORECAST = arrays(np.float64, LEVELS.size, elements=PRICES).map(np.sort)


def members(size: int = 3):
    return arrays(np.float64, st.tuples(st.integers(1, 8), st.just(size)), elements=PRICES)


def test_pinball_by_hand():
    found = pinball(np.array([10.0, 20.0]), np.array(14.0), np.array([0.1, 0.9]))
    assert found.tolist() == pytest.approx([0.1 * 4.0, 0.1 * 6.0])


@given(arrays(np.float64, 25, elements=PRICES), st.sampled_from(LEVELS.tolist()), PRICES)
def test_no_number_has_less_pinball_loss_than_the_quantile_of_what_came(truth, level, other):
    def loss(value: float) -> float:
        return float(pinball(np.full((25, 1), value), truth, np.array([level])).mean())

    best = float(np.quantile(truth, level, method="inverted_cdf"))
    assert loss(best) <= loss(other) + TOLERANCE * (1.0 + abs(loss(other)))


@given(PRICES, PRICES)
def test_crps_of_one_number_is_its_absolute_error(point, truth):
    found = crps(np.full(LEVELS.size, point), np.array(truth), LEVELS)
    assert float(found) == pytest.approx(abs(point - truth), rel=TOLERANCE, abs=TOLERANCE)


@given(FORECAST, PRICES)
def test_crps_of_quantiles_is_the_energy_score_of_their_step_distribution(forecast, truth):
    edges = np.concatenate([[0.0], (LEVELS[1:] + LEVELS[:-1]) / 2, [1.0]])
    expected = energy_score(forecast[:, None], np.diff(edges), np.array([truth]))
    assert float(crps(forecast, np.array(truth), LEVELS)) == pytest.approx(expected, rel=1e-9, abs=1e-8)


@given(members(), arrays(np.float64, 3, elements=PRICES))
def test_the_energy_score_is_zero_only_for_the_truth(some, truth):
    probability = np.full(len(some), 1.0 / len(some))
    found = energy_score(some, probability, truth)
    farthest = float(np.abs(some - truth).max())
    assert found >= -1e-9 * (1.0 + farthest)
    if farthest == 0.0:
        assert found == 0.0
    if farthest > 1.0:
        assert found > 0.0


@given(members(), PRICES)
def test_the_variogram_score_is_blind_to_a_shift_and_sees_a_change_of_shape(some, shift):
    truth = some[0]
    one = np.ones(1)
    assert variogram_score(truth[None], one, truth) == 0.0
    assert variogram_score(truth[None] + shift, one, truth) == pytest.approx(0.0, abs=1e-6)
    steeper = truth + np.array([0.0, 0.0, 10.0 * (1.0 + abs(truth).max())])
    assert variogram_score(steeper[None], one, truth) > 0.0


def test_the_variogram_score_by_hand():
    found = variogram_score(np.array([[0.0, 1.0], [0.0, 9.0]]), np.array([0.5, 0.5]), np.array([0.0, 4.0]))
    assert found == pytest.approx(0.0)
    found = variogram_score(np.array([[0.0, 1.0]]), np.ones(1), np.array([0.0, 4.0]))
    assert found == pytest.approx((2 * (2.0 - 1.0) ** 2) / 4)


def test_percentages_leave_out_prices_near_zero():
    assert mape(np.array([12.0, 5.0]), np.array([20.0, 10.0])) == pytest.approx(0.4)
    assert mape(np.array([1.0]), np.array([-3.0])) is None
    assert mape(np.array([-30.0]), np.array([-20.0])) == pytest.approx(0.5)


def test_coverage_counts_edges_and_leaves_out_what_is_unknown():
    low, high = np.zeros(4), np.ones(4)
    assert coverage(low, high, np.array([0.0, 1.0, 2.0, np.nan])) == pytest.approx(2 / 3)
    assert np.isnan(coverage(low, high, np.full(4, np.nan)))


def test_the_mean_absolute_error_by_hand():
    assert mae(np.array([1.0, 5.0]), np.array([2.0, 2.0])) == 2.0


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match="forecast and truth"):
        mae(np.ones(2), np.ones(3))
    with pytest.raises(DataError, match="scenarios, probability and truth"):
        energy_score(np.ones((2, 3)), np.ones(3) / 3, np.ones(3))
    with pytest.raises(DataError, match="variogram order"):
        variogram_score(np.ones((1, 2)), np.ones(1), np.ones(2), order=0.0)
