"""What risk aversion costs: expected profit against CVaR, and the scenarios it is judged on."""

from __future__ import annotations

import numpy as np
import pytest

from gridmarl.agents.team import Team
from gridmarl.bench.planned_run import play
from gridmarl.errors import ScenarioError
from gridmarl.evaluation.rollout import rollout
from gridmarl.planning.central import CentralPlanner
from gridmarl.planning.frontier import Choice, efficient_frontier
from gridmarl.planning.model.assets import Battery, Owner, Terminal
from gridmarl.planning.model.horizon import DEFAULT_GRID
from gridmarl.planning.model.risk import Prices
from gridmarl.planning.planner import Planner
from gridmarl.planning.problem import problem_of
from gridmarl.planning.sampling import sample_prices
from gridmarl.units import Float

BETAS = (0.0, 0.3, 0.6, 0.9)
DOLLARS = 1e-4
"""By which a local solver's plan may miss its optimum, on profits of tens of dollars."""


def battery(wear_per_mwh: float = 2.0) -> Battery:
    return Battery("battery", 1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0, wear_per_mwh=wear_per_mwh)


def two_evenings() -> Prices:
    """Buy at 10; sell at 40 for certain, or at 100 or 0 with equal chances."""
    lucky, unlucky = [10.0, 40.0, 100.0], [10.0, 40.0, 0.0]
    return Prices(np.array([lucky] * 5 + [unlucky] * 5), np.full(10, 0.1), alpha=0.8)


def power(choice: Choice) -> Float:
    return choice.plan.injection_mw[0]


def test_the_neutral_gamble_and_the_cautious_take_what_is_certain():
    prices, owner = two_evenings(), Owner("home", (battery(wear_per_mwh=2.0),))
    neutral, averse = efficient_frontier(owner, np.ones(3), prices, (0.0, 0.9))
    assert power(neutral) == pytest.approx([-1.0, 0.0, 1.0], abs=1e-5)
    assert power(averse) == pytest.approx([-1.0, 1.0, 0.0], abs=1e-5)
    assert neutral.certain_cost == pytest.approx(4.0, abs=DOLLARS), "2 MWh at 2 $"
    assert (neutral.expected(prices), neutral.cvar(prices)) == pytest.approx((36.0, -14.0), abs=10 * DOLLARS)
    assert (averse.expected(prices), averse.cvar(prices)) == pytest.approx((26.0, 26.0), abs=10 * DOLLARS)


@pytest.fixture(scope="module")
def fleet():
    return problem_of("bess-fleet", horizon_h=24)


def test_along_the_frontier_expectation_falls_and_cvar_rises(fleet):
    prices = sample_prices("bess-fleet", 60, intervals=24, alpha=0.9)
    choices = efficient_frontier(fleet.owners[1], fleet.step_h, prices, BETAS)
    assert [choice.beta for choice in choices] == list(BETAS)
    expected, tails = [c.expected(prices) for c in choices], [c.cvar(prices) for c in choices]
    assert np.all(np.diff(expected) <= DOLLARS)
    assert np.all(np.diff(tails) >= -DOLLARS)
    assert expected[0] > expected[-1] + 1.0
    assert tails[-1] > tails[0] + 1.0
    for choice in choices:  # each is best at its own weight
        worth = [(1 - choice.beta) * e + choice.beta * t for e, t in zip(expected, tails, strict=True)]
        assert worth[choices.index(choice)] == pytest.approx(max(worth), abs=10 * DOLLARS)


def test_profit_is_revenue_less_wear_and_cvar_is_the_mean_of_its_tail(fleet):
    prices = sample_prices("bess-fleet", 40, intervals=24, alpha=0.9)
    (choice,) = efficient_frontier(Owner("one", (battery(),)), np.ones(24), prices, (0.5,))
    by_hand = prices.per_mwh @ power(choice) - 2.0 * np.abs(power(choice)).sum()
    assert choice.profit(prices) == pytest.approx(by_hand, abs=DOLLARS)
    assert choice.cvar(prices) == pytest.approx(np.sort(by_hand)[:4].mean(), abs=DOLLARS)
    other = sample_prices("bess-fleet", 40, intervals=24, alpha=0.9, split="test")
    assert choice.expected(other) != pytest.approx(choice.expected(prices), abs=0.1)


def test_a_weight_outside_its_range_is_refused():
    with pytest.raises(ScenarioError, match="beta"):
        efficient_frontier(Owner("home", (battery(),)), np.ones(3), two_evenings(), (1.2,))


def test_sampled_prices_are_what_the_worlds_episodes_have():
    prices = sample_prices("bess-fleet", 3, split="select", seed=5)
    for row, path in enumerate(prices.per_mwh):
        played = rollout("bess-fleet", "truthful", seed=5 + row, split="select")
        assert path == pytest.approx(played.of_market("wholesale_per_mwh"))
    assert prices.probability == pytest.approx(np.full(3, 1 / 3))
    assert not np.allclose(sample_prices("bess-fleet", 3, split="test", seed=5).per_mwh, prices.per_mwh)


@pytest.mark.parametrize(("world", "intervals"), [("three-homes", None), ("bess-fleet", 73), ("bess-fleet", 0)])
def test_prices_of_an_island_or_beyond_an_episode_are_refused(world, intervals):
    with pytest.raises(ScenarioError, match="sample_prices"):
        sample_prices(world, 3, intervals=intervals)


@pytest.mark.parametrize(("world", "grid"), [("three-homes", None), ("duck-curve", DEFAULT_GRID)])
def test_a_worlds_problem_is_the_one_its_planners_face_first(world, grid):
    team = Team({"*": Planner(method="selfish", replan_every_h=24.0)}, "once")
    planned = play(world, team).planned
    assert planned is not None
    mine = problem_of(world, horizon_h=24) if grid is None else problem_of(world, horizon_h=24, grid=grid)
    first, second = (CentralPlanner().solve(problem) for problem in (mine, planned.problem))
    assert first.owners == second.owners
    assert first.step_h == pytest.approx(second.step_h)
    assert first.objective == second.objective
    assert np.array_equal(first.injection_mw, second.injection_mw)


def test_the_problem_of_the_three_homes_has_the_known_answer():
    problem = problem_of("three-homes")
    plan = CentralPlanner().solve(problem._replace(terminal=Terminal(keep_energy=True)))
    assert -plan.objective == pytest.approx(-0.682019901, abs=1e-6)
