"""Local problems: sizes, sharing of matrices, and assets solved by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gridmarl.planning.central.planner import CentralPlanner
from gridmarl.planning.model.assets import Battery, Coupling, FlexibleLoad, Generator, Owner, Terminal
from gridmarl.planning.model.plan import BatteryPlan, GeneratorPlan, LoadPlan, Plan
from gridmarl.planning.model.problem import Problem
from gridmarl.planning.model.risk import Prices
from gridmarl.planning.programs.local import local_problem, steady_base
from gridmarl.planning.programs.qp import QuadraticSolver

TOLERANCE = 1e-6
FREE = Coupling(-np.inf, np.inf, 1000.0, 1000.0)
BATTERY = Battery("cell", 1.0, 1.0, 0.9, 0.8, 0.0, 4.0, 2.0, wear_per_mwh=1.0)
UNTIED = Terminal(keep_energy=False)


def alone(asset, prices, step_h=None, terminal=UNTIED) -> tuple[Plan, Any]:
    """Plan of one asset that sells at the prices without a coupling."""
    per_mwh = np.asarray(prices, dtype=float)
    steps = np.ones(len(per_mwh)) if step_h is None else np.asarray(step_h, dtype=float)
    plan = CentralPlanner().solve(Problem((Owner("home", (asset,)),), steps, FREE, Prices.certain(per_mwh), terminal))
    return plan, plan.assets[0][0]


def scenarios(count=5, steps=4):
    return Prices(np.random.default_rng(0).uniform(20, 80, (count, steps)), np.full(count, 1 / count), 0.5)


def problem(beta, prices=None, battery=BATTERY, previous=None):
    owner, market = Owner("home", (battery,), beta), prices or scenarios()
    base = steady_base((owner,), market)
    return local_problem(owner, np.ones(4), market, Terminal(), previous.base if previous else base, previous)


def test_without_risk_aversion_there_are_no_cvar_variables():
    assert len(problem(0.0).program.linear) == 4 + 3 * 4
    assert problem(0.0).program.inequality.shape[0] == 0
    assert len(problem(0.3).program.linear) == 4 + 3 * 4 + 1 + 5


def test_new_numbers_share_the_matrices_of_the_old_ones():
    before = problem(0.3)
    after = problem(0.3, battery=replace(BATTERY, energy_now_mwh=1.0, charge_limit_mw=0.5), previous=before)
    assert after.program.equality is before.program.equality
    assert np.shares_memory(after.program.inequality.indices, before.program.inequality.indices)
    other = problem(0.3, battery=replace(BATTERY, charge_efficiency=0.85), previous=before)
    assert other.program.equality is not before.program.equality


def test_a_refreshed_problem_solves_to_the_same_as_a_fresh_one():
    market = Prices(scenarios().per_mwh[::-1] * 1.1, np.full(5, 0.2), 0.4)
    before = problem(0.3)
    refreshed = problem(0.6, market, previous=before).program
    fresh = local_problem(Owner("home", (BATTERY,), 0.6), np.ones(4), market, Terminal(), before.base).program
    none = np.zeros(len(fresh.linear))
    solver = QuadraticSolver(before.program, none)
    solver.solve(before.program.linear)
    solver.renew(refreshed, none)
    again, once = solver.solve(refreshed.linear), QuadraticSolver(fresh, none).solve(fresh.linear)
    assert again.solved
    assert once.solved
    assert refreshed.objective(again.y) == pytest.approx(fresh.objective(once.y), abs=TOLERANCE)


def test_a_battery_buys_low_and_sells_high_by_hand():
    plan, cell = alone(replace(BATTERY, energy_now_mwh=0.0), [10.0, 50.0])
    assert isinstance(cell, BatteryPlan)
    assert cell.charge_mw == pytest.approx([1.0, 0.0], abs=TOLERANCE)
    assert cell.discharge_mw == pytest.approx([0.0, 0.9 * 0.8], abs=TOLERANCE)
    assert plan.objective == pytest.approx(10 + 1 - 0.72 * (50 - 1), abs=TOLERANCE)


def test_a_battery_that_must_keep_its_energy_does_not_sell_it():
    _, kept = alone(BATTERY, [50.0, 50.0], terminal=Terminal(keep_energy=True))
    _, sold = alone(BATTERY, [50.0, 50.0])
    assert kept.discharge_mw.sum() == pytest.approx(0.0, abs=TOLERANCE)
    assert sold.energy_mwh[-1] == pytest.approx(0.0, abs=TOLERANCE)


@pytest.mark.parametrize("value, left", [(41.0, 2.0), (38.0, 0.0)])
def test_stored_energy_is_sold_only_above_its_value(value, left):
    # A stored MWh sells for 0.8 (50 - 1) = 39.2 dollars.
    plan, cell = alone(BATTERY, [50.0, 50.0], terminal=Terminal(False, value))
    assert cell.energy_mwh[-1] == pytest.approx(left, abs=TOLERANCE)
    assert plan.objective == pytest.approx(min(0.0, 2 * (value - 39.2)), abs=1e-5)


def test_a_battery_ramps_by_the_hours_of_the_step_it_enters():
    battery = replace(BATTERY, ramp_mw_per_h=np.array([0.4, 2.0, np.inf]), power_now_mw=-0.1)
    _, cell = alone(battery, [50.0, 50.0, 50.0], [0.5, 0.25, 1.0])
    assert cell.injection_mw[0] == pytest.approx(-0.1 + 0.4 * 0.5, abs=TOLERANCE)
    assert cell.injection_mw[1] == pytest.approx(0.1 + 2.0 * 0.25, abs=TOLERANCE)


def test_burning_energy_at_negative_prices_is_reported():
    plan, cell = alone(replace(BATTERY, energy_now_mwh=4.0), [-50.0, -50.0], terminal=Terminal(keep_energy=True))
    assert plan.overlap_mwh > 0.1
    assert cell.overlap_mw.max() > 0.05


def test_a_generator_follows_price_within_minimum_and_ramps():
    coal = Generator("coal", 10.0, 2.0, 30.0, ramp_up_mw_per_h=3.0, ramp_down_mw_per_h=4.0, output_now_mw=5.0)
    _, output = alone(coal, [50.0, 50.0, 10.0, 10.0])
    assert isinstance(output, GeneratorPlan)
    assert output.output_mw[0] == pytest.approx(8.0, abs=TOLERANCE)
    assert output.output_mw[2:] == pytest.approx([6.0, 2.0], abs=TOLERANCE)


def test_a_quadratic_cost_meets_the_price_at_the_margin():
    _, output = alone(Generator("gas", 10.0, 0.0, 30.0, 2.5), [50.0])
    assert output.output_mw == pytest.approx([20.0 / 5.0], abs=TOLERANCE)


def test_a_load_pays_back_what_it_saved():
    load = FlexibleLoad("heat", 3.0, 1.0, 5.0, rebound_share=0.5, rebound_h=2.0, debt_now_mwh=0.4)
    _, heat = alone(load, [100.0, 6.0, 6.0])
    assert isinstance(heat, LoadPlan)
    assert heat.reduction_mw[0] == pytest.approx(1.0, abs=TOLERANCE)
    debt = [0.4, 0.4 + 0.5 * heat.reduction_mw[0] - 0.2]
    assert heat.payback_mw[:2] == pytest.approx([0.2, debt[1] / 2], abs=TOLERANCE)
    assert heat.injection_mw[0] == pytest.approx(-3.0 - 0.2 + 1.0, abs=TOLERANCE)


def test_debt_left_at_the_end_is_charged():
    load = FlexibleLoad("heat", 3.0, 1.0, 5.0, rebound_share=1.0, rebound_h=4.0)
    _, free = alone(load, [30.0])
    charged, heat = alone(load, [30.0], terminal=Terminal(False, 26.0))
    assert free.reduction_mw == pytest.approx([1.0], abs=TOLERANCE)
    assert heat.reduction_mw == pytest.approx([0.0], abs=TOLERANCE)
    assert charged.objective == pytest.approx(90.0, abs=TOLERANCE)


def test_rounding_dust_in_stored_energy_is_no_reason_to_refuse():
    plan, _ = alone(replace(BATTERY, energy_now_mwh=-1e-12, charge_limit_mw=0.0), [50.0, 50.0])
    assert plan.converged
