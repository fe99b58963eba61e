"""Who responds in real time: activated energy in merit order of the auction's own orders, and its marginal price."""

from __future__ import annotations

from gridmarl.assets import battery, generator
from gridmarl.environment.compiled.arrays import Book, World
from gridmarl.environment.compiled.columns import (
    ACTIVATED,
    ACTIVATED_MW,
    CAP_MW,
    DEVIATION_MW,
    EIGHTH,
    EMERGENCY_GENERATION,
    FIFTH,
    HOURS,
    IMBALANCE_PRICE,
    ORDER_ACCEPTED,
    ORDER_MW,
    ORDER_PRICE,
    POWER_MW,
    SEVENTH,
    SHED,
    STORAGE_RESPONSE,
)
from gridmarl.environment.interval.dispatch import LEAST_MW
from gridmarl.grid import frequency
from gridmarl.kernels import inner_kernel
from gridmarl.market import reserve
from gridmarl.units import Float, Int

UP, DOWN = 1.0, -1.0


@inner_kernel
def storage_room(unit: Float, state: Float, power_mw: float, hours: float) -> tuple[float, float]:
    """MW that a battery can add and take back from its schedule throughout the interval; one that is away nothing."""
    energy_mwh = state[battery.ENERGY]
    if state[battery.AWAY] > 0.0:
        return 0.0, 0.0
    out = min(
        unit[battery.POWER_LIMIT], (energy_mwh - unit[battery.ENERGY_MIN]) * unit[battery.DISCHARGE_EFFICIENCY] / hours
    )
    into = min(
        unit[battery.POWER_LIMIT], (unit[battery.ENERGY_MAX] - energy_mwh) / (unit[battery.CHARGE_EFFICIENCY] * hours)
    )
    return max(out - power_mw, 0.0), max(into + power_mw, 0.0)


@inner_kernel
def room_below(unit: Float, low_mw: float, row: Float) -> float:
    """MW that a unit can be turned down: to its must-run, sun and wind to nothing."""
    low = 0.0 if unit[generator.RENEWABLE] > 0.0 else low_mw
    return max(row[POWER_MW] + min(row[DEVIATION_MW], 0.0) - low, 0.0)


@inner_kernel
def share_out(world: World, states: Float, book: Book, seats: Float, market: Float) -> None:
    """Fast storage, emergency generation and shed load, in proportion to what each could give."""
    limits, generation = book.grid_limits, market[EMERGENCY_GENERATION]
    if generation > 0.0:
        for k in range(book.sellers.shape[0]):
            mw = generation * book.sellers[k, reserve.NONSPIN_MW] / limits[frequency.GENERATION_UP_MW]
            book.margin[k, ACTIVATED_MW] += mw
            seats[k, DEVIATION_MW] += mw
    response = market[STORAGE_RESPONSE]
    if response != 0.0:
        whole = limits[frequency.STORAGE_UP_MW] if response > 0.0 else limits[frequency.STORAGE_DOWN_MW]
        for s in range(world.battery.shape[0]):
            number, unit = world.generator.shape[0] + s, world.battery[s]
            if unit[battery.DROOP] > 0.0:
                schedule = seats[number, POWER_MW]
                out, into = storage_room(unit, states[s], schedule, world.rules[HOURS])
                sold = book.sellers[number, reserve.SPIN_MW] + book.sellers[number, reserve.NONSPIN_MW]
                room = max(out - sold, 0.0) if response > 0.0 else into
                seats[number, DEVIATION_MW] += response * room / whole
    if market[SHED] > 0.0:
        first = world.generator.shape[0] + world.battery.shape[0]
        for c in range(first, first + world.load.shape[0]):
            served = seats[c, SEVENTH] - seats[c, EIGHTH] - seats[c, POWER_MW]
            seats[c, FIFTH] = market[SHED] * served / limits[frequency.LOAD_MW]


@inner_kernel
def cap_up(world: World, states: Float, book: Book, seats: Float) -> None:
    """What each seller can still add: units within the response time, batteries what they can sustain."""
    for g in range(world.generator.shape[0]):
        seller, used = book.sellers[g], book.margin[g, ACTIVATED_MW]
        room = min(seller[reserve.SPIN_ROOM_MW], seller[reserve.NONSPIN_ROOM_MW] - used)
        book.margin[g, CAP_MW] = max(room, 0.0)
    for s in range(world.battery.shape[0]):
        k = world.generator.shape[0] + s
        out, _ = storage_room(
            world.battery[s], states[s], seats[k, POWER_MW] + seats[k, DEVIATION_MW], world.rules[HOURS]
        )
        book.margin[k, CAP_MW] = out


@inner_kernel
def cap_down(world: World, states: Float, book: Book, seats: Float) -> None:
    """What each seller can still take back: units down to must-run, batteries what they can store."""
    for g in range(world.generator.shape[0]):
        book.margin[g, CAP_MW] = room_below(world.generator[g], book.limits[g, 0], seats[g])
    for s in range(world.battery.shape[0]):
        k = world.generator.shape[0] + s
        _, into = storage_room(
            world.battery[s], states[s], seats[k, POWER_MW] + seats[k, DEVIATION_MW], world.rules[HOURS]
        )
        book.margin[k, CAP_MW] = into


@inner_kernel
def move(margin: Float, seats: Float, k: int, mw: float, sign: float) -> float:
    """Let one seller respond by up to this; by how much it does."""
    mw = min(mw, margin[k, CAP_MW])
    margin[k, CAP_MW] -= mw
    margin[k, ACTIVATED_MW] += sign * mw
    seats[k, DEVIATION_MW] += sign * mw
    return mw


@inner_kernel
def movable(orders: Float, seat_of: Int, margin: Float, slot: int, idle: bool) -> float:
    """MW by which an order's idle part, or its accepted one, can respond; 0 where its seat takes no part."""
    seat = seat_of[slot]
    if seat < 0:
        return 0.0
    accepted = orders[ORDER_ACCEPTED, slot]
    return min(orders[ORDER_MW, slot] - accepted if idle else accepted, margin[seat, CAP_MW])


@inner_kernel
def respond_with(
    orders: Float,
    seat_of: Int,
    slot: int,
    idle: bool,
    book: Book,
    seats: Float,
    left: float,
    sign: float,
    market: Float,
) -> float:
    """Let an order's idle part, or its accepted one, respond, and price the imbalance at it; MW that are left."""
    mw = movable(orders, seat_of, book.margin, slot, idle)
    if mw <= LEAST_MW:
        return left
    market[IMBALANCE_PRICE] = sign * max(sign * market[IMBALANCE_PRICE], sign * orders[ORDER_PRICE, slot])
    return left - move(book.margin, seats, int(seat_of[slot]), min(left, mw), sign)


@inner_kernel
def follow_merit_order(world: World, book: Book, seats: Float, left: float, sign: float, market: Float) -> float:
    """Accept orders that stood idle, or undo accepted ones, whichever costs the system least; what is left in the end.

    More energy comes from idle offers and from charging that can wait, cheapest first: the merit order of both sides as
    it is. Less comes from idle bids, and from offers undone, dearest first: the same backwards.
    """
    order, n_offers = book.order, book.offers.shape[1]
    for k in range(order.shape[0]):
        if left <= 0.0:
            break
        entry = order[k if sign == UP else order.shape[0] - 1 - k]
        if entry < n_offers:
            left = respond_with(book.offers, world.offer_seat, entry, sign == UP, book, seats, left, sign, market)
        else:
            slot = order.shape[0] - 1 - entry
            left = respond_with(book.bids, world.bid_seat, slot, sign == DOWN, book, seats, left, sign, market)
    return left


@inner_kernel
def activate(world: World, states: Float, book: Book, seats: Float, market: Float) -> None:
    """Everybody's part in the response; the marginal order is the imbalance price.

    What no order covers comes from any seller that still can: awarded reserve need not have offered its energy.
    """
    share_out(world, states, book, seats, market)
    left, sign = abs(market[ACTIVATED]), UP if market[ACTIVATED] > 0.0 else DOWN
    if left == 0.0:
        return
    if sign == UP:
        cap_up(world, states, book, seats)
    else:
        cap_down(world, states, book, seats)
    left = follow_merit_order(world, book, seats, left, sign, market)
    for k in range(book.margin.shape[0]):
        if left > 0.0:
            left -= move(book.margin, seats, k, left, sign)
