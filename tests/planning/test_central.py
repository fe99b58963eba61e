"""The central plan: prices, slack, reuse and refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gridmarl.errors import InfeasiblePlanError, ScenarioError
from gridmarl.planning.central.planner import CentralPlanner
from gridmarl.planning.model.assets import Battery, Coupling, FlexibleLoad, Generator, Owner
from gridmarl.planning.model.problem import Problem
from gridmarl.planning.model.risk import Prices

TOLERANCE = 1e-6
BALANCE = Coupling(0.0, 0.0, 3000.0, 500.0)
STACK = ((25, 30), (30, 25), (45, 50), (55, 15), (65, 40), (75, 35), (80, 8), (90, 5))  # $/MWh, MW


def nothing(steps: int) -> Prices:
    return Prices.certain(np.zeros(steps))


def merit_order(demand_mw: float, curvature: float = 0.0) -> tuple[Owner, ...]:
    offers = tuple(
        Owner(f"seller_{i}", (Generator("unit", size, 0.0, price, curvature),)) for i, (price, size) in enumerate(STACK)
    )
    bid = FlexibleLoad("charge", 10.0, 10.0, 40.0)  # gives up its 10 MW for 40 $/MWh
    return *offers, Owner("city", (FlexibleLoad("load", demand_mw),)), Owner("bidder", (bid,))


@pytest.mark.parametrize("demand, price", [(120.0, 55.0), (150.0, 65.0), (80.0, 45.0)])
@pytest.mark.parametrize("expected", [0.0, 20.0])
def test_one_period_reproduces_the_auction_price(demand, price, expected):
    plan = CentralPlanner().solve(
        Problem(merit_order(demand), np.ones(1), BALANCE, Prices.certain(np.full(1, expected)))
    )
    assert plan.price_per_mwh == pytest.approx([price], abs=1e-4)
    assert plan.multiplier_per_mwh == pytest.approx([price - expected], abs=1e-4)


def test_the_price_is_the_marginal_cost_of_the_units_inside_their_limits():
    plan = CentralPlanner().solve(Problem(merit_order(118.0, 0.05), np.array([0.5]), BALANCE, nothing(1)))
    output = np.array([plan.asset(f"seller_{i}", "unit").injection_mw[0] for i in range(len(STACK))])
    price, size = np.array(STACK, dtype=float).T
    inside = (output > 1e-3) & (output < size - 1e-3)
    assert inside.any()
    assert (price + 0.1 * output)[inside] == pytest.approx(plan.price_per_mwh[0], abs=1e-4)


def test_a_shortage_is_priced_and_reported():
    plan = CentralPlanner().solve(Problem(merit_order(300.0), np.array([0.5]), BALANCE, nothing(1)))
    supply = sum(size for _, size in STACK)
    assert plan.price_per_mwh == pytest.approx([3000.0], abs=1e-3)
    assert plan.shortage_mwh == pytest.approx([(300.0 - supply) * 0.5], abs=1e-5)
    assert plan.surplus_mwh == pytest.approx([0.0], abs=TOLERANCE)


def test_a_surplus_of_must_run_is_priced_and_reported():
    owners = (Owner("nuclear", (Generator("unit", 10.0, 10.0, 5.0),)), Owner("city", (FlexibleLoad("load", 8.0),)))
    plan = CentralPlanner().solve(Problem(owners, np.ones(1), BALANCE, nothing(1)))
    assert plan.price_per_mwh == pytest.approx([-500.0], abs=1e-3)
    assert plan.surplus_mwh == pytest.approx([2.0], abs=1e-5)
    assert plan.objective == pytest.approx(10 * 5 + 2 * 500, abs=1e-3)


def test_a_transformer_limits_sales_to_the_wholesale_market():
    owners = (Owner("wind", (Generator("unit", 10.0, 0.0, 5.0, 0.1),)),)
    limit = Coupling(-6.0, 6.0, 1000.0, 1000.0)
    plan = CentralPlanner().solve(Problem(owners, np.ones(2), limit, Prices.certain(np.array([50.0, 5.5]))))
    assert plan.injection_mw[0] == pytest.approx([6.0, 2.5], abs=1e-5)
    assert plan.price_per_mwh == pytest.approx([5 + 0.2 * 6, 5.5], abs=1e-4)


def test_new_numbers_in_a_compiled_program_give_the_same_as_a_fresh_one(quadratic_homes):
    homes, planner = quadratic_homes, CentralPlanner()
    planner.solve(homes.problem)
    dearer = Prices(homes.problem.prices.per_mwh[::-1] * 1.3, homes.problem.prices.probability, 0.7)
    owners = tuple(
        replace(owner, beta=owner.beta / 2, assets=(_emptier(owner.assets[0]), *owner.assets[1:]))
        for owner in homes.problem.owners
    )
    limit = Coupling(-0.001, 0.002, 5000.0, 4000.0)
    other = homes.problem._replace(owners=owners, coupling=limit, prices=dearer)
    again, fresh = planner.solve(other), CentralPlanner().solve(other)
    assert again.objective == pytest.approx(fresh.objective, rel=1e-6)
    assert again.price_per_mwh == pytest.approx(fresh.price_per_mwh, abs=1e-2)


def _emptier(asset):
    assert isinstance(asset, Battery)
    return replace(asset, energy_now_mwh=0.6 * asset.energy_now_mwh)


@pytest.mark.parametrize("curvature", [0.0, 0.1])
def test_an_impossible_battery_is_named_with_its_limits(curvature):
    full = Battery("cell", 1.0, 1.0, 0.9, 0.9, 1.0, 9.0, 12.0)
    owners = (*merit_order(100.0, curvature), Owner("home", (full,)))
    with pytest.raises(InfeasiblePlanError, match=r"home.cell.*12 MWh.*\[1, 9\] MWh"):
        CentralPlanner().solve(Problem(owners, np.ones(3), BALANCE, nothing(3)))


def test_a_unit_that_cannot_ramp_to_its_minimum_is_named():
    coal = Generator("coal", 10.0, 6.0, 20.0, ramp_up_mw_per_h=2.0, output_now_mw=1.0)
    with pytest.raises(InfeasiblePlanError, match=r"plant\.coal"):
        CentralPlanner().solve(Problem((Owner("plant", (coal,)),), np.ones(2), BALANCE, nothing(2)))


def test_requests_that_do_not_fit_are_refused():
    owners = merit_order(100.0)
    with pytest.raises(ScenarioError, match=r"prices\.per_mwh"):
        CentralPlanner().solve(Problem(owners, np.ones(3), BALANCE, nothing(2)))
    with pytest.raises(ScenarioError, match="owners"):
        CentralPlanner().solve(Problem((owners[0], owners[0]), np.ones(1), BALANCE, nothing(1)))
    with pytest.raises(ScenarioError, match="owners"):
        CentralPlanner().solve(Problem((), np.ones(1), BALANCE, nothing(1)))
    with pytest.raises(ScenarioError, match=r"prices\.alpha"):
        CentralPlanner().solve(Problem((replace(owners[0], beta=0.5),), np.ones(1), BALANCE, nothing(1)))


def test_an_unknown_asset_is_refused():
    plan = CentralPlanner().solve(Problem(merit_order(100.0), np.ones(1), BALANCE, nothing(1)))
    with pytest.raises(ScenarioError, match=r"seller_0.none"):
        plan.asset("seller_0", "none")
