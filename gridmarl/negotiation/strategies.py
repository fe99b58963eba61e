"""Who picks from the menus: one interface for rules, policies and language models, all prosumers at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from gridmarl.negotiation.menu import DECLINE, DEPTHS, FULL_DEPTH, MARKS, PREFERRED_DEPTH, Menus, entry
from gridmarl.negotiation.schemas import MarketOpportunity
from gridmarl.units import Bool, Float, Int

OPENING_MARK: Final = 1
"""The rule begins a quarter of the way from its floor to the market's price, and comes down when it is not taken."""


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """What everybody may know when a round begins, and what each prosumer has been told."""

    opportunity: MarketOpportunity
    round: int  # from 1
    rounds_planned: int
    short: bool  # the last round did not offer enough
    offered_price_per_mwh: Float  # (prosumer,) the aggregator's counter-offer, at first its opening price
    wanted_kw: Float  # (prosumer,) of the counter-offer; 0 in the first round
    previous: Int  # (prosumer,) index chosen last; 0 in the first round
    taken_kw: Float  # (prosumer,) of the last offer, in the coalition so far

    @property
    def last(self) -> bool:
        """Whether no further round is planned."""
        return self.round >= self.rounds_planned


class Strategy(Protocol):
    """Chooses one entry of each menu."""

    @property
    def name(self) -> str:
        """As tables print it."""
        ...

    def choose(self, menus: Menus, context: Context, rng: np.random.Generator) -> Int:
        """One valid index a prosumer.

        Parameters
        ----------
        menus : Menus
        context : Context
        rng : numpy Generator
            For strategies that draw.

        Returns
        -------
        (prosumer,) array
        """
        ...


@dataclass(frozen=True, slots=True)
class Rule:
    """Concedes when it is left out, and strains its comfort only when the neighbourhood is short.

    Under a uniform price what one asks hardly decides what one is paid, so that asking little more than the floor is
    the sensible thing; the opening mark is what is left of the urge to haggle.
    """

    name: str = "rule"

    def choose(self, menus: Menus, context: Context, rng: np.random.Generator) -> Int:
        """Preferred power first; all that is possible when short. The mark falls to the floor for who is left out."""
        everyone = np.arange(len(menus))
        depth = np.full(len(menus), FULL_DEPTH if context.short else PREFERRED_DEPTH)
        depth = np.maximum(depth, (context.previous - 1) // len(MARKS))  # nobody takes back what it offered
        left_out = menus.kw[everyone, context.previous] - context.taken_kw > 0.5 * menus.kw[everyone, context.previous]
        first = context.round == 1
        concede = ~np.bool_(first) & (context.last | context.short | left_out | (_mark(context.previous) == 0))
        wanted = np.where(concede, entry(0, 0), entry(0, OPENING_MARK)) + depth * len(MARKS)
        return _nearest_valid(menus, wanted)


@dataclass(frozen=True, slots=True)
class Random:
    """The control: every valid entry is equally likely."""

    name: str = "random"

    def choose(self, menus: Menus, context: Context, rng: np.random.Generator) -> Int:
        """Drawn anew in each round."""
        drawn = np.where(menus.valid, rng.random(menus.valid.shape), -1.0)
        return drawn.argmax(axis=1)


@dataclass(frozen=True, slots=True)
class Floor:
    """Offers all that is possible at its floor, at once: what full honesty would do."""

    name: str = "floor"

    def choose(self, menus: Menus, context: Context, rng: np.random.Generator) -> Int:
        """The deepest entry without a mark."""
        return _nearest_valid(menus, np.full(len(menus), entry(FULL_DEPTH, 0)))


def _mark(indices: Int) -> Int:
    """Marks of chosen entries; of declining, none."""
    return np.where(indices == DECLINE, -1, (indices - 1) % len(MARKS))


def _nearest_valid(menus: Menus, wanted: Int) -> Int:
    """The wanted entry, or that of the next smaller depth that exists, or decline."""
    everyone = np.arange(len(menus))
    found, open_ = np.full(len(menus), DECLINE), np.ones(len(menus), np.bool_)
    for _ in DEPTHS:
        legal: Bool = open_ & (wanted > DECLINE) & menus.valid[everyone, np.maximum(wanted, DECLINE)]
        found, open_ = np.where(legal, wanted, found), open_ & ~legal
        wanted = wanted - len(MARKS)
    return found
