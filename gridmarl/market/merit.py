"""The merit order of both sides of a book: lined up, sorted, and read by place.

Offers and bids stand in one row, cheapest first, offers before bids of the same price. An *entry* numbers the orders of
both sides: offer e is entry e, and the bids follow backwards, so that the last entry is bid 0. Of offers alike in price
the lower rank goes first, of offers alike in rank too the lower entry; the merit order of bids is the row from its end.
Orders without a quantity come last.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from gridmarl.kernels import inner_kernel, kernel, rare_kernel
from gridmarl.units import Float, Int

LANES: Final = 8
"""Numbers that one instruction compares: a line is padded to a multiple of it."""
FEW_ORDERS: Final = 64
"""Up to here orders are sorted by counting."""

# Rows of ``Curves.mw``: as lined up, then by place.
LINE_PRICE, LINE_MW, PLACE_PRICE, OFFERED, BIDDEN, SUPPLY, DEMAND = range(7)
# Rows of ``Curves.tie``.
LINE_TIE, PLACE_TIE = range(2)
CLASS_AT: Final = 32
"""A tie is a class of orders from this bit on, and below it the entry."""
_ENTRY: Final = (1 << CLASS_AT) - 1
_LAST_CLASS: Final = (1 << 31) - 1  # a bid's class is this less its rank, behind all classes of offers
_NOBODY: Final = (1 << 63) - 1


class Curves(NamedTuple):
    """Scratch of an auction."""

    mw: Float  # (7, place + lanes) price and MW as lined up; by place price, offered, bid, and the curves of both
    tie: Int  # (2, place + lanes) as lined up, by place


def empty_curves(orders: int) -> Curves:
    """Scratch for this many offers and bids together."""
    width = orders + 1 + LANES
    return Curves(np.zeros((7, width)), np.zeros((2, width), np.int64))


@inner_kernel
def _line_up_few(
    offer_price: Float,
    offer_quantity: Float,
    offer_rank: Int,
    n_offers: int,
    bid_price: Float,
    bid_quantity: Float,
    bid_rank: Int,
    n_bids: int,
    order: Int,
    curves: Curves,
) -> tuple[int, int]:
    """Line up what has a quantity, entry by entry, and put the rest last; how many offers, how many in all."""
    price, mw, tie = curves.mw[LINE_PRICE], curves.mw[LINE_MW], curves.tie[LINE_TIE]
    count, rest = 0, n_offers + n_bids - 1
    for slot in range(n_offers):
        at, some = np.uint64(count), 1 if offer_quantity[slot] > 0.0 else 0
        price[at], mw[at], tie[at] = offer_price[slot], offer_quantity[slot], (offer_rank[slot] << CLASS_AT) | slot
        order[np.uint64(rest)] = slot
        count, rest = count + some, rest - 1 + some
    offers = count
    for k in range(n_bids):
        slot = n_bids - 1 - k
        at, some = np.uint64(count), 1 if bid_quantity[slot] > 0.0 else 0
        price[at], mw[at] = bid_price[slot], bid_quantity[slot]
        tie[at] = ((_LAST_CLASS - bid_rank[slot]) << CLASS_AT) | (n_offers + k)
        order[np.uint64(rest)] = n_offers + k
        count, rest = count + some, rest - 1 + some
    for k in range(count, count + LANES):
        price[k], tie[k] = np.inf, _NOBODY
    return offers, count


@inner_kernel
def _sort_few(offers: int, count: int, order: Int, curves: Curves) -> None:
    """Put each order at its place: the number of those before it. No branch to foretell, eight compared at once."""
    price, mw, tie = curves.mw[LINE_PRICE], curves.mw[LINE_MW], curves.tie[LINE_TIE]
    lanes = (count + LANES - 1) & (2 * FEW_ORDERS - LANES)
    for k in range(np.uint64(count)):
        asked, mine = price[k], tie[k]
        before = 0
        for lane in range(lanes):
            other, its = price[np.uint64(lane)], tie[np.uint64(lane)]
            before += 1 if (other < asked) | ((other == asked) & (its < mine)) else 0
        place, sells = np.uint64(before), k < np.uint64(offers)
        order[place] = mine & _ENTRY
        curves.tie[PLACE_TIE, place] = mine
        curves.mw[PLACE_PRICE, place] = asked
        curves.mw[OFFERED, place] = mw[k] if sells else 0.0
        curves.mw[BIDDEN, place] = 0.0 if sells else mw[k]


@rare_kernel
def _line_up_many(
    offer_price: Float,
    offer_quantity: Float,
    offer_rank: Int,
    n_offers: int,
    bid_price: Float,
    bid_quantity: Float,
    bid_rank: Int,
    n_bids: int,
    order: Int,
    curves: Curves,
) -> int:
    """Line up every entry in the order of the last book, those without a quantity as if they asked for the most.

    Bids are negative.
    """
    price, mw, tie = curves.mw[LINE_PRICE], curves.mw[LINE_MW], curves.tie[LINE_TIE]
    count = 0
    for k in range(n_offers + n_bids):
        entry = order[k]
        slot = entry if entry < n_offers else n_offers + n_bids - 1 - entry
        if entry < n_offers:
            price[k], quantity, kind = offer_price[slot], offer_quantity[slot], offer_rank[slot]
        else:
            price[k], quantity, kind = bid_price[slot], bid_quantity[slot], _LAST_CLASS - bid_rank[slot]
        if quantity > 0.0:
            count += 1
        else:
            price[k], quantity, kind = np.inf, 0.0, _LAST_CLASS
        mw[k] = quantity if entry < n_offers else -quantity
        tie[k] = (kind << CLASS_AT) | entry
    return count


@inner_kernel
def _sort_run(start: int, count: int, curves: Curves) -> None:
    """Put each order of a short run at its place: the number of those before it. Nothing to foretell, eight at once."""
    price, mw, tie = curves.mw[LINE_PRICE, start:], curves.mw[LINE_MW, start:], curves.tie[LINE_TIE, start:]
    lanes = (count + LANES - 1) & (2 * FEW_ORDERS - LANES)
    for k in range(np.uint64(count)):
        asked, mine = price[k], tie[k]
        before = 0
        for lane in range(lanes):
            other, its = price[np.uint64(lane)], tie[np.uint64(lane)]
            before += 1 if (other < asked) | ((other == asked) & (its < mine)) else 0
        place = np.uint64(start + before)
        curves.tie[PLACE_TIE, place] = mine
        curves.mw[PLACE_PRICE, place] = asked
        curves.mw[OFFERED, place] = mw[k]


@inner_kernel
def _merge(start: int, middle: int, end: int, curves: Curves) -> None:
    """Merge two sorted runs that follow each other by place; what stands right already stays."""
    price, mw, tie = curves.mw[PLACE_PRICE], curves.mw[OFFERED], curves.tie[PLACE_TIE]
    left = middle
    while left > start and (
        price[left - 1] > price[middle] or (price[left - 1] == price[middle] and tie[left - 1] > tie[middle])
    ):
        left -= 1
    for k in range(left, middle):
        curves.mw[LINE_PRICE, k], curves.mw[LINE_MW, k], curves.tie[LINE_TIE, k] = price[k], mw[k], tie[k]
    right, place = middle, left
    while left < middle:
        asked, mine = curves.mw[LINE_PRICE, left], curves.tie[LINE_TIE, left]
        other_first = right < end and (price[right] < asked or (price[right] == asked and tie[right] < mine))
        if other_first:
            price[place], mw[place], tie[place] = price[right], mw[right], tie[right]
            right += 1
        else:
            price[place], mw[place], tie[place] = asked, curves.mw[LINE_MW, left], mine
            left += 1
        place += 1


@rare_kernel
def _sort_many(n: int, order: Int, curves: Curves) -> None:
    """Sort a long line: short runs by counting, then ever longer ones by merging; n log n at worst."""
    mw, tie = curves.mw, curves.tie
    for k in range(n, n + LANES):
        mw[LINE_PRICE, k], tie[LINE_TIE, k] = np.inf, _NOBODY
    for start in range(0, n, FEW_ORDERS):
        _sort_run(start, min(FEW_ORDERS, n - start), curves)
    width = FEW_ORDERS
    while width < n:
        for start in range(0, n - width, 2 * width):
            _merge(start, start + width, min(start + 2 * width, n), curves)
        width *= 2
    for place in range(n):
        order[place] = tie[PLACE_TIE, place] & _ENTRY
        mw[BIDDEN, place], mw[OFFERED, place] = max(-mw[OFFERED, place], 0.0), max(mw[OFFERED, place], 0.0)


@kernel
def sort_orders(
    offer_price: Float,
    offer_quantity: Float,
    offer_rank: Int,
    n_offers: int,
    bid_price: Float,
    bid_quantity: Float,
    bid_rank: Int,
    n_bids: int,
    order: Int,
    curves: Curves,
) -> int:
    """Put both sides' orders into one merit order; how many have a quantity.

    The merit order is total, so the result does not depend on the permutation it starts from; of a large book, only the
    time does.

    Parameters
    ----------
    offer_price, bid_price : (>= n,) float64
        Prices [$/MWh]; not NaN.
    offer_quantity, bid_quantity : (>= n,) float64
        Quantities [MW].
    offer_rank, bid_rank : (>= n,) int64
        Class within a price, 0 to 2^30; the lower goes first.
    n_offers, n_bids : int
        Number of orders on each side.
    order : (>= n_offers + n_bids,) int64
        A permutation of all entries; left in merit order.
    curves : Curves
        Scratch from `empty_curves`; left with ties, prices and quantities by place.
    """
    offers = (offer_price, offer_quantity, offer_rank, n_offers)
    bids = (bid_price, bid_quantity, bid_rank, n_bids)
    n = n_offers + n_bids
    if n <= FEW_ORDERS:
        lined, count = _line_up_few(*offers, *bids, order, curves)
        _sort_few(lined, count, order, curves)
    else:
        count = _line_up_many(*offers, *bids, order, curves)
        _sort_many(n, order, curves)
    return count
