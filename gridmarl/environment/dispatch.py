"""What cleared becomes a schedule: the power of every seat, and what of it will move with demand, sun and wind."""

from __future__ import annotations

import numpy as np

from gridmarl.assets import battery, generator, load
from gridmarl.environment.arrays import (
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
    Book,
    Rows,
    World,
)
from gridmarl.kernels import inner_kernel
from gridmarl.units import Float, Int

LEAST_MW = 1e-9
FULLY = 1.0 - 1e-9


@inner_kernel
def accepted_mw(orders: Float, first: int, count: int) -> float:
    """Accepted MW of a run of order slots."""
    total = 0.0
    for slot in range(first, first + count):
        total += orders[ORDER_ACCEPTED, slot]
    return total


@inner_kernel
def tally_class(classes: Float, seat: Int, offers: Float, accepted: float) -> float:
    """Add a seat's offers to its class; its offered MW."""
    offered, value = 0.0, 0.0
    for slot in range(seat[OFFER_AT], seat[OFFER_AT] + seat[OFFERS]):
        offered += offers[ORDER_MW, slot]
        value += offers[ORDER_PRICE, slot] * offers[ORDER_MW, slot]
    classes[seat[CLASS], CLASS_VALUE] += value
    classes[seat[CLASS], CLASS_OFFERED] += offered
    classes[seat[CLASS], CLASS_ACCEPTED] += accepted
    return offered


@inner_kernel
def mean_price(offers: Float, first: int, count: int, otherwise: float) -> float:
    """Quantity-weighted price of a run of offers."""
    mw, value = 0.0, 0.0
    for slot in range(first, first + count):
        mw += offers[ORDER_MW, slot]
        value += offers[ORDER_PRICE, slot] * offers[ORDER_MW, slot]
    return value / mw if mw > 0.0 else otherwise


@inner_kernel
def dearest_accepted(offers: Float, first: int, count: int) -> float:
    """Highest price of a run of offers of which something was accepted; minus infinity where nothing was."""
    dearest = -np.inf
    for slot in range(first, first + count):
        if offers[ORDER_ACCEPTED, slot] > LEAST_MW:
            dearest = max(dearest, offers[ORDER_PRICE, slot])
    return dearest


@inner_kernel
def dispatch_generators(world: World, states: Float, classes: Float, book: Book, seats: Float, market: Float) -> None:
    """Schedule of every unit, and which of them follow sun and wind in real time."""
    dearest = -np.inf
    for g in range(world.generator.shape[0]):
        unit, seat, state, row = world.generator[g], world.seat[g], states[g], seats[g]
        first, count = seat[OFFER_AT], seat[OFFERS]
        output = accepted_mw(book.offers, first, count)
        row[POWER_MW], row[OFFERED_MW] = output, tally_class(classes, seat, book.offers, output)
        row[TENTH] = mean_price(book.offers, first + 1, count - 1, state[generator.OFFER_PRICE])
        row[SEVENTH], row[EIGHTH] = book.limits[g, 1], book.limits[g, 0]
        market[CURTAILED] += book.offers[ORDER_MW, first] - book.offers[ORDER_ACCEPTED, first]
        asked = dearest_accepted(book.offers, first + 1, count - 1)
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
        sold = accepted_mw(book.offers, seat[OFFER_AT], seat[OFFERS])
        row[OFFERED_MW] = tally_class(classes, seat, book.offers, sold)
        row[POWER_MW] = sold - accepted_mw(book.bids, seat[BID_AT], seat[BIDS])
        wanted = 0.0
        for slot in range(seat[BID_AT], seat[BID_AT] + seat[BIDS]):
            wanted += book.bids[ORDER_MW, slot]
        row[FIFTH] = wanted
        row[TENTH] = mean_price(book.offers, seat[OFFER_AT], seat[OFFERS], 0.0)
        states[s, battery.ACCEPTED] = sold


@inner_kernel
def dispatch_consumers(world: World, classes: Float, book: Book, seats: Float, market: Float) -> None:
    """Reduction and shed load of every load; what of it moves with demand in real time."""
    for c in range(world.load.shape[0]):
        number = world.generator.shape[0] + world.battery.shape[0] + c
        unit, seat, row = world.load[c], world.seat[number], seats[number]
        reduction = accepted_mw(book.offers, seat[OFFER_AT], seat[OFFERS])
        baseline = book.limits[number, 0]
        wanted = book.bids[ORDER_MW, seat[BID_AT]] + book.bids[ORDER_MW, seat[BID_AT] + 1]
        shed = max(wanted - accepted_mw(book.bids, seat[BID_AT], seat[BIDS]), 0.0)
        row[POWER_MW], row[OFFERED_MW] = reduction, tally_class(classes, seat, book.offers, reduction)
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
