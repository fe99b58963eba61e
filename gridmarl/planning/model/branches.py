"""An asset in S scenarios at once, as if their K steps followed one another: the same in the first step, free later.

Its matrices repeat the asset's own for each scenario, and rows ``c_s,0 - c_0,0 = 0`` tie what is decided in the first
step: nobody knows yet which scenario comes. Costs in scenario s weigh its probability π_s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

from gridmarl.planning.model.sparse import Sparse, block_diagonal, placed, stack
from gridmarl.units import Float


class Named(Protocol):
    """All that branching asks of an asset."""

    @property
    def name(self) -> str:
        """Unique among its owner's assets."""
        ...


One = TypeVar("One", bound=Named)


@dataclass(frozen=True, slots=True, eq=False)
class Branches(Generic[One]):
    """An asset's copies, one for each scenario."""

    single: One
    step_h: Float  # (K,) of one scenario
    probability: Float  # (S,) positive

    @property
    def name(self) -> str:
        """The asset's."""
        return self.single.name

    @property
    def count(self) -> int:
        """S."""
        return len(self.probability)

    def weighed(self, values: Float) -> Float:
        """An asset's costs (n,) in every scenario (S n,), each by its probability."""
        return np.outer(self.probability, values).ravel()

    def repeated(self, values: Float) -> Float:
        """Numbers (n,) that are the same in every scenario (S n,)."""
        return np.tile(values, self.count)

    def copied(self, matrix: Sparse) -> Sparse:
        """The asset's rows for every scenario."""
        return block_diagonal([matrix] * self.count)

    def tied(self, equality: Sparse, decisions: int) -> Sparse:
        """The asset's equations for every scenario, and those of the common start.

        Parameters
        ----------
        equality : Sparse (m, n)
            Of the asset itself.
        decisions : int
            How many of its trajectories are decided, not derived: they come first.
        """
        n, again = equality.shape[1], self.count - 1
        first = np.tile(np.arange(decisions, dtype=np.int64) * len(self.step_h), again)
        later = first + n * np.repeat(np.arange(1, self.count, dtype=np.int64), decisions)
        row, one = np.arange(len(first), dtype=np.int64), np.ones(len(first))
        places = np.concatenate([row, row]), np.concatenate([later, first])
        ties = placed(np.concatenate([one, -one]), *places, (len(row), n * self.count))
        return stack([[self.copied(equality)], [ties]])

    def ties(self, decisions: int) -> Float:
        """Right-hand sides of the common start."""
        return np.zeros(decisions * (self.count - 1))
