"""Reserve: what energy leaves of head-room is sold as spin and nonspin (or is given), and loads pay pro rata."""

from __future__ import annotations

from gridmarl.assets import battery, generator
from gridmarl.environment.compiled.arrays import Book, Rows, World
from gridmarl.environment.compiled.columns import (
    DEMAND,
    DURATION_H,
    EIGHTH,
    FIRST_LEVEL,
    GIVEN_AWARDS,
    GIVEN_NONSPIN_PRICE,
    GIVEN_SPIN_PRICE,
    HOURS,
    NONSPIN,
    NONSPIN_MIN,
    NONSPIN_MW,
    NONSPIN_PRICE,
    NONSPIN_REQUIRED,
    NONSPIN_SHARE,
    PENALTY,
    POWER_MW,
    RESERVE_PAYMENT,
    RESERVE_PAYMENTS,
    SEVENTH,
    SPIN,
    SPIN_MIN,
    SPIN_MW,
    SPIN_PRICE,
    SPIN_REQUIRED,
    SPIN_SHARE,
    WHOLESALE,
)
from gridmarl.grid import frequency
from gridmarl.kernels import inner_kernel
from gridmarl.market import reserve
from gridmarl.units import Float


@inner_kernel
def offer_reserve(world: World, rows: Rows, b: int, book: Book, seats: Float) -> None:
    """Rooms of every seller: dispatchable units on line, and what the stored energy of batteries sustains."""
    rules, hours, units = world.reserve, world.rules[HOURS], world.generator.shape[0]
    for g in range(units):
        unit, seller = world.generator[g], book.sellers[g]
        ceiling = unit[generator.CAPACITY] * rows.generator[b, g, generator.ONLINE] * (1.0 - unit[generator.RENEWABLE])
        output, ramp = seats[g, POWER_MW], unit[generator.RAMP_PER_MIN]
        seller[reserve.SPIN_ROOM_MW] = reserve.generator_room(ceiling, output, ramp, rules[SPIN_MIN])
        seller[reserve.NONSPIN_ROOM_MW] = reserve.generator_room(ceiling, output, ramp, rules[NONSPIN_MIN])
    for s in range(world.battery.shape[0]):
        unit, seller = world.battery[s], book.sellers[units + s]
        here = 1.0 - rows.battery[b, s, battery.AWAY]
        stored = (rows.battery[b, s, battery.ENERGY] - unit[battery.ENERGY_MIN]) * here
        room = reserve.storage_room(
            unit[battery.POWER_LIMIT],
            seats[units + s, POWER_MW],
            stored,
            unit[battery.DISCHARGE_EFFICIENCY],
            rules[DURATION_H],
            hours,
        )
        seller[reserve.SPIN_ROOM_MW] = seller[reserve.NONSPIN_ROOM_MW] = room
    for k in range(book.sellers.shape[0]):
        book.sellers[k, reserve.ASKED_PER_MWH] = world.reserve_asked[k]


@inner_kernel
def stand_ready(world: World, sellers: Float) -> None:
    """Where no reserve is bought, all head-room stands ready for nothing: storage's for its own droop if it has one."""
    for k in range(sellers.shape[0]):
        s = k - world.generator.shape[0]
        if s >= 0 and world.battery[s, battery.DROOP] > 0.0 and world.frequency[frequency.INERTIA] > 0.0:
            sellers[k, reserve.SPIN_MW] = sellers[k, reserve.NONSPIN_MW] = 0.0
            continue
        spin = sellers[k, reserve.SPIN_ROOM_MW]
        sellers[k, reserve.SPIN_MW] = spin
        sellers[k, reserve.NONSPIN_MW] = sellers[k, reserve.NONSPIN_ROOM_MW] - spin


@inner_kernel
def pay_reserve(world: World, book: Book, seats: Float, market: Float) -> None:
    """Sellers are paid the products' prices; loads pay in proportion to what they are scheduled to consume.

    Where no load is served the operator pays.
    """
    hours, total = world.rules[HOURS], 0.0
    for k in range(book.sellers.shape[0]):
        row, seller = seats[k], book.sellers[k]
        row[SPIN_MW], row[NONSPIN_MW] = seller[reserve.SPIN_MW], seller[reserve.NONSPIN_MW]
        paid = (market[SPIN_PRICE] * row[SPIN_MW] + market[NONSPIN_PRICE] * row[NONSPIN_MW]) * hours
        row[RESERVE_PAYMENT] = paid
        total += paid
        market[SPIN] += row[SPIN_MW]
        market[NONSPIN] += row[NONSPIN_MW]
    market[RESERVE_PAYMENTS] = total
    first, served = book.sellers.shape[0], 0.0
    for c in range(first, first + world.load.shape[0]):
        served += seats[c, SEVENTH] - seats[c, EIGHTH]
    if served > 0.0:
        for c in range(first, first + world.load.shape[0]):
            seats[c, RESERVE_PAYMENT] = -total * (seats[c, SEVENTH] - seats[c, EIGHTH]) / served
    else:
        seats[seats.shape[0] - 1, RESERVE_PAYMENT] = -total


@inner_kernel
def take_given_reserve(given: Float, book: Book) -> None:
    """Let what was cleared together with energy take the place of what the reserve auction found, within the rooms."""
    sellers = book.sellers.shape[0]
    spin_at = GIVEN_AWARDS + book.offers.shape[1] + book.bids.shape[1]
    for k in range(sellers):
        seller = book.sellers[k]
        seller[reserve.SPIN_MW] = min(given[spin_at + k], seller[reserve.SPIN_ROOM_MW])
        left = seller[reserve.NONSPIN_ROOM_MW] - seller[reserve.SPIN_MW]
        seller[reserve.NONSPIN_MW] = min(given[spin_at + sellers + k], left)
    book.reserve_outcome[0], book.reserve_outcome[1] = given[GIVEN_SPIN_PRICE], given[GIVEN_NONSPIN_PRICE]


@inner_kernel
def procure(
    world: World, rows: Rows, b: int, level: int, given: Float, book: Book, seats: Float, market: Float
) -> None:
    """Buy the reserve that the operator's level asks for."""
    rules = world.reserve
    bought = rules[SPIN_SHARE] + rules[NONSPIN_SHARE] > 0.0
    if not bought and world.rules[WHOLESALE] >= 0.0:
        return
    offer_reserve(world, rows, b, book, seats)
    if not bought:
        stand_ready(world, book.sellers)
        return
    required = market[DEMAND] * rules[FIRST_LEVEL + level]
    market[SPIN_REQUIRED], market[NONSPIN_REQUIRED] = required * rules[SPIN_SHARE], required * rules[NONSPIN_SHARE]
    reserve.clear_reserve(
        book.sellers,
        world.reserve_order,
        book.sellers.shape[0],
        market[SPIN_REQUIRED],
        market[NONSPIN_REQUIRED],
        rules[PENALTY],
        book.reserve_outcome,
    )
    if given.shape[0] > 0:
        take_given_reserve(given[b], book)
    market[SPIN_PRICE], market[NONSPIN_PRICE] = book.reserve_outcome[0], book.reserve_outcome[1]
    pay_reserve(world, book, seats, market)
