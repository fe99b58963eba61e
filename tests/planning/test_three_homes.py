"""The three homes: an answer known to nine digits, found centrally and by messages."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest

from gridmarl.agents.team import load_team
from gridmarl.planning.admm import AdmmSettings
from gridmarl.planning.admm.planner import AdmmPlanner
from gridmarl.planning.aladin.planner import AladinPlanner
from gridmarl.planning.central.planner import CentralPlanner
from gridmarl.planning.certify import certify
from gridmarl.planning.dantzig_wolfe.planner import DantzigWolfePlanner
from gridmarl.planning.model.plan import BatteryPlan, Plan
from gridmarl.planning.promises.promise import Planning, Table
from gridmarl.scenario.scenario import Scenario

LINEAR_WELFARE = -0.608019112
QUADRATIC_WELFARE = -0.682019901
WELFARE_TOLERANCE = 1e-6
AGREEMENT_TOLERANCE = 1e-6
RESIDUAL_MW = 1e-7  # 1e-4 kW
CERTIFIED_MW = 2.17e-9  # 2.17e-6 kW, the norm over a day
RELATIVE_GAP = 1e-6
EXACT = 1e-9
PUBLISHED = 5e-10  # $, half of the last published digit
SCHOOL_MW = 0.01  # the largest rating
DUST_MW = 1e-9
EFFICIENCY = 0.95


def central(homes) -> Plan:
    return CentralPlanner().solve(homes.problem)


def test_the_data_have_the_published_checksums(linear_homes):
    assert linear_homes.price_per_kwh.sum() == pytest.approx(34.28873561630776, abs=1e-12)
    assert linear_homes.solar.sum() == pytest.approx(6.681447102371175, abs=1e-12)


def test_central_finds_the_known_welfare_with_linear_wear(linear_homes):
    plan = central(linear_homes)
    assert plan.converged
    assert -plan.objective == pytest.approx(LINEAR_WELFARE, abs=WELFARE_TOLERANCE)


def test_central_finds_the_known_welfare_with_quadratic_wear(quadratic_homes):
    plan = central(quadratic_homes)
    assert plan.converged
    assert -plan.objective == pytest.approx(QUADRATIC_WELFARE, abs=WELFARE_TOLERANCE)


@pytest.mark.parametrize("name", ["linear_homes", "quadratic_homes"])
def test_no_home_charges_and_discharges_at_once(name, request):
    plan = central(request.getfixturevalue(name))
    assert plan.overlap_mwh < DUST_MW
    assert np.abs(plan.injection_mw.sum(axis=0)).max() < DUST_MW


def test_stored_energy_rebuilt_from_the_plan_has_no_residual(quadratic_homes):
    plan = central(quadratic_homes)
    for owner in quadratic_homes.problem.owners:
        battery = plan.asset(owner.name, "battery")
        assert isinstance(battery, BatteryPlan)
        start = owner.assets[0].energy_now_mwh
        flow = EFFICIENCY * battery.charge_mw - battery.discharge_mw / EFFICIENCY
        assert np.abs(start + np.cumsum(flow) - battery.energy_mwh).max() < DUST_MW
        assert battery.energy_mwh[-1] > start - DUST_MW


def test_messages_alone_agree_with_the_central_plan(quadratic_homes):
    homes = quadratic_homes
    settings = AdmmSettings(tolerance_mw=RESIDUAL_MW)
    plan = AdmmPlanner(settings).solve(homes.problem)
    reference = central(homes)
    assert plan.converged
    assert plan.primal_residual_mw <= RESIDUAL_MW
    assert plan.dual_residual_mw <= RESIDUAL_MW
    assert plan.objective == pytest.approx(reference.objective, rel=AGREEMENT_TOLERANCE)
    assert plan.injection_mw == pytest.approx(reference.injection_mw, abs=1e-5)
    assert plan.price_per_mwh == pytest.approx(reference.price_per_mwh, abs=0.05)
    assert plan.rounds == len(plan.history.rho) <= 400


def test_linear_wear_comes_close_and_says_that_it_has_not_converged(linear_homes):
    homes = linear_homes
    settings = AdmmSettings(tolerance_mw=RESIDUAL_MW, max_rounds=300)
    plan = AdmmPlanner(settings).solve(homes.problem)
    assert not plan.converged
    assert plan.relative_gap <= 0.05, "where exactly it stands after so many rounds hangs on last digits"
    assert abs(plan.objective + LINEAR_WELFARE) <= plan.gap, "the true error is within the gap that the plan states"


def test_the_linear_answer_is_exact_within_a_hundred_and_fifty_rounds(linear_homes):
    homes = linear_homes
    for plan in (DantzigWolfePlanner().solve(homes.problem), AladinPlanner().solve(homes.problem)):
        assert plan.converged
        assert plan.rounds <= 150
        assert abs(plan.relative_gap) <= EXACT
        assert -plan.objective == pytest.approx(LINEAR_WELFARE, abs=PUBLISHED)
        assert -plan.lower_bound == pytest.approx(LINEAR_WELFARE, abs=PUBLISHED)
        assert np.linalg.norm(plan.injection_mw.sum(axis=0)) <= CERTIFIED_MW


def test_the_quadratic_answer_is_certified_within_a_hundred_rounds(quadratic_homes):
    homes = quadratic_homes
    plan = AladinPlanner().solve(homes.problem)
    assert plan.converged
    assert plan.rounds <= 100
    assert plan.primal_residual_mw <= CERTIFIED_MW
    assert plan.dual_residual_mw <= CERTIFIED_MW
    assert np.linalg.norm(plan.injection_mw.sum(axis=0)) <= CERTIFIED_MW, "measured on the schedules"
    assert plan.relative_gap <= RELATIVE_GAP
    proved = certify(plan, homes.problem)
    assert proved.gap <= RELATIVE_GAP * proved.value, "by a certificate made without the method"
    assert -plan.objective == pytest.approx(QUADRATIC_WELFARE, abs=WELFARE_TOLERANCE)


@pytest.mark.parametrize("team, most", [("aladin", 100), ("admm", 110)])
def test_the_shipped_teams_certify_their_first_plan_in_the_world_itself(team, most):
    scenario = Scenario.load("three-homes")
    planner = cast(Planning, next(iter(load_team(team).agents.values())))
    table = Table(planner, scenario, "*", seed=0)
    table.turn()
    plan = planner.plan
    tolerance = {"aladin": CERTIFIED_MW, "admm": 1e-4 * SCHOOL_MW}[team]
    assert plan.converged
    assert plan.rounds <= most
    assert plan.primal_residual_mw <= tolerance
    assert plan.dual_residual_mw <= tolerance
    assert plan.relative_gap <= {"aladin": RELATIVE_GAP, "admm": 1e-4}[team]
