"""Who can hold reserve, and the checked numbers of one clearing, from tables of orders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final

import numpy as np

from gridmarl.errors import OrderError, nearest
from gridmarl.market.joint import JointMarket, Requirement, Sellers
from gridmarl.market.orders import Limits, Orders, read_orders

if TYPE_CHECKING:
    import pandas as pd

DUST: Final = 1e-7
"""Share of what a seller can deliver by which its offers may exceed that."""


@dataclass(frozen=True, slots=True)
class ReserveSeller:
    """What one participant could deliver upwards, before energy is cleared.

    Parameters
    ----------
    name : str
        The participant of its orders.
    high_mw : float
        Most power it can inject in the interval, energy and reserve together.
    spin_reach_mw, nonspin_reach_mw : float
        Increase of power within the shorter and the longer response time (ramp x time).
    asked_per_mwh : float
        Price asked for a MW of either product.
    stored_mwh : float
        Storage: what it could deliver to the grid, energy above the minimum x discharge efficiency.

    Raises
    ------
    OrderError
        If a number is NaN or negative, a price is infinite, or the spin reach exceeds the nonspin reach.
    """

    name: str
    high_mw: float
    spin_reach_mw: float
    nonspin_reach_mw: float
    asked_per_mwh: float = 0.0
    stored_mwh: float = inf

    def __post_init__(self) -> None:
        for field in ("high_mw", "spin_reach_mw", "nonspin_reach_mw", "asked_per_mwh", "stored_mwh"):
            value = getattr(self, field)
            if not (value >= 0.0 and (value < inf or field == "stored_mwh")):
                allowed = ">= 0" if field == "stored_mwh" else "finite and >= 0"
                raise OrderError(f"{self.name}.{field}", value, allowed, "correct the seller")
        if self.spin_reach_mw > self.nonspin_reach_mw:
            allowed = f"at most nonspin_reach_mw = {self.nonspin_reach_mw:g}"
            raise OrderError(f"{self.name}.spin_reach_mw", self.spin_reach_mw, allowed, "correct the seller")


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One clearing: the tables as they were given, and all numbers of both; offers stand before bids."""

    offers: pd.DataFrame
    bids: pd.DataFrame
    sellers: tuple[ReserveSeller, ...]
    limits: Limits
    market: JointMarket


def read_case(
    offers: pd.DataFrame,
    bids: pd.DataFrame,
    reserve: Sequence[ReserveSeller],
    requirement: Requirement,
    penalty: float,
    limits: Limits,
) -> Case:
    """Check everything and number the sellers.

    Parameters
    ----------
    offers, bids, reserve, requirement, penalty, limits
        As in `gridmarl.planning.cooptimise.clear_jointly`.

    Raises
    ------
    OrderError
        If one of them breaks a rule.
    """
    _check("penalty_per_mwh", penalty, 0.0 <= penalty < inf, "finite and >= 0")
    sides = [read_orders(frame.assign(side=side), limits=limits) for frame, side in ((offers, "sell"), (bids, "buy"))]
    traders = [name for side in sides for name in _traders(side)]
    place = _places(reserve, traders)
    count = [len(side.price) for side in sides]
    market = JointMarket(
        price=np.concatenate([side.price for side in sides]),
        quantity=np.concatenate([side.quantity for side in sides]),
        sign=np.repeat([1.0, -1.0], count),
        rank=np.zeros(sum(count), dtype=np.int64),
        seller=np.array([place.get(name, len(reserve)) for name in traders], dtype=np.int64),
        sellers=_columns(reserve),
        requirement=requirement,
        penalty_per_mwh=float(penalty),
        floor_per_mwh=limits.floor,
        voll_per_mwh=limits.voll,
    )
    case = Case(offers, bids, tuple(reserve), limits, market)
    _check_deliverable(case)
    return case


def _columns(reserve: Sequence[ReserveSeller]) -> Sellers:
    fields = ("high_mw", "spin_reach_mw", "nonspin_reach_mw", "stored_mwh", "asked_per_mwh")
    return Sellers(**{f: np.array([getattr(seller, f) for seller in reserve], dtype=np.float64) for f in fields})


def _check_deliverable(case: Case) -> None:
    """Refuse energy offers that the seller's limits rule out even without reserve."""
    market = case.market
    offered = market.power(np.where(market.sign > 0.0, market.quantity, 0.0))
    for seller, mw in zip(case.sellers, offered.tolist(), strict=True):
        most = min(seller.high_mw, seller.stored_mwh / market.requirement.hours)
        if mw > most + DUST * max(1.0, most):
            raise OrderError(f"offers of {seller.name}", mw, f"at most {most:g} MW in all", "offer what is deliverable")


def _traders(orders: Orders) -> list[str]:
    if orders.period is not None:
        raise OrderError("orders", "a column 'period'", "orders of one interval", "clear each period on its own")
    if orders.participant is None:
        if len(orders.price):
            raise OrderError("orders without a participant", None, "a column 'participant'", "name who trades")
        return []
    return [str(name) for name in orders.participant]


def _places(reserve: Sequence[ReserveSeller], traders: Sequence[str]) -> dict[str, int]:
    """Position of each seller; it must trade energy too, if only a quantity of 0, so that a typo cannot hide."""
    place: dict[str, int] = {}
    for i, seller in enumerate(reserve):
        if seller.name in place:
            raise OrderError("reserve seller", seller.name, "one entry a seller", "drop the second")
        if seller.name not in traders:
            remedy = nearest(seller.name, traders) or "add an order, of 0 MW if it only holds reserve"
            raise OrderError("reserve seller", seller.name, "a participant with an order", remedy)
        place[seller.name] = i
    return place


def _check(thing: str, value: float, good: bool, allowed: str) -> None:
    if not good:
        raise OrderError(thing, value, allowed, "correct the number")
