"""Which offers the aggregator takes: the cheapest that meet the requirement, under the rules of the coalition.

    minimise   sum_i a_i q_i
    subject to sum_i q_i = Q,   q_i = 0 or l <= q_i <= k_i,   at least M of them above 0

with asks a, offered powers k, the least power l worth a call, and the required power Q; with too few offers Q falls to
what there is, down to 80 % of the requirement. Without the last two rules this is a linear program whose optimum is the
merit order. Where the merit order obeys them it is therefore the optimum of the whole; only else the mixed-integer
program is solved (:mod:`gridmarl.negotiation.coalition.mixed_integer`).

Which offers count, those of who was asked for more included, is decided before
(:mod:`gridmarl.negotiation.coalition.offers`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gridmarl.negotiation.coalition.offers import DUST_KW, CoalitionRules, Offers
from gridmarl.negotiation.schemas import Outcome
from gridmarl.units import Bool, Float, Int


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """What is taken of each offer."""

    kw: Float  # (prosumer,)
    outcome: Outcome
    solver: str  # merit order, mixed-integer program, or none

    @property
    def members(self) -> Bool:
        """Who is in the coalition."""
        return self.kw > DUST_KW

    @property
    def total_kw(self) -> float:
        """What all of them hold together."""
        return float(self.kw.sum())


def target_kw(offered_kw: float, required_kw: float, rules: CoalitionRules) -> tuple[float, Outcome]:
    """What is to be sold: the requirement, what there is if that is at least its relaxed share, or nothing."""
    if offered_kw >= required_kw - DUST_KW:
        return min(required_kw, offered_kw), "full"
    if offered_kw >= rules.relaxed_share * required_kw - DUST_KW:
        return offered_kw, "relaxed"
    return 0.0, "failed"


def select(offers: Offers, required_kw: float, rules: CoalitionRules) -> Selection:
    """The cheapest coalition.

    Parameters
    ----------
    offers : Offers
    required_kw : float
        The whole requirement [kW].
    rules : CoalitionRules

    Returns
    -------
    Selection
        Of a failed one everything is 0.
    """
    nothing = Selection(np.zeros_like(offers.kw), "failed", "none")
    worth = offers.worth(rules)
    target, outcome = target_kw(float(offers.kw[worth].sum()), required_kw, rules)
    if outcome == "failed" or int(worth.sum()) < rules.least_members:
        return nothing
    kw = merit_order(offers, worth, target)
    if obeys(kw, rules):
        return Selection(kw, outcome, "merit order")
    from gridmarl.negotiation.coalition.mixed_integer import solve_mixed_integer

    solved = solve_mixed_integer(offers, worth, target, rules)
    return nothing if solved is None else Selection(solved, outcome, "mixed-integer program")


def by_merit(offers: Offers, worth: Bool) -> Int:
    """Prosumers by rising ask; of equal asks the larger offer, then the earlier; those not worth a call come last."""
    return np.lexsort((-offers.kw, np.where(worth, offers.ask_per_mwh, np.inf)))


def merit_order(offers: Offers, worth: Bool, target: float) -> Float:
    """Power taken of each [kW], filled up to the target [kW] from the lowest ask."""
    order = by_merit(offers, worth)
    available = np.where(worth, offers.kw, 0.0)[order]
    before = np.cumsum(available) - available
    kw = np.zeros_like(offers.kw)
    kw[order] = np.clip(target - before, 0.0, available)
    kw[kw <= DUST_KW] = 0.0
    return kw


def obeys(kw: Float, rules: CoalitionRules) -> bool:
    """Whether a selection has enough members, each with enough power."""
    taken = kw > DUST_KW
    return int(taken.sum()) >= rules.least_members and bool((kw[taken] >= rules.least_kw - DUST_KW).all())


def clearing_ask(offers: Offers, selection: Selection) -> float:
    """The highest ask that was taken; 0 without any."""
    return float(offers.ask_per_mwh[selection.members].max(initial=0.0))
