"""Scenarios have the quantiles they were given and the dependence that past days had."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gridmarl.errors import DataError, ScenarioError
from gridmarl.forecasting.distribution import ranks, values_at
from gridmarl.forecasting.quantiles import LEVELS
from gridmarl.forecasting.scenarios import Scenarios, day_ranks, draw_scenarios

STEPS = 5
PAST = np.random.default_rng(0).random((60, STEPS))


def forecast(seed: int = 0) -> np.ndarray:
    return np.sort(np.random.default_rng(seed).normal(40.0, 15.0, (STEPS, LEVELS.size)), axis=1)


@given(arrays(np.float64, LEVELS.size, elements=st.floats(-500, 4000)).map(np.sort), st.floats(1e-4, 1 - 1e-4))
def test_values_of_ranks_and_ranks_of_values_undo_each_other(quantiles, rank):
    steps = quantiles + np.arange(LEVELS.size)  # at least 1 apart
    value = values_at(steps[None], np.array([rank]), LEVELS)
    assert ranks(steps[None], value, LEVELS)[0] == pytest.approx(rank, abs=1e-6)


@given(arrays(np.float64, LEVELS.size, elements=st.floats(-500, 4000)).map(np.sort))
def test_a_quantile_has_its_level_as_rank_and_larger_ranks_have_larger_values(quantiles):
    rows = np.broadcast_to(quantiles, (LEVELS.size, LEVELS.size))
    np.testing.assert_allclose(values_at(rows, LEVELS, LEVELS), quantiles, atol=1e-4)
    grid = np.linspace(0.0, 1.0, 41)
    values = values_at(np.broadcast_to(quantiles, (41, LEVELS.size)), grid, LEVELS)
    assert np.isfinite(values).all()
    assert np.all(np.diff(values) >= 0.0)


def test_tails_are_exponential_and_join_smoothly():
    levels = np.array([0.1, 0.5, 0.9])
    quantiles = np.array([[0.0, 4.0, 8.0]])  # slope 10 beyond: tails of length 1
    assert values_at(quantiles, np.array([0.1 / np.e]), levels)[0] == pytest.approx(-1.0, abs=1e-6)
    assert values_at(quantiles, np.array([1 - 0.1 / np.e]), levels)[0] == pytest.approx(9.0, abs=1e-6)


def test_ranks_of_values_drawn_from_the_forecast_are_uniform():
    rng = np.random.default_rng(1)
    quantiles = np.broadcast_to(forecast(), (400, STEPS, LEVELS.size))
    flat = values_at(quantiles.reshape(-1, LEVELS.size), rng.random(400 * STEPS), LEVELS)
    found = day_ranks(quantiles, flat.reshape(400, STEPS), LEVELS)
    assert np.histogram(found, 5, (0.0, 1.0))[0] / found.size == pytest.approx(0.2, abs=0.03)


def test_days_with_a_hole_give_no_ranks():
    truth = np.full((3, STEPS), 40.0)
    truth[1, 2] = np.nan
    assert day_ranks(np.broadcast_to(forecast(), (3, STEPS, LEVELS.size)), truth, LEVELS).shape == (2, STEPS)


@pytest.mark.parametrize("how", ["copula", "bootstrap", "independent"])
def test_scenarios_have_the_quantiles_of_the_forecast(how):
    past = np.random.default_rng(2).random((2000, STEPS))
    found = draw_scenarios(forecast(), past, LEVELS, 20_000, how, np.random.default_rng(3))
    assert found.probability.sum() == pytest.approx(1.0, abs=1e-12)
    below = (found.values[:, :, None] <= forecast()).mean(axis=0)
    np.testing.assert_allclose(below, np.broadcast_to(LEVELS, below.shape), atol=0.035)


@pytest.mark.parametrize("how, low, high", [("copula", 0.7, 0.9), ("bootstrap", 0.7, 0.9), ("independent", -0.1, 0.1)])
def test_dependence_between_steps_is_that_of_past_days(how, low, high):
    from scipy.special import ndtr

    rng = np.random.default_rng(4)
    common = rng.normal(size=(300, 1))
    past = np.asarray(ndtr(np.sqrt(0.8) * common + np.sqrt(0.2) * rng.normal(size=(300, STEPS))))
    drawn = draw_scenarios(forecast(), past, LEVELS, 4000, how, rng).values
    within = day_ranks(np.broadcast_to(forecast(), (4000, STEPS, LEVELS.size)), drawn, LEVELS)
    between = np.asarray(np.corrcoef(within.T))[~np.eye(STEPS, dtype=bool)]
    assert np.all((between > low) & (between < high)), between


def test_a_bootstrap_takes_whole_days_as_they_were():
    drawn = draw_scenarios(forecast(), PAST, LEVELS, 50, "bootstrap", np.random.default_rng(5)).values
    own = [values_at(forecast(), day, LEVELS) for day in PAST]
    assert all(any(np.allclose(day, other) for other in own) for day in drawn)


def test_the_same_seed_draws_the_same_scenarios():
    one, two, other = (
        draw_scenarios(forecast(), PAST, LEVELS, 5, "copula", np.random.default_rng(s)) for s in (1, 1, 2)
    )
    assert np.array_equal(one.values, two.values)
    assert not np.array_equal(one.values, other.values)


@pytest.mark.parametrize(
    "values, probability, word",
    [
        (np.ones((2, 3)), np.array([0.5, 0.6]), "adding up to 1"),
        (np.ones((2, 3)), np.array([1.5, -0.5]), "adding up to 1"),
        (np.ones((2, 3)), np.array([np.nan, 1.0]), "adding up to 1"),
        (np.ones((2, 3)), np.ones(3) / 3, "shape"),
        (np.array([[1.0, np.nan]]), np.ones(1), "finite"),
        (np.ones(3), np.ones(3) / 3, "finite numbers of shape"),
    ],
)
def test_scenarios_that_are_none_are_refused(values, probability, word):
    with pytest.raises(ScenarioError, match=word):
        Scenarios(values, probability)


def test_what_cannot_be_drawn_is_refused():
    rng = np.random.default_rng(6)
    with pytest.raises(DataError, match="past days of ranks: got 5"):
        draw_scenarios(forecast(), PAST[:5], LEVELS, 10, "copula", rng)
    with pytest.raises(DataError, match="did you mean 'copula'"):
        draw_scenarios(forecast(), PAST, LEVELS, 10, "copla", rng)  # pyright: ignore[reportArgumentType]
    with pytest.raises(DataError, match="scenarios to draw"):
        draw_scenarios(forecast(), PAST, LEVELS, 0, "copula", rng)
