"""What a seat could gain: exact where chance plays no part, a lower bound elsewhere, never less than nothing."""

from __future__ import annotations

import numpy as np
import pytest

from gridmarl.agents.rules import Rule, ZeroIntelligence
from gridmarl.agents.team import Team, load_team
from gridmarl.bench.market_power.best_response import BestResponse, best_response
from gridmarl.bench.market_power.strategy import chosen_seats, strategy_table
from gridmarl.bench.statistics import Estimate
from gridmarl.errors import ScenarioError
from gridmarl.scenario.scenario import Scenario
from tests.bench.test_enumeration import ramped
from tests.learning.worlds import BEST_PROFIT, duopoly_world, quick_recipe

MONEY = 1e-6
"""Relative tolerance of dollars summed over an episode."""


def test_against_a_truthful_rival_the_cheap_one_asks_a_tick_below_its_cost() -> None:
    found = best_response("duopoly-low", "truthful", "cheap", select_seeds=[0], test_seeds=[0, 1])
    assert (found.kind, found.player, found.role) == ("exact", "always 95.79 $/MWh", "generator")
    assert found.now == pytest.approx(0.0, abs=MONEY)  # it sets the price itself
    assert found.best == found.clairvoyant == pytest.approx((95.78947368 - 30) * 60)
    assert (found.gain.value, found.gain.low, found.gain.high) == (found.best,) * 3
    assert found.exploitability is None, "of no profit nothing is a share"


def test_against_a_truthful_rival_the_dear_one_takes_the_residual_at_the_cap() -> None:
    found = best_response("duopoly-pivotal", "truthful", "dear", select_seeds=[0], test_seeds=[0])
    assert (found.kind, found.player) == ("exact", "always 200.00 $/MWh")
    assert found.best == pytest.approx((200 - 100) * 40)


def test_an_equilibrium_cannot_be_exploited() -> None:
    team = Team({"cheap": Rule("fixed", price_per_mwh=20.0), "dear": Rule("maximum")}, "equilibrium")
    for seat in ("cheap", "dear"):
        found = best_response("duopoly-pivotal", team, seat, select_seeds=[0], test_seeds=[0])
        assert (found.kind, found.gain.value, found.exploitability) == ("exact", 0.0, 0.0)


def test_where_nothing_is_left_to_chance_a_sequence_of_actions_is_exact() -> None:
    world = ramped(profiles={"demand": {"values": [1.0, 0.5, 1.2]}})
    found = best_response(world, "truthful", "unit", select_seeds=[0], test_seeds=[0, 1])
    assert (found.kind, found.player) == ("exact", "a sequence")
    assert found.best == pytest.approx(found.clairvoyant)


def test_where_chance_decides_what_is_found_is_a_lower_bound() -> None:
    found = best_response(ramped(), "truthful", "unit", select_seeds=range(6), test_seeds=range(6))
    assert found.kind == "lower bound"
    assert found.clairvoyant is not None
    assert found.now <= found.best < found.clairvoyant
    assert found.gain.low is not None
    assert found.gain.high is not None
    assert found.gain.low <= found.gain.value <= found.gain.high
    assert found.select_gain >= 0.0


def test_nothing_is_enumerated_where_episodes_are_long_or_others_draw() -> None:
    short = best_response(ramped(), "truthful", "unit", select_seeds=[0], test_seeds=[0], enumerated=2)
    assert (short.kind, short.clairvoyant) == ("lower bound", None)
    team = Team({"peaker": ZeroIntelligence(), **load_team("truthful").agents}, "noisy")
    noisy = best_response(ramped(), team, "unit", select_seeds=[0], test_seeds=[0])
    assert (noisy.kind, noisy.clairvoyant) == ("lower bound", None)


def test_planners_are_played_against_one_market_at_a_time() -> None:
    team = Team({"unit": Rule("truthful"), **load_team("central").agents}, "planned")
    world = ramped(2, storage=[])
    found = best_response(world, team, "unit", select_seeds=[0], test_seeds=[0])
    assert (found.kind, found.clairvoyant) == ("lower bound", None)
    assert found.select_gain >= 0.0


def test_policies_are_learned_and_chosen_where_they_are_best() -> None:
    """Alone with a grid of prices, DQN finds the best of them; it is chosen only where it beats the constant ones."""
    found = best_response(
        duopoly_world(),
        "truthful",
        "cheap",
        trainings=1,
        recipe=quick_recipe(),
        changes={"steps": 4_800, "epsilon_steps": 2_400},
        select_seeds=[0],
        test_seeds=[0],
    )
    assert found.best == pytest.approx(BEST_PROFIT, rel=MONEY)
    assert found.kind == "exact"
    assert found.player in ("always 95.79 $/MWh", "training 0")


def test_a_gain_of_dust_is_none_and_a_gain_without_profit_is_no_share() -> None:
    def of(now: float, gain: float) -> float | None:
        estimate = Estimate(gain, None, None)
        return BestResponse("s", "generator", "exact", "", now, now + gain, estimate, gain, None, 1).exploitability

    assert of(100.0, 2.0) == 0.02
    assert of(100.0, 1e-12) == 0.0
    assert of(0.0, 5.0) is None


def test_the_table_has_a_row_a_seat_with_the_market_power_of_generators() -> None:
    done: list[int] = []
    table = strategy_table("duopoly-pivotal", "truthful", ("generator", "town"), seeds=[0], done=done.append)
    assert table.seat.tolist() == ["cheap", "dear", "town"]
    assert sum(done) == 4
    rows = table.set_index("seat")
    assert rows.lerner["cheap"] == pytest.approx(0.7)  # it sells at the rival's 100 what costs it 30
    assert rows.lerner["dear"] == pytest.approx(0.0)
    assert np.isnan(rows.lerner["town"])
    assert rows.exploitability["dear"] == pytest.approx(4000.0)
    assert set(table.kind) == {"exact"}


def test_seats_are_named_by_name_role_or_pattern() -> None:
    world = Scenario.load("auction")
    assert list(chosen_seats(world, ["gas_*", "coal_1"])) == ["coal_1", "gas_1", "gas_2"]
    with pytest.raises(ScenarioError, match=r"did you mean 'gas_\d'"):
        chosen_seats(world, ["gas_7"])
