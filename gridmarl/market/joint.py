"""Energy and reserve cleared together: one linear programme, whose duals pay a seller for the trade it gives up.

Per seller i, with o and c the accepted sales and purchases, p = o - c its power, s and n its spin and nonspin, all MW::

    max  sum bid c - sum offer o - sum asked (s + n) - penalty (x_s + x_n)
         sum o = sum c                                       energy price
         sum s + x_s >= spin,  sum n + x_n >= nonspin        reserve prices
         p + s + n <= high,  s <= spin reach,  s + n <= nonspin reach
         p h / d + s + n <= stored / d                       storage that may sell: d lasts the award, h the interval
         p       + s + n <= stored / d                       storage that may buy: an award also stops its charging

The last two are `gridmarl.market.reserve.storage_room`: exactly so where a seller's orders are all offers or all bids,
or where d <= h. Otherwise that function is not concave in p, and the first of them alone holds: it credits charging
that an award stops with h / d of its power, which is less, not more.

The prices support the outcome: at them no seller prefers another one (Schweppe, Caramanis, Tabors & Bohn 1988). Reserve
cleared after energy, from the rooms that are left, lacks that property: its price knows nothing of the energy margin of
the capacity it buys (Galiana, Bouffard, Arroyo & Restrepo 2005).

Of many optima the most even one is taken: first as much trade as possible, then lower ranks first, then pro rata. Where
sellers of reserve tie, their limits may stand against that.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Final

import numpy as np

from gridmarl.errors import OrderError
from gridmarl.market.clearing import MIDPOINT, UPPER
from gridmarl.market.linear import LinearProgram
from gridmarl.market.ties import nearest_point
from gridmarl.units import QUANTITY_TOLERANCE, Bool, Float, Int

DUST: Final = 1e-8
"""Quantities within this of a bound count as at it, where the largest one is about 1."""
PRICE_DUST: Final = 1e-7
"""Prices within this count as equal [$/MWh]."""
BALANCE, SPIN, NONSPIN = range(3)
"""Rows that all share: their prices are those of energy and of the two products."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """Reserve to be held [MW], and how long it must last [h].

    Raises
    ------
    OrderError
        If a number is not finite, an amount is negative or a time is not positive.
    """

    spin_mw: float
    nonspin_mw: float
    duration_h: float = 1.0
    hours: float = 1.0
    """Length of the interval [h]."""

    def __post_init__(self) -> None:
        for field in ("spin_mw", "nonspin_mw"):
            self._check(field, 0.0 <= getattr(self, field) < inf, "finite and >= 0")
        for field in ("duration_h", "hours"):
            self._check(field, 0.0 < getattr(self, field) < inf, "finite and > 0")

    def _check(self, field: str, good: bool, allowed: str) -> None:
        if not good:
            raise OrderError(f"requirement.{field}", getattr(self, field), allowed, "correct the number")


@dataclass(frozen=True, slots=True, eq=False)
class Sellers:
    """Who can hold reserve: what each could deliver upwards before energy is cleared, and asks for it."""

    high_mw: Float  # (seller,) most power, energy and reserve together
    spin_reach_mw: Float  # (seller,) increase of power within the shorter response time
    nonspin_reach_mw: Float  # (seller,) and within the longer one
    stored_mwh: Float  # (seller,) what storage could deliver; infinite for others
    asked_per_mwh: Float  # (seller,)


@dataclass(frozen=True, slots=True, eq=False)
class JointMarket:
    """All numbers of one interval. Orders of nobody who sells reserve have the seller len(sellers)."""

    price: Float  # (order,) $/MWh
    quantity: Float  # (order,) MW
    sign: Float  # (order,) +1 offers, -1 bids: what an accepted MW injects
    rank: Int  # (order,) class within a price; the lower goes first
    seller: Int  # (order,) whose capacity it takes
    sellers: Sellers
    requirement: Requirement
    penalty_per_mwh: float  # price of a missing MW of either product
    floor_per_mwh: float
    voll_per_mwh: float

    def power(self, accepted: Float) -> Float:
        """Power of each seller, (seller,) MW."""
        count = len(self.sellers.high_mw)
        power = np.bincount(self.seller, weights=self.sign * accepted, minlength=count + 1)
        return power[:count].astype(np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Awards:
    """What a joint clearing decided."""

    accepted_mw: Float  # (order,)
    spin_mw: Float  # (seller,)
    nonspin_mw: Float  # (seller,)
    spin_short_mw: float
    nonspin_short_mw: float
    energy_price: float  # $/MWh
    energy_low: float  # $/MWh, of all energy prices that support the outcome
    energy_high: float  # $/MWh
    spin_price: float  # $/MWh
    nonspin_price: float  # $/MWh


@dataclass(frozen=True, slots=True, eq=False)
class _Program:
    """``min cost x, rows x <= rhs, 0 <= x <= upper``; x is orders, s, n, x_s, x_n; row 0, the balance, has =.

    Quantities are shares of ``scale`` MW, a power of two, so that dividing rounds nothing.
    """

    cost: Float
    rows: Float
    rhs: Float
    upper: Float
    scale: float

    def optimum(self) -> Float:
        """One of its optima, within the bounds."""
        low = np.full(len(self.rhs), -inf)
        low[BALANCE] = 0.0
        program = LinearProgram(self.rows, low, self.rhs, np.zeros_like(self.upper), self.upper)
        return np.clip(program.minimise(self.cost), 0.0, self.upper)

    def supporting(self, x: Float, most: float) -> LinearProgram:
        """All prices y of the rows that support x, the balance's within plus and minus ``most``.

        They are the optimal face of the dual: the reduced cost ``cost + y rows`` is >= 0 for what is not full, <= 0 for
        what is not empty, and a row with slack is worth 0.
        """
        low = np.where(x < self.upper - DUST, -self.cost, -inf)
        high = np.where(x > DUST, -self.cost, inf)
        least = np.zeros(len(self.rhs))
        highest = np.where(self.rhs - self.rows @ x <= DUST, inf, 0.0)
        least[BALANCE], highest[BALANCE] = -most, most
        return LinearProgram(self.rows.T, low, high, least, highest)

    def nearest(self, prices: Float, x: Float, wish: Float, size: Float) -> Float:
        """Of all optima, given one and prices that support it, the nearest to a wish in squares over ``size``.

        At the prices, what has a reduced cost is empty or full, and a row that is worth something has no slack; the
        rest is free.
        """
        reduced, matters = self.cost + prices @ self.rows, self.upper > DUST
        free = matters & (np.abs(reduced) <= PRICE_DUST)
        x = np.where(matters & ~free, np.where(reduced > 0.0, 0.0, self.upper), x)
        rows, left = self.rows[:, free], self.rhs - self.rows[:, ~free] @ x[~free]
        bound = prices > PRICE_DUST
        bound[BALANCE] = True
        loose = ~bound & rows.any(axis=1)
        x[free] = nearest_point(
            rows[bound],
            left[bound],
            rows[loose],
            left[loose],
            self.upper[free],
            x[free],
            wish[free],
            1.0 / np.sqrt(size[free]),
        )
        return np.clip(x, 0.0, self.upper)


def clear_together(market: JointMarket, pricing: int) -> Awards:
    """Clear energy and reserve in one linear programme.

    Parameters
    ----------
    market : JointMarket
    pricing : int
        ``LOWER``, ``UPPER`` or ``MIDPOINT`` of `gridmarl.market.clearing`: which of the energy prices that support the
        outcome is the price. The reserve prices are the lowest beside it.

    Raises
    ------
    SolverError
        If HiGHS has no answer.
    """
    program = _program(market)
    x = program.optimum()
    prices, low, high = _prices(market, program, x, pricing)
    x = program.nearest(prices, x, *_wish(market, program))
    return _awards(market, x * program.scale, prices, low, high)


def _program(market: JointMarket) -> _Program:
    """The linear programme, row by row as in the module's first lines."""
    sellers, need, orders, n = market.sellers, market.requirement, len(market.price), len(market.sellers.high_mw)
    scale = _scale(market)
    power, one = np.zeros((n, orders)), np.eye(n)
    mine = np.flatnonzero(market.seller < n)
    power[market.seller[mine], mine] = market.sign[mine]
    common = np.zeros((3, orders + 2 * n + 2))
    common[BALANCE, :orders] = -market.sign
    common[SPIN, [*range(orders, orders + n), -2]] = common[NONSPIN, [*range(orders + n, orders + 2 * n), -1]] = -1.0
    most = sellers.high_mw + np.bincount(market.seller, (market.sign < 0.0) * market.quantity, n + 1)[:n]
    spin_reach, nonspin_reach = np.minimum(sellers.spin_reach_mw, most), np.minimum(sellers.nonspin_reach_mw, most)
    sells, buys = _storage_rows(market)
    lasting, stored = need.hours / need.duration_h, sellers.stored_mwh / need.duration_h
    rows = [_row(factor * power, one) for factor in (1.0, 0.0, lasting, 1.0)]
    rhs = [[0.0, -need.spin_mw, -need.nonspin_mw], sellers.high_mw, nonspin_reach, stored[sells], stored[buys]]
    short = [need.spin_mw + scale, need.nonspin_mw + scale]  # more than can be
    asked, penalties = sellers.asked_per_mwh, np.full(2, market.penalty_per_mwh)
    return _Program(
        cost=np.concatenate([market.sign * market.price, asked, asked, penalties]),
        rows=np.concatenate([common, rows[0], rows[1], rows[2][sells], rows[3][buys]]),
        rhs=np.concatenate(rhs) / scale,
        upper=np.concatenate([market.quantity, spin_reach, nonspin_reach, short]) / scale,
        scale=scale,
    )


def _row(power: Float, one: Float) -> Float:
    """A row a seller: over orders, s and n; the shorts do not enter."""
    return np.hstack([power, one, one, np.zeros((len(power), 2))])


def _scale(market: JointMarket) -> float:
    """The power of two from the largest quantity up, MW."""
    need = market.requirement
    quantities = [market.quantity, market.sellers.high_mw, [need.spin_mw, need.nonspin_mw, QUANTITY_TOLERANCE]]
    return float(2.0 ** np.ceil(np.log2(np.max(np.concatenate(quantities)))))


def _storage_rows(market: JointMarket) -> tuple[Bool, Bool]:
    """Which sellers' storage has the row of those that may sell, and which the row of those that may buy."""
    count, some, need = len(market.sellers.high_mw), market.quantity > 0.0, market.requirement
    offers, bids = (np.bincount(market.seller[some & (market.sign == k)], minlength=count + 1)[:count] for k in (1, -1))
    stores, concave = np.isfinite(market.sellers.stored_mwh), need.duration_h <= need.hours
    return stores & ((offers > 0) | (bids == 0)), stores & (bids > 0) & ((offers == 0) | concave)


def _prices(market: JointMarket, program: _Program, x: Float, pricing: int) -> tuple[Float, float, float]:
    """Prices of the rows, the energy price by its rule and then the lowest reserve prices; the energy price's ends."""
    floor, voll, need = market.floor_per_mwh, market.voll_per_mwh, market.requirement
    reserve = 2.0 * market.penalty_per_mwh * max(1.0, need.hours / need.duration_h)
    face = program.supporting(x, max(abs(floor), voll) + reserve)  # no MW is worth more
    energy, products = np.zeros(len(program.rhs)), np.zeros(len(program.rhs))
    energy[BALANCE] = products[SPIN] = products[NONSPIN] = 1.0
    lowest, highest = float(face.minimise(energy)[BALANCE]), float(face.minimise(-energy)[BALANCE])
    low, high = max(lowest, min(floor, highest)), min(highest, max(voll, lowest))
    traded = program.scale * float(np.sum(x[: len(market.price)])) > 2.0 * QUANTITY_TOLERANCE
    face.fix(BALANCE, _price_within(low, high, traded, pricing))
    return face.minimise(products), low, high


def _price_within(low: float, high: float, traded: bool, pricing: int) -> float:
    """The price that the rule picks from the interval; where nothing traded, the point nearest 0."""
    if not traded:
        return min(max(low, 0.0), high)
    return {UPPER: high, MIDPOINT: 0.5 * (low + high)}.get(pricing, low)


def _wish(market: JointMarket, program: _Program) -> tuple[Float, Float]:
    """What makes the even optimum: an order wishes for a multiple of its size, the larger the lower its rank.

    Twice its size and more is what no order gets, so all want to trade; and a rank wants more than any share of a later
    one. Reserve wishes for nothing, so that it spreads by size.
    """
    orders, last = len(market.price), np.max(market.rank, initial=0)
    size = np.concatenate([program.upper[:-2], [1.0, 1.0]])
    wish = np.zeros_like(size)
    wish[:orders] = 2.0 * (1 + last - market.rank) * size[:orders]
    return wish, size


def _awards(market: JointMarket, x: Float, prices: Float, low: float, high: float) -> Awards:
    """Name the parts of a solution."""
    m, n, need = len(market.price), len(market.sellers.high_mw), market.requirement
    spin, nonspin = x[m : m + n], x[m + n : m + 2 * n]
    dust = DUST * max(1.0, need.spin_mw, need.nonspin_mw)
    short = [max(need.spin_mw - float(spin.sum()), 0.0), max(need.nonspin_mw - float(nonspin.sum()), 0.0)]
    spin_short, nonspin_short = (mw if mw > dust else 0.0 for mw in short)
    return Awards(
        accepted_mw=_balanced(market, x[:m]),
        spin_mw=spin,
        nonspin_mw=nonspin,
        spin_short_mw=spin_short,
        nonspin_short_mw=nonspin_short,
        energy_price=float(prices[0]),
        energy_low=low,
        energy_high=high,
        spin_price=market.penalty_per_mwh if spin_short > 0.0 else float(prices[1]),
        nonspin_price=market.penalty_per_mwh if nonspin_short > 0.0 else float(prices[2]),
    )


def _balanced(market: JointMarket, accepted: Float) -> Float:
    """Take the solver's dust from the side that has too much, from its marginal orders if it has any."""
    surplus = float(market.sign @ accepted)
    side = (market.sign * surplus > 0.0) & (accepted > 0.0)
    marginal = side & (accepted < market.quantity)
    taken = marginal if accepted[marginal].sum() > abs(surplus) else side
    keep = 1.0 - abs(surplus) / accepted[taken].sum() if surplus != 0.0 else 1.0
    return np.where(taken, keep * accepted, accepted)
