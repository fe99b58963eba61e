"""Replay memory: the last transitions of all seats under one index (Lin 1992), kept as columns of one ring.

A column is an array with a name such as ``s.generator``: what it is in the papers' symbols, then the group.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from gridmarl.learning.memory.segments import Segment, read_segment, write_segment
from gridmarl.units import Float32, Int

SEGMENTS: Final = 16
"""A full memory is kept in about this many files."""
Columns = Mapping[str, Float32]
"""Name -> (row, ...) array."""


class Transitions(NamedTuple):
    """Joint transitions; the seats of one row lived through the same steps of the same world.

    ``r`` sums the rewards of up to n steps, discounted; ``s_next`` is what followed the last of them. ``discount`` is
    what a value there counts: gamma**k after k steps, 0 where the world had ended.
    """

    s: dict[str, Float32]  # group -> (row, seat, field)
    a: dict[str, Float32]  # group -> (row, seat) or (row, seat, component); float32 serves whole numbers too
    r: dict[str, Float32]  # group -> (row, seat) or (row, seat, objective)
    s_next: dict[str, Float32]  # group -> (row, seat, field)
    discount: Float32  # (row,)
    state: Float32  # (row, number)
    state_next: Float32  # (row, number)
    place: Int  # (row,) where they stand in the memory

    @classmethod
    def from_columns(cls, columns: Columns, place: Int) -> Transitions:
        """Sort columns by what they are."""
        kinds: dict[str, dict[str, Float32]] = {"s": {}, "a": {}, "r": {}, "s_next": {}}
        for name, column in columns.items():
            kind, _, group = name.partition(".")
            if group:
                kinds[kind][group] = column
        return cls(
            **kinds,
            discount=columns["discount"],
            state=columns["state"],
            state_next=columns["state_next"],
            place=place,
        )

    def columns(self) -> dict[str, Float32 | Int]:
        """The same as named columns."""
        groups = {kind: getattr(self, kind) for kind in ("s", "a", "r", "s_next")}
        columns = {f"{kind}.{name}": array for kind, found in groups.items() for name, array in found.items()}
        rest = {"discount": self.discount, "state": self.state, "state_next": self.state_next, "place": self.place}
        return {**columns, **rest}


class Replay:
    """A ring of rows in contiguous float32 columns.

    Parameters
    ----------
    capacity : int
        Rows kept.
    shapes : mapping
        Column -> shape of a row of it, as :func:`gridmarl.learning.worlds.nstep.column_shapes` says.
    expected : int
        Rows that will be added, if that is known. Memory for so many is claimed now: where there is not enough of it,
        that is better known before a training than in its midst, and no step waits for pages.
    """

    def __init__(self, capacity: int, shapes: Mapping[str, tuple[int, ...]], expected: int = 0) -> None:
        self.capacity = capacity
        self.added = 0  # rows ever; row i stands at i % capacity
        self._kept = {name: np.zeros((capacity, *shape), np.float32) for name, shape in shapes.items()}
        for kept in self._kept.values():
            kept[:expected] = 0.0
        self._written: dict[int, Segment] = {}  # first row -> a complete segment on disk

    @property
    def size(self) -> int:
        """Rows at hand."""
        return min(self.added, self.capacity)

    def add(self, rows: Columns) -> None:
        """Keep rows, over the oldest ones: two block copies a column at most."""
        count = len(rows["discount"])
        skipped = max(0, count - self.capacity)  # of a block larger than the ring, the last rows stay
        at = (self.added + skipped) % self.capacity
        before_the_edge = min(count - skipped, self.capacity - at)
        for name, kept in self._kept.items():
            new = rows[name][skipped:]
            kept[at : at + before_the_edge] = new[:before_the_edge]
            kept[: len(new) - before_the_edge] = new[before_the_edge:]
        self.added += count

    def take(self, index: Int) -> Transitions:
        """Copies of the rows at these places."""
        return Transitions.from_columns({n: kept.take(index, axis=0) for n, kept in self._kept.items()}, index)

    def sample(self, rows: int, rng: np.random.Generator) -> Transitions:
        """Rows drawn uniformly, with replacement; the same for every seat."""
        return self.take(rng.integers(0, self.size, rows))

    def save(self, folder: Path) -> list[Segment]:
        """Write what is not yet on disk; files that are complete are never touched again.

        Returns
        -------
        list of Segment
            The files that together hold the rows at hand, oldest first.
        """
        length = max(1, -(-self.capacity // SEGMENTS))
        oldest = self.added - self.size
        found: list[Segment] = []
        for first in range(oldest - oldest % length, self.added, length):
            if first not in self._written:
                rows = np.arange(max(first, oldest), min(first + length, self.added))
                columns = {name: kept.take(rows % self.capacity, axis=0) for name, kept in self._kept.items()}
                segment = write_segment(folder, int(rows[0]), int(rows[-1]) + 1, columns)
                if segment.stop < first + length:
                    found.append(segment)
                    continue
                self._written[first] = segment
            found.append(self._written[first])
        self._written = {first: segment for first, segment in self._written.items() if segment.stop > oldest}
        return found

    def load(self, folder: Path, segments: list[Segment], added: int) -> None:
        """Take up what :meth:`save` wrote when ``added`` rows had ever been added.

        Raises
        ------
        TrainingError
            Where a file is missing, corrupted, or of another world.
        """
        length = max(1, -(-self.capacity // SEGMENTS))
        self.added = added
        oldest = added - self.size
        self._written = {}
        for segment in segments:
            columns = read_segment(folder, segment, {name: kept.shape[1:] for name, kept in self._kept.items()})
            rows = np.arange(max(segment.first, oldest), segment.stop)
            for name, kept in self._kept.items():
                kept[rows % self.capacity] = columns[name][rows - segment.first]
            if segment.stop % length == 0:
                self._written[segment.stop - length] = segment
