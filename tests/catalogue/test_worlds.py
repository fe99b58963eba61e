"""Every world in ``envs/`` keeps the contract, as a PettingZoo, a vector and a single-seat environment."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import partial

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

import gridmarl
from gridmarl import catalogue
from gridmarl.agents.seat import SeatEnv, SeatVectorEnv
from gridmarl.agents.team import roles_of
from gridmarl.environment.vector import MarketVectorEnv
from gridmarl.scenario.scenario import BUILT_IN_CODECS, PROSUMER, SEPARATE, Scenario
from tests.contract import environment_suite as suite
from tests.environment.worlds import manageable

WORLDS = catalogue.names("envs")
QUICK = 96
"""Intervals of the checks that play many episodes; each world is also played whole once."""
BIG = 40
FEW = 8
"""Intervals of the checks in worlds of fewer: they follow an episode from one interval to the next."""

CHECKS = [
    suite.check_pettingzoo_suites,
    suite.check_determinism,
    suite.check_episodes_follow,
    suite.check_copies,
    suite.check_returned_values_are_the_callers,
    suite.check_spaces,
    suite.check_pettingzoo_traps,
]
pytestmark = pytest.mark.parametrize("name", WORLDS)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Other people's checkers print and warn about taste (symmetric boxes, missing render modes)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def shortened(name: str) -> Scenario:
    """The world, with at most a day's worth of intervals (fewer where it has many seats), and at least a few."""
    scenario = manageable(name)
    if scenario.intervals < FEW:
        return scenario.but(intervals=FEW)
    limit = QUICK if len(scenario.seats) < BIG else QUICK // 4
    if scenario.intervals <= limit or scenario.price_scenarios:
        return scenario
    return scenario.but(intervals=limit)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_contract_holds(name: str, check: Callable[[suite.Factory], None]) -> None:
    check(partial(gridmarl.parallel_env, shortened(name)))


def test_a_whole_episode_of_the_world_as_it_is_shipped(name: str) -> None:
    suite.check_whole_episode(partial(gridmarl.parallel_env, name))


def test_the_vector_view_keeps_gymnasiums_conventions(name: str) -> None:
    make = partial(gridmarl.vector_env, shortened(name))
    suite.check_vector(make)
    suite.check_vector_rows(partial(gridmarl.parallel_env, shortened(name)), make)


def test_groups_split_where_a_roles_seats_speak_several_codecs(name: str) -> None:
    scenario = shortened(name)
    role, units = ("storage", scenario.all_storage) if scenario.all_storage else ("generator", scenario.all_generators)
    first, *others = (unit.name for unit in units)
    codecs = {first: "order", **({PROSUMER: SEPARATE} if scenario.all_prosumers else {})}
    make = partial(gridmarl.vector_env, scenario, codecs=codecs)
    env: MarketVectorEnv = make(num_envs=1)
    assert env.groups[f"{role}:order" if others else role] == (first,)
    assert set(env.groups.get(f"{role}:{BUILT_IN_CODECS[role]}", ())) == set(others)
    suite.check_vector(make)
    suite.check_vector_rows(partial(gridmarl.parallel_env, scenario, codecs=codecs), make)


def one_of_each_role(scenario: Scenario) -> list[str]:
    return list({role: seat for seat, role in reversed(roles_of(scenario).items())}.values())


def test_one_seat_of_each_role_is_a_gymnasium_environment(name: str) -> None:
    from stable_baselines3.common.env_checker import check_env as sb3_check_env

    scenario = shortened(name)
    for seat in one_of_each_role(scenario):
        check_env(SeatEnv(scenario, seat=seat), skip_render_check=True)
        sb3_check_env(SeatEnv(scenario, seat=seat), skip_render_check=True)


def test_gymnasium_makes_a_seat_by_id_one_or_many(name: str) -> None:
    scenario = shortened(name)
    for seat in one_of_each_role(scenario):
        one = gymnasium.make("gridmarl/Seat-v0", scenario=scenario, seat=seat)
        many = gymnasium.make_vec("gridmarl/Seat-v0", num_envs=2, scenario=scenario, seat=seat)
        assert many.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
        assert (many.single_observation_space, many.single_action_space) == (one.observation_space, one.action_space)
        alone = one.reset(seed=5)[0]
        seen = many.reset(seed=5)[0]
        many.action_space.seed(0)
        for _ in range(5):
            assert many.observation_space.contains(seen)
            assert np.array_equal(seen[0], alone)
            actions = many.action_space.sample()
            alone, reward, *_ = one.step(actions[0])
            seen, rewards, terminations, truncations, _ = many.step(actions)
            assert rewards.dtype == np.float64
            assert rewards.shape == terminations.shape == truncations.shape == (2,)
            assert rewards[0] == reward


def test_a_vector_of_single_seats_begins_anew_in_the_same_step(name: str) -> None:
    scenario = shortened(name)
    env = SeatVectorEnv(2, scenario, (scenario.all_storage or scenario.all_generators)[0].name)
    env.markets.max_cycles = 3
    env.action_space.seed(0)
    env.reset(seed=1)
    for interval in range(1, 8):
        seen, rewards, terminations, truncations, infos = env.step(env.action_space.sample())
        ended = interval % 3 == 0
        assert env.observation_space.contains(seen)
        assert np.isfinite(rewards).all()
        assert truncations.tolist() == [ended] * 2
        assert not terminations.any()
        assert ("final_obs" in infos) == ("_final_obs" in infos) == ended
        if ended:
            assert env.observation_space.contains(infos["final_obs"])
            assert not np.array_equal(infos["final_obs"], seen)
            assert infos["final_info"]["TimeLimit.truncated"].tolist() == infos["_final_info"].tolist() == [True] * 2
