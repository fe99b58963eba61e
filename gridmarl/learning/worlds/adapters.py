"""Worlds as learners see them: our own markets, and those of Gymnasium and PettingZoo.

Each adapter is a :class:`gridmarl.learning.interface.VectorWorld`; that module says what the arrays mean.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray

from gridmarl.environment.compiled.columns import COST_OBJECTIVE, FIFTH, NINTH
from gridmarl.environment.seating import global_state
from gridmarl.environment.vector import MarketVectorEnv
from gridmarl.errors import TrainingError
from gridmarl.learning.interface import Actions, ActionSpec, GroupSpec, Start, Step
from gridmarl.learning.worlds.scales import OBJECTIVES, objective_scale, objective_weights, reward_scale
from gridmarl.units import Float32, Int

ALONE: Final = "agent"
"""Group and seat of a Gymnasium environment."""


def action_spec(space: Any, thing: str) -> ActionSpec:
    """What a Gymnasium action space lets one seat do.

    Raises
    ------
    TrainingError
        Where it is neither ``Discrete`` from 0 on nor a bounded one-dimensional ``Box``.
    """
    if isinstance(space, spaces.Discrete) and space.start == 0:
        return ActionSpec(choices=int(space.n))
    if isinstance(space, spaces.Box) and space.is_bounded() and len(space.shape) == 1:
        return ActionSpec(low=space.low.astype(np.float64), high=space.high.astype(np.float64))
    allowed = "Discrete from 0 on, or a bounded Box of one dimension"
    raise TrainingError(f"action space of {thing}", space, allowed, "wrap the environment")


def field_count(space: Any, thing: str) -> int:
    """Length of a flat observation.

    Raises
    ------
    TrainingError
        Where the space is no ``Box``.
    """
    if isinstance(space, spaces.Box):
        return int(np.prod(space.shape))
    raise TrainingError(
        f"observation space of {thing}", space, "Box", "wrap it in gymnasium.wrappers.FlattenObservation"
    )


def stretched(spec: ActionSpec, action: Float32 | Int) -> NDArray[Any]:
    """Actions as the world takes them: numbers within -1 .. 1 stretched to its bounds."""
    if spec.discrete:
        return action
    return spec.low + (np.clip(action, -1.0, 1.0).astype(np.float64) + 1.0) / 2.0 * (spec.high - spec.low)


class Markets:
    """Our own vector environment; observations are views of what it returns.

    Parameters
    ----------
    env : MarketVectorEnv
    state : bool
        Also the global state, for central critics.
    objectives : bool
        The operator's reward as a vector, (env, 1, objective).
    """

    resumable = True

    def __init__(self, env: MarketVectorEnv, *, state: bool = False, objectives: bool = False) -> None:
        self.env, self.num_envs, self._state = env, env.num_envs, state
        self.state_size = int(np.prod(env.state_space.shape)) if state else 0
        self.groups: dict[str, GroupSpec] = {}
        seen: Any = env.single_observation_space
        taken: Any = env.single_action_space
        for name, seats in env.groups.items():
            box, space = seen[name], taken[name]
            vector = objectives and env.group_of[name].role == "operator"
            self.groups[name] = GroupSpec(
                name,
                seats,
                int(box.shape[-1]),
                _one_seats(space, name),
                objective_scale(env.scenario) if vector else reward_scale(env.scenario, seats),
                OBJECTIVES if vector else (),
                env.group_of[name].role,
                env.group_of[name].codec.name,
                objective_weights(env.scenario) if vector else (),
            )

    def reset(self, seed: int | Sequence[int]) -> Start:
        """Begin first episodes of the seeds from this one on, or of a list with one for each row."""
        observations, _ = self.env.reset(seed=seed)
        return Start(observations, self._state_now())

    def step(self, actions: Actions) -> Step:
        """Advance every market by one interval."""
        chosen = {name: stretched(group.actions, actions[name]) for name, group in self.groups.items()}
        observations, rewards, terminated, truncated, infos = self.env.step(chosen)
        state = self._state_now()
        return Step(
            observations,
            {name: self._scaled(group, rewards, infos) for name, group in self.groups.items()},
            terminated,
            truncated,
            infos.get("final_obs", observations),
            state,
            infos.get("final_state", state) if self._state else state,
        )

    def _scaled(self, group: GroupSpec, rewards: Mapping[str, Any], infos: Mapping[str, Any]) -> Float32:
        if not group.objectives:
            return (rewards[group.name] / group.scale).astype(np.float32)
        own = infos["seats"][:, self.env.group_of[group.name].rows]
        return (-own[:, :, [NINTH, COST_OBJECTIVE, FIFTH]] / group.scale).astype(np.float32)

    def _state_now(self) -> Float32:
        return global_state(self.env.latest) if self._state else np.zeros((self.num_envs, 0), np.float32)

    def snapshot(self) -> dict[str, np.ndarray]:
        """The core's state."""
        return self.env.snapshot()

    def restore(self, snapshot: Mapping[str, np.ndarray]) -> Start:
        """Go back to a core's state."""
        observations = self.env.restore(snapshot)
        return Start(observations, self._state_now())


def _one_seats(space: Any, name: str) -> ActionSpec:
    """One seat's actions from the batched space of its group."""
    if isinstance(space, spaces.MultiDiscrete):
        return ActionSpec(choices=int(space.nvec.flat[0]))
    return action_spec(spaces.Box(space.low[0], space.high[0], dtype=space.dtype), name)


class Gymnasium:
    """Any Gymnasium vector environment that begins anew in the same step; one group ``agent`` of one seat.

    Parameters
    ----------
    env : gymnasium.vector.VectorEnv
        Made with ``autoreset_mode=AutoresetMode.SAME_STEP``. The state for central critics is the observation.

    Raises
    ------
    TrainingError
        Where it resets otherwise, or its spaces are no ``Box`` and ``Discrete`` or ``Box``.
    """

    resumable = False

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        mode = env.metadata.get("autoreset_mode")
        if mode != AutoresetMode.SAME_STEP:
            remedy = "make it with vector_kwargs={'autoreset_mode': AutoresetMode.SAME_STEP}"
            raise TrainingError("autoreset mode", str(mode), "SAME_STEP", remedy)
        self.env, self.num_envs = env, env.num_envs
        fields = field_count(env.single_observation_space, "the environment")
        self.state_size = fields
        actions = action_spec(env.single_action_space, "the environment")
        self._shape = (self.num_envs, *actions.shape)
        self.groups = {ALONE: GroupSpec(ALONE, (ALONE,), fields, actions, np.ones(1))}

    def reset(self, seed: int) -> Start:
        """Begin first episodes of the seeds from this one on."""
        return self._start(self.env.reset(seed=seed)[0])

    def _start(self, seen: NDArray[Any]) -> Start:
        flat = np.asarray(seen, np.float32).reshape(self.num_envs, -1)
        return Start({ALONE: flat[:, None]}, flat)

    def step(self, actions: Actions) -> Step:
        """Advance every environment by one step."""
        chosen = stretched(self.groups[ALONE].actions, actions[ALONE]).reshape(self._shape)
        seen, rewards, terminated, truncated, infos = self.env.step(chosen.astype(self.env.action_space.dtype))
        now = after = self._start(seen)
        if "final_obs" in infos:
            final = now.state.copy()
            for row in np.flatnonzero(infos["_final_obs"]):
                final[row] = np.asarray(infos["final_obs"][row], np.float32).reshape(-1)
            after = Start({ALONE: final[:, None]}, final)
        scaled = np.asarray(rewards, np.float32)[:, None]
        return Step(
            now.observations, {ALONE: scaled}, terminated, truncated, after.observations, now.state, after.state
        )

    def snapshot(self) -> dict[str, np.ndarray]:
        """Nothing: Gymnasium's environments do not say what their state is."""
        return {}

    def restore(self, snapshot: Mapping[str, np.ndarray]) -> Start:
        """Impossible."""
        raise NotImplementedError("this world cannot be taken up; reset it")


def group_of(agent: str) -> str:
    """``speaker`` of ``speaker_0``: agents of one name and one kind of space are a group."""
    return re.sub(r"_?\d+$", "", agent) or agent


class PettingZoo:
    """Copies of any PettingZoo parallel environment, stepped one after the other.

    An episode ends when no agent is left: terminated where every agent's world ended, truncated otherwise. An agent
    that leaves earlier stays where it was last seen and earns nothing more.

    Parameters
    ----------
    make : callable
        Returns a new environment.
    num_envs : int
    state : bool
        Ask the environments for their global state, which costs time; otherwise it is all observations.
    """

    resumable = False

    def __init__(self, make: Callable[[], Any], num_envs: int, *, state: bool = True) -> None:
        self.envs, self.num_envs = [make() for _ in range(num_envs)], num_envs
        self._last: list[dict[str, Any]] = [{} for _ in self.envs]
        self._gone: list[set[str]] = [set() for _ in self.envs]
        first = self.envs[0]
        members: dict[tuple[str, str, str], list[str]] = {}
        for agent in first.possible_agents:
            key = group_of(agent), str(first.observation_space(agent)), str(first.action_space(agent))
            members.setdefault(key, []).append(agent)
        names = _names([key[0] for key in members])
        self.groups = {n: _group(n, first, seats) for n, seats in zip(names, members.values(), strict=True)}
        self._row_of = {seat: (g.name, i) for g in self.groups.values() for i, seat in enumerate(g.seats)}
        space = getattr(first, "state_space", None)
        self._knows_state = state and space is not None and hasattr(first, "state")
        self.state_size = (
            int(np.prod(space.shape))
            if space is not None and self._knows_state
            else sum(len(g.seats) * g.fields for g in self.groups.values())
        )

    def reset(self, seed: int) -> Start:
        """Begin first episodes of the seeds from this one on."""
        blank = self._blank()
        for row, env in enumerate(self.envs):
            self._write(blank, row, env, env.reset(seed=seed + row)[0])
        return blank

    def step(self, actions: Actions) -> Step:
        """Advance every environment by one step."""
        now, after = self._blank(), self._blank()
        rewards = {n: np.zeros((self.num_envs, len(g.seats)), np.float32) for n, g in self.groups.items()}
        terminated, truncated = np.zeros((2, self.num_envs), np.bool_)
        chosen = {name: stretched(group.actions, actions[name]) for name, group in self.groups.items()}
        for row, env in enumerate(self.envs):
            moves = {agent: _move(env, agent, chosen, self._row_of[agent], row) for agent in env.agents}
            seen, earned, ended, _, _ = env.step(moves)
            for agent, reward in earned.items():
                name, seat = self._row_of[agent]
                rewards[name][row, seat] = reward
            self._gone[row] |= {agent for agent, flag in ended.items() if flag}
            self._write(after, row, env, {**self._last[row], **seen})
            over = not env.agents
            terminated[row] = over and self._gone[row] >= set(self._row_of)
            truncated[row] = over and not terminated[row]
            if over:
                self._write(now, row, env, env.reset()[0])
            else:
                _copy_row(now, after, row)
        return Step(now.observations, rewards, terminated, truncated, after.observations, now.state, after.state)

    def _blank(self) -> Start:
        count = self.num_envs
        observations = {n: np.zeros((count, len(g.seats), g.fields), np.float32) for n, g in self.groups.items()}
        return Start(observations, np.zeros((count, self.state_size), np.float32))

    def _write(self, start: Start, row: int, env: Any, seen: Mapping[str, Any]) -> None:
        """Put what a row's agents see, and the state, where they belong."""
        for agent, values in seen.items():
            name, seat = self._row_of[agent]
            start.observations[name][row, seat] = np.asarray(values, np.float32).reshape(-1)
        if self._knows_state:
            start.state[row] = np.asarray(env.state(), np.float32).reshape(-1)
        else:
            start.state[row] = np.concatenate([o[row].reshape(-1) for o in start.observations.values()])
        self._last[row] = dict(seen)
        if len(env.agents) == len(self._row_of):
            self._gone[row] = set()

    def snapshot(self) -> dict[str, np.ndarray]:
        """Nothing: PettingZoo's environments do not say what their state is."""
        return {}

    def restore(self, snapshot: Mapping[str, np.ndarray]) -> Start:
        """Impossible."""
        raise NotImplementedError("this world cannot be taken up; reset it")


def _names(roots: Sequence[str]) -> list[str]:
    """Group names: the root, or root:0, root:1, ... where several groups have it."""
    return [
        root if roots.count(root) == 1 else f"{root}:{roots[:place].count(root)}" for place, root in enumerate(roots)
    ]


def _group(name: str, env: Any, seats: list[str]) -> GroupSpec:
    fields = field_count(env.observation_space(seats[0]), seats[0])
    actions = action_spec(env.action_space(seats[0]), seats[0])
    return GroupSpec(name, tuple(seats), fields, actions, np.ones(len(seats)))


def _move(env: Any, agent: str, chosen: Mapping[str, NDArray[Any]], place: tuple[str, int], row: int) -> Any:
    name, seat = place
    action = chosen[name][row, seat]
    return int(action) if np.ndim(action) == 0 else action.astype(env.action_space(agent).dtype)


def _copy_row(target: Start, source: Start, row: int) -> None:
    for name, array in source.observations.items():
        target.observations[name][row] = array[row]
    target.state[row] = source.state[row]
