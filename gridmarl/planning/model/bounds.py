"""Two bounds that close on the optimum, round by round: how far a plan can be from the best one."""

from __future__ import annotations

from dataclasses import dataclass

from gridmarl.units import Float


@dataclass(frozen=True, slots=True, eq=False)
class Bounds:
    """What the rounds have proved: ``lower <= optimum <= upper``, each array (rounds,), the best so far, in dollars."""

    lower: Float
    upper: Float
    scale: float  # $ that a gap is measured against

    @property
    def gap(self) -> float:
        """Dollars by which the plan's objective can exceed the optimum."""
        return float(self.upper[-1] - self.lower[-1])

    @property
    def relative_gap(self) -> float:
        """The gap as a share of the scale."""
        return self.gap / self.scale
