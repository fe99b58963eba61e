from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from pettingzoo import ParallelEnv

from gridmarl.agents.make import vector_env
from gridmarl.environment.compiled.columns import REWARD
from gridmarl.errors import TrainingError
from gridmarl.learning.interface import ActionSpec, VectorWorld
from gridmarl.learning.worlds.adapters import Gymnasium, Markets, PettingZoo, action_spec, stretched
from gridmarl.learning.worlds.scales import OBJECTIVES, REFERENCE_CO2_KG_PER_MWH, objective_scale, reward_scale
from gridmarl.scenario.scenario import Scenario

SINGLE = 1e-6
"""Relative tolerance of single precision."""
SAME_STEP = {"autoreset_mode": AutoresetMode.SAME_STEP}


def cartpole(num_envs: int, **arguments: Any) -> Gymnasium:
    vectors: Any = gymnasium.make_vec(
        "CartPole-v1", num_envs, vectorization_mode="sync", vector_kwargs=SAME_STEP, **arguments
    )
    return Gymnasium(vectors)


def random_actions(world: VectorWorld, rng: np.random.Generator) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, group in world.groups.items():
        shape = (world.num_envs, len(group.seats), *group.actions.shape)
        discrete = group.actions.discrete
        found[name] = rng.integers(0, group.actions.choices, shape) if discrete else rng.uniform(-1, 1, shape)
    return found


@pytest.fixture(scope="module")
def morning() -> Scenario:
    return Scenario.load("auction").but(intervals=6)


def worlds(morning: Scenario) -> dict[str, VectorWorld]:
    from mpe2 import simple_speaker_listener_v4

    return {
        "ours": Markets(vector_env(morning, 3), state=True),
        "gymnasium": cartpole(3, max_episode_steps=6),
        "pettingzoo": PettingZoo(lambda: simple_speaker_listener_v4.parallel_env(max_cycles=6), 3),
    }


@pytest.mark.parametrize("kind", ["ours", "gymnasium", "pettingzoo"])
def test_arrays_have_the_shapes_and_types_that_the_interface_promises(morning: Scenario, kind: str) -> None:
    world, rng = worlds(morning)[kind], np.random.default_rng(0)
    start = world.reset(3)
    ends = 0
    for _ in range(14):
        step = world.step(random_actions(world, rng))
        for name, group in world.groups.items():
            shape = (3, len(group.seats), group.fields)
            assert step.observations[name].shape == step.next_observations[name].shape == shape
            assert step.observations[name].dtype == step.next_observations[name].dtype == np.float32
            assert start.observations[name].shape == shape
            assert step.rewards[name].shape == (3, len(group.seats))
            assert step.rewards[name].dtype == np.float32
            assert np.isfinite(step.rewards[name]).all()
        assert step.terminated.shape == step.truncated.shape == (3,)
        assert step.state.shape == step.next_state.shape == start.state.shape == (3, world.state_size)
        over = step.terminated | step.truncated
        ends += int(over.sum())
        # what follows differs from what comes next exactly where an episode ended
        differs = [(step.observations[n] != step.next_observations[n]).any((1, 2)) for n in world.groups]
        np.testing.assert_array_equal(np.any(differs, axis=0), over)
        np.testing.assert_array_equal((step.state != step.next_state).any(1), over)
    assert ends >= 6


@pytest.mark.parametrize("kind", ["ours", "gymnasium", "pettingzoo"])
def test_row_i_is_the_world_of_seed_s_plus_i(morning: Scenario, kind: str) -> None:
    world = worlds(morning)[kind]
    many, shifted = world.reset(3), worlds(morning)[kind].reset(4)
    for name in world.groups:
        np.testing.assert_array_equal(many.observations[name][1:], shifted.observations[name][:-1])
    assert not np.array_equal(many.state[0], many.state[1])


def test_our_own_observations_are_views_of_what_the_market_returned(morning: Scenario) -> None:
    world = Markets(vector_env(morning, 3, seats="generator"))
    step_of = world.reset(0)
    assert np.shares_memory(step_of.observations["generator"], world.env.latest.generator)
    step = world.step(random_actions(world, np.random.default_rng(0)))
    assert np.shares_memory(step.observations["generator"], world.env.latest.generator)
    assert step.next_observations["generator"] is step.observations["generator"]


def test_our_rewards_are_divided_by_what_capacity_earns_at_the_reference_price(morning: Scenario) -> None:
    capacity = {unit.name: unit.capacity_mw for unit in morning.all_generators}
    world = Markets(vector_env(morning, 2, seats="generator"))
    group = world.groups["generator"]
    dollars = morning.reference_price_per_mwh * morning.interval_h
    assert group.scale.tolist() == pytest.approx([capacity[seat] * dollars for seat in group.seats])
    world.reset(0)
    step = world.step(random_actions(world, np.random.default_rng(0)))
    paid = world.env.latest.seats[:, world.env.group_of["generator"].rows, REWARD]
    np.testing.assert_allclose(step.rewards["generator"], paid / group.scale, rtol=SINGLE)
    assert np.abs(paid).max() > 1


def test_every_trading_seat_and_the_operator_has_a_scale() -> None:
    homes = Scenario.load("duck-curve")
    for scenario in (homes, Scenario.load("auction"), Scenario.load("three-homes")):
        groups = vector_env(scenario, 1).groups
        for seats in groups.values():
            assert (reward_scale(scenario, seats) > 0).all()
    part = sum(reward_scale(homes, [unit.name])[0] for home in homes.all_prosumers[:1] for unit in home.parts)
    assert reward_scale(homes, [homes.all_prosumers[0].name])[0] == pytest.approx(part)


def test_the_operators_reward_can_be_a_vector(morning: Scenario) -> None:
    world = Markets(vector_env(morning, 2), objectives=True)
    group = world.groups["operator"]
    assert group.objectives == OBJECTIVES
    assert not world.groups["generator"].objectives
    world.reset(0)
    step = world.step(random_actions(world, np.random.default_rng(0)))
    assert step.rewards["operator"].shape == (2, 1, 3)
    assert (step.rewards["operator"][:, :, 1:] < 0).all()  # power costs and emits
    load_mwh = sum(unit.load_mw for unit in morning.all_consumers) * morning.interval_h
    assert objective_scale(morning)[0, 2] == pytest.approx(load_mwh * REFERENCE_CO2_KG_PER_MWH)


def test_our_worlds_go_on_from_a_snapshot_with_the_others_random_bids(morning: Scenario) -> None:
    from gridmarl.agents.rules import ZeroIntelligence
    from gridmarl.agents.team import Team

    def make() -> Markets:
        others = Team({"generator": ZeroIntelligence()})
        return Markets(vector_env(morning, 2, seats="storage", others=others))

    first, second, rng = make(), make(), np.random.default_rng(0)
    first.reset(5)
    actions = [random_actions(first, rng) for _ in range(12)]
    seen = first.step(actions[0])
    for action in actions[1:4]:
        seen = first.step(action)
    restored = second.restore({name: array.copy() for name, array in first.snapshot().items()})
    np.testing.assert_array_equal(restored.observations["storage"], seen.observations["storage"])
    for action in actions[4:]:
        one, other = first.step(action), second.step(action)
        np.testing.assert_array_equal(one.observations["storage"], other.observations["storage"])
        np.testing.assert_array_equal(one.rewards["storage"], other.rewards["storage"])


def test_the_true_last_state_is_that_before_the_next_episode_began(morning: Scenario) -> None:
    world, rng = Markets(vector_env(morning, 2), state=True), np.random.default_rng(0)
    world.reset(0)
    for _ in range(5):
        np.testing.assert_array_equal(world.step(random_actions(world, rng)).state, world.env.state())
    actions = random_actions(world, rng)
    step = world.step(actions)
    assert step.truncated.all()
    np.testing.assert_array_equal(step.state, world.env.state())
    assert not np.array_equal(step.next_state, step.state)


def test_a_pole_that_fell_terminates_and_one_that_stands_is_cut_off() -> None:
    world = cartpole(1, max_episode_steps=5)
    world.reset(0)
    flags = [world.step({"agent": np.array([[t % 2]])}) for t in range(5)]
    assert [bool(step.truncated[0]) for step in flags] == [False] * 4 + [True]
    assert not any(step.terminated[0] for step in flags)
    falling = cartpole(1)
    falling.reset(0)
    steps = [falling.step({"agent": np.array([[1]])}) for _ in range(12)]
    assert sum(int(step.terminated[0]) for step in steps) == 1
    fallen = next(step for step in steps if step.terminated[0])
    assert abs(fallen.next_observations["agent"][0, 0, 2]) > 0.2  # rad, beyond which it counts as fallen
    assert abs(fallen.observations["agent"][0, 0, 2]) < 0.05  # the next one begins upright


def test_vector_environments_that_reset_later_are_refused() -> None:
    vectors: Any = gymnasium.make_vec("CartPole-v1", 2, vectorization_mode="sync")
    with pytest.raises(TrainingError, match=r"autoreset mode.*SAME_STEP"):
        Gymnasium(vectors)


def test_numbers_within_one_are_stretched_to_the_bounds_of_the_space() -> None:
    spec = action_spec(spaces.Box(np.array([-2.0, 0.0]), np.array([2.0, 10.0]), dtype=np.float64), "it")
    assert stretched(spec, np.array([[-1.0, 1.0], [0.0, 0.0], [9.0, -9.0]])).tolist() == [[-2, 10], [0, 5], [2, 0]]
    assert stretched(ActionSpec(choices=3), np.array([2])).tolist() == [2]
    pendulum: Any = gymnasium.make_vec("Pendulum-v1", 2, vectorization_mode="sync", vector_kwargs=SAME_STEP)
    world = Gymnasium(pendulum)
    world.reset(0)
    assert world.step({"agent": np.ones((2, 1, 1), np.float32)}).rewards["agent"].shape == (2, 1)


@pytest.mark.parametrize(
    "space", [spaces.Box(-np.inf, np.inf, (1,)), spaces.MultiDiscrete([2, 3]), spaces.Box(0, 1, (2, 2))]
)
def test_action_spaces_that_no_learner_serves_are_refused(space: spaces.Space[Any]) -> None:
    with pytest.raises(TrainingError, match="action space of it"):
        action_spec(space, "it")


class Leavers(ParallelEnv[str, np.ndarray, int]):
    """``cat_0`` leaves after two steps, ``cat_1`` and ``dog_0`` after three; one is paid a step while there."""

    metadata = {"name": "leavers"}  # noqa: RUF012  # PettingZoo's own form
    possible_agents = ["cat_0", "cat_1", "dog_0"]  # noqa: RUF012

    def observation_space(self, agent: str) -> Any:
        return spaces.Box(0, 10, (1,), np.float32)

    def action_space(self, agent: str) -> Any:
        return spaces.Discrete(2)

    def reset(self, seed: int | None = None, options: dict | None = None) -> Any:
        self.agents, self.t = [*self.possible_agents], 0
        return {agent: np.zeros(1, np.float32) for agent in self.agents}, {agent: {} for agent in self.agents}

    def step(self, actions: dict[str, int]) -> Any:
        assert set(actions) == set(self.agents)
        self.t += 1
        here = [*self.agents]
        seen = {agent: np.full(1, self.t, np.float32) for agent in here}
        ended = {agent: self.t >= (2 if agent == "cat_0" else 3) for agent in here}
        self.agents = [agent for agent in here if not ended[agent]]
        return seen, dict.fromkeys(here, 1.0), ended, dict.fromkeys(here, False), {agent: {} for agent in here}


def test_an_agent_that_leaves_stays_where_it_was_seen_and_earns_nothing_more() -> None:
    world = PettingZoo(Leavers, 1)
    assert {name: group.seats for name, group in world.groups.items()} == {"cat": ("cat_0", "cat_1"), "dog": ("dog_0",)}
    world.reset(0)
    rng = np.random.default_rng(0)
    steps = [world.step(random_actions(world, rng)) for _ in range(4)]
    assert [step.rewards["cat"][0].tolist() for step in steps] == [[1, 1], [1, 1], [0, 1], [1, 1]]
    assert [step.next_observations["cat"][0, :, 0].tolist() for step in steps] == [[1, 1], [2, 2], [2, 3], [1, 1]]
    assert [bool(step.terminated[0]) for step in steps] == [False, False, True, False]
    assert steps[2].observations["cat"][0, :, 0].tolist() == [0, 0]
    assert not any(step.truncated[0] for step in steps)


def test_a_state_that_nobody_reads_is_not_asked_for() -> None:
    from mpe2 import simple_spread_v3

    class Asked(simple_spread_v3.raw_env):
        """Counts how often it was asked."""

        times = 0

        def state(self) -> Any:
            Asked.times += 1
            return super().state()

    def make() -> Any:
        from pettingzoo.utils.conversions import aec_to_parallel

        return aec_to_parallel(Asked())

    asked, unasked = PettingZoo(make, 2), PettingZoo(make, 2, state=False)
    truth = asked.reset(3).state
    times = Asked.times
    assert times > 0
    start = unasked.reset(3)
    unasked.step(random_actions(unasked, np.random.default_rng(0)))
    assert Asked.times == times
    np.testing.assert_array_equal(start.state, start.observations["agent"].reshape(2, -1))
    np.testing.assert_array_equal(start.state, truth)  # of this world, whose state is what all observe
