"""The last auction as a picture or as text: offers and bids in merit order and where they meet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from gridmarl.environment.compiled import columns
from gridmarl.environment.compiled.arrays import Outcome, book_sizes
from gridmarl.environment.compiled.world import Compiled
from gridmarl.units import KW_PER_MW, QUANTITY_TOLERANCE, Float

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CONNECTION: Final = "connection"
RESPONSE: Final = "demand response"
IMPORT: Final = "import"
UNSERVED: Final = "unserved"
COLOURS: Final[Mapping[str, str]] = {
    "nuclear": "#8C6BB1",
    "coal": "#4D4D4D",
    "oil": "#8C510A",
    "gas": "#D55E00",
    "biomass": "#66A61E",
    "hydro": "#0072B2",
    "wind": "#56B4E9",
    "solar": "#F0C929",
    "battery": "#009E73",
    IMPORT: "#A6A6A6",
    RESPONSE: "#CC79A7",
    UNSERVED: "#B2182B",
}
"""A colour a technology, in the order they stack; most are of Okabe & Ito's palette for all kinds of colour vision."""
SPARE_COLOURS: Final = ("#B2ABD2", "#80CDC1", "#DFC27D", "#FDB863", "#BABABA")
SIZE_INCHES: Final = (8.0, 5.0)
DPI: Final = 100
SMALL_MW: Final = 0.5
"""Markets smaller than this are drawn in kW."""
NARROW: Final = 0.01
"""Blocks that are a smaller share of their side are drawn without borders, which would hide them."""
PALENESS: Final = 0.75
WIDE_RANGE: Final = 12.0
"""Prices that reach beyond this many times the usual offer are drawn on a logarithmic scale."""


@dataclass(frozen=True, slots=True)
class Side:
    """One side's orders that have a quantity, best first."""

    seats: tuple[str, ...]
    price: Float  # (order,) $/MWh
    mw: Float  # (order,)
    accepted: Float  # (order,) MW


@dataclass(frozen=True, slots=True)
class MeritOrder:
    """Both sides of one auction and what came of it."""

    offers: Side
    bids: Side
    price: float  # $/MWh
    volume: float  # MW


def order_seats(compiled: Compiled) -> tuple[str, ...]:
    """Seat behind each slot of the book: offers, then bids; the connection closes each side."""
    seats, index = compiled.layout.seats, compiled.world.seat
    offers = [s for s, row in zip(seats, index, strict=False) for _ in range(int(row[columns.OFFERS]))]
    bids = [s for s, row in zip(seats, index, strict=False) for _ in range(int(row[columns.BIDS]))]
    return (*offers, CONNECTION, *bids, CONNECTION)


def order_technologies(seats: tuple[str, ...], roles: tuple[str, ...], technologies: tuple[str, ...]) -> dict[str, str]:
    """What to call each seat's offers in a legend: its technology; reductions of loads are demand response."""
    names = {s: RESPONSE if r == "consumer" else t for s, r, t in zip(seats, roles, technologies, strict=True)}
    return {**names, CONNECTION: IMPORT}


def merit_order(book: Float, offers: int, seats: tuple[str, ...], price: float, volume: float) -> MeritOrder:
    """Sort one interval's book.

    Parameters
    ----------
    book : (slot, 4) array
        Price, MW, accepted MW, rank; first the offers.
    offers : int
        How many of the slots are offers.
    seats : tuple of str
        Seat of each slot.
    price, volume : float
        What cleared, $/MWh and MW.
    """
    sells, buys = _side(book[:offers], seats[:offers], 1.0), _side(book[offers:], seats[offers:], -1.0)
    return MeritOrder(sells, buys, price, volume)


def _side(book: Float, seats: tuple[str, ...], sign: float) -> Side:
    kept = np.flatnonzero(book[:, 1] > QUANTITY_TOLERANCE)
    kept = kept[np.lexsort((book[kept, 3], sign * book[kept, 0]))]
    return Side(tuple(seats[i] for i in kept), book[kept, 0], book[kept, 1], book[kept, 2])


def power_unit(most_mw: float) -> tuple[str, float]:
    """The unit in which powers up to this one read well, and how many of it a MW is."""
    return ("kW", KW_PER_MW) if most_mw < SMALL_MW else ("MW", 1.0)


def colour_of(technology: str) -> str:
    """The technology's colour, in every picture the same."""
    spare = SPARE_COLOURS[sum(technology.encode()) % len(SPARE_COLOURS)]
    return COLOURS.get(technology, spare)


def stacked(technologies: set[str]) -> list[str]:
    """Technologies in the order they stack and stand in legends."""
    known = list(COLOURS)
    return sorted(technologies, key=lambda name: (known.index(name) if name in known else len(known), name))


def plot_merit_order(axes: Axes, order: MeritOrder, technologies: Mapping[str, str]) -> None:
    """Draw offers as blocks, bids as a line and the clearing point.

    Parameters
    ----------
    axes : matplotlib Axes
    order : MeritOrder
    technologies : mapping
        Seat -> technology, which is its colour.
    """
    unit, factor = power_unit(float(max(order.offers.mw.sum(), order.bids.mw.sum(), 0.0)))
    _draw_offers(axes, order.offers, technologies, factor)
    edges = np.concatenate([[0.0], np.cumsum(order.bids.mw)]) * factor
    if len(order.bids.mw):
        axes.stairs(order.bids.price, edges, baseline=None, color="black", linewidth=1.6, label="bids", zorder=4)
        axes.vlines(edges[-1], min(0.0, order.bids.price[-1]), order.bids.price[-1], color="black", zorder=4)
    axes.axhline(order.price, color="#B2182B", linewidth=0.9, linestyle="--")
    axes.plot([order.volume * factor], [order.price], "o", color="#B2182B", markersize=7, label="clearing", zorder=5)
    axes.set_xlim(0.0, max(edges[-1], float(order.offers.mw.sum()) * factor, QUANTITY_TOLERANCE) * 1.02)
    _limit_prices(axes, order, factor)
    axes.set_xlabel(f"cumulative power ({unit})")
    axes.set_ylabel("price ($/MWh)")


def _draw_offers(axes: Axes, offers: Side, technologies: Mapping[str, str], factor: float) -> None:
    from matplotlib.colors import to_rgb

    width = offers.mw * factor
    right = np.cumsum(width)
    left = right - width
    named = [technologies[seat] for seat in offers.seats]
    for name in stacked(set(named)):
        chosen, colour = np.array([n == name for n in named]), colour_of(name)
        pale = 1.0 - PALENESS * (1.0 - np.array(to_rgb(colour)))  # mixed, since transparent neighbours show seams
        axes.bar(left[chosen], offers.price[chosen], width[chosen], align="edge", color=pale, label=name)
        # a block at 0 $/MWh has no height: its upper edge must show
        axes.hlines(offers.price[chosen], left[chosen], right[chosen], color=colour, linewidth=3.0)
    wide = width > NARROW * width.sum()
    low, high = np.minimum(offers.price, 0.0)[wide], np.maximum(offers.price, 0.0)[wide]
    axes.vlines(left[wide], low, high, color="white", linewidth=0.6)


def _limit_prices(axes: Axes, order: MeritOrder, factor: float) -> None:
    """Show what decides: offers, the price and elastic bids; say how far above load bids."""
    highest_bid = float(order.bids.price.max(initial=order.price))
    elastic = order.bids.price[order.bids.price < highest_bid]
    shown = np.concatenate([order.offers.price, elastic, [order.price, 0.0]])
    low, high = float(shown.min()), float(shown.max())
    usual = max(float(np.median(np.abs(order.offers.price))) if len(order.offers.price) else 0.0, 1.0)
    if high > WIDE_RANGE * usual:
        axes.set_yscale("symlog", linthresh=10.0 ** np.ceil(np.log10(usual)), linscale=2.0)
        axes.set_ylim(1.6 * low, 2.5 * high)
    else:
        room = 0.15 * max(high - low, 1.0)
        axes.set_ylim(low - (room if low < 0 else 0.0), high + room)
    if highest_bid > axes.get_ylim()[1]:
        _name_load(axes, order.bids, highest_bid, factor)


def _name_load(axes: Axes, bids: Side, highest: float, factor: float) -> None:
    """Say beside the bids' vertical line what the loads bid, which lies above the picture."""
    place = float(bids.mw[bids.price == highest].sum()) * factor
    leftwards = place > 0.6 * axes.get_xlim()[1]
    axes.annotate(
        f"load bids {highest:,.0f} ↑",
        (place, 0.985),
        xytext=(-5 if leftwards else 5, 0),
        textcoords="offset points",
        xycoords=("data", "axes fraction"),
        ha="right" if leftwards else "left",
        va="top",
        fontsize=8,
    )


def draw_merit_order(compiled: Compiled, outcome: Outcome, *, stepped: bool = True) -> NDArray[np.uint8]:
    """The last interval's merit order as a picture.

    Parameters
    ----------
    compiled : Compiled
        The world.
    outcome : Outcome
        Of its last step, recorded; of row 0.
    stepped : bool
        Whether there has been a step since the reset. Before it there is no auction to draw.

    Returns
    -------
    (500, 800, 3) uint8 array
        Red, green, blue.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(SIZE_INCHES, dpi=DPI, layout="constrained")  # not of pyplot: nobody else keeps it alive
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    name = compiled.scenario.name
    if stepped:
        order, layout = _order_of(compiled, outcome), compiled.layout
        plot_merit_order(axes, order, order_technologies(layout.seats, layout.roles, layout.technologies))
        unit, factor = power_unit(order.volume)
        axes.set_title(f"{name}: {order.price:,.2f} $/MWh, {order.volume * factor:,.4g} {unit}")
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=9)
    else:
        axes.set(title=f"{name}: before the first auction", xlabel="cumulative power (MW)", ylabel="price ($/MWh)")
    canvas.draw()
    return np.array(canvas.buffer_rgba(), np.uint8)[..., :3].copy()


def write_merit_order(compiled: Compiled, outcome: Outcome, *, stepped: bool = True) -> str:
    """The last interval's merit order as plain text, one line an order; parameters as for :func:`draw_merit_order`.

    Returns
    -------
    str
        Offers, with a line where the price passes between them, then bids.
    """
    if not stepped:
        return f"{compiled.scenario.name}: before the first auction"
    order = _order_of(compiled, outcome)
    unit, factor = power_unit(float(max(order.offers.mw.sum(), order.bids.mw.sum(), 0.0)))
    width = max(map(len, ("price", *order.offers.seats, *order.bids.seats)))
    head = f"  {'seat':<{width}} {'$/MWh':>10} {unit:>10} {'accepted':>10}"
    above = int(np.searchsorted(order.offers.price, order.price, side="right"))
    offers = _lines(order.offers, width, factor)
    offers.insert(above, f"> {'price':<{width}} {order.price:>10.2f} {order.volume * factor:>10.3f} {'traded':>10}")
    title = f"{compiled.scenario.name}: price {order.price:.2f} $/MWh, volume {order.volume * factor:.3f} {unit}"
    return "\n".join([title, f"offers\n{head}", *offers, f"bids\n{head}", *_lines(order.bids, width, factor)])


def _order_of(compiled: Compiled, outcome: Outcome) -> MeritOrder:
    price, volume = outcome.market[0, [columns.PRICE, columns.VOLUME]].tolist()
    return merit_order(outcome.book[0], book_sizes(compiled.world)[0], order_seats(compiled), price, volume)


def _lines(side: Side, width: int, factor: float) -> list[str]:
    rows = zip(side.seats, side.price, side.mw * factor, side.accepted * factor, strict=True)
    return [f"  {seat:<{width}} {price:>10.2f} {mw:>10.3f} {accepted:>10.3f}" for seat, price, mw, accepted in rows]
