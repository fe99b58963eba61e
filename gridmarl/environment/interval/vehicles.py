"""Vehicles come and go: no orders while away, late charging at the cap, what a trip takes, what is missing."""

from __future__ import annotations

from gridmarl.assets import battery, degradation, ev
from gridmarl.environment.compiled.arrays import Book, Rows, World
from gridmarl.environment.compiled.columns import (
    BID_AT,
    BIDS,
    CAP,
    COMFORT,
    EIGHTH,
    HOURS,
    MISSING_COST,
    OFFER_AT,
    OFFERS,
    ORDER_MW,
    REWARD,
    SEVENTH,
    TRIP_ENERGY,
)
from gridmarl.environment.interval.bidding import CHARGING, place
from gridmarl.kernels import inner_kernel
from gridmarl.units import Float


@inner_kernel
def local_hour(hour: Float, index: int, hours: float) -> float:
    """Local time of day at which an interval of the series begins; beyond its end the clock runs on."""
    last = hour.shape[0] - 1
    return hour[index] if index <= last else (hour[last] + (index - last) * hours) % ev.DAY_H


@inner_kernel
def keep(orders: Float, first: int, count: int, most_mw: float) -> None:
    """Let a run of orders hold no more than this in all, the first ones first."""
    for slot in range(first, first + count):
        orders[ORDER_MW, slot] = min(orders[ORDER_MW, slot], most_mw)
        most_mw -= orders[ORDER_MW, slot]


@inner_kernel
def cover(orders: Float, first: int, count: int, mw: float) -> None:
    """Take away from a run of orders what another order already asks for, the first ones first."""
    for slot in range(first, first + count):
        covered = min(orders[ORDER_MW, slot], mw)
        orders[ORDER_MW, slot] -= covered
        mw -= covered


@inner_kernel
def plug_in(world: World, rows: Rows, b: int, book: Book) -> None:
    """Orders of all vehicles as far as they are there and will be ready; the last bid is what must be charged."""
    hours, cap = world.rules[HOURS], world.rules[CAP]
    now = local_hour(world.hour, rows.origin[b] + rows.t[b], hours)
    for s in range(world.battery.shape[0]):
        unit, state = world.battery[s], rows.battery[b, s]
        if not ev.is_vehicle(unit):
            continue
        number = world.generator.shape[0] + s
        seat, limits, must, spare = world.seat[number], book.limits[number], 0.0, 0.0
        if state[battery.AWAY] > 0.0:
            limits[0] = 0.0
            keep(book.bids, seat[BID_AT], seat[BIDS] - 1, 0.0)
        else:
            left = ev.hours_left(unit, now, hours)
            must = min(ev.must_charge(unit, state[battery.ENERGY], left, hours), -limits[0])
            spare = ev.spare_discharge(unit, state[battery.ENERGY], left, hours)
            cover(book.bids, seat[BID_AT], seat[BIDS] - 1, must)
        limits[1] = min(limits[1], spare)
        keep(book.offers, seat[OFFER_AT], seat[OFFERS], limits[1])
        place(book.bids, book.bid_rank, seat[BID_AT] + seat[BIDS] - 1, cap, must, CHARGING)


@inner_kernel
def travel(world: World, rows: Rows, b: int, seats: Float, market: Float) -> None:
    """Departures and arrivals when the interval ends: what is missing costs comfort, what the trip took is gone."""
    hours = world.rules[HOURS]
    after = local_hour(world.hour, rows.origin[b] + rows.t[b] + 1, hours)
    for s in range(world.battery.shape[0]):
        unit, state = world.battery[s], rows.battery[b, s]
        if not ev.is_vehicle(unit):
            continue
        row = seats[world.generator.shape[0] + s]
        was_away, is_away = state[battery.AWAY] > 0.0, not ev.plugged_in(unit, after, hours)
        if is_away and not was_away:
            row[MISSING_COST] = unit[battery.MISSING] * ev.missing_energy(unit, state[battery.ENERGY])
            row[REWARD] -= row[MISSING_COST]
            state[battery.PROFIT] -= row[MISSING_COST]
            market[COMFORT] += row[MISSING_COST]
        elif was_away and not is_away:
            row[TRIP_ENERGY] = ev.trip_energy(unit, state[battery.ENERGY])
            drive(unit, state, row[TRIP_ENERGY])
            row[SEVENTH], row[EIGHTH] = state[battery.ENERGY], state[battery.ENERGY] / unit[battery.CAPACITY]
        state[battery.AWAY] = 1.0 if is_away else 0.0


@inner_kernel
def drive(unit: Float, state: Float, trip_mwh: float) -> None:
    """Take a trip's energy; the count of cycles follows, but driving's own ageing is no cost of the market."""
    capacity, before = unit[battery.CAPACITY], state[battery.ENERGY]
    state[battery.ENERGY] = max(before - trip_mwh, unit[battery.ENERGY_MIN])
    degradation.cycle_cost(
        state,
        battery.CYCLES,
        before / capacity,
        state[battery.ENERGY] / capacity,
        capacity,
        unit[battery.CYCLE_COST],
        unit[battery.CYCLE_EXPONENT],
    )


@inner_kernel
def park(world: World, rows: Rows, b: int) -> None:
    """Which vehicles are away when an episode begins."""
    hours = world.rules[HOURS]
    now = local_hour(world.hour, rows.origin[b], hours)
    for s in range(world.battery.shape[0]):
        rows.battery[b, s, battery.AWAY] = 0.0 if ev.plugged_in(world.battery[s], now, hours) else 1.0
