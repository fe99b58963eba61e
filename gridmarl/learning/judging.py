"""How good an algorithm is now: its greedy returns over whole episodes, many side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from gridmarl.agents.cards import Standing
from gridmarl.learning.interface import ByGroup, GroupSpec, VectorWorld
from gridmarl.units import Float, Float32, Int

Returns = Mapping[str, Float]
"""Group -> (episode, seat) or (episode, seat, objective), in the world's own unit."""


class Acts(Protocol):
    """What of an algorithm is judged."""

    def act(self, observations: ByGroup, rng: np.random.Generator, explore: bool) -> dict[str, Float32 | Int]:
        """Actions of every group."""
        ...


def greedy_returns(algorithm: Acts, world: VectorWorld, seed: int) -> Returns:
    """Undiscounted returns of one episode in each row: scaled rewards times the seats' scales.

    Nothing of the algorithm changes.

    Parameters
    ----------
    algorithm : Acts
    world : VectorWorld
        As many rows as episodes.
    seed : int
        Of row 0.
    """
    observations = world.reset(seed).observations
    rng = np.random.default_rng(0)  # greedy play draws nothing
    playing = np.ones(world.num_envs)
    totals: dict[str, Float] = {}
    while playing.any():
        step = world.step(algorithm.act(observations, rng, explore=False))
        for name, r in step.rewards.items():
            earned = r * playing.reshape(-1, *[1] * (r.ndim - 1))
            totals[name] = totals[name] + earned if name in totals else earned
        observations = step.observations
        playing[step.terminated | step.truncated] = 0.0
    return {name: total * world.groups[name].scale for name, total in totals.items()}


def standing_of(returns: Returns, groups: Mapping[str, GroupSpec], first_seed: int) -> Standing:
    """Means over the episodes; a vector reward counts as the seat's own reward weighs it."""
    profit: dict[str, float] = {}
    scaled: list[float] = []
    for name, group in groups.items():
        each, dollars = returns[name] / group.scale, returns[name]
        if group.objectives:
            each = each @ group.preference
            dollars = dollars @ np.array(group.weights) if group.weights else each
        scaled += each.mean(0).tolist()
        profit |= dict(zip(group.seats, dollars.mean(0).tolist(), strict=True))
    count = len(next(iter(returns.values())))
    return Standing(
        first_seed=first_seed, episodes=count, batch_size=count, profit=profit, scaled=float(np.mean(scaled))
    )
