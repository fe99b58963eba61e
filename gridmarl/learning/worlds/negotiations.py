"""Negotiations as learners see them: many tables side by side, every prosumer a row of its own.

The twin of :mod:`gridmarl.negotiation.environment` for our own learners. As a row is one prosumer, whoever sits where
says nothing, and one network for all comes without seat numbers. Entries that are not on a menu decline. Rewards are
surpluses over what the market would pay for all that a prosumer could hold, so that large and small homes, energy and
reserve, count alike; less what a strained wish is worth, where the recipe says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from gridmarl.errors import TrainingError
from gridmarl.learning.interface import Actions, ActionSpec, GroupSpec, Start, Step
from gridmarl.negotiation.coalition.payments import SettlementRule
from gridmarl.negotiation.game import OBSERVATION, Game, Round
from gridmarl.negotiation.menu import DECLINE, ENTRIES
from gridmarl.units import Float32

HOME: Final = "home"
"""Group and seat."""
APART: Final = 1_000_003
"""Between the seeds of a table's episodes."""


class Negotiations:
    """Tables of prosumers that negotiate round by round.

    Parameters
    ----------
    num_envs : int
        Prosumers in all: a multiple of ``size``.
    size : int
        Prosumers at a table.
    rule : str
        How they are paid.
    wish : float
        What strain costs beside the money, see :class:`gridmarl.negotiation.game.Game`.

    Raises
    ------
    TrainingError
        Where the tables cannot be filled.
    """

    resumable = False
    state_size = 0

    def __init__(self, num_envs: int, size: int = 24, rule: SettlementRule = "uniform", wish: float = 0.0) -> None:
        if num_envs % size:
            raise TrainingError("prosumers", num_envs, f"a multiple of {size}, a table's", "correct num_envs or seeds")
        self.num_envs, self.size = num_envs, size
        self.game = Game(size, rule, wish)
        self.groups: Mapping[str, GroupSpec] = {
            HOME: GroupSpec(HOME, (HOME,), len(OBSERVATION), ActionSpec(choices=ENTRIES), np.ones(1))
        }
        self._tables: list[Round] = []
        self._seeds: list[int] = []

    def reset(self, seed: int) -> Start:
        """Begin at every table; table i is the game of seed ``seed + i``."""
        self._seeds = [seed + number for number in range(self.num_envs // self.size)]
        self._tables = [self.game.begin(s) for s in self._seeds]
        return self._start(np.concatenate([table.seen for table in self._tables]))

    def step(self, actions: Actions) -> Step:
        """One round at every table."""
        chosen = actions[HOME][:, 0].astype(np.int64).reshape(-1, self.size)
        rewards, over = np.zeros((self.num_envs, 1), np.float32), np.zeros(self.num_envs, np.bool_)
        now: list[Float32] = []
        after: list[Float32] = []
        for number, picked in enumerate(chosen):
            rows = slice(number * self.size, (number + 1) * self.size)
            table = self._tables[number]
            legal = table.menus.valid[np.arange(self.size), picked]
            table = self.game.play(table, np.where(legal, picked, DECLINE))
            after.append(table.seen)
            if table.over:
                rewards[rows, 0] = self.game.share(table, self.game.books(table))
                over[rows] = True
                self._seeds[number] += APART
                table = self.game.begin(self._seeds[number])
                now.append(table.seen)
            else:
                now.append(after[-1])
            self._tables[number] = table
        start = self._start(np.concatenate(now))
        ended = self._start(np.concatenate(after)) if over.any() else start
        no_cut = np.zeros(self.num_envs, np.bool_)
        return Step(start.observations, {HOME: rewards}, over, no_cut, ended.observations, start.state, ended.state)

    def _start(self, seen: Float32) -> Start:
        return Start({HOME: seen[:, None]}, np.zeros((self.num_envs, 0), np.float32))

    def snapshot(self) -> dict[str, np.ndarray]:
        """Nothing: tables begin anew at a checkpoint."""
        return {}

    def restore(self, snapshot: Mapping[str, np.ndarray]) -> Start:
        """Impossible."""
        raise NotImplementedError("this world cannot be taken up; reset it")
