"""How good an algorithm is now: its greedy returns over whole episodes, many side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from gridmarl.agents.cards import Standing
from gridmarl.learning.interface import ByGroup, GroupSpec, VectorWorld
from gridmarl.learning.worlds.adapters import Markets
from gridmarl.units import Float, Float32, Int

Returns = Mapping[str, Float]
"""Group -> (episode, seat) or (episode, seat, objective), in the world's own unit."""


class Player(Protocol):
    """What can be judged: an algorithm, or whoever else acts for all groups."""

    def act(self, observations: ByGroup, rng: np.random.Generator, explore: bool) -> dict[str, Float32 | Int]:
        """Actions for every group."""
        ...


def greedy_returns(player: Player, world: VectorWorld, seed: int | Sequence[int]) -> Returns:
    """Undiscounted returns of one episode in each row: scaled rewards times the seats' scales.

    Nothing of the player changes.

    Parameters
    ----------
    player : Player
    world : VectorWorld
        As many rows as episodes.
    seed : int or sequence of int
        Of row 0; our own markets also take one for each row.
    """
    if isinstance(seed, int):
        observations = world.reset(seed).observations
    else:
        assert isinstance(world, Markets)
        observations = world.reset(seed).observations
    rng = np.random.default_rng(0)  # greedy play draws nothing
    playing = np.ones(world.num_envs)
    totals: dict[str, Float] = {}
    while playing.any():
        step = world.step(player.act(observations, rng, explore=False))
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
        each, dollars = own_scaled(returns[name], group), returns[name]
        if group.objectives:
            dollars = dollars @ np.array(group.weights) if group.weights else each
        scaled += each.mean(0).tolist()
        profit |= dict(zip(group.seats, dollars.mean(0).tolist(), strict=True))
    count = len(next(iter(returns.values())))
    return Standing(
        first_seed=first_seed, episodes=count, batch_size=count, profit=profit, scaled=float(np.mean(scaled))
    )


def own_scaled(returns: Float, group: GroupSpec) -> Float:
    """Returns divided by what counts as 1, (episode, seat); a vector weighed as the seat's own reward does."""
    scaled = returns / group.scale
    return scaled @ group.preference if group.objectives else scaled
