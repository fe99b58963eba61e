"""An interior-point method for many convex quadratic programs of one structure, side by side.

``min 1/2 y'Dy + c'y + Σ_k (1/2 e_k x_k² + l_k x_k),  x = N y + o,  A y = b,  G y + s = h,  s >= 0,  low <= y <= high``

Mehrotra's predictor and corrector (1992) with a small regularisation (Friedlander & Orban 2012), which vanishes from
the answer because residuals are taken anew in every iteration. All owners, the lanes, do the same arithmetic at once,
each entry of a factorisation for all of them before the next: what a lane finds does not depend on its neighbours.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from gridmarl.bundles import bundle
from gridmarl.kernels import entry_kernel, inner_kernel
from gridmarl.planning.programs.batched.elimination import Entries, Structure
from gridmarl.units import Bool, Float

REGULAR: Final = 1e-9
"""Added to the diagonal, up for variables and down for multipliers."""
FIXED: Final = 1e12
"""Curvature of a variable whose bounds are equal: it stays."""
TO_THE_EDGE: Final = 0.995
"""How much of the way to the nearest bound a step may go."""

GAP: Final = 1e-2
"""The gap must be smaller than the residuals by this factor: where costs are flat, a gap of g leaves sqrt(g) in y."""
TINY: Final = 1e-300
"""Against a division by zero."""


@bundle
class Lanes(NamedTuple):
    """Numbers of the programs, and where they stand; the last axis is the lane."""

    quadratic: Float  # D (m, lane)
    linear: Float  # c
    low: Float
    high: Float
    has_low: Bool
    has_high: Bool
    fixed: Bool
    extra: Float  # e (K, lane)
    net_linear: Float  # l
    offset: Float  # o
    right: Float  # b
    limit: Float  # h
    y: Float
    above: Float  # y - low
    below: Float  # high - y
    press_low: Float  # multipliers of the bounds
    press_high: Float
    dual: Float  # of the equality rows
    slack: Float  # s
    press: Float  # of the inequality rows


@bundle
class Scratch(NamedTuple):
    """Room for the iterations."""

    net: Float  # x (K, lane)
    dual_residual: Float  # (m, lane)
    own_residual: Float
    limit_residual: Float
    entries: Float  # L
    pivots: Float
    step: Float  # (unknown, lane) in the order of elimination
    push_low: Float  # what the products of slack and multiplier are to change by
    push_high: Float
    push: Float
    row: Float  # (8, lane)
    solved: Bool  # (lane,)


@inner_kernel
def add_product(entries: Entries, vector: Float, result: Float) -> None:
    """``result += M vector``."""
    for k in range(len(entries.row)):
        i, j, value = entries.row[k], entries.column[k], entries.value[k]
        for b in range(vector.shape[1]):
            result[i, b] += value * vector[j, b]


@inner_kernel
def add_transposed(entries: Entries, vector: Float, result: Float) -> None:
    """``result += M' vector``."""
    for k in range(len(entries.row)):
        i, j, value = entries.row[k], entries.column[k], entries.value[k]
        for b in range(vector.shape[1]):
            result[j, b] += value * vector[i, b]


@inner_kernel
def take_residuals(structure: Structure, at: Lanes, s: Scratch) -> None:
    """How far every condition is from being met, and in ``row`` the largest of both kinds and the gap."""
    lanes = at.y.shape[1]
    for k in range(len(at.offset)):
        for b in range(lanes):
            s.net[k, b] = at.offset[k, b]
    add_product(structure.net, at.y, s.net)
    for k in range(len(at.offset)):
        for b in range(lanes):
            s.net[k, b] = at.extra[k, b] * s.net[k, b] + at.net_linear[k, b]
    for i in range(len(at.y)):
        for b in range(lanes):
            gradient = at.quadratic[i, b] * at.y[i, b] + at.linear[i, b]
            s.dual_residual[i, b] = gradient - at.press_low[i, b] + at.press_high[i, b]
    add_transposed(structure.net, s.net, s.dual_residual)
    add_transposed(structure.equality, at.dual, s.dual_residual)
    add_transposed(structure.inequality, at.press, s.dual_residual)
    for i in range(len(at.right)):
        for b in range(lanes):
            s.own_residual[i, b] = -at.right[i, b]
    add_product(structure.equality, at.y, s.own_residual)
    for i in range(len(at.limit)):
        for b in range(lanes):
            s.limit_residual[i, b] = at.slack[i, b] - at.limit[i, b]
    add_product(structure.inequality, at.y, s.limit_residual)


@inner_kernel
def measure(at: Lanes, s: Scratch, tolerance: float) -> bool:
    """Largest residuals in rows 0 and 1, sum and count of products in 2 and 3; whether all lanes are solved."""
    lanes = at.y.shape[1]
    for b in range(lanes):
        s.row[0, b] = s.row[1, b] = s.row[2, b] = s.row[3, b] = 0.0
    for i in range(len(at.y)):
        for b in range(lanes):
            if not at.fixed[i, b]:
                s.row[0, b] = max(s.row[0, b], abs(s.dual_residual[i, b]))
            s.row[2, b] += at.above[i, b] * at.press_low[i, b] + at.below[i, b] * at.press_high[i, b]
            s.row[3, b] += (1.0 if at.has_low[i, b] else 0.0) + (1.0 if at.has_high[i, b] else 0.0)
    for i in range(len(at.right)):
        for b in range(lanes):
            s.row[1, b] = max(s.row[1, b], abs(s.own_residual[i, b]))
    for i in range(len(at.limit)):
        for b in range(lanes):
            s.row[1, b] = max(s.row[1, b], abs(s.limit_residual[i, b]))
            s.row[2, b] += at.slack[i, b] * at.press[i, b]
            s.row[3, b] += 1.0
    every = True
    for b in range(lanes):
        close = s.row[0, b] <= tolerance and s.row[1, b] <= tolerance
        s.solved[b] = s.solved[b] or (close and s.row[2, b] <= tolerance * GAP)
        every = every and s.solved[b]
    return every


@inner_kernel
def fill(structure: Structure, at: Lanes, s: Scratch) -> None:
    """The matrix of the Newton step."""
    lanes, m = at.y.shape[1], len(at.y)
    place, rows = structure.plan.place, len(at.right)
    for p in range(len(s.entries)):
        for b in range(lanes):
            s.entries[p, b] = 0.0
    for i in range(m):
        for b in range(lanes):
            barrier = at.press_low[i, b] / at.above[i, b] + at.press_high[i, b] / at.below[i, b]
            s.pivots[place[i], b] = FIXED if at.fixed[i, b] else at.quadratic[i, b] + barrier + REGULAR
    for i in range(rows):
        for b in range(lanes):
            s.pivots[place[m + i], b] = -REGULAR
    for i in range(len(at.limit)):
        for b in range(lanes):
            s.pivots[place[m + rows + i], b] = -at.slack[i, b] / at.press[i, b] - REGULAR
    own = len(structure.equality.value)
    for k in range(len(structure.fixed_at)):
        value = structure.equality.value[k] if k < own else structure.inequality.value[k - own]
        for b in range(lanes):
            s.entries[structure.fixed_at[k], b] = value
    for k in range(len(structure.bent_at)):
        where, step, value = structure.bent_at[k], structure.bent_step[k], structure.bent_value[k]
        if where < 0:
            for b in range(lanes):
                s.pivots[-1 - where, b] += value * at.extra[step, b]
        else:
            for b in range(lanes):
                s.entries[where, b] += value * at.extra[step, b]


@inner_kernel
def factorise(structure: Structure, s: Scratch) -> None:
    """``L D L'`` in place."""
    plan, lanes, count = structure.plan, s.pivots.shape[1], 0
    for j in range(len(s.pivots)):
        for p in range(plan.start[j], plan.start[j + 1]):
            for b in range(lanes):
                s.row[7, b] = s.entries[p, b] / s.pivots[j, b]
            for q in range(p, plan.start[j + 1]):
                where = plan.target[count]
                count += 1
                if where < 0:
                    for b in range(lanes):
                        s.pivots[-1 - where, b] -= s.row[7, b] * s.entries[q, b]
                else:
                    for b in range(lanes):
                        s.entries[where, b] -= s.row[7, b] * s.entries[q, b]
            for b in range(lanes):
                s.entries[p, b] = s.row[7, b]


@inner_kernel
def substitute(structure: Structure, s: Scratch) -> None:
    """Solve for ``step`` with the right-hand side that stands in it."""
    plan, lanes, count = structure.plan, s.pivots.shape[1], len(s.pivots)
    for j in range(count):
        for p in range(plan.start[j], plan.start[j + 1]):
            i = plan.row[p]
            for b in range(lanes):
                s.step[i, b] -= s.entries[p, b] * s.step[j, b]
    for back in range(count):
        j = count - 1 - back
        for b in range(lanes):
            s.step[j, b] /= s.pivots[j, b]
        for p in range(plan.start[j], plan.start[j + 1]):
            i = plan.row[p]
            for b in range(lanes):
                s.step[j, b] -= s.entries[p, b] * s.step[i, b]


@inner_kernel
def aim_direction(structure: Structure, at: Lanes, s: Scratch) -> None:
    """The Newton step that changes the products as ``push`` says."""
    lanes, m, rows, place = at.y.shape[1], len(at.y), len(at.right), structure.plan.place
    for i in range(m):
        for b in range(lanes):
            pushed = s.push_low[i, b] / at.above[i, b] - s.push_high[i, b] / at.below[i, b]
            s.step[place[i], b] = 0.0 if at.fixed[i, b] else pushed - s.dual_residual[i, b]
    for i in range(rows):
        for b in range(lanes):
            s.step[place[m + i], b] = -s.own_residual[i, b]
    for i in range(len(at.limit)):
        for b in range(lanes):
            s.step[place[m + rows + i], b] = -s.limit_residual[i, b] - s.push[i, b] / at.press[i, b]
    substitute(structure, s)
    for i in range(m):
        for b in range(lanes):
            if at.fixed[i, b]:
                s.step[place[i], b] = 0.0


@inner_kernel
def predict(at: Lanes, s: Scratch) -> None:
    """Push all products to zero."""
    for i in range(len(at.y)):
        for b in range(at.y.shape[1]):
            s.push_low[i, b] = -at.above[i, b] * at.press_low[i, b]
            s.push_high[i, b] = -at.below[i, b] * at.press_high[i, b]
    for i in range(len(at.limit)):
        for b in range(at.y.shape[1]):
            s.push[i, b] = -at.slack[i, b] * at.press[i, b]


@inner_kernel
def reach(structure: Structure, at: Lanes, s: Scratch, share: float) -> None:
    """In row 4 this share of the longest step that keeps slacks and multipliers positive, at most 1."""
    lanes, m, rows, place = at.y.shape[1], len(at.y), len(at.right), structure.plan.place
    for b in range(lanes):
        s.row[4, b] = share  # its inverse, times the share
    for i in range(m):
        for b in range(lanes):
            move = s.step[place[i], b]
            up = (s.push_low[i, b] - at.press_low[i, b] * move) / at.above[i, b]
            down = (s.push_high[i, b] + at.press_high[i, b] * move) / at.below[i, b]
            if at.has_low[i, b]:
                s.row[4, b] = max(s.row[4, b], -move / at.above[i, b], -up / at.press_low[i, b])
            if at.has_high[i, b]:
                s.row[4, b] = max(s.row[4, b], move / at.below[i, b], -down / at.press_high[i, b])
    for i in range(len(at.limit)):
        for b in range(lanes):
            rise = s.step[place[m + rows + i], b]
            move = (s.push[i, b] - at.slack[i, b] * rise) / at.press[i, b]
            s.row[4, b] = max(s.row[4, b], -move / at.slack[i, b], -rise / at.press[i, b])
    for b in range(lanes):
        s.row[4, b] = share / s.row[4, b]


@inner_kernel
def correct(structure: Structure, at: Lanes, s: Scratch) -> None:
    """Push products to a common size, and against what the predictor's step would make of them."""
    lanes, m, rows, place = at.y.shape[1], len(at.y), len(at.right), structure.plan.place
    for b in range(lanes):
        s.row[5, b] = 0.0
    for i in range(m):
        for b in range(lanes):
            move, a = s.step[place[i], b], s.row[4, b]
            up = (s.push_low[i, b] - at.press_low[i, b] * move) / at.above[i, b]
            down = (s.push_high[i, b] + at.press_high[i, b] * move) / at.below[i, b]
            low = (at.above[i, b] + a * move) * (at.press_low[i, b] + a * up)
            high = (at.below[i, b] - a * move) * (at.press_high[i, b] + a * down)
            s.row[5, b] += (low if at.has_low[i, b] else 0.0) + (high if at.has_high[i, b] else 0.0)
            s.push_low[i, b] -= move * up
            s.push_high[i, b] += move * down
    for i in range(len(at.limit)):
        for b in range(lanes):
            rise, a = s.step[place[m + rows + i], b], s.row[4, b]
            move = (s.push[i, b] - at.slack[i, b] * rise) / at.press[i, b]
            s.row[5, b] += (at.slack[i, b] + a * move) * (at.press[i, b] + a * rise)
            s.push[i, b] -= move * rise
    for b in range(lanes):
        share = s.row[5, b] / max(s.row[2, b], TINY)
        s.row[6, b] = share * share * share * s.row[2, b] / max(s.row[3, b], 1.0)
    for i in range(m):
        for b in range(lanes):
            s.push_low[i, b] = s.push_low[i, b] + s.row[6, b] if at.has_low[i, b] else 0.0
            s.push_high[i, b] = s.push_high[i, b] + s.row[6, b] if at.has_high[i, b] else 0.0
    for i in range(len(at.limit)):
        for b in range(lanes):
            s.push[i, b] += s.row[6, b]


@inner_kernel
def move_on(structure: Structure, at: Lanes, s: Scratch) -> None:
    """Take the step; solved lanes stay."""
    lanes, m, rows, place = at.y.shape[1], len(at.y), len(at.right), structure.plan.place
    for b in range(lanes):
        s.row[4, b] = 0.0 if s.solved[b] else s.row[4, b]
    for i in range(m):
        for b in range(lanes):
            move, a = s.step[place[i], b], s.row[4, b]
            up = (s.push_low[i, b] - at.press_low[i, b] * move) / at.above[i, b]
            down = (s.push_high[i, b] + at.press_high[i, b] * move) / at.below[i, b]
            at.y[i, b] += a * move
            if at.has_low[i, b]:
                at.above[i, b] += a * move
                at.press_low[i, b] += a * up
            if at.has_high[i, b]:
                at.below[i, b] -= a * move
                at.press_high[i, b] += a * down
    for i in range(rows):
        for b in range(lanes):
            at.dual[i, b] += s.row[4, b] * s.step[place[m + i], b]
    for i in range(len(at.limit)):
        for b in range(lanes):
            rise = s.step[place[m + rows + i], b]
            move = (s.push[i, b] - at.slack[i, b] * rise) / at.press[i, b]
            at.slack[i, b] += s.row[4, b] * move
            at.press[i, b] += s.row[4, b] * rise


@entry_kernel
def solve_lanes(structure: Structure, at: Lanes, s: Scratch, tolerance: float, most: int) -> int:
    """Iterate until every lane is solved, or ``most`` times; returns how often. ``solved`` says which lanes are."""
    for b in range(len(s.solved)):
        s.solved[b] = False
    for k in range(most):
        take_residuals(structure, at, s)
        if measure(at, s, tolerance):
            return k
        fill(structure, at, s)
        factorise(structure, s)
        predict(at, s)
        aim_direction(structure, at, s)
        reach(structure, at, s, 1.0)
        correct(structure, at, s)
        aim_direction(structure, at, s)
        reach(structure, at, s, TO_THE_EDGE)
        move_on(structure, at, s)
    take_residuals(structure, at, s)
    measure(at, s, tolerance)
    return most
