"""Playing some seats while a team plays the rest inside is the same market as playing all of them."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

import gridmarl
from gridmarl.agents.team import SeatedTeam, load_team
from gridmarl.environment.core import Core
from gridmarl.evaluation.rollout import rollout
from gridmarl.scenario.scenario import Scenario

SCENARIO = Scenario.load("auction").but(intervals=40)
SEED = 6


def test_gas_1_outside_and_truthful_inside_is_the_full_game_with_the_same_actions() -> None:
    part = gridmarl.parallel_env(SCENARIO, seats="gas_1", others="truthful")
    part.reset(seed=SEED)
    core = Core(SCENARIO, 1, {**SeatedTeam(load_team("truthful"), SCENARIO).codecs, "gas_1": "price-grid"}, "train")
    inside = SeatedTeam(load_team("truthful"), SCENARIO, tuple(s for s in core.compiled.layout.seats if s != "gas_1"))
    outcome = core.reset(np.array([SEED], np.uint64))
    inside.begin(core)
    packed = np.zeros((1, core.width))
    part.action_space("gas_1").seed(0)
    for _ in range(SCENARIO.intervals):
        action = part.action_space("gas_1").sample()
        observed, rewards, *_ = part.step({"gas_1": action})
        inside.fill(outcome, packed)
        packed[0, core.compiled.layout.index("gas_1")] = action
        outcome = core.step(packed)
        assert np.array_equal(part.latest.seats, outcome.seats)
        assert np.array_equal(observed["gas_1"], outcome.generator[0, 3])
        assert rewards == {"gas_1": outcome.seats[0, 3, 5]}


def test_a_seat_that_plays_as_its_team_would_changes_nothing() -> None:
    whole = rollout(SCENARIO, "truthful", seed=SEED, split="train")
    part = gridmarl.parallel_env(SCENARIO, seats="gas_1", others="truthful", codecs={"gas_1": "markup"})
    part.reset(seed=SEED)
    for interval in range(SCENARIO.intervals):
        part.step({"gas_1": np.array([1.0])})
        assert np.array_equal(part.latest.market[0], whole.market[interval])
        assert np.array_equal(part.latest.seats[0], whole.results[interval])


@pytest.mark.parametrize(
    "seats, agents",
    [
        ("storage", ["battery_1", "battery_2"]),
        ("gas_*", ["gas_1", "gas_2"]),
        (["operator", "load_1"], ["load_1", "operator"]),
        (("battery_2",), ["battery_2"]),
        (None, [*SCENARIO.seats, "operator"]),
        ("*", [*SCENARIO.seats, "operator"]),
    ],
)
def test_seats_are_roles_names_or_patterns_in_the_markets_order(seats: Any, agents: list[str]) -> None:
    env = gridmarl.parallel_env(SCENARIO, seats=seats)
    observations, infos = env.reset(seed=0)
    assert env.possible_agents == env.agents == list(observations) == list(infos) == agents


def test_every_row_of_a_vector_with_others_inside_is_the_single_market() -> None:
    many = gridmarl.vector_env(SCENARIO, 3, seats=["gas_1", "storage"], others="markup")
    singles = [gridmarl.parallel_env(SCENARIO, seats=["gas_1", "storage"], others="markup") for _ in range(3)]
    seen = many.reset(seed=20)[0]
    alone = [env.reset(seed=20 + row)[0] for row, env in enumerate(singles)]
    many.action_space.seed(3)
    for _ in range(2 * SCENARIO.intervals):
        for row in range(3):
            assert np.array_equal(seen["generator"][row, 0], alone[row]["gas_1"])
            assert np.array_equal(seen["storage"][row, 1], alone[row]["battery_2"])
        actions = many.action_space.sample()
        seen, rewards, _, truncations, _ = many.step(actions)
        for row, env in enumerate(singles):
            batteries = {seat: actions["storage"][row, k] for k, seat in enumerate(many.groups["storage"])}
            step = env.step({"gas_1": actions["generator"][row, 0], **batteries})
            assert rewards["generator"][row, 0] == step[1]["gas_1"]
            assert rewards["storage"][row].tolist() == [step[1]["battery_1"], step[1]["battery_2"]]
            alone[row] = env.reset()[0] if truncations[row] else step[0]


def test_the_single_seat_view_is_the_partial_game_of_one_seat() -> None:
    seat = gymnasium.make("gridmarl/Seat-v0", scenario=SCENARIO, seat="battery_1", others="markup")
    part = gridmarl.parallel_env(SCENARIO, seats="battery_1", others="markup")
    assert np.array_equal(seat.reset(seed=1)[0], part.reset(seed=1)[0]["battery_1"])
    seat.action_space.seed(0)
    for interval in range(1, SCENARIO.intervals + 1):
        action = seat.action_space.sample()
        observed, reward, terminated, truncated, info = seat.step(action)
        theirs = part.step({"battery_1": action})
        assert np.array_equal(observed, theirs[0]["battery_1"])
        assert (reward, terminated, truncated) == (theirs[1]["battery_1"], False, interval == SCENARIO.intervals)
        assert info == theirs[4]["battery_1"]


def test_infos_of_a_player_hold_only_its_own_results_and_the_public_price() -> None:
    env = gridmarl.parallel_env(SCENARIO, seats="battery_1")
    env.reset(seed=0)
    infos = env.step({"battery_1": np.zeros(1, np.float32)})[4]
    assert set(infos) == {"battery_1"}
    assert set(infos["battery_1"]) == {
        *("power_mw", "offered_mw", "arbitrage", "degradation", "bid_mw", "reward", "energy_mwh", "soc"),
        *("throughput_mwh", "offer_price_per_mwh", "price_per_mwh", "deviation_mw", "imbalance_payment"),
        *("spin_mw", "nonspin_mw", "reserve_payment", "trip_mwh", "missing_cost"),
    }


def test_the_turn_by_turn_view_is_the_same_market() -> None:
    aec, parallel = gridmarl.env(SCENARIO), gridmarl.parallel_env(SCENARIO)
    aec.reset(seed=SEED)
    parallel.reset(seed=SEED)
    for _ in range(5):
        actions = {agent: parallel.action_space(agent).sample() for agent in parallel.agents}
        rewards = parallel.step(actions)[1]
        for agent in parallel.agents:
            assert aec.agent_selection == agent
            aec.step(actions[agent])
        assert {agent: aec.rewards[agent] for agent in parallel.agents} == rewards
