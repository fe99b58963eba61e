"""A negotiation as people read it: what was asked for, what each round brought, who is paid what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from gridmarl.negotiation.coalition.rounds import RoundRecord
from gridmarl.negotiation.cycle import Negotiation
from gridmarl.units import KW_PER_MW

SHOWN: Final = 5
"""Members, of the largest."""
ENDINGS: Final = {
    "full": "The requirement is met.",
    "relaxed": "Too little came forward; the bid is relaxed to what there is, at least 80 % of the requirement.",
    "failed": "No coalition; nothing is bid.",
}


def transcript(negotiations: Sequence[Negotiation]) -> str:
    """All negotiations as Markdown.

    Parameters
    ----------
    negotiations : sequence of Negotiation
    """
    return "\n\n".join(told(one) for one in negotiations) + "\n"


def told(one: Negotiation) -> str:
    """One negotiation as Markdown."""
    wanted = one.opportunity
    lines = [
        f"## {wanted.opportunity_id}",
        "",
        (
            f"{wanted.market_type}, {wanted.timestamp:%A %d %B %Y, %H:%M} for {wanted.duration_hours:g} h: "
            f"{wanted.required_kw:,.1f} kW at {wanted.market_price_mwh:.2f} $/MWh "
            f"({wanted.price_source} price). Opening price {one.table.opening_per_mwh:.2f} $/MWh."
        ),
        "",
        *(f"{record.round}. {_round(record)}" for record in one.records),
        "",
        ENDINGS[one.table.selection.outcome],
    ]
    return "\n".join([*lines, *_money(one)])


def _round(record: RoundRecord) -> str:
    offered = f"{record.bidders} prosumers offer {record.offered_kw:,.1f} kW"
    if record.coalition == 0:
        return f"{offered}; that is too little."
    return (
        f"{offered}; {record.coalition} of them would hold {record.taken_kw:,.1f} kW, "
        f"the dearest at {record.clearing_ask_per_mwh:.2f} $/MWh ({record.outcome})."
    )


def _money(one: Negotiation) -> list[str]:
    bid = one.bid()
    if bid is None:
        return []
    books, members = one.books, np.flatnonzero(one.table.selection.members)
    largest = members[np.argsort(-one.kw[members], kind="stable")][:SHOWN]
    rest = len(members) - len(largest)
    return [
        "",
        (
            f"{bid.coalition_size} members bid {KW_PER_MW * bid.capacity_mw:,.1f} kW at {bid.price_per_mwh:.2f} $/MWh "
            f"({one.rule}). Revenue ${books.revenue:,.2f}, payments ${books.payments.sum():,.2f}, the aggregator's "
            f"profit ${books.profit:,.2f}. Satisfaction {one.satisfaction[members].mean():.1f} of 10, "
            f"reliability {bid.reliability_score:.0%}."
        ),
        "",
        *(
            f"- {one.fleet.names[i]}: {one.kw[i]:.2f} kW, ${books.payments[i]:.2f}, satisfied {one.satisfaction[i]:.1f}"
            for i in largest
        ),
        *([f"- and {rest} more"] if rest else []),
    ]
