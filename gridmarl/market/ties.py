"""Which of many optima: the one nearest to a wish. Equal sellers then get the same, whichever the solver met first."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls

from gridmarl.units import Float

LARGEST_MISS = 1e-9
"""How far the nearest point may miss a bound before the start is kept instead; numbers are near 1."""
RANK = 1e-9
"""Singular values below this share of the largest, and sides that a move changes by less, count as zero."""


def nearest_point(
    equal: Float, equal_rhs: Float, rows: Float, rhs: Float, upper: Float, start: Float, wish: Float, weight: Float
) -> Float:
    """The x nearest to a wish among ``equal x = equal_rhs, rows x <= rhs, 0 <= x <= upper``.

    Least squares with inequalities, as Lawson & Hanson (1974, chapter 23) solve them: the equations leave a subspace,
    in which the problem is one of least distance, whose dual is one of non-negative least squares.

    Parameters
    ----------
    equal, equal_rhs, rows, rhs, upper
        The set.
    start : (column,)
        A point of it, but for the solver's tolerance.
    wish, weight : (column,)
        ``sum (weight (x - wish))²`` is least.

    Returns
    -------
    (column,)
        The point, or the start where rounding led astray.
    """
    start, space = _solution_space(equal, equal_rhs, start)
    if space.shape[1] == 0:
        return start
    orthogonal, triangle = np.linalg.qr(weight[:, None] * space)
    away = orthogonal.T @ (weight * (start - wish))
    moves: Float = np.linalg.solve(triangle.T, space.T).T.astype(
        np.float64
    )  # x = start + moves (y - away), and |y| is to be least
    sides = np.concatenate([-rows @ moves, moves, -moves])
    slack = np.concatenate([rhs - rows @ start, start, upper - start])
    length = np.linalg.norm(sides, axis=1)
    moved = length > RANK
    sides, slack = sides[moved] / length[moved, None], np.maximum(slack[moved], 0.0) / length[moved]
    shortest = _least_distance(sides, sides @ away - slack)
    found = start + moves @ (shortest - away)
    miss = max(np.max(-found), np.max(found - upper), np.max(rows @ found - rhs, initial=0.0))
    return found if miss <= LARGEST_MISS else start


def _solution_space(equal: Float, rhs: Float, start: Float) -> tuple[Float, Float]:
    """The start, moved by as little as possible onto the equations, and the directions that they leave free."""
    if equal.size == 0:
        return start, np.eye(len(start))
    left, size, right = np.linalg.svd(equal)
    rank = int(np.sum(size > RANK * max(1.0, size[0])))
    move = right[:rank].T @ ((left[:, :rank].T @ (rhs - equal @ start)) / size[:rank])
    return start + move, right[rank:].T


def _least_distance(rows: Float, rhs: Float) -> Float:
    """The shortest y with ``rows y >= rhs`` (Lawson & Hanson 1974, problem LDP)."""
    stacked = np.vstack([rows.T, rhs])
    target = np.zeros(len(stacked))
    target[-1] = 1.0
    residual = target - stacked @ nnls(stacked, target)[0]
    return -residual[:-1] / residual[-1]
