"""Bands that cover what they say: conformalised quantiles, and their adaptation while the world moves on.

Romano, Patterson & Candès 2019, "Conformalized quantile regression": a quantile is moved outwards by a quantile of how
far the truth lay beyond it on days the model has not learned from. Each side is moved by itself (their theorem 2), so
that all levels are calibrated and not the band alone. Gibbs & Candès 2021, "Adaptive conformal inference under
distribution shift": after each day the level aimed at is corrected by the misses, ``a <- a + γ (τ - missed)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Final

import numpy as np

from gridmarl.errors import DataError
from gridmarl.units import Bool, Float

ROUNDING: Final = 1e-9
"""A rank this much above a whole number is that number: (1 - 0.95) * 20 is not 1 in binary."""


@dataclass(frozen=True, slots=True)
class Adaptation:
    """How calibration follows the test period.

    Attributes
    ----------
    window_days : int
        Scores of this many last known days count.
    rate : float
        γ a day; 0 leaves the levels as they are and lets only the window move.
    delay_days : int
        Days from delivery back to the last day whose truth is known entirely.
    """

    window_days: int = 56
    rate: float = 0.03
    delay_days: int = 1

    def __post_init__(self) -> None:
        if self.window_days < 1 or self.delay_days < 1:
            found = (self.window_days, self.delay_days)
            raise DataError("adaptation.window_days, delay_days", found, "at least 1", "today's truth is not known yet")
        if not 0.0 <= self.rate <= 1.0:
            raise DataError("adaptation.rate", self.rate, "in [0, 1]", "0.01 to 0.05 is usual")


def margin(scores: Float, miss: float) -> float:
    """The ``ceil((1 - miss)(n + 1))``-th smallest score: how far a quantile moves out to be missed that rarely.

    With exchangeable scores a new one exceeds it with probability at most ``miss``. Where that rank is beyond n, which
    would be an infinite margin, it is the largest score: a band that is too narrow for so few days, but finite.

    Parameters
    ----------
    scores : array (n,)
        How far the truth lay beyond the quantile; negative where it lay inside.
    miss : float
        Wanted share of misses; values outside [0, 1] act like the ends.

    Raises
    ------
    DataError
        No score at all.
    """
    if scores.size == 0:
        raise DataError("scores to calibrate with", 0, "at least 1", "give calibration days")
    rank = ceil((1.0 - miss) * (scores.size + 1) - ROUNDING)
    place = min(max(rank, 1), scores.size) - 1
    return float(np.partition(scores, place)[place])


def conformalise(quantiles: Float, known: Float, truth: Float, levels: Float) -> Float:
    """Move quantiles of new days by their errors on known days, once and for all.

    Parameters
    ----------
    quantiles : array (day, step, level)
        Of the new days.
    known : array (other day, step, level)
        Of days that no model has learned from.
    truth : array (other day, step)
        What came on these; NaN does not count.
    levels : array (level,)
        Symmetric about 0.5; the median stays.

    Returns
    -------
    array (day, step, level)
        Ascending along the levels.
    """
    scores = _scores(known, truth, levels)
    counted = np.isfinite(truth)
    moved = [_side(level) * margin(scores[..., i][counted], _miss(level)) for i, level in enumerate(levels.tolist())]
    return np.sort(quantiles + np.array(moved), axis=2)


def adapt(quantiles: Float, truth: Float, levels: Float, first: int, how: Adaptation) -> Float:
    """Conformalise day after day, each with what was known when its gate closed.

    Parameters
    ----------
    quantiles : array (day, step, level)
        Days that no model has learned from, in order; those before ``first`` only calibrate.
    truth : array (day, step)
        What came; NaN does not count. Day d is calibrated without a look at days after ``d - delay_days``.
    levels : array (level,)
        Symmetric about 0.5; the median stays.
    first : int
        The first day to calibrate, more than ``delay_days - 1``.
    how : Adaptation
        Window, rate and delay.

    Returns
    -------
    array (day - first, step, level)
        Ascending along the levels.

    Raises
    ------
    DataError
        No known day before ``first``.
    """
    if not how.delay_days <= first <= len(truth):
        raise DataError("days to calibrate with", first, f"{how.delay_days} to {len(truth)}", "give earlier days")
    scores, counted = _scores(quantiles, truth, levels), np.isfinite(truth)
    aims = np.array([_miss(level) for level in levels.tolist()])
    sides = np.array([_side(level) for level in levels.tolist()])
    aimed = aims.copy()
    margins = np.empty((len(truth) - first, levels.size))
    for day in range(first, len(truth)):
        newest = day - how.delay_days
        if newest >= first:  # a day that was forecast with a margin, whose truth has now become known
            aimed += how.rate * (aims - _missed(scores[newest] - margins[newest - first], counted[newest], aims))
        window = slice(max(0, newest + 1 - how.window_days), newest + 1)
        margins[day - first] = [margin(scores[window, :, i][counted[window]], aimed[i]) for i in range(levels.size)]
    return np.sort(quantiles[first:] + (sides * margins)[:, None, :], axis=2)


def _scores(quantiles: Float, truth: Float, levels: Float) -> Float:
    """How far the truth lies beyond each quantile, outwards, (day, step, level)."""
    sides = np.array([_side(level) for level in levels.tolist()])
    return sides * (truth[..., None] - quantiles)


def _missed(beyond: Float, counted: Bool, aims: Float) -> Float:
    """Share of a day's steps beyond each moved quantile; the aim itself where the day says nothing."""
    return np.mean(beyond[counted] > 0.0, axis=0) if counted.any() else aims


def _miss(level: float) -> float:
    return min(level, 1.0 - level)


def _side(level: float) -> float:
    """Outwards: down below the median, up above it, nowhere at it."""
    return float(np.sign(round(level - 0.5, 12)))
