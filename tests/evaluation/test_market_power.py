"""Lerner index and withheld capacity, by hand in the duopolies and with rising costs, and in the auction."""

from __future__ import annotations

import numpy as np
import pytest

from gridmarl.agents.rules import Rule
from gridmarl.agents.team import Team
from gridmarl.errors import ScenarioError
from gridmarl.evaluation.market_power import marginal_cost, market_power, market_power_table, worthwhile_mw
from gridmarl.evaluation.rollout import rollout
from gridmarl.scenario.participants import Generator
from gridmarl.scenario.scenario import Scenario

PIVOTAL = Scenario.load("duopoly-pivotal")


def test_at_the_cap_the_one_that_sets_the_price_withholds_what_the_other_sells() -> None:
    played = rollout(PIVOTAL, Team({"cheap": Rule("fixed", price_per_mwh=40.0), "dear": Rule("maximum")}))
    cheap, dear = (market_power(played, PIVOTAL, name) for name in ("cheap", "dear"))
    assert (cheap.lerner, dear.lerner) == (pytest.approx((200 - 30) / 200), pytest.approx((200 - 100) / 200))
    assert (cheap.marginal_share, dear.marginal_share) == (0.0, 1.0)
    assert (cheap.marginal_lerner, dear.marginal_lerner) == (None, pytest.approx(0.5))
    assert (cheap.withheld_mwh, dear.withheld_mwh) == (pytest.approx(0.0), pytest.approx(60.0))


def test_who_is_truthful_and_marginal_has_no_power_and_who_sells_nothing_no_index() -> None:
    world = Scenario.load("duopoly-low")
    played = rollout(world, "truthful")
    cheap, dear = (market_power(played, world, name) for name in ("cheap", "dear"))
    assert (cheap.lerner, cheap.marginal_lerner, cheap.withheld_mwh) == (pytest.approx(0.0), pytest.approx(0.0), 0.0)
    assert (dear.lerner, dear.marginal_lerner, dear.withheld_mwh) == (None, None, 0.0)


def test_capacity_that_is_not_offered_is_withheld_too() -> None:
    class Half(Rule):
        def _action(self, seats: object, seat: str) -> np.ndarray:
            return np.array([0.0, 50.0])  # 50 of its 100 MW, at nothing

    played = rollout(PIVOTAL, Team({"cheap": Half("fixed"), "dear": Rule("truthful")}))
    assert market_power(played, PIVOTAL, "cheap").withheld_mwh == pytest.approx(50.0)


def test_with_rising_costs_only_what_is_worth_its_cost_counts() -> None:
    unit = Generator(name="unit", capacity_mw=100, cost_per_mwh=20, cost_per_mw2h=0.5)
    assert marginal_cost(unit, np.array([0.0, 30.0])).tolist() == [20.0, 50.0]
    prices = np.array([10.0, 20.0, 50.0, 500.0])
    assert worthwhile_mw(unit, prices, np.full(4, 80.0)).tolist() == pytest.approx([0.0, 0.0, 30.0, 80.0])


def test_nothing_is_earned_at_prices_of_zero_or_below() -> None:
    world = PIVOTAL.but(market={"floor_per_mwh": -50})
    rule = Rule("fixed", price_per_mwh=-10.0)
    found = market_power_table(rollout(world, Team({"generator": rule})), world)
    assert found.lerner.isna().all()
    assert found.withheld_mwh.tolist() == [0.0, 0.0]


def test_asking_more_in_the_auction_raises_the_index_and_what_is_withheld() -> None:
    world = Scenario.load("auction").but(intervals=96)
    honest, dear = (market_power_table(rollout(world, team), world) for team in ("truthful", "markup"))
    assert honest.generator.tolist() == [unit.name for unit in world.all_generators]
    assert dear.lerner.mean() > honest.lerner.mean()
    assert dear.withheld_mwh.sum() > honest.withheld_mwh.sum()
    marginal = honest.marginal_lerner.dropna()
    assert len(marginal) > 0
    assert marginal.to_numpy() == pytest.approx(0.0, abs=1e-9), "who sets the price truthfully has no margin"


def test_another_world_or_another_seat_is_refused() -> None:
    played = rollout(PIVOTAL, "truthful")
    with pytest.raises(ScenarioError, match="pass the scenario that was played"):
        market_power(played, Scenario.load("duopoly-low"), "cheap")
    with pytest.raises(ScenarioError, match="did you mean 'cheap'"):
        market_power(played, PIVOTAL, "chaep")
