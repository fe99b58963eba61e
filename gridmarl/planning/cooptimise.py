"""Energy and reserve cleared together: one linear programme, whose duals pay a seller for the trade it gives up.

Per seller i, with o and c the accepted sales and purchases, p = o - c its power, s and n its spin and nonspin, all MW::

    max  sum bid c - sum offer o - sum asked (s + n) - penalty (x_s + x_n)
         sum o = sum c                                       energy price
         sum s + x_s >= spin,  sum n + x_n >= nonspin        reserve prices
         p + s + n <= high,  s <= spin reach,  s + n <= nonspin reach
         (s + n) d + p h <= stored                           storage: d lasts the award, h the interval
         (s + n + p) d <= stored                             storage, d <= h: it can stop charging

The last two are `gridmarl.market.reserve.storage_room` where d <= h. Where d > h that function is not concave in p;
then the first row alone holds. It credits a charging battery with h / d of the power it stops charging: less, not more.

The prices support the outcome: at them no seller prefers another one (Schweppe, Caramanis, Tabors & Bohn 1988). Reserve
cleared after energy, from the rooms that are left, lacks that property: its price knows nothing of the energy margin of
the capacity it buys (Galiana, Bouffard, Arroyo & Restrepo 2005).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, cast

import numpy as np
from scipy.optimize import linprog

from gridmarl.errors import SolverError
from gridmarl.market.auction import clear
from gridmarl.market.orders import Limits
from gridmarl.market.reserve import generator_room, procure, storage_room
from gridmarl.planning.capacity import DUST, Case, Requirement, ReserveSeller, read_case
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


@dataclass(frozen=True, slots=True, eq=False)
class _Program:
    """``min cost x, rows x <= rhs, 0 <= x <= upper``; x is orders, s, n, x_s, x_n; row 0, the balance, has =."""

    cost: Float
    rows: Float
    rhs: Float
    upper: Float


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
    then the reserve prices are. Equal orders at the margin do not share pro rata: the optimum is one of many.

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
    program = _program(case)
    x = _solve(program)
    return _outcome(case, x, _prices(case, program, x))


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
    accepted = energy.cleared_mw
    held = procure(_rooms_left(case, accepted), requirement.spin_mw, requirement.nonspin_mw, penalty_per_mwh)
    short = [held.spin_short_mw, held.nonspin_short_mw]
    x = np.concatenate([accepted, held.spin_mw, held.nonspin_mw, short])
    return _outcome(case, x, (cast(float, energy.price), held.spin_price, held.nonspin_price))


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


def _program(case: Case) -> _Program:
    """The linear programme, row by row as in the module's first lines."""
    m, n, need = len(case.price), len(case.sellers), case.requirement
    high, spin_reach, nonspin_reach, stored = (
        np.array([getattr(seller, field) for seller in case.sellers], dtype=np.float64)
        for field in ("high_mw", "spin_reach_mw", "nonspin_reach_mw", "stored_mwh")
    )
    power = np.zeros((n, m))
    mine = np.flatnonzero(case.owner < n)
    power[case.owner[mine], mine] = case.sign[mine]
    one, stores = np.eye(n), np.isfinite(stored)
    lasting = [_row(power * need.hours, one * need.duration_h, one * need.duration_h)[stores]]
    if need.duration_h <= need.hours:
        lasting.append(_row(power * need.duration_h, one * need.duration_h, one * need.duration_h)[stores])
    balance = np.concatenate([-case.sign, np.zeros(2 * n + 2)])[None, :]
    required = np.zeros((2, m + 2 * n + 2))
    required[0, m : m + n] = required[0, -2] = required[1, m + n : m + 2 * n] = required[1, -1] = -1.0
    rows = [balance, required, _row(power, one, one), _row(0.0 * power, one, one), *lasting]
    rhs = [np.array([0.0, -need.spin_mw, -need.nonspin_mw]), high, nonspin_reach, *[stored[stores]] * len(lasting)]
    return _Program(
        cost=np.concatenate([case.sign * case.price, case.asked, case.asked, np.full(2, case.penalty)]),
        rows=np.concatenate(rows),
        rhs=np.concatenate(rhs),
        upper=np.concatenate([case.quantity, spin_reach, nonspin_reach, [inf, inf]]),
    )


def _row(power: Float, spin: Float, nonspin: Float) -> Float:
    """Rows over orders, s and n; the shorts do not enter."""
    return np.hstack([power, spin, nonspin, np.zeros((len(power), 2))])


def _solve(program: _Program) -> Float:
    """The optimum x, within its bounds."""
    bounds = np.column_stack([np.zeros_like(program.upper), program.upper])
    rows, rhs = program.rows, program.rhs
    x = _highs(program.cost, rows[1:], rhs[1:], bounds, rows[:1], rhs[:1])
    return np.clip(x, 0.0, program.upper)


def _prices(case: Case, program: _Program, x: Float) -> tuple[float, float, float]:
    """Of all prices y that support x, the lowest energy price, and then the lowest reserve prices.

    They are the optimal face of the dual: the reduced cost ``cost + y rows`` is >= 0 for what is not full, <= 0 for
    what is not empty, and a row with slack is worth 0. Where nothing trades, the energy price is nearest to 0.
    """
    dust = DUST * max(1.0, float(np.max(x, initial=0.0)))
    not_full, not_empty = x < program.upper - dust, x > dust
    columns = program.rows.T
    within = np.concatenate([-columns[not_full], columns[not_empty]])
    limit = np.concatenate([program.cost[not_full], -program.cost[not_empty]])
    tight = program.rhs - program.rows @ x <= dust
    bounds = np.column_stack([np.zeros(len(tight)), np.where(tight, inf, 0.0)])
    bounds[0] = case.limits.floor, case.limits.voll
    energy = np.eye(len(tight))[0]
    lowest = _highs(energy, within, limit, bounds)[0]
    if not np.any(not_empty[: len(case.price)]) and lowest < 0.0:
        highest = _highs(-energy, within, limit, bounds)[0]
        lowest = min(highest, 0.0)
    bounds[0] = lowest, lowest
    y = _highs(np.eye(len(tight))[1] + np.eye(len(tight))[2], within, limit, bounds)
    return float(lowest), float(y[1]), float(y[2])


def _highs(
    cost: Float, rows: Float, rhs: Float, bounds: Float, equal: Float | None = None, equal_rhs: Float | None = None
) -> Float:
    """Minimise with HiGHS."""
    answer = linprog(cost, rows, rhs, equal, equal_rhs, bounds, method="highs")
    if cast(int, answer.status) != 0:
        raise SolverError("joint clearing", str(answer.message), "an optimum", "bring quantities and prices near 1")
    return np.asarray(answer.x, dtype=np.float64)


def _rooms_left(case: Case, accepted: Float) -> Float:
    """Rooms and asked prices (seller, 3) after energy has cleared."""
    rooms = np.zeros((len(case.sellers), 3))
    need = case.requirement
    for i, (seller, power) in enumerate(zip(case.sellers, case.power(accepted).tolist(), strict=True)):
        lasts = inf
        if seller.stored_mwh < inf:
            lasts = storage_room(seller.high_mw, power, seller.stored_mwh, 1.0, need.duration_h, need.hours)
        spin = generator_room(seller.high_mw, power, seller.spin_reach_mw, 1.0)
        nonspin = generator_room(seller.high_mw, power, seller.nonspin_reach_mw, 1.0)
        rooms[i] = min(spin, lasts), min(nonspin, lasts), seller.asked_per_mwh
    return rooms


def _outcome(case: Case, x: Float, prices: tuple[float, float, float]) -> JointClearing:
    """Name the parts of a solution and what they are worth."""
    m, n = len(case.price), len(case.sellers)
    accepted, spin, nonspin = x[:m], x[m : m + n], x[m + n : m + 2 * n]
    value = case.sign * case.price * accepted
    energy, spin_price, nonspin_price = prices
    traded = np.bincount(case.owner, weights=case.sign * accepted * energy - value, minlength=n + 1)[:n]
    held = spin_price * spin + nonspin_price * nonspin - case.asked * (spin + nonspin)
    return JointClearing(
        energy_price=energy,
        spin_price=spin_price,
        nonspin_price=nonspin_price,
        offered_mw=accepted[: case.n_offers],
        bid_mw=accepted[case.n_offers :],
        spin_mw=spin,
        nonspin_mw=nonspin,
        spin_short_mw=float(x[-2]),
        nonspin_short_mw=float(x[-1]),
        cost_per_h=float(value.sum() + case.asked @ (spin + nonspin) + case.penalty * (x[-2] + x[-1])),
        profit_per_h=traded + held,
    )
