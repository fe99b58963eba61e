"""Programs of one structure as the lanes of `interior`: filled in once a plan, solved again and again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from gridmarl.planning.batched.elimination import Structure
from gridmarl.planning.batched.interior import Lanes, Scratch, solve_lanes
from gridmarl.planning.local import QuadraticProgram
from gridmarl.planning.qp import Answer, Pressure
from gridmarl.units import Bool, Float

TOLERANCE: Final = 1e-10
MOST_ITERATIONS: Final = 60
NARROW: Final = 1e-11
"""A variable whose bounds are as near as this (numbers are near 1) is fixed."""
START: Final = 0.1
"""Product of slack and multiplier at the start."""


class Batch:
    """Some programs of one structure.

    Parameters
    ----------
    structure : Structure
    programs : sequence of QuadraticProgram
        One for each lane.
    steps : int
        K; the first K variables of each are net injections.
    """

    def __init__(self, structure: Structure, programs: Sequence[QuadraticProgram], steps: int) -> None:
        self._structure, self._steps = structure, steps
        self._lanes = _lanes(programs, steps)
        self._scratch = _scratch(structure, self._lanes)

    def solve(self, net_linear: Float, extra: Float) -> list[Answer]:
        """Solve each with its linear term and curvature of the net injections, (lane, K) each."""
        lanes = self._lanes
        lanes.net_linear[...], lanes.extra[...] = net_linear.T, extra.T
        _start(self._structure, lanes)
        solve_lanes(self._structure, lanes, self._scratch, TOLERANCE, MOST_ITERATIONS)
        y = np.concatenate([self._nets(), lanes.y]).T.copy()
        low, high = (np.concatenate([np.zeros_like(lanes.extra), p]).T for p in self._pressures())
        rows, solved = lanes.press.T.copy(), self._scratch.solved & np.isfinite(y).all(axis=1)
        return [
            Answer(y[b], bool(solved[b]), bool(solved[b]), False, "solved" if solved[b] else "stopped", pressure)
            for b, pressure in enumerate(map(Pressure, low, high, rows))
        ]

    def _nets(self) -> Float:
        lanes, entries = self._lanes, self._structure.net
        net = lanes.offset.copy()
        np.add.at(net, entries.row, entries.value[:, None] * lanes.y[entries.column])
        return net

    def _pressures(self) -> tuple[Float, Float]:
        """Multipliers of the bounds; a fixed variable's gradient presses on one of them."""
        lanes, gradient = self._lanes, self._scratch.dual_residual
        low = np.where(lanes.fixed, np.maximum(gradient, 0.0), lanes.press_low)
        return low, np.where(lanes.fixed, np.maximum(-gradient, 0.0), lanes.press_high)


def _lanes(programs: Sequence[QuadraticProgram], k: int) -> Lanes:
    def together(name: str) -> Float:
        return np.ascontiguousarray(np.stack([getattr(program, name) for program in programs]).T)

    low, high = together("lower")[k:], together("upper")[k:]
    fixed = high - low <= NARROW
    right, limit, linear = together("equality_rhs"), together("inequality_rhs"), together("linear")
    count, lanes = low.shape
    room = (np.zeros((count, lanes)) for _ in range(5))
    has_low, has_high = np.isfinite(low) & ~fixed, np.isfinite(high) & ~fixed
    y, above, below, press_low, press_high = room
    return Lanes(
        quadratic=np.ascontiguousarray(together("quadratic")[k:]),
        linear=np.ascontiguousarray(linear[k:]),
        low=np.ascontiguousarray(low),
        high=np.ascontiguousarray(high),
        has_low=has_low,
        has_high=has_high,
        fixed=fixed,
        extra=np.zeros((k, lanes)),
        net_linear=np.zeros((k, lanes)),
        offset=np.ascontiguousarray(right[:k]),
        right=np.ascontiguousarray(right[k:]),
        limit=limit,
        y=y,
        above=above,
        below=below,
        press_low=press_low,
        press_high=press_high,
        dual=np.zeros((len(right) - k, lanes)),
        slack=np.zeros_like(limit),
        press=np.zeros_like(limit),
    )


def _scratch(structure: Structure, lanes: Lanes) -> Scratch:
    plan, width = structure.plan, lanes.y.shape[1]

    def room(rows: int) -> Float:
        return np.zeros((rows, width))

    variables, unknowns = len(lanes.y), len(plan.place)
    own, limits = len(lanes.right), len(lanes.limit)
    return Scratch(
        net=room(len(lanes.offset)),
        dual_residual=room(variables),
        own_residual=room(own),
        limit_residual=room(limits),
        entries=room(len(plan.row)),
        pivots=room(unknowns),
        rhs=room(1),
        step=room(unknowns),
        push_low=room(variables),
        push_high=room(variables),
        push=room(limits),
        row=room(8),
        solved=np.zeros(width, np.bool_),
    )


def _start(structure: Structure, at: Lanes) -> None:
    """Inside the bounds, near 0 where that is inside."""
    width = np.where(at.has_low & at.has_high, at.high - at.low, 2.0)
    floor, ceiling = np.where(at.has_low, at.low, -np.inf), np.where(at.has_high, at.high, np.inf)
    inside = 0.5 * np.minimum(width, 2.0)
    at.y[...] = np.where(at.fixed, (at.low + at.high) / 2 if at.fixed.any() else 0.0, np.clip(0.0, floor + inside, ceiling - inside))
    at.above[...] = np.where(at.has_low, at.y - at.low, 1.0)
    at.below[...] = np.where(at.has_high, at.high - at.y, 1.0)
    at.press_low[...] = np.where(at.has_low, START / at.above, 0.0)
    at.press_high[...] = np.where(at.has_high, START / at.below, 0.0)
    at.dual[...] = 0.0
    rows = structure.inequality
    value = np.zeros_like(at.limit)
    np.add.at(value, rows.row, rows.value[:, None] * at.y[rows.column])
    at.slack[...] = np.maximum(at.limit - value, START)
    at.press[...] = START / at.slack
