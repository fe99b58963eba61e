"""The coupling's own step of ADMM: the classes' totals nearest to what they wish, with slack at its price.

With the classes of `groups`, wishes ``w_c`` and slopes ``a_c = n_c / rho``, every step k on its own,

``min_t Σ_rows g_r(t) + Σ_c (t_c - w_c)² / (2 a_c)``.

At the multiplier λ of everybody's sum, group c answers ``t_c(λ) = prox(w_c + a_c λ)`` in closed form; the sum of the
answers is piecewise linear in λ and never falls. So λ lies between two neighbours among the points where a piece
begins, and is interpolated: exact, without iterations, all steps at once.
"""

from __future__ import annotations

import numpy as np

from gridmarl.planning.model.groups import Rows
from gridmarl.units import Bool, Float


def nearest_totals(rows: Rows, wish_mw: Float, slope: Float) -> tuple[Float, Float]:
    """Solve the step.

    Parameters
    ----------
    rows : Rows
        Bounds and slack prices.
    wish_mw : array (C, K)
        What each class would inject if nothing bound.
    slope : array (C,)
        MW that a class gives for one $/MWh; 0 where it has no owner.

    Returns
    -------
    total_mw : array (C, K)
        Of each class.
    multiplier_per_mwh : array (K,)
        Of everybody's sum, the value nearest to 0 where there are several.
    """
    price = _candidates(rows, wish_mw, slope)
    sums = _answers(rows, wish_mw, slope, price[:, None, :]).sum(axis=1)
    alone = _answers(rows, wish_mw, slope, np.zeros_like(price[0])).sum(axis=0)
    want = np.clip(alone, rows.lower_mw[0], rows.upper_mw[0])
    multiplier = np.where(want == alone, 0.0, _where(price, sums, want, rising=want > alone))
    return _answers(rows, wish_mw, slope, multiplier), multiplier


def _answers(rows: Rows, wish_mw: Float, slope: Float, price: Float) -> Float:
    """Totals of the classes at a multiplier (K,), (C, K); at several (m, 1, K), (m, C, K)."""
    a, inner = slope[:, None], slice(1, None)
    wish = wish_mw + a * price
    groups, b = wish[..., inner, :], a[inner]
    up = np.minimum(groups + b * rows.shortage_per_mwh[inner], rows.lower_mw[inner])
    down = np.maximum(groups - b * rows.surplus_per_mwh[inner], rows.upper_mw[inner])
    within = np.where(groups < rows.lower_mw[inner], up, np.where(groups > rows.upper_mw[inner], down, groups))
    return np.concatenate([wish[..., :1, :], within], axis=-2)


def _candidates(rows: Rows, wish_mw: Float, slope: Float) -> Float:
    """Multipliers at which some group's answer bends, and the ends of what is allowed: (m, K), none falling."""
    inner, a = slice(1, None), np.maximum(slope[1:, None], np.finfo(float).tiny)
    to_lower, to_upper = ((end[inner] - wish_mw[inner]) / a for end in (rows.lower_mw, rows.upper_mw))
    bends = [to_lower - rows.shortage_per_mwh[inner], to_lower, to_upper, to_upper + rows.surplus_per_mwh[inner]]
    least, most = -rows.surplus_per_mwh[:1], rows.shortage_per_mwh[:1]
    found = np.concatenate([least, most, np.zeros_like(most), *bends])
    return np.sort(np.clip(found, least, most), axis=0)


def _where(price: Float, sums: Float, want: Float, rising: Bool) -> Float:
    """The multiplier (K,) at which the sum is as wanted, nearest to 0; the last one allowed where it never is."""
    last, step = len(price) - 1, np.arange(price.shape[1])
    reached = np.sum(sums < want, axis=0)  # the first candidate that is not below what is wanted
    kept = np.sum(sums <= want, axis=0) - 1  # the last that is not above it
    after = np.where(rising, np.clip(reached, 1, last), np.clip(kept + 1, 1, last))
    low, high = sums[after - 1, step], sums[after, step]
    flat = high <= low  # what is wanted is out of reach
    share = np.where(flat, rising, np.clip((want - low) / np.where(flat, 1.0, high - low), 0.0, 1.0))
    return price[after - 1, step] + share * (price[after, step] - price[after - 1, step])
