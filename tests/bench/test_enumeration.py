"""The payoffs of the two duopolies, their equilibria, and best sequences against brute force."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from gridmarl.agents.make import vector_env
from gridmarl.agents.policies import StoredPolicy
from gridmarl.agents.rules import Rule, ZeroIntelligence
from gridmarl.agents.team import Team, load_team
from gridmarl.bench.market_power.enumeration import Alone, action_grid, dearest
from gridmarl.environment.compiled.codecs import GRID_PRICES
from gridmarl.errors import ScenarioError
from gridmarl.learning.fixed.returns import with_player
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import Float

MONEY = 1e-9
"""Relative tolerance of dollars."""
CAP = 200.0
COUNT = len(GRID_PRICES)


def payoffs(name: str) -> tuple[Float, Float]:
    """Profits of both generators, (cheap's action, dear's action, generator), and prices, (action, action)."""
    env = vector_env(name, COUNT * COUNT, seats="generator", others="truthful", split="test")
    env.reset(seed=0)
    pairs = np.stack(np.divmod(np.arange(COUNT * COUNT), COUNT), axis=1)
    _, rewards, _, _, infos = env.step({"generator": pairs})
    return rewards["generator"].reshape(COUNT, COUNT, 2), infos["market"][:, 0].reshape(COUNT, COUNT)


def equilibria(profits: Float) -> set[tuple[int, int]]:
    """Pure Nash equilibria: neither gains by another price."""
    cheap = profits[..., 0] >= profits[..., 0].max(0) - MONEY
    dear = profits[..., 1] >= profits[..., 1].max(1, keepdims=True) - MONEY
    return {(int(i), int(j)) for i, j in np.argwhere(cheap & dear)}


def costs(name: str) -> list[float]:
    return [unit.cost_per_mwh for unit in Scenario.load(name).generators]


def by_hand(world: Scenario, i: int, j: int) -> tuple[float, float]:
    """Profits: the lower offer sells first, equal ones share by capacity, the dearest accepted sets the price."""
    asked, demand = np.array([GRID_PRICES[i], GRID_PRICES[j]]), world.consumers[0].load_mw
    capacity = np.array([unit.capacity_mw for unit in world.generators])
    cost = np.array([unit.cost_per_mwh for unit in world.generators])
    if i == j:
        sold = demand * capacity / capacity.sum()
    else:
        first = int(asked.argmin())
        sold = np.zeros(2)
        sold[first] = min(demand, capacity[first])
        sold[1 - first] = demand - sold[first]
    price = asked[sold > 0].max()
    cheap, dear = ((price - cost) * sold).tolist()
    return cheap, dear


@pytest.mark.parametrize("name", ["duopoly-low", "duopoly-pivotal"])
def test_the_market_pays_what_the_game_on_paper_pays(name: str) -> None:
    profits, _ = payoffs(name)
    world = Scenario.load(name)
    for i, j in product(range(COUNT), range(COUNT)):
        assert profits[i, j].tolist() == pytest.approx(by_hand(world, i, j), rel=MONEY, abs=1e-6)


def test_low_demand_ends_at_the_rivals_cost() -> None:
    """Von der Fehr & Harbord (1993), proposition on low demand: without offers below cost there is one equilibrium."""
    profits, prices = payoffs("duopoly-low")
    found = equilibria(profits)
    (_, rival), tick = costs("duopoly-low"), GRID_PRICES[1] - GRID_PRICES[0]
    assert all(j == i + 1 for i, j in found), "the cheap one asks a tick less than its rival"
    assert all(prices[pair] < rival for pair in found), "never above the rival's cost"
    sensible = [(i, j) for i, j in found if GRID_PRICES[j] >= rival]
    assert len(sensible) == 1
    assert rival - tick < prices[sensible[0]] < rival
    assert profits[sensible[0]].tolist() == pytest.approx([(GRID_PRICES[sensible[0][0]] - 30) * 60, 0.0])


def test_pivotal_demand_has_two_families_of_equilibria_at_the_cap() -> None:
    """Either may be the one at the cap; the other is so low that undercutting it pays less than the residual demand."""
    profits, prices = payoffs("duopoly-pivotal")
    residual, whole = 40.0, 100.0
    expected: set[tuple[int, int]] = set()
    for low in range(COUNT - 1):
        undercut = [(GRID_PRICES[low] - cost) * whole for cost in costs("duopoly-pivotal")]
        stay = [(CAP - cost) * residual for cost in costs("duopoly-pivotal")]
        expected |= {(COUNT - 1, low)} if stay[0] >= undercut[0] else set()
        expected |= {(low, COUNT - 1)} if stay[1] >= undercut[1] else set()
    found = equilibria(profits)
    assert found == expected
    assert {prices[pair] for pair in found} == {CAP}
    assert {i == COUNT - 1 for i, _ in found} == {True, False}, "either is at the cap in some of them"


def ramped(intervals: int = 3, **changes: object) -> Scenario:
    """A unit that moves 20 MW an hour: selling at a loss when demand is low, it can sell more when it is high."""
    return Scenario.parse(
        {
            "name": "ramped",
            "intervals": intervals,
            "profiles": {"demand": {"values": [1.0, 0.5, 1.2], "deviation_relative": 0.1}},
            "generators": [
                {"name": "unit", "capacity_mw": 80, "cost_per_mwh": 40, "ramp_mw_per_h": 20, "initial_mw": 50},
                {"name": "coal", "capacity_mw": 60, "cost_per_mwh": 45},
                {"name": "peaker", "capacity_mw": 100, "cost_per_mwh": 90},
            ],
            "storage": [{"name": "battery", "capacity_mwh": 20, "power_mw": 10}],
            "consumers": [{"name": "town", "load_mw": 110, "flexible_share": 0.1, "rebound_share": 0.5}],
            **changes,
        },
        "ramped",
    )


@pytest.mark.parametrize("team", ["truthful", "dqn-auction"])
def test_the_best_sequence_is_what_brute_force_finds(team: str) -> None:
    """All 8,000 sequences of three prices, against rivals that do not look and rivals that do."""
    others = load_team("truthful")
    if team == "dqn-auction":
        others = with_player(others, StoredPolicy(team), ("peaker", "coal"), team)
    alone = Alone(ramped(), others, "unit")
    every = np.array(list(product(range(COUNT), repeat=3)), np.float64)[..., None]
    earned = alone.profits(every, "test", [3])[:, 0]
    found = alone.best_sequence("test", 3, kept=8000)
    assert found.complete
    assert found.profit == pytest.approx(earned.max(), rel=MONEY)
    assert alone.profits(found.actions[None], "test", [3])[0, 0] == pytest.approx(found.profit, rel=MONEY)


def test_selling_at_a_loss_may_pay_later() -> None:
    alone = Alone(ramped(), load_team("truthful"), "unit")
    always = alone.profits(alone.grid[:, None], "test", [3]).max()
    assert alone.best_sequence("test", 3).profit > 1.02 * always


def test_a_batterys_best_sequence_is_what_brute_force_finds() -> None:
    alone = Alone(ramped(), load_team("truthful"), "battery")
    assert alone.grid[:, 0].tolist() == pytest.approx(np.linspace(-1, 1, 11).tolist())
    every = alone.grid[np.array(list(product(range(11), repeat=3)))]
    found = alone.best_sequence("test", 0)
    assert found.complete
    assert found.profit == pytest.approx(alone.profits(every, "test", [0]).max(), rel=MONEY)


def test_dropping_states_is_admitted() -> None:
    alone = Alone(ramped(), load_team("truthful"), "unit")
    few, all_of_them = alone.best_sequence("test", 3, kept=1), alone.best_sequence("test", 3)
    assert not few.complete
    assert all_of_them.complete
    assert few.profit <= all_of_them.profit


def test_each_seed_and_sequence_is_played_as_if_it_were_alone() -> None:
    alone = Alone(ramped(), load_team("truthful"), "unit")
    together = alone.profits(alone.grid[[3, 7], None], "select", [5, 6, 9])
    apart = [[alone.profits(alone.grid[[a], None], "select", [s])[0, 0] for s in (5, 6, 9)] for a in (3, 7)]
    assert together.tolist() == apart


def test_of_equal_states_the_dearest_is_kept() -> None:
    key = np.array([[1.0, 2.0], [0.0, 0.0], [1.0, 2.0], [0.0, 0.0]])
    assert sorted(dearest(key, np.array([1.0, 5.0, 3.0, 4.0])).tolist()) == [1, 2]


def test_grids_are_the_choices_or_levels_of_each_component() -> None:
    world = Scenario.load("duopoly-low")
    assert len(action_grid(world, "generator")) == COUNT
    assert len(action_grid(world, "operator")) == 25
    assert len(action_grid(world, "prosumer")) == 11**3
    assert action_grid(world, "consumer")[[0, -1], 0].tolist() == [0.0, 1.0]


def test_others_that_draw_are_known_as_such_and_strangers_are_refused() -> None:
    rest = load_team("truthful").agents
    assert Alone(ramped(), Team({"peaker": ZeroIntelligence(), **rest}), "unit").draws
    assert not Alone(ramped(), Team({"unit": ZeroIntelligence(), "generator": Rule("truthful")}), "unit").draws
    with pytest.raises(ScenarioError, match="did you mean 'unit'"):
        Alone(ramped(), load_team("truthful"), "unti")
