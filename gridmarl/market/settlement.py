"""Turn a clearing into money: everyone is paid the uniform price, and all payments sum to zero."""

from __future__ import annotations

from math import fsum
from typing import TYPE_CHECKING, Final, cast

import numpy as np
from numpy.typing import ArrayLike

from gridmarl.errors import OrderError
from gridmarl.market.auction import Clearing
from gridmarl.units import Float

if TYPE_CHECKING:
    import pandas as pd

_LARGEST_CENTS: Final = 2.0**52  # beyond this a float no longer resolves half a cent


def settle(clearing: Clearing, hours: float = 1.0) -> pd.DataFrame:
    """Statement of every participant: energy traded and money received.

    Parameters
    ----------
    clearing : Clearing
        What the auction decided.
    hours : float
        Length of a period [h].

    Returns
    -------
    DataFrame
        ``participant`` (the index label of the order where orders have no participant; "demand" for inelastic demand),
        ``period`` if there are periods, ``sold_mwh``, ``bought_mwh``, and ``payment`` [$]: + is received. Payments of
        a period sum to zero.

    Raises
    ------
    OrderError
        If ``hours`` is not finite and positive.
    """
    import pandas as pd

    if not (np.isfinite(hours) and hours > 0.0):
        raise OrderError("hours", hours, "finite and > 0", "state the length of a period in hours")
    book = clearing.book
    sold: Float = np.where(book.sells, clearing.cleared_mw, 0.0) * hours
    bought: Float = np.where(book.sells, 0.0, clearing.cleared_mw) * hours
    price = np.atleast_1d(np.asarray(clearing.price, dtype=np.float64))[book.period]
    columns = {"participant": book.label if book.participant is None else book.participant}
    keys = ["participant"]
    if book.periods is not None:
        columns["period"] = book.periods[book.period]
        keys = ["participant", "period"]
    columns |= {"sold_mwh": sold, "bought_mwh": bought, "payment": price * (sold - bought)}
    groups = pd.DataFrame(columns).groupby(keys, sort=False, as_index=False, dropna=False, observed=True)
    return cast("pd.DataFrame", groups.sum())


def round_to_cents(amounts: ArrayLike) -> Float:
    """Round amounts to whole cents so that they still add up: Hamilton's method of largest remainders.

    Each amount is cut down to the cent; the cents that the rounded total still lacks go one each to the largest
    remainders, the earlier first among equals. So no amount moves by a whole cent, and balanced payments stay balanced.

    Parameters
    ----------
    amounts : array_like
        Amounts [$] of one statement.

    Returns
    -------
    ndarray
        Amounts [$] on whole cents; counted in cents their sum is the rounded sum of the amounts.

    Raises
    ------
    OrderError
        If an amount is not finite, or too large to hold a cent.
    """
    exact = np.asarray(amounts, dtype=np.float64)
    cents = exact.ravel() * 100.0
    bad = ~(np.abs(cents) < _LARGEST_CENTS)
    if bad.any():
        first = float(cents[bad][0]) / 100.0
        raise OrderError("amount", first, f"finite, below {_LARGEST_CENTS / 100.0:.1e}", "check prices and quantities")
    whole = np.floor(cents)
    missing = round(fsum(cents)) - round(fsum(whole))
    whole[np.argsort(whole - cents, kind="stable")[:missing]] += 1.0
    return (whole / 100.0).reshape(exact.shape)
