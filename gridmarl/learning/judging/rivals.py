"""How well a training's policies hold against each other, cheaply: cross-play with the pool, and deviations.

Exploitability is the mean over seats of what a seat gains by its best deviation while all others play on (Lanctot et
al. 2017 call the sum NashConv). Tried are constant actions and the pool's policies, one seat at a time; so it is a
lower bound of what a true best response gains. In an episode of one interval without chance it is exact for choices.
Each seat's deviation is chosen on one half of the episodes and scored on the other, so that the luckiest of many is not
mistaken for the best; a deviation that loses there gains 0, because staying is one, too. All of it is played by markets
side by side, as many at once as memory should hold, with the same seeds for each deviation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Final

import numpy as np

from gridmarl.learning.interface import ByGroup, GroupSpec, Metrics, Task
from gridmarl.learning.judging.pool import CURRENT, Cast, Pool
from gridmarl.learning.judging.standing import Player, Returns, greedy_returns, own_scaled
from gridmarl.learning.worlds.adapters import Markets
from gridmarl.units import Bool, Float, Float32, Int

LEVELS: Final = (-1.0, -0.5, 0.0, 0.5, 1.0)
"""Constants tried for an action of one number."""
PRODUCT: Final = 3
"""Up to so many components, all combinations of -1, 0 and 1 are tried; beyond, the same in all."""
TOGETHER: Final = 2**17
"""Seats of all markets that are advanced together. Memory goes with seats, not with markets: one of `city` has a
hundred times those of `auction`. What a row of a world takes, ``make bench`` prints."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """One seat does something else than its policy: the same all the time, or as a member of the pool did."""

    group: str
    seat: int
    action: Float32 | Int | None = None
    member: int = CURRENT


@dataclass(frozen=True, slots=True)
class CrossPlay:
    """One role plays its current policies, all others those of a member of the pool."""

    role: str
    member: int


Match = Deviation | CrossPlay | None
"""What is played in a block of rows; None: all current policies."""


@dataclass(slots=True)
class Players:
    """Current policies, and others in the seats that a cast names; plays greedily."""

    algorithm: Player
    pool: Pool
    cast: Cast = field(default_factory=lambda: Cast({}))

    def act(self, observations: ByGroup, rng: np.random.Generator, explore: bool) -> dict[str, Float32 | Int]:
        """Everybody's actions."""
        actions = self.algorithm.act(observations, rng, explore=False)
        return self.cast.play(self.pool, observations, actions)


def rivalry(algorithm: Player, pool: Pool, task: Task, seed: int, episodes: int, seats: int | None = None) -> Metrics:
    """Play every match on the select split.

    Parameters
    ----------
    algorithm : Player
        Plays greedily; nothing of it changes.
    pool : Pool
        Its past, which may be empty.
    task : Task
        Makes markets.
    seed : int
        Of the first episode.
    episodes : int
        Of each match, an even number.
    seats : int, optional
        How many of a group deviate, the largest first; by default all.

    Returns
    -------
    mapping
        ``exploitability``, also ``exploitability.<group>``, in scaled returns a seat; ``cross.<role>.<step>``, the mean
        scaled return of a role's current policies among those that the others had at that step, ``cross.<role>.now``
        among the current ones; ``cross.worst``, the mean over roles of the lowest of these; and ``pool``, how many
        members it has.
    """
    probe = task.make(1, "select")
    assert isinstance(probe, Markets)
    groups = probe.groups
    matches = [None, *deviations(groups, len(pool), seats), *cross_plays(groups, len(pool))]
    most = max(1, TOGETHER // (episodes * len(probe.env.core.compiled.layout.seats)))
    players, seeds = Players(algorithm, pool), range(seed, seed + episodes)
    parts = [_played(matches[at : at + most], players, task, seeds) for at in range(0, len(matches), most)]
    returns = {name: np.concatenate([part[name] for part in parts]) for name in groups}
    scaled = {n: own_scaled(returns[n], g).reshape(len(matches), episodes, -1) for n, g in groups.items()}
    met = crossed(matches, scaled, groups, pool.steps)
    return {**exploitability(matches, scaled), **met, "pool": float(len(pool))}


def _played(matches: Sequence[Match], players: Players, task: Task, seeds: Sequence[int]) -> Returns:
    """Group -> (match and seed, seat) returns of these matches, all at once.

    No market knows of those beside it, so parts come to what all matches at once would; only a network's matrix product
    may round differently where its batch has few rows.
    """
    world = task.make(len(matches) * len(seeds), "select")
    players.cast = cast_of(matches, world.groups, len(seeds))
    return greedy_returns(players, world, [*seeds] * len(matches))


def deviations(groups: Mapping[str, GroupSpec], members: int, seats: int | None = None) -> list[Match]:
    """All that is tried, seat by seat."""
    found: list[Match] = []
    for name, group in groups.items():
        size = group.scale.reshape(len(group.seats), -1)[:, 0]
        for seat in np.argsort(-size, kind="stable")[:seats].tolist():
            found += [Deviation(name, seat, action) for action in constants(group)]
            found += [Deviation(name, seat, member=member) for member in range(members)]
    return found


def constants(group: GroupSpec) -> Sequence[Float32 | Int]:
    """Constant actions of one seat that are tried: all choices, or a coarse grid of numbers."""
    size = group.actions.size
    if group.actions.discrete:
        return [np.array(choice) for choice in range(size)]
    if size == 1 or size > PRODUCT:
        return [np.full(size, level, np.float32) for level in LEVELS]
    return [np.array(corner, np.float32) for corner in product((-1.0, 0.0, 1.0), repeat=size)]


def cross_plays(groups: Mapping[str, GroupSpec], members: int) -> list[Match]:
    """Every role against every member."""
    roles = dict.fromkeys(group.role for group in groups.values())
    return [CrossPlay(role, member) for role in roles for member in range(members)]


def cast_of(matches: Sequence[Match], groups: Mapping[str, GroupSpec], episodes: int) -> Cast:
    """Who plays what in blocks of so many rows, one for each match."""
    rows = len(matches) * episodes
    who = {name: np.full((rows, len(g.seats)), CURRENT) for name, g in groups.items()}
    fixed: dict[str, Bool] = {name: np.zeros((rows, len(g.seats)), np.bool_) for name, g in groups.items()}
    forced = {name: _nothing(g, rows) for name, g in groups.items()}
    for block, match in enumerate(matches):
        at = slice(block * episodes, (block + 1) * episodes)
        if isinstance(match, CrossPlay):
            for name in (n for n, g in groups.items() if g.role != match.role):
                who[name][at] = match.member
        elif match is not None and match.action is not None:
            fixed[match.group][at, match.seat] = True
            forced[match.group][at, match.seat] = match.action
        elif match is not None:
            who[match.group][at, match.seat] = match.member
    return Cast(who, fixed, forced)


def _nothing(group: GroupSpec, rows: int) -> Float32 | Int:
    """Actions 0 in every row."""
    shape = (rows, len(group.seats), *group.actions.shape)
    return np.zeros(shape, np.int64) if group.actions.discrete else np.zeros(shape, np.float32)


def exploitability(matches: Sequence[Match], scaled: Mapping[str, Float]) -> Metrics:
    """Mean over seats of the gain by the best deviation, in all and of each group.

    Parameters
    ----------
    matches : sequence
        The first is None.
    scaled : mapping
        Group -> (match, episode, seat) scaled returns.
    """
    gains: dict[str, list[float]] = {}
    seats = dict.fromkeys((m.group, m.seat) for m in matches if isinstance(m, Deviation))
    for name, seat in seats:
        of_seat = [isinstance(m, Deviation) and (m.group, m.seat) == (name, seat) for m in matches]
        gain = scaled[name][of_seat, :, seat] - scaled[name][0, :, seat]  # (deviation, episode)
        best = gain[:, ::2].mean(1).argmax()
        gains.setdefault(name, []).append(max(float(gain[best, 1::2].mean()), 0.0))
    found = {f"exploitability.{name}": float(np.mean(each)) for name, each in gains.items()}
    return {"exploitability": float(np.mean([g for each in gains.values() for g in each])), **found}


def crossed(
    matches: Sequence[Match], scaled: Mapping[str, Float], groups: Mapping[str, GroupSpec], steps: Sequence[int]
) -> Metrics:
    """The matrix of cross-play, and the mean over roles of their worst entry."""
    found: Metrics = {}
    roles: dict[str, list[str]] = {}
    for name, group in groups.items():
        roles.setdefault(group.role, []).append(name)
    worst: list[float] = []
    for role, names in roles.items():
        each = np.concatenate([scaled[name].mean(1) for name in names], axis=1).mean(1)  # (match,)
        row = {"now": float(each[0])}
        for block, match in enumerate(matches):
            if isinstance(match, CrossPlay) and match.role == role:
                row[str(steps[match.member])] = float(each[block])
        found |= {f"cross.{role}.{key}": value for key, value in row.items()}
        worst.append(min(row.values()))
    return {**found, "cross.worst": float(np.mean(worst))}
