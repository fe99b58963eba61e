"""One book: the orders, and behind them the inelastic demand of every period, packed for the clearing kernel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from gridmarl.errors import OrderError
from gridmarl.market.clearing import VOLUME, clear_periods
from gridmarl.market.orders import Labels, Orders
from gridmarl.units import QUANTITY_TOLERANCE, Bool, Float, Int

if TYPE_CHECKING:
    import pandas as pd

DEMAND: Final = "demand"
"""Label and participant of the inelastic demand."""

Demand: TypeAlias = "float | Mapping[Any, float] | pd.Series"
"""Inelastic load [MW]: one number, or a mapping or Series of numbers by period."""


@dataclass(frozen=True, slots=True, eq=False)
class Book:
    """All entries of an auction. The first ``n_orders`` are the orders, the others the demand of each period."""

    n_orders: int
    label: Labels  # (entry,) index label of the order, or "demand"
    participant: Labels | None  # (entry,)
    sells: Bool  # (entry,)
    price: Float  # (entry,) $/MWh
    quantity: Float  # (entry,) MW
    period: Int  # (entry,) position in periods
    periods: pd.Index | None  # None: one period without a name

    @property
    def n_periods(self) -> int:
        """Number of periods."""
        return 1 if self.periods is None else len(self.periods)

    def total(self, amount: Float, entries: Bool) -> Float:
        """Sum an amount over the given entries, for each period."""
        sums = np.bincount(self.period[entries], weights=amount[entries], minlength=self.n_periods)
        return sums.astype(np.float64)


def _sorted_periods(periods: pd.Index) -> pd.Index:
    """Periods in their own order; a column that mixes kinds has none."""
    try:
        return periods.sort_values()
    except TypeError:
        kinds = sorted({type(period).__name__ for period in periods})
        raise OrderError("period", kinds, "one kind of period", "write all periods alike") from None


def _load_by_period(demand: Mapping[Any, float] | pd.Series, named: pd.Index | None) -> tuple[pd.Index, Float]:
    """Periods and inelastic load [MW] where the demand names its periods; it must name all that have orders."""
    import pandas as pd

    if named is None:
        raise OrderError("demand by period", None, "one number", "give the orders a column 'period'")
    keys = pd.Index(list(demand.keys()), name="period")
    if not keys.is_unique:
        raise OrderError("demand", list(keys[keys.duplicated()]), "one number a period", "add them up first")
    silent = named[keys.get_indexer(named) < 0]
    if len(silent):
        raise OrderError(f"demand of period {silent[0]}", None, "a number for every period", "state it, 0 if none")
    periods = _sorted_periods(keys)
    return periods, np.array([demand[period] for period in periods], dtype=np.float64)


def _load(demand: Demand | None, named: pd.Index | None) -> tuple[pd.Index | None, Float]:
    """Periods of the auction, and inelastic load [MW] of each (empty without a demand)."""
    if demand is not None and not isinstance(demand, (int, float, np.number)):
        return _load_by_period(demand, named)
    periods = None if named is None else _sorted_periods(named.unique())
    if demand is None:
        return periods, np.empty(0)
    return periods, np.full(1 if periods is None else len(periods), float(demand))


def _check_load(load: Float, periods: pd.Index | None) -> None:
    """Refuse a demand that is no quantity."""
    bad = ~(np.isfinite(load) & (load >= 0.0))
    if bad.any():
        i = int(np.argmax(bad))
        where = "" if periods is None else f" of period {periods[i]}"
        raise OrderError(f"demand{where}", float(load[i]), "finite and >= 0 MW", "correct the demand")


def _refuse_namesake(names: Labels) -> None:
    """The inelastic demand settles under its own name: nobody else may bear it."""
    if DEMAND in names.tolist():
        remedy = "rename the participant or pass its load as orders only"
        raise OrderError("participant", DEMAND, f"any name but {DEMAND!r} beside demand=", remedy)


def make_book(orders: Orders, demand: Demand | None, voll: float) -> Book:
    """Put the inelastic demand behind the orders as buys at the value of lost load.

    Parameters
    ----------
    orders : Orders
        Checked orders.
    demand : float, mapping or Series, optional
        Inelastic load [MW], for each period where it is a mapping.
    voll : float
        Value of lost load [$/MWh].

    Returns
    -------
    Book
        Orders and demand.

    Raises
    ------
    OrderError
        If the demand is negative, not finite, silent on a period, given by period for orders without one, or if a
        participant is called "demand" too.
    """
    n = len(orders.price)
    label: Labels = orders.index.to_numpy(dtype=object)
    periods, load = _load(demand, orders.period)
    _check_load(load, periods)
    if demand is not None:
        _refuse_namesake(label if orders.participant is None else orders.participant)
    code = np.zeros(n, dtype=np.int64)
    if periods is not None and orders.period is not None:
        code = periods.get_indexer(orders.period).astype(np.int64)
    named: Labels = np.full(len(load), DEMAND, dtype=object)
    return Book(
        n_orders=n,
        label=np.concatenate([label, named]),
        participant=None if orders.participant is None else np.concatenate([orders.participant, named]),
        sells=np.concatenate([orders.sells, np.zeros(len(load), dtype=np.bool_)]),
        price=np.concatenate([orders.price, np.full(len(load), voll)]),
        quantity=np.concatenate([orders.quantity, load]),
        period=np.concatenate([code, np.arange(len(load), dtype=np.int64)]),
        periods=periods,
    )


def _by_period(book: Book, side: Bool) -> tuple[Int, Int]:
    """Entries of one side by period, and where each period starts among them."""
    entries: Int = np.flatnonzero(side).astype(np.int64)
    entries = entries[np.argsort(book.period[entries], kind="stable")]
    start = np.searchsorted(book.period[entries], np.arange(book.n_periods + 1)).astype(np.int64)
    return entries, start


def clear_entries(book: Book, pricing: int) -> tuple[Float, Float]:
    """Clear every period of a book.

    Parameters
    ----------
    book : Book
        Orders and demand.
    pricing : int
        ``LOWER``, ``UPPER`` or ``MIDPOINT`` of `gridmarl.market.clearing`.

    Returns
    -------
    accepted : (entry,) MW
        Accepted quantity of each entry.
    outcomes : (period, 4)
        Price, interval low, interval high [$/MWh] and volume [MW].
    """
    accepted = np.zeros(len(book.price))
    outcomes = np.zeros((book.n_periods, 4))
    offers, offer_start = _by_period(book, book.sells)
    bids, bid_start = _by_period(book, ~book.sells)
    sold, bought = np.zeros(len(offers)), np.zeros(len(bids))
    clear_periods(
        book.price[offers],
        book.quantity[offers],
        np.zeros(len(offers), dtype=np.int64),
        sold,
        offer_start,
        book.price[bids],
        book.quantity[bids],
        np.zeros(len(bids), dtype=np.int64),
        bought,
        bid_start,
        pricing,
        outcomes,
    )
    accepted[offers], accepted[bids] = sold, bought
    return accepted, outcomes


def rejected(book: Book, accepted: Float, outcomes: Float, entries: Bool) -> Float:
    """Rejected quantity of the given entries in each period [MW]; dust counts as nothing.

    Parameters
    ----------
    book : Book
        Orders and demand.
    accepted : (entry,) MW
        Accepted quantities.
    outcomes : (period, 4)
        What the clearing found.
    entries : (entry,) bool
        Which entries to count.

    Returns
    -------
    (period,) MW
        Quantity that did not trade.
    """
    short = book.total(book.quantity - accepted, entries)
    return np.where(short > QUANTITY_TOLERANCE * np.maximum(1.0, outcomes[:, VOLUME]), short, 0.0)
