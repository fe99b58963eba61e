"""What each learning seat would gain by one constant action while the others play as they do: how far from Nash.

In a game of one interval without chance that is the exact best response on the grid of actions, and the gains together
are what Lanctot et al. (2017), "A unified game-theoretic approach to multiagent reinforcement learning", call NashConv.
In longer episodes it is a lower bound: a seat may gain more by an action that changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from gridmarl.errors import TrainingError
from gridmarl.learning.interface import ByGroup, VectorWorld
from gridmarl.learning.judging import Player, greedy_returns
from gridmarl.units import Float32, Int

EXPLOITABILITY: Final = "exploitability"
"""Name of the mean gain in the curve of a training."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """A seat's best constant action against the others as they play.

    Attributes
    ----------
    action : int
    earned, best : float
        Mean profit of an episode as the seat plays, and by the better of that and the constant action, $.
    scale : float
        Dollars that count as 1 for the seat.
    """

    action: int
    earned: float
    best: float
    scale: float

    @property
    def gain(self) -> float:
        """What the seat leaves on the table, $; never negative."""
        return self.best - self.earned


@dataclass(frozen=True, slots=True)
class Deviating:
    """Plays as an algorithm does, but for one seat that always chooses the same action."""

    algorithm: Player
    group: str
    seat: int  # number within the group
    action: int

    def act(self, observations: ByGroup, rng: np.random.Generator, explore: bool) -> dict[str, Float32 | Int]:
        """Actions, (env, seat)."""
        chosen = self.algorithm.act(observations, rng, explore)
        own = chosen[self.group].copy()
        own[:, self.seat] = self.action
        return {**chosen, self.group: own}


def best_deviations(algorithm: Player, world: VectorWorld, seed: int) -> dict[str, Deviation]:
    """Try every action of every learning seat, on the same episodes.

    Parameters
    ----------
    algorithm : Player
        Plays greedily; nothing of it changes.
    world : VectorWorld
        As many rows as episodes; what its seats do is a choice among actions.
    seed : int
        Of row 0.

    Returns
    -------
    dict
        Seat -> its best constant deviation.

    Raises
    ------
    TrainingError
        Where a group's actions are not a choice, or its reward is not one number.
    """
    for name, group in world.groups.items():
        if not group.actions.discrete or group.objectives:
            remedy = "choose: best, or last"
            raise TrainingError(f"deviations of group {name!r}", group.actions, "one reward, a choice", remedy)
    now = greedy_returns(algorithm, world, seed)
    found: dict[str, Deviation] = {}
    for name, group in world.groups.items():
        for number, seat in enumerate(group.seats):
            players = [Deviating(algorithm, name, number, action) for action in range(group.actions.choices)]
            tried = [float(greedy_returns(p, world, seed)[name][:, number].mean()) for p in players]
            earned, action = float(now[name][:, number].mean()), int(np.argmax(tried))
            found[seat] = Deviation(action, earned, max(earned, tried[action]), float(group.scale[number]))
    return found


def mean_gain(deviations: Mapping[str, Deviation]) -> float:
    """Mean over seats of what each would gain, scaled as its rewards are."""
    return float(np.mean([found.gain / found.scale for found in deviations.values()]))
