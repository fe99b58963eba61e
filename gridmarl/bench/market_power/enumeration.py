"""What one seat can earn on a grid of actions while the others play as they do: many actions tried side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from gridmarl.agents.agent import BatchAgent
from gridmarl.agents.rules import ZeroIntelligence
from gridmarl.agents.team import SeatedTeam, Team, roles_of
from gridmarl.assets import battery, generator, load
from gridmarl.environment.compiled.arrays import Outcome, Rows
from gridmarl.environment.compiled.codecs import action_space, codec_of
from gridmarl.environment.compiled.columns import REWARD
from gridmarl.environment.core import Core
from gridmarl.environment.seating import Place, Seating
from gridmarl.errors import ScenarioError, nearest
from gridmarl.scenario.rules import Split
from gridmarl.scenario.scenario import BUILT_IN_CODECS, Scenario
from gridmarl.units import Float, Int

LEVELS: Final = 11
"""Points of the grid along each component of an action that is a vector of numbers."""
ROWS: Final = 2048
"""Markets that run side by side."""
KEPT: Final = 1024
"""States that are followed from one interval to the next."""
DIGITS: Final = 9
"""States that agree to so many decimals are one."""
EXOGENOUS: Final = ("key", "t", "origin")
"""Parts of the state that are the same whatever the seat does."""
OBSERVED: Final = ("market", "classes", "home", "loading")
"""Parts of the state that change nothing by themselves: only who observes them may act on them."""
OBSERVED_COLUMNS: Final = {
    "generator": (generator.OFFERED, generator.OFFER_PRICE, generator.PROFIT),
    "battery": (battery.THROUGHPUT, battery.PROFIT, battery.ACCEPTED),
    "load": (load.REDUCTION, load.BASELINE, load.UNSERVED, load.SAVING),
}
"""The same, of parts of which the rest matters."""


@dataclass(frozen=True, slots=True)
class BestSequence:
    """The sequence of actions that earns most in one episode, of all that a clairvoyant could choose from.

    Attributes
    ----------
    profit : float
        $ of the episode.
    actions : (interval, component) array
    complete : bool
        Whether every state that can be reached was followed, so that no sequence on the grid earns more.
    """

    profit: float
    actions: Float
    complete: bool


def action_grid(scenario: Scenario, role: str) -> Float:
    """Actions of a role by its default codec: all of a choice, or levels of each component, (action, component)."""
    codec = codec_of(BUILT_IN_CODECS[role], role)
    if codec.discrete:
        rules = scenario.market
        choices = getattr(action_space(codec, rules.floor_per_mwh, rules.cap_per_mwh, 1.0), "n", 0)
        return np.arange(float(choices))[:, None]
    space = action_space(codec, scenario.market.floor_per_mwh, scenario.market.cap_per_mwh, 1.0)
    low, high = getattr(space, "low", np.zeros(0)), getattr(space, "high", np.zeros(0))
    axes = [np.linspace(first, last, LEVELS) for first, last in zip(low, high, strict=True)]
    return np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=1).astype(np.float64)


class Alone:
    """One seat that tries actions while a team plays all others.

    Parameters
    ----------
    scenario : Scenario
    others : Team
        May claim the seat too; there it does not play.
    seat : str

    Attributes
    ----------
    role : str
    grid : (action, component) array
    side_by_side : bool
        Whether the others can play many markets at once.
    draws : bool
        Whether one of the others plays at random.

    Raises
    ------
    ScenarioError
        Where there is no such seat.
    """

    def __init__(self, scenario: Scenario, others: Team, seat: str) -> None:
        roles = roles_of(scenario)
        if seat not in roles:
            raise ScenarioError(f"seat of {scenario.name!r}", seat, ", ".join(roles), nearest(seat, roles))
        self.scenario, self.seat, self.role = scenario, seat, roles[seat]
        self.grid = action_grid(scenario, self.role)
        self._seated = SeatedTeam(others, scenario, tuple(name for name in roles if name != seat))
        agents = [agent for agent, _ in self._seated.players]
        self._constant = all(bool(getattr(agent, "constant", False)) for agent in agents)
        self.side_by_side = all(getattr(a, "constant", False) or isinstance(a, BatchAgent) for a in agents)
        self.draws = any(isinstance(agent, ZeroIntelligence) for agent in agents)

    def begin(self, rows: int, split: Split, seeds: Sequence[int] | Int) -> tuple[Core, Place]:
        """So many markets at the beginning of these seeds' episodes, and where the seat stands in them."""
        core = Core(self.scenario, rows, {**self._seated.codecs, self.seat: BUILT_IN_CODECS[self.role]}, split)
        core.reset(np.asarray(seeds, np.uint64))
        self._seated.begin(core)
        return core, Seating(core.compiled).places[self.seat]

    def fill(self, outcome: Outcome, packed: Float) -> None:
        """Write what the others do, having seen the outcome, into (row, component) actions."""
        self._seated.fill(outcome, packed)

    def profits(self, sequences: Float, split: Split, seeds: Sequence[int]) -> Float:
        """What sequences of actions earn, (sequence, seed) $ per episode.

        Parameters
        ----------
        sequences : (sequence, interval or 1, component) array
            A single action is repeated.
        split : {"train", "select", "test"}
        seeds : sequence of int
        """
        number, drawn = np.divmod(np.arange(len(sequences) * len(seeds)), len(seeds))
        size = ROWS if self.side_by_side else 1
        chunks = [slice(at, at + size) for at in range(0, len(number), size)]
        earned = [self._play(sequences[number[c]], split, np.asarray(seeds)[drawn[c]]) for c in chunks]
        return np.concatenate(earned).reshape(len(sequences), len(seeds))

    def _play(self, sequences: Float, split: Split, seeds: Int) -> Float:
        """Each row plays its own sequence on its own seed, (row,) $."""
        core, place = self.begin(len(seeds), split, seeds)
        outcome, packed, total = core.observe(), np.zeros((len(seeds), core.width)), np.zeros(len(seeds))
        for t in range(core.intervals):
            self.fill(outcome, packed)
            packed[:, place.start : place.stop] = sequences[:, min(t, sequences.shape[1] - 1)]
            outcome = core.step(packed)
            total += outcome.seats[:, place.row, REWARD]
        return total

    def best_sequence(
        self,
        split: Split,
        seed: int,
        kept: int = KEPT,
        *,
        alike: Callable[[Rows], Int] | None = None,
        advance: Callable[[int], object] | None = None,
    ) -> BestSequence:
        """Follow all states that the seat can bring about, interval by interval, by the dearest way into each.

        That is a dynamic programme over the states that can be reached (Bellman 1957): of several ways into the same
        state only the one that earned most can be part of the best sequence. States count as the same where everything
        agrees that the future depends on; where the others observe, what they remember belongs to it.

        Parameters
        ----------
        split : {"train", "select", "test"}
        seed : int
            Of the episode, whose chance the sequence may know beforehand.
        kept : int
            Where more states than that can be reached, those that earned most so far are followed.
        alike : callable, optional
            Gives each state a number; of those with the same number only the one that earned most is followed. By
            default states are alike where they are the same.
        advance : callable, optional
            Told of each interval.

        Raises
        ------
        ScenarioError
            Where one of the others cannot play many markets at once.
        """
        count, choices = self.scenario.intervals, len(self.grid)
        width = choices * (min(kept, max(1, ROWS // choices)) if count > 1 else 1)
        core, place = self.begin(width, split, np.full(width, seed))
        states, earned, complete = _taken(core.rows, np.zeros(1, np.int64)), np.zeros(1), True
        ways: list[tuple[Int, Int]] = []
        for _ in range(count):
            states, rewards = self._expand(core, place, states)
            earned = (earned[:, None] + rewards).ravel()
            chosen = dearest(self._key(states) if alike is None else alike(states)[:, None], earned)
            complete = complete and len(chosen) <= kept
            if complete and alike is not None:
                complete = len(chosen) == len(dearest(self._key(states), earned))  # none that differed was dropped
            chosen = chosen[np.argsort(-earned[chosen], kind="stable")[:kept]]
            states, earned = _taken(states, chosen), earned[chosen]
            ways.append((chosen // choices, chosen % choices))
            if advance is not None:
                advance(1)
        return BestSequence(float(earned[0]), self.grid[_traced(ways)], complete)

    def _expand(self, core: Core, place: Place, states: Rows) -> tuple[Rows, Float]:
        """Every action in every state: the states that follow, (state x action), and the rewards, (state, action)."""
        choices = len(self.grid)
        size, count = core.count // choices, len(states.t)
        found: list[Rows] = []
        rewards = np.empty((count, choices))
        packed = np.zeros((core.count, core.width))
        for at in range(0, count, size):
            wanted = np.minimum(np.arange(at, at + size), count - 1)  # the last one fills the rows that are left
            for mine, theirs in zip(core.rows, states, strict=True):
                mine[...] = np.repeat(theirs[wanted], choices, axis=0)
            self.fill(core.observe(), packed)
            packed[:, place.start : place.stop] = np.tile(self.grid, (size, 1))
            outcome = core.step(packed)
            stop = min(size, count - at)
            rewards[at : at + stop] = outcome.seats[: stop * choices, place.row, REWARD].reshape(stop, choices)
            found.append(_taken(core.rows, np.arange(stop * choices)))
        return Rows._make(np.concatenate(parts) for parts in zip(*found, strict=True)), rewards

    def _key(self, states: Rows) -> Float:
        """All numbers that the future depends on, rounded, (state, number)."""
        parts = [array for name, array in states._asdict().items() if name not in EXOGENOUS]
        if self._constant:
            kept = {name: array for name, array in states._asdict().items() if name not in (*EXOGENOUS, *OBSERVED)}
            parts = [np.delete(array, OBSERVED_COLUMNS.get(name, ()), axis=-1) for name, array in kept.items()]
        return np.concatenate([np.round(part.reshape(len(states.t), -1), DIGITS) for part in parts], axis=1)


def dearest(key: Float | Int, earned: Float) -> Int:
    """Of the rows of a table that are equal, the one that earned most: row numbers, one of each kind."""
    kind = np.unique(key, axis=0, return_inverse=True)[1].ravel()
    order = np.lexsort((-earned, kind))
    first = np.ones(len(order), np.bool_)
    first[1:] = kind[order][1:] != kind[order][:-1]
    return order[first]


def _taken(states: Rows, rows: Int) -> Rows:
    """Copies of some rows."""
    return Rows._make(array[rows] for array in states)


def _traced(ways: Sequence[tuple[Int, Int]]) -> Int:
    """Actions on the way into the first of the last states: (from which state, by which action) of each interval."""
    place, actions = 0, np.empty(len(ways), np.int64)
    for t in range(len(ways) - 1, -1, -1):
        before, action = ways[t]
        actions[t], place = action[place], before[place]
    return actions
