"""Actions become orders: each codec is read, made feasible, and placed in the row's book."""

from __future__ import annotations

import math

from gridmarl.assets import battery, generator, load
from gridmarl.environment.compiled.arrays import Book, Rows, World
from gridmarl.environment.compiled.codecs import (
    CURVE,
    INTERVENTIONS,
    MARKUP,
    ORDER,
    POWER,
    PRICE_GRID,
)
from gridmarl.environment.compiled.columns import (
    ACTION_AT,
    BID_AT,
    CAP,
    CO2_PROFILE,
    CODEC,
    EXPORT_FEE,
    FAULT,
    FAULT_NOT_FINITE,
    FLOOR,
    HIGHEST,
    HOURS,
    IMPORT_CO2,
    IMPORT_FEE,
    LIMIT,
    LOWEST,
    MITIGATED,
    OFFER_AT,
    OFFERS,
    ORDER_MW,
    ORDER_PRICE,
    STEP_MW,
    STEP_PRICE,
    VOLL,
    WHOLE,
    WHOLESALE,
)
from gridmarl.kernels import inner_kernel
from gridmarl.units import Float, Int

MUST_RUN, GENERATION, STORAGE, RESPONSE = range(4)
COVERED_LOAD, OTHER_LOAD, CHARGING, EXPORT = range(4)
KG_PER_T = 1000.0
NO_INTERVENTION, ADD_CARBON, HOLD_STORAGE, CALL_RESPONSE, MITIGATE = range(5)


@inner_kernel
def unsound(limits: Float, actions: Float) -> int:
    """How many numbers of a row of actions break a rule; none is NaN or infinite where it is 0."""
    count = 0
    for i in range(actions.shape[0]):
        value = actions[i]
        within = limits[LOWEST, i] <= value <= limits[HIGHEST, i]
        count += 0 if within and limits[WHOLE, i] * (value - math.floor(value)) == 0.0 else 1
    return count


@inner_kernel
def blame(seats: Int, limits: Float, actions: Float, b: int, fault: Int) -> None:
    """Write down the first number of a row that breaks a rule: row, seat, rule, component."""
    seat = 0
    for i in range(actions.shape[0]):
        while i >= seats[seat + 1, ACTION_AT]:
            seat += 1
        if unsound(limits[:, i : i + 1], actions[i : i + 1]) > 0:
            rule = int(limits[FAULT, i]) if math.isfinite(actions[i]) else FAULT_NOT_FINITE
            fault[0], fault[1], fault[2], fault[3] = b, seat, rule, i - seats[seat, ACTION_AT]
            return


@inner_kernel
def actions_are_sound(seats: Int, limits: Float, actions: Float, fault: Int) -> bool:
    """Look at every number of every row before anything changes; the first fault is written down."""
    for b in range(actions.shape[0]):
        if unsound(limits, actions[b]) > 0:
            blame(seats, limits, actions[b], b, fault)
            return False
    return True


@inner_kernel
def place(orders: Float, ranks: Int, slot: int, price: float, mw: float, rank: int) -> None:
    """Write one order."""
    orders[ORDER_PRICE, slot] = price
    orders[ORDER_MW, slot] = mw
    ranks[slot] = rank


@inner_kernel
def read_pairs(action: Float, codec: int, floor: float, cap: float, steps: Float) -> int:
    """Read the (price, MW) pairs of an ``order`` or ``curve``; how many."""
    count = 1 if codec == ORDER else 3
    for k in range(count):
        steps[STEP_PRICE, k] = min(max(action[2 * k], floor), cap)
        steps[STEP_MW, k] = action[2 * k + 1]
    return count


@inner_kernel
def read_generator(
    action: Float, codec: int, unit: Float, high: float, room: int, rules: Float, grid: Float, steps: Float
) -> int:
    """Steps a generator offers, from zero output up; how many. ``room`` is how many slots it has for them."""
    floor, cap = rules[FLOOR], rules[CAP]
    if codec in (ORDER, CURVE):
        return read_pairs(action, codec, floor, cap, steps)
    if codec == PRICE_GRID:
        steps[STEP_PRICE, 0] = min(max(grid[int(action[0])], floor), cap)
        steps[STEP_MW, 0] = high
        return 1
    width = high / room
    for k in range(room):
        cost = generator.step_cost(unit, width * k, width * (k + 1))
        steps[STEP_PRICE, k] = min(max(action[0] * cost, floor), cap)
        steps[STEP_MW, k] = width
    return room


@inner_kernel
def offer_generator(
    seat: Int,
    low: float,
    high: float,
    carbon: float,
    most: float,
    count: int,
    rules: Float,
    steps: Float,
    offers: Float,
    ranks: Int,
) -> None:
    """Must-run at the floor, then the steps above it at most at a price, cheapest capacity first taken as must-run."""
    slot = seat[OFFER_AT]
    place(offers, ranks, slot, rules[FLOOR], low, MUST_RUN)
    covered, room = low, high - low
    for k in range(seat[OFFERS] - 1):
        mw = max(steps[STEP_MW, k], 0.0) if k < count else 0.0
        must_run = min(covered, mw)
        covered -= must_run
        mw = min(mw - must_run, room)
        room -= mw
        price = min(min(steps[STEP_PRICE, k], most) + carbon, rules[CAP]) if k < count else rules[CAP]
        place(offers, ranks, slot + 1 + k, price, mw, GENERATION)


@inner_kernel
def offer_generators(world: World, rows: Rows, b: int, actions: Float, adder: float, chosen: int, book: Book) -> None:
    """All units: what they can deliver, what they ask for it (mitigated: at most the operator's limit)."""
    most = world.rules[MITIGATED] if chosen == MITIGATE else world.rules[CAP]
    for g in range(world.generator.shape[0]):
        unit, seat = world.generator[g], world.seat[g]
        profile = int(unit[generator.PROFILE])
        available = rows.generator[b, g, generator.ONLINE]
        if profile >= 0:
            available *= book.realised[profile]
        low, high = generator.deliverable(unit, available, rows.generator[b, g, generator.OUTPUT])
        book.limits[g, 0], book.limits[g, 1] = low, high
        action = actions[b, seat[ACTION_AT] :]
        count = read_generator(
            action, seat[CODEC], unit, high, seat[OFFERS] - 1, world.rules, world.price_grid, book.steps
        )
        carbon = adder * unit[generator.CO2] / KG_PER_T
        offer_generator(seat, low, high, carbon, most, count, world.rules, book.steps, book.offers, book.offer_rank)


@inner_kernel
def offer_storage(world: World, rows: Rows, b: int, actions: Float, chosen: int, book: Book) -> None:
    """All batteries: discharging on the supply side, charging (unless held) on the demand side, within their limits."""
    hours, floor, cap = world.rules[HOURS], world.rules[FLOOR], world.rules[CAP]
    for s in range(world.battery.shape[0]):
        row = world.generator.shape[0] + s
        unit, seat, state = world.battery[s], world.seat[row], rows.battery[b, s]
        charge = battery.charge_limit(unit, state[battery.ENERGY], state[battery.POWER], hours)
        discharge = battery.discharge_limit(unit, state[battery.ENERGY], state[battery.POWER], hours)
        if chosen == HOLD_STORAGE:
            charge = 0.0
        book.limits[row, 0], book.limits[row, 1] = -charge, discharge
        action, count = actions[b, seat[ACTION_AT] :], 1
        if seat[CODEC] == POWER:
            book.steps[STEP_PRICE, 0] = floor if action[0] > 0.0 else cap
            book.steps[STEP_MW, 0] = action[0] * unit[battery.POWER_LIMIT]
        else:
            count = read_pairs(action, seat[CODEC], floor, cap, book.steps)
        for k in range(count):
            price, mw = book.steps[STEP_PRICE, k], book.steps[STEP_MW, k]
            sell, buy = min(max(mw, 0.0), discharge), min(max(-mw, 0.0), charge)
            discharge -= sell
            charge -= buy
            place(book.offers, book.offer_rank, seat[OFFER_AT] + k, price, sell, STORAGE)
            place(book.bids, book.bid_rank, seat[BID_AT] + k, price, buy, CHARGING)


@inner_kernel
def read_consumer(action: Float, codec: int, unit: Float, flexible: float, rules: Float, steps: Float) -> int:
    """Steps of reduction a consumer offers; how many."""
    floor, cap = rules[FLOOR], rules[CAP]
    if codec in (ORDER, CURVE):
        return read_pairs(action, codec, floor, cap, steps)
    price = action[0] * unit[load.COMFORT] if codec == MARKUP else unit[load.DR_PRICE]
    steps[STEP_PRICE, 0] = min(max(price, floor), cap)
    steps[STEP_MW, 0] = flexible if codec == MARKUP else action[0] * flexible
    return 1


@inner_kernel
def call_response(unit: Float, flexible: float, rules: Float, steps: Float) -> int:
    """The whole flexible load at its own price, whatever the consumer chose to offer."""
    steps[STEP_PRICE, 0] = min(max(unit[load.DR_PRICE], rules[FLOOR]), rules[CAP])
    steps[STEP_MW, 0] = flexible
    return 1


@inner_kernel
def offer_consumers(world: World, rows: Rows, b: int, actions: Float, chosen: int, book: Book) -> None:
    """All loads: reductions on the supply side (all they have, where called), the whole baseline as inelastic demand.

    What demand response covers of the load is served first, so accepted reductions and shed load never exceed the load.
    """
    hours, voll, cap = world.rules[HOURS], world.rules[VOLL], world.rules[CAP]
    for c in range(world.load.shape[0]):
        row = world.generator.shape[0] + world.battery.shape[0] + c
        unit, seat = world.load[c], world.seat[row]
        uncontrolled = unit[load.LOAD] * book.realised[int(unit[load.PROFILE])]
        baseline = uncontrolled + load.rebound(unit, rows.load[b, c, load.DEBT], hours)
        flexible = unit[load.FLEXIBLE] * uncontrolled
        book.limits[row, 0], book.limits[row, 1] = baseline, flexible
        action = actions[b, seat[ACTION_AT] :]
        count = read_consumer(action, seat[CODEC], unit, flexible, world.rules, book.steps)
        if chosen == CALL_RESPONSE:
            count = call_response(unit, flexible, world.rules, book.steps)
        offered = 0.0
        for k in range(seat[OFFERS]):
            mw = min(max(book.steps[STEP_MW, k], 0.0), flexible - offered) if k < count else 0.0
            offered += mw
            price = book.steps[STEP_PRICE, k] if k < count else cap
            place(book.offers, book.offer_rank, seat[OFFER_AT] + k, price, mw, RESPONSE)
        place(book.bids, book.bid_rank, seat[BID_AT], voll, offered, COVERED_LOAD)
        place(book.bids, book.bid_rank, seat[BID_AT] + 1, voll, baseline - offered, OTHER_LOAD)


@inner_kernel
def import_co2(rules: Float, values: Float) -> float:
    """CO2 rate of imports now, kg/MWh."""
    profile = int(rules[CO2_PROFILE])
    return values[profile] if profile >= 0 else rules[IMPORT_CO2]


@inner_kernel
def offer_connection(rules: Float, adder: float, book: Book) -> None:
    """The larger grid sells at wholesale plus fee (and carbon), buys at wholesale less fee, up to the transformer."""
    profile = int(rules[WHOLESALE])
    if profile < 0:
        return
    offer, bid = book.offers.shape[1] - 1, book.bids.shape[1] - 1
    wholesale = book.realised[profile]
    carbon = adder * import_co2(rules, book.realised) / KG_PER_T
    asked = min(wholesale + rules[IMPORT_FEE] + carbon, rules[CAP])
    place(book.offers, book.offer_rank, offer, asked, rules[LIMIT], GENERATION)
    place(book.bids, book.bid_rank, bid, max(wholesale - rules[EXPORT_FEE], rules[FLOOR]), rules[LIMIT], EXPORT)


@inner_kernel
def write_orders(world: World, rows: Rows, b: int, actions: Float, adder: float, chosen: int, book: Book) -> None:
    """All orders of one row, under the operator's intervention."""
    offer_generators(world, rows, b, actions, adder, chosen, book)
    offer_storage(world, rows, b, actions, chosen, book)
    offer_consumers(world, rows, b, actions, chosen, book)
    offer_connection(world.rules, adder, book)


@inner_kernel
def intervention(action: float) -> int:
    """The operator's intervention: none, carbon adder, no charging, all demand response, offers mitigated."""
    return int(action) % INTERVENTIONS


@inner_kernel
def reserve_level(action: float) -> int:
    """The operator's reserve level, 0 to 4."""
    return int(action) // INTERVENTIONS
