"""ALADIN's coupling program: from the sums of offers and slopes to the next price.

With ``P = Σ p_i`` and ``S = Σ S_i`` the owners together would inject ``P + S ν``. The price at which that meets the
coupling ``lo <= t <= up``, or at which slack makes up for it, solves the dual of ALADIN's coupling program (Houska,
Frasch & Diehl 2016, with a slack that is priced; reduced by the Schur complement as by Engelmann et al. 2020)

``min 1/2 ν'Sν + P'ν - Σ_k max(lo_k ν_k, up_k ν_k)``  with ν within the slack prices.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import piqp

from gridmarl.planning.model.assets import Coupling
from gridmarl.planning.model.gap import admissible
from gridmarl.planning.model.groups import rows_of
from gridmarl.planning.owners.condensation import Condensed
from gridmarl.units import Bool, Float

RIDGE: Final = 1e-9
"""Where nobody answers the price it stays: the pull towards the last one, over the largest slope."""
ACCURACY: Final = 1e-11
INSIDE: Final = 1e-7
"""A price this far from its bounds, over the price scale, is free; a nearer one stands on them."""
POLISHED: Final = 1e-3
"""Last digits, over the price scale, are smaller than this."""
RANK: Final = 1e-13
"""Directions in which the total answers less than this, over the strongest, keep their price."""


def coupling_price(
    total: Condensed,
    coupling: Coupling,
    step_h: Float,
    multiplier_per_mwh: Float,
    scale_per_mwh: float,
    rated_mw: float,
) -> Float:
    """The multiplier at which the owners' condensed answers meet the coupling.

    Parameters
    ----------
    total : Condensed
        Sums over the owners of each of the coupling's rows, row after row as `groups` orders them.
    coupling : Coupling
        Bounds and slack prices.
    step_h : array (K,)
        Hours a step.
    multiplier_per_mwh : array (1 + G, K), or (K,) without groups
        The last multipliers, kept where nobody answers the price and nothing is missing.
    scale_per_mwh : float
        A typical price.
    rated_mw : float
        A typical power.

    Returns
    -------
    array like the last multipliers
        $/MWh, within the slack prices.
    """
    shape, rows = multiplier_per_mwh.shape, rows_of(coupling, len(step_h))
    step_h, last = np.tile(step_h, len(rows.lower_mw)), multiplier_per_mwh.ravel()  # all rows as one long horizon
    unit, lower, upper = scale_per_mwh * step_h, rows.lower_mw.ravel(), rows.upper_mw.ravel()  # $/MW, MW
    ends = (admissible(coupling, np.full(shape, end)).ravel() for end in (-np.inf, np.inf))
    least, most = (end / scale_per_mwh for end in ends)
    size = max(float(np.abs(total.offer_mw).max()), float((total.slope @ unit).max()), np.finfo(float).tiny)
    slope = total.slope * np.outer(step_h, unit) / size
    low, high = (np.where(np.isfinite(end), end, 0.0) for end in (lower, upper))  # no price at an open end
    offer, low, high = (step_h * power / size for power in (total.offer_mw, low, high))
    start = np.clip(last / scale_per_mwh, least, most)
    silent = np.diag(slope) <= RANK * max(float(np.diag(slope).max()), 1.0)
    dust = INSIDE * rated_mw * step_h / size
    met = (np.abs(offer - low) <= dust) & (start >= 0) | (np.abs(offer - high) <= dust) & (start <= 0)
    least, most = (np.where(silent & met, start, end) for end in (least, most))
    price = _solve(slope, (offer, low, high), (least, most), start)
    missing = np.where(price > 0, low, high) - offer
    return (_exact(slope, missing, price, most, least, lower < upper) * scale_per_mwh).reshape(shape)


def _solve(slope: Float, sizes: tuple[Float, Float, Float], bounds: tuple[Float, Float], start: Float) -> Float:
    """The price (K,) to solver's accuracy, as the difference of a price above 0 and one below."""
    (offer, low, high), (least, most), k = sizes, bounds, len(start)
    pull = RIDGE * max(float(np.diag(slope).max()), RIDGE)
    curved = np.block([[slope, -slope], [-slope, slope]]) + pull * np.eye(2 * k)
    last = np.concatenate([np.maximum(start, 0.0), np.maximum(-start, 0.0)])
    linear = np.concatenate([offer - low, high - offer]) - pull * last
    solver = piqp.DenseSolver()
    solver.settings.eps_abs = solver.settings.eps_rel = ACCURACY
    none, empty = np.zeros((0, 2 * k)), np.zeros(0)
    solver.setup(curved, linear, none, empty, none, None, empty, *_parts(least, most))
    solver.solve()
    found = np.array(solver.result.x)
    return np.clip(found[:k] - found[k:], least, most)


def _parts(least: Float, most: Float) -> tuple[Float, Float]:
    """Bounds of the price above 0 and of the one below, one after the other."""
    return (
        np.concatenate([np.maximum(least, 0.0), np.maximum(-most, 0.0)]),
        np.concatenate([np.maximum(most, 0.0), np.maximum(-least, 0.0)]),
    )


def _exact(slope: Float, missing: Float, price: Float, most: Float, least: Float, window: Bool) -> Float:
    """The same price on its bounds where it is near, the rest with last digits from the linear equations left."""
    high, low, idle = price > most - INSIDE, price < least + INSIDE, window & (np.abs(price) < INSIDE)
    price = np.where(idle, 0.0, np.where(high, most, np.where(low, least, price)))
    free = ~(high | low | idle)
    exact = price.copy()
    exact[free] += np.linalg.lstsq(slope[np.ix_(free, free)], (missing - slope @ price)[free], rcond=RANK)[0]
    fine = np.all((exact >= least) & (exact <= most)) and np.abs(exact - price).max() <= POLISHED
    return exact if fine else price
