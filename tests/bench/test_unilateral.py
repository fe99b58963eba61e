"""Each bidder alone beside its best fixed bid and its best response."""

from __future__ import annotations

import pytest

from gridmarl.agents.rules import Rule
from gridmarl.bench.market_power.unilateral import meets, thermal_seats, together_table, unilateral_table
from gridmarl.errors import ScenarioError
from gridmarl.scenario.scenario import Scenario
from tests.learning.worlds import BEST_PROFIT, duopoly_world

MONEY = 1e-6
"""Relative tolerance of dollars summed over an episode."""
THERMAL = ("coal_1", "gas_1", "gas_2")
FORESIGHT = "no training beat a constant $200; test_foresight.py: without knowing the future nearly nothing is to gain"


def test_thermal_units_are_those_that_burn_something() -> None:
    assert thermal_seats(Scenario.load("auction")) == THERMAL


@pytest.mark.parametrize(
    "fixed, profit, best, low, met",
    [
        (100.0, 106.0, 110.0, 1.0, True),
        (100.0, 104.0, 110.0, 1.0, False),  # less than half of the gap
        (100.0, 106.0, 110.0, -0.1, False),  # perhaps by chance
        (100.0, 106.0, 110.0, None, False),  # one seed says nothing
        (100.0, 99.5, 101.0, -1.0, True),  # nothing to learn, nothing lost
        (100.0, 98.0, 101.0, -3.0, False),
        (-100.0, -94.0, -90.0, 1.0, True),
    ],
)
def test_the_line_asks_for_half_the_gap_where_there_is_one(
    fixed: float, profit: float, best: float, low: float | None, met: bool
) -> None:
    assert meets(fixed, profit, best, low) is met


def test_a_row_holds_the_bidder_beside_the_best_fixed_bid_and_the_best_response() -> None:
    """At 2.5 times its cost the cheap unit asks 75 $/MWh; just under its rival's 100 it could ask 95.79."""
    players = {"dear": Rule("markup", factor=2.5), "best": Rule("fixed", price_per_mwh=20 + 8 * 180 / 19)}
    table = unilateral_table(duopoly_world(), ["cheap"], players, train_seeds=[0], test_seeds=range(2))
    dear, best = table.to_dict("records")
    assert dear["profit"] == pytest.approx((75 - 30) * 30 * 8, rel=MONEY)
    assert dear["fixed"] == dear["best_response"] == pytest.approx(BEST_PROFIT, rel=MONEY)
    assert (dear["fixed_offer"], dear["markup_offer"]) == ("95.79 $/MWh", "2.50 x true cost")
    assert dear["gain"] == pytest.approx(dear["profit"] - dear["fixed"], rel=MONEY)
    assert (dear["met"], best["met"]) == (False, True)
    assert best["headroom"] == pytest.approx(0.0, abs=MONEY)
    assert (table.split == "test").all()


def test_a_seat_that_nobody_plays_says_how_to_train_somebody() -> None:
    with pytest.raises(ScenarioError, match="--seats cheap"):
        unilateral_table(duopoly_world(), ["cheap"])
    with pytest.raises(ScenarioError, match=r"chaep.*did you mean 'cheap'"):
        unilateral_table(duopoly_world(), ["chaep"])


def test_teams_are_told_by_what_each_generator_earns() -> None:
    table = together_table(duopoly_world(), ["truthful", "maximum"], seeds=[0])
    assert list(table.columns) == ["cheap", "rival", "sum"]
    assert table.loc["truthful", "sum"] == pytest.approx(0.0, abs=MONEY)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "seat",
    [
        "coal_1",
        "gas_1",
        pytest.param("gas_2", marks=pytest.mark.xfail(strict=True, reason=FORESIGHT)),
    ],
)
def test_a_learned_bidder_of_the_auction_beats_the_best_fixed_bid(seat: str) -> None:
    row = unilateral_table("auction", [seat]).to_dict("records")[0]
    print(row)
    assert row["seeds"] >= 50
    assert row["profit"] <= row["best_response"]
    assert row["profit"] >= 0.98 * row["fixed"]
    assert row["met"], row


def test_all_who_learned_alone_play_together() -> None:
    table = together_table("auction", seeds=range(2))
    assert list(table.index) == ["truthful", "unilateral", "dqn"]
    assert (table.loc["unilateral", list(THERMAL)] > table.loc["truthful", list(THERMAL)]).all()
