"""Programs of one structure as the lanes of `interior`: filled in once a plan, solved again and again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from gridmarl.planning.programs.batched.elimination import Structure
from gridmarl.planning.programs.batched.interior import Lanes, Scratch, solve_lanes
from gridmarl.planning.programs.local import QuadraticProgram
from gridmarl.planning.programs.qp import Answer, Pressure
from gridmarl.units import Bool, Float

TOLERANCE: Final = 1e-10
MOST_ITERATIONS: Final = 60
NARROW: Final = 1e-11
"""A variable whose bounds are as near as this (numbers are near 1) is fixed."""
AT_FIRST: Final = (0.5, 0.1)
"""Where a first solve starts: in the middle between two bounds, with these products of slack and multiplier."""
AGAIN: Final = (1e-3, 1e-4)
"""Where the next starts: near the last answer, so far inside its bounds, with products of at least as much. Of five
such starts tried on 200 homes of the city, this one took the fewest iterations: 6.3 a solve instead of 11.7."""


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
        self._structure = structure
        self._begun = False
        self._lanes = _lanes(programs, steps)
        self._scratch = _scratch(structure, self._lanes)
        self._inner = _inner(self._lanes, AGAIN[0])

    def solve(self, net_linear: Float, extra: Float) -> list[Answer]:
        """Solve each with its linear term and curvature of the net injections, (lane, K) each."""
        lanes = self._lanes
        lanes.net_linear[...], lanes.extra[...] = net_linear.T, extra.T
        if self._begun:
            _start(self._structure, lanes, self._inner, AGAIN[1])
        else:
            _start(self._structure, lanes, _inner(lanes, AT_FIRST[0]), AT_FIRST[1])
        solve_lanes(self._structure, lanes, self._scratch, TOLERANCE, MOST_ITERATIONS)
        self._begun = True
        y = np.concatenate([self._nets(), lanes.y]).T.copy()
        low, high = (np.concatenate([np.zeros_like(lanes.extra), p]).T for p in self._pressures())
        rows, solved = lanes.press.T.copy(), self._scratch.solved & np.isfinite(y).all(axis=1)
        _forget(lanes, ~solved)
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
        step=room(unknowns),
        push_low=room(variables),
        push_high=room(variables),
        push=room(limits),
        row=room(8),
        solved=np.zeros(width, np.bool_),
    )


def _inner(at: Lanes, margin: float) -> tuple[Float, Float]:
    """Bounds inside the bounds, by a share of what lies between them."""
    inside = margin * np.where(at.has_low & at.has_high, np.minimum(at.high - at.low, 2.0), 2.0)
    return np.where(at.has_low, at.low + inside, -np.inf), np.where(at.has_high, at.high - inside, np.inf)


def _start(structure: Structure, at: Lanes, inner: tuple[Float, Float], product: float) -> None:
    """Near the last answer, at first 0, as the inner bounds allow."""
    np.clip(at.y, *inner, out=at.y)
    np.copyto(at.y, at.low, where=at.fixed)
    np.copyto(at.above, np.where(at.has_low, at.y - at.low, 1.0))
    np.copyto(at.below, np.where(at.has_high, at.high - at.y, 1.0))
    np.copyto(at.press_low, np.where(at.has_low, np.maximum(at.press_low, product / at.above), 0.0))
    np.copyto(at.press_high, np.where(at.has_high, np.maximum(at.press_high, product / at.below), 0.0))
    rows, value = structure.inequality, np.zeros_like(at.limit)
    np.add.at(value, rows.row, rows.value[:, None] * at.y[rows.column])
    np.copyto(at.slack, np.maximum(at.limit - value, product))
    np.copyto(at.press, np.maximum(at.press, product / at.slack))


def _forget(at: Lanes, lost: Bool) -> None:
    """Let lanes begin afresh next time."""
    if lost.any():
        for part in (at.y, at.press_low, at.press_high, at.dual, at.press):
            part[:, lost] = 0.0
