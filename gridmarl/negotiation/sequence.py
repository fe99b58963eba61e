"""One opportunity after the other: what an event takes from batteries and cars is missing in the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import numpy as np

from gridmarl.errors import ScenarioError
from gridmarl.negotiation.coalition.payments import SettlementRule
from gridmarl.negotiation.coalition.rounds import Lead, Settings, lead_rounds
from gridmarl.negotiation.cycle import Negotiation, devices, negotiate
from gridmarl.negotiation.homes.fleet import ProsumerFleet
from gridmarl.negotiation.homes.living import DEFAULT_INTERVAL_H, Stored, live_until, simulate, usual_day
from gridmarl.negotiation.schemas import MarketOpportunity
from gridmarl.negotiation.strategies import Strategy

MINUTE_H: Final = 1.0 / 60.0


def negotiate_in_turn(
    fleet: ProsumerFleet,
    opportunities: Sequence[MarketOpportunity],
    strategy: str | Strategy = "rule",
    *,
    rule: SettlementRule = "uniform",
    settings: Settings | None = None,
    seed: int = 0,
    lead: Lead = lead_rounds,
    on_result: Callable[[Negotiation], None] | None = None,
) -> tuple[Negotiation, ...]:
    """Negotiate opportunities in the order of their time; in between the fleet lives as usual.

    Energy that is sold is delivered. Reserve is held ready until the event is over and then not called for: what is
    promised stays stored.

    Parameters
    ----------
    fleet, strategy, rule, settings, seed, lead
        As :func:`gridmarl.negotiation.cycle.negotiate`.
    opportunities : sequence of MarketOpportunity
        In any order; no two at the same time, as nothing is promised twice.
    on_result : callable, optional
        Hears of each as it ends.

    Raises
    ------
    ScenarioError
        Two opportunities overlap, or there is none.
    """
    if not opportunities:
        raise ScenarioError("opportunities", 0, "at least one", "add some")
    ordered = sorted(opportunities, key=lambda one: one.timestamp)
    midnight = ordered[0].timestamp.replace(hour=0, minute=0, second=0, microsecond=0)
    stored, found = usual_day(fleet)[0], list[Negotiation]()
    for number, one in enumerate(ordered):
        start = _hours(midnight, one.timestamp)
        if start < stored.hour - MINUTE_H:
            raise ScenarioError(f"opportunity {one.opportunity_id}", one.timestamp, "after the one before", "drop one")
        stored = live_until(fleet, stored, start)
        ended = negotiate(
            fleet, one, strategy, rule=rule, settings=settings, stored=stored, seed=seed + number, lead=lead
        )
        stored = _deliver(fleet, stored, ended)
        found.append(ended)
        if on_result is not None:
            on_result(ended)
    return tuple(found)


def _deliver(fleet: ProsumerFleet, stored: Stored, ended: Negotiation) -> Stored:
    """What is stored after an event."""
    hours = ended.opportunity.duration_hours
    called = 1.0 if ended.opportunity.market_type == "energy" else 0.0
    battery, car = devices(ended.able, ended.kw)
    orders = (np.where(power > 0.0, called * power, np.nan) for power in (battery, car))
    steps = max(1, round(hours / DEFAULT_INTERVAL_H))
    after = simulate(fleet, stored, steps, hours / steps, *orders)
    return replace(after, hour=stored.hour + hours)


def _hours(midnight: datetime, moment: datetime) -> float:
    return (moment - midnight).total_seconds() / 3600.0
