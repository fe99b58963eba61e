"""What every market promises to its clients, as checks that any factory can be given; messages state the broken rule.

A factory returns a fresh environment at every call, e.g. ``lambda: gridmarl.parallel_env("auction")``. The checks hold
for every world and every choice of codecs.
"""

from __future__ import annotations

import contextlib
import copy
import io
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from gymnasium.spaces import Box
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode, VectorEnv
from pettingzoo import ParallelEnv
from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test, seed_test
from pettingzoo.utils.conversions import parallel_to_aec

from gridmarl.environment.compiled.fields import SIZES
from gridmarl.environment.parallel import MarketEnv
from gridmarl.environment.vector import MarketVectorEnv

Factory = Callable[..., MarketEnv]
VectorFactory = Callable[..., MarketVectorEnv]
Step = tuple[Any, ...]
API_CYCLES = 30
BATCH = 3


def play(env: MarketEnv, seed: int | None, choices: int = 7, steps: int = 10_000) -> Iterator[Step]:
    """An episode of random actions: what reset returns, then what each step returns."""
    yield env.reset(seed=seed)
    for number, agent in enumerate(env.possible_agents):
        env.action_space(agent).seed(choices + number)
    for _ in range(steps):
        if not env.agents:
            return
        yield env.step({agent: env.action_space(agent).sample() for agent in env.agents})


def same(one: Step, other: Step) -> bool:
    """Equal in every number, type and key."""
    return bool(data_equivalence(one, other, exact=True))


def check_pettingzoo_suites(make: Factory) -> None:
    """PettingZoo's own suites pass, on the parallel environment and on its AEC twin."""
    with contextlib.redirect_stdout(io.StringIO()):
        parallel_api_test(make(), num_cycles=API_CYCLES)
        parallel_seed_test(make, num_cycles=5)
        api_test(parallel_to_aec(make()), num_cycles=API_CYCLES)
        seed_test(lambda: parallel_to_aec(make()), num_cycles=5)


def check_whole_episode(make: Factory) -> None:
    """An episode from reset to its end: spaces, types, names and the way it ends."""
    env = make()
    assert isinstance(env, ParallelEnv), "a market is a pettingzoo.ParallelEnv"
    assert env.unwrapped is env, "env.unwrapped is a real environment"
    intervals, steps = env.scenario.intervals, 0
    for step in play(env, seed=0):
        observations, infos = step[0], step[-1]
        assert set(observations) == set(infos) == set(env.possible_agents), "every agent observes in every step"
        for agent, observed in observations.items():
            space = env.observation_space(agent)
            assert observed.dtype == np.float32, f"{agent}: observations are float32, not {observed.dtype}"
            assert np.isfinite(observed).all(), f"{agent}: step {steps}: an observation is not finite"
            assert space.contains(observed), f"{agent}: step {steps}: an observation lies outside its space"
        assert env.state_space.contains(env.state()), f"step {steps}: state() lies outside state_space"
        if len(step) == 5:
            steps += 1
            _check_step(env, step, last=steps == intervals)
    assert steps == intervals, f"an episode has {intervals} intervals, not {steps}"
    assert env.agents == [], "no agent is left after the last step"
    env.reset()
    assert env.agents == env.possible_agents, "reset after the end begins the next episode with every agent"


def _check_step(env: MarketEnv, step: Step, last: bool) -> None:
    _, rewards, terminations, truncations, infos = step
    for agent in env.possible_agents:
        assert type(rewards[agent]) is float, f"{agent}: a reward is a float, not {type(rewards[agent]).__name__}"
        assert np.isfinite(rewards[agent]), f"{agent}: a reward is finite"
        assert terminations[agent] is False, f"{agent}: a market never terminates"
        assert truncations[agent] is last, f"{agent}: every agent is truncated in the last step and in no other"
        truncated = infos[agent].get("TimeLimit.truncated", False)
        assert truncated is last, f"{agent}: the last infos, and only they, say TimeLimit.truncated"
        assert infos[agent]["reward"] == rewards[agent], f"{agent}: infos name the reward's components"
        assert "price_per_mwh" in infos[agent], f"{agent}: infos name the clearing price"
    if "operator" in infos:
        vector = infos["operator"]["reward_vector"]
        assert vector.shape == (3,), "the operator's reward_vector is (stability, cost, emissions)"
        weights = env.scenario.operator
        weighed = vector @ [weights.stability_weight, weights.cost_weight, weights.emissions_weight]
        np.testing.assert_allclose(rewards["operator"], weighed, rtol=1e-9, atol=1e-9)


def check_determinism(make: Factory) -> None:
    """One seed is one episode: on two instances, and on one instance after it has been elsewhere."""
    env = make()
    first = [copy.deepcopy(step) for step in play(env, seed=3)]
    for number, (one, other) in enumerate(zip(first, play(make(), seed=3), strict=True)):
        assert same(one, other), f"two instances with one seed differ at step {number}"
    list(play(env, seed=4, steps=3))
    for number, (one, other) in enumerate(zip(first, play(env, seed=3), strict=True)):
        assert same(one, other), f"re-seeding an instance that has played does not repeat step {number}"


def check_episodes_follow(make: Factory) -> None:
    """``reset()`` goes on to the next episode of the seed: the same one on every instance."""
    one, other = make(), make()
    for env in (one, other):
        list(play(env, seed=5, steps=2))
    for a, b in zip(play(one, seed=None, steps=5), play(other, seed=None, steps=5), strict=True):
        assert same(a, b), "the episode after a seeded one is not repeatable"


def check_copies(make: Factory) -> None:
    """Pickle and deepcopy in mid-episode go on exactly as the original."""
    env = make()
    list(play(env, seed=2, steps=3))
    for name, twin in (("pickle", pickle.loads(pickle.dumps(env))), ("deepcopy", copy.deepcopy(env))):  # noqa: S301  # our own bytes
        original = copy.deepcopy(env)
        for _ in range(3):
            actions = {agent: env.action_space(agent).sample() for agent in env.agents}
            assert same(original.step(actions), twin.step(actions)), (
                f"a {name} in mid-episode does not go on as the original"
            )


def check_returned_values_are_the_callers(make: Factory) -> None:
    """Keeping what was returned is safe, and editing it changes nothing that comes later."""
    careful, careless = make(), make()
    kept: list[Step] = []
    for one, other in zip(play(careful, seed=1, steps=6), play(careless, seed=1, steps=6), strict=True):
        assert same(one, other), "an edited observation or info changed a later step"
        kept.append((one, copy.deepcopy(one)))
        state = careful.state()
        _vandalise(other)
        assert np.array_equal(careless.state(), state), "an edited observation or info changed state()"
        careless.state()[:] = 99.0
        assert np.array_equal(careless.state(), state), "an edited state() changed the next one"
    for returned, copied in kept:
        assert same(returned, copied), "what a step returned was overwritten by a later step"


def _vandalise(step: Step) -> None:
    observations, infos = step[0], step[-1]
    assert len({id(info) for info in infos.values()}) == len(infos), "each agent has an info of its own"
    for agent, observed in observations.items():
        observed[:] = 99.0
        infos[agent].clear()
        infos[agent]["mine"] = True
    for part in step[1:4] if len(step) == 5 else ():
        part.clear()


def check_spaces(make: Factory) -> None:
    """Spaces are built once, sizes are fixed by role, and every number has a name and a unit."""
    env = make()
    roles = dict(zip(env.core.compiled.layout.seats, env.core.compiled.layout.roles, strict=True))
    for agent in env.possible_agents:
        assert env.observation_space(agent) is env.observation_space(agent), f"{agent}: one observation space object"
        assert env.action_space(agent) is env.action_space(agent), f"{agent}: one action space object"
        size = SIZES[roles[agent]]
        assert env.observation_space(agent).shape == (size,), f"{agent}: a {roles[agent]} observes {size} numbers"
        fields = env.fields(agent)
        assert len(fields) == size, f"{agent}: fields() names every number"
        assert all(field.name and field.unit and field.description for field in fields), f"{agent}: names and units"
        space = env.observation_space(agent)
        assert isinstance(space, Box), f"{agent}: observations are a Box"
        assert space.low.tolist() == [np.float32(field.low) for field in fields], f"{agent}: fields() and space agree"
        assert space.high.tolist() == [np.float32(field.high) for field in fields], f"{agent}: fields() and space agree"
    with contextlib.suppress(AttributeError):
        assert set(env.observation_spaces) == set(env.action_spaces) == set(env.possible_agents), (
            "both mappings are whole"
        )
    samples = {tuple(np.ravel(env.action_space(agent).sample()).tolist()) for agent in env.possible_agents}
    assert len(samples) > 1 or len(env.possible_agents) == 1, "agents sample from streams of their own"


def check_pettingzoo_traps(make: Factory) -> None:
    """What clients rely on without saying so: options, max_cycles, close."""
    env = make()
    with_options = env.reset(seed=6, options={"anything": 1})
    assert same(with_options, make().reset(seed=6)), "unknown reset options are ignored"
    env.max_cycles = 2
    steps = list(play(env, seed=6))
    assert len(steps) == 3, "max_cycles can be set, and ends the episode"
    assert all(steps[-1][3].values()), "an episode that max_cycles ends is truncated"
    env.close()
    env.close()


def check_vector(make: VectorFactory) -> None:
    """Gymnasium's conventions, by group: spaces, shapes, types, seeding and autoreset in the same step."""
    env = make(num_envs=BATCH)
    assert isinstance(env, VectorEnv), "the vector view is a gymnasium.vector.VectorEnv"
    assert env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP, "metadata says AutoresetMode.SAME_STEP"
    grouped = {seat for seats in env.groups.values() for seat in seats}
    assert grouped == set(env.core.compiled.layout.played), "all seats"
    observations, infos = env.reset(seed=0)
    assert env.observation_space.contains(observations), "reset's observations lie in observation_space"
    assert isinstance(infos, dict), "infos is a dict"
    env.action_space.seed(0)
    env.max_cycles = 4
    for interval in range(1, 7):
        actions = env.action_space.sample()
        _check_vector_step(env, env.step(actions), ended=interval == 4)
    env.close()


def _check_vector_step(env: MarketVectorEnv, step: Step, ended: bool) -> None:
    observations, rewards, terminations, truncations, infos = step
    assert env.observation_space.contains(observations), "observations lie in observation_space"
    for name, seats in env.groups.items():
        assert rewards[name].shape == (env.num_envs, len(seats)), f"{name}: rewards are (env, seat)"
        assert rewards[name].dtype == np.float64, f"{name}: rewards are float64"
    assert terminations.shape == truncations.shape == (env.num_envs,), "terminations and truncations are (env,)"
    assert terminations.dtype == truncations.dtype == np.bool_, "terminations and truncations are bool"
    assert not terminations.any(), "a market never terminates"
    assert truncations.all() == truncations.any() == ended, "all rows are truncated together, at the end"
    assert ("final_obs" in infos) == ("final_info" in infos) == ended, "final_obs and final_info come with the end"
    if ended:
        assert infos["_final_obs"].tolist() == infos["_final_info"].tolist() == truncations.tolist(), (
            "masks say who ended"
        )
        assert env.observation_space.contains(infos["final_obs"]), "final_obs lies in observation_space"
        for name in env.groups:
            assert not np.array_equal(infos["final_obs"][name], observations[name]), "final_obs is not the first obs"


def check_vector_rows(make: Factory, make_vector: VectorFactory) -> None:
    """Row i is the single market with seed s + i, over the end of an episode; an int seeds as the list does."""
    cycles = 5
    many, listed = make_vector(num_envs=BATCH), make_vector(num_envs=BATCH)
    singles = [make() for _ in range(BATCH)]
    for env in (many, *singles):
        env.max_cycles = cycles
    seen = many.reset(seed=10)[0]
    assert data_equivalence(seen, listed.reset(seed=[10, 11, 12])[0], exact=True), "seed=s equals seed=[s, s + 1, ...]"
    alone = [env.reset(seed=10 + row)[0] for row, env in enumerate(singles)]
    many.action_space.seed(1)
    for interval in range(2 * cycles):
        _check_rows(many, seen, alone, f"interval {interval}: observations")
        actions = many.action_space.sample()
        seen, rewards, _, _, infos = many.step(actions)
        for row, env in enumerate(singles):
            step = env.step({s: actions[g][row, k] for g, seats in many.groups.items() for k, s in enumerate(seats)})
            alone[row] = step[0]
            for group, seats in many.groups.items():
                mine = [step[1][seat] for seat in seats]
                assert rewards[group][row].tolist() == mine, f"row {row} is paid what the single market pays"
        if "final_obs" in infos:
            _check_rows(many, infos["final_obs"], alone, "final_obs")
            alone = [env.reset()[0] for env in singles]


def _check_rows(env: MarketVectorEnv, grouped: dict[str, Any], alone: list[dict[str, Any]], what: str) -> None:
    for group, seats in env.groups.items():
        for row, observations in enumerate(alone):
            for place, seat in enumerate(seats):
                assert np.array_equal(grouped[group][row, place], observations[seat]), (
                    f"{what}: {seat}, row {row} differs"
                )


def check_all(make: Factory) -> None:
    """Every check of the PettingZoo view."""
    check_pettingzoo_suites(make)
    check_whole_episode(make)
    check_determinism(make)
    check_episodes_follow(make)
    check_copies(make)
    check_returned_values_are_the_callers(make)
    check_spaces(make)
    check_pettingzoo_traps(make)
