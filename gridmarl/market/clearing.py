"""The auction as scalar loops: sort two order books, trade while an offer is at most the bid, and name one price.

Position q of a book is its q-th megawatt in merit order. S(q) is the offer price there, rising; D(q) is the bid price,
falling. The traded volume V is the largest q with S(q) <= D(q), and the price must keep every accepted order content
and every rejected one too::

    max(S(V-), D(V+)) <= price <= min(D(V-), S(V+))

V- and V+ stand ``QUANTITY_TOLERANCE`` of the volume before and after V, so that dust sets no price. S and D are
monotone and S > D beyond V, hence the interval is never empty.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from gridmarl.kernels import entry_kernel, kernel
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

_MOVES_PER_ORDER: Final = 8  # a book that needs more insertions than this per order is not "nearly sorted"
_MANY_ORDERS: Final = 256  # from here on sums take note of what rounding takes


@kernel
def _before(price: Float, rank: Int, a: int, b: int, sign: float) -> bool:
    """Whether order a stands before order b; the index settles ties, so that two orders never compare equal."""
    key_a = sign * price[a]
    key_b = sign * price[b]
    if key_a != key_b:
        return bool(key_a < key_b)
    if rank[a] != rank[b]:
        return bool(rank[a] < rank[b])
    return a < b


@kernel
def _sift_down(price: Float, rank: Int, order: Int, root: int, end: int, sign: float) -> None:
    """Restore the heap (last in merit order on top) below one root."""
    while 2 * root + 1 < end:
        child = 2 * root + 1
        if child + 1 < end and _before(price, rank, order[child], order[child + 1], sign):
            child += 1
        if not _before(price, rank, order[root], order[child], sign):
            return
        order[root], order[child] = order[child], order[root]
        root = child


@kernel
def _heap_sort(price: Float, rank: Int, order: Int, n: int, sign: float) -> None:
    """Sort in n log n whatever the start, in place."""
    for root in range(n // 2 - 1, -1, -1):
        _sift_down(price, rank, order, root, n, sign)
    for end in range(n - 1, 0, -1):
        order[0], order[end] = order[end], order[0]
        _sift_down(price, rank, order, 0, end, sign)


@kernel
def sort_orders(price: Float, rank: Int, order: Int, n: int, sign: float) -> None:
    """Rearrange ``order[:n]`` so that it ascends in (sign * price, rank, index).

    The order is total, so the result does not depend on the permutation it starts from; only the time does. A book that
    resembles the previous one costs n comparisons, an unrelated one n log n.

    Parameters
    ----------
    price : (>= n,) float64
        Prices [$/MWh]; not NaN.
    rank : (>= n,) int64
        Class within a price; the lower goes first.
    order : (>= n,) int64
        Holds a permutation of 0..n-1 in its first n entries; rearranged in place.
    n : int
        Number of orders.
    sign : float
        +1 for offers (cheapest first), -1 for bids (dearest first).
    """
    budget = _MOVES_PER_ORDER * n
    last = -np.inf
    for k in range(n):
        entry = order[k]
        key = sign * price[entry]
        if key > last:
            last = key
            continue
        hole = k
        while hole > 0 and _before(price, rank, entry, order[hole - 1], sign):
            order[hole] = order[hole - 1]
            hole -= 1
        order[hole] = entry
        budget -= k - hole
        if budget < 0:
            _heap_sort(price, rank, order, n, sign)
            return


@kernel
def _add(total: float, lost: float, quantity: float, many: bool) -> tuple[float, float]:
    """The new total and what rounding took from it: Kahan's sum, so that 60,000 orders still add up to 1e-15.

    A plain sum of a few orders is as good and four times as quick.
    """
    if not many:
        return total + quantity, lost
    if quantity == 0.0:
        return total, lost
    corrected = quantity - lost
    new = total + corrected
    return new, (new - total) - corrected


@kernel
def _traded_volume(
    offer_price: Float,
    offer_quantity: Float,
    offer_order: Int,
    n_offers: int,
    bid_price: Float,
    bid_quantity: Float,
    bid_order: Int,
    n_bids: int,
) -> float:
    """The last position where the offer is at most the bid: always the end of some order [MW]."""
    volume, offered, bidden, offered_lost, bidden_lost = 0.0, 0.0, 0.0, 0.0, 0.0
    i, j = -1, -1
    many = max(n_offers, n_bids) > _MANY_ORDERS
    while True:
        while offered <= volume:
            i += 1
            if i >= n_offers:
                return volume
            offered, offered_lost = _add(offered, offered_lost, float(offer_quantity[offer_order[i]]), many)
        while bidden <= volume:
            j += 1
            if j >= n_bids:
                return volume
            bidden, bidden_lost = _add(bidden, bidden_lost, float(bid_quantity[bid_order[j]]), many)
        if offer_price[offer_order[i]] > bid_price[bid_order[j]]:
            return volume
        volume = min(offered, bidden)


@kernel
def _share_margin(
    price: Float, quantity: Float, rank: Int, order: Int, n: int, margin: int, taken: float, accepted: Float
) -> None:
    """Spread what the orders of the margin's price and rank got over all of them, pro rata.

    The merit order has filled those before position ``margin``, given that one ``taken`` MW and the later ones nothing.
    """
    head = order[margin]
    first, end = margin, margin + 1
    got, group = taken, quantity[head]
    while first > 0 and price[order[first - 1]] == price[head] and rank[order[first - 1]] == rank[head]:
        first -= 1
        got += quantity[order[first]]
        group += quantity[order[first]]
    while end < n and price[order[end]] == price[head] and rank[order[end]] == rank[head]:
        group += quantity[order[end]]
        end += 1
    share = min(1.0, got / group)
    for k in range(first, end):
        accepted[order[k]] = share * quantity[order[k]]


@kernel
def _accept(
    price: Float, quantity: Float, rank: Int, order: Int, n: int, volume: float, accepted: Float, beyond: float
) -> tuple[float, float]:
    """Accept the first ``volume`` MW of a book; return the prices just before and just after that position.

    ``beyond`` is the price after the last order.
    """
    tolerance = QUANTITY_TOLERANCE * max(1.0, volume)
    last_accepted, first_rejected = beyond, beyond
    total, lost = 0.0, 0.0
    margin, taken = -1, 0.0
    for k in range(n):
        entry = order[k]
        size = float(quantity[entry])
        before = total
        total, lost = _add(total, lost, size, n > _MANY_ORDERS)
        accepted[entry] = size if before < volume else 0.0
        if before < volume:
            margin = k
            taken = size if total <= volume else volume - before
        if before < volume - tolerance:
            last_accepted = float(price[entry])
        if before <= volume + tolerance < total:
            first_rejected = float(price[entry])
    if margin >= 0:
        _share_margin(price, quantity, rank, order, n, margin, taken, accepted)
    return last_accepted, first_rejected


@kernel
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
    offer_order: Int,
    offer_accepted: Float,
    n_offers: int,
    bid_price: Float,
    bid_quantity: Float,
    bid_rank: Int,
    bid_order: Int,
    bid_accepted: Float,
    n_bids: int,
    pricing: int,
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
        Class within a price; the lower goes first, equals share pro rata.
    offer_order, bid_order : (>= n,) int64
        Permutations of 0..n-1, left in merit order; the one of a similar book makes the next clearing quick.
    offer_accepted, bid_accepted : (>= n,) float64
        Filled with the accepted quantities [MW]; each side sums to the volume.
    n_offers, n_bids : int
        Number of orders on each side.
    pricing : int
        ``LOWER``, ``UPPER`` or ``MIDPOINT``.
    outcome : (4,) float64
        Filled with price, interval low, interval high [$/MWh] and volume [MW].
    """
    sort_orders(offer_price, offer_rank, offer_order, n_offers, 1.0)
    sort_orders(bid_price, bid_rank, bid_order, n_bids, -1.0)
    volume = _traded_volume(
        offer_price, offer_quantity, offer_order, n_offers, bid_price, bid_quantity, bid_order, n_bids
    )
    traded = volume > QUANTITY_TOLERANCE
    if not traded:
        volume = 0.0
    last_offer, first_unsold = _accept(
        offer_price, offer_quantity, offer_rank, offer_order, n_offers, volume, offer_accepted, np.inf
    )
    last_bid, first_unserved = _accept(
        bid_price, bid_quantity, bid_rank, bid_order, n_bids, volume, bid_accepted, -np.inf
    )
    low = max(last_offer, first_unserved) if traded else first_unserved
    high = min(last_bid, first_unsold) if traded else first_unsold
    outcome[PRICE] = _price_within(low, high, traded, pricing)
    outcome[LOW] = low
    outcome[HIGH] = high
    outcome[VOLUME] = volume


@entry_kernel
def clear_periods(
    offer_price: Float,
    offer_quantity: Float,
    offer_rank: Int,
    offer_order: Int,
    offer_accepted: Float,
    offer_start: Int,
    bid_price: Float,
    bid_quantity: Float,
    bid_rank: Int,
    bid_order: Int,
    bid_accepted: Float,
    bid_start: Int,
    pricing: int,
    outcomes: Float,
) -> None:
    """Clear many periods, each on its own, from books packed one after the other.

    Parameters
    ----------
    offer_price, offer_quantity, offer_rank, offer_order, offer_accepted : (offers,)
        As in `clear_book`; ``offer_order`` counts from 0 within each period.
    offer_start, bid_start : (periods + 1,) int64
        Period p holds the orders from ``start[p]`` to before ``start[p + 1]``.
    bid_price, bid_quantity, bid_rank, bid_order, bid_accepted : (bids,)
        The same for the demand side.
    pricing : int
        ``LOWER``, ``UPPER`` or ``MIDPOINT``.
    outcomes : (periods, 4) float64
        Filled with price, interval low, interval high [$/MWh] and volume [MW].
    """
    for period in range(outcomes.shape[0]):
        a, b = offer_start[period], offer_start[period + 1]
        c, d = bid_start[period], bid_start[period + 1]
        clear_book(
            offer_price[a:b],
            offer_quantity[a:b],
            offer_rank[a:b],
            offer_order[a:b],
            offer_accepted[a:b],
            b - a,
            bid_price[c:d],
            bid_quantity[c:d],
            bid_rank[c:d],
            bid_order[c:d],
            bid_accepted[c:d],
            d - c,
            pricing,
            outcomes[period],
        )
