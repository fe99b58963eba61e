"""The duality gap: bounds that hold at any multiplier, and rounds that go on until it is closed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gridmarl.planning.admm import AdmmSettings
from gridmarl.planning.admm.planner import AdmmPlanner
from gridmarl.planning.central.planner import CentralPlanner
from gridmarl.planning.model.assets import Coupling
from gridmarl.planning.model.gap import Certificate, admissible, coupling_value, slack_cost, slack_mw
from gridmarl.planning.owners.worker import Worker
from gridmarl.units import KW_PER_MW

WIDE = Coupling(-1.0, 2.0, 30.0, 20.0)


@pytest.mark.parametrize("multiplier", [-20.0, -3.0, 0.0, 7.0, 30.0])
def test_the_couplings_part_is_its_least_value_over_all_totals(multiplier):
    total = np.linspace(-50.0, 50.0, 100_001)
    cost = 0.5 * (30 * np.maximum(-1 - total, 0) + 20 * np.maximum(total - 2, 0) + multiplier * total)
    value = coupling_value(WIDE, np.array([0.5]), np.array([multiplier]))
    assert value == pytest.approx(cost.min(), abs=1e-9)


def test_multipliers_stay_between_the_slack_prices_and_are_nothing_at_open_ends():
    asked = np.array([-50.0, 5.0, 50.0])
    assert admissible(WIDE, asked).tolist() == [-20.0, 5.0, 30.0]
    assert admissible(Coupling(-np.inf, 2.0, 30.0, 20.0), asked).tolist() == [-20.0, 0.0, 0.0]
    assert admissible(Coupling(-1.0, np.inf, 30.0, 20.0), asked).tolist() == [0.0, 5.0, 30.0]


def test_slack_is_what_the_bounds_are_missed_by():
    short, over = slack_mw(WIDE, np.array([-3.0, 0.0, 2.5]))
    assert short.tolist() == [2.0, 0.0, 0.0]
    assert over.tolist() == [0.0, 0.0, 0.5]
    assert slack_cost(WIDE, np.array([1.0, 1.0, 0.5]), np.array([-3.0, 0.0, 2.5])) == 2 * 30 + 0.5 * 0.5 * 20


def test_a_gap_is_relative_to_the_value_or_to_a_floor():
    certificate = Certificate(lower=0.99, value=1.0, upper=2.0)
    assert certificate.closes(0.011, floor=0.0)
    assert not certificate.closes(0.009, floor=0.0)
    assert certificate.closes(0.009, floor=2.0)


def test_the_dual_function_is_a_lower_bound_at_any_multiplier(quadratic_homes):
    problem, rng = quadratic_homes.problem, np.random.default_rng(2)
    plan = CentralPlanner().solve(problem)
    workers = [Worker(owner, problem.step_h, problem.prices, problem.terminal, 1.6) for owner in problem.owners]
    bounds = []
    for size in (0.0, 1.0, 30.0, 300.0):
        multiplier = plan.multiplier_per_mwh + size * rng.normal(size=24)
        own = sum(worker.least_cost(multiplier) for worker in workers)
        bounds.append(own + coupling_value(problem.coupling, problem.step_h, multiplier))
    assert max(bounds) <= plan.objective + 1e-8
    assert bounds[0] == pytest.approx(plan.objective, abs=1e-7)
    assert bounds == sorted(bounds, reverse=True)


def test_a_large_penalty_meets_the_residuals_long_before_the_gap_closes(quadratic_homes):
    homes = quadratic_homes
    stiff = AdmmSettings(
        rho=20.0 * KW_PER_MW**2, adapt_rounds=0, tolerance=1e-3, price_tolerance=1e9, gap_tolerance=None
    )
    asked = replace(stiff, gap_tolerance=1e-3)
    blind, honest = (AdmmPlanner(settings).solve(homes.problem) for settings in (stiff, asked))
    best = CentralPlanner().solve(homes.problem).objective
    assert blind.converged
    assert blind.objective > 1.05 * best
    assert honest.rounds > blind.rounds
    assert honest.lower_bound <= best + 1e-8
    assert honest.converged == (honest.relative_gap <= 1e-3)


def test_rounds_go_on_until_the_gap_is_closed(quadratic_homes):
    homes = quadratic_homes
    plans = [AdmmPlanner(AdmmSettings(tolerance=1e-3, gap_tolerance=gap)).solve(homes.problem) for gap in (1e-2, 1e-5)]
    assert all(plan.converged for plan in plans)
    assert plans[0].rounds < plans[1].rounds
    assert plans[0].relative_gap <= 1e-2
    assert plans[1].relative_gap <= 1e-5
