"""Where nobody intervenes and everybody bids the truth, a sound world keeps its grid within bounds."""

from __future__ import annotations

import pytest

from gridmarl.catalogue import names
from gridmarl.evaluation import stability
from gridmarl.evaluation.rollout import rollout
from gridmarl.scenario.scenario import Scenario

SOUND = tuple(world for world in ("auction", "renewable-heavy") if world in names("envs"))
"""Worlds whose rule must be sound."""
SEEDS = range(8)
LARGEST_OUTAGE = 0.001
LARGEST_DEVIATION = 0.01
LEAST_IN_BAND = 0.95


@pytest.fixture(scope="module", params=SOUND)
def days(request):
    """A day of each seed; the operator of a truthful team is passive."""
    scenario = Scenario.load(request.param)
    return [rollout(scenario, "truthful", seed=seed) for seed in SEEDS]


def mean(values) -> float:
    """Over the days; a number that a world does not have fails the test."""
    return sum(values) / len(values)


def test_the_operator_intervenes_in_nothing(days):
    for day in days:
        assert not day.of_seat("operator", "intervention").any()
        assert not day.of_seat("operator", "reserve_level").any()


def test_load_is_lost_in_less_than_a_thousandth_of_all_intervals(days):
    assert mean([stability.outage_probability(day) for day in days]) < LARGEST_OUTAGE


def test_load_and_generation_differ_by_less_than_a_hundredth_before_anybody_responds(days):
    assert 0.0 < mean([stability.load_generation_deviation(day) for day in days]) < LARGEST_DEVIATION


def test_frequency_and_voltage_stay_in_their_bands(days):
    assert mean([stability.frequency_in_band(day) for day in days]) >= LEAST_IN_BAND
    assert mean([stability.voltage_in_band(day) for day in days]) >= LEAST_IN_BAND
