"""Rainflow counting of a path of state of charge: which cycles a battery went through and what they wear out."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from gridmarl.errors import DataError
from gridmarl.units import Float

HALF, FULL = 0.5, 1.0
DEPTH_EDGES: Float = np.linspace(0.0, 1.0, 11)
"""Bins of the histogram of depths: ten of 10 % of capacity."""
DUST = 1e-9
"""Depths this close, shares of capacity, are equal: rounding neither makes a cycle nor moves one to another bin."""


@dataclass(frozen=True, slots=True)
class BatteryWear:
    """What an episode took out of a battery.

    Attributes
    ----------
    equivalent_cycles : float
        Throughput as full-depth cycles: the way travelled, up and down, over twice the capacity.
    damage : float
        Rainflow damage, $.
    deepest : float
        Depth of the deepest cycle, share of capacity; 0 for a path that never moves.
    edges : (11,) array
        Bounds of the depths' bins, shares of capacity.
    cycles : (10,) array
        Cycles in each bin, its lower bound included; half cycles count 0.5.
    """

    equivalent_cycles: float
    damage: float
    deepest: float
    edges: Float
    cycles: Float


def turning_points(soc: Float) -> Float:
    """First point, every peak and valley, and last point of a path; flat pieces leave no trace."""
    moved = soc[np.concatenate(([True], np.diff(soc) != 0.0))] if len(soc) else soc
    steps = np.sign(np.diff(moved))
    inner = np.flatnonzero(steps[1:] != steps[:-1]) + 1
    return moved[np.concatenate(([0], inner, [len(moved) - 1]))] if len(moved) > 1 else moved


def count_cycles(soc: Float) -> tuple[Float, Float, Float]:
    """Rainflow counting, three-point method (ASTM E1049-85, 5.4.4).

    A swing at least as large as the one before it closes that one: as a full cycle, or as a half one if it holds the
    start of the path. What is left at the end counts as half cycles.

    Parameters
    ----------
    soc : (point,) array
        A path, in any unit; here shares of capacity.

    Returns
    -------
    depth, mean, count : (cycle,) arrays
        Range and mean of each cycle in the unit of the path, in the order they close; the count is 0.5 or 1.

    Raises
    ------
    DataError
        If the path is not one row of finite numbers.
    """
    path = np.asarray(soc, dtype=np.float64)
    if path.ndim != 1 or not np.isfinite(path).all():
        raise DataError("a path to count cycles of", path.shape, "one dimension, finite numbers", "fill its gaps first")
    cycles: list[tuple[float, float, float]] = []
    turns: list[float] = []
    for point in turning_points(path).tolist():
        turns.append(point)
        while len(turns) > 2 and abs(turns[-1] - turns[-2]) >= abs(turns[-2] - turns[-3]):
            if len(turns) == 3:
                cycles.append((turns[0], turns[1], HALF))
                del turns[0]
            else:
                cycles.append((turns[-3], turns[-2], FULL))
                del turns[-3:-1]
    cycles += [(begin, end, HALF) for begin, end in pairwise(turns)]
    begin, end, count = np.array(cycles, dtype=np.float64).reshape(-1, 3).T
    return np.abs(end - begin), (begin + end) / 2, count


def cycle_damage(soc: Float, capacity_mwh: float, cycle_cost_per_mwh: float, exponent: float) -> float:
    """Damage of a path in $: each cycle costs count x depth**exponent of a full-depth one.

    Parameters
    ----------
    soc : (point,) array
        Shares of capacity, the starting point included.
    capacity_mwh : float
    cycle_cost_per_mwh : float
        Price of one full-depth cycle, $ per MWh of capacity.
    exponent : float
        Of the depth stress (Xu et al. 2018, "Factoring the cycle aging cost of batteries participating in electricity
        markets"; Shi et al. 2019, "Optimal battery control under cycle aging mechanisms in pay for performance
        settings"). 1 prices throughput alone; 2 makes deep cycles dear.
    """
    depth, _, count = count_cycles(soc)
    return cycle_cost_per_mwh * capacity_mwh * float(count @ depth**exponent)


def battery_wear(soc: Float, capacity_mwh: float, cycle_cost_per_mwh: float, exponent: float) -> BatteryWear:
    """Cycles and damage of a path of state of charge; arguments as of :func:`cycle_damage`."""
    depth, _, count = count_cycles(soc)
    cycles, _ = np.histogram(
        np.minimum(depth + DUST, 1.0), bins=DEPTH_EDGES, weights=np.where(depth > DUST, count, 0.0)
    )
    return BatteryWear(
        equivalent_cycles=float(np.abs(np.diff(soc)).sum() / 2),
        damage=cycle_damage(soc, capacity_mwh, cycle_cost_per_mwh, exponent),
        deepest=float(depth.max(initial=0.0)),
        edges=DEPTH_EDGES,
        cycles=cycles,
    )
