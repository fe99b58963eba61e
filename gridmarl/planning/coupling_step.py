"""ALADIN's coupling program: from the sums of offers and slopes to the next price.

With ``P = Σ p_i`` and ``S = Σ S_i`` the owners together would inject ``P + S ν``. The price at which that meets the
coupling ``lo <= t <= up``, short of it at the price of slack, solves the coupling program's dual (Houska, Frasch & Diehl
2016, step 4, with its slack priced; Engelmann et al. 2020, equation 12)

``min 1/2 ν'Sν + P'ν - Σ_k max(lo_k ν_k, up_k ν_k)``  with ν within the slack prices.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import piqp

from gridmarl.planning.assets import Coupling, per_step
from gridmarl.planning.condensation import Condensed
from gridmarl.planning.gap import admissible
from gridmarl.units import Float

RIDGE: Final = 1e-9
"""Where nobody answers the price it stays: the pull towards the last one, over the largest slope."""
INSIDE: Final = 1e-7
"""A price this far from its bounds, over the price scale, is free to be recomputed exactly."""


def coupling_price(
    total: Condensed, coupling: Coupling, step_h: Float, multiplier_per_mwh: Float, scale_per_mwh: float
) -> Float:
    """The multiplier at which the owners' condensed answers meet the coupling.

    Parameters
    ----------
    total : Condensed
        Sums over the owners.
    coupling : Coupling
        Bounds and slack prices.
    step_h : array (K,)
        Hours a step.
    multiplier_per_mwh : array (K,)
        The last multiplier, kept where nobody answers the price.
    scale_per_mwh : float
        A typical price.

    Returns
    -------
    array (K,)
        $/MWh, within the slack prices.
    """
    steps = len(step_h)
    unit = scale_per_mwh * step_h  # $/MW
    lower, upper = per_step(coupling.lower_mw, steps), per_step(coupling.upper_mw, steps)
    size = max(float(np.abs(total.offer_mw).max()), float((total.slope @ unit).max()), np.finfo(float).tiny)
    slope = total.slope * np.outer(unit, unit) / (size * scale_per_mwh)
    worth = step_h  # of a unit of power at a unit of price
    most = admissible(coupling, np.full(steps, np.inf)) / scale_per_mwh
    least = admissible(coupling, np.full(steps, -np.inf)) / scale_per_mwh
    ends = tuple(np.where(np.isfinite(end), end, 0.0) for end in (lower, upper))
    start = admissible(coupling, multiplier_per_mwh) / scale_per_mwh
    pull = RIDGE * max(float(np.diag(slope).max()), RIDGE)
    price = _solve(slope, (worth * total.offer_mw / size, *(worth * end / size for end in ends)), most, least, start, pull)
    ask = np.where(price > 0, ends[0], ends[1])
    return _exact(slope, worth * (ask - total.offer_mw) / size, price, most, least, lower < upper) * scale_per_mwh


def _solve(slope: Float, sizes: tuple[Float, Float, Float], most: Float, least: Float, start: Float, pull: float) -> Float:
    """Prices above and below 0 as two variables each."""
    offer, low, high = sizes
    k = len(offer)
    curved = np.block([[slope, -slope], [-slope, slope]]) + pull * np.eye(2 * k)
    linear = np.concatenate([offer - low, high - offer]) - pull * np.concatenate([np.maximum(start, 0), -np.minimum(start, 0)])
    solver = piqp.DenseSolver()
    solver.settings.eps_abs = solver.settings.eps_rel = 1e-11
    none, empty = np.zeros((0, 2 * k)), np.zeros(0)
    solver.setup(curved, linear, none, empty, none, None, empty, np.zeros(2 * k), np.concatenate([most, -least]))
    solver.solve()
    found = np.array(solver.result.x)
    return np.clip(found[:k] - found[k:], least, most)


def _exact(slope: Float, missing: Float, price: Float, most: Float, least: Float, open_: np.ndarray) -> Float:
    """The same price with its last digits from the linear equations of the steps where it is free."""
    free = (price < most - INSIDE) & (price > least + INSIDE) & ~(open_ & (np.abs(price) <= INSIDE))
    price = np.where(open_ & (np.abs(price) <= INSIDE), 0.0, price)
    if not free.any():
        return price
    step = np.linalg.lstsq(slope[np.ix_(free, free)], (missing - slope @ price)[free], rcond=1e-13)[0]
    better = price.copy()
    better[free] += step
    fine = np.all(np.isfinite(better)) and np.all(better <= most) and np.all(better >= least)
    return better if fine and np.abs(step).max() <= 1e-3 else price
