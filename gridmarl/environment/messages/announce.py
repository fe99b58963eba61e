"""One step's arrays as the messages of its interval: orders, the price, who got what and why, states, emergencies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Final

from gridmarl.environment.compiled.arrays import Outcome, book_sizes
from gridmarl.environment.compiled.columns import MARKET_NAMES, SEAT_NAMES
from gridmarl.environment.compiled.world import Compiled
from gridmarl.environment.interval.bidding import MUST_RUN
from gridmarl.environment.messages.records import (
    EVERYONE,
    DemandResponseOffer,
    DispatchInstruction,
    EmergencySignal,
    GenerationBid,
    MarketPriceUpdate,
    Message,
    Reason,
    Stage,
    StatusUpdate,
)
from gridmarl.environment.render import CONNECTION, order_seats
from gridmarl.errors import DataError
from gridmarl.scenario.scenario import OPERATOR
from gridmarl.units import QUANTITY_TOLERANCE, Float

EMERGENCY_COLUMN: Final = "emergency_stages"
PRICE_DUST: Final = 1e-6
"""Offers within this of the price stand at it [$/MWh]."""
STATES: Final = ("generator", "storage", "consumer")
"""Roles that trade and report a state."""


@dataclass(frozen=True, slots=True)
class Order:
    """One order slot after the auction."""

    seat: str
    number: int  # among the seat's slots: offers, then bids
    sign: float  # + injects
    price_per_mwh: float
    mw: float  # >= 0
    accepted_mw: float  # >= 0
    must_run: bool


@dataclass(frozen=True, slots=True)
class Auction:
    """What the messages of one interval are written from."""

    interval: int
    hours: float
    roles: Mapping[str, str]  # of all seats, the operator's included
    market: Mapping[str, float]
    orders: tuple[Order, ...]  # that seats chose: no empty slots, nor the loads' own demand, nor the connection
    setpoints_mw: Mapping[str, float]  # of the seats with orders
    demand_left: bool  # whether a bid of anybody, loads and the connection included, is not wholly served
    tolerance_mw: float  # quantities up to this are dust, as in the clearing


def interval_messages(compiled: Compiled, outcome: Outcome, row: int, interval: int, key: int) -> list[Message]:
    """All messages of one interval of one environment, in the order in which they are sent.

    Parameters
    ----------
    compiled : Compiled
    outcome : Outcome
        Of a step of a core that records its books.
    row : int
        Which environment.
    interval : int
        The interval that the step decided.
    key : int
        Of the episode (``Rows.key``).

    Raises
    ------
    DataError
        Where the book was not recorded.
    """
    if len(outcome.book) <= row:
        raise DataError("book of the interval", "not recorded", "a recorded one", "make the Core with record=True")
    auction = _auction(compiled, outcome, row, interval)
    ids = (f"{key:016x}/{interval}/{number}" for number in count())
    bids = [_bid(auction, order, ids) for order in auction.orders]
    price = _price_update(auction, ids)
    answers = [_answer(auction, o, bid.message_id, ids) for o, bid in zip(auction.orders, bids, strict=True)]
    silent = [s for s, role in auction.roles.items() if role in STATES and s not in auction.setpoints_mw]
    answers += [_silence(auction, seat, ids) for seat in silent]
    results = zip(auction.roles.items(), outcome.seats[row].tolist(), strict=True)
    states = [
        _status(auction, s, dict(zip(SEAT_NAMES[r], x, strict=False)), ids) for (s, r), x in results if r in STATES
    ]
    signals = emergency_signals(int(auction.market.get(EMERGENCY_COLUMN, 0)), interval, ids)
    return [*bids, price, *answers, *states, *signals]


def reason_of(order: Order, price_per_mwh: float, demand_left: bool, tolerance_mw: float) -> Reason:
    """Why an order got what it got.

    Parameters
    ----------
    order : Order
    price_per_mwh : float
        The clearing price.
    demand_left : bool
        Whether any bid in the book, of whomever, is not wholly served.
    tolerance_mw : float

    Returns
    -------
    Reason
        - ``not_offered``: nothing stood in the book, because nothing was offered or nothing could be delivered.
        - ``cleared``: all of it was accepted.
        - ``curtailed``: must-run output, some or all of which was held back.
        - ``holds_reserve``: an offer below the price of which some or all was left idle: where energy and reserve clear
          together, its capacity or stored energy earns at least as much as reserve.
        - ``partially_cleared``: it stood at the margin.
        - ``demand_met_by_cheaper_generation``: an offer that got nothing in an interval whose demand was wholly served
          by offers before it in merit order (cheaper, or as cheap and of an earlier class). No buyer is left, so a
          lower price would have sold only in another's place.
        - ``bid_not_cleared``: an offer that got nothing although demand is left: it asked above the price, and more
          than the buyers who are left would pay. Asking what they bid would have sold without displacing anybody. Or a
          bid to charge that got nothing, because no offer is left at its price.

    Notes
    -----
    The last two asked at least the clearing price: a uniform price exceeds what a rejected offer asks only where its
    seller earns as much with reserve. So the price alone cannot tell them apart, the demand that is left can.
    """
    if order.mw <= tolerance_mw:
        return Reason.NOT_OFFERED
    if order.accepted_mw >= order.mw - tolerance_mw:
        return Reason.CLEARED
    if order.must_run:
        return Reason.CURTAILED
    if order.sign > 0 and order.price_per_mwh < price_per_mwh - PRICE_DUST:
        return Reason.HOLDS_RESERVE
    if order.accepted_mw > tolerance_mw:
        return Reason.PARTIALLY_CLEARED
    return Reason.BID_NOT_CLEARED if order.sign < 0 or demand_left else Reason.DEMAND_MET


def emergency_signals(stages: int, interval: int, ids: Iterator[str]) -> list[EmergencySignal]:
    """One broadcast for each stage that was passed, in the order of :class:`Stage`; none in a quiet interval.

    Parameters
    ----------
    stages : int
        Mask: bit ``1 << k`` says that stage k was passed. Without a bit above that of ``normal`` the interval was
        quiet. The mask does not tell how often a stage was passed: a relapse is not visible here.
    interval : int
    ids : iterator of str
        Ids of the next messages.
    """
    if stages >> 1 == 0:
        return []
    passed = [stage for k, stage in enumerate(Stage) if stages >> k & 1]
    return [EmergencySignal(next(ids), interval, OPERATOR, EVERYONE, stage) for stage in passed]


def _auction(compiled: Compiled, outcome: Outcome, row: int, interval: int) -> Auction:
    layout = compiled.layout
    roles = dict(zip(layout.seats, layout.roles, strict=True))
    market: dict[str, float] = dict(zip(MARKET_NAMES, outcome.market[row].tolist(), strict=True))
    tolerance_mw = QUANTITY_TOLERANCE * max(1.0, market["volume_mw"])
    slots = _orders(compiled, outcome.book[row], roles)
    left = any(o.sign < 0 and o.mw - o.accepted_mw > tolerance_mw for o in slots)
    chosen = tuple(o for o in slots if o.mw > tolerance_mw and _is_chosen(o, roles))
    setpoints_mw: dict[str, float] = {}
    for o in chosen:
        setpoints_mw[o.seat] = setpoints_mw.get(o.seat, 0.0) + o.sign * o.accepted_mw
    return Auction(interval, compiled.scenario.interval_h, roles, market, chosen, setpoints_mw, left, tolerance_mw)


def _is_chosen(order: Order, roles: Mapping[str, str]) -> bool:
    """Whether a seat chose this order; the loads' demand and the connection's orders stand by themselves."""
    return order.seat != CONNECTION and (order.sign > 0 or roles[order.seat] != "consumer")


def _orders(compiled: Compiled, book: Float, roles: Mapping[str, str]) -> tuple[Order, ...]:
    offers = book_sizes(compiled.world)[0]
    numbers: dict[str, int] = {}
    orders: list[Order] = []
    for slot, (seat, (price, mw, accepted, rank)) in enumerate(zip(order_seats(compiled), book.tolist(), strict=True)):
        number = numbers[seat] = numbers.get(seat, -1) + 1
        must_run = slot < offers and roles.get(seat) == "generator" and rank == MUST_RUN
        orders.append(Order(seat, number, 1.0 if slot < offers else -1.0, price, mw, accepted, must_run))
    return tuple(orders)


def _bid(auction: Auction, order: Order, ids: Iterator[str]) -> Message:
    role, quantity = auction.roles[order.seat], order.sign * order.mw
    head = next(ids), auction.interval, order.seat, OPERATOR
    if role == "consumer":
        return DemandResponseOffer(*head, order.number, order.price_per_mwh, quantity)
    return GenerationBid(*head, role, order.number, order.price_per_mwh, quantity, order.must_run)


def _price_update(auction: Auction, ids: Iterator[str]) -> MarketPriceUpdate:
    m = auction.market
    return MarketPriceUpdate(
        next(ids),
        auction.interval,
        OPERATOR,
        EVERYONE,
        price_per_mwh=m["price_per_mwh"],
        price_low_per_mwh=m["price_low_per_mwh"],
        price_high_per_mwh=m["price_high_per_mwh"],
        volume_mw=m["volume_mw"],
        demand_mw=m["demand_mw"],
        unserved_mw=m["unserved_mw"],
        curtailed_mw=m["curtailed_mw"],
        import_mw=m["import_mw"],
    )


def _answer(auction: Auction, order: Order, reply_to: str, ids: Iterator[str]) -> DispatchInstruction:
    price, accepted = auction.market["price_per_mwh"], order.sign * order.accepted_mw + 0.0  # no -0.0
    return DispatchInstruction(
        next(ids),
        auction.interval,
        OPERATOR,
        order.seat,
        reply_to=reply_to,
        order_price_per_mwh=order.price_per_mwh,
        quantity_mw=order.sign * order.mw,
        accepted_mw=accepted,
        setpoint_mw=auction.setpoints_mw[order.seat],
        clearing_price_per_mwh=price,
        payment=price * accepted * auction.hours,
        reason=reason_of(order, price, auction.demand_left, auction.tolerance_mw),
    )


def _silence(auction: Auction, seat: str, ids: Iterator[str]) -> DispatchInstruction:
    """What a seat without an order is told."""
    price = auction.market["price_per_mwh"]
    return DispatchInstruction(
        next(ids), auction.interval, OPERATOR, seat, None, None, 0.0, 0.0, 0.0, price, 0.0, Reason.NOT_OFFERED
    )


def _status(auction: Auction, seat: str, result: Mapping[str, float], ids: Iterator[str]) -> StatusUpdate:
    role = auction.roles[seat]
    head = next(ids), auction.interval, seat, OPERATOR, role
    match role:
        case "generator":
            return StatusUpdate(*head, result["output_mw"], available_mw=result["available_mw"])
        case "storage":
            return StatusUpdate(*head, result["power_mw"], soc=result["soc"])
        case _:
            served = result["baseline_mw"] - result["unserved_mw"] - result["reduction_mw"]
            return StatusUpdate(*head, -served, unserved_mw=result["unserved_mw"])
