"""Read a table of orders, whatever its columns are called, and refuse by name what the auction cannot take."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Final, cast

import numpy as np
from numpy.typing import NDArray

from gridmarl.errors import OrderError, nearest
from gridmarl.units import KW_PER_MW, Bool, Float

if TYPE_CHECKING:
    import pandas as pd

Labels = NDArray[np.object_]

_SELL: Final = frozenset({"sell", "s", "offer", "ask", "supply"})
_BUY: Final = frozenset({"buy", "b", "bid", "demand"})
_PRICE: Final = ("price", "price_per_mwh", "price_eur_per_mwh", "price_usd_per_mwh")
_QUANTITY: Final = ("quantity", "quantity_mw", "quantity_mwh", "volume", "mw", "mwh")


@dataclass(frozen=True, slots=True)
class Limits:
    """The prices an auction knows [$/MWh]: ``floor <= orders <= cap <= voll``.

    Parameters
    ----------
    floor : float
        Lowest price; must-run output offers here.
    cap : float
        Highest price of an order.
    voll : float
        Value of lost load; only load that must be served bids here.

    Raises
    ------
    OrderError
        If one is not finite or they are out of order.
    """

    floor: float = -500.0
    cap: float = 10_000.0
    voll: float = 10_000.0

    def __post_init__(self) -> None:
        values = (self.floor, self.cap, self.voll)
        if not all(map(isfinite, values)) or not self.floor <= self.cap <= self.voll:
            remedy = "raise voll or cap, or lower floor"
            raise OrderError("price limits (floor, cap, voll)", values, "finite, floor <= cap <= voll", remedy)


@dataclass(frozen=True, slots=True, eq=False)
class Orders:
    """Checked orders as columns; row i is row i of the table they came from."""

    index: pd.Index
    sells: Bool  # (order,) True for offers to sell, False for bids to buy
    price: Float  # (order,) $/MWh
    quantity: Float  # (order,) MW
    participant: Labels | None  # (order,)
    period: pd.Index | None  # (order,)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Knows what to call a row when it has to be refused."""

    index: pd.Index
    participant: Labels | None

    def refuse(self, bad: Bool, column: str, values: Labels | Float, allowed: str, remedy: str) -> None:
        if not bad.any():
            return
        i = int(np.argmax(bad))
        who = "" if self.participant is None else f" (participant {self.participant[i]!r})"
        value = values[i]
        raise OrderError(
            f"orders.{column}, row {self.index[i]}{who}",
            value.item() if isinstance(value, np.generic) else value,
            allowed,
            remedy,
        )


def _column(frame: pd.DataFrame, names: tuple[str, ...], *, required: bool = True) -> int | None:
    """Position of the one column with one of these names, else of the only one that starts with the first of them."""
    columns = [str(label).strip().lower() for label in frame.columns]
    found = [i for i, column in enumerate(columns) if column in names]
    if not found and required:
        found = [i for i, column in enumerate(columns) if column.startswith(names[0])]
    if len(found) > 1:
        several = [str(frame.columns[i]) for i in found]
        raise OrderError(f"orders.{names[0]}", several, "one such column", "drop or rename the others")
    if not found and required:
        remedy = nearest(names[0], columns) or f"add a column {names[0]!r}"
        raise OrderError(f"orders without a {names[0]}", columns, f"a column called {', '.join(names)}", remedy)
    return found[0] if found else None


def _labels(frame: pd.DataFrame, name: str) -> Labels | None:
    """An optional column as objects; a row that leaves it empty is refused."""
    position = _column(frame, (name,), required=False)
    if position is None:
        return None
    values = frame.iloc[:, position]
    empty: Bool = values.isna().to_numpy(dtype=bool)
    labels: Labels = values.to_numpy(dtype=object)
    _Rows(frame.index, None).refuse(empty, name, labels, f"a {name} in every row", "fill it in or drop the column")
    return labels


def _numbers(frame: pd.DataFrame, names: tuple[str, ...], rows: _Rows) -> Float:
    """A numeric column in MW or $/MWh; columns that end in kW or kWh are converted."""
    import pandas as pd

    position = _column(frame, names)
    assert position is not None
    column = frame.iloc[:, position]
    raw: Labels = column.to_numpy(dtype=object)
    parsed = cast("pd.Series", pd.to_numeric(column, errors="coerce"))
    numbers: Float = parsed.to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    rows.refuse(~np.isfinite(numbers), names[0], raw, "a finite number", "correct the number or drop the row")
    if not str(frame.columns[position]).strip().lower().endswith(("kw", "kwh")):
        return numbers
    return numbers * KW_PER_MW if names[0] == "price" else numbers / KW_PER_MW


def _sells(frame: pd.DataFrame, rows: _Rows) -> Bool:
    """Which rows sell."""
    position = _column(frame, ("side",))
    assert position is not None
    raw: Labels = frame.iloc[:, position].to_numpy(dtype=object)
    words = [str(word).strip().lower() for word in raw]
    unknown = np.array([word not in _SELL | _BUY for word in words], dtype=np.bool_)
    allowed = f"{', '.join(sorted(_SELL))} or {', '.join(sorted(_BUY))}"
    rows.refuse(unknown, "side", raw, allowed, "say which way the order trades")
    return np.array([word in _SELL for word in words], dtype=np.bool_)


def _check_prices(sells: Bool, price: Float, limits: Limits, rows: _Rows) -> None:
    """Refuse prices outside [floor, cap], but for load at the value of lost load."""
    inelastic = ~sells & (price == limits.voll)
    outside = ((price < limits.floor) | (price > limits.cap)) & ~inelastic
    allowed = f"within [{limits.floor:g}, {limits.cap:g}] $/MWh, or a buy at voll = {limits.voll:g}"
    rows.refuse(outside, "price", price, allowed, "change the price, or the auction's floor and cap")


def _check_participants(known: Collection[str], rows: _Rows) -> None:
    """Refuse orders of participants that nobody has heard of."""
    allowed = f"one of {', '.join(known)}"
    if rows.participant is None:
        raise OrderError("orders without a participant", None, allowed, "add a column 'participant'")
    unknown = np.array([name not in known for name in rows.participant], dtype=np.bool_)
    first = str(rows.participant[int(np.argmax(unknown))]) if unknown.any() else ""
    remedy = nearest(first, known) or "register the participant or drop its orders"
    rows.refuse(unknown, "participant", rows.participant, allowed, remedy)


def read_orders(
    frame: pd.DataFrame, *, limits: Limits | None = None, participants: Collection[str] | None = None
) -> Orders:
    """Check a table of orders and return its columns.

    Column names are matched without regard to case. A name that ends in ``_kw`` or ``_kwh`` is converted; a quantity in
    MWh is read as the mean power over one hour. A table without rows is legal.

    Parameters
    ----------
    frame : DataFrame
        ``side`` (sell, offer, ask, supply, s; buy, bid, demand, b), ``price`` [$/MWh or any currency], ``quantity``
        [MW], and if wanted ``participant`` and ``period``. Not changed.
    limits : Limits, optional
        Floor, cap and value of lost load.
    participants : collection of str, optional
        Who may trade; without it anyone may.

    Returns
    -------
    Orders
        The same rows in the same order.

    Raises
    ------
    OrderError
        If a column is missing or ambiguous, or a row has an unknown side or participant, a price or quantity that is
        not finite, a negative quantity, or a price outside [floor, cap].
    """
    if len(frame) == 0:
        return _no_orders(frame)
    rows = _Rows(frame.index, _labels(frame, "participant"))
    if participants is not None:
        _check_participants(participants, rows)
    sells = _sells(frame, rows)
    price = _numbers(frame, _PRICE, rows)
    _check_prices(sells, price, limits or Limits(), rows)
    quantity = _numbers(frame, _QUANTITY, rows)
    rows.refuse(quantity < 0.0, "quantity", quantity, ">= 0 MW", "state the way of the trade in side, not in the sign")
    return Orders(frame.index, sells, price, quantity, rows.participant, _period(frame))


def _period(frame: pd.DataFrame) -> pd.Index | None:
    """The period column with its own dtype, so that timestamps stay timestamps."""
    import pandas as pd

    position = _column(frame, ("period",), required=False)
    if position is None or _labels(frame, "period") is None:
        return None
    return pd.Index(frame.iloc[:, position], name="period")


def _no_orders(frame: pd.DataFrame) -> Orders:
    """The empty book; it keeps its period column so that results stay per period."""
    none = np.empty(0)
    return Orders(frame.index, np.empty(0, dtype=np.bool_), none, none, None, _period(frame))
