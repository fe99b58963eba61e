"""The rounds of a negotiation: bids, evaluation, counter-offers, until a coalition stands or none can.

Each stage is a pure function. What the aggregator may know stands in :class:`Table`, plain arrays and numbers that may
be written down at any time; menus, floors, the strategy and its randomness are in :class:`Private`, which is passed
beside it and never becomes part of it.

    table = open_table(opportunity, size, settings)
    while True:
        table = collect_bids(table, private, settings)  # each prosumer picks from its own menu
        table = evaluate(table, settings)         # the cheapest coalition so far
        if not goes_on(table, settings): break
        table = counter_offers(table, settings)   # what is missing, or below which ask one is taken

Notes
-----
**No deadlock.** Nobody waits for anybody: a round takes one choice of everyone, and declining is always valid, so
that every stage ends. ``counter_offers`` raises the number of the round, ``goes_on`` refuses beyond ``most_rounds``,
so there are at most that many. The end is always a result: ``evaluate`` gives a coalition or the empty one, and which
of them depends on the bids alone. Between ``rounds_planned`` and ``most_rounds`` it goes on only while the
neighbourhood is short and the last round brought at least ``least_progress`` more power.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from gridmarl.errors import ScenarioError
from gridmarl.negotiation.coalition.offers import DUST_KW, USUAL_RULES, Bids, CoalitionRules, Offers
from gridmarl.negotiation.coalition.selection import Selection, clearing_ask, select
from gridmarl.negotiation.menu import Menus
from gridmarl.negotiation.schemas import MarketOpportunity
from gridmarl.negotiation.strategies import Context, Strategy
from gridmarl.units import KW_PER_MW, Float, Int

Lead = Callable[["MarketOpportunity", "Private", "Settings"], Iterator["Table"]]
"""Leads through all rounds; the table after each of them."""
OPENING_SHARE: Final = 0.4
"""Of the market's price, offered to everybody in the first round, and the least that the uniform price becomes."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a negotiation is led."""

    rounds_planned: int = 3
    most_rounds: int = 6
    least_progress: float = 0.01  # of the power offered or the cost; less than that is none
    opening_share: float = OPENING_SHARE
    rules: CoalitionRules = USUAL_RULES

    def __post_init__(self) -> None:
        if not 1 <= self.rounds_planned <= self.most_rounds:
            allowed = f"1 <= rounds_planned <= most_rounds = {self.most_rounds}"
            raise ScenarioError("rounds_planned", self.rounds_planned, allowed, "plan fewer rounds")
        if not 0.0 <= self.opening_share <= 1.0:
            raise ScenarioError("opening_share", self.opening_share, "0 to 1, of the market's price", "correct it")


@dataclass(frozen=True, slots=True)
class RoundRecord:
    """A line of the transcript."""

    round: int
    bidders: int
    offered_kw: float
    coalition: int
    taken_kw: float
    clearing_ask_per_mwh: float
    cost: float  # $ by the asks
    outcome: str


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """All that lies on the table between aggregator and prosumers."""

    opportunity: MarketOpportunity
    round: int
    opening_per_mwh: float
    bids: Bids
    offers: Offers  # those of the bids that count, once evaluated
    choices: Int  # (prosumer,) index in the own menu; says nothing to whoever does not have that
    selection: Selection
    offered_price_per_mwh: Float  # (prosumer,) counter-offer
    wanted_kw: Float  # (prosumer,) of it
    records: tuple[RoundRecord, ...] = ()

    @property
    def required_kw(self) -> float:
        """The whole requirement."""
        return self.opportunity.required_kw

    @property
    def short(self) -> bool:
        """Whether the last round did not meet it."""
        return bool(self.records) and self.selection.outcome != "full"


@dataclass(frozen=True, slots=True, eq=False)
class Private:
    """What the aggregator never sees."""

    menus: Menus
    strategy: Strategy
    seed: int = 0  # of strategies that draw; each round has a stream of its own


def open_table(opportunity: MarketOpportunity, size: int, settings: Settings) -> Table:
    """A table before the first round, with the opening price on it."""
    opening, nothing = settings.opening_share * opportunity.market_price_mwh, np.zeros(size)
    silence = Offers(nothing, np.full(size, opportunity.market_price_mwh))
    return Table(
        opportunity,
        1,
        opening,
        Bids(silence, silence),
        silence,
        np.zeros(size, np.int64),
        Selection(nothing, "failed", "none"),
        np.full(size, opening),
        nothing,
    )


def context_of(table: Table, settings: Settings) -> Context:
    """What everybody is told before it chooses."""
    return Context(
        table.opportunity,
        table.round,
        settings.rounds_planned,
        table.short,
        table.offered_price_per_mwh,
        table.wanted_kw,
        table.choices,
        table.selection.kw,
    )


def collect_bids(table: Table, private: Private, settings: Settings) -> Table:
    """Everybody picks an entry of its own menu; the menu says what that means.

    Raises
    ------
    CommitmentError
        Where a strategy names an entry that is not on the menu.
    """
    rng = np.random.default_rng([private.seed, 17, table.round])
    choices = private.strategy.choose(private.menus, context_of(table, settings), rng)
    return with_bids(table, choices, *private.menus.chosen(choices))


def with_bids(table: Table, choices: Int, kw: Float, ask_per_mwh: Float) -> Table:
    """The table once everybody has picked: indices, and the (prosumer,) power and price that menus say they mean."""
    return replace(table, bids=table.bids.renewed(Offers(kw, ask_per_mwh)), choices=choices)


def evaluate(table: Table, settings: Settings) -> Table:
    """The cheapest coalition that the bids allow, and a line for the transcript."""
    offers, last = table.bids.standing(table.required_kw, settings.rules), table.bids.last
    chosen = select(offers, table.required_kw, settings.rules)
    hours = table.opportunity.duration_hours
    record = RoundRecord(
        table.round,
        int((last.kw > DUST_KW).sum()),
        float(last.kw.sum()),
        int(chosen.members.sum()),
        chosen.total_kw,
        clearing_ask(offers, chosen),
        float(offers.ask_per_mwh @ chosen.kw) * hours / KW_PER_MW,
        chosen.outcome,
    )
    return replace(table, offers=offers, selection=chosen, records=(*table.records, record))


def goes_on(table: Table, settings: Settings) -> bool:
    """Whether another round is worth it.

    Stops early once the requirement is met and neither the price nor the cost would gain from another round; goes on
    beyond the plan only while power is missing and still comes forward.
    """
    if table.round >= settings.most_rounds:
        return False
    now, before = table.records[-1], table.records[-2] if len(table.records) > 1 else None
    if table.short:
        if table.round < settings.rounds_planned:
            return True
        return before is None or now.offered_kw > (1.0 + settings.least_progress) * before.offered_kw
    if table.round >= settings.rounds_planned:
        return False
    if before is None or before.outcome != "full":
        return True
    kept = 1.0 - settings.least_progress
    return now.cost < kept * before.cost or now.clearing_ask_per_mwh < kept * before.clearing_ask_per_mwh


def counter_offers(table: Table, settings: Settings) -> Table:
    """Open the next round: ask everybody for more where power is missing, else tell below which ask one is taken."""
    market = table.opportunity.market_price_mwh
    if table.short:
        missing = max(table.required_kw - float(table.bids.last.kw.sum()), 0.0)
        prices = np.full_like(table.offers.kw, market)
        wanted = table.bids.last.kw + missing
    else:
        price = max(clearing_ask(table.offers, table.selection), table.opening_per_mwh)
        prices = np.full_like(table.offers.kw, min(price, market))
        wanted = np.where(table.selection.members, table.selection.kw, table.offers.kw)
    return replace(table, round=table.round + 1, offered_price_per_mwh=prices, wanted_kw=wanted)


def lead_rounds(opportunity: MarketOpportunity, private: Private, settings: Settings) -> Iterator[Table]:
    """All rounds, one after the other; the table after each of them."""
    table = open_table(opportunity, len(private.menus), settings)
    while True:
        table = evaluate(collect_bids(table, private, settings), settings)
        yield table
        if not goes_on(table, settings):
            return
        table = counter_offers(table, settings)
