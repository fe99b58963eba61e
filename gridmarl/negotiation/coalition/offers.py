"""What the aggregator knows of the prosumers: who offered what, at which ask, and by which rules it may choose.

No floor and no wish is known to it. An offer stands until it is taken back: who is asked for more and offers more may
still be held to its first, smaller offer. Where the first offers do not meet the requirement, as few as possible are
asked beyond them, the largest additions first. Leaving the dearest offers out lowers the uniform price for all, but
then more have to be asked: between the two the aggregator weighs the price against goodwill. Where nothing would meet
the whole requirement, no more are asked than its relaxed share takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from gridmarl.units import Bool, Float

RELAXED_SHARE: Final = 0.8
GOODWILL: Final = 1.0
"""What it is worth not to ask a member for more than its first offer, as a share of what it would be paid for that."""
PRICES_TRIED: Final = 32
DUST_KW: Final = 1e-6
"""Less than this is no power, and powers that differ by less are equal."""


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
