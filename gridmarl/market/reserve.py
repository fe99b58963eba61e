"""Reserve capacity auctions: buy spinning and non-spinning head-room after energy has cleared, cheapest first.

Seller i asks a_i for S_i MW of spin and N_i >= S_i MW in all. The auction solves, exactly and in one pass::

    min  sum a_i (s_i + n_i) + penalty (x_s + x_n)
    s_i <= S_i,   s_i + n_i <= N_i,   sum s + x_s = spin,   sum n + x_n = nonspin

Why one pass is enough. Cut a seller into S_i MW that serve either product and N_i - S_i MW that serve nonspin only: the
rooms are the same. The requirements are then nested (spin of the first kind; spin + nonspin of both), a polymatroid on
which greedy is optimal (Edmonds 1970): the cheapest spin-capable MW serve spin, the cheapest of all that is left serves
nonspin. Missing MW are a last seller that asks the penalty and can do both.

Prices are duals of the two requirements. Nonspin is worth the dearest MW that serves it. Spin is worth the dearest MW
that serves it, but no less than nonspin, which those MW could serve instead (Oren 2001 on substitution of reserves).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

import numpy as np
from numpy.typing import ArrayLike

from gridmarl.errors import OrderError, nearest
from gridmarl.kernels import kernel
from gridmarl.units import QUANTITY_TOLERANCE, Bool, Float, Int

if TYPE_CHECKING:
    import pandas as pd

# Columns of the offers (seller, column): rooms and asked price in, awards out.
SPIN_ROOM_MW, NONSPIN_ROOM_MW, ASKED_PER_MWH, SPIN_MW, NONSPIN_MW = range(5)
RESERVE_COLUMNS = 5
# Columns of an outcome: prices [$/MWh] and what is missing [MW].
SPIN_PRICE, NONSPIN_PRICE, SPIN_SHORT, NONSPIN_SHORT = range(4)

COLUMNS: Final = ("spin_room_mw", "nonspin_room_mw", "asked_per_mwh")
"""What `procure` reads of its offers."""


@kernel
def generator_room(high_mw: float, output_mw: float, ramp_mw_per_min: float, response_min: float) -> float:
    """Upward capacity that a running unit reaches within the response time, MW (>= 0)."""
    return max(min(high_mw - output_mw, ramp_mw_per_min * response_min), 0.0)


@kernel
def storage_room(
    limit_mw: float,
    power_mw: float,
    energy_above_min_mwh: float,
    discharge_efficiency: float,
    duration_h: float,
    hours: float,
) -> float:
    """Upward capacity that stored energy sustains, MW (>= 0).

    With p the scheduled power, E the energy above the minimum and η the discharge efficiency, the award r obeys::

        p + r <= limit                       the rating
        p h + r d <= η E      if p > 0       lasts for d when the interval h has been delivered
        (p + r) d <= η E      if p <= 0      stops charging, which would have gone on for d, and discharges the rest

    Energy charged within the interval is not counted on.

    Parameters
    ----------
    limit_mw : float
        Most discharging power [MW].
    power_mw : float
        Scheduled power of the interval [MW], + discharges.
    energy_above_min_mwh : float
        Stored energy above its minimum at the interval's start [MWh].
    discharge_efficiency : float
        One-way, in (0, 1].
    duration_h : float
        How long an activated award must last [h], > 0.
    hours : float
        Length of the interval [h].
    """
    scheduled_mwh = power_mw * hours if power_mw > 0.0 else power_mw * duration_h
    sustained_mw = (energy_above_min_mwh * discharge_efficiency - scheduled_mwh) / duration_h
    return max(min(limit_mw - power_mw, sustained_mw), 0.0)


@kernel
def _rooms(offers: Float, order: Int, first: int, count: int) -> tuple[int, float, float]:
    """End of the run of equal asked prices that starts at ``first``, and its spin and total room [MW]."""
    asked = offers[order[first], ASKED_PER_MWH]
    spin_room, room = 0.0, 0.0
    end = first
    while end < count and offers[order[end], ASKED_PER_MWH] == asked:
        seller = order[end]
        spin_room += min(offers[seller, SPIN_ROOM_MW], offers[seller, NONSPIN_ROOM_MW])
        room += offers[seller, NONSPIN_ROOM_MW]
        end += 1
    return end, spin_room, room


@kernel
def _award(
    offers: Float, order: Int, first: int, end: int, spin_room: float, room: float, spin_mw: float, nonspin_mw: float
) -> None:
    """Share spin over the spin rooms of a run, then nonspin over what that leaves, both pro rata."""
    left = room - spin_mw
    spin_share = spin_mw / spin_room if spin_mw > 0.0 else 0.0
    nonspin_share = min(nonspin_mw / left, 1.0) if nonspin_mw > 0.0 else 0.0
    for k in range(first, end):
        seller = order[k]
        spin = spin_share * min(offers[seller, SPIN_ROOM_MW], offers[seller, NONSPIN_ROOM_MW])
        offers[seller, SPIN_MW] = spin
        offers[seller, NONSPIN_MW] = nonspin_share * (offers[seller, NONSPIN_ROOM_MW] - spin)


@kernel
def clear_reserve(
    offers: Float,
    order: Int,
    count: int,
    spin_mw: float,
    nonspin_mw: float,
    penalty_per_mwh: float,
    outcome: Float,
) -> None:
    """Award spin and nonspin at least cost and price both.

    A product without a requirement costs 0. With both required, spin never costs less than nonspin. Equal asked prices
    share pro rata. Who asks more than the penalty is not bought.

    Parameters
    ----------
    offers : (>= count, 5) float64
        In: ``SPIN_ROOM_MW``, ``NONSPIN_ROOM_MW`` (all that is reached within the longer response time) [MW], >= 0, and
        ``ASKED_PER_MWH``, not NaN. Out: ``SPIN_MW``, ``NONSPIN_MW``.
    order : (>= count,) int64
        The sellers by rising asked price in its first ``count`` entries.
    count : int
        Number of sellers.
    spin_mw, nonspin_mw : float
        Requirements [MW], >= 0.
    penalty_per_mwh : float
        Price of a missing MW [$/MWh].
    outcome : (4,) float64
        Filled with ``SPIN_PRICE``, ``NONSPIN_PRICE`` [$/MWh], ``SPIN_SHORT``, ``NONSPIN_SHORT`` [MW].
    """
    spin_dust = QUANTITY_TOLERANCE * max(1.0, spin_mw)
    nonspin_dust = QUANTITY_TOLERANCE * max(1.0, nonspin_mw)
    spin_left, nonspin_left = spin_mw, nonspin_mw
    spin_price, nonspin_price = 0.0, 0.0
    first = 0
    while first < count and (spin_left > 0.0 or nonspin_left > 0.0):
        asked = offers[order[first], ASKED_PER_MWH]
        end, spin_room, room = _rooms(offers, order, first, count)
        spin, nonspin = 0.0, 0.0
        if asked <= penalty_per_mwh:
            spin = min(spin_left, spin_room)
            nonspin = min(nonspin_left, room - spin)
        _award(offers, order, first, end, spin_room, room, spin, nonspin)
        if spin > 0.0 and spin_left > spin_dust:
            spin_price = asked
        if nonspin > 0.0 and nonspin_left > nonspin_dust:
            nonspin_price = asked
        spin_left -= spin
        nonspin_left -= nonspin
        first = end
    for k in range(first, count):
        offers[order[k], SPIN_MW] = offers[order[k], NONSPIN_MW] = 0.0
    if nonspin_left > nonspin_dust:
        nonspin_price = penalty_per_mwh
    if spin_left > spin_dust:
        spin_price = penalty_per_mwh
    outcome[SPIN_PRICE] = max(spin_price, nonspin_price) if spin_mw > spin_dust else 0.0
    outcome[NONSPIN_PRICE] = nonspin_price
    outcome[SPIN_SHORT] = spin_left if spin_left > spin_dust else 0.0
    outcome[NONSPIN_SHORT] = nonspin_left if nonspin_left > nonspin_dust else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Reserve:
    """What a reserve auction decided."""

    spin_price: float  # $/MWh
    nonspin_price: float  # $/MWh
    spin_short_mw: float
    nonspin_short_mw: float
    spin_mw: Float  # (seller,) MW
    nonspin_mw: Float  # (seller,) MW
    asked_per_mwh: Float  # (seller,)

    @property
    def revenue_per_h(self) -> Float:
        """What each seller is paid for an hour of capacity, $/h (seller,)."""
        return self.spin_price * self.spin_mw + self.nonspin_price * self.nonspin_mw

    @property
    def asked_per_h(self) -> float:
        """What the awarded capacity asked for an hour in all, $/h: the auction's cost without the penalty."""
        return float(self.asked_per_mwh @ (self.spin_mw + self.nonspin_mw))


def procure(
    offers: pd.DataFrame | Mapping[str, ArrayLike] | ArrayLike,
    spin_mw: float,
    nonspin_mw: float,
    penalty_per_mwh: float,
) -> Reserve:
    """Clear one reserve auction.

    Parameters
    ----------
    offers : DataFrame, mapping or (seller, 3) array_like
        Columns ``spin_room_mw``, ``nonspin_room_mw`` [MW] and ``asked_per_mwh`` [$/MWh]; an array has them in this
        order. Nonspin room is the total room within the longer response time. Not changed.
    spin_mw, nonspin_mw : float
        Requirements [MW].
    penalty_per_mwh : float
        Price of a missing MW [$/MWh].

    Returns
    -------
    Reserve
        Prices, awards and what is missing.

    Raises
    ------
    OrderError
        If a column is missing, a number is not finite or negative, or a spin room exceeds its nonspin room.

    Examples
    --------
    >>> reserve = procure([[10, 20, 4], [30, 30, 9]], spin_mw=15, nonspin_mw=10, penalty_per_mwh=500)
    >>> reserve.spin_price, reserve.nonspin_price
    (9.0, 4.0)
    """
    rooms = _read_rooms(offers)
    for name, value in (("spin_mw", spin_mw), ("nonspin_mw", nonspin_mw), ("penalty_per_mwh", penalty_per_mwh)):
        if not (np.isfinite(value) and value >= 0.0):
            raise OrderError(name, value, "finite and >= 0", "correct the requirement or its penalty")
    table = np.zeros((len(rooms), RESERVE_COLUMNS))
    table[:, : len(COLUMNS)] = rooms
    order = np.argsort(table[:, ASKED_PER_MWH], kind="stable").astype(np.int64)
    outcome = np.zeros(4)
    clear_reserve(table, order, len(table), float(spin_mw), float(nonspin_mw), float(penalty_per_mwh), outcome)
    return Reserve(
        spin_price=float(outcome[SPIN_PRICE]),
        nonspin_price=float(outcome[NONSPIN_PRICE]),
        spin_short_mw=float(outcome[SPIN_SHORT]),
        nonspin_short_mw=float(outcome[NONSPIN_SHORT]),
        spin_mw=table[:, SPIN_MW].copy(),
        nonspin_mw=table[:, NONSPIN_MW].copy(),
        asked_per_mwh=table[:, ASKED_PER_MWH].copy(),
    )


def _read_rooms(offers: pd.DataFrame | Mapping[str, ArrayLike] | ArrayLike) -> Float:
    """Rooms and asked prices (seller, 3), checked."""
    if hasattr(offers, "keys"):
        named = cast("Mapping[str, ArrayLike]", offers)
        for name in COLUMNS:
            if name not in named:
                known = [str(key) for key in named]
                raise OrderError(f"offers without {name}", known, ", ".join(COLUMNS), nearest(name, known))
        columns = [np.asarray(named[name], dtype=np.float64) for name in COLUMNS]
        rooms: Float = np.column_stack(columns)
    else:
        rooms = np.asarray(cast(ArrayLike, offers), dtype=np.float64).reshape(-1, len(COLUMNS))
    for column, name in enumerate(COLUMNS):
        _refuse(~(np.isfinite(rooms[:, column]) & (rooms[:, column] >= 0.0)), name, rooms[:, column], "finite and >= 0")
    beyond = rooms[:, SPIN_ROOM_MW] > rooms[:, NONSPIN_ROOM_MW]
    _refuse(beyond, "spin_room_mw", rooms[:, SPIN_ROOM_MW], "at most nonspin_room_mw")
    return rooms


def _refuse(bad: Bool, name: str, values: Float, allowed: str) -> None:
    """Name the first seller whose number is bad."""
    if bad.any():
        seller = int(np.argmax(bad))
        raise OrderError(f"offers.{name}, seller {seller}", float(values[seller]), allowed, "correct the offer")
