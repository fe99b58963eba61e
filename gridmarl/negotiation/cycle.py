"""One negotiation from opportunity to bid: menus, rounds, settlement, check, messages."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from gridmarl.negotiation.coalition.offers import DUST_KW
from gridmarl.negotiation.coalition.payments import ORDERS, Books, Deal, SettlementRule, settle
from gridmarl.negotiation.coalition.rounds import Lead, Private, RoundRecord, Settings, Table, lead_rounds
from gridmarl.negotiation.homes.capability import ROUNDING, Capability, capability
from gridmarl.negotiation.homes.fleet import ProsumerFleet, draw_fleet
from gridmarl.negotiation.homes.living import Stored, at_hour
from gridmarl.negotiation.menu import build_menus
from gridmarl.negotiation.roster import strategy_of
from gridmarl.negotiation.satisfaction import satisfaction_scores
from gridmarl.negotiation.schemas import (
    CoalitionMember,
    CounterOffer,
    MarketOpportunity,
    NegotiationResult,
    OptimizationResult,
    ProsumerBid,
    VPPBid,
)
from gridmarl.negotiation.strategies import Strategy
from gridmarl.negotiation.validation import Commitment, check_commitment, check_devices, check_prices
from gridmarl.units import KW_PER_MW, Bool, Float

POSTED: Final = frozenset({"uniform", "margin-share", "pay-as-bid"})
"""Rules under which nobody is paid more than the market pays."""
DISPATCH_INTERVAL_H: Final = 0.25
OPT_OUT: Final = 0.05
"""Chance that a member does not deliver, each for itself; assumed."""
DELIVERED_SHARE: Final = 0.9
"""Of what was sold, that still counts as delivered."""


@dataclass(frozen=True, slots=True, eq=False)
class Negotiation:
    """A negotiation that is over.

    ``able`` is the prosumers' own; messages hold none of their floors.
    """

    fleet: ProsumerFleet
    stored: Stored
    able: Capability
    table: Table
    books: Books
    satisfaction: Float  # (prosumer,) 0 to 10; 0 of who is no member
    rule: SettlementRule
    tables: tuple[Table, ...]  # after each round

    @property
    def opportunity(self) -> MarketOpportunity:
        """What was negotiated about."""
        return self.table.opportunity

    @property
    def kw(self) -> Float:
        """(prosumer,) power of the coalition."""
        return self.table.selection.kw

    @property
    def records(self) -> tuple[RoundRecord, ...]:
        """The transcript's lines."""
        return self.table.records

    @property
    def costs(self) -> Float:
        """(prosumer,) what it costs the members, at their floors [$]."""
        return self.able.cost(self.kw)

    @property
    def surplus(self) -> float:
        """What all prosumers gain above their costs [$]."""
        return float(self.books.payments.sum() - self.costs.sum())

    @property
    def soft_kept(self) -> Bool:
        """(prosumer,) members whose soft wish is kept."""
        return self.table.selection.members & (self.kw <= self.able.preferred_kw + DUST_KW)

    @property
    def bid_price_per_mwh(self) -> float:
        """The price below which the aggregator would lose: what the members are paid per MWh; 0 without any."""
        mwh = float(self.kw.sum()) * self.opportunity.duration_hours / KW_PER_MW
        return max(float(self.books.payments.sum()) / mwh, 0.0) if mwh > 0.0 else 0.0

    def result(self) -> NegotiationResult:
        """The coalition as a message."""
        members = np.flatnonzero(self.table.selection.members)
        found = tuple(
            CoalitionMember(
                prosumer_id=self.fleet.names[i],
                committed_capacity_kw=float(self.kw[i]),
                agreed_price_per_mwh=float(self.books.agreed_per_mwh[i]),
                satisfaction_score=float(self.satisfaction[i]),
            )
            for i in members
        )
        return NegotiationResult(
            opportunity_id=self.opportunity.opportunity_id,
            coalition_members=found,
            total_capacity_mw=float(self.kw.sum()) / KW_PER_MW,
            negotiation_rounds=self.table.round,
            final_bid_price=self.bid_price_per_mwh,
            prosumer_satisfaction_avg=float(self.satisfaction[members].mean()) if len(members) else 0.0,
            success=self.table.selection.outcome == "full",
            outcome=self.table.selection.outcome,
        )

    def optimization(self) -> OptimizationResult:
        """Dispatch and money as a message."""
        hours = self.opportunity.duration_hours
        intervals = max(1, math.ceil(hours / DISPATCH_INTERVAL_H - 1e-9))
        members = np.flatnonzero(self.table.selection.members)
        return OptimizationResult(
            opportunity_id=self.opportunity.opportunity_id,
            total_bid_capacity_mw=float(self.kw.sum()) / KW_PER_MW,
            interval_hours=hours / intervals,
            dispatch_schedule={self.fleet.names[i]: (float(self.kw[i]),) * intervals for i in members},
            prosumer_payments={self.fleet.names[i]: float(self.books.payments[i]) for i in members},
            revenue=self.books.revenue,
            expected_profit=self.books.profit,
            optimal_bid_price_mwh=self.bid_price_per_mwh,
            settlement_rule=self.rule,
        )

    def bid(self) -> VPPBid | None:
        """The offer for the auction; none without a coalition."""
        if not self.table.selection.members.any():
            return None
        books = self.books
        return VPPBid(
            bid_id=f"vpp-{self.opportunity.opportunity_id}"[:64],
            opportunity_id=self.opportunity.opportunity_id,
            capacity_mw=float(self.kw.sum()) / KW_PER_MW,
            price_per_mwh=self.bid_price_per_mwh,
            duration_hours=self.opportunity.duration_hours,
            profit_margin=books.profit / books.revenue if books.revenue > 0.0 else 0.0,
            reliability_score=reliability(self.kw),
            coalition_size=int(self.table.selection.members.sum()),
        )

    def bids(self, number: int) -> tuple[ProsumerBid, ...]:
        """All bids of a round, from 1."""
        table = self.tables[number - 1]
        return tuple(
            ProsumerBid(
                opportunity_id=self.opportunity.opportunity_id,
                prosumer_id=name,
                round=number,
                menu_index=int(choice),
                available_capacity_kw=float(kw),
                minimum_price_per_mwh=float(ask),
            )
            for name, choice, kw, ask in zip(
                self.fleet.names, table.choices, table.bids.last.kw, table.bids.last.ask_per_mwh, strict=True
            )
        )

    def counter_offers(self, number: int) -> tuple[CounterOffer, ...]:
        """What was answered to the bids of a round, from 1; nothing to those of the last."""
        if number >= len(self.tables):
            return ()
        heard, members = self.tables[number], self.tables[number - 1].selection.members
        short = self.tables[number - 1].short
        return tuple(
            CounterOffer(
                opportunity_id=self.opportunity.opportunity_id,
                prosumer_id=name,
                round=number,
                reason="short" if short else "welcome" if member else "too_dear",
                wanted_capacity_kw=float(wanted),
                offered_price_per_mwh=float(price),
            )
            for name, member, wanted, price in zip(
                self.fleet.names, members, heard.wanted_kw, heard.offered_price_per_mwh, strict=True
            )
        )

    def to_dict(self) -> dict[str, object]:
        """All messages of the end, and the rounds, as JSON knows them."""
        bid = self.bid()
        return {
            "opportunity": self.opportunity.model_dump(mode="json"),
            "result": self.result().model_dump(mode="json"),
            "optimization": self.optimization().model_dump(mode="json"),
            "bid": None if bid is None else bid.model_dump(mode="json"),
            "rounds": [{name: getattr(r, name) for name in RoundRecord.__slots__} for r in self.records],
        }


def reliability(kw: Float) -> float:
    """Chance that at least 90 % of a coalition's power comes where each member fails to deliver with chance 5 %.

    The sum of independent members is taken to be normal.
    """
    total, variance = float(kw.sum()), OPT_OUT * (1.0 - OPT_OUT) * float((kw**2).sum())
    if variance <= 0.0:
        return 0.0
    distance = ((1.0 - OPT_OUT) - DELIVERED_SHARE) * total / math.sqrt(variance)
    return 0.5 * math.erfc(-distance / math.sqrt(2.0))


def negotiate(
    fleet: ProsumerFleet | int,
    opportunity: MarketOpportunity,
    strategy: str | Strategy = "rule",
    *,
    rule: SettlementRule = "uniform",
    settings: Settings | None = None,
    stored: Stored | None = None,
    seed: int = 0,
    lead: Lead = lead_rounds,
    on_round: Callable[[RoundRecord], None] | None = None,
) -> Negotiation:
    """Negotiate one opportunity and check what comes of it.

    Parameters
    ----------
    fleet : ProsumerFleet or int
        A number draws so many prosumers, from seed 1.
    opportunity : MarketOpportunity
    strategy : str or Strategy
        Who picks from the menus: rule, random or floor, or one of your own.
    rule : str
        How the members are paid: uniform, margin-share, pay-as-bid, vcg or shapley.
    settings : Settings, optional
        Number of rounds, opening price, who may form a coalition.
    stored : Stored, optional
        What the fleet holds when the event begins; by default what a usual day leaves.
    seed : int
        Of strategies that draw, and of Shapley's orders.
    lead : callable
        Leads through the rounds; :func:`gridmarl.negotiation.graph.lead_in_graph` does it as a LangGraph state graph.
    on_round : callable, optional
        Hears of each round as it ends.

    Returns
    -------
    Negotiation
        A checked coalition, or none.

    Raises
    ------
    CommitmentError
        What was agreed would break a wish, a device or the books. Nothing is committed then.
    """
    settings = settings or Settings()
    fleet = draw_fleet(fleet) if isinstance(fleet, int) else fleet
    player = strategy_of(strategy) if isinstance(strategy, str) else strategy
    stored = at_hour(fleet, opportunity.local_hour) if stored is None else stored
    able = capability(fleet, stored, opportunity)
    private = Private(build_menus(able, opportunity.market_price_mwh), player, seed)
    tables: list[Table] = []
    for table in lead(opportunity, private, settings):
        _check_round(fleet, stored, able, table)
        tables.append(table)
        if on_round is not None:
            on_round(table.records[-1])
    table = tables[-1]
    books = settle(Deal.of(table, settings.rules), rule, seed, ORDERS)
    _check(fleet, stored, able, table, books, rule)
    return Negotiation(fleet, stored, able, table, books, satisfaction_scores(able, table, books), rule, tuple(tables))


def devices(able: Capability, kw: Float) -> tuple[Float, Float]:
    """Which part of a promise the battery keeps, and which the car: the battery what it can."""
    car = np.where(kw > able.battery_kw + ROUNDING, kw - able.battery_kw, 0.0)
    return kw - car, car


def _check_round(fleet: ProsumerFleet, stored: Stored, able: Capability, table: Table) -> None:
    """Whether the coalition so far would keep all hard wishes, paid what it asks."""
    battery, car = devices(able, table.selection.kw)
    asks = np.where(table.selection.members, table.offers.ask_per_mwh, 0.0)
    paid = asks * table.selection.kw * table.opportunity.duration_hours / KW_PER_MW
    check_devices(fleet, stored, table.opportunity, battery, car)
    check_prices(fleet, stored, table.opportunity, Commitment(battery, car, asks, paid, 0.0, 0.0, 0.0))


def _check(
    fleet: ProsumerFleet, stored: Stored, able: Capability, table: Table, books: Books, rule: SettlementRule
) -> None:
    battery, car = devices(able, table.selection.kw)
    sold = table.selection.total_kw / KW_PER_MW
    promised = Commitment(
        battery, car, books.agreed_per_mwh, books.payments, sold, books.revenue, books.profit, rule in POSTED
    )
    check_commitment(fleet, stored, table.opportunity, promised)
