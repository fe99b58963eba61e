"""What cleared becomes a schedule: the power of every seat, and what of it will move with demand, sun and wind."""

from __future__ import annotations

import numpy as np

from gridmarl.assets import battery, generator, load
from gridmarl.environment.compiled.arrays import Book, Rows, World
from gridmarl.environment.compiled.columns import (
    BID_AT,
    BIDS,
    CLASS,
    CLASS_ACCEPTED,
    CLASS_OFFERED,
    CLASS_VALUE,
    CURTAILED,
    DEMAND,
    EIGHTH,
    FIFTH,
    HIGH,
    IMPORT,
    LOW,
    MARGINAL_CO2,
    OFFER_AT,
    OFFERED_MW,
    OFFERS,
    ORDER_ACCEPTED,
    ORDER_MW,
    ORDER_PRICE,
    POWER_MW,
    PRICE,
    SEVENTH,
    TENTH,
    UNSERVED,
    VOLUME,
    WHOLESALE,
    WHOLESALE_PRICE,
)
from gridmarl.kernels import inner_kernel
from gridmarl.units import Float

LEAST_MW = 1e-9
FULLY = 1.0 - 1e-9


@inner_kernel
def sum_offers(offers: Float, first: int, count: int) -> tuple[float, float, float, float]:
    """Of a run of offers: accepted MW, offered MW and $/h, and the highest price accepted, minus infinity if none."""
    accepted, offered, value, dearest = 0.0, 0.0, 0.0, -np.inf
    for slot in range(first, first + count):
        price, mw, taken = offers[ORDER_PRICE, slot], offers[ORDER_MW, slot], offers[ORDER_ACCEPTED, slot]
        accepted += taken
        offered += mw
        value += price * mw
        dearest = max(dearest, price) if taken > LEAST_MW else dearest
    return accepted, offered, value, dearest


@inner_kernel
def tally_class(classes: Float, group: int, offered: float, value: float, accepted: float) -> None:
    """Add a seat's offers to its class."""
    row = classes[group]
    row[CLASS_OFFERED] += offered
    row[CLASS_ACCEPTED] += accepted
    row[CLASS_VALUE] += value


@inner_kernel
def dispatch_generators(world: World, states: Float, classes: Float, book: Book, seats: Float, market: Float) -> None:
    """Schedule of every unit, and which of them follow sun and wind in real time."""
    dearest = -np.inf
    for g in range(world.generator.shape[0]):
        unit, seat, state, row = world.generator[g], world.seat[g], states[g], seats[g]
        must, taken = book.offers[ORDER_MW, seat[OFFER_AT]], book.offers[ORDER_ACCEPTED, seat[OFFER_AT]]
        accepted, offered, value, asked = sum_offers(book.offers, seat[OFFER_AT] + 1, seat[OFFERS] - 1)
        output = taken + accepted
        row[POWER_MW], row[OFFERED_MW] = output, must + offered
        row[TENTH] = value / offered if offered > 0.0 else state[generator.OFFER_PRICE]
        row[SEVENTH], row[EIGHTH] = book.limits[g, 1], book.limits[g, 0]
        value += book.offers[ORDER_PRICE, seat[OFFER_AT]] * must
        tally_class(classes, seat[CLASS], must + offered, value, output)
        market[CURTAILED] += must - taken
        if asked > dearest:
            dearest, market[MARGINAL_CO2] = asked, unit[generator.CO2]
        profile = int(unit[generator.PROFILE])
        if profile >= 0 and state[generator.ONLINE] > 0.0:
            ceiling = unit[generator.CAPACITY] * book.realised[profile]
            if output >= ceiling * FULLY:
                book.following[profile] += unit[generator.CAPACITY]
        state[generator.OUTPUT], state[generator.OFFERED], state[generator.OFFER_PRICE] = (
            output,
            row[OFFERED_MW],
            row[TENTH],
        )


@inner_kernel
def dispatch_storage(world: World, states: Float, classes: Float, book: Book, seats: Float) -> None:
    """Scheduled power of every battery."""
    for s in range(world.battery.shape[0]):
        number = world.generator.shape[0] + s
        seat, row = world.seat[number], seats[number]
        sold, offered, value, _ = sum_offers(book.offers, seat[OFFER_AT], seat[OFFERS])
        bought, wanted, _, _ = sum_offers(book.bids, seat[BID_AT], seat[BIDS])
        tally_class(classes, seat[CLASS], offered, value, sold)
        row[OFFERED_MW], row[FIFTH] = offered, wanted
        row[POWER_MW] = sold - bought
        row[TENTH] = value / offered if offered > 0.0 else 0.0
        states[s, battery.ACCEPTED] = sold


@inner_kernel
def dispatch_consumers(world: World, classes: Float, book: Book, seats: Float, market: Float) -> None:
    """Reduction and shed load of every load; what of it moves with demand in real time."""
    for c in range(world.load.shape[0]):
        number = world.generator.shape[0] + world.battery.shape[0] + c
        unit, seat, row = world.load[c], world.seat[number], seats[number]
        reduction, offered, value, _ = sum_offers(book.offers, seat[OFFER_AT], seat[OFFERS])
        served_mw, wanted, _, _ = sum_offers(book.bids, seat[BID_AT], seat[BIDS])
        baseline, shed = book.limits[number, 0], max(wanted - served_mw, 0.0)
        tally_class(classes, seat[CLASS], offered, value, reduction)
        row[POWER_MW], row[OFFERED_MW] = reduction, offered
        row[SEVENTH], row[EIGHTH] = baseline, shed
        served = 1.0 - shed / baseline if baseline > 0.0 else 0.0
        book.following[int(unit[load.PROFILE])] -= unit[load.LOAD] * served
        market[DEMAND] += baseline
        market[UNSERVED] += shed


@inner_kernel
def dispatch_connection(rules: Float, book: Book, market: Float) -> None:
    """Scheduled import (+) or export (-)."""
    profile = int(rules[WHOLESALE])
    if profile < 0:
        return
    bought = book.offers[ORDER_ACCEPTED, book.offers.shape[1] - 1]
    sold = book.bids[ORDER_ACCEPTED, book.bids.shape[1] - 1]
    market[IMPORT], market[WHOLESALE_PRICE] = bought - sold, book.realised[profile]


@inner_kernel
def dispatch(world: World, rows: Rows, b: int, book: Book, seats: Float, market: Float) -> None:
    """The schedule of one row at its clearing outcome."""
    market[PRICE], market[LOW], market[HIGH], market[VOLUME] = (
        book.outcome[0],
        book.outcome[1],
        book.outcome[2],
        book.outcome[3],
    )
    classes = rows.classes[b]
    classes[:, :] = 0.0
    book.following[:] = 0.0
    book.margin[:, :] = 0.0
    dispatch_generators(world, rows.generator[b], classes, book, seats, market)
    dispatch_storage(world, rows.battery[b], classes, book, seats)
    dispatch_consumers(world, classes, book, seats, market)
    dispatch_connection(world.rules, book, market)
