"""One interval of every row: orders, clearing, dispatch, reserve, real time, delivery, observation."""

from __future__ import annotations

import numpy as np

from gridmarl.assets import battery, degradation, generator
from gridmarl.data import profiles, straying
from gridmarl.data.random import episode_key
from gridmarl.environment.compiled.arrays import PAGES, Book, Outcome, Rows, World, open_page
from gridmarl.environment.compiled.columns import (
    CARBON,
    CARBON_ADDER,
    CARBON_COLLECTED,
    CARBON_STEP,
    COMFORT,
    COST,
    COST_OBJECTIVE,
    COST_WEIGHT,
    CURTAILED,
    EIGHTH,
    EMISSIONS,
    EMISSIONS_WEIGHT,
    FIFTH,
    FUEL,
    GIVEN_AWARDS,
    GIVEN_VOLUME,
    HOURS,
    IMBALANCE_ACCOUNT,
    IMBALANCE_PAYMENT,
    IMPORT,
    IN_BAND,
    NINTH,
    NONSPIN,
    NONSPIN_MW,
    ORDER_ACCEPTED,
    ORDER_MW,
    ORDER_PRICE,
    OUT_OF_BAND,
    PRICING,
    RENT,
    RESERVE_PAYMENT,
    RESERVE_PAYMENTS,
    RESOURCE_COST,
    REWARD,
    SEVENTH,
    SPIN,
    SPIN_MW,
    STABILITY_WEIGHT,
    START,
    TENTH,
    UNSERVED,
    VOLL,
    VOLTAGE_BAND,
    VOLTAGE_HIGH,
    VOLTAGE_LOW,
    WEAR,
    WHOLESALE_PRICE,
)
from gridmarl.environment.interval.balancing import balance, compare, respond, stray
from gridmarl.environment.interval.bidding import (
    ADD_CARBON,
    actions_are_sound,
    intervention,
    reserve_level,
    write_orders,
)
from gridmarl.environment.interval.delivery import deliver
from gridmarl.environment.interval.dispatch import dispatch
from gridmarl.environment.interval.feeding import feed
from gridmarl.environment.interval.memory import remember, remember_before
from gridmarl.environment.interval.observe import observe, present
from gridmarl.environment.interval.procurement import procure
from gridmarl.environment.interval.prosumers import account, expand, meter
from gridmarl.environment.interval.transformers import limit_orders, measure_loading
from gridmarl.environment.interval.vehicles import park, plug_in, travel
from gridmarl.kernels import entry_kernel, inner_kernel
from gridmarl.market.clearing import clear_book
from gridmarl.market.merit import Curves
from gridmarl.units import Bool, Float, Int, UInt


@inner_kernel
def realise(world: World, deviation: Float, origin: int, t: int, key: np.uint64, values: Float) -> None:
    """The public series of this interval become real."""
    for p in range(world.profile.shape[0]):
        last = deviation[p]
        deviation[p] = profiles.next_deviation(world.profile, world.series, p, origin, t, key, last)
        values[p] = profiles.realised(world.profile, world.series, p, origin, t, deviation[p])


@inner_kernel
def commit(maintenance: Int, units: Float, t: int) -> None:
    """Units in maintenance at t are off; the default owner keeps the others on."""
    for g in range(units.shape[0]):
        units[g, generator.ONLINE] = 1.0
    for w in range(maintenance.shape[0]):
        if maintenance[w, 1] <= t < maintenance[w, 2]:
            units[maintenance[w, 0], generator.ONLINE] = 0.0


@inner_kernel
def start_units(maintenance: Int, parameters: Float, units: Float, t: int, seats: Float) -> None:
    """A unit whose maintenance ended with the last interval starts, and pays for it."""
    for w in range(maintenance.shape[0]):
        g = maintenance[w, 0]
        if maintenance[w, 2] == t and units[g, generator.ONLINE] > 0.0:
            seats[g, FIFTH] = parameters[g, generator.START_COST]


@inner_kernel
def clear(book: Book, pricing: int) -> None:
    """One auction."""
    clear_book(
        book.offers[ORDER_PRICE],
        book.offers[ORDER_MW],
        book.offer_rank,
        book.offers[ORDER_ACCEPTED],
        book.offers.shape[1],
        book.bids[ORDER_PRICE],
        book.bids[ORDER_MW],
        book.bid_rank,
        book.bids[ORDER_ACCEPTED],
        book.bids.shape[1],
        pricing,
        book.order,
        Curves(book.curve, book.tie),
        book.outcome,
    )


@inner_kernel
def take_given(given: Float, book: Book) -> None:
    """Let what was cleared together with reserve take the place of what the auction found; its merit order stays."""
    for k in range(GIVEN_VOLUME + 1):
        book.outcome[k] = given[k]
    bids_at = GIVEN_AWARDS + book.offers.shape[1]
    for slot in range(book.offers.shape[1]):
        book.offers[ORDER_ACCEPTED, slot] = given[GIVEN_AWARDS + slot]
    for slot in range(book.bids.shape[1]):
        book.bids[ORDER_ACCEPTED, slot] = given[bids_at + slot]


@inner_kernel
def account_operator(world: World, market: Float, row: Float, level: int, chosen: int) -> None:
    """The operator's own row: its account, the system's cost and its three objectives."""
    rules, hours = world.rules, world.rules[HOURS]
    lost = rules[VOLL] * market[UNSERVED] * hours
    imports = market[WHOLESALE_PRICE] * market[IMPORT] * hours
    market[RESOURCE_COST] = market[FUEL] + market[START] + market[WEAR] + market[COMFORT] + lost + imports
    outside = 1.0 - market[IN_BAND]
    if max(market[VOLTAGE_HIGH] - 1.0, 1.0 - market[VOLTAGE_LOW]) > rules[VOLTAGE_BAND]:
        outside += 1.0
    instability = lost + rules[OUT_OF_BAND] * outside * hours
    cost = market[RESOURCE_COST] - lost + market[RESERVE_PAYMENTS]
    row[0], row[1] = level, chosen
    row[2] = market[CARBON_COLLECTED] + market[RENT] + market[IMBALANCE_ACCOUNT] + row[RESERVE_PAYMENT]
    row[COST], row[FIFTH] = market[RESOURCE_COST], market[EMISSIONS]
    row[REWARD] = -(rules[STABILITY_WEIGHT] * instability + rules[COST_WEIGHT] * cost)
    row[REWARD] -= rules[EMISSIONS_WEIGHT] * market[EMISSIONS]
    row[SEVENTH], row[EIGHTH], row[NINTH], row[TENTH] = (
        market[UNSERVED],
        market[CURTAILED],
        instability,
        market[CARBON_ADDER],
    )
    row[COST_OBJECTIVE], row[IMBALANCE_PAYMENT] = cost, market[IMBALANCE_ACCOUNT]
    row[SPIN_MW], row[NONSPIN_MW] = market[SPIN], market[NONSPIN]


@inner_kernel
def copy_orders(orders: Float, rank: Int, record: Float, first: int) -> None:
    """Keep one side of the book."""
    for i in range(orders.shape[1]):
        record[first + i, 0], record[first + i, 1] = orders[ORDER_PRICE, i], orders[ORDER_MW, i]
        record[first + i, 2], record[first + i, 3] = orders[ORDER_ACCEPTED, i], rank[i]


@inner_kernel
def begin(world: World, rows: Rows, b: int, actions: Float, book: Book, seats: Float, market: Float) -> None:
    """Public series become real, and all orders are written."""
    seats[:, :] = 0.0
    market[:] = 0.0
    chosen = intervention(actions[b, actions.shape[1] - 1])
    market[CARBON_ADDER] = world.rules[CARBON] + (world.rules[CARBON_STEP] if chosen == ADD_CARBON else 0.0)
    realise(world, rows.deviation[b], rows.origin[b], rows.t[b], rows.key[b], book.realised)
    start_units(world.maintenance, world.generator, rows.generator[b], rows.t[b], seats)
    expand(world, actions[b])
    write_orders(world, rows, b, actions, market[CARBON_ADDER], chosen, book)
    plug_in(world, rows, b, book)
    limit_orders(world, book)


@inner_kernel
def auction(world: World, b: int, given: Float, book: Book) -> None:
    """Energy is cleared, or was together with reserve."""
    clear(book, int(world.rules[PRICING]))
    if given.shape[0] > 0:
        take_given(given[b], book)


@inner_kernel
def schedule(
    world: World, rows: Rows, b: int, last: float, given: Float, book: Book, seats: Float, market: Float
) -> None:
    """Everybody's schedule and reserve."""
    dispatch(world, rows, b, book, seats, market)
    procure(world, rows, b, reserve_level(last), given, book, seats, market)


@inner_kernel
def settle(
    world: World, rows: Rows, b: int, last: float, book: Book, seats: Float, market: Float, rewards: Float
) -> None:
    """What was delivered is paid, what everybody earned, and what the public keeps of the interval."""
    feed(world, book, seats, market)
    meter(world, seats)
    measure_loading(world, rows.loading[b], seats, market)
    deliver(world, rows, b, book, seats, market)
    travel(world, rows, b, seats, market)
    account(world, rows.home[b], seats)
    level, chosen = reserve_level(last), intervention(last)
    account_operator(world, market, seats[seats.shape[0] - 1], level, chosen)
    for seat in range(seats.shape[0]):
        rewards[seat] = seats[seat, REWARD]
    remember(world, rows.market[b], book.realised, market, level)
    rows.t[b] += 1
    commit(world.maintenance, rows.generator[b], rows.t[b])


@inner_kernel
def step_pages(
    world: World, rows: Rows, first: int, count: int, actions: Float, given: Float, books: Book, outcome: Outcome
) -> None:
    """One interval of a few rows, stage by stage: orders, clearing, schedule, real time, settlement, observation."""
    end, last = first + count, actions.shape[1] - 1
    for b in range(first, end):
        begin(world, rows, b, actions, open_page(books, b - first), outcome.seats[b], outcome.market[b])
    for b in range(first, end):
        auction(world, b, given, open_page(books, b - first))
    for b in range(first, end):
        book, seats, market = open_page(books, b - first), outcome.seats[b], outcome.market[b]
        schedule(world, rows, b, actions[b, last], given, book, seats, market)
    for b in range(first, end):
        stray(world, rows.stray[b], rows.t[b], rows.key[b], open_page(books, b - first))
    for b in range(first, end):
        compare(world, rows, b, open_page(books, b - first), outcome.seats[b], outcome.market[b])
    for b in range(first, end):
        respond(world, rows, b, open_page(books, b - first), outcome.market[b])
    for b in range(first, end):
        balance(world, rows, b, open_page(books, b - first), outcome.seats[b], outcome.market[b])
    for b in range(first, end):
        book, seats, market = open_page(books, b - first), outcome.seats[b], outcome.market[b]
        settle(world, rows, b, actions[b, last], book, seats, market, outcome.rewards[b])
        if outcome.book.shape[0] > 0:
            copy_orders(book.offers, book.offer_rank, outcome.book[b], 0)
            copy_orders(book.bids, book.bid_rank, outcome.book[b], book.offers.shape[1])
    for b in range(first, end):
        observe(world, rows, b, open_page(books, b - first))
    for b in range(first, end):
        present(world, b, open_page(books, b - first), outcome)


@entry_kernel
def step_rows(world: World, rows: Rows, actions: Float, given: Float, book: Book, outcome: Outcome) -> bool:
    """Advance every row by one interval; False, and nothing changed, where an action breaks a rule.

    Parameters
    ----------
    world : World
        Constants of the scenario.
    rows : Rows
        State, advanced in place.
    actions : (env, component) array
        Every seat's action, side by side, the operator's last.
    given : (env or 0, column) array
        What each row cleared jointly; without rows, energy and reserve are cleared here, in turn.
    book : Book
        Scratch; ``book.fault`` says which row, seat and rule where the result is False.
    outcome : Outcome
        Filled.
    """
    if not actions_are_sound(world.seat, world.limits, actions, book.fault):
        return False
    for first in range(0, actions.shape[0], PAGES):
        count = min(PAGES, actions.shape[0] - first)
        step_pages(world, rows, first, count, actions, given, book, outcome)
    return True


@entry_kernel
def observe_rows(world: World, rows: Rows, book: Book, outcome: Outcome) -> None:
    """Write every row's observations as they are now."""
    for b in range(rows.t.shape[0]):
        observe(world, rows, b, open_page(book, 0))
        present(world, b, open_page(book, 0), outcome)


@inner_kernel
def reset_row(world: World, rows: Rows, b: int, book: Book, outcome: Outcome) -> None:
    """State before the first interval of an episode, and its first observation."""
    origin, key, deviation = rows.origin[b], rows.key[b], rows.deviation[b]
    for p in range(world.profile.shape[0]):
        deviation[p] = profiles.first_deviation(world.profile, world.series, p, origin, key)
        book.realised[p] = profiles.realised(world.profile, world.series, p, origin, -1, deviation[p])
        rows.stray[b, p] = straying.first_stray(p, key)
    rows.t[b] = 0
    rows.generator[b, :, :] = 0.0
    rows.battery[b, :, :] = 0.0
    rows.load[b, :, :] = 0.0
    rows.classes[b, :, :] = 0.0
    rows.market[b, :] = 0.0
    rows.grid[b, :] = 0.0
    rows.home[b, :, :] = 0.0
    rows.loading[b, :] = 0.0
    for g in range(world.generator.shape[0]):
        rows.generator[b, g, generator.OUTPUT] = world.generator[g, generator.INITIAL]
    for s in range(world.battery.shape[0]):
        unit, state = world.battery[s], rows.battery[b, s]
        state[battery.ENERGY] = unit[battery.ENERGY_INITIAL]
        degradation.begin_cycles(state, battery.CYCLES, state[battery.ENERGY] / unit[battery.CAPACITY])
    park(world, rows, b)
    commit(world.maintenance, rows.generator[b], 0)
    remember_before(world, rows.market[b], deviation, origin, book.realised)
    observe(world, rows, b, book)
    present(world, b, book, outcome)


@entry_kernel
def reset_rows(
    world: World, rows: Rows, chosen: Bool, seed: UInt, split: int, episode: UInt, book: Book, outcome: Outcome
) -> None:
    """Begin an episode in the chosen rows.

    Parameters
    ----------
    chosen : (env,) bool array
    seed, episode : (env,) uint64 arrays
        With ``split``, the key of each row's randomness.
    """
    for b in range(chosen.shape[0]):
        if chosen[b]:
            rows.key[b] = episode_key(seed[b], np.uint64(split), episode[b])
            reset_row(world, rows, b, open_page(book, 0), outcome)
