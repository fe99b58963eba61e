"""ALADIN: the known answer in few rounds, certified optima of random fleets, steps that are refused, privacy."""

from __future__ import annotations

import logging
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from gridmarl.errors import InfeasiblePlanError, ScenarioError
from gridmarl.evaluation.rollout import rollout
from gridmarl.planning.admm.rounds import GAP_FLOOR
from gridmarl.planning.aladin import finisher
from gridmarl.planning.aladin.coupling_step import coupling_price
from gridmarl.planning.aladin.planner import AladinPlanner, AladinSettings
from gridmarl.planning.central.planner import CentralPlanner
from gridmarl.planning.model.assets import Coupling, Owner, Terminal
from gridmarl.planning.model.plan import Plan
from gridmarl.planning.model.problem import Problem
from gridmarl.planning.owners.condensation import Condensed
from gridmarl.planning.owners.delegate import Delegate, PriceMessage, Stake
from gridmarl.planning.owners.worker import Message, Worker
from gridmarl.planning.wire.channel import Audit
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import KW_PER_MW, Float
from tests.planning.parties import BALANCE, PRICES
from tests.planning.parties import CURVED_CELL as CELL
from tests.planning.parties import CURVED_GAS as GAS
from tests.planning.parties import curved_owners as owners
from tests.planning.test_random_fleets import direct_cost, fleets, state_residual, turnover

WELFARE = -0.682019901  # $, published
WELFARE_TOLERANCE = 1e-6
RESIDUAL_KW = 2.17e-6
RELATIVE_GAP = 1e-6
CENTRAL = 1e-8  # accuracy of the central solver, of the money that changes hands
DUST = 1e-6
EARLY = AladinSettings(first=15, max_rounds=2000)  # after 60 rounds ADMM alone has settled most small fleets

STEPS = np.array([1.0, 0.5, 1.0, 1.0])


@pytest.fixture(scope="module")
def agreed(quadratic_homes) -> Plan:
    homes = quadratic_homes
    return AladinPlanner().solve(homes.problem)


def test_three_homes_are_certified_within_a_hundred_rounds(agreed):
    assert agreed.converged
    assert agreed.rounds == len(agreed.history.primal_mw) <= 100
    assert agreed.primal_residual_mw * KW_PER_MW <= RESIDUAL_KW
    assert agreed.dual_residual_mw * KW_PER_MW <= RESIDUAL_KW
    assert agreed.relative_gap <= RELATIVE_GAP
    assert -agreed.objective == pytest.approx(WELFARE, abs=WELFARE_TOLERANCE)


def test_the_homes_mismatch_measured_on_the_plan_is_what_the_plan_says(agreed):
    mismatch_kw = np.linalg.norm(agreed.injection_mw.sum(axis=0)) * KW_PER_MW
    assert mismatch_kw <= RESIDUAL_KW
    assert agreed.primal_residual_mw * KW_PER_MW == pytest.approx(mismatch_kw, abs=1e-9)


def test_the_bounds_enclose_the_published_optimum(agreed):
    digits = 5e-10  # of the published number
    assert agreed.lower_bound - digits <= -WELFARE <= agreed.upper_bound + digits
    assert agreed.upper_bound - agreed.lower_bound <= RELATIVE_GAP * -WELFARE


def test_steps_end_what_rounds_of_admm_alone_do_not(quadratic_homes, agreed):
    homes = quadratic_homes
    alone = AladinSettings(first=agreed.rounds + 1, max_rounds=agreed.rounds)
    plan = AladinPlanner(alone).solve(homes.problem)
    assert not plan.converged
    assert plan.gap > 100 * agreed.gap


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(fleet=fleets())
def test_random_fleets_reach_the_central_optimum_within_the_certified_gap(fleet: Problem):
    plan, central = AladinPlanner(EARLY).solve(fleet), CentralPlanner().solve(fleet)
    money = turnover(fleet)
    assert plan.converged
    assert plan.gap <= RELATIVE_GAP * max(abs(plan.objective), GAP_FLOOR * money)
    assert plan.lower_bound <= central.objective + CENTRAL * money
    assert abs(plan.objective - central.objective) <= max(plan.gap, 0.0) + CENTRAL * money


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(fleet=fleets())
def test_schedules_obey_every_limit_and_cost_what_the_plan_says(fleet: Problem):
    parties, step_h, coupling, prices, _ = fleet
    plan = AladinPlanner(EARLY).solve(fleet)
    size = np.abs(plan.injection_mw).max() + max(1e-9, np.abs(coupling.upper_mw))
    for i, owner in enumerate(parties):
        for asset, schedule in zip(owner.assets, plan.assets[i], strict=True):
            assert state_residual(asset, schedule, step_h) < 1e-6 * size
        if owner.beta == 0:
            worth = (prices.expected_per_mwh * step_h) @ plan.injection_mw[i]
            assert abs(direct_cost(owner, plan, i) - worth - plan.owner_objective[i]) <= 1e-7 * turnover(fleet)


def test_shortage_and_surplus_are_priced_as_in_the_central_plan():
    scarce = (Owner("plant", (replace(GAS, available_mw=2.0, minimum_mw=1.8),)), owners()[2])
    plan, central = (
        solve(Problem(scarce, STEPS, BALANCE, PRICES)) for solve in (AladinPlanner().solve, CentralPlanner().solve)
    )
    assert plan.converged
    assert plan.shortage_mwh == pytest.approx(central.shortage_mwh, abs=1e-6)
    assert plan.surplus_mwh == pytest.approx(central.surplus_mwh, abs=1e-6)
    assert plan.shortage_mwh[2] > 0.1
    assert plan.surplus_mwh[0] > 0.1
    assert plan.objective == pytest.approx(central.objective, rel=1e-6)


def test_one_sided_limits_are_met():
    coupling = Coupling(-np.inf, 0.5, 1000.0, 400.0)
    sellers = (Owner("plant", (replace(GAS, cost_per_mwh=10.0),)), owners()[0])
    plan, central = (
        solve(Problem(sellers, STEPS, coupling, PRICES)) for solve in (AladinPlanner().solve, CentralPlanner().solve)
    )
    assert plan.converged
    assert plan.injection_mw.sum(axis=0).max() <= 0.5 + DUST
    assert plan.multiplier_per_mwh.min() < -1.0
    assert plan.objective == pytest.approx(central.objective, rel=1e-6)


def test_an_owner_of_nothing_does_not_disturb(quadratic_homes):
    homes = quadratic_homes
    parties = (*homes.problem.owners, Owner("guest", ()))
    plan = AladinPlanner().solve(homes.problem._replace(owners=parties))
    assert plan.converged
    assert np.abs(plan.injection_mw[3]).max() <= RESIDUAL_KW / KW_PER_MW
    assert -plan.objective == pytest.approx(WELFARE, abs=WELFARE_TOLERANCE)


def test_an_impossible_asset_is_named():
    with pytest.raises(InfeasiblePlanError, match=r"store\.cell"):
        AladinPlanner().solve(Problem(owners(replace(CELL, energy_now_mwh=12.0)), STEPS, BALANCE, PRICES))


def test_a_step_that_is_not_confirmed_leaves_admm_to_go_on(quadratic_homes, monkeypatch):
    homes, asked = quadratic_homes, []

    def misled(*arguments: object) -> Float:
        asked.append(arguments)
        return np.full((1, 24), 5_000.0)  # a price nobody would agree to

    monkeypatch.setattr(finisher, "coupling_price", misled)
    loose = AladinSettings(tolerance=1e-6, gap_tolerance=1e-5)
    plan = AladinPlanner(loose).solve(homes.problem)
    assert len(asked) > 1
    assert plan.converged
    assert plan.rounds > 100
    assert plan.history.objective[-1] == plan.objective
    assert -plan.objective == pytest.approx(WELFARE, abs=1e-5)


def test_a_step_that_is_too_long_is_shortened_by_the_dual_function(quadratic_homes, monkeypatch):
    homes, told = quadratic_homes, []

    def overshooting(*request: Any) -> Float:
        price = coupling_price(*request)
        return price if told else price + 3.0 * (price - request[3])

    plain = Delegate.answer

    def heard(self: Delegate, message: PriceMessage) -> Condensed:
        told.append(message.follow)
        return plain(self, message)

    monkeypatch.setattr(finisher, "coupling_price", overshooting)
    monkeypatch.setattr(Delegate, "answer", heard)
    plan = AladinPlanner(AladinSettings(steps=20)).solve(homes.problem)
    assert told[:6] == [True] * 3 + [False] * 3  # three homes: moved, then stayed
    assert plan.converged
    assert plan.rounds < 60 + 20  # no more rounds of ADMM
    assert -plan.objective == pytest.approx(WELFARE, abs=WELFARE_TOLERANCE)


def test_linear_wear_is_planned_exactly_from_proposals(linear_homes):
    homes = linear_homes
    plan = AladinPlanner().solve(homes.problem)
    assert plan.method == "aladin"
    assert plan.converged
    assert plan.rounds == len(plan.history.rho) <= 150
    assert plan.objective == pytest.approx(0.608019112, abs=5e-10)
    assert plan.relative_gap <= RELATIVE_GAP
    assert plan.primal_residual_mw * KW_PER_MW <= RESIDUAL_KW


def test_too_few_rounds_for_linear_wear_are_marked(linear_homes, caplog):
    homes = linear_homes
    with caplog.at_level(logging.INFO):
        plan = AladinPlanner(AladinSettings(max_rounds=20)).solve(homes.problem)
    assert not plan.converged
    assert plan.rounds == len(plan.history.rho) == 20
    assert plan.lower_bound <= 0.608019112 + 5e-10 <= plan.upper_bound
    assert "stopped after" in caplog.text


def test_one_curved_cost_keeps_all_owners_with_steps(linear_homes):
    homes, audit = linear_homes, Audit()
    curved = Owner("plant", (replace(GAS, available_mw=0.01, cost_per_mw2h=3000.0),))
    AladinPlanner(AladinSettings(max_rounds=70), audit=audit).solve(
        homes.problem._replace(owners=(*homes.problem.owners, curved))
    )
    assert "Answer" in {entry.kind for entry in audit.entries}
    assert "Settlement" not in {entry.kind for entry in audit.entries}


def test_every_plan_of_a_linear_world_is_finished():
    """Linear costs leave residuals open however right the price is; proposals close them."""
    played = rollout(Scenario.load("auction").but(intervals=96), "aladin", seed=0)
    assert len(played.negotiations) == 8
    assert all(record.converged for record in played.negotiations)
    assert max(record.primal_mw[-1] for record in played.negotiations) <= DUST


def delegate_of(owner: Owner, replay: list[Message]) -> Delegate:
    worker = Worker(owner, STEPS, PRICES, Terminal(), 1.6)
    for message in replay:
        worker.respond(message)
    return Delegate(worker)


def test_offers_and_slopes_are_all_that_leaves_an_owner(monkeypatch):
    """Every public answer of a delegate while steps are taken is recorded."""
    said: list[object] = []
    for name in ("condensed", "answer", "stake"):
        plain = getattr(Delegate, name)

        def heard(self: Delegate, *message: object, plain=plain) -> object:
            said.append(plain(self, *message))
            return said[-1]

        monkeypatch.setattr(Delegate, name, heard)
    withheld = ("injection_mw", "trajectories", "objective")
    for name in withheld:
        monkeypatch.setattr(Delegate, name, lambda self: pytest.fail("asked for a schedule before there was a plan"))
    agreed = AladinPlanner(AladinSettings(first=10))
    monkeypatch.setattr(agreed, "_agreed", lambda rounds, finisher, trial, delegates: trial)
    trial = agreed.solve(Problem(owners(), STEPS, BALANCE, PRICES))
    assert isinstance(trial, finisher.Trial)
    assert {type(answer) for answer in said} == {Condensed, Stake}
    assert [field.name for field in fields(Condensed)] == ["offer_mw", "slope"]
    assert all(isinstance(getattr(a, f.name), float) for a in said if isinstance(a, Stake) for f in fields(Stake))
    for answer in said:
        if isinstance(answer, Condensed):
            assert answer.offer_mw.shape == (4,)
            assert answer.slope.shape == (4, 4)


def test_another_owners_secrets_do_not_change_an_answer_to_the_same_prices():
    rng = np.random.default_rng(3)
    replay = [Message(rng.normal(size=4), rng.normal(size=4), 20.0) for _ in range(5)]
    prices = [PriceMessage(rng.normal(size=4), 20.0, follow) for follow in (1.0, 0.0, 1.0)]
    answers = []
    for cell in (CELL, replace(CELL, energy_now_mwh=0.3, charge_limit_mw=9.0)):
        team = [delegate_of(owner, replay) for owner in owners(cell)]
        heard = [[delegate.answer(price) for delegate in team][1] for price in prices]
        answers.append(np.concatenate([np.append(one.slope.ravel(), one.offer_mw) for one in heard]))
    assert np.array_equal(answers[0], answers[1])


def test_an_offer_and_a_slope_foretell_the_answer_to_a_small_change_of_price():
    calm = [Message(np.zeros(4), np.zeros(4), 20.0)] * 3
    delegate = delegate_of(Owner("plant", (GAS,)), calm)
    near = np.array([10.0, -2.0, 20.0, -5.0])
    delegate.answer(PriceMessage(near, 20.0, follow=1.0))
    delegate.adopt()
    condensed, price = delegate.condensed(), near + 0.01
    best = np.clip((PRICES.expected_per_mwh + price - GAS.cost_per_mwh) / (2 * GAS.cost_per_mw2h), 0.0, 3.0)
    interior = (best > 0) & (best < 3)
    foretold = condensed.offer_mw + condensed.slope @ (STEPS * price)
    assert interior.any()
    assert foretold[interior] == pytest.approx(best[interior], abs=1e-4)
    assert np.linalg.eigvalsh(condensed.slope).min() >= -1e-12


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"first": 0}, {"gap_tolerance": 0.0}, {"max_rounds": 0}])
def test_settings_that_cannot_converge_are_refused(wrong):
    with pytest.raises(ScenarioError, match="aladin"):
        AladinSettings(**wrong)


def test_the_coupling_price_solves_its_program():
    rng = np.random.default_rng(1)
    half = rng.normal(size=(4, 4))
    total = Condensed(np.array([-1.0, 2.0, 0.1, -30.0]), half @ half.T * 0.02)
    coupling = Coupling(-0.5, 0.5, 30.0, 20.0)
    price = coupling_price(total, coupling, STEPS, np.zeros(4), 10.0, 1.0)
    assert np.all((price >= -20.0) & (price <= 30.0))
    met = total.offer_mw + total.slope @ (STEPS * price)
    dust = 1e-8
    for inside, t, p in zip((price < 30) & (price > -20), met, price, strict=True):
        if p > dust:
            assert t == pytest.approx(-0.5, abs=dust) if inside else t <= -0.5 + dust
        elif p < -dust:
            assert t == pytest.approx(0.5, abs=dust) if inside else t >= 0.5 - dust
        else:
            assert -0.5 - dust <= t <= 0.5 + dust


def test_where_nobody_answers_the_price_stays():
    stiff = Condensed(np.zeros(4), np.zeros((4, 4)))
    last = np.array([5.0, -3.0, 0.0, 12.0])
    assert coupling_price(stiff, BALANCE, STEPS, last, 10.0, 1.0) == pytest.approx(last, abs=1e-3)


def test_a_second_plan_starts_from_the_first_ones_agreement(quadratic_homes):
    homes, planner = quadratic_homes, AladinPlanner()
    first, again = (planner.solve(homes.problem) for _ in range(2))
    assert again.converged
    assert again.rounds < first.rounds
    assert again.objective == pytest.approx(first.objective, rel=RELATIVE_GAP)


def test_an_aladin_team_plays_an_episode_from_agreements():
    played = rollout("three-homes", "aladin", seed=0)
    assert len(played.negotiations) == 24
    assert all(record.converged for record in played.negotiations)
