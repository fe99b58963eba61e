"""Charging and discharging at once: reported, absent where the price is above the bound, forbidden on request."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gridmarl.errors import ScenarioError
from gridmarl.planning.admm.planner import AdmmPlanner
from gridmarl.planning.central.planner import CentralPlanner
from gridmarl.planning.dantzig_wolfe.planner import DantzigWolfePlanner
from gridmarl.planning.model.assets import Battery, Coupling, FlexibleLoad, Generator, Owner, Terminal
from gridmarl.planning.model.plan import BatteryPlan, Plan
from gridmarl.planning.model.problem import Problem
from gridmarl.planning.model.risk import Prices
from gridmarl.planning.planner import Planner
from gridmarl.planning.recourse import RecoursePlanner
from gridmarl.planning.selfish import SelfishPlanner
from gridmarl.units import Float

WIDE = Coupling(-99.0, 99.0, 900.0, 900.0)
END = Terminal(keep_energy=False)
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
CELL = Battery("cell", 1.0, 1.0, 0.9, 0.9, 0.0, 2.0, 1.0, wear_per_mwh=2.0)
OVERLAP_MW = 1e-6


def worst_overlap_mw(plan: Plan) -> float:
    batteries = (asset for own in plan.assets for asset in own if isinstance(asset, BatteryPlan))
    return max(float(battery.overlap_mw.max()) for battery in batteries)


def overlap_bound(cell: Battery) -> float:
    """Effective price above which charging and discharging at once never pays."""
    both = cell.charge_efficiency * cell.discharge_efficiency
    return -np.inf if both >= 1 else -float(cell.wear_per_mwh) * (1 + both) / (1 - both)


@st.composite
def stores(draw: st.DrawFn) -> Problem:
    """Two batteries and a load that must balance up to a limit, at prices from far below zero."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    steps, power = draw(st.integers(3, 6)), 1.0
    owners = tuple(
        Owner(
            f"store_{i}",
            (
                Battery(
                    "cell",
                    power,
                    power,
                    rng.uniform(0.8, 0.99),
                    rng.uniform(0.8, 0.99),
                    0.0,
                    2.0,
                    rng.uniform(0.0, 2.0),
                    wear_per_mwh=rng.uniform(0.5, 5),
                    wear_per_mw2h=draw(st.sampled_from([0.0, 1.0])),
                ),
                Generator("pv", 1.0, minimum_mw=draw(st.sampled_from([0.0, 0.8]))),
            ),
        )
        for i in range(2)
    )
    limit = draw(st.sampled_from([0.5, 5.0]))
    low = draw(st.sampled_from([-5.0, -20.0, -100.0]))
    prices = Prices.certain(rng.uniform(low, 60, steps))
    return Problem(owners, np.ones(steps), Coupling(-limit, limit, 500.0, 300.0), prices, END)


@settings(QUICK, max_examples=60)
@given(fleet=stores())
def test_nothing_overlaps_where_the_effective_price_is_above_the_bound(fleet):
    plan = CentralPlanner().solve(fleet)
    for owner, own in zip(fleet.owners, plan.assets, strict=True):
        cell, planned = owner.assets[0], own[0]
        assert isinstance(cell, Battery)
        assert isinstance(planned, BatteryPlan)
        above = plan.price_of(owner.name) > overlap_bound(cell) + 1e-3
        assert np.all(planned.overlap_mw[above] < 1e-5)


def test_below_the_bound_it_does_and_every_method_reports_it():
    prices = Prices.certain(np.array([-60.0, -60.0, 20.0]))
    full = (Owner("store", (replace(CELL, energy_now_mwh=2.0),)), Owner("town", (FlexibleLoad("load", 0.1),)))
    assert overlap_bound(CELL) == pytest.approx(-2 * 1.81 / 0.19)
    problem = Problem(full, np.ones(3), WIDE, prices, END)
    plans = [CentralPlanner().solve(problem), AdmmPlanner().solve(problem), DantzigWolfePlanner().solve(problem)]
    plans += [SelfishPlanner().solve(problem), AdmmPlanner().solve(problem)]
    for plan in plans:
        assert plan.overlap_mwh == pytest.approx(plans[0].overlap_mwh, abs=1e-3)
        assert plan.overlap_mwh > 0.5


def enumerated(fleet: Problem) -> float:
    """Least cost over every assignment of modes to batteries and steps, each a convex program of its own."""
    owners, steps, best = fleet.owners, len(fleet.step_h), np.inf
    for modes in product([True, False], repeat=steps * len(owners)):
        charging = np.array(modes).reshape(len(owners), steps)
        fixed = tuple(_with_mode(owner, mode) for owner, mode in zip(owners, charging, strict=True))
        best = min(best, CentralPlanner().solve(fleet._replace(owners=fixed)).objective)
    return best


def _with_mode(owner: Owner, charging: Float) -> Owner:
    cell, *rest = owner.assets
    assert isinstance(cell, Battery)
    limits = {"charge_limit_mw": np.where(charging, 1.0, 0.0), "discharge_limit_mw": np.where(charging, 0.0, 1.0)}
    return replace(owner, assets=(replace(cell, **limits), *rest))


@pytest.mark.parametrize("seed", range(4))
def test_exclusive_plans_are_the_best_of_all_modes(seed: int):
    rng = np.random.default_rng(seed)
    cells = (
        replace(CELL, energy_now_mwh=rng.uniform(1.0, 2.0)),
        replace(CELL, energy_now_mwh=rng.uniform(0.0, 2.0), wear_per_mwh=1.0, ramp_mw_per_h=1.5),
    )
    owners = tuple(Owner(f"store_{i}", (cell,)) for i, cell in enumerate(cells))
    fleet = Problem(
        owners, np.ones(3), Coupling(-1.2, 1.2, 500.0, 300.0), Prices.certain(rng.uniform(-120, 10, 3)), END
    )
    relaxed, plan = (CentralPlanner(exclusive=e).solve(fleet) for e in (False, True))
    assert plan.objective == pytest.approx(enumerated(fleet), abs=1e-6)
    assert worst_overlap_mw(relaxed) > 0.01
    assert worst_overlap_mw(plan) <= OVERLAP_MW
    assert plan.objective > relaxed.objective + 1e-3
    assert plan.lower_bound == pytest.approx(plan.objective, abs=1e-5)


@QUICK
@given(fleet=stores(), beta=st.sampled_from([0.0, 0.5]), seed=st.integers(0, 99))
def test_exclusive_plans_never_overlap_and_never_cost_less(fleet, beta: float, seed: int):
    linear = tuple(_linear(replace(owner, beta=beta)) for owner in fleet.owners)
    around = np.random.default_rng(seed).normal(scale=10, size=(4, len(fleet.step_h)))
    paths = Prices(fleet.prices.per_mwh + around, np.full(4, 0.25), 0.5)
    risky = fleet._replace(owners=linear, prices=paths)
    relaxed, plan = (CentralPlanner(e).solve(risky) for e in (False, True))
    assert worst_overlap_mw(plan) <= OVERLAP_MW
    assert plan.objective >= relaxed.objective - 1e-6
    assert plan.lower_bound <= plan.objective + 1e-5
    if worst_overlap_mw(relaxed) <= OVERLAP_MW:
        assert plan.objective == pytest.approx(relaxed.objective, abs=1e-6)


def _linear(owner: Owner) -> Owner:
    cell, *rest = owner.assets
    assert isinstance(cell, Battery)
    return replace(owner, assets=(replace(cell, wear_per_mw2h=0.0), *rest))


def test_exclusive_holds_in_every_scenario_with_recourse():
    prices = Prices(np.array([[-60.0, -90.0, 20.0], [-60.0, 40.0, 20.0]]), np.array([0.5, 0.5]))
    store = (Owner("store", (replace(CELL, energy_now_mwh=2.0),)),)
    problem = Problem(store, np.ones(3), WIDE, prices, END)
    free, plan = (RecoursePlanner(CentralPlanner(e)).solve(problem) for e in (False, True))
    assert free.objective < plan.objective - 1e-3
    assert plan.scenario_injection_mw is not None
    now = plan.assets[0][0]
    assert isinstance(now, BatteryPlan)
    assert now.overlap_mw[0] <= OVERLAP_MW


def test_quadratic_costs_are_refused_only_where_something_overlaps():
    store = (Owner("store", (replace(CELL, energy_now_mwh=2.0, wear_per_mw2h=0.5),)),)
    calm, wild = Prices.certain(np.array([10.0, 30.0])), Prices.certain(np.array([-90.0, -80.0]))
    planner = CentralPlanner(exclusive=True)
    assert planner.solve(Problem(store, np.ones(2), WIDE, calm, END)).overlap_mwh < 1e-6
    with pytest.raises(ScenarioError, match="exclusive"):
        planner.solve(Problem(store, np.ones(2), WIDE, wild, END))


def test_methods_without_binaries_refuse_to_be_exclusive():
    with pytest.raises(ScenarioError, match="mixed-integer"):
        Planner(method="admm", exclusive=True)
    assert Planner(method="central", exclusive=True).settings.exclusive
