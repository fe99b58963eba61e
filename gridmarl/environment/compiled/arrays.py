"""The few packed arrays the kernels work on: a world's constants, the rows' state, one step's outcome."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gridmarl.assets.battery import BATTERY_STATE
from gridmarl.assets.generator import GENERATOR_STATE
from gridmarl.assets.load import LOAD_STATE
from gridmarl.bundles import bundle, page_opener
from gridmarl.environment.compiled.columns import (
    BIDS,
    CLASS_COLUMNS,
    CLASS_SLOTS,
    GIVEN_AWARDS,
    LEADS,
    MEMORY_COLUMNS,
    OFFERS,
)
from gridmarl.grid.frequency import GRID_STATE, LIMIT_COLUMNS, RESULT_COLUMNS
from gridmarl.market.merit import empty_curves
from gridmarl.market.reserve import RESERVE_COLUMNS
from gridmarl.units import Float, Float32, Int, UInt


@bundle
class World(NamedTuple):
    """Constants of a scenario."""

    rules: Float  # (rule,)
    generator: Float  # (generator, column)
    battery: Float  # (battery, column)
    load: Float  # (load, column)
    profile: Float  # (profile, column)
    series: Float  # (profile, index)
    clock: Float32  # (index, 4) sine and cosine of the day, of the week
    maintenance: Int  # (window, 3) generator, first interval, first interval after
    stack: Float  # (class, 2) class-average cost $/MWh, cumulative MW: the public reference
    lead: Int  # (lead,) intervals ahead of the observed forecasts
    shrink: Float  # (profile, lead) decay to the power of lead + 1
    limits: Float  # (4, component) lowest and highest action, 1 where it must be whole, and which rule that is
    seat: Int  # (seat + 1, column) codec, place of its action, slots, class; the operator last, then the end
    class_capacity: Float  # (class,) MW
    price_grid: Float  # (20,) $/MWh
    low: Float32  # (role, field) bounds of observations
    high: Float32  # (role, field)
    own: Int  # (role, 2) how many numbers of an observation are a seat's own, and rounded up to whole vectors
    scale: Float32  # (seat + 1, field) factors of each seat's own block, the operator's and the public block last
    straying: Float  # (profile, column) how far a profile strays within an interval
    frequency: Float  # (column,) the swing equation; inertia 0: no frequency
    transition: Float  # (row, column) its solution over a substep with all units online
    emergency: Float  # (column,) thresholds
    reserve: Float  # (column,) requirement, penalty, times, levels; shares 0: no reserve
    reserve_order: Int  # (seller,) generators and batteries by asked price
    reserve_asked: Float  # (seller,) $/MWh
    trip: Int  # (trip, 3) unit, interval, substep
    feeder: Float  # (bus or 0, column) parents before children
    support: Float  # (bus or 0, column) reactive support of each bus
    inverter_mva: Float  # (seller,) rating of inverters that support the voltage
    bus: Int  # (seat,) where each seat stands
    reactive: Float  # (seat,) MVAr that a seat takes for each MW it takes
    hour: Float  # (index,) local time of day
    home: Int  # (home, 5) seats that are one: the home's own, roof, battery, vehicle, load; -1 where it has none
    transformer: Float  # (transformer,) rating, MW
    behind: Int  # (seat,) transformer that a seat is behind; -1: none
    offer_behind: Int  # (slot,) transformer that a flexible offer is behind; -1: none, or not flexible
    bid_behind: Int  # (slot,) the same of bids
    offer_seat: Int  # (slot,) generator or battery that offers; -1: others, who take no part in balancing
    bid_seat: Int  # (slot,) battery that bids; -1: others


@bundle
class Rows(NamedTuple):
    """State of the environments, a row each. All a snapshot needs."""

    key: UInt  # (env,)
    t: Int  # (env,) the interval about to be decided
    origin: Int  # (env,) index of the episode's first interval in the series
    deviation: Float  # (env, profile)
    generator: Float  # (env, generator, column)
    battery: Float  # (env, battery, column)
    load: Float  # (env, load, column)
    market: Float  # (env, memory)
    classes: Float  # (env, class, column)
    stray: Float  # (env, profile) last deviation within an interval, in standard deviations
    grid: Float  # (env, column) frequency, responses, emergency
    home: Float  # (env, home, 2) net power and profit of the last interval
    loading: Float  # (env, transformer) net power of the last interval over rating, + exports


@bundle
class Book(NamedTuple):
    """Scratch of one row's interval."""

    offers: Float  # (3, slot) price, MW, accepted MW
    bids: Float  # (3, slot)
    offer_rank: Int  # (slot,) class within a price
    bid_rank: Int  # (slot,)
    order: Int  # (entry,) merit order of both sides
    curve: Float  # (7, place) ``Curves.mw`` of the auction; scratch
    tie: Int  # (2, place) ``Curves.tie``
    steps: Float  # (2, 3) price and MW of a decoded action
    limits: Float  # (seat, 2) what each seat can deliver, MW
    realised: Float  # (profile,)
    outcome: Float  # (4,) price, low, high, volume
    public: Float32  # (field,) the block of observation all seats share
    ahead: Float  # (3, lead) forecast net demand and renewable output, MW; scratch
    own: Float32  # (seat, field) each seat's own block before it is scaled
    fault: Int  # (4,) row, seat, which rule, component
    strayed: Float  # (profile, substep + 2) deviation path of each profile, then its mean and its least
    following: Float  # (profile,) MW that move with a profile in real time, + injects
    path: Float  # (substep,) MW that the schedule is out of balance
    online: Float  # (2,) inertia and droop of the units that are on line throughout
    grid_limits: Float  # (column,) what can respond
    grid_result: Float  # (column,) what did
    transition: Float  # (row, column) as ``World.transition``, for fewer units
    sellers: Float  # (seller, column) reserve
    margin: Float  # (seller, 2) MW activated, MW that may still be
    reserve_outcome: Float  # (4,) prices and what is short
    flow: Float  # (5, bus) active and reactive power, squared voltage, reactive headroom and support


PAGES = 16
"""Rows that pass through a stage of the step one after the other: its code and tables stay at hand; rows overlap."""
PAGED = (
    "offers",
    "bids",
    "offer_rank",
    "bid_rank",
    "order",
    "limits",
    "realised",
    "outcome",
    "strayed",
    "following",
    "path",
    "online",
    "grid_limits",
    "public",
    "own",
    "sellers",
    "margin",
)
"""What the stages of a row's interval hand on to each other."""


open_page: Callable[[Book, int], Book] = page_opener(Book, PAGED)
"""Scratch of one row."""


@bundle
class Outcome(NamedTuple):
    """What one step returns; fresh arrays every time."""

    seats: Float  # (env, seat, column), the operator last
    market: Float  # (env, column)
    generator: Float32  # (env, generator, 64) observations
    storage: Float32  # (env, battery, 48)
    consumer: Float32  # (env, load, 40)
    prosumer: Float32  # (env, home, 56)
    operator: Float32  # (env, 1, 80)
    book: Float  # (env or 0, slot, 4) price, MW, accepted, rank; offers then bids
    rewards: Float  # (env, seat), $; a column of seats, side by side for those who read nothing else


def empty_rows(world: World, rows: int) -> Rows:
    """State arrays for this many environments, to be filled by a reset."""
    return Rows(
        key=np.zeros(rows, np.uint64),
        t=np.zeros(rows, np.int64),
        origin=np.ones(rows, np.int64),
        deviation=np.zeros((rows, len(world.profile))),
        generator=np.zeros((rows, len(world.generator), GENERATOR_STATE)),
        battery=np.zeros((rows, len(world.battery), BATTERY_STATE)),
        load=np.zeros((rows, len(world.load), LOAD_STATE)),
        market=np.zeros((rows, MEMORY_COLUMNS)),
        classes=np.zeros((rows, CLASS_SLOTS, CLASS_COLUMNS)),
        stray=np.zeros((rows, len(world.profile))),
        grid=np.zeros((rows, GRID_STATE)),
        home=np.zeros((rows, len(world.home), 2)),
        loading=np.zeros((rows, len(world.transformer))),
    )


def copy_rows(rows: Rows) -> Rows:
    """A copy that later steps do not touch."""
    return Rows._make(array.copy() for array in rows)


def book_sizes(world: World) -> tuple[int, int]:
    """Number of offer slots and of bid slots, the connection's included."""
    return int(world.seat[:, OFFERS].sum()) + 1, int(world.seat[:, BIDS].sum()) + 1


def empty_book(world: World, substeps: int) -> Book:
    """Scratch of several rows' intervals: what stages hand on has a page for each, (page, ...)."""
    offers, bids = book_sizes(world)
    profiles, sellers = len(world.profile), len(world.generator) + len(world.battery)
    curves = empty_curves(offers + bids)
    one = Book(
        offers=np.zeros((3, offers)),
        bids=np.zeros((3, bids)),
        offer_rank=np.zeros(offers, np.int64),
        bid_rank=np.zeros(bids, np.int64),
        order=np.arange(offers + bids),
        curve=curves.mw,
        tie=curves.tie,
        steps=np.zeros((2, 3)),
        limits=np.zeros((len(world.seat), 2)),
        realised=np.zeros(len(world.profile)),
        outcome=np.zeros(4),
        public=np.zeros(64, np.float32),
        ahead=np.zeros((3, LEADS)),
        own=np.zeros(world.scale.shape, np.float32),
        fault=np.zeros(4, np.int64),
        strayed=np.zeros((profiles, substeps + 2)),
        following=np.zeros(profiles),
        path=np.zeros(substeps),
        online=np.zeros(2),
        grid_limits=np.zeros(LIMIT_COLUMNS),
        grid_result=np.zeros(RESULT_COLUMNS),
        transition=np.zeros_like(world.transition),
        sellers=np.zeros((sellers, RESERVE_COLUMNS)),
        margin=np.zeros((sellers, 2)),
        reserve_outcome=np.zeros(4),
        flow=np.zeros((5, max(1, len(world.feeder)))),
    )
    many = {name: np.stack([getattr(one, name)] * PAGES) for name in PAGED}
    return one._replace(**many)


def empty_given(world: World, rows: int) -> Float:
    """Room for what this many rows clear jointly."""
    sellers = len(world.generator) + len(world.battery)
    return np.zeros((rows, GIVEN_AWARDS + sum(book_sizes(world)) + 2 * sellers))
