"""A bidder who knows everything but the future."""

from __future__ import annotations

import numpy as np
import pytest

from gridmarl.agents.rules import Rule
from gridmarl.agents.team import load_team
from gridmarl.bench.market_power.bidding import difference, seat_profits
from gridmarl.bench.market_power.foresight import HORIZON, SHAPES, plans_around, undercutting, without_foresight
from gridmarl.environment.compiled.codecs import GRID_PRICES
from gridmarl.scenario.scenario import Scenario
from tests.learning.worlds import BEST_PROFIT, duopoly_world

MONEY = 1e-6
"""Relative tolerance of dollars summed over an episode."""
DEAREST = len(GRID_PRICES) - 1


def test_other_prices_undercut_rivals_by_as_little_as_the_grid_allows_or_are_the_dearest() -> None:
    places = undercutting(Scenario.load("auction"), "gas_2")
    assert [round(float(GRID_PRICES[place]), 1) for place in places] == [20.0, 29.5, 38.9, 57.9, 76.8, 86.3, 200.0]


def test_plans_begin_with_the_fixed_bid_and_return_to_it() -> None:
    plans = plans_around(Scenario.load("auction"), "gas_2", DEAREST)
    assert plans.shape == (1 + 6 * len(SHAPES), HORIZON)
    assert (plans[0] == DEAREST).all()
    assert (plans[:, max(map(len, SHAPES)) :] == DEAREST).all()
    assert (plans[1:] < DEAREST).any(axis=1).all()


def test_where_nothing_is_uncertain_a_bad_fixed_bid_is_left_for_the_best_response() -> None:
    """At 200 $/MWh nobody buys from the cheap unit; just under its rival's 100 it earns most."""
    world, others = duopoly_world(), load_team("truthful")
    assert seat_profits(world, others, "cheap", Rule("fixed", price_per_mwh=200.0), "test", [0]) == pytest.approx(0.0)
    assert without_foresight(world, others, "cheap", "test", [0], DEAREST, futures=2) == pytest.approx(
        BEST_PROFIT, rel=MONEY
    )


def test_where_the_fixed_bid_is_best_it_is_kept() -> None:
    world, others = duopoly_world(), load_team("truthful")
    earned = without_foresight(world, others, "cheap", "test", [0, 1], 8, futures=2)
    np.testing.assert_allclose(earned, BEST_PROFIT, rtol=MONEY)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_what_gas_2_could_earn_beyond_its_best_fixed_bid_takes_knowing_the_future() -> None:
    """Though it knows every unit's state it gains less than 1 %; the best response, 11 % (of 64 seeds)."""
    world, others, seeds = Scenario.load("auction"), load_team("truthful"), range(32)
    fixed = seat_profits(world, others, "gas_2", Rule("fixed", price_per_mwh=200.0), "test", seeds)
    gain = difference("gain", without_foresight(world, others, "gas_2", "test", seeds, DEAREST) - fixed)
    print(gain, fixed.mean())
    high = gain["gain_high"]
    assert high is not None
    assert high < 0.01 * fixed.mean()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_it_finds_what_gas_1_gains_without_foresight() -> None:
    """So that where it finds nothing, something can be said: here it beats the fixed bid as the learned bidder does."""
    world, others, seeds = Scenario.load("auction"), load_team("truthful"), range(8)
    fixed = seat_profits(world, others, "gas_1", Rule("fixed", price_per_mwh=float(GRID_PRICES[5])), "test", seeds)
    gain = difference("gain", without_foresight(world, others, "gas_1", "test", seeds, 5) - fixed)
    print(gain, fixed.mean())
    low = gain["gain_low"]
    assert low is not None
    assert low > 0.1 * fixed.mean()
