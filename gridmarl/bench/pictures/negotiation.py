"""Pictures of one negotiation: offers round by round, who is paid how much, what a settlement rule changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from gridmarl.bench.pictures.comparison import INK, PRICE_INK
from gridmarl.bench.pictures.plan import BARE_INK, BEFORE_INK, Picture
from gridmarl.negotiation.coalition.offers import DUST_KW
from gridmarl.negotiation.cycle import Negotiation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TAKEN_INK: Final = "#009E73"
PROFIT_INK: Final = "#E69F00"
SHADE: Final = 0.35


def rounds_picture(found: Negotiation) -> Picture:
    """A panel a round: offers in the order of what they ask, the requirement, the market's price, what is taken."""

    def draw(figure: Figure) -> None:
        panels = np.atleast_1d(figure.subplots(1, len(found.tables), sharey=True, sharex=True))
        for number, axes in enumerate(panels, start=1):
            _round(axes, found, number)
        panels[0].set_ylabel("$/MWh")
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(handles, names, frameon=False, fontsize=7, loc="outside lower center", ncols=len(names))

    return Picture(f"{found.opportunity.opportunity_id}, round by round: {found.table.selection.outcome}", draw, 3.4)


def _round(axes: Axes, found: Negotiation, number: int) -> None:
    table = found.tables[number - 1]
    offers, required, market = table.offers, table.required_kw, found.opportunity.market_price_mwh
    order = np.lexsort((-offers.kw, offers.ask_per_mwh))
    order = order[offers.kw[order] > DUST_KW]
    right = np.cumsum(offers.kw[order])
    left, asks = right - offers.kw[order], offers.ask_per_mwh[order]
    taken = table.selection.kw[order] > DUST_KW
    for these, ink, name in ((taken, TAKEN_INK, "taken"), (~taken, BARE_INK, "not needed")):
        axes.bar(
            left[these], asks[these], (right - left)[these], align="edge", color=ink, alpha=SHADE, lw=0, label=name
        )
    axes.step(np.append(left, right[-1:]), np.append(asks, asks[-1:]), where="post", color=INK, lw=1.0)
    axes.axvline(required, color=BEFORE_INK, lw=1.2, ls="--", label="required")
    axes.axhline(market, color=PRICE_INK, lw=1.2, label="market's price")
    axes.axhline(table.opening_per_mwh, color=PRICE_INK, lw=1.0, ls=":", label="opening price")
    axes.set_title(f"round {number}: {table.records[-1].bidders} bid", loc="left", fontsize=9)
    axes.set_xlabel("kW, cheapest first")
    axes.set_ylim(0.0, 1.12 * market)
    axes.set_xlim(0.0, None)


def members_picture(found: Negotiation) -> Picture:
    """What each member asks for at least (known to itself), what it is paid, and how much it holds."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        members = np.flatnonzero(found.table.selection.members)
        floors = found.able.floor_per_mwh(found.kw)[members]
        order = np.argsort(floors, kind="stable")
        place, paid = np.arange(len(members)), found.books.agreed_per_mwh[members][order]
        axes.vlines(place, floors[order], paid, color=TAKEN_INK, alpha=SHADE, lw=3.0, label="surplus")
        axes.plot(place, floors[order], "o", ms=4, color=INK, label="own floor, which nobody else sees")
        axes.plot(place, paid, "_", ms=9, mew=1.6, color=TAKEN_INK, label="paid")
        axes.axhline(found.opportunity.market_price_mwh, color=PRICE_INK, lw=1.2, label="market's price")
        axes.set_xticks(place, [found.fleet.names[i] for i in members[order]], rotation=90, fontsize=6)
        axes.set_ylabel("$/MWh")
        axes.set_ylim(0.0, 1.12 * found.opportunity.market_price_mwh)
        axes.legend(frameon=False, fontsize=7, loc="lower right")

    return Picture(f"{int(found.table.selection.members.sum())} members, {found.rule} price", draw, 3.6)


def settlements_picture(found: Mapping[str, Negotiation]) -> Picture:
    """Revenue under each settlement rule, split into the members' costs, their surplus and the aggregator's profit."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        place = np.arange(len(found))
        costs = np.array([float(one.costs.sum()) for one in found.values()])
        surplus = np.array([one.surplus for one in found.values()])
        profit = np.array([one.books.profit for one in found.values()])
        axes.bar(place, costs, color=BARE_INK, alpha=SHADE, label="members' costs")
        axes.bar(place, surplus, bottom=costs, color=TAKEN_INK, alpha=0.7, label="members' surplus")
        axes.bar(place, profit, bottom=costs + surplus, color=PROFIT_INK, alpha=0.7, label="aggregator's profit")
        axes.axhline(next(iter(found.values())).books.revenue, color=PRICE_INK, lw=1.2, label="revenue")
        axes.set_xticks(place, list(found))
        axes.set_ylabel("$")
        axes.legend(frameon=False, fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0))

    return Picture("who gets what, by settlement rule", draw, 3.0)


def who_stayed_out(found: Negotiation) -> dict[str, int]:
    """How many prosumers are no members, and why; each household knows its own reason, nobody else does."""
    fleet, able, kw = found.fleet, found.able, found.kw
    market, last = found.opportunity.market_price_mwh, found.table.bids.last
    out = kw <= DUST_KW
    nothing = (fleet.battery_kwh <= 0.0) & ((fleet.ev_kwh <= 0.0) | ~fleet.ev_discharges)
    unable = ~nothing & (able.most_kw <= DUST_KW)
    dear = ~nothing & ~unable & (able.floor_per_mwh(np.minimum(able.preferred_kw, DUST_KW)) > market)
    offered = last.kw > DUST_KW
    return {
        "members": int((~out).sum()),
        "own nothing that can give": int((out & nothing).sum()),
        "wishes leave nothing (backup, hours, car)": int((out & unable).sum()),
        "cost more than the market pays": int((out & dear).sum()),
        "offered, and others were cheaper": int((out & offered).sum()),
        "declined": int((out & ~nothing & ~unable & ~dear & ~offered).sum()),
    }
