"""Quantiles become a whole distribution, so that values have probabilities and probabilities have values.

Between the levels the quantile function is linear; beyond the outermost it has exponential tails that go on with the
slope of the last segment, as is usual for prices that may spike. :func:`ranks` (the probability integral transform)
and :func:`values_at` undo each other wherever quantiles differ.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from gridmarl.units import Float

NARROWEST: Final = 1e-9
"""Quantiles nearer than this share of their size are held this far apart, so that ranks are unique."""
RANK_EDGE: Final = 1e-6
"""Ranks stay this far from 0 and 1: their normal scores are finite."""


def ranks(quantiles: Float, values: Float, levels: Float) -> Float:
    """Probability that the forecast gave to a smaller value.

    Parameters
    ----------
    quantiles : array (n, level)
        Ascending along the levels.
    values : array (n,)
        What came.
    levels : array (level,)
        Ascending, in (0, 1).

    Returns
    -------
    array (n,)
        Within ``[RANK_EDGE, 1 - RANK_EDGE]``.
    """
    knots = _apart(quantiles)
    low, high = _tails(knots, levels)
    cell = np.clip(np.sum(values[:, None] >= knots, axis=1) - 1, 0, levels.size - 2)
    left, right = _pick(knots, cell), _pick(knots, cell + 1)
    found = levels[cell] + (values - left) / (right - left) * (levels[cell + 1] - levels[cell])
    below, above = knots[:, 0] - values, values - knots[:, -1]
    found = np.where(below > 0.0, levels[0] * np.exp(-np.maximum(below, 0.0) / low), found)
    found = np.where(above > 0.0, 1.0 - (1.0 - levels[-1]) * np.exp(-np.maximum(above, 0.0) / high), found)
    return np.clip(found, RANK_EDGE, 1.0 - RANK_EDGE)


def values_at(quantiles: Float, rank: Float, levels: Float) -> Float:
    """Value below which the forecast saw this probability.

    Parameters
    ----------
    quantiles : array (n, level)
        Ascending along the levels.
    rank : array (n,)
        Probabilities; taken within ``[RANK_EDGE, 1 - RANK_EDGE]``.
    levels : array (level,)
        Ascending, in (0, 1).

    Returns
    -------
    array (n,)
        In the quantiles' unit.
    """
    knots, rank = _apart(quantiles), np.clip(rank, RANK_EDGE, 1.0 - RANK_EDGE)
    low, high = _tails(knots, levels)
    cell = np.clip(np.searchsorted(levels, rank, side="right") - 1, 0, levels.size - 2)
    left, right = _pick(knots, cell), _pick(knots, cell + 1)
    found = left + (rank - levels[cell]) / (levels[cell + 1] - levels[cell]) * (right - left)
    found = np.where(rank < levels[0], knots[:, 0] + low * np.log(rank / levels[0]), found)
    return np.where(rank > levels[-1], knots[:, -1] - high * np.log((1.0 - rank) / (1.0 - levels[-1])), found)


def _apart(quantiles: Float) -> Float:
    size = np.maximum(1.0, np.abs(quantiles).max(axis=1, keepdims=True))
    return quantiles + NARROWEST * size * np.arange(quantiles.shape[1])


def _tails(knots: Float, levels: Float) -> tuple[Float, Float]:
    """Lengths of the two tails, in the quantiles' unit: slope of the last segment times the probability beyond."""
    low = (knots[:, 1] - knots[:, 0]) / (levels[1] - levels[0]) * levels[0]
    high = (knots[:, -1] - knots[:, -2]) / (levels[-1] - levels[-2]) * (1.0 - levels[-1])
    return low, high


def _pick(knots: Float, cell: np.ndarray) -> Float:
    return np.take_along_axis(knots, cell[:, None], axis=1)[:, 0]
