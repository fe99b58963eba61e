"""The cheapest coalition: by merit order where that obeys the rules, by a mixed-integer program where it does not."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from gridmarl.negotiation.coalition.mixed_integer import solve_mixed_integer
from gridmarl.negotiation.coalition.offers import Bids, CoalitionRules, Offers
from gridmarl.negotiation.coalition.selection import clearing_ask, merit_order, obeys, select

RULES = CoalitionRules(least_members=3, least_kw=1.0)


def offers(kw: list[float], asks: list[float]) -> Offers:
    return Offers(np.array(kw, np.float64), np.array(asks, np.float64))


def cost(found: Offers, kw) -> float:
    return float(found.ask_per_mwh @ kw)


def by_cvxpy(found: Offers, target: float, rules: CoalitionRules) -> float | None:
    """The same program, written down in cvxpy."""
    import cvxpy as cp

    power, called = cp.Variable(len(found.kw)), cp.Variable(len(found.kw), boolean=True)
    limits = [
        cp.sum(power) == target,
        power <= cp.multiply(found.kw, called),
        power >= rules.least_kw * called,
        cp.sum(called) >= rules.least_members,
    ]
    problem = cp.Problem(cp.Minimize(found.ask_per_mwh @ power), limits)  # pyright: ignore[reportArgumentType]
    problem.solve(solver=cp.HIGHS)
    return None if problem.status not in {"optimal", "optimal_inaccurate"} else float(problem.value)  # pyright: ignore[reportArgumentType]


def test_the_cheapest_are_taken_and_the_last_one_in_part():
    chosen = select(offers([4, 4, 4, 4], [30, 70, 50, 90]), 10.0, RULES)
    assert chosen.kw.tolist() == [4, 2, 4, 0]
    assert (chosen.outcome, chosen.solver) == ("full", "merit order")
    assert clearing_ask(offers([4, 4, 4, 4], [30, 70, 50, 90]), chosen) == 70


def test_too_few_members_bring_in_a_dearer_one_at_its_least():
    found = offers([8, 8, 8], [30, 40, 90])
    chosen = select(found, 10.0, RULES)
    assert chosen.solver == "mixed-integer program"
    np.testing.assert_allclose(chosen.kw, [8, 1, 1], atol=1e-6)


def test_nobody_is_called_for_less_than_is_worth_a_call():
    found = offers([4, 4, 4, 4], [30, 40, 50, 60])
    chosen = select(found, 12.5, RULES)
    np.testing.assert_allclose(chosen.kw, [4, 4, 3.5, 1], atol=1e-6)


def test_too_little_is_relaxed_down_to_four_fifths_and_no_further():
    found = offers([3, 3, 3], [30, 40, 50])
    assert [select(found, required, RULES).outcome for required in (9.0, 11.25, 11.3)] == ["full", "relaxed", "failed"]
    assert select(found, 11.0, RULES).kw.tolist() == [3, 3, 3]


def test_two_cannot_be_three():
    assert select(offers([9, 9], [30, 40]), 5.0, RULES).outcome == "failed"
    assert select(offers([9, 9, 0.5], [30, 40, 50]), 5.0, RULES).outcome == "failed"
    assert select(offers([9, 9, 9], [30, 40, 50]), 2.0, RULES).outcome == "failed"  # less than three times the least


def test_selections_cost_what_the_program_in_cvxpy_costs():
    solvers = set()
    for seed in range(40):
        rng = np.random.default_rng(seed)
        size = int(rng.integers(3, 12))
        found = Offers(rng.uniform(0.2, 6.0, size).round(1), rng.uniform(10, 90, size).round(1))
        required = float(rng.uniform(0.05, 1.0) * found.kw.sum())
        rules = CoalitionRules(int(rng.integers(1, 6)), float(rng.choice([0.1, 1.0, 2.0])))
        chosen = select(found, required, rules)
        if chosen.outcome != "full":
            continue
        solvers.add(chosen.solver)
        assert obeys(chosen.kw, rules)
        assert chosen.total_kw == pytest.approx(required)
        worth = Offers(np.where(found.worth(rules), found.kw, 0.0), found.ask_per_mwh)
        assert cost(found, chosen.kw) == pytest.approx(by_cvxpy(worth, required, rules), rel=1e-6)
    assert solvers == {"merit order", "mixed-integer program"}


def test_the_program_finds_the_best_of_all_coalitions_one_by_one():
    found, rules, target = offers([5, 3, 4, 2.5], [20, 35, 30, 50]), CoalitionRules(3, 2.0), 8.0
    best = np.inf
    for called in itertools.product([False, True], repeat=4):
        taken = np.array(called)
        if taken.sum() < 3 or found.kw[taken].sum() < target or 2.0 * taken.sum() > target:
            continue
        rest = Offers(np.where(taken, found.kw - 2.0, 0.0), found.ask_per_mwh)
        kw = np.where(taken, 2.0, 0.0) + merit_order(rest, taken, target - 2.0 * taken.sum())
        best = min(best, cost(found, kw))
    solved = solve_mixed_integer(found, np.ones(4, np.bool_), target, rules)
    assert solved is not None
    assert cost(found, solved) == pytest.approx(best)


def test_a_first_offer_stands_when_more_is_offered_and_falls_with_the_ask():
    bids = Bids(offers([2, 2, 2], [30, 40, 50]), offers([2, 2, 2], [30, 40, 50]))
    renewed = bids.renewed(offers([3, 1, 0], [25, 20, 90]))
    assert renewed.first.kw.tolist() == [2, 1, 0]
    assert renewed.first.ask_per_mwh.tolist() == [25, 20, 90]


def test_as_few_as_possible_are_asked_for_more():
    bids = Bids(offers([2, 2, 2, 2], [30] * 4), offers([3, 6, 4, 2], [31] * 4))
    assert bids.standing(8.0, RULES) is bids.first
    assert bids.standing(11.0, RULES).kw.tolist() == [2, 6, 2, 2]
    assert bids.standing(13.0, RULES).kw.tolist() == [2, 6, 4, 2]
    assert bids.standing(16.0, RULES).kw.tolist() == [2, 6, 4, 2]  # cannot be met: four fifths are aimed at
    assert bids.without(1).standing(8.0, RULES).kw.tolist() == [2, 0, 4, 2]


def test_dear_offers_are_left_out_where_asking_others_for_more_is_worth_it():
    bids = Bids(offers([4, 4, 4, 2], [30, 30, 30, 60]), offers([5, 5, 5, 2], [31, 31, 31, 60]))
    hasty, patient = CoalitionRules(3, 1.0, goodwill=0.1), CoalitionRules(3, 1.0, goodwill=100.0)
    assert bids.standing(14.5, hasty).kw.tolist() == [5, 5, 5, 0]
    assert bids.standing(14.5, patient).kw.tolist() == [5, 4, 4, 2]
