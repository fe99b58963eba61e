"""The clairvoyant best response, beside trying every sequence of prices."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from gridmarl.agents.rules import Rule, ZeroIntelligence
from gridmarl.agents.team import Team, load_team
from gridmarl.bench.market_power.bidding import seat_profits
from gridmarl.bench.market_power.clairvoyant import clairvoyant
from gridmarl.bench.market_power.enumeration import Alone
from gridmarl.environment.compiled.codecs import GRID_PRICES
from gridmarl.errors import ScenarioError
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import Float
from tests.learning.worlds import BEST_PROFIT, duopoly_world

CHOICES = len(GRID_PRICES)
MONEY = 1e-6
"""Relative tolerance of dollars summed over an episode."""


def enumerated(scenario: Scenario, others: Team, seat: str, seed: int) -> Float:
    """What every sequence of prices earns in an episode of the test split, (sequence,) $."""
    sequences = np.array(list(product(range(CHOICES), repeat=scenario.intervals)), np.float64)
    return Alone(scenario, others, seat).profits(sequences[..., None], "test", [seed])[:, 0]


def ramped_world() -> Scenario:
    """The cheaper rival stops for the last hour: who ramps slowly must sell at a loss before, to be there then."""
    return Scenario.parse(
        {
            "name": "ramped",
            "interval_min": 60,
            "intervals": 3,
            "profiles": {"demand": {"shape": "constant", "deviation_relative": 0.1, "correlation_h": 2}},
            "generators": [
                {"name": "slow", "capacity_mw": 40, "cost_per_mwh": 60, "ramp_mw_per_h": 12},
                {"name": "rival", "capacity_mw": 60, "cost_per_mwh": 55, "maintenance_h": [[2, 3]]},
                {"name": "peaker", "capacity_mw": 60, "cost_per_mwh": 150},
            ],
            "storage": [{"name": "store", "capacity_mwh": 20, "power_mw": 5}],
            "consumers": [{"name": "town", "load_mw": 28, "flexible_share": 0.1, "rebound_share": 0.5, "rebound_h": 1}],
        },
        "ramped",
    )


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_nothing_among_all_sequences_of_prices_earns_more(seed: int) -> None:
    world, truthful = ramped_world(), load_team("truthful")
    every = enumerated(world, truthful, "slow", seed)
    found = clairvoyant(world, truthful, "slow", "test", [seed])
    assert found.profits[0] == pytest.approx(every.max(), rel=MONEY)
    steady = [(number * CHOICES + number) * CHOICES + number for number in range(CHOICES)]  # one price throughout
    assert every.max() > every[steady].max() * (1 + 1e-3)  # there was something to find


def test_the_auction_is_searched_as_well_with_learned_others_who_look_at_prices() -> None:
    world, others = Scenario.load("auction").but(intervals=2), load_team("dqn")
    found = clairvoyant(world, others, "gas_1", "test", [3], width=CHOICES)
    assert found.profits[0] == pytest.approx(enumerated(world, others, "gas_1", 3).max(), rel=MONEY)


def test_it_is_proved_where_one_interval_leaves_nothing_to_the_next() -> None:
    found = clairvoyant(duopoly_world(), load_team("truthful"), "cheap", "test", range(3), width=64)
    assert found.exact
    np.testing.assert_allclose(found.profits, BEST_PROFIT, rtol=MONEY)


def test_too_few_kept_states_are_not_called_a_proof() -> None:
    few = clairvoyant(ramped_world(), load_team("truthful"), "slow", "test", [0], width=1)
    many = clairvoyant(ramped_world(), load_team("truthful"), "slow", "test", [0])
    assert not few.exact
    assert few.profits[0] <= many.profits[0]


def test_it_earns_more_than_every_constant_price_in_the_auction() -> None:
    world, truthful, seeds = Scenario.load("auction").but(intervals=48), load_team("truthful"), range(3)
    found = clairvoyant(world, truthful, "coal_1", "test", seeds, width=24)
    for price in GRID_PRICES:
        constant = seat_profits(world, truthful, "coal_1", Rule("fixed", price_per_mwh=float(price)), "test", seeds)
        assert (found.profits >= constant - MONEY * abs(constant)).all()


def test_it_tells_how_far_it_is() -> None:
    told: list[int] = []
    clairvoyant(duopoly_world(), load_team("truthful"), "cheap", "test", range(3), width=400, advance=told.append)
    assert sum(told) == 3 * 8
    assert len(told) == 3 * 8


def test_others_who_draw_are_refused() -> None:
    others = Team({"rival": ZeroIntelligence(), "generator": Rule("truthful")}, "drawing")
    with pytest.raises(ScenarioError, match="drawing"):
        clairvoyant(duopoly_world(), others, "cheap", "test", [0])
