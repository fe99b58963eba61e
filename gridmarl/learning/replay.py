"""Replay memory: the last transitions of all agents, under one index (Lin 1992)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gridmarl.units import Bool, Float32, Int


class Transitions(NamedTuple):
    """Joint transitions; the seats of one row lived through the same interval of the same market."""

    s: Float32  # (row, seat, field)
    a: Float32  # (row, seat, *action); float32 serves whole and real actions alike
    r: Float32  # (row, seat) scaled
    s_next: Float32  # (row, seat, field) the true last observation where an episode was cut off
    d: Float32  # (row,) 1 where the world ended, which no market of ours does; 0 where it was only cut off


class Replay:
    """A ring of joint transitions in contiguous float32 arrays.

    Parameters
    ----------
    capacity : int
        Joint transitions kept.
    seats, fields : int
        Agents, and numbers each observes.
    action_shape : tuple of int
        Of one seat's action; ``()`` is a whole number.
    """

    def __init__(self, capacity: int, seats: int, fields: int, action_shape: tuple[int, ...] = ()) -> None:
        self.capacity, self.size, self._next = capacity, 0, 0
        self._kept = Transitions(
            s=np.zeros((capacity, seats, fields), np.float32),
            a=np.zeros((capacity, seats, *action_shape), np.float32),
            r=np.zeros((capacity, seats), np.float32),
            s_next=np.zeros((capacity, seats, fields), np.float32),
            d=np.zeros(capacity, np.float32),
        )

    def add(self, s: Float32, a: Int | Float32, r: Float32, s_next: Float32, d: Bool | Float32) -> Int:
        """Keep a row for each environment, over the oldest ones.

        Returns
        -------
        (row,) array
            Where they stand, the same place in every array.
        """
        index = (self._next + np.arange(len(s))) % self.capacity
        for kept, new in zip(self._kept, (s, a, r, s_next, d), strict=True):
            kept[index] = new
        self._next = int(index[-1] + 1) % self.capacity
        self.size = min(self.size + len(s), self.capacity)
        return index

    def take(self, index: Int) -> Transitions:
        """Copies of these joint transitions."""
        return Transitions(*(kept[index] for kept in self._kept))

    def sample(self, rows: int, rng: np.random.Generator) -> Transitions:
        """Joint transitions drawn uniformly, with replacement; the same rows for every agent."""
        return self.take(rng.integers(0, self.size, rows))
