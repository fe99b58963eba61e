"""Real time: the schedule's imbalance within the interval, who responds, what that does to frequency and its price."""

from __future__ import annotations

import numpy as np

from gridmarl.assets import battery, generator, load
from gridmarl.data import straying
from gridmarl.environment.compiled.arrays import Book, Rows, World
from gridmarl.environment.compiled.columns import (
    ACTIVATED,
    DAMPED,
    DEVIATION_MW,
    EIGHTH,
    EMERGENCY_GENERATION,
    EXPORT_FEE,
    FREQUENCY,
    FREQUENCY_PROFILE,
    HOURS,
    IMBALANCE,
    IMBALANCE_ACCOUNT,
    IMBALANCE_PRICE,
    IMBALANCE_SIZE,
    IMPORT_FEE,
    IN_BAND,
    KINETIC,
    NADIR,
    POWER_MW,
    PRICE,
    ROCOF,
    SEVENTH,
    SHED,
    STAGE,
    STAGES,
    STORAGE_RESPONSE,
    TRIP_INTERVAL,
    TRIP_SUBSTEP,
    TRIP_UNIT,
    WHOLESALE,
    WHOLESALE_PRICE,
    ZENITH,
)
from gridmarl.environment.interval.activation import activate, room_below, storage_room
from gridmarl.environment.interval.dispatch import FULLY
from gridmarl.grid import frequency
from gridmarl.grid.emergency import rebase, unscheduled_mw
from gridmarl.kernels import inner_kernel
from gridmarl.market import reserve
from gridmarl.units import Float, Int

SECONDS_PER_HOUR = 3600.0


@inner_kernel
def stray(world: World, last: Float, t: int, key: np.uint64, book: Book) -> None:
    """Public series stray from the value the auction cleared on, the same for every team; MW that follow move along."""
    book.path[:] = 0.0
    for p in range(world.profile.shape[0]):
        path, mw = book.strayed[p], book.following[p]
        last[p] = straying.stray(world.straying, world.profile, p, book.realised[p], t, key, last[p], path)
        if mw != 0.0:
            for s in range(book.path.shape[0]):
                book.path[s] += mw * path[s]


@inner_kernel
def tripped_at(trips: Int, g: int, t: int) -> int:
    """Substep of interval t in which the unit trips; -1 where it does not."""
    for k in range(trips.shape[0]):
        if trips[k, TRIP_UNIT] == g and trips[k, TRIP_INTERVAL] == t:
            return trips[k, TRIP_SUBSTEP]
    return -1


@inner_kernel
def trip(book: Book, row: Float, substep: int) -> float:
    """The unit's output is lost from a substep on; how many MW."""
    count, lost = book.path.shape[0], row[POWER_MW]
    for s in range(substep, count):
        book.path[s] -= lost
    row[DEVIATION_MW] -= lost * (count - substep) / count
    return lost


@inner_kernel
def fall_short(book: Book, profile: int, capacity: float, row: Float) -> None:
    """A unit that was held back follows sun and wind only where they fall below its schedule."""
    count, schedule, total = book.path.shape[0], row[POWER_MW], 0.0
    for s in range(count):
        missing = max(schedule - capacity * (book.realised[profile] + book.strayed[profile, s]), 0.0)
        book.path[s] -= missing
        total += missing
    row[DEVIATION_MW] -= total / count


@inner_kernel
def deviate(world: World, states: Float, t: int, book: Book, seats: Float, grid: Float) -> tuple[float, float]:
    """Each seat's own deviation; inertia and droop of the units that are on line throughout."""
    count, inertia, droop, lost = book.path.shape[0], 0.0, 0.0, 0.0
    for g in range(world.generator.shape[0]):
        unit, row, online = world.generator[g], seats[g], states[g, generator.ONLINE]
        profile = int(unit[generator.PROFILE])
        if profile >= 0 and online > 0.0:
            capacity = unit[generator.CAPACITY]
            ceiling = capacity * book.realised[profile]
            if row[POWER_MW] >= ceiling * FULLY:
                row[DEVIATION_MW] = capacity * book.strayed[profile, count]
            elif row[POWER_MW] > ceiling + capacity * book.strayed[profile, count + 1]:
                fall_short(book, profile, capacity, row)
        substep = tripped_at(world.trip, g, t) if world.trip.shape[0] > 0 else -1
        if substep >= 0 and online > 0.0:
            lost += trip(book, row, substep)
            book.sellers[g, reserve.SPIN_MW] = book.sellers[g, reserve.NONSPIN_MW] = 0.0
            book.sellers[g, reserve.SPIN_ROOM_MW] = 0.0
        else:
            inertia += unit[generator.INERTIA] * online
            droop += unit[generator.DROOP] * online
    first = world.generator.shape[0] + world.battery.shape[0]
    for c in range(world.load.shape[0]):
        unit, row = world.load[c], seats[first + c]
        served = 1.0 - row[EIGHTH] / row[SEVENTH] if row[SEVENTH] > 0.0 else 0.0
        row[DEVIATION_MW] = -unit[load.LOAD] * served * book.strayed[int(unit[load.PROFILE]), count]
    grid[frequency.LOST_MW] = lost
    return inertia, droop


@inner_kernel
def limit_response(world: World, states: Float, book: Book, seats: Float) -> None:
    """What can respond: awarded spin, units down to must-run, the rest of storage, nonspin in an emergency."""
    up, down, generation, served = 0.0, 0.0, 0.0, 0.0
    for k in range(book.sellers.shape[0]):
        up += book.sellers[k, reserve.SPIN_MW]
        generation += book.sellers[k, reserve.NONSPIN_MW]
    for g in range(world.generator.shape[0]):
        down += room_below(world.generator[g], book.limits[g, 0], seats[g])
    more, less, droop = 0.0, 0.0, 0.0
    for s in range(world.battery.shape[0]):
        number, unit = world.generator.shape[0] + s, world.battery[s]
        out, into = storage_room(unit, states[s], seats[number, POWER_MW], world.rules[HOURS])
        if unit[battery.DROOP] > 0.0:
            more += max(out - book.sellers[number, reserve.SPIN_MW] - book.sellers[number, reserve.NONSPIN_MW], 0.0)
            less += into
            droop += unit[battery.DROOP]
    first = world.generator.shape[0] + world.battery.shape[0]
    for c in range(first, first + world.load.shape[0]):
        served += seats[c, SEVENTH] - seats[c, EIGHTH] - seats[c, POWER_MW]
    limits = book.grid_limits
    limits[frequency.UP_MW], limits[frequency.DOWN_MW] = up, down
    limits[frequency.STORAGE_UP_MW], limits[frequency.STORAGE_DOWN_MW] = more, less
    limits[frequency.STORAGE_DROOP], limits[frequency.GENERATION_UP_MW] = droop, generation
    limits[frequency.LOAD_MW] = max(served, 0.0)


@inner_kernel
def swing(world: World, grid: Float, inertia: float, droop: float, book: Book, market: Float) -> None:
    """Frequency through the interval, and the mean MW of everything that moved it."""
    steps, limits, result = book.path.shape[0], book.grid_limits, book.grid_result
    transition = world.transition
    if inertia != world.frequency[frequency.INERTIA] or droop != world.frequency[frequency.DROOP]:
        transition = book.transition
        frequency.solve_transition(world.frequency, inertia, droop, transition)
    frequency.run_interval(
        world.frequency, world.emergency, transition, inertia, droop, limits, book.path, steps, grid, result
    )
    per_second = 1.0 / (world.rules[HOURS] * SECONDS_PER_HOUR)
    market[ACTIVATED] = result[frequency.RESPONSE_MWS] * per_second
    market[STORAGE_RESPONSE] = result[frequency.STORAGE_MWS] * per_second
    market[SHED] = result[frequency.SHED_MWS] * per_second
    market[EMERGENCY_GENERATION] = result[frequency.GENERATION_MWS] * per_second
    market[DAMPED] = -result[frequency.DAMPING_MWS] * per_second
    market[KINETIC] = result[frequency.KINETIC_MWS] * per_second
    market[FREQUENCY], market[NADIR], market[ZENITH] = (
        grid[frequency.DEVIATION_HZ],
        result[frequency.NADIR_HZ],
        result[frequency.ZENITH_HZ],
    )
    market[ROCOF] = result[frequency.ROCOF_HZ_PER_S]
    market[IN_BAND] = result[frequency.IN_BAND_S] * per_second
    market[STAGE], market[STAGES] = result[frequency.WORST_STAGE], result[frequency.STAGES]


@inner_kernel
def respond_ideally(book: Book, market: Float) -> None:
    """An island without a frequency: response at once, within its limits; load is shed for what is missing."""
    mean, limits = market[IMBALANCE], book.grid_limits
    market[ACTIVATED] = min(max(-mean, -limits[frequency.DOWN_MW]), limits[frequency.UP_MW])
    rest = mean + market[ACTIVATED]
    market[SHED] = min(max(-rest, 0.0), limits[frequency.LOAD_MW])
    market[DAMPED] = rest + market[SHED]
    market[IN_BAND], market[STAGES] = 1.0, 1.0


@inner_kernel
def lean_on_connection(rules: Float, band_hz: float, book: Book, market: Float) -> None:
    """The larger grid takes the imbalance and sets the frequency."""
    profile = int(rules[FREQUENCY_PROFILE])
    market[FREQUENCY] = book.realised[profile] if profile >= 0 else 0.0
    market[NADIR] = market[ZENITH] = market[FREQUENCY]
    market[IN_BAND], market[STAGES] = 1.0 if abs(market[FREQUENCY]) <= band_hz else 0.0, 1.0
    deviation = -market[IMBALANCE]
    if deviation > 0.0:
        market[IMBALANCE_PRICE] = max(market[PRICE], market[WHOLESALE_PRICE] + rules[IMPORT_FEE])
    elif deviation < 0.0:
        market[IMBALANCE_PRICE] = min(market[PRICE], market[WHOLESALE_PRICE] - rules[EXPORT_FEE])


@inner_kernel
def compare(world: World, rows: Rows, b: int, book: Book, seats: Float, market: Float) -> None:
    """How far the row's real time is from its schedule, and what could respond."""
    grid = rows.grid[b]
    if world.frequency[frequency.INERTIA] > 0.0:
        rebase(grid, unscheduled_mw(grid))
    book.online[0], book.online[1] = deviate(world, rows.generator[b], rows.t[b], book, seats, grid)
    mean, size, share = 0.0, 0.0, 1.0 / book.path.shape[0]
    for s in range(book.path.shape[0]):
        mean += book.path[s]
        size += abs(book.path[s])
    market[IMBALANCE], market[IMBALANCE_SIZE] = mean * share, size * share
    market[IMBALANCE_PRICE] = market[PRICE]
    limit_response(world, rows.battery[b], book, seats)


@inner_kernel
def respond(world: World, rows: Rows, b: int, book: Book, market: Float) -> None:
    """A larger grid, the frequency's controls, or everybody at once, answer the imbalance."""
    if world.rules[WHOLESALE] >= 0.0:
        lean_on_connection(world.rules, world.frequency[frequency.BAND_HZ], book, market)
    elif world.frequency[frequency.INERTIA] > 0.0:
        swing(world, rows.grid[b], book.online[0], book.online[1], book, market)
    else:
        respond_ideally(book, market)


@inner_kernel
def balance(world: World, rows: Rows, b: int, book: Book, seats: Float, market: Float) -> None:
    """Who delivered the response on an island, and at what price."""
    if world.rules[WHOLESALE] >= 0.0:
        return
    activate(world, rows.battery[b], book, seats, market)
    unclaimed = market[DAMPED] + market[KINETIC]
    market[IMBALANCE_ACCOUNT] = -market[IMBALANCE_PRICE] * unclaimed * world.rules[HOURS]
