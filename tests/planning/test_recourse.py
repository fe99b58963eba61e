"""Scenario recourse: a common first step, later ones for each scenario, by every method."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gridmarl.agents.team import Team
from gridmarl.errors import InfeasiblePlanError, ScenarioError
from gridmarl.evaluation.rollout import rollout
from gridmarl.planning.admm import AdmmPlanner, AdmmSettings
from gridmarl.planning.aladin import AladinPlanner
from gridmarl.planning.central.planner import CentralPlanner
from gridmarl.planning.dantzig_wolfe import DantzigWolfePlanner
from gridmarl.planning.model.assets import Asset, Battery, Coupling, FlexibleLoad, Generator, Group, Owner, Terminal
from gridmarl.planning.model.plan import BatteryPlan, GeneratorPlan, LoadPlan
from gridmarl.planning.model.problem import Problem
from gridmarl.planning.model.risk import Prices, cvar, revenue
from gridmarl.planning.planner import Planner
from gridmarl.planning.recourse import RecoursePlanner
from gridmarl.planning.selfish import SelfishPlanner
from gridmarl.scenario.scenario import Scenario

OBJECTIVE = 1e-6  # of the money that changes hands
QUICK = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
CELL = Battery("cell", 1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0)
END = Terminal(keep_energy=False)
WIDE = Coupling(-9.0, 9.0, 900.0, 900.0)


@st.composite
def fleets(draw: st.DrawFn, *, beta: bool = True) -> Problem:
    """Three linear owners, two of them behind a line of their own, and five scenarios."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    steps = draw(st.integers(2, 5))
    owners = tuple(
        Owner(f"o{i}", _assets(rng, steps), float(rng.choice([0.0, 0.5])) if beta else 0.0) for i in range(3)
    )
    limit = draw(st.sampled_from([0.0, 0.5, np.inf]))
    line = Group("line", ("o0", "o1"), -0.6, 0.6, 300.0, 200.0)
    prices = Prices(rng.uniform(10, 90, (5, steps)), rng.dirichlet(np.full(5, 20.0)), 0.5)
    return Problem(owners, rng.choice([0.5, 1.0], steps), Coupling(-limit, limit, 900.0, 800.0, (line,)), prices)


def _assets(rng: np.random.Generator, steps: int) -> tuple[Asset, ...]:
    battery = Battery("battery", 0.7, 0.5, 0.95, 0.9, 0.0, 2.0, rng.uniform(0.2, 1.8), rng.uniform(1, 4))
    generator = Generator("generator", 1.0, cost_per_mwh=rng.uniform(10, 80), ramp_up_mw_per_h=0.8)
    load = rng.uniform(0.2, 1.0, steps)
    return battery, generator, FlexibleLoad("load", load, 0.3 * load, rng.uniform(20, 90), 0.5, 2.0)


def turnover(fleet: Problem) -> float:
    return float(fleet.prices.per_mwh.max() * fleet.step_h.sum())


def test_a_battery_waits_for_the_scenario_that_comes():
    prices = Prices(np.array([[20.0, 10.0, 30.0], [20.0, 50.0, 30.0]]), np.array([0.5, 0.5]))
    problem = Problem((Owner("store", (CELL,)),), np.ones(3), WIDE, prices, END)
    now, later = CentralPlanner().solve(problem), RecoursePlanner(CentralPlanner()).solve(problem)
    assert now.objective == pytest.approx(-30.0, abs=1e-6)
    assert later.objective == pytest.approx(-(30.0 + 50.0) / 2, abs=1e-6)
    assert later.scenario_injection_mw is not None
    assert later.scenario_injection_mw[:, 0] == pytest.approx(np.array([[0, 0, 1], [0, 1, 0]]), abs=1e-6)
    assert later.injection_mw[0] == pytest.approx([0.0, 0.5, 0.5], abs=1e-6)
    assert later.lower_bound == pytest.approx(-40.0, abs=1e-5)


def test_what_is_decided_before_anybody_knows_is_common():
    prices = Prices(np.array([[20.0, 10.0], [20.0, 50.0]]), np.array([0.5, 0.5]))  # 20 now or 30 on average later
    plan = RecoursePlanner(CentralPlanner()).solve(Problem((Owner("store", (CELL,)),), np.ones(2), WIDE, prices, END))
    assert plan.objective == pytest.approx(-30.0, abs=1e-6)
    swapped = Prices(np.array([[10.0, 20.0], [50.0, 20.0]]), np.array([0.5, 0.5]))  # the price of now is unknown too
    plan = RecoursePlanner(CentralPlanner()).solve(Problem((Owner("store", (CELL,)),), np.ones(2), WIDE, swapped, END))
    assert plan.objective == pytest.approx(-30.0, abs=1e-6)


@QUICK
@given(fleet=fleets())
def test_recourse_never_costs_more_than_here_and_now(fleet: Problem):
    now, later = CentralPlanner().solve(fleet), RecoursePlanner(CentralPlanner()).solve(fleet)
    assert later.converged
    assert later.objective <= now.objective + OBJECTIVE * turnover(fleet)
    assert abs(later.gap) <= 10 * OBJECTIVE * turnover(fleet)


@QUICK
@given(fleet=fleets(beta=False))
def test_recourse_never_costs_less_than_knowing_the_scenario_from_the_start(fleet: Problem):
    foreseen = [
        CentralPlanner().solve(fleet._replace(prices=Prices.certain(path))).objective for path in fleet.prices.per_mwh
    ]
    later = RecoursePlanner(CentralPlanner()).solve(fleet)
    assert later.objective >= fleet.prices.probability @ foreseen - OBJECTIVE * turnover(fleet)


@QUICK
@given(fleet=fleets())
def test_first_steps_are_common_and_limits_hold_in_every_scenario(fleet: Problem):
    _, step_h, coupling, prices, _ = fleet
    plan = RecoursePlanner(CentralPlanner()).solve(fleet)
    paths = plan.scenario_injection_mw
    assert paths is not None
    assert np.abs(paths[:, :, 0] - plan.injection_mw[:, 0]).max() < 1e-6
    assert np.einsum("s,snk->nk", prices.probability, paths) == pytest.approx(plan.injection_mw, abs=1e-6)
    total = paths.sum(axis=1)
    beyond = np.maximum(coupling.lower_mw - total, 0) + np.maximum(total - coupling.upper_mw, 0)
    missed = prices.probability @ beyond * step_h
    assert missed == pytest.approx(plan.shortage_mwh + plan.surplus_mwh, abs=1e-6)
    line = np.maximum(np.abs(paths[:, :2].sum(axis=1)) - 0.6, 0)
    stated = plan.groups[0].shortage_mwh + plan.groups[0].surplus_mwh
    assert prices.probability @ line * step_h == pytest.approx(stated, abs=1e-6)


@QUICK
@given(fleet=fleets())
def test_cvar_is_that_of_the_scenarios_own_revenues(fleet: Problem):
    owners, step_h, _, prices, _ = fleet
    plan = RecoursePlanner(CentralPlanner()).solve(fleet)
    paths = plan.scenario_injection_mw
    assert paths is not None
    for i, owner in enumerate(owners):
        gains = np.diag(revenue(paths[:, i], step_h, prices))  # of (path, price scenario)
        assert plan.revenue(prices)[i] == pytest.approx(gains, abs=1e-9)
        worth = (1 - owner.beta) * prices.probability @ gains
        worth += owner.beta * cvar(gains, prices.probability, prices.alpha)
        cost = 0.0  # linear: that of the expected trajectories
        for asset, planned in zip(owner.assets, plan.assets[i], strict=True):
            match asset, planned:
                case Battery(), BatteryPlan():
                    cost += step_h @ (asset.wear_per_mwh * (planned.charge_mw + planned.discharge_mw))
                case Generator(), GeneratorPlan():
                    cost += step_h @ (asset.cost_per_mwh * planned.output_mw)
                case FlexibleLoad(), LoadPlan():
                    cost += step_h @ (asset.comfort_cost_per_mwh * planned.reduction_mw)
                case _:
                    raise AssertionError("a schedule of another kind than its asset")
        assert plan.owner_objective[i] == pytest.approx(cost - worth, abs=OBJECTIVE * turnover(fleet))


def test_distributed_methods_agree_with_the_central_plan(quadratic_homes):
    homes = quadratic_homes
    best = RecoursePlanner(CentralPlanner()).solve(homes.problem)
    now = CentralPlanner().solve(homes.problem)
    assert best.objective < now.objective - 0.1
    for method in (AdmmPlanner(AdmmSettings(tolerance=1e-5)), AladinPlanner()):
        plan = RecoursePlanner(method).solve(homes.problem)
        assert plan.converged
        assert plan.objective == pytest.approx(best.objective, rel=1e-5)
        assert plan.lower_bound <= best.objective + 1e-7
    alone = RecoursePlanner(SelfishPlanner()).solve(homes.problem)
    assert alone.objective < best.objective


@settings(QUICK, max_examples=5)
@given(fleet=fleets())
def test_dantzig_wolfe_is_exact_with_recourse_too(fleet: Problem):
    central, mixed = (RecoursePlanner(method()).solve(fleet) for method in (CentralPlanner, DantzigWolfePlanner))
    assert mixed.converged
    assert abs(mixed.objective - central.objective) <= OBJECTIVE * turnover(fleet)


def test_curved_costs_and_impossible_assets_are_named_as_without_recourse():
    prices = Prices(np.array([[20.0, 10.0], [20.0, 50.0]]), np.array([0.5, 0.5]))
    curved = (Owner("store", (replace(CELL, wear_per_mw2h=1.0),)),)
    with pytest.raises(ScenarioError, match=r"store\.cell\.wear_per_mw2h"):
        RecoursePlanner(DantzigWolfePlanner()).solve(Problem(curved, np.ones(2), WIDE, prices))
    full = (Owner("store", (replace(CELL, energy_now_mwh=5.0),)),)
    with pytest.raises(InfeasiblePlanError, match=r"store\.cell"):
        RecoursePlanner(CentralPlanner()).solve(Problem(full, np.ones(2), WIDE, prices))


def test_scenarios_that_cannot_happen_change_nothing():
    likely = Prices(np.array([[20.0, 10.0], [20.0, 50.0]]), np.array([0.5, 0.5]))
    with_none = Prices(np.vstack([likely.per_mwh, [[99.0, 99.0]]]), np.array([0.5, 0.5, 0.0]))
    store = (Owner("store", (CELL,)),)
    plans = [
        RecoursePlanner(CentralPlanner()).solve(Problem(store, np.ones(2), WIDE, p, END)) for p in (likely, with_none)
    ]
    assert plans[0].objective == pytest.approx(plans[1].objective, abs=1e-6)


def test_with_one_scenario_there_is_nothing_to_wait_for(quadratic_homes):
    homes = quadratic_homes
    calm = tuple(replace(owner, beta=0.0) for owner in homes.problem.owners)
    certain = homes.problem._replace(owners=calm, prices=Prices.certain(homes.problem.prices.expected_per_mwh))
    plan = RecoursePlanner(CentralPlanner()).solve(certain)
    assert plan.scenario_injection_mw is None
    assert plan.objective == pytest.approx(CentralPlanner().solve(certain).objective, abs=1e-9)


@pytest.mark.parametrize("method", ["central", "admm"])
def test_a_planner_with_recourse_plays_an_episode(method: str):
    world = Scenario.load("three-homes")
    planner = Planner(method=method, recourse=True, tolerance=1e-2, horizon_h=4.0, replan_every_h=4.0)
    played = rollout(world, Team({"*": planner}, "recourse"))
    assert planner.plans_made == 6
    assert played.of_market("price_per_mwh").shape == (24,)
    assert planner.first is not None
    paths = planner.first.plan.scenario_injection_mw
    assert paths is not None
    assert paths.shape == (10, 3, 4)
    assert np.ptp(paths[:, :, 0], axis=0).max() < 1e-6
    assert np.ptp(paths[:, :, 1:], axis=0).max() > 1e-4
