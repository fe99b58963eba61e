"""The same orders and sellers of reserve cleared jointly and in turn, from tables, side by side.

`gridmarl.market.joint` says what joint clearing is. In turn, energy clears first, and reserve is bought from the rooms
that it leaves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, cast

import numpy as np

from gridmarl.market.auction import clear
from gridmarl.market.clearing import LOWER
from gridmarl.market.joint import Awards, Requirement, clear_together
from gridmarl.market.orders import Limits
from gridmarl.market.reserve import generator_room, procure, storage_room
from gridmarl.planning.capacity import Case, ReserveSeller, read_case
from gridmarl.units import Float

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False)
class JointClearing:
    """Energy and reserve of one interval, whichever way they were cleared; $/h are of a full hour."""

    energy_price: float  # $/MWh
    spin_price: float  # $/MWh
    nonspin_price: float  # $/MWh
    offered_mw: Float  # (offer,) accepted
    bid_mw: Float  # (bid,) accepted
    spin_mw: Float  # (seller,)
    nonspin_mw: Float  # (seller,)
    spin_short_mw: float
    nonspin_short_mw: float
    cost_per_h: float  # accepted offers - accepted bids + asked reserve + penalty
    profit_per_h: Float  # (seller,) revenue less what its accepted orders and reserve asked


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """The same orders cleared jointly and in turn."""

    sellers: tuple[str, ...]
    jointly: JointClearing
    in_turn: JointClearing

    def table(self) -> pd.DataFrame:
        """One column a clearing: cost, prices, missing MW, and the profit of each seller."""
        import pandas as pd

        return pd.DataFrame({"jointly": self._column(self.jointly), "in turn": self._column(self.in_turn)})

    def _column(self, clearing: JointClearing) -> dict[str, float]:
        names = ("cost_per_h", "energy_price", "spin_price", "nonspin_price", "spin_short_mw", "nonspin_short_mw")
        rows = {name: float(getattr(clearing, name)) for name in names}
        profits = zip(self.sellers, clearing.profit_per_h.tolist(), strict=True)
        return rows | {f"profit_per_h of {seller}": profit for seller, profit in profits}


def clear_jointly(
    offers: pd.DataFrame,
    bids: pd.DataFrame,
    reserve: Sequence[ReserveSeller],
    requirement: Requirement,
    penalty_per_mwh: float,
    *,
    limits: Limits | None = None,
) -> JointClearing:
    """Clear energy and reserve in one linear programme.

    Where several prices support the outcome, the energy price is the lowest, as in `gridmarl.market.auction.clear`, and
    then the reserve prices are. Equal orders share pro rata where the limits of their sellers allow it.

    Parameters
    ----------
    offers, bids : DataFrame
        Orders of one interval with ``participant``, ``price`` and ``quantity``, as `clear` reads them; no ``side``.
        Inelastic load bids the value of lost load. Not changed.
    reserve : sequence of ReserveSeller
        Who can hold reserve. A participant without an entry trades energy only.
    requirement : Requirement
        What must be held.
    penalty_per_mwh : float
        Price of a missing MW of either product [$/MWh].
    limits : Limits, optional
        Floor, cap and value of lost load.

    Returns
    -------
    JointClearing
        Prices, awards, and what is missing.

    Raises
    ------
    OrderError
        If an order, a seller or a number breaks a rule, a seller has no order, or offers more than it can deliver.
    SolverError
        If HiGHS has no answer.
    """
    case = read_case(offers, bids, reserve, requirement, penalty_per_mwh, limits or Limits())
    return _outcome(case, clear_together(case.market, LOWER))


def clear_in_turn(
    offers: pd.DataFrame,
    bids: pd.DataFrame,
    reserve: Sequence[ReserveSeller],
    requirement: Requirement,
    penalty_per_mwh: float,
    *,
    limits: Limits | None = None,
) -> JointClearing:
    """Clear energy first and buy reserve from the rooms that it leaves; parameters and errors as `clear_jointly`."""
    case = read_case(offers, bids, reserve, requirement, penalty_per_mwh, limits or Limits())
    orders = _one_book(case.offers, case.bids)
    at = case.limits
    energy = clear(orders, floor=at.floor, cap=at.cap, voll=at.voll)
    rooms = _rooms_left(case, energy.cleared_mw)
    held = procure(rooms, requirement.spin_mw, requirement.nonspin_mw, penalty_per_mwh)
    low, high = cast("tuple[float, float]", energy.price_interval)
    awards = Awards(
        accepted_mw=energy.cleared_mw,
        spin_mw=held.spin_mw,
        nonspin_mw=held.nonspin_mw,
        spin_short_mw=held.spin_short_mw,
        nonspin_short_mw=held.nonspin_short_mw,
        energy_price=cast(float, energy.price),
        energy_low=low,
        energy_high=high,
        spin_price=held.spin_price,
        nonspin_price=held.nonspin_price,
    )
    return _outcome(case, awards)


def compare_clearings(
    offers: pd.DataFrame,
    bids: pd.DataFrame,
    reserve: Sequence[ReserveSeller],
    requirement: Requirement,
    penalty_per_mwh: float,
    *,
    limits: Limits | None = None,
) -> Comparison:
    """Clear the same orders jointly and in turn; parameters and errors as `clear_jointly`."""
    return Comparison(
        sellers=tuple(seller.name for seller in reserve),
        jointly=clear_jointly(offers, bids, reserve, requirement, penalty_per_mwh, limits=limits),
        in_turn=clear_in_turn(offers, bids, reserve, requirement, penalty_per_mwh, limits=limits),
    )


def _one_book(offers: pd.DataFrame, bids: pd.DataFrame) -> pd.DataFrame:
    """Offers, then bids."""
    import pandas as pd

    sides = [frame.assign(side=side) for frame, side in ((offers, "sell"), (bids, "buy")) if len(frame)]
    return pd.concat(sides, ignore_index=True) if sides else offers.iloc[:0].assign(side="sell")


def _rooms_left(case: Case, accepted: Float) -> Float:
    """Rooms and asked prices (seller, 3) after energy has cleared."""
    rooms = np.zeros((len(case.sellers), 3))
    need = case.market.requirement
    for i, (seller, power) in enumerate(zip(case.sellers, case.market.power(accepted).tolist(), strict=True)):
        lasts = inf
        if seller.stored_mwh < inf:
            lasts = storage_room(seller.high_mw, power, seller.stored_mwh, 1.0, need.duration_h, need.hours)
        spin = generator_room(seller.high_mw, power, seller.spin_reach_mw, 1.0)
        nonspin = generator_room(seller.high_mw, power, seller.nonspin_reach_mw, 1.0)
        rooms[i] = min(spin, lasts), min(nonspin, lasts), seller.asked_per_mwh
    return rooms


def _outcome(case: Case, awards: Awards) -> JointClearing:
    """What the awards are worth."""
    market, accepted, n = case.market, awards.accepted_mw, len(case.sellers)
    value = market.sign * market.price * accepted
    margin = market.sign * accepted * awards.energy_price - value
    held, asked = awards.spin_mw + awards.nonspin_mw, market.sellers.asked_per_mwh
    paid = awards.spin_price * awards.spin_mw + awards.nonspin_price * awards.nonspin_mw
    missing = awards.spin_short_mw + awards.nonspin_short_mw
    return JointClearing(
        energy_price=awards.energy_price,
        spin_price=awards.spin_price,
        nonspin_price=awards.nonspin_price,
        offered_mw=accepted[: len(case.offers)],
        bid_mw=accepted[len(case.offers) :],
        spin_mw=awards.spin_mw,
        nonspin_mw=awards.nonspin_mw,
        spin_short_mw=awards.spin_short_mw,
        nonspin_short_mw=awards.nonspin_short_mw,
        cost_per_h=float(value.sum() + asked @ held + market.penalty_per_mwh * missing),
        profit_per_h=np.bincount(market.seller, weights=margin, minlength=n + 1)[:n] + paid - asked * held,
    )
