"""The central plan's own certificate: its dual objective against bounds that others prove."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from gridmarl.planning.central.planner import CentralPlanner
from gridmarl.planning.certify import certify
from gridmarl.planning.dantzig_wolfe.planner import DantzigWolfePlanner
from gridmarl.planning.model.problem import Problem
from tests.planning.test_random_fleets import fleets, turnover

SOLVER = 1e-7  # accuracy of interior-point and simplex solvers, of the money that changes hands
RELATIVE_GAP = 1e-6


@pytest.mark.parametrize("homes, cost", [("linear_homes", 0.608019112), ("quadratic_homes", 0.682019901)])
def test_the_bounds_enclose_the_published_optimum(homes, cost, request):
    homes = request.getfixturevalue(homes)
    plan = CentralPlanner().solve(homes.problem)
    assert abs(plan.relative_gap) <= RELATIVE_GAP
    assert plan.lower_bound == pytest.approx(cost, abs=RELATIVE_GAP)
    assert plan.upper_bound == pytest.approx(cost, abs=RELATIVE_GAP)


def test_the_linear_optimum_is_dantzig_wolfes_within_the_gaps_that_both_certify(linear_homes):
    homes = linear_homes
    central, exact = CentralPlanner().solve(homes.problem), DantzigWolfePlanner().solve(homes.problem)
    gap = max(central.gap, 0.0) + max(exact.gap, 0.0)
    digits = 1e-12  # of the sums in dollars
    assert abs(central.objective - exact.objective) <= gap + digits
    assert central.lower_bound <= exact.upper_bound + digits
    assert exact.lower_bound <= central.upper_bound + digits


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(fleet=fleets())
def test_the_dual_objective_is_the_dual_function_at_the_multiplier(fleet: Problem):
    plan, money = CentralPlanner().solve(fleet), turnover(fleet)
    proved = certify(plan, fleet)
    assert np.isfinite(plan.lower_bound)
    assert abs(plan.gap) <= SOLVER * money
    assert plan.lower_bound == pytest.approx(proved.lower, abs=SOLVER * money)
    assert plan.upper_bound == pytest.approx(plan.objective, abs=SOLVER * money)
