"""Deep-sea treasure (Vamplew et al. 2011): the deeper the treasure, the longer the dive; the Pareto front is known.

A submarine begins at the upper left corner of a sea of 11 rows and 10 columns and moves by a cell: up, down, left,
right. The sea floor falls to the right; each column's lowest cell holds a treasure and ends the dive. The reward is
(treasure, -1 a step). Shortest dives to each treasure are the Pareto front: nobody gets a treasure sooner.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from gridmarl.learning.interface import Actions, ActionSpec, GroupSpec, Start, Step
from gridmarl.scenario.rules import Split
from gridmarl.units import Float, Float32, Int

DEPTHS: Final = np.array([1, 2, 3, 4, 4, 4, 7, 7, 9, 10])
DIVES: Final = DEPTHS + np.arange(10)
"""Steps to each treasure: 1, 3, 5, 7, 8, 9, 13, 14, 17, 19."""
CONCAVE: Final = np.array([1.0, 2, 3, 5, 8, 16, 24, 50, 74, 124])
"""Treasures of the original: a front that is concave but for its ends."""
CONVEX: Final = np.array([0.7, 8.2, 11.5, 14.0, 15.1, 16.1, 19.6, 20.3, 22.4, 23.7])
"""Treasures of Yang et al. (2019): a convex front."""
MOVES: Final = np.array([[-1, 0], [1, 0], [0, -1], [0, 1]])
LIMIT: Final = 60
"""Dives are cut off after so many steps."""
DIVER: Final = "diver"
SETTINGS: Final[Mapping[str, object]] = {
    "hidden": [64, 64],
    "num_envs": 128,
    "steps": 384_000,
    "discount": 0.98,
    "n_step": 3,
    "batch_size": 128,
    "replay_size": 100_000,
    "learn_from": 10_000,
    "learn_every": 128,
    "epsilon_steps": 250_000,
    "target_every": 100,
    "evaluate_every": 128_000,
    "checkpoint_every": 384_000,
    "choose": "last",
    "select_seeds": 1,
    "test_seeds": 1,
    "preference_parts": 20,
    "reference": [0.0, -25 / 19],
}
"""Recipe of a training that finds the front's convex hull; the reference is no treasure after 25 steps."""


def front(treasures: Float, discount: float = 1.0) -> Float:
    """Returns (treasure, -steps) of the shortest dives, (column, 2)."""
    if discount == 1.0:
        return np.stack([treasures, -DIVES.astype(np.float64)], axis=1)
    shares = np.power(discount, DIVES.astype(np.float64))
    return np.array([treasures * shares / discount, -(1 - shares) / (1 - discount)], np.float64).T


class Sea:
    """Copies of the sea side by side.

    Parameters
    ----------
    num_envs : int
    treasures : (column,) array
    """

    state_size = 0
    resumable = True

    def __init__(self, num_envs: int, treasures: Float = CONCAVE) -> None:
        self.num_envs, self.treasures = num_envs, treasures
        scale = np.array([[treasures.max(), float(DIVES.max())]])
        spec = GroupSpec(DIVER, (DIVER,), 21, ActionSpec(choices=4), scale, ("treasure", "time"))
        self.groups: Mapping[str, GroupSpec] = {DIVER: spec}
        self.at: Int = np.zeros((num_envs, 2), np.int64)
        self.t: Int = np.zeros(num_envs, np.int64)

    def _seen(self) -> dict[str, Float32]:
        where = np.concatenate([np.eye(11)[self.at[:, 0]], np.eye(10)[self.at[:, 1]]], axis=1)
        return {DIVER: where.astype(np.float32)[:, None]}

    def _start(self) -> Start:
        return Start(self._seen(), np.zeros((self.num_envs, 0), np.float32))

    def reset(self, seed: int) -> Start:
        """All dives begin alike."""
        self.at[:], self.t[:] = 0, 0
        return self._start()

    def step(self, actions: Actions) -> Step:
        """Move where there is water."""
        to = np.clip(self.at + MOVES[np.asarray(actions[DIVER])[:, 0].astype(np.int64)], 0, [10, 9])
        water = to[:, 0] <= DEPTHS[to[:, 1]]
        self.at = np.where(water[:, None], to, self.at)
        self.t = self.t + 1
        terminated = self.at[:, 0] == DEPTHS[self.at[:, 1]]
        truncated = ~terminated & (self.t >= LIMIT)
        found = np.where(terminated, self.treasures[self.at[:, 1]], 0.0)
        r = np.stack([found, -np.ones(self.num_envs)], axis=1)[:, None] / self.groups[DIVER].scale
        after = self._seen()
        ended = terminated | truncated
        self.at[ended], self.t[ended] = 0, 0
        now = self._start()
        r = {DIVER: r.astype(np.float32)}
        return Step(now.observations, r, terminated, truncated, after, now.state, now.state)

    def snapshot(self) -> dict[str, np.ndarray]:
        """Where everybody is."""
        return {"at": self.at.copy(), "t": self.t.copy()}

    def restore(self, snapshot: Mapping[str, np.ndarray]) -> Start:
        """Go back there."""
        self.at, self.t = snapshot["at"].copy(), snapshot["t"].copy()
        return self._start()


class SeaTask:
    """The same sea for training, choice and test: nothing in it is random."""

    def __init__(self, treasures: Float = CONCAVE) -> None:
        self.name, self.treasures = "deep-sea-treasure", treasures
        self.digest = f"deep-sea-treasure {treasures.tolist()}"

    def make(self, num_envs: int, split: Split) -> Sea:
        """Copies."""
        return Sea(num_envs, self.treasures)

    def first_seed(self, split: Split, seed: int) -> int:
        """No seed matters."""
        return 0
