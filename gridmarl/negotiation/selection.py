"""Which offers the aggregator takes: the cheapest that meet the requirement, under the rules of the coalition.

    minimise   sum_i a_i q_i
    subject to sum_i q_i = Q,   q_i = 0 or l <= q_i <= k_i,   at least M of them above 0

with asks a, offered powers k, the least power l worth a call, and the required power Q; with too few offers Q falls to
what there is, down to 80 % of the requirement. Without the last two rules this is a linear program whose optimum is the
merit order. Where the merit order obeys them it is therefore the optimum of the whole; only else the mixed-integer
program is solved (:mod:`gridmarl.negotiation.coalition`).

An offer stands until it is taken back: who is asked for more and offers more may still be held to its first, smaller
offer. Where the first offers do not meet the requirement, as few as possible are asked beyond them, the largest
additions first. Leaving the dearest offers out lowers the uniform price for all, but then more have to be asked:
between the two the aggregator weighs the price against goodwill. Where nothing would meet the whole requirement, no
more are asked than its relaxed share takes.

The aggregator's whole knowledge stands in :class:`Bids`: what was offered, at which ask. No floor, no wish.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from gridmarl.negotiation.schemas import Outcome
from gridmarl.units import Bool, Float

RELAXED_SHARE: Final = 0.8
GOODWILL: Final = 1.0
"""What it is worth not to ask a member for more than its first offer, as a share of what it would be paid for that."""
PRICES_TRIED: Final = 32
DUST_KW: Final = 1e-6


@dataclass(frozen=True, slots=True)
class CoalitionRules:
    """Who may form a coalition."""

    least_members: int = 3
    least_kw: float = 0.1  # of a member; nobody is called for less
    relaxed_share: float = RELAXED_SHARE
    goodwill: float = GOODWILL


USUAL_RULES: Final = CoalitionRules()


@dataclass(frozen=True, slots=True, eq=False)
class Offers:
    """All that the aggregator knows of the prosumers."""

    kw: Float  # (prosumer,) offered; 0 of who declines
    ask_per_mwh: Float  # (prosumer,)

    def worth(self, rules: CoalitionRules) -> Bool:
        """Which of them may be taken at all."""
        return self.kw >= rules.least_kw - DUST_KW

    def without(self, index: int) -> Offers:
        """The offers if one prosumer declined."""
        kw = self.kw.copy()
        kw[index] = 0.0
        return Offers(kw, self.ask_per_mwh)


@dataclass(frozen=True, slots=True, eq=False)
class Bids:
    """Two offers of everybody: the one it made before it was asked for more, and its last; equal where it was not."""

    first: Offers
    last: Offers

    def renewed(self, new: Offers) -> Bids:
        """The bids after a round: a first offer stands where the new one is deeper, else the new one replaces it.

        As any part of an offer may be taken, a lower ask for more holds for the first offer too.
        """
        deeper = (self.first.kw > DUST_KW) & (new.kw > self.first.kw + DUST_KW)
        kw, lower = np.where(deeper, self.first.kw, new.kw), np.minimum(self.first.ask_per_mwh, new.ask_per_mwh)
        return Bids(Offers(kw, np.where(deeper, lower, new.ask_per_mwh)), new)

    def without(self, index: int) -> Bids:
        """The bids if one prosumer declined."""
        return Bids(self.first.without(index), self.last.without(index))

    def standing(self, required_kw: float, rules: CoalitionRules) -> Offers:
        """The offers that count: first ones, and last ones of those who are asked for more.

        Parameters
        ----------
        required_kw : float
            The whole requirement; where no offers would meet it, its relaxed share is aimed at.
        rules : CoalitionRules
        """
        held = np.where(self.first.worth(rules), self.first.kw, 0.0)
        room = np.where(self.last.worth(rules), np.maximum(self.last.kw - held, 0.0), 0.0)
        room[room <= DUST_KW] = 0.0
        if float(held.sum()) >= required_kw - DUST_KW or not room.any():
            return self.first
        if float((held + room).sum()) < required_kw - DUST_KW:
            asked = _asked(held, room, rules.relaxed_share * required_kw)
            return self._merged(asked, np.ones_like(asked))
        return self._merged(*self._cheapest(held, room, required_kw, rules))

    def _cheapest(self, held: Float, room: Float, required_kw: float, rules: CoalitionRules) -> tuple[Bool, Bool]:
        """Whom to ask for more, and whose offers to take at all: the lowest uniform price, and the goodwill it costs.

        Below a lower price fewer offers are left, and more of those have to be asked for more.
        """
        first, last = self.first.ask_per_mwh, self.last.ask_per_mwh
        limits = np.unique(np.maximum(np.where(held > 0.0, first, 0.0), np.where(room > 0.0, last, 0.0)))
        chosen = np.ones(len(held), np.bool_), np.ones(len(held), np.bool_)
        best = np.inf
        for limit in limits[:: -max(1, len(limits) // PRICES_TRIED)]:
            left = first <= limit
            held_left, room_left = np.where(left, held, 0.0), np.where(last <= limit, room, 0.0)
            if float((held_left + room_left).sum()) < required_kw - DUST_KW:
                break
            asked = _asked(held_left, room_left, required_kw)
            spent = limit * (required_kw + rules.goodwill * float(self.last.kw[asked].sum()))
            if spent < best:
                best, chosen = spent, (asked, left | asked)
        return chosen

    def _merged(self, asked: Bool, kept: Bool) -> Offers:
        kw = np.where(asked, self.last.kw, np.where(kept, self.first.kw, 0.0))
        return Offers(kw, np.where(asked, self.last.ask_per_mwh, self.first.ask_per_mwh))


def _asked(held: Float, room: Float, required_kw: float) -> Bool:
    """As few as possible: those who can add most, until the requirement is met."""
    order = np.argsort(-room, kind="stable")
    before = np.cumsum(room[order]) - room[order]
    asked = np.zeros(len(room), np.bool_)
    asked[order] = (before < required_kw - float(held.sum()) - DUST_KW) & (room[order] > 0.0)
    return asked


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
    from gridmarl.negotiation.coalition import solve_mixed_integer

    solved = solve_mixed_integer(offers, worth, target, rules)
    return nothing if solved is None else Selection(solved, outcome, "mixed-integer program")


def merit_order(offers: Offers, worth: Bool, target: float) -> Float:
    """Fill up from the lowest ask; of equal asks the larger offer comes first, then the earlier prosumer."""
    order = np.lexsort((-offers.kw, np.where(worth, offers.ask_per_mwh, np.inf)))
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
