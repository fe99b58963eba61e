"""Clear a table of orders at a uniform price and say what came of it."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from gridmarl.errors import OrderError, nearest
from gridmarl.market.book import Book, Demand, clear_entries, make_book, rejected
from gridmarl.market.clearing import HIGH, LOW, LOWER, MIDPOINT, PRICE, UPPER, VOLUME
from gridmarl.market.orders import Limits, read_orders
from gridmarl.units import Float

if TYPE_CHECKING:
    import pandas as pd

Pricing = Literal["lower", "upper", "midpoint"]
Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

PRICING: Final = {"lower": LOWER, "upper": UPPER, "midpoint": MIDPOINT}
"""Names of the pricing rules: which point of the price interval is the price."""


@dataclass(frozen=True, slots=True, eq=False)
class Clearing:
    """What an auction decided. With a period column every amount is a Series by period, otherwise a float.

    Parameters
    ----------
    price : float or Series
        Uniform price [$/MWh].
    price_interval : (float, float) or DataFrame with low, high
        All prices that support the outcome; an end is infinite where a side is empty.
    volume : float or Series
        Traded quantity [MW].
    accepted : Series
        Accepted quantity of each order [MW], on the index of the orders.
    unserved : float or Series
        Rejected quantity of load at the value of lost load, inelastic demand included [MW].
    curtailed : float or Series
        Rejected quantity of offers at the floor [MW].
    marginal : tuple
        Index labels of the orders with a quantity whose price is the clearing price.
    book, cleared_mw : Book, (entry,)
        Orders and inelastic demand side by side, and what each got [MW]; for settlement.
    """

    price: float | pd.Series
    price_interval: tuple[float, float] | pd.DataFrame
    volume: float | pd.Series
    accepted: pd.Series
    unserved: float | pd.Series
    curtailed: float | pd.Series
    marginal: tuple[Hashable, ...]
    book: Book
    cleared_mw: Float  # (entry,)

    def merit_order(self) -> pd.DataFrame:
        """Both sides in merit order, one row an order, ready for a step chart.

        Returns
        -------
        DataFrame
            ``period`` and ``participant`` where the orders have them, ``order`` (index label, "demand" for inelastic
            load), ``side``, ``price`` [$/MWh], ``quantity``, ``accepted``, and the stretch of its side that the order
            covers, ``from_mw`` to ``to_mw`` [MW].
        """
        book = self.book
        table = self._entries()
        table["merit"] = np.where(book.sells, book.price, -book.price)
        table["step"] = book.period
        table = table.sort_values(["step", "side", "merit"], kind="stable", ascending=[True, False, True])
        to_mw = table.groupby(["step", "side"])["quantity"].cumsum()
        table["from_mw"] = to_mw.groupby([table["step"], table["side"]]).shift(fill_value=0.0)
        table["to_mw"] = to_mw
        return table.drop(columns=["merit", "step"]).reset_index(drop=True)

    def to_dict(self) -> dict[str, Json]:
        """The outcome in plain, JSON-able values: amounts by period as a mapping, an infinite end as None.

        Returns
        -------
        dict
            ``price``, ``price_interval``, ``volume``, ``unserved``, ``curtailed``, ``marginal`` and ``orders``, a list
            with one mapping for each order and each inelastic demand.
        """
        return {
            "price": _plain(self.price),
            "price_interval": _plain_interval(self.price_interval),
            "volume": _plain(self.volume),
            "unserved": _plain(self.unserved),
            "curtailed": _plain(self.curtailed),
            "marginal": [_plain(label) for label in self.marginal],
            "orders": [
                {str(name): _plain(value) for name, value in row.items()}
                for row in self._entries().to_dict(orient="records")
            ],
        }

    def _entries(self) -> pd.DataFrame:
        """Orders and inelastic demand as one table."""
        import pandas as pd

        book = self.book
        columns: dict[str, object] = {} if book.periods is None else {"period": book.periods[book.period]}
        columns["order"] = book.label
        if book.participant is not None:
            columns["participant"] = book.participant
        columns["side"] = np.where(book.sells, "sell", "buy")
        columns |= {"price": book.price, "quantity": book.quantity, "accepted": self.cleared_mw}
        return pd.DataFrame(columns)


def _plain(value: object) -> Json:
    """A number, a string, or a mapping by period; what JSON cannot say becomes None or its name."""
    import pandas as pd

    if isinstance(value, pd.Series):
        return {str(period): _plain(amount) for period, amount in value.items()}
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value if isinstance(value, (int, str)) else str(value)


def _plain_interval(interval: tuple[float, float] | pd.DataFrame) -> Json:
    """Low and high, by period where there are periods."""
    if isinstance(interval, tuple):
        return [_plain(end) for end in interval]
    rows = zip(interval.index, interval["low"], interval["high"], strict=True)
    return {str(period): [_plain(float(low)), _plain(float(high))] for period, low, high in rows}


def _amount(values: Float, book: Book, name: str) -> float | pd.Series:
    """A float for the one period without a name, a Series otherwise."""
    import pandas as pd

    return float(values[0]) if book.periods is None else pd.Series(values, index=book.periods, name=name)


def _interval(outcomes: Float, book: Book) -> tuple[float, float] | pd.DataFrame:
    """The ends of the price interval."""
    import pandas as pd

    if book.periods is None:
        return float(outcomes[0, LOW]), float(outcomes[0, HIGH])
    return pd.DataFrame({"low": outcomes[:, LOW], "high": outcomes[:, HIGH]}, index=book.periods)


def _marginal(book: Book, outcomes: Float) -> tuple[Hashable, ...]:
    """Labels of the orders whose price is the price."""
    sets_price = (book.price == outcomes[book.period, PRICE]) & (book.quantity > 0.0)
    return tuple(book.label[: book.n_orders][sets_price[: book.n_orders]].tolist())


def clear(
    orders: pd.DataFrame,
    *,
    demand: Demand | None = None,
    pricing: Pricing = "lower",
    floor: float = -500.0,
    cap: float | None = None,
    voll: float = 10_000.0,
    participants: Collection[str] | None = None,
) -> Clearing:
    """Clear orders in a uniform-price auction.

    Trade goes on as long as an offer asks for no more than a bid gives. Orders of equal price share pro rata at the
    margin. Quantities within 1e-9 of the volume count as equal, so that dust sets no price. Where nothing trades the
    price is the point nearest 0 between the best bid and the best offer.

    Parameters
    ----------
    orders : DataFrame
        Columns ``side``, ``price`` and ``quantity``, optionally ``participant`` and ``period``, under any usual name
        (`gridmarl.market.orders.read_orders`). Each period clears on its own. Not changed.
    demand : float, mapping or Series, optional
        Inelastic load [MW] that bids ``voll``; by period where it is a mapping or Series.
    pricing : {"lower", "upper", "midpoint"}
        Which point of the price interval is the price.
    floor, cap, voll : float
        Lowest and highest price of an order and the value of lost load [$/MWh]; ``cap`` is ``voll`` if not given.
    participants : collection of str, optional
        Who may trade; without it anyone may.

    Returns
    -------
    Clearing
        Price, volume, and what each order got.

    Raises
    ------
    OrderError
        If an order, the demand, the limits or the pricing rule breaks a rule; the message names it.

    Examples
    --------
    >>> import pandas as pd
    >>> offers = pd.DataFrame({"side": "sell", "price": [25, 30, 45], "quantity": [30, 25, 50]})
    >>> clear(offers, demand=80).price
    45.0
    """
    if pricing not in PRICING:
        raise OrderError("pricing", pricing, ", ".join(PRICING), nearest(str(pricing), PRICING))
    if not hasattr(orders, "columns"):
        remedy = "pandas.DataFrame({'side': [...], 'price': [...], 'quantity': [...]})"
        raise OrderError("orders", type(orders).__name__, "a DataFrame", remedy)
    limits = Limits(floor, voll if cap is None else cap, voll)
    checked = read_orders(orders, limits=limits, participants=participants)
    book = make_book(checked, demand, voll)
    accepted, outcomes = clear_entries(book, PRICING[pricing])
    return _clearing(book, accepted, outcomes, limits, checked.index)


def _clearing(book: Book, accepted: Float, outcomes: Float, limits: Limits, index: pd.Index) -> Clearing:
    """Name what the kernel found."""
    import pandas as pd

    unserved = rejected(book, accepted, outcomes, ~book.sells & (book.price == limits.voll))
    curtailed = rejected(book, accepted, outcomes, book.sells & (book.price == limits.floor))
    return Clearing(
        price=_amount(outcomes[:, PRICE], book, "price"),
        price_interval=_interval(outcomes, book),
        volume=_amount(outcomes[:, VOLUME], book, "volume"),
        accepted=pd.Series(accepted[: book.n_orders], index=index, name="accepted"),
        unserved=_amount(unserved, book, "unserved"),
        curtailed=_amount(curtailed, book, "curtailed"),
        marginal=_marginal(book, outcomes),
        book=book,
        cleared_mw=accepted,
    )
