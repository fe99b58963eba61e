r"""Who is paid what: five settlement rules over the asks of a coalition, and books that close to the cent.

Notes
-----
Let a coalition hold powers q for h hours at asks a, and the market pay p.

uniform
    Everybody gets the same price: the highest ask taken, at least the aggregator's opening price, at most p.
margin-share
    Everybody gets its ask and half of what the market pays above it.
pay-as-bid
    Everybody gets its ask.
vcg
    Everybody gets its ask and what its presence adds to the welfare W of all by the asks, W(N) - W(N \\ i): Vickrey
    (1961), Clarke (1971), Groves (1973). Asking one's cost is then best; the aggregator may lose money. Where some had
    to be asked for more than their first offer, the coalition is the one that asks fewest, not the one of the greatest
    welfare: what one adds is then no longer sure to be positive, and counts as 0 where it is not.
shapley
    Everybody gets its ask and its Shapley (1953) value in the game of the members and the aggregator, who has a veto:
    v(S) is the margin of the members in S where the aggregator and enough power for a bid are in it, else 0. Sampled
    orders and their reverses (Castro, Gomez & Tejada, 2009; Mitchell et al., 2022), with a standard error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np

from gridmarl.errors import CatalogueError, nearest
from gridmarl.market.settlement import round_to_cents
from gridmarl.negotiation.coalition.offers import DUST_KW, Bids, CoalitionRules, Offers
from gridmarl.negotiation.coalition.rounds import Table
from gridmarl.negotiation.coalition.selection import Selection, by_merit, clearing_ask, select
from gridmarl.negotiation.schemas import MarketOpportunity
from gridmarl.units import KW_PER_MW, Float, Int

SettlementRule = Literal["uniform", "margin-share", "pay-as-bid", "vcg", "shapley"]
RULES: Final[tuple[SettlementRule, ...]] = get_args(SettlementRule)
MEMBERS_SHARE: Final = 0.5
"""Of the margin, under margin-share."""
ORDERS: Final = 1000
"""Sampled for Shapley values, half of them reverses of the others."""
CENTS: Final = 100.0


@dataclass(frozen=True, slots=True, eq=False)
class Books:
    """Money of one event [$]; revenue - payments = profit, in whole cents."""

    payments: Float  # (prosumer,)
    agreed_per_mwh: Float  # (prosumer,) before rounding; 0 of who is not a member
    revenue: float
    profit: float  # the aggregator's; may be negative
    standard_error: float = 0.0  # largest of the sampled payments [$]


@dataclass(frozen=True, slots=True, eq=False)
class Deal:
    """What a settlement rule looks at."""

    bids: Bids
    offers: Offers  # those of the bids that count
    selection: Selection
    opportunity: MarketOpportunity
    opening_per_mwh: float
    rules: CoalitionRules

    @classmethod
    def of(cls, table: Table, rules: CoalitionRules) -> Deal:
        """What lies on the table when the rounds are over."""
        return cls(table.bids, table.offers, table.selection, table.opportunity, table.opening_per_mwh, rules)

    @property
    def mwh_per_kw(self) -> float:
        """Energy of the event per power."""
        return self.opportunity.duration_hours / KW_PER_MW

    @property
    def margins(self) -> Float:
        """What the market pays above each member's ask [$]."""
        above = self.opportunity.market_price_mwh - self.offers.ask_per_mwh
        return above * self.selection.kw * self.mwh_per_kw


def settle(deal: Deal, rule: SettlementRule = "uniform", seed: int = 0, orders: int = ORDERS) -> Books:
    """Pay the members of a coalition.

    Parameters
    ----------
    deal : Deal
    rule : str
        One of :data:`RULES`.
    seed : int
        Of Shapley's orders.
    orders : int
        How many are drawn.

    Raises
    ------
    CatalogueError
        Where there is no such rule.
    """
    if rule not in RULES:
        raise CatalogueError("settlement rule", rule, ", ".join(RULES), nearest(rule, RULES))
    energy = deal.selection.kw * deal.mwh_per_kw
    asked, error = deal.offers.ask_per_mwh * energy, 0.0
    if rule == "uniform":
        paid = uniform_price(deal) * energy
    elif rule == "margin-share":
        paid = asked + MEMBERS_SHARE * deal.margins
    elif rule == "pay-as-bid":
        paid = asked
    elif rule == "vcg":
        paid = asked + np.where(deal.selection.members, np.maximum(presence(deal), 0.0), 0.0)
    else:
        values, errors = shapley_values(deal, seed, orders)
        paid, error = asked + values, float(errors.max(initial=0.0))
    return _close(deal, np.where(deal.selection.members, paid, 0.0), energy, error)


def uniform_price(deal: Deal) -> float:
    """The one price of all members; 0 without any."""
    if not deal.selection.members.any():
        return 0.0
    least = max(clearing_ask(deal.offers, deal.selection), deal.opening_per_mwh)
    return min(least, deal.opportunity.market_price_mwh)


def _close(deal: Deal, paid: Float, energy: Float, error: float) -> Books:
    payments = round_to_cents(paid)
    revenue = round(CENTS * deal.opportunity.market_price_mwh * float(energy.sum()))
    profit = revenue - round(CENTS * float(payments.sum()))
    agreed = np.divide(paid, energy, out=np.zeros_like(paid), where=energy > 0.0)
    return Books(payments, agreed, revenue / CENTS, profit / CENTS, error)


def welfare(deal: Deal, selection: Selection) -> float:
    """What the market pays above the asks of a selection [$]."""
    return _welfare(deal, deal.offers, selection)


def _welfare(deal: Deal, offers: Offers, selection: Selection) -> float:
    return float((deal.opportunity.market_price_mwh - offers.ask_per_mwh) @ selection.kw) * deal.mwh_per_kw


def presence(deal: Deal) -> Float:
    """What each member adds to the welfare of all by the asks, W(N) - W(N without it) [$]; 0 of who is no member.

    Without member i the merit order fills the requirement R to where with it R + k_i would end, and all of i's offer
    lies before that; so all differences come from one curve of costs. Where that curve ends, somebody is asked for
    more, or the rules of the coalition would not let it stand, the coalition without i is selected anew.
    """
    offers, rules = deal.offers, deal.rules
    whole, required = welfare(deal, deal.selection), deal.opportunity.required_kw
    worth = offers.worth(rules)
    order = by_merit(offers, worth)[: int(worth.sum())]
    powers, asks = offers.kw[order], offers.ask_per_mwh[order]
    filled, cost = np.cumsum(powers), np.cumsum(powers * asks)
    added = np.zeros_like(offers.kw)
    plain = deal.selection.solver == "merit order" and deal.selection.outcome == "full"
    simple = plain and offers is deal.bids.first
    for i in np.flatnonzero(deal.selection.members):
        own = float(offers.kw[i])
        end = required + own
        last = int(np.searchsorted(filled, end - DUST_KW))
        if simple and last < len(filled) and last >= rules.least_members:
            partial = end - (filled[last] - powers[last])
            if partial >= rules.least_kw and order[last] != i:
                spent = cost[last] - (filled[last] - end) * asks[last] - offers.ask_per_mwh[i] * own
                rest = (deal.opportunity.market_price_mwh * required - spent) * deal.mwh_per_kw
                added[i] = whole - rest
                continue
        added[i] = whole - welfare_without(deal, int(i))
    return added


def welfare_without(deal: Deal, index: int) -> float:
    """Welfare by the asks of the coalition that would form if one prosumer declined [$]."""
    required, bids = deal.opportunity.required_kw, deal.bids.without(index)
    offers = bids.standing(required, deal.rules)
    return _welfare(deal, offers, select(offers, required, deal.rules))


def shapley_values(deal: Deal, seed: int, orders: int) -> tuple[Float, Float]:
    """Shapley value of each member and its standard error [$]; what they leave of the margin is the aggregator's.

    Members that come before the aggregator add nothing. The aggregator adds what those before it are worth; who comes
    later adds its own margin, or all of it at once where the power for a bid is first reached.
    """
    members = np.flatnonzero(deal.selection.members)
    margins, powers = deal.margins[members], deal.selection.kw[members]
    least = deal.rules.relaxed_share * deal.opportunity.required_kw - DUST_KW
    rng, count, pairs = np.random.default_rng([seed, 53]), len(members), max(orders // 2, 1)
    drawn = rng.permuted(np.tile(np.arange(count), (pairs, 1)), axis=1)
    places = rng.integers(0, count + 1, pairs)  # of the aggregator: so many members come before it
    least_members = deal.rules.least_members
    one = _contributions(margins, powers, drawn, places, least, least_members)
    other = _contributions(margins, powers, drawn[:, ::-1], count - places, least, least_members)
    means = (one + other) / 2.0
    shares, errors = np.zeros_like(deal.offers.kw), np.zeros_like(deal.offers.kw)
    shares[members] = means.mean(axis=0)
    if pairs > 1:
        errors[members] = means.std(axis=0, ddof=1) / np.sqrt(pairs)
    return shares, errors


def _contributions(margins: Float, powers: Float, orders: Int, places: Int, least: float, count: int) -> Float:
    """(order, member) what each member adds where the aggregator comes after so many of them."""
    number = np.arange(len(margins))
    enough = (np.cumsum(powers[orders], axis=1) >= least) & (number + 1 >= count)
    worth = np.where(enough, np.cumsum(margins[orders], axis=1), 0.0)
    added = np.diff(worth, prepend=0.0, axis=1)
    added[number < places[:, None]] = 0.0
    found = np.empty_like(added)
    np.put_along_axis(found, orders, added, axis=1)
    return found
