"""The auction as scalar loops: the curves of supply and demand along one merit order of both sides, and one price.

Before place k of the merit order (`gridmarl.market.merit`) lie offers of S(k) MW, from there on bids of D(k) MW;
whoever offers before k asks for no more than anybody who bids from k on gives. Hence the traded volume is
V = max min(S, D), and the price must keep every accepted order content and every rejected one too: at least that of
the last place k with S(k) < V (an offer accepted) or D(k) > V (a bid left out), at most that of the first with
S(k + 1) > V (an offer left out) or D(k + 1) < V (a bid accepted). "Less" and "more" mean by more than
``QUANTITY_TOLERANCE`` of the volume, so that dust sets no price. The curves cross at V, hence the interval is never
empty.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from gridmarl.kernels import entry_kernel, inner_kernel, kernel
from gridmarl.market.merit import (
    BIDDEN,
    CLASS_AT,
    DEMAND,
    FEW_ORDERS,
    OFFERED,
    PLACE_PRICE,
    PLACE_TIE,
    SUPPLY,
    Curves,
    empty_curves,
    sort_orders,
)
from gridmarl.units import QUANTITY_TOLERANCE, Float, Int

LOWER: Final = 0
UPPER: Final = 1
MIDPOINT: Final = 2
"""Which point of the price interval is the price."""

PRICE: Final = 0
LOW: Final = 1
HIGH: Final = 2
VOLUME: Final = 3
"""Columns of an outcome: price, interval low, interval high [$/MWh], volume [MW]."""


@inner_kernel
def _add(total: float, lost: float, mw: float, many: bool) -> tuple[float, float]:
    """The new total and what rounding took from it: Kahan's sum, so that 60,000 orders still add up to 1e-15.

    A plain sum of a few orders is as good, and quicker.
    """
    if not many:
        return total + mw, lost
    if mw == 0.0:
        return total, lost
    corrected = mw - lost
    new = total + corrected
    return new, (new - total) - corrected


@inner_kernel
def _add_demand(bidden: Float, count: int, many: bool, demand: Float) -> None:
    """Add up the bids from the dearest on."""
    total, lost = 0.0, 0.0
    demand[count] = 0.0
    for k in range(count - 1, -1, -1):
        total, lost = _add(total, lost, bidden[np.uint64(k)], many)
        demand[np.uint64(k)] = total


@inner_kernel
def _add_supply(offered: Float, count: int, many: bool, demand: Float, supply: Float) -> tuple[float, int, int]:
    """Add up the offers from the cheapest on; the traded volume, always the end of some order.

    Also the first and the last place where the curves' lower one reaches it: behind the last offer accepted, and at the
    last bid accepted.
    """
    total, lost, volume, first, last = 0.0, 0.0, 0.0, 0, 0
    supply[0] = 0.0
    for k in range(count):
        total, lost = _add(total, lost, offered[np.uint64(k)], many)
        at = np.uint64(k + 1)
        supply[at] = total
        trade = total if total < demand[at] else demand[at]
        first = k + 1 if trade > volume else first
        last = k + 1 if trade >= volume else last
        volume = trade if trade > volume else volume
    return volume, first, last


@inner_kernel
def _interval(count: int, volume: float, first: int, last: int, curves: Curves) -> tuple[float, float]:
    """The lowest and the highest price that keep everybody content."""
    price, supply, demand = curves.mw[PLACE_PRICE], curves.mw[SUPPLY], curves.mw[DEMAND]
    tolerance = QUANTITY_TOLERANCE * max(1.0, volume)
    less, more = volume - tolerance, volume + tolerance
    low, high = last, first
    while low >= 0 and (supply[np.uint64(low)] >= less) & (demand[np.uint64(low)] <= more):
        low -= 1
    while high <= count and (supply[np.uint64(high)] <= more) & (demand[np.uint64(high)] >= less):
        high += 1
    return price[np.uint64(low)] if low >= 0 else -np.inf, price[np.uint64(high - 1)] if high <= count else np.inf


@inner_kernel
def _group(mw: Float, count: int, place: int, curves: Curves) -> tuple[int, int, float]:
    """From where to where stand the orders of one order's side, price and rank, and their quantity [MW]."""
    price, tie = curves.mw[PLACE_PRICE], curves.tie[PLACE_TIE]
    asked, kind = price[place], tie[place] >> CLASS_AT
    first, end, total = place, place + 1, mw[place]
    while first > 0 and price[first - 1] == asked and tie[first - 1] >> CLASS_AT == kind:
        first -= 1
        total += mw[first]
    while end < count and price[end] == asked and tie[end] >> CLASS_AT == kind:
        total += mw[end]
        end += 1
    return first, end, total


@inner_kernel
def _accept_offers(
    count: int, volume: float, margin: int, order: Int, n_offers: int, curves: Curves, accepted: Float
) -> None:
    """Accept the offers before the margin's group; of the group, all the same share."""
    offered = curves.mw[OFFERED]
    first, end, total = _group(offered, count, margin, curves)
    before, all_of_it = curves.mw[SUPPLY, first], curves.mw[SUPPLY, end] <= volume
    share = 1.0 if all_of_it else min(1.0, (volume - before) / total)
    for k in range(end):
        entry = order[k]
        if entry < n_offers:
            accepted[np.uint64(entry)] = (1.0 if k < first else share) * offered[k]


@inner_kernel
def _accept_bids(
    count: int, volume: float, margin: int, order: Int, n: int, n_bids: int, curves: Curves, accepted: Float
) -> None:
    """Accept the bids behind the margin's group; of the group, all the same share."""
    bidden = curves.mw[BIDDEN]
    first, end, total = _group(bidden, count, margin, curves)
    before, all_of_it = curves.mw[DEMAND, end], curves.mw[DEMAND, first] <= volume
    share = 1.0 if all_of_it else min(1.0, (volume - before) / total)
    for k in range(first, count):
        slot = n - 1 - order[k]
        if slot < n_bids:
            accepted[np.uint64(slot)] = (1.0 if k >= end else share) * bidden[k]


@inner_kernel
def _price_within(low: float, high: float, traded: bool, pricing: int) -> float:
    """The price that the rule picks from the interval; where nothing traded, the point nearest 0."""
    if not traded:
        return min(max(low, 0.0), high)
    if pricing == UPPER:
        return high
    if pricing == MIDPOINT:
        return 0.5 * (low + high)
    return low


@kernel
def clear_book(
    offer_price: Float,
    offer_quantity: Float,
    offer_rank: Int,
    offer_accepted: Float,
    n_offers: int,
    bid_price: Float,
    bid_quantity: Float,
    bid_rank: Int,
    bid_accepted: Float,
    n_bids: int,
    pricing: int,
    order: Int,
    curves: Curves,
    outcome: Float,
) -> None:
    """Clear one period at a uniform price.

    Entries beyond ``n_offers`` and ``n_bids`` are neither read nor written. An order of quantity 0 changes nothing.
    Load that may not be shed bids at the value of lost load, output that may not be held back offers at the floor with
    rank 0: shortage (price = value of lost load) and surplus (price = floor) then need no case of their own.

    Parameters
    ----------
    offer_price, bid_price : (>= n,) float64
        Prices [$/MWh]; not NaN, also where the quantity is 0.
    offer_quantity, bid_quantity : (>= n,) float64
        Quantities [MW], finite and >= 0.
    offer_rank, bid_rank : (>= n,) int64
        Class within a price, 0 to 2^30; the lower goes first, equals share pro rata.
    offer_accepted, bid_accepted : (>= n,) float64
        Filled with the accepted quantities [MW]; each side sums to the volume.
    n_offers, n_bids : int
        Number of orders on each side.
    pricing : int
        ``LOWER``, ``UPPER`` or ``MIDPOINT``.
    order : (>= n_offers + n_bids,) int64
        A permutation of both sides' entries (`gridmarl.market.merit`), left in merit order; the one of a similar book
        makes the next clearing quick.
    curves : Curves
        Scratch from `empty_curves`.
    outcome : (4,) float64
        Filled with price, interval low, interval high [$/MWh] and volume [MW].
    """
    n = n_offers + n_bids
    offers, bids = (offer_price, offer_quantity, offer_rank, n_offers), (bid_price, bid_quantity, bid_rank, n_bids)
    count = sort_orders(*offers, *bids, order, curves)
    offered, bidden, supply, demand = curves.mw[OFFERED], curves.mw[BIDDEN], curves.mw[SUPPLY], curves.mw[DEMAND]
    _add_demand(bidden, count, n > FEW_ORDERS, demand)
    volume, first, last = _add_supply(offered, count, n > FEW_ORDERS, demand, supply)
    traded = volume > QUANTITY_TOLERANCE
    if not traded:
        volume, first, last = 0.0, 0, count
    low, high = _interval(count, volume, first, last, curves)
    offer_accepted[:n_offers] = 0.0
    bid_accepted[:n_bids] = 0.0
    if traded:
        _accept_offers(count, volume, first - 1, order, n_offers, curves, offer_accepted)
        _accept_bids(count, volume, last, order, n, n_bids, curves, bid_accepted)
    outcome[PRICE] = _price_within(low, high, traded, pricing)
    outcome[LOW] = low
    outcome[HIGH] = high
    outcome[VOLUME] = volume


@entry_kernel
def _clear_each(
    offer_price: Float,
    offer_quantity: Float,
    offer_rank: Int,
    offer_accepted: Float,
    offer_start: Int,
    bid_price: Float,
    bid_quantity: Float,
    bid_rank: Int,
    bid_accepted: Float,
    bid_start: Int,
    order: Int,
    pricing: int,
    curves: Curves,
    outcomes: Float,
) -> None:
    """Clear period after period in the same scratch."""
    for period in range(outcomes.shape[0]):
        a, b = offer_start[period], offer_start[period + 1]
        c, d = bid_start[period], bid_start[period + 1]
        clear_book(
            offer_price[a:b],
            offer_quantity[a:b],
            offer_rank[a:b],
            offer_accepted[a:b],
            b - a,
            bid_price[c:d],
            bid_quantity[c:d],
            bid_rank[c:d],
            bid_accepted[c:d],
            d - c,
            pricing,
            order[a + c : b + d],
            curves,
            outcomes[period],
        )


def _merit_order(offer_price: Float, offer_start: Int, bid_price: Float, bid_start: Int) -> Int:
    """Each period's entries by price: all of a merit order but its ties."""
    offers, bids = np.diff(offer_start), np.diff(bid_start)
    period = np.concatenate([np.repeat(np.arange(len(side)), side) for side in (offers, bids)])
    entry = np.concatenate(
        [
            np.arange(len(offer_price)) - np.repeat(offer_start[:-1], offers),
            np.repeat(offers + bids - 1 + bid_start[:-1], bids) - np.arange(len(bid_price)),
        ]
    )
    order: Int = entry[np.lexsort((entry, np.concatenate([offer_price, bid_price]), period))]
    return order


def clear_periods(
    offer_price: Float,
    offer_quantity: Float,
    offer_rank: Int,
    offer_accepted: Float,
    offer_start: Int,
    bid_price: Float,
    bid_quantity: Float,
    bid_rank: Int,
    bid_accepted: Float,
    bid_start: Int,
    pricing: int,
    outcomes: Float,
) -> None:
    """Clear many periods, each on its own, from books packed one after the other.

    Parameters
    ----------
    offer_price, offer_quantity, offer_rank, offer_accepted : (offers,)
        As in `clear_book`.
    offer_start, bid_start : (periods + 1,) int64
        Period p holds the orders from ``start[p]`` to before ``start[p + 1]``.
    bid_price, bid_quantity, bid_rank, bid_accepted : (bids,)
        The same for the demand side.
    pricing : int
        ``LOWER``, ``UPPER`` or ``MIDPOINT``.
    outcomes : (periods, 4) float64
        Filled with price, interval low, interval high [$/MWh] and volume [MW].
    """
    scratch = empty_curves(int((np.diff(offer_start) + np.diff(bid_start)).max(initial=0)))
    order = _merit_order(offer_price, offer_start, bid_price, bid_start)
    offers = (offer_price, offer_quantity, offer_rank, offer_accepted, offer_start)
    bids = (bid_price, bid_quantity, bid_rank, bid_accepted, bid_start)
    _clear_each(*offers, *bids, order, pricing, scratch, outcomes)
