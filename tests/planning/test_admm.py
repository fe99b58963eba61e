"""ADMM: privacy, warm starts, honest marks and refusals."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest

from gridmarl.errors import InfeasiblePlanError, ScenarioError
from gridmarl.planning.admm.planner import AdmmPlanner
from gridmarl.planning.admm.sharing import AdmmSettings, Agreement, Sharing
from gridmarl.planning.admm.totals_step import nearest_totals
from gridmarl.planning.central.planner import CentralPlanner
from gridmarl.planning.model.assets import Coupling, Owner, Terminal
from gridmarl.planning.model.groups import rows_of
from gridmarl.planning.model.problem import Problem
from gridmarl.planning.model.risk import Prices
from gridmarl.planning.owners.worker import Message, Worker
from tests.planning.parties import BALANCE, CITY, PRICES, STEPS, island
from tests.planning.parties import CURVED_CELL as CELL
from tests.planning.parties import CURVED_GAS as GAS
from tests.planning.parties import curved_owners as owners

TOLERANCE = 1e-6


def test_another_owners_secrets_do_not_change_an_answer_to_the_same_messages():
    rng = np.random.default_rng(3)
    replay = [Message(rng.normal(size=4), rng.normal(size=4), 20.0 if i < 3 else 35.0) for i in range(6)]
    answers = []
    for cell in (CELL, replace(CELL, energy_now_mwh=0.3, charge_limit_mw=9.0)):
        team = {owner.name: Worker(owner, STEPS, PRICES, Terminal(), 1.6) for owner in owners(cell)}
        heard = []
        for message in replay:
            team["store"].respond(message)
            heard.append(team["plant"].respond(message))
        answers.append(np.stack(heard))
    assert np.array_equal(answers[0], answers[1])


def test_a_message_is_the_size_of_the_horizon_whatever_the_number_of_owners():
    sharing = Sharing(("a", "b", "c"), STEPS, BALANCE, PRICES.expected_per_mwh, 1.0, AdmmSettings())
    (message,) = sharing.messages([])
    assert message.mean_mismatch_mw.shape == message.dual_mw.shape == (4,)


def test_a_second_plan_starts_from_the_first_agreement():
    planner = AdmmPlanner()
    cold = planner.solve(island(owners()))
    warm = planner.solve(island(owners(replace(CELL, energy_now_mwh=2.01))))
    alone = AdmmPlanner().solve(island(owners(replace(CELL, energy_now_mwh=2.01))))
    assert warm.converged
    assert warm.rounds < cold.rounds
    assert warm.objective == pytest.approx(alone.objective, rel=1e-5)


def test_a_plan_of_other_owners_and_steps_works_after_the_first():
    planner = AdmmPlanner()
    planner.solve(island(owners()))
    others = (*owners()[1:], Owner("newcomer", (replace(CELL, charge_efficiency=0.8),)))
    steps, prices = np.array([0.5, 0.5, 1.0]), Prices.certain(np.array([60.0, 30.0, 80.0]))
    city = replace(CITY, baseline_mw=np.asarray(CITY.baseline_mw)[1:])
    others = (others[0], Owner("town", (city,)), others[2])
    problem = Problem(others, steps, BALANCE, prices)
    plan = planner.solve(problem, elapsed_h=1.0)
    assert plan.owners == ("plant", "town", "newcomer")
    assert plan.objective == pytest.approx(CentralPlanner().solve(problem).objective, rel=1e-5)


def test_an_agreement_moves_forward_in_time():
    agreement = Agreement(("a",), np.ones(3), np.array([[1.0, 2.0, 3.0]]), np.array([[10.0, 20.0, 30.0]]), 1.0)
    shares, multiplier = agreement.moved(1.0, ("b", "a"), np.ones(3))
    assert shares.tolist() == [[0.0, 0.0, 0.0], [2.0, 3.0, 3.0]]
    assert multiplier.tolist() == [[20.0, 30.0, 30.0]]


def test_too_few_rounds_are_marked_and_logged(caplog):
    with caplog.at_level(logging.INFO):
        plan = AdmmPlanner(AdmmSettings(max_rounds=3)).solve(island(owners()))
    assert not plan.converged
    assert plan.rounds == len(plan.history.primal_mw) == 3
    assert "stopped after 3 rounds" in caplog.text


def test_a_huge_penalty_does_not_pass_for_agreement():
    settings = AdmmSettings(rho=1e9, max_rounds=60, adapt_rounds=0)
    plan = AdmmPlanner(settings).solve(island(owners()))
    assert plan.dual_residual_mw < 1e-3
    assert not plan.converged


def test_shortage_and_surplus_are_priced_as_in_the_central_plan():
    scarce = (Owner("plant", (replace(GAS, available_mw=2.0, minimum_mw=1.8),)), owners()[2])
    plan, central = (solve(island(scarce)) for solve in (AdmmPlanner().solve, CentralPlanner().solve))
    assert plan.converged
    assert plan.shortage_mwh == pytest.approx(central.shortage_mwh, abs=1e-3)
    assert plan.surplus_mwh == pytest.approx(central.surplus_mwh, abs=1e-3)
    assert plan.surplus_mwh[0] > 0.1
    assert plan.shortage_mwh[2] > 0.1
    assert plan.multiplier_per_mwh[[0, 2]] == pytest.approx([-400.0, 1000.0], abs=1e-3)
    assert central.multiplier_per_mwh[[0, 2]] == pytest.approx([-400.0, 1000.0], abs=1e-3)


def test_an_impossible_asset_is_named():
    with pytest.raises(InfeasiblePlanError, match=r"store\.cell"):
        AdmmPlanner().solve(island(owners(replace(CELL, energy_now_mwh=12.0))))


@pytest.mark.parametrize("wrong", [{"relaxation": 2.0}, {"max_rounds": 0}, {"tolerance": 0.0}, {"rho": -1.0}])
def test_settings_that_cannot_converge_are_refused(wrong):
    with pytest.raises(ScenarioError, match="admm"):
        AdmmSettings(**wrong)


def test_the_coupling_step_minimises_its_own_cost():
    rows = rows_of(Coupling(-1.0, 2.0, 30.0, 20.0), 1)
    grid = np.linspace(-60.0, 60.0, 240_001)
    for wish in (-50.0, -1.5, 0.3, 2.2, 40.0):
        cost = 30 * np.maximum(-1 - grid, 0) + 20 * np.maximum(grid - 2, 0) + 0.5 * 1.7 * (grid - wish) ** 2
        total, price = nearest_totals(rows, np.array([[wish]]), np.array([1 / 1.7]))
        assert total[0, 0] == pytest.approx(grid[cost.argmin()], abs=1e-3)
        assert price[0] == pytest.approx(1.7 * (total[0, 0] - wish), abs=1e-9)
