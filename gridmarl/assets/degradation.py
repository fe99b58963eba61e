"""Ageing of a battery by depth of discharge, paid interval by interval: rainflow counting of the path so far.

A cycle of depth d (share of capacity) ages by the convex stress d**exponent: ten cycles of 10 % harm less than one
of 100 %. Cycles are found by rainflow counting (ASTM E1049-85, three-point method): a half cycle costs half its stress,
one closed inside a larger swing all of it. What is charged for an interval is the increase of that count (Xu et al.
2018, "Factoring the cycle aging cost of batteries participating in electricity markets"; Shi et al. 2019, "Optimal
battery control under cycle aging mechanisms in pay for performance settings"), so that the sum over a path is the count
of the whole path.

The count never falls: a swing closes at the level where it began, its two halves become one full cycle of the same
stress, and the larger swing goes on from where it stood. Costs are therefore never negative.

The state holds the turning points still open, whose swings shrink from one to the next; a larger swing closes those
inside. Past :data:`OPEN_TURNS` nested swings the oldest turning point is forgotten: its half cycle stays paid, but a
swing that outgrows it later is charged too little, as a fresh one. :mod:`gridmarl.evaluation.rainflow` has no such
limit.
"""

from __future__ import annotations

from gridmarl.kernels import kernel
from gridmarl.units import Float

OPEN_TURNS = 12
"""Turning points kept open: nested swings, each smaller than the one before. More are rare in a week."""

# Columns from ``first`` on: how many turning points are open, the stress of the swing under way, then the points, the
# oldest first, as shares of capacity.
COUNT, UNDER_WAY, TURNS = range(3)
DEGRADATION_STATE = TURNS + OPEN_TURNS

STILL = 1e-12
"""Moves up to this share of capacity are rounding: they neither age the battery nor turn its path."""


@kernel
def cycle_stress(depth: float, exponent: float) -> float:
    """Stress of a cycle of this depth: d**exponent, 1 at full depth (Shi et al. 2019)."""
    return depth * depth if exponent == 2.0 else depth**exponent


@kernel
def begin_cycles(state: Float, first: int, soc: float) -> None:
    """Start the count at this state of charge, a share of capacity."""
    state[first + COUNT] = 1.0
    state[first + UNDER_WAY] = 0.0
    state[first + TURNS] = soc


@kernel
def open_turn(state: Float, oldest: int, last: int, soc: float) -> int:
    """Open a turning point after column ``last``, forgetting the oldest if there is no room; its column."""
    if last == oldest + OPEN_TURNS - 1:
        for turn in range(oldest, last):
            state[turn] = state[turn + 1]
        last -= 1
    state[last + 1] = soc
    return last + 1


@kernel
def swing_stress(state: Float, first: int, soc_before: float, soc_after: float, exponent: float) -> float:
    """Twice the increase of the rainflow count by a move of the state of charge; the open turning points follow it."""
    oldest = first + TURNS
    last = oldest + int(state[first + COUNT]) - 1
    paid = state[first + UNDER_WAY]
    if (soc_before - state[last]) * (soc_after - soc_before) < 0.0:
        last = open_turn(state, oldest, last, soc_before)
        paid = 0.0
    stress = 0.0
    while last > oldest:
        enclosing = abs(state[last] - state[last - 1])
        if abs(soc_after - state[last]) < enclosing:
            break
        if last == oldest + 1:  # the first swing is outgrown: it stays a half cycle, and the path begins at its end
            state[oldest] = state[last]
            last = oldest
        else:  # a full cycle closes; the swing around it goes on from where it turned
            stress += cycle_stress(enclosing, exponent) - paid
            paid = cycle_stress(abs(state[last - 1] - state[last - 2]), exponent)
            last -= 2
    reached = cycle_stress(abs(soc_after - state[last]), exponent)
    state[first + COUNT], state[first + UNDER_WAY] = last - oldest + 1, reached
    return stress + reached - paid


@kernel
def cycle_cost(
    state: Float,
    first: int,
    soc_before: float,
    soc_after: float,
    capacity_mwh: float,
    cycle_cost_per_mwh: float,
    exponent: float,
) -> float:
    """Ageing of one interval by depth, $ (>= 0).

    Parameters
    ----------
    state : (column,) array
        A battery's state; columns ``first`` to ``first + DEGRADATION_STATE`` are this count's and are updated.
    first : int
    soc_before, soc_after : float
        Stored energy at both ends of the interval, shares of capacity; each interval begins where the last ended.
    capacity_mwh : float
    cycle_cost_per_mwh : float
        Price of one full-depth cycle, $ per MWh of capacity; 0 counts nothing and leaves the state alone.
    exponent : float
        Of the stress, >= 1.
    """
    if cycle_cost_per_mwh == 0.0 or abs(soc_after - soc_before) <= STILL:
        return 0.0
    stress = swing_stress(state, first, soc_before, soc_after, exponent)
    return max(0.5 * cycle_cost_per_mwh * capacity_mwh * stress, 0.0)
