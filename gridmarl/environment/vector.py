"""The Gymnasium vector view: many markets at once, arrays keyed by group in and out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from gridmarl.environment.compiled.arrays import Outcome
from gridmarl.environment.compiled.codecs import Codec
from gridmarl.environment.compiled.columns import MARKET_NAMES, SEAT_NAMES
from gridmarl.environment.core import Clocks, Core, seed_array
from gridmarl.environment.others import Others, chosen_seats
from gridmarl.environment.seating import Place, Seating, global_state, observations_of, state_space
from gridmarl.errors import ActionError, ScenarioError, nearest
from gridmarl.scenario.rules import Split
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import Bool, Float32, Int

Groups = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Group:
    """Seats of one role with identical spaces.

    Attributes
    ----------
    name : str
        The role, or ``role:codec`` where the role's seats speak several.
    seats : tuple of str
    """

    name: str
    role: str
    codec: Codec
    seats: tuple[str, ...]
    rows: slice | Int  # in Outcome.seats
    among: slice | Int  # in the role's observations
    columns: slice | Int  # of the packed actions, (seat x component)

    def observed(self, outcome: Outcome) -> Float32:
        """Observations, (env, seat, field)."""
        return observations_of(outcome, self.role)[:, self.among]


def _as_slice(index: Int) -> slice | Int:
    """A slice where the indices are consecutive, so that looking is a view."""
    first, last = int(index[0]), int(index[-1])
    return slice(first, last + 1) if last - first + 1 == len(index) else index


def group_seats(places: Sequence[Place]) -> dict[str, Group]:
    """Seats by role, split by codec where a role's seats speak several."""
    spoken: dict[str, list[str]] = {}
    for place in places:
        names = spoken.setdefault(place.role, [])
        if place.codec.name not in names:
            names.append(place.codec.name)
    members: dict[str, list[Place]] = {}
    for place in places:
        alone = len(spoken[place.role]) == 1
        members.setdefault(place.role if alone else f"{place.role}:{place.codec.name}", []).append(place)
    return {name: _group(name, found) for name, found in members.items()}


def _group(name: str, places: list[Place]) -> Group:
    columns = np.concatenate([np.arange(p.start, p.stop) for p in places])
    return Group(
        name,
        places[0].role,
        places[0].codec,
        tuple(p.seat for p in places),
        _as_slice(np.array([p.row for p in places])),
        _as_slice(np.array([p.among for p in places])),
        _as_slice(columns),
    )


class MarketVectorEnv(VectorEnv[Groups, Groups, Any]):
    """Many copies of a market as a ``gymnasium.vector.VectorEnv``.

    Parameters
    ----------
    scenario, seats, others, codecs, split
        As for :class:`gridmarl.environment.parallel.MarketEnv`.
    num_envs : int
        How many markets.

    Raises
    ------
    ScenarioError
        Where ``num_envs`` is no count, or seats that are not played have no team.

    Notes
    -----
    Observations, actions and rewards are dictionaries by group. Rewards are dollars, (env, seat) float64. Row i of
    ``reset(seed=s)`` has seed s + i. Episodes end together and begin anew in the same step (SAME_STEP).
    ``infos["final_state"]`` is :meth:`state` before the rows that ended began anew.
    ``infos["seats"]`` and ``infos["market"]`` hold every named component (see ``seat_columns``, ``market_columns``).
    """

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP, "render_modes": []}  # noqa: RUF012  # gymnasium's own form

    def __init__(
        self,
        scenario: Scenario,
        num_envs: int = 1,
        *,
        seats: str | tuple[str, ...] | list[str] | None = None,
        others: Others | None = None,
        codecs: Mapping[str, str] | None = None,
        split: Split = "train",
    ) -> None:
        inside = dict(others.codecs) if others else {}
        self.core = Core(scenario, num_envs, {**inside, **(codecs or {})}, split)
        self.scenario = scenario
        self.num_envs = num_envs
        self.render_mode = None
        seating = Seating(self.core.compiled)
        played = chosen_seats(self.core.compiled.layout, seats)
        if others is None and len(played) < len(self.core.compiled.layout.played):
            raise ScenarioError("others", None, "a team for the seats not played", "pass others='truthful'")
        self._others = others
        self.group_of = group_seats([seating.places[seat] for seat in played])
        self.groups = {name: group.seats for name, group in self.group_of.items()}
        self._set_spaces(seating)
        self.market_columns = MARKET_NAMES
        self.seat_columns = SEAT_NAMES
        self.state_space = state_space(self.core.compiled)
        self.max_cycles = scenario.intervals
        self._packed = np.zeros((num_envs, self.core.width))
        self._outcome: Outcome | None = None
        self._others_acted = False  # once an interval, even where an action from outside is refused first

    def _set_spaces(self, seating: Seating) -> None:
        observed: dict[str, spaces.Space[Any]] = {}
        acted: dict[str, spaces.Space[Any]] = {}
        for name, group in self.group_of.items():
            observed[name] = batch_space(seating.observation_spaces[group.seats[0]], len(group.seats))
            acted[name] = batch_space(seating.action_spaces[group.seats[0]], len(group.seats))
        self.single_observation_space = spaces.Dict(observed)
        self.single_action_space = spaces.Dict(acted)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)

    @property
    def latest(self) -> Outcome:
        """What the last reset or step returned, as arrays."""
        return self._require_begun()

    def _require_begun(self) -> Outcome:
        if self._outcome is None:
            raise ScenarioError("environment", "not yet begun", "a call after reset()", "call reset() first")
        return self._outcome

    def state(self) -> Float32:
        """Global states for central critics, (env, number)."""
        self._require_begun()
        return global_state(self.core.observe())

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Groups, dict[str, Any]]:
        """Begin episode 0 of seeds s, s + 1, ... (or of a list of seeds), or the next episodes of those at hand."""
        self._outcome = self.core.reset(self._seeds(seed))
        self._others_acted = False
        if self._others:
            self._others.begin(self.core)
        return self._observe(self._outcome), {}

    def _seeds(self, seed: int | Sequence[int | None] | None) -> Any:
        if seed is None:
            return None
        if isinstance(seed, (int, np.integer)):
            return seed_array([int(seed) + row for row in range(self.num_envs)])
        if len(seed) != self.num_envs:
            raise ScenarioError(
                "seed", seed, f"one number, or a list of {self.num_envs} numbers", "give one per environment"
            )
        return seed_array([*seed])

    def step(self, actions: Mapping[str, Any]) -> tuple[Groups, Groups, Bool, Bool, dict[str, Any]]:
        """Advance every market by one interval.

        Parameters
        ----------
        actions : mapping
            Group -> (env, seat) integers or (env, seat, component) numbers.

        Raises
        ------
        ActionError, OrderError
            Where an action is missing, of the wrong shape, or breaks a rule; nothing has changed then.
        """
        if self._others and not self._others_acted:
            self._others.fill(self.latest, self._packed)
            self._others_acted = True
        self._check(actions)
        for name, group in self.group_of.items():
            self._write(group, actions.get(name), name)
        outcome = self._outcome = self.core.step(self._packed, self._outcome)
        self._others_acted = False
        done = self.core.rows.t >= min(self.max_cycles, self.core.intervals)
        kept = outcome.rewards.copy()  # whoever keeps rewards does not keep the outcome from being used again
        rewards: Groups = {n: kept[:, g.rows] for n, g in self.group_of.items()}
        infos: dict[str, Any] = {"seats": outcome.seats, "market": outcome.market}
        if done.any():
            self._begin_again(outcome, done, infos)
        return self._observe(outcome), rewards, np.zeros(self.num_envs, np.bool_), done, infos

    def _check(self, actions: Mapping[str, Any]) -> None:
        if not isinstance(actions, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers are untyped
            raise ActionError("actions", type(actions).__name__, "a mapping of group to array", "see env.action_space")
        for name in actions:
            if name not in self.group_of:
                raise ActionError("group of actions", name, ", ".join(self.group_of), nearest(str(name), self.group_of))

    def _write(self, group: Group, action: Any, name: str) -> None:
        wanted = (self.num_envs, len(group.seats)) + (() if group.codec.discrete else (group.codec.width,))
        if action is None:
            raise ActionError("actions", f"none for group {name!r}", ", ".join(self.group_of), "add it")
        try:
            values = np.asarray(action)
            values = values if values.dtype.kind in "biuf" else values.astype(np.float64)
        except (TypeError, ValueError):
            raise ActionError(f"actions of group {name!r}", type(action).__name__, "numbers", "pass an array") from None
        if values.shape != wanted:
            raise ActionError(f"shape of the actions of group {name!r}", values.shape, str(wanted), "reshape them")
        self._packed[:, group.columns] = values.reshape(self.num_envs, -1)

    def _begin_again(self, outcome: Outcome, done: Bool, infos: dict[str, Any]) -> None:
        """Keep the true last observations and infos, then begin the next episode in the rows that ended."""
        infos["final_obs"] = {name: np.array(group.observed(outcome)) for name, group in self.group_of.items()}
        infos["final_state"] = global_state(outcome)
        infos["final_info"] = {
            "seats": outcome.seats.copy(),
            "market": outcome.market.copy(),
            "TimeLimit.truncated": done.copy(),
        }
        infos["_final_obs"] = infos["_final_info"] = done.copy()
        self.core.reset(chosen=done, outcome=outcome)
        if self._others:
            self._others.begin(self.core)

    def snapshot(self) -> dict[str, np.ndarray]:
        """Copies of all that changes, by name, the stream of the others' own randomness included."""
        rows, clocks = self.core.snapshot()
        kept: dict[str, np.ndarray] = {f"rows.{name}": array for name, array in rows._asdict().items()}
        kept |= {"clocks.seed": clocks.seed, "clocks.episode": clocks.episode}
        rng = getattr(self._others, "rng", None)
        if rng is not None:
            kept["others"] = np.frombuffer(json.dumps(rng.bit_generator.state).encode(), np.uint8)
        return kept

    def restore(self, snapshot: Mapping[str, np.ndarray]) -> Groups:
        """Go back to a snapshot; returns what the seats see there."""
        rows = self.core.rows._make(snapshot[f"rows.{name}"] for name in self.core.rows._fields)
        clocks = Clocks(snapshot["clocks.seed"], snapshot["clocks.episode"])
        self.core.restore((rows, clocks))
        if self._others:
            self._others.begin(self.core)
        rng = getattr(self._others, "rng", None)
        if rng is not None:
            rng.bit_generator.state = json.loads(bytes(snapshot["others"]))
        self._outcome, self._others_acted = self.core.observe(), False
        return self._observe(self._outcome)

    def _observe(self, outcome: Outcome) -> Groups:
        return {name: group.observed(outcome) for name, group in self.group_of.items()}

    def close_extras(self, **kwargs: Any) -> None:
        """Nothing is held open."""
