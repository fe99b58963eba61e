"""Dantzig-Wolfe: exact for linear costs, between two bounds that close, and honest where it cannot plan."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gridmarl.errors import InfeasiblePlanError, ScenarioError
from gridmarl.evaluation.rollout import rollout
from gridmarl.planning.central.planner import CentralPlanner
from gridmarl.planning.dantzig_wolfe.coordinator import DantzigWolfeSettings
from gridmarl.planning.dantzig_wolfe.planner import DantzigWolfePlanner
from gridmarl.planning.model.assets import Asset, Battery, Coupling, FlexibleLoad, Generator, Owner, Terminal
from gridmarl.planning.model.plan import BatteryPlan, Plan
from gridmarl.planning.model.problem import Problem
from gridmarl.planning.model.risk import Prices, cvar, revenue
from gridmarl.planning.owners.pricing import Proposer
from gridmarl.planning.planner import Planner
from gridmarl.scenario.scenario import Scenario
from tests.planning.parties import BALANCE, CELL, CITY, GAS, PRICES, STEPS, island, owners

LINEAR_WELFARE = -0.608019112
DIGITS = 1e-9  # of the published welfare
GAP = 1e-9
ROUNDING = 1e-10  # of the money in play
DUST_MW = 1e-9


@st.composite
def linear_fleets(draw: st.DrawFn) -> Problem:
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    size = draw(st.sampled_from([1e-3, 1.0, 100.0]))  # homes, feeders, plants
    steps = draw(st.integers(4, 12))
    betas = draw(st.lists(st.sampled_from([0.0, 0.3, 1.0]), min_size=1, max_size=5))
    fleet = tuple(Owner(f"owner_{i}", some_assets(rng, size, steps), beta) for i, beta in enumerate(betas))
    lower, upper = draw(st.sampled_from([(0.0, 0.0), (-0.5, 0.5), (-50.0, 50.0), (-np.inf, 0.2), (0.1, np.inf)]))
    prices = Prices(rng.uniform(-20, 90, (8, steps)), rng.dirichlet(np.full(8, 50.0)), 0.6)
    coupling = Coupling(lower * size, upper * size, 2000.0, 800.0)
    return Problem(fleet, rng.choice([0.25, 0.5, 1.0], steps), coupling, prices)


def some_assets(rng: np.random.Generator, size: float, steps: int) -> tuple[Asset, ...]:
    power, energy = size * rng.uniform(0.2, 1.0), size * rng.uniform(0.5, 4.0)
    window = {"energy_min_mwh": 0.1 * energy, "energy_max_mwh": 0.9 * energy}
    battery = Battery(
        name="battery",
        charge_limit_mw=power,
        discharge_limit_mw=power,
        charge_efficiency=rng.uniform(0.85, 1.0),
        discharge_efficiency=rng.uniform(0.85, 1.0),
        energy_now_mwh=energy * rng.uniform(0.1, 0.9),
        wear_per_mwh=rng.uniform(1, 5),
        ramp_mw_per_h=rng.choice([np.inf, 2 * power]),
        **window,
    )
    generator = Generator(
        name="generator",
        available_mw=size * rng.uniform(0, 1, steps),
        cost_per_mwh=rng.uniform(10, 80),
        ramp_up_mw_per_h=rng.choice([np.inf, size]),
    )
    load = size * rng.uniform(0.2, 1.2, steps)
    demand = FlexibleLoad("load", load, 0.3 * load, rng.uniform(20, 90), rng.uniform(0, 1), rng.uniform(0.5, 4))
    some: tuple[Asset, ...] = (battery, generator, demand)
    return tuple(asset for asset in some if rng.random() < 0.75) or (battery,)


def money(plan: Plan, fleet: Problem) -> float:
    """Dollars in play: what owners gain or pay, and one unit of each slack."""
    step_h, coupling = fleet.step_h, fleet.coupling
    slack = coupling.shortage_per_mwh * plan.shortage_mwh + coupling.surplus_per_mwh * plan.surplus_mwh
    return float(np.abs(plan.owner_objective).sum() + slack.sum() + step_h.sum() * np.abs(plan.injection_mw).max())


def test_three_homes_with_linear_wear_are_exact_within_150_rounds(linear_homes):
    homes = linear_homes
    plan = DantzigWolfePlanner().solve(homes.problem)
    assert plan.converged
    assert plan.rounds <= 150
    assert -plan.objective == pytest.approx(LINEAR_WELFARE, abs=DIGITS)
    assert plan.bounds is not None
    assert plan.bounds.relative_gap <= GAP
    assert np.abs(plan.injection_mw.sum(axis=0)).max() < DUST_MW
    assert plan.overlap_mwh < DUST_MW


def test_the_settled_schedules_cost_what_the_plan_says(linear_homes):
    homes = linear_homes
    plan = DantzigWolfePlanner().solve(homes.problem)
    for i, owner in enumerate(homes.problem.owners):
        battery = plan.asset(owner.name, "battery")
        assert isinstance(battery, BatteryPlan)
        flow = 0.95 * battery.charge_mw - battery.discharge_mw / 0.95
        assert np.abs(owner.assets[0].energy_now_mwh + np.cumsum(flow) - battery.energy_mwh).max() < DUST_MW
        gains = revenue(plan.injection_mw[i], plan.step_h, homes.problem.prices)
        risk = cvar(gains, homes.problem.prices.probability, homes.problem.prices.alpha)
        worth = (1 - owner.beta) * homes.problem.prices.probability @ gains + owner.beta * risk
        wear = owner.assets[0].wear_per_mwh * (battery.charge_mw + battery.discharge_mw).sum()
        assert wear - worth == pytest.approx(plan.owner_objective[i], abs=1e-9)
    assert plan.owner_objective.sum() == pytest.approx(plan.objective, abs=1e-9)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(fleet=linear_fleets())
def test_proposals_reach_the_central_optimum_between_bounds_that_hold_in_every_round(fleet: Problem):
    central, plan = CentralPlanner().solve(fleet), DantzigWolfePlanner().solve(fleet)
    assert plan.converged
    bounds = plan.bounds
    assert bounds is not None
    assert bounds.relative_gap <= GAP
    rounding = ROUNDING * money(central, fleet)
    assert abs(plan.objective - central.objective) <= GAP * bounds.scale + rounding
    assert np.all(bounds.lower <= central.objective + rounding)
    assert np.all(bounds.upper >= central.objective - rounding)
    assert np.all(np.diff(bounds.lower) >= 0)
    assert np.all(np.diff(bounds.upper) <= rounding)
    assert len(bounds.lower) == len(bounds.upper) == plan.rounds


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(fleet=linear_fleets())
def test_the_lower_bound_can_be_proved_again_from_the_plans_multiplier_alone(fleet: Problem):
    fleet_owners, step_h, coupling, prices, terminal = fleet
    plan = DantzigWolfePlanner().solve(fleet)
    paid, proved = plan.step_h * plan.multiplier_per_mwh, 0.0
    for owner in fleet_owners:
        best = Proposer(owner, step_h, prices, terminal).propose(plan.multiplier_per_mwh)
        proved += best.cost - paid @ best.injection_mw
    for hours, price in zip(plan.step_h, plan.multiplier_per_mwh, strict=True):
        if price:
            proved += hours * price * float(coupling.lower_mw if price > 0 else coupling.upper_mw)
    assert plan.bounds is not None
    assert proved == pytest.approx(plan.bounds.lower[-1], abs=ROUNDING * money(plan, fleet))


def test_too_few_rounds_are_marked_logged_and_still_a_plan(linear_homes, caplog):
    homes = linear_homes
    few = DantzigWolfeSettings(max_rounds=5)
    with caplog.at_level(logging.INFO):
        plan = DantzigWolfePlanner(few).solve(homes.problem)
    assert not plan.converged
    assert plan.rounds == len(plan.history.objective) == 5
    assert "stopped after 5 rounds" in caplog.text
    assert plan.bounds is not None
    assert plan.bounds.lower[-1] < -LINEAR_WELFARE < plan.bounds.upper[-1]
    assert plan.primal_residual_mw < DUST_MW, "what is missed is in the priced slack"
    penalty = 10_000.0 * (plan.shortage_mwh + plan.surplus_mwh).sum()
    assert plan.owner_objective.sum() + penalty == pytest.approx(plan.objective, rel=1e-9)


def test_shortage_and_surplus_are_priced_as_in_the_central_plan():
    scarce = (Owner("plant", (replace(GAS, available_mw=2.0, minimum_mw=1.8),)), owners()[2])
    plan, central = (solve(island(scarce)) for solve in (DantzigWolfePlanner().solve, CentralPlanner().solve))
    assert plan.shortage_mwh == pytest.approx(central.shortage_mwh, abs=DUST_MW)
    assert plan.surplus_mwh == pytest.approx(central.surplus_mwh, abs=DUST_MW)
    assert plan.multiplier_per_mwh[[0, 2]] == pytest.approx([-400.0, 1000.0], abs=1e-6)


def test_the_first_round_is_each_owners_own_optimum_against_the_forecast():
    alone = DantzigWolfeSettings(max_rounds=1)
    plan = DantzigWolfePlanner(alone).solve(island(owners()))
    assert plan.injection_mw[1].tolist() == [0.0, 3.0, 0.0, 3.0], "gas at 40 sells where the price is above"


def test_a_second_plan_starts_from_the_first_ones_prices(linear_homes):
    homes = linear_homes
    planner = DantzigWolfePlanner()
    cold = planner.solve(homes.problem)
    warm = planner.solve(homes.problem)
    assert warm.converged
    assert warm.rounds < cold.rounds
    assert warm.objective == pytest.approx(cold.objective, rel=GAP)


def test_a_plan_of_other_owners_and_steps_works_after_the_first():
    planner = DantzigWolfePlanner()
    planner.solve(island(owners()))
    steps, prices = np.array([0.5, 0.5, 1.0]), Prices.certain(np.array([60.0, 30.0, 80.0]))
    town = Owner("town", (replace(CITY, baseline_mw=np.array([2.0, 2.5, 1.5])),))
    others = (owners()[1], town, Owner("newcomer", (replace(CELL, charge_efficiency=0.8),)))
    problem = Problem(others, steps, BALANCE, prices)
    plan = planner.solve(problem, elapsed_h=1.0)
    assert plan.owners == ("plant", "town", "newcomer")
    assert plan.objective == pytest.approx(CentralPlanner().solve(problem).objective, rel=GAP)


def test_another_owners_secrets_do_not_change_an_answer_to_the_same_prices():
    rng = np.random.default_rng(3)
    replay = [rng.normal(scale=30.0, size=4) for _ in range(6)]
    answers = []
    for cell in (CELL, replace(CELL, energy_now_mwh=0.3, charge_limit_mw=9.0)):
        team = {owner.name: Proposer(owner, STEPS, PRICES, Terminal()) for owner in owners(cell)}
        heard = []
        for multiplier in replay:
            team["store"].propose(multiplier)
            heard.append(team["town"].propose(multiplier).injection_mw)
        answers.append(np.stack(heard))
    assert np.array_equal(answers[0], answers[1])


def test_an_impossible_asset_is_named():
    with pytest.raises(InfeasiblePlanError, match=r"store\.cell"):
        DantzigWolfePlanner().solve(island(owners(replace(CELL, energy_now_mwh=12.0))))


@pytest.mark.parametrize(
    "team, named",
    [
        (owners(replace(CELL, wear_per_mw2h=2.0)), r"store\.cell\.wear_per_mw2h.*method central or admm"),
        (owners(gas=replace(GAS, cost_per_mw2h=3.0)), r"plant\.gas\.cost_per_mw2h.*method central or admm"),
    ],
)
def test_quadratic_costs_are_refused_by_name_with_what_to_do(team, named):
    with pytest.raises(ScenarioError, match=named):
        DantzigWolfePlanner().solve(island(team))


@pytest.mark.parametrize("wrong", [{"smoothing": 1.0}, {"max_rounds": 0}, {"tolerance": 0.0}])
def test_settings_that_cannot_end_are_refused(wrong):
    with pytest.raises(ScenarioError, match="dantzig_wolfe"):
        DantzigWolfeSettings(**wrong)


def test_a_team_of_proposing_owners_plays_a_world_and_keeps_its_history():
    world = Scenario.load("auction").but(intervals=12)
    played = rollout(world, "dantzig-wolfe", seed=0)
    assert played.negotiations
    assert all(record.converged for record in played.negotiations)
    assert played.of_market("unserved_mw").sum() == 0.0


def test_the_planner_knows_the_method_and_that_it_sees_its_own_only():
    assert Planner(method="dantzig-wolfe").sees == "own"
