"""Fewer scenarios keep the probability, and what they do to CVaR is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmarl.errors import DataError, ScenarioError
from gridmarl.forecasting.reduction import cvar_bias, cvar_of, reduce_scenarios, revenue
from gridmarl.forecasting.scenarios import Scenarios
from gridmarl.planning.model.risk import cvar as planned_cvar

ALPHAS = st.floats(0.0, 0.95)


@st.composite
def scenario_sets(draw) -> Scenarios:
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    count = draw(st.integers(1, 25))
    values = rng.normal(40.0, 20.0, (count, 4))
    if draw(st.booleans()):
        values = np.round(values, -1)  # with scenarios that occur twice
    weight = rng.random(count) + 0.01
    return Scenarios(values, weight / weight.sum())


@settings(max_examples=40)
@given(scenario_sets(), st.sampled_from(["k-medoids", "k-means"]), st.integers(1, 25))
def test_weights_add_up_to_one_and_no_more_scenarios_remain_than_asked(full, method, count):
    kept = min(count, len(full.values))
    found = reduce_scenarios(full, kept, method, np.random.default_rng(0))
    assert found.probability.sum() == pytest.approx(1.0, abs=1e-12)
    assert np.all(found.probability > 0.0)
    assert len(found.values) == min(kept, len(np.unique(full.values, axis=0)))


@settings(max_examples=30)
@given(scenario_sets(), st.integers(1, 25))
def test_medoids_are_scenarios_that_were_drawn(full, count):
    found = reduce_scenarios(full, min(count, len(full.values)), "k-medoids", np.random.default_rng(0))
    assert all(any(np.array_equal(one, other) for other in full.values) for one in found.values)


@settings(max_examples=30)
@given(scenario_sets(), st.integers(1, 25), ALPHAS, st.integers(0, 2**31))
def test_means_keep_expected_revenue_and_never_lower_cvar(full, count, alpha, seed):
    position = np.random.default_rng(seed).normal(size=4)
    found = reduce_scenarios(full, min(count, len(full.values)), "k-means", np.random.default_rng(0))
    mean = full.probability @ revenue(full, position, 1.0)
    assert found.probability @ revenue(found, position, 1.0) == pytest.approx(mean, abs=1e-8)
    assert cvar_bias(full, found, position, alpha) >= -1e-8


@given(scenario_sets(), ALPHAS)
def test_cvar_is_its_definition_and_that_of_the_planners(full, alpha):
    gain = revenue(full, np.ones(4), 0.5)
    best = max(eta - full.probability @ np.maximum(0.0, eta - gain) / (1 - alpha) for eta in gain)
    assert cvar_of(gain, full.probability, alpha) == pytest.approx(best, abs=1e-8)
    assert cvar_of(gain, full.probability, alpha) == pytest.approx(
        planned_cvar(gain, full.probability, alpha), abs=1e-8
    )


@given(scenario_sets(), st.sampled_from(["k-medoids", "k-means"]), ALPHAS)
def test_keeping_all_scenarios_has_no_bias(full, method, alpha):
    found = reduce_scenarios(full, len(full.values), method, np.random.default_rng(0))
    assert cvar_bias(full, found, np.array([1.0, -2.0, 0.5, 1.0]), alpha) == pytest.approx(0.0, abs=1e-8)


def test_the_bias_by_hand():
    full = Scenarios(np.array([[0.0], [10.0], [100.0], [110.0]]), np.full(4, 0.25))
    found = reduce_scenarios(full, 2, "k-means", np.random.default_rng(0))
    assert sorted(found.values.ravel().tolist()) == [5.0, 105.0]
    assert cvar_bias(full, found, np.array([2.0]), 0.75, step_h=0.5) == pytest.approx(5.0)  # 5 rather than 0


def test_medoids_find_separate_heaps_and_their_weights():
    rng = np.random.default_rng(1)
    heaps = np.repeat([[0.0, 0.0], [50.0, 0.0], [0.0, 50.0]], [10, 30, 60], axis=0)
    full = Scenarios(heaps + rng.normal(size=heaps.shape), np.full(100, 0.01))
    found = reduce_scenarios(full, 3, "k-medoids", rng)
    assert sorted(np.round(found.probability, 9).tolist()) == [0.1, 0.3, 0.6]


def test_what_cannot_be_reduced_is_refused():
    full = Scenarios(np.ones((2, 3)), np.full(2, 0.5))
    rng = np.random.default_rng(0)
    for count in (0, 3):
        with pytest.raises(DataError, match="scenarios to keep"):
            reduce_scenarios(full, count, "k-means", rng)
    with pytest.raises(DataError, match="did you mean 'k-means'"):
        reduce_scenarios(full, 1, "k-mean", rng)  # pyright: ignore[reportArgumentType]
    for alpha in (1.0, -0.1, float("nan")):
        with pytest.raises(ScenarioError, match="alpha"):
            cvar_of(np.ones(2), np.full(2, 0.5), alpha)
