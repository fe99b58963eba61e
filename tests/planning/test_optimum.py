"""The yardstick's optimum: real time and failures are in it, and no team beats it."""

from __future__ import annotations

import numpy as np
import pytest

from gridmarl.environment.core import Core
from gridmarl.evaluation.metrics import resource_cost
from gridmarl.evaluation.rollout import rollout
from gridmarl.evaluation.score import yardstick
from gridmarl.planning.model.plan import GeneratorPlan, LoadPlan
from gridmarl.planning.optimum import optimum_cost, perfect_plan
from gridmarl.scenario.scenario import Scenario

DAMPED = 1e-5
"""Relative to the reference's cost: load that damps the frequency takes its part in real time for nothing."""
AUCTION = Scenario.load("auction")


@pytest.mark.parametrize("name", ["auction", "rts", "three-homes"])
def test_nobody_beats_the_optimum_in_real_time(name):
    world = Scenario.load(name)
    for seed in range(3):
        measured = yardstick(world, seed)
        for team in ("central-perfect", "truthful"):
            regret = resource_cost(rollout(world, team, seed=seed)) - measured.optimum_cost
            assert regret >= -DAMPED * abs(measured.reference_cost)


def test_the_optimum_serves_what_is_delivered_and_not_what_the_auction_clears_on():
    core = Core(AUCTION)
    core.reset(np.array([0], np.uint64))
    delivered, realised = core.delivered(), core.realised()
    column = core.compiled.series.names.index("demand")
    load_mw = sum(load.load_mw for load in AUCTION.all_consumers)
    plan = perfect_plan(AUCTION, 0)
    planned = sum(a.baseline_mw for owner in plan.assets for a in owner if isinstance(a, LoadPlan))
    assert planned == pytest.approx(load_mw * delivered[:, column], abs=1e-9)
    assert np.abs(delivered[:, column] - realised[:, column]).max() > 1e-3


def test_without_real_time_perfect_information_is_the_optimum_to_the_last_cent():
    profiles = {n: p.model_dump(exclude_unset=True) for n, p in AUCTION.profiles.items()}
    calm = {n: {k: v for k, v in p.items() if not k.startswith("realtime")} for n, p in profiles.items()}
    world = AUCTION.but(profiles=calm)
    measured = yardstick(world, 1)
    cost = resource_cost(rollout(world, "central-perfect", seed=1))
    assert measured.share(cost) == pytest.approx(1.0, abs=1e-5)


def test_a_failure_that_is_known_costs_the_optimum_what_replaces_the_unit():
    short = AUCTION.but(intervals=60)
    tripped = short.but(trips=[{"generator": "coal_1", "at_h": 2.0}])
    dearer = optimum_cost(tripped, 0) - optimum_cost(short, 0)
    lost_mwh = 50.0 * 35 / 12  # at most, from the interval after the failure on
    assert 0.2 * lost_mwh * 20.0 < dearer < lost_mwh * (90.0 - 45.0)
    plan = perfect_plan(tripped, 0).asset("coal_1", "coal_1")
    assert isinstance(plan, GeneratorPlan)
    assert plan.output_mw[25:] == pytest.approx(0.0, abs=1e-4)
