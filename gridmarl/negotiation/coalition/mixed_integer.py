"""The coalition as a mixed-integer program, solved by HiGHS (Huangfu & Hall, 2018), no modelling layer between."""

from __future__ import annotations

from typing import Final

import numpy as np

from gridmarl.errors import SolverError
from gridmarl.negotiation.coalition.offers import CoalitionRules, Offers
from gridmarl.units import Bool, Float

INFEASIBLE: Final = 2
"""HiGHS's status in scipy: no coalition obeys the rules."""
GAP: Final = 1e-9


def solve_mixed_integer(offers: Offers, worth: Bool, target: float, rules: CoalitionRules) -> Float | None:
    """The cheapest coalition of exactly this power, each member at least at its least power.

    Parameters
    ----------
    offers : Offers
    worth : (prosumer,) array of bool
        Whose offers may be taken.
    target : float
        Power of all together [kW].
    rules : CoalitionRules

    Returns
    -------
    (prosumer,) array or None
        Power taken of each [kW]; None where no coalition obeys the rules.

    Raises
    ------
    SolverError
        Where HiGHS stops without an answer.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array, eye_array, hstack

    kw, asks = offers.kw[worth], offers.ask_per_mwh[worth]
    count = len(kw)
    power, called = np.concatenate([np.ones(count), np.zeros(count)]), np.repeat([0.0, 1.0], count)
    identity = eye_array(count)
    above = csr_array(hstack([identity, -rules.least_kw * identity]))  # q - l z >= 0
    below = csr_array(hstack([identity, -identity.multiply(kw)]))  # q - k z <= 0
    found = milp(
        np.concatenate([asks, np.zeros(count)]),
        constraints=[
            LinearConstraint(power[None], target, target),
            LinearConstraint(called[None], min(rules.least_members, count), count),
            LinearConstraint(above, 0.0, np.inf),
            LinearConstraint(below, -np.inf, 0.0),
        ],
        integrality=called,
        bounds=Bounds(np.zeros(2 * count), np.concatenate([kw, np.ones(count)])),  # pyright: ignore[reportArgumentType]
        options={"mip_rel_gap": GAP},
    )
    if found.status == INFEASIBLE:
        return None
    if found.x is None:
        raise SolverError("HiGHS on a coalition", found.message, "an optimum", "check the offers for huge numbers")
    chosen = np.round(found.x[count:]) > 0.5
    taken = np.zeros_like(offers.kw)
    taken[worth] = np.where(chosen, np.clip(found.x[:count], rules.least_kw, kw), 0.0)
    return taken
