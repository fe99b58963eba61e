"""What the coordinator of ADMM needs of a round's answers: sums over owners, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gridmarl.units import Float


@dataclass(frozen=True, slots=True, eq=False)
class Totals:
    """Sums over owners; of a single owner, its part of them.

    With answer x, share z before it and over-relaxed answer x̂.
    """

    injection_mw: Float  # (K,) Σ x
    distance_mw2: Float  # (K,) Σ (x - z)²
    size_mw2: float  # Σ ‖x‖²
    relaxed_mw2: float  # Σ ‖x̂‖²
    cost: float  # $

    @classmethod
    def of(cls, injection_mw: Float, share_mw: Float, relaxation: float, cost: float = 0.0) -> Totals:
        """Sums of answers (N, K) to shares (N, K)."""
        relaxed = relaxation * injection_mw + (1 - relaxation) * share_mw
        return cls(
            injection_mw=injection_mw.sum(axis=0),
            distance_mw2=((injection_mw - share_mw) ** 2).sum(axis=0),
            size_mw2=float((injection_mw**2).sum()),
            relaxed_mw2=float((relaxed**2).sum()),
            cost=cost,
        )

    @classmethod
    def stacked(cls, classes: Sequence[Totals]) -> Totals:
        """Of several classes: arrays (C, K), and the sums of the other numbers."""
        return cls(
            injection_mw=np.stack([part.injection_mw for part in classes]),
            distance_mw2=np.stack([part.distance_mw2 for part in classes]),
            size_mw2=sum(part.size_mw2 for part in classes),
            relaxed_mw2=sum(part.relaxed_mw2 for part in classes),
            cost=sum(part.cost for part in classes),
        )

    def row(self, units: Units, largest: float) -> Float:
        """In public units as one row (2 K + 3,); distances far beyond their unit count as ``largest``."""
        rated, unit = units.rated_mw, units.distance_mw
        distance = np.minimum(self.distance_mw2 / unit**2, largest)
        rest = [self.size_mw2 / rated**2, self.relaxed_mw2 / rated**2, self.cost / units.turnover]
        return np.concatenate([self.injection_mw / rated, distance, rest])

    @classmethod
    def from_row(cls, row: Float, units: Units) -> Totals:
        """Read a row, or a sum of rows."""
        injection, distance, rest = np.split(row, [(len(row) - 3) // 2, len(row) - 3])
        rated, unit = units.rated_mw, units.distance_mw
        size, relaxed, cost = rest.tolist()
        return cls(injection * rated, distance * unit**2, size * rated**2, relaxed * rated**2, cost * units.turnover)


@dataclass(frozen=True, slots=True)
class Units:
    """Public units of a row."""

    rated_mw: float
    distance_mw: float
    turnover: float  # $
