"""The few packed arrays the kernels work on: a world's constants, the rows' state, one step's outcome."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gridmarl.assets.battery import BATTERY_STATE
from gridmarl.assets.generator import GENERATOR_STATE
from gridmarl.assets.load import LOAD_STATE
from gridmarl.units import Float, Float32, Int, UInt

# Columns of ``World.rules``.
HOURS, FLOOR, CAP, VOLL, PRICING, CARBON, CARBON_STEP, LIMIT, WHOLESALE, IMPORT_FEE, EXPORT_FEE = range(11)
IMPORT_CO2, CO2_PROFILE, PRICE_SCALE, MW_SCALE, INTERVALS, HOUR_MEMORY, DAY_MEMORY = range(11, 18)
STABILITY_WEIGHT, COST_WEIGHT, EMISSIONS_WEIGHT, NET_LOAD, TEMPERATURE = range(18, 23)
RULE_COLUMNS = 23

# Columns of ``Rows.market``: what the public remembers of the past.
LAST_PRICE, LAG_2, LAG_3, MEAN_HOUR, MEAN_DAY, LAST_SHORTAGE, LAST_DEMAND, LAST_RENEWABLE = range(8)
LAST_CURTAILED, LAST_EMISSIONS, LAST_IMPORT, LAST_RESERVE_LEVEL, LAST_ADDER, LAST_NET_LOAD, LAST_TEMPERATURE = range(
    8, 15
)
LAST_IRRADIANCE = 15
MEMORY_COLUMNS = 16

# Columns of ``Rows.classes`` and the number of the operator's slots.
CLASS_OFFERED, CLASS_ACCEPTED, CLASS_VALUE = range(3)
CLASS_COLUMNS = 3
CLASS_SLOTS = 12

# Columns of ``Outcome.market``.
MARKET_NAMES = (
    "price_per_mwh",
    "price_low_per_mwh",
    "price_high_per_mwh",
    "volume_mw",
    "demand_mw",
    "unserved_mw",
    "curtailed_mw",
    "import_mw",
    "wholesale_per_mwh",
    "congestion_rent",
    "carbon_collected",
    "emissions_kg",
    "resource_cost",
    "renewable_mwh",
    "carbon_adder_per_t",
    "connection_payment",
    "fuel_cost",
    "start_cost",
    "wear_cost",
    "comfort_cost",
)
PRICE, LOW, HIGH, VOLUME, DEMAND, UNSERVED, CURTAILED, IMPORT, WHOLESALE_PRICE, RENT, CARBON_COLLECTED = range(11)
EMISSIONS, RESOURCE_COST, RENEWABLE_MWH, CARBON_ADDER, CONNECTION_PAYMENT, FUEL, START, WEAR, COMFORT = range(11, 20)

# Columns of ``Outcome.seats``: the first four and the reward mean the same for every role.
POWER_MW, OFFERED_MW, PAYMENT, COST, FIFTH, REWARD, SEVENTH, EIGHTH, NINTH, TENTH = range(10)
SEAT_COLUMNS = 10
SEAT_NAMES = {
    "generator": (
        "output_mw",
        "offered_mw",
        "revenue",
        "fuel_cost",
        "start_cost",
        "reward",
        "available_mw",
        "must_run_mw",
        "carbon_payment",
        "offer_price_per_mwh",
    ),
    "storage": (
        "power_mw",
        "offered_mw",
        "arbitrage",
        "degradation",
        "bid_mw",
        "reward",
        "energy_mwh",
        "soc",
        "throughput_mwh",
        "offer_price_per_mwh",
    ),
    "consumer": (
        "reduction_mw",
        "offered_mw",
        "saving",
        "comfort",
        "productivity",
        "reward",
        "baseline_mw",
        "unserved_mw",
        "bill",
        "rebound_bill",
    ),
    "operator": (
        "reserve_level",
        "intervention",
        "account",
        "resource_cost",
        "emissions_kg",
        "reward",
        "unserved_mw",
        "curtailed_mw",
        "stability_penalty",
        "carbon_adder_per_t",
    ),
}

FAULT_NONE, FAULT_NOT_FINITE, FAULT_RANGE, FAULT_PRICE, FAULT_WHOLE = range(5)
LEADS = 8


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
    seat: Int  # (seat + 1, column) codec, place of its action, slots, class; the operator last, then the end
    class_capacity: Float  # (class,) MW
    price_grid: Float  # (20,) $/MWh
    low: Float32  # (role, field) bounds of observations
    high: Float32  # (role, field)


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


class Book(NamedTuple):
    """Scratch of one row's interval."""

    offers: Float  # (3, slot) price, MW, accepted MW
    bids: Float  # (3, slot)
    offer_index: Int  # (2, slot) rank within a price, place in merit order
    bid_index: Int  # (2, slot)
    steps: Float  # (2, 3) price and MW of a decoded action
    limits: Float  # (seat, 2) what each seat can deliver, MW
    realised: Float  # (profile,)
    outcome: Float  # (4,) price, low, high, volume
    public: Float32  # (field,) the block of observation all seats share
    fault: Int  # (4,) row, seat, which rule, component


class Outcome(NamedTuple):
    """What one step returns; fresh arrays every time."""

    seats: Float  # (env, seat, column), the operator last
    market: Float  # (env, column)
    generator: Float32  # (env, generator, 64) observations
    storage: Float32  # (env, battery, 48)
    consumer: Float32  # (env, load, 40)
    operator: Float32  # (env, 1, 80)
    book: Float  # (env or 0, slot, 4) price, MW, accepted, rank; offers then bids


# Rows of ``Book.offers`` and ``Book.bids``, of their index, and of ``Book.steps``.
ORDER_PRICE, ORDER_MW, ORDER_ACCEPTED = range(3)
ORDER_RANK, ORDER_PLACE = range(2)
STEP_PRICE, STEP_MW = range(2)

# Columns of ``World.seat``.
CODEC, ACTION_AT, OFFER_AT, OFFERS, BID_AT, BIDS, CLASS = range(7)
SEAT_INDEX_COLUMNS = 7


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
    )


def copy_rows(rows: Rows) -> Rows:
    """A copy that later steps do not touch."""
    return Rows(
        rows.key.copy(),
        rows.t.copy(),
        rows.origin.copy(),
        rows.deviation.copy(),
        rows.generator.copy(),
        rows.battery.copy(),
        rows.load.copy(),
        rows.market.copy(),
        rows.classes.copy(),
    )


def book_sizes(world: World) -> tuple[int, int]:
    """Number of offer slots and of bid slots, the connection's included."""
    return int(world.seat[:, OFFERS].sum()) + 1, int(world.seat[:, BIDS].sum()) + 1


def empty_book(world: World) -> Book:
    """Scratch for one row's interval."""
    offers, bids = book_sizes(world)
    return Book(
        offers=np.zeros((3, offers)),
        bids=np.zeros((3, bids)),
        offer_index=np.stack([np.zeros(offers, np.int64), np.arange(offers)]),
        bid_index=np.stack([np.zeros(bids, np.int64), np.arange(bids)]),
        steps=np.zeros((2, 3)),
        limits=np.zeros((len(world.seat), 2)),
        realised=np.zeros(len(world.profile)),
        outcome=np.zeros(4),
        public=np.zeros(64, np.float32),
        fault=np.zeros(4, np.int64),
    )
