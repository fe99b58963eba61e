from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gridmarl.agents.make import vector_env
from gridmarl.agents.rules import Rule
from gridmarl.agents.team import load_team
from gridmarl.bench.market_power.bidding import MARKUPS, best_bids, bidding_table, difference, seat_profits
from gridmarl.environment.compiled.codecs import GRID_PRICES
from gridmarl.errors import ScenarioError
from gridmarl.learning.trainer import train
from gridmarl.scenario.scenario import Scenario
from tests.learning.worlds import BEST_PROFIT, duopoly_world, quick_recipe

MONEY = 1e-6
"""Relative tolerance of dollars summed over an episode."""


@pytest.fixture(scope="module")
def duopoly() -> Scenario:
    return duopoly_world()


def test_a_fixed_price_is_what_the_same_action_of_the_grid_earns() -> None:
    scenario, truthful = Scenario.load("auction").but(intervals=60), load_team("truthful")
    markets = vector_env(scenario, 3, seats="gas_1", split="train", codecs={"gas_1": "price-grid"})
    for action in (0, 5, 19):
        markets.reset(seed=4)
        earned = np.zeros(3)
        for _ in range(60):
            earned += markets.step({"generator": np.full((3, 1), action)})[1]["generator"][:, 0]
        rule = Rule("fixed", price_per_mwh=float(GRID_PRICES[action]))
        np.testing.assert_allclose(
            seat_profits(scenario, truthful, "gas_1", rule, "train", (4, 5, 6)), earned, rtol=MONEY, atol=MONEY
        )


def test_the_best_constant_offers_are_those_that_enumeration_finds(duopoly: Scenario) -> None:
    """Just under the rival's 100: 95.79 $/MWh of the grid, and 2.5 times 30 of the mark-ups, which end there."""
    price, markup = best_bids(duopoly, load_team("truthful"), "cheap", (0, 1))
    assert price.label == "95.79 $/MWh"
    assert price.train_profit == pytest.approx(BEST_PROFIT, rel=MONEY)
    assert markup.label == "2.50 x true cost"
    assert markup.train_profit == pytest.approx((75 - 30) * 30 * 8, rel=MONEY)
    assert (MARKUPS[0], MARKUPS[-1], len(MARKUPS)) == (1.0, 2.5, 31)


def by_player(table: pd.DataFrame) -> dict[str, dict[Any, Any]]:
    return {row["player"]: row for row in table.to_dict("records")}


def test_the_table_shows_everybody_on_the_same_seeds(duopoly: Scenario, tmp_path: Path) -> None:
    folder = train(quick_recipe(), env=duopoly, out=tmp_path / "learned", progress=False)
    rows = by_player(bidding_table(duopoly, "cheap", [folder], train_seeds=range(2), test_seeds=range(3)))
    assert list(rows) == ["truthful", "maximum", "best-fixed-price", "best-fixed-markup", "learned"]
    assert rows["truthful"]["profit"] == pytest.approx(0.0, abs=MONEY)  # it sets the price itself
    assert rows["maximum"]["profit"] == pytest.approx(0.0, abs=MONEY)  # and sells nothing at the cap
    assert rows["learned"]["profit"] == pytest.approx(BEST_PROFIT, rel=MONEY)
    assert [name for name, row in rows.items() if row["best_fixed"]] == ["best-fixed-price"]
    assert rows["learned"]["less_best_fixed"] == pytest.approx(0.0, abs=BEST_PROFIT * MONEY)
    assert rows["truthful"]["less_best_fixed"] == pytest.approx(-BEST_PROFIT, rel=MONEY)
    assert rows["learned"]["information"] == "forecast"
    assert {(row["digest"], row["split"], row["seeds"]) for row in rows.values()} == {(duopoly.digest, "test", 3)}


def test_agents_may_be_given_as_objects(duopoly: Scenario) -> None:
    players = {"half": Rule("markup", factor=2.0)}
    rows = by_player(bidding_table(duopoly, "cheap", players, train_seeds=[0], test_seeds=[0]))
    assert rows["half"]["profit"] == pytest.approx((60 - 30) * 30 * 8, rel=MONEY)


def test_only_generators_bid(duopoly: Scenario) -> None:
    with pytest.raises(ScenarioError, match=r"chaep.*did you mean 'cheap'"):
        bidding_table(duopoly, "chaep")
    with pytest.raises(ScenarioError, match="town"):
        bidding_table(duopoly, "town")


def test_the_interval_is_that_of_the_meandifference() -> None:
    values = np.random.default_rng(0).normal(10.0, 2.0, 400)
    half = 1.96 * values.std() / 20  # the normal interval of a mean of 400
    found = difference("gain", values)
    assert found["gain"] == pytest.approx(values.mean())
    assert found["gain_low"] == pytest.approx(values.mean() - half, abs=0.02)
    assert found["gain_high"] == pytest.approx(values.mean() + half, abs=0.02)
    assert difference("gain", values) == found
