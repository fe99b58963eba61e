"""What a negotiation is measured against: one offer to take or leave, a blind centre, and full information.

All three are given what no aggregator has. The first is told how often which price would have worked; the second reads
every device but no wish; the third knows every wish and every cost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from gridmarl.negotiation.coalition.offers import DUST_KW, CoalitionRules
from gridmarl.negotiation.coalition.selection import target_kw
from gridmarl.negotiation.homes.capability import LEAST_CAR_SHARE, Capability
from gridmarl.negotiation.homes.fleet import ONE_WAY_EFFICIENCY, ProsumerFleet
from gridmarl.negotiation.homes.living import Stored, since_arrival_h, stay_h
from gridmarl.negotiation.menu import STEPS_PER_KW
from gridmarl.negotiation.schemas import MarketOpportunity, Outcome
from gridmarl.units import KW_PER_MW, Float

PRICE_SHARES: Final = tuple(round(0.30 + 0.05 * step, 2) for step in range(15))
"""Of the market's price: what may be offered."""
PriceClass = tuple[str, float]
"""Market and duration [h]."""
CENT: Final = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Allocation:
    """Who delivers what, and is paid what."""

    kw: Float  # (prosumer,)
    payments: Float  # (prosumer,) $
    outcome: Outcome
    revenue: float  # $
    cost: float  # $, at true floors

    @property
    def profit(self) -> float:
        """The aggregator's [$]."""
        return self.revenue - float(self.payments.sum())

    @property
    def surplus(self) -> float:
        """All prosumers' [$]."""
        return float(self.payments.sum()) - self.cost

    @property
    def welfare(self) -> float:
        """Both together [$]."""
        return self.revenue - self.cost


def price_class(opportunity: MarketOpportunity) -> PriceClass:
    """What a single offer's price may depend on: the market and the duration."""
    return opportunity.market_type, opportunity.duration_hours


def full_information(able: Capability, opportunity: MarketOpportunity, rules: CoalitionRules) -> Allocation:
    """The best that could be done: calm power and strained power in the order of their true costs.

    Nobody is paid less than its floor or holds what would cost more than the market pays; members are paid their costs,
    so that the whole welfare stands in the profit. The least power of a member is not asked for, which can only make
    this better than what is possible.
    """
    market = opportunity.market_price_mwh
    top = np.floor(able.affordable_kw(market) * STEPS_PER_KW + DUST_KW) / STEPS_PER_KW
    top = np.where(top >= rules.least_kw - DUST_KW, top, 0.0)
    calm = np.minimum(able.preferred_kw, top)
    target, outcome = target_kw(float(top.sum()), opportunity.required_kw, rules)
    if int((top > 0.0).sum()) < rules.least_members or target < rules.least_members * rules.least_kw:
        target, outcome = 0.0, "failed"
    parts = np.concatenate([calm, top - calm])
    order = np.argsort(np.concatenate([able.unit_cost_per_mwh, able.unit_cost_per_mwh * (1.0 + able.comfort)]))
    before = np.cumsum(parts[order]) - parts[order]
    taken = np.zeros_like(parts)
    taken[order] = np.clip(target - before, 0.0, parts[order])
    kw = taken[: len(top)] + taken[len(top) :]
    return _allocation(able, opportunity, kw, able.cost(kw), outcome)


def single_offer(able: Capability, opportunity: MarketOpportunity, rules: CoalitionRules, share: float) -> Allocation:
    """One price for everybody, a share of the market's; each takes it for as much as pays, or leaves it.

    More than is required is cut down for all alike, as nobody's cost is known.
    """
    price = share * opportunity.market_price_mwh
    calm = np.where(able.unit_cost_per_mwh <= price, able.preferred_kw, 0.0)
    kw = np.where(able.unit_cost_per_mwh * (1.0 + able.comfort) <= price, able.most_kw, calm)
    target, outcome = target_kw(float(kw.sum()), opportunity.required_kw, rules)
    if int((kw > DUST_KW).sum()) < rules.least_members:
        target, outcome = 0.0, "failed"
    kw = kw * (target / max(float(kw.sum()), DUST_KW))
    return _allocation(able, opportunity, kw, price * kw * opportunity.duration_hours / KW_PER_MW, outcome)


def tune_single_offer(
    cases: Sequence[tuple[Capability, MarketOpportunity]], rules: CoalitionRules
) -> dict[PriceClass, float]:
    """The share of the market's price that earns the aggregator most, for each class of opportunities.

    Parameters
    ----------
    cases : sequence of (Capability, MarketOpportunity)
        Disjoint from those that are measured.
    rules : CoalitionRules
    """
    profits: dict[PriceClass, Float] = {}
    for able, opportunity in cases:
        found = [single_offer(able, opportunity, rules, share).profit for share in PRICE_SHARES]
        key = price_class(opportunity)
        profits[key] = profits.get(key, np.zeros(len(PRICE_SHARES))) + np.array(found)
    return {key: PRICE_SHARES[int(np.argmax(total))] for key, total in profits.items()}


def blind_centre(
    fleet: ProsumerFleet,
    stored: Stored,
    able: Capability,
    opportunity: MarketOpportunity,
    rules: CoalitionRules,
    shares: Mapping[PriceClass, float],
) -> Allocation:
    """Devices are called by their size alone: no backup, blocked hour, departure, floor or comfort is looked at.

    Members are paid the tuned single offer's price. Costs are those of the wishes that are overrun.
    """
    hours = opportunity.duration_hours
    battery = np.minimum(fleet.battery_kw, stored.battery_kwh * ONE_WAY_EFFICIENCY / hours)
    there = since_arrival_h(fleet, opportunity.local_hour) + hours <= stay_h(fleet)
    spare = np.maximum(stored.ev_kwh - LEAST_CAR_SHARE * fleet.ev_kwh, 0.0) * ONE_WAY_EFFICIENCY / hours
    kw = battery + np.where(there & fleet.ev_discharges, np.minimum(fleet.ev_kw, spare), 0.0)
    target, outcome = target_kw(float(kw.sum()), opportunity.required_kw, rules)
    kw = kw * (target / max(float(kw.sum()), DUST_KW))
    price = shares.get(price_class(opportunity), 1.0) * opportunity.market_price_mwh
    return _allocation(able, opportunity, kw, price * kw * hours / KW_PER_MW, outcome)


def overruns(able: Capability, found: Allocation) -> int:
    """Members of whom more is taken than their hard wishes allow."""
    return int((found.kw > able.most_kw + DUST_KW).sum())


def below_floor(able: Capability, found: Allocation) -> int:
    """Members that are paid less than it costs them, by more than a cent."""
    return int((found.payments < able.cost(found.kw) - CENT - 1e-9).sum())


def _allocation(
    able: Capability, opportunity: MarketOpportunity, kw: Float, payments: Float, outcome: Outcome
) -> Allocation:
    revenue = opportunity.market_price_mwh * float(kw.sum()) * opportunity.duration_hours / KW_PER_MW
    return Allocation(kw, payments, outcome, revenue, float(able.cost(kw).sum()))
