"""A planning horizon whose steps grow with distance, and averages of forecasts over them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from gridmarl.errors import ScenarioError
from gridmarl.units import Float, Int

Grid = tuple[tuple[float, float], ...]
"""Pairs (until hour, step hours): ((1, 0), (4, 0.25), (24, 1)) is every interval for an hour, then quarters, hours."""

EVERY_INTERVAL: Grid = ((np.inf, 0.0),)
DEFAULT_GRID: Grid = ((1.0, 0.0), (4.0, 0.25), (24.0, 1.0))


@dataclass(frozen=True, slots=True)
class Horizon:
    """Steps as runs of intervals.

    Attributes
    ----------
    lengths : (step,) int array
        Intervals of each step.
    interval_h : float
    """

    lengths: Int
    interval_h: float

    @property
    def intervals(self) -> int:
        """Intervals the horizon spans."""
        return int(self.lengths.sum())

    @property
    def step_h(self) -> Float:
        """Hours of each step."""
        return self.lengths.astype(np.float64) * self.interval_h

    def average(self, series: Float) -> Float:
        """Mean of an (interval, ...) series over each step."""
        starts = np.concatenate([[0], np.cumsum(self.lengths)[:-1]])
        sums: Float = np.add.reduceat(series[: self.intervals], starts, axis=0)
        lengths = self.lengths.astype(np.float64)
        each = lengths.reshape(-1, *([1] * (series.ndim - 1)))
        return np.true_divide(sums, each, dtype=np.float64)

    def step_of(self, offset: int) -> int:
        """Step that holds the interval this many after the first."""
        return int(np.searchsorted(np.cumsum(self.lengths), offset, side="right"))


def steps_held(earlier_step_h: Float, elapsed_h: float, step_h: Float) -> Int:
    """Which step of an earlier plan holds the middle of each step of a new one.

    Parameters
    ----------
    earlier_step_h : array (K',)
        Hours a step of the earlier plan; beyond its end its last step counts.
    elapsed_h : float
        Hours from its beginning to that of the new one.
    step_h : array (K,)
        Hours a step of the new one.
    """
    middle = elapsed_h + np.cumsum(step_h) - step_h / 2
    return np.minimum(np.searchsorted(np.cumsum(earlier_step_h), middle), len(earlier_step_h) - 1)


def make_horizon(grid: Grid, interval_h: float, horizon_h: float, remaining: int) -> Horizon:
    """Cut the remaining intervals, at most ``horizon_h`` hours of them, into steps.

    Raises
    ------
    ScenarioError
        Where the grid's bounds do not rise.
    """
    if any(later[0] <= earlier[0] for earlier, later in pairwise(grid)):
        raise ScenarioError("planner grid", grid, "pairs (until hour, step hours) with rising hours", "sort them")
    total = remaining if np.isinf(horizon_h) else min(remaining, max(round(horizon_h / interval_h), 1))
    lengths: list[int] = []
    done = 0
    for until_h, step_h in grid:
        step = max(round(step_h / interval_h), 1)
        while done < total and done * interval_h < until_h - 1e-9:
            lengths.append(min(step, total - done))
            done += lengths[-1]
    step = max(round(grid[-1][1] / interval_h), 1)
    while done < total:
        lengths.append(min(step, total - done))
        done += lengths[-1]
    return Horizon(np.array(lengths, np.int64), interval_h)
