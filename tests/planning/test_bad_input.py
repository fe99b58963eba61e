"""Bad input and solvers that stop early: a named error, or a marked plan, and never a wrong one that looks right.

Solvers are stopped by their own limits on iterations and tolerances.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import cast

import numpy as np
import pytest

from gridmarl.agents.team import load_team
from gridmarl.errors import GridmarlError, InfeasiblePlanError, ScenarioError, SolverError
from gridmarl.planning.admm import AdmmSettings
from gridmarl.planning.admm.planner import AdmmPlanner
from gridmarl.planning.aladin.planner import AladinPlanner, AladinSettings
from gridmarl.planning.central import program
from gridmarl.planning.central.planner import CentralPlanner
from gridmarl.planning.certify import certify
from gridmarl.planning.dantzig_wolfe.coordinator import DantzigWolfeSettings
from gridmarl.planning.dantzig_wolfe.master import Master
from gridmarl.planning.dantzig_wolfe.planner import DantzigWolfePlanner
from gridmarl.planning.model.assets import Coupling, Terminal
from gridmarl.planning.model.plan import Plan
from gridmarl.planning.model.problem import Problem
from gridmarl.planning.model.risk import Prices
from gridmarl.planning.owners.pricing import Proposal
from gridmarl.planning.owners.worker import Worker
from gridmarl.planning.programs import lp, qp
from gridmarl.planning.programs.local import Base
from gridmarl.planning.promises.promise import Planning, Table
from gridmarl.planning.selfish import SelfishPlanner
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import Float
from tests.planning.parties import (
    BALANCE,
    CELL,
    GAS,
    PRICES,
    STEPS,
    curved_owners,
    island,
    owners,
)

UNREACHABLE = 1e-30
SAME = 1e-6

Solve = Callable[[Problem], Plan]

METHODS: dict[str, Solve] = {
    "central": lambda problem: CentralPlanner().solve(problem),
    "admm": lambda problem: AdmmPlanner().solve(problem),
    "aladin": lambda problem: AladinPlanner().solve(problem),
    "dantzig-wolfe": lambda problem: DantzigWolfePlanner().solve(problem),
    "selfish": lambda problem: SelfishPlanner().solve(problem),
}
CURVED_METHODS = ("admm", "selfish")
every_method = pytest.mark.parametrize("solve", METHODS.values(), ids=METHODS)


CURVED = curved_owners()


@every_method
@pytest.mark.parametrize(
    "parts, named",
    [
        ({"cell": replace(CELL, energy_now_mwh=12.0)}, r"store\.cell.*12 MWh.*\[0, 4\] MWh"),
        ({"cell": replace(CELL, energy_now_mwh=-5.0)}, r"store\.cell.*-5 MWh"),
        ({"cell": replace(CELL, ramp_mw_per_h=0.1, power_now_mw=-2.0)}, r"store\.cell.*ramp \[0, 0\.1\] MW/h"),
        ({"gas": replace(GAS, minimum_mw=2.0, ramp_up_mw_per_h=0.5)}, r"plant\.gas.*output \[2, 3\] MW"),
    ],
)
def test_an_asset_that_no_schedule_fits_is_named_with_its_limits(solve: Solve, parts, named: str):
    with pytest.raises(InfeasiblePlanError, match=named):
        solve(island(owners(**parts)))


@pytest.mark.parametrize(
    "wrong, named",
    [
        ({"charge_efficiency": 0.0}, r"cell\.charge_efficiency.*\(0, 1\]"),
        ({"discharge_efficiency": 1.1}, r"cell\.discharge_efficiency"),
        ({"energy_min_mwh": 5.0}, r"cell\.energy_min_mwh.*at most energy_max_mwh = 4"),
        ({"charge_limit_mw": -1.0}, r"cell\.charge_limit_mw.*not negative"),
        ({"energy_now_mwh": np.nan}, r"cell\.energy_now_mwh.*finite"),
        ({"wear_per_mw2h": -1.0}, r"cell\.wear_per_mw2h.*not negative"),
    ],
)
def test_batteries_that_cannot_exist_are_refused(wrong, named: str):
    with pytest.raises(ScenarioError, match=named):
        replace(CELL, **wrong)


@pytest.mark.parametrize(
    "price, probability, named",
    [
        ([[20.0, np.nan]], [1.0], r"prices\.per_mwh"),
        ([[20.0, np.inf]], [1.0], r"prices\.per_mwh"),
        ([[20.0, 30.0], [10.0, 5.0]], [0.5, 0.4], r"prices\.probability.*adding up to 1"),
        ([[20.0, 30.0], [10.0, 5.0]], [1.5, -0.5], r"prices\.probability.*not negative"),
        ([[20.0, 30.0], [10.0, 5.0]], [np.nan, 1.0], r"prices\.probability"),
        ([[20.0, 30.0], [10.0, 5.0]], [1.0], r"prices\.probability"),
    ],
)
def test_prices_and_scenarios_that_are_none_are_refused(price, probability, named: str):
    with pytest.raises(ScenarioError, match=named):
        Prices(np.array(price), np.array(probability), 0.0)


@pytest.mark.parametrize(
    "limits, named",
    [
        ((1.0, -1.0, 10.0, 10.0), r"coupling\.lower_mw.*at most upper_mw"),
        ((np.nan, 1.0, 10.0, 10.0), r"coupling\.lower_mw"),
        ((-1.0, 1.0, 0.0, 10.0), r"coupling\.shortage_per_mwh.*positive"),
        ((-1.0, 1.0, 10.0, np.inf), r"coupling\.surplus_per_mwh.*finite"),
    ],
)
def test_limits_that_contradict_each_other_are_refused(limits, named: str):
    with pytest.raises(ScenarioError, match=named):
        Coupling(*limits)


@every_method
@pytest.mark.parametrize("steps", [np.array([1.0, np.nan, 1.0, 1.0]), np.zeros(4), np.ones((2, 2)), np.ones(3)])
def test_steps_that_are_no_hours_or_do_not_fit_the_prices_are_refused(solve: Solve, steps: Float):
    with pytest.raises(ScenarioError, match=r"step_h|prices\.per_mwh"):
        solve(Problem(owners(), steps, BALANCE, PRICES))


@pytest.mark.parametrize("method", ["central", "admm", "aladin", "dantzig-wolfe"])
def test_limits_that_nobody_can_meet_are_reported_as_shortage_and_surplus(method: str):
    coupling = Coupling(np.array([0.0, 9.0, 0.0, -9.0]), np.array([0.0, 9.0, 0.0, -9.0]), 1000.0, 400.0)
    problem = Problem(owners(), STEPS, coupling, PRICES)
    plan = METHODS[method](problem)
    total = plan.injection_mw.sum(axis=0) + (plan.shortage_mwh - plan.surplus_mwh) / STEPS
    assert plan.converged
    assert plan.shortage_mwh[1] > 5.0
    assert plan.surplus_mwh[3] > 5.0
    assert total == pytest.approx(np.asarray(coupling.lower_mw), abs=1e-3)
    assert plan.objective == pytest.approx(CentralPlanner().solve(problem).objective, rel=1e-3)


@pytest.mark.parametrize("team", ["central", "admm", "aladin", "dantzig-wolfe", "selfish"])
def test_a_forecast_that_is_not_a_number_stops_a_planner_by_name(team: str):
    planner = cast(Planning, next(iter(load_team(team).agents.values())))
    table = Table(planner, Scenario.load("auction").but(intervals=12), "*", seed=0)
    table.core.rows.deviation[:] = np.nan
    with pytest.raises(GridmarlError, match=r"finite|NaN|nan"):
        table.turn()


def test_owners_go_to_a_second_solver_where_piqp_stops_early(monkeypatch):
    """PIQP_MAX_ITER_REACHED in every local problem: Clarabel takes over, and the plan is the same."""
    before = {name: solve(island(CURVED)) for name, solve in METHODS.items() if name in CURVED_METHODS}
    monkeypatch.setattr(qp, "ITERATIONS", 2)
    for name, plan in before.items():
        again = METHODS[name](island(CURVED))
        assert again.converged
        assert again.objective == pytest.approx(plan.objective, rel=1e-4)


def test_a_plan_without_its_steps_is_still_right_where_piqp_stops_early(monkeypatch):
    """Steps read multipliers of the last digits, which the second solver does not have: ADMM's rounds go on."""
    exact = CentralPlanner().solve(island(CURVED))
    monkeypatch.setattr(qp, "ITERATIONS", 2)
    plan = AladinPlanner().solve(island(CURVED))
    assert plan.objective == pytest.approx(exact.objective, rel=1e-4)
    assert not plan.converged or plan.relative_gap <= SAME


@pytest.mark.parametrize("method", ["admm", "aladin", "selfish"])
def test_an_owner_whose_solvers_all_stop_early_is_named_with_the_status(method: str, monkeypatch):
    monkeypatch.setattr(qp, "ITERATIONS", 2)
    monkeypatch.setitem(qp.AFRESH, "max_iter", 2)
    with pytest.raises(SolverError, match=r"store.*MaxIterations.*solved"):
        METHODS[method](island(CURVED))


@pytest.fixture
def almost_solved(monkeypatch):
    """Clarabel alone, asked for more digits than there are: it stops at what it calls almost solved."""
    monkeypatch.setattr(qp, "ITERATIONS", 2)
    for name in ("tol_gap_abs", "tol_gap_rel", "tol_feas"):
        monkeypatch.setitem(qp.AFRESH, name, UNREACHABLE)
        monkeypatch.setitem(program.CLARABEL, name, UNREACHABLE)
    monkeypatch.setitem(qp.AFRESH, "reduced_tol_ktratio", 1.0)


def test_almost_solved_local_problems_mark_the_plan(almost_solved):
    plan = SelfishPlanner().solve(island(CURVED))
    assert not plan.converged
    assert np.all(np.isfinite(plan.injection_mw))


def test_a_solver_without_progress_is_no_answer_to_a_round(almost_solved):
    with pytest.raises(SolverError, match=r"plant's local problem.*InsufficientProgress"):
        AdmmPlanner().solve(island(CURVED))


def test_an_owner_that_no_solver_vouches_for_gives_no_bound_and_marks_the_plan(almost_solved):
    worker = Worker(CURVED[0], STEPS, PRICES, Terminal(), 1.6)
    assert worker.least_cost(np.zeros(4)) == -np.inf
    plan = AdmmPlanner(AdmmSettings(max_rounds=2)).solve(
        Problem(CURVED[:1], STEPS, Coupling(-9.0, 9.0, 10.0, 10.0), PRICES)
    )
    assert not plan.converged
    assert plan.lower_bound == -np.inf


def test_an_almost_solved_certificate_bounds_nothing(almost_solved):
    plan = CentralPlanner().solve(island(CURVED))
    assert certify(plan, island(CURVED)).lower == -np.inf


def test_an_almost_solved_central_plan_is_marked_and_near_the_optimum(caplog, monkeypatch):
    exact = CentralPlanner().solve(island(CURVED))
    for name in ("tol_gap_abs", "tol_gap_rel", "tol_feas"):
        monkeypatch.setitem(program.CLARABEL, name, UNREACHABLE)
    with caplog.at_level(logging.WARNING):
        plan = CentralPlanner().solve(island(CURVED))
    assert exact.converged
    assert not plan.converged
    assert "less accurate than asked" in caplog.text
    assert plan.objective == pytest.approx(exact.objective, rel=SAME)


@pytest.mark.parametrize("parties, first", [(CURVED, program.CLARABEL), (owners(), program.HIGHS)])
def test_the_central_plan_goes_to_a_second_solver_where_the_first_stops_early(parties, first, monkeypatch):
    exact = CentralPlanner().solve(island(parties))
    _stop(monkeypatch, first)
    again = CentralPlanner().solve(island(parties))
    assert again.converged
    assert again.objective == pytest.approx(exact.objective, rel=SAME)


@pytest.mark.parametrize("parties", [CURVED, owners()])
def test_a_central_plan_whose_solvers_all_stop_early_is_no_plan(parties, monkeypatch):
    for options in (program.CLARABEL, program.HIGHS, program.PIQP):
        _stop(monkeypatch, options)
    with pytest.raises(SolverError, match="central plan"):
        CentralPlanner().solve(island(parties))


def _stop(monkeypatch: pytest.MonkeyPatch, options: program.Options) -> None:
    """After an iteration or none."""
    if options is program.HIGHS:
        monkeypatch.setitem(options, "simplex_iteration_limit", 0)
        monkeypatch.setitem(options, "presolve", "off")
    else:
        monkeypatch.setitem(options, "max_iter", 1)


def test_highs_stopped_early_names_the_owner(monkeypatch):
    monkeypatch.setitem(lp.OPTIONS, "simplex_iteration_limit", 0)
    with pytest.raises(SolverError, match=r"store's pricing problem.*[Ii]teration limit.*Optimal"):
        DantzigWolfePlanner().solve(island(owners()))


def test_highs_stopped_early_names_the_master_problem(monkeypatch):
    monkeypatch.setitem(lp.OPTIONS, "simplex_iteration_limit", 0)
    master = Master(np.zeros(1, np.int64), np.ones(2), BALANCE, Base(1.0, 50.0))
    master.take([Proposal(np.array([1.0, -1.0]), 3.0)])
    with pytest.raises(SolverError, match=r"master problem.*[Ii]teration limit"):
        master.solve()


def test_an_agreement_cut_short_says_so_and_its_bound_still_holds():
    exact = CentralPlanner().solve(island(CURVED))
    for plan in (
        AdmmPlanner(AdmmSettings(max_rounds=4)).solve(island(CURVED)),
        AladinPlanner(AladinSettings(max_rounds=4)).solve(island(CURVED)),
    ):
        assert not plan.converged
        assert plan.rounds == 4
        assert plan.lower_bound <= exact.objective + SAME * abs(exact.objective)
    plan = DantzigWolfePlanner(DantzigWolfeSettings(max_rounds=2)).solve(island(owners()))
    assert not plan.converged
    straight = CentralPlanner().solve(island(owners()))
    assert plan.lower_bound - SAME <= straight.objective <= plan.upper_bound + SAME
