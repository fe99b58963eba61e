"""State becomes observations: the order of the writes below is the order of the names in ``fields``.

Every seat's own numbers are first written in MW, MWh, $ and $/MWh into scratch; once all are, `present` scales and
clips them into the results, and the public block behind them. Nothing is read back just after it was written, and
results never: that would wait for the memory.
"""

from __future__ import annotations

from gridmarl.assets import battery, generator, load
from gridmarl.environment.compiled.arrays import Book, Outcome, Rows, World
from gridmarl.environment.compiled.columns import (
    CLASS_ACCEPTED,
    CLASS_OFFERED,
    CLASS_SLOTS,
    CLASS_VALUE,
    HOURS,
    INTERVALS,
    LAG_2,
    LAG_3,
    LAST_ADDER,
    LAST_CURTAILED,
    LAST_DEMAND,
    LAST_EMISSIONS,
    LAST_FREQUENCY,
    LAST_IMPORT,
    LAST_IRRADIANCE,
    LAST_NET_LOAD,
    LAST_PRICE,
    LAST_RENEWABLE,
    LAST_REQUIREMENT,
    LAST_RESERVE_LEVEL,
    LAST_RESERVE_PRICE,
    LAST_SHORTAGE,
    LAST_STAGE,
    LAST_TEMPERATURE,
    LAST_VOLTAGE,
    MEAN_DAY,
    MEAN_HOUR,
)
from gridmarl.environment.interval.forecasts import (
    FOUR_HOUR_LEAD,
    NET_AT,
    ONE_HOUR_LEAD,
    RENEWABLE_AT,
    expected,
    observe_forecasts,
)
from gridmarl.environment.interval.prosumers import observe_prosumers
from gridmarl.kernels import inner_kernel
from gridmarl.units import Float, Float32

PUBLIC_SIZE = 44
MILD_C = 20.0
GENERATOR_ROLE, STORAGE_ROLE, CONSUMER_ROLE, PROSUMER_ROLE, OPERATOR_ROLE, PUBLIC_ROLE = range(6)
CLOCK_SIZE = 4
LEAST_MW = 1e-9


@inner_kernel
def fit(raw: Float32, count: int, scale: Float32, low: Float32, high: Float32, out: Float32) -> None:
    """Scale numbers and clip them to their bounds."""
    for i in range(count):
        out[i] = min(max(raw[i] * scale[i], low[i]), high[i])


@inner_kernel
def copy(numbers: Float32, out: Float32) -> None:
    """As many numbers as there is room for."""
    for i in range(out.shape[0]):
        out[i] = numbers[i]


@inner_kernel
def present_role(world: World, role: int, first: int, own: Float32, public: Float32, outs: Float32) -> None:
    """Observations of a role, whose first seat this is: its own block, then a prefix of the public one."""
    size, whole = world.own[role, 0], world.own[role, 1]
    for k in range(outs.shape[0]):
        fit(own[first + k], whole, world.scale[first + k], world.low[role], world.high[role], outs[k])
        copy(public, outs[k, size:])


@inner_kernel
def observe_public(memory: Float, clock: Float32, index: int, public: Float32) -> None:
    """The past and the clock, in the block every seat shares a prefix of."""
    row = min(index, clock.shape[0] - 1)
    for i in range(CLOCK_SIZE):
        public[i] = clock[row, i]
    public[4] = memory[LAST_PRICE]
    public[5] = memory[LAG_2]
    public[6] = memory[LAG_3]
    public[7] = memory[MEAN_HOUR]
    public[8] = memory[MEAN_DAY]
    public[9] = memory[LAST_SHORTAGE]
    public[26], public[27] = memory[LAST_FREQUENCY], memory[LAST_VOLTAGE]
    public[28], public[29] = memory[LAST_REQUIREMENT], memory[LAST_RESERVE_PRICE]
    public[30] = memory[LAST_STAGE]
    public[31] = memory[LAST_ADDER]
    public[32] = memory[LAST_DEMAND]
    public[33] = memory[LAST_RENEWABLE]
    public[34] = memory[LAST_NET_LOAD]
    public[35] = memory[LAST_TEMPERATURE] - MILD_C


@inner_kernel
def observe_generators(
    world: World,
    states: Float,
    deviation: Float,
    origin: int,
    t: int,
    price: float,
    next_price: float,
    own: Float32,
) -> None:
    """Each unit's 20 own numbers, then 44 public ones."""
    hours, remaining = world.rules[HOURS], world.rules[INTERVALS] - t
    for g in range(world.generator.shape[0]):
        unit, state, raw = world.generator[g], states[g], own[g]
        capacity, cost, output = unit[generator.CAPACITY], unit[generator.COST], state[generator.OUTPUT]
        profile = int(unit[generator.PROFILE])
        online = state[generator.ONLINE]
        now, soon, later = online, online, online
        if profile >= 0:
            now = expected(world, deviation, profile, 0, origin, t) * online
            soon = expected(world, deviation, profile, ONE_HOUR_LEAD, origin, t)
            later = expected(world, deviation, profile, FOUR_HOUR_LEAD, origin, t)
        low, high = generator.deliverable(unit, now, output)
        raw[0] = output
        raw[1] = now
        raw[2] = low
        raw[3] = high
        raw[4] = capacity
        raw[5] = unit[generator.MINIMUM]
        raw[6] = cost
        raw[7] = 2.0 * unit[generator.QUADRATIC] * capacity
        raw[8] = generator.fuel_cost(unit, output, hours)
        raw[9] = unit[generator.CO2]
        raw[10] = unit[generator.RAMP]
        raw[11] = online
        raw[12] = state[generator.OFFERED]
        raw[13] = state[generator.OFFER_PRICE]
        raw[14] = state[generator.PROFIT]
        raw[15] = price - cost
        raw[16] = next_price - cost
        raw[17] = soon
        raw[18] = later
        raw[19] = remaining


@inner_kernel
def observe_storage(world: World, states: Float, t: int, memory: Float, spread: float, own: Float32) -> None:
    """Each battery's 16 own numbers, then 32 public ones."""
    hours, remaining = world.rules[HOURS], world.rules[INTERVALS] - t
    for s in range(world.battery.shape[0]):
        unit, state, raw = world.battery[s], states[s], own[world.generator.shape[0] + s]
        energy, power = state[battery.ENERGY], state[battery.POWER]
        raw[0] = energy
        raw[1] = energy - unit[battery.ENERGY_MIN]
        raw[2] = unit[battery.ENERGY_MAX] - energy
        raw[3] = power
        raw[4] = battery.charge_limit(unit, energy, power, hours)
        raw[5] = battery.discharge_limit(unit, energy, power, hours)
        raw[6] = unit[battery.CHARGE_EFFICIENCY]
        raw[7] = unit[battery.DISCHARGE_EFFICIENCY]
        raw[8] = unit[battery.WEAR]
        raw[9] = unit[battery.CAPACITY]
        raw[10] = unit[battery.POWER_LIMIT]
        raw[11] = state[battery.PROFIT]
        raw[12] = state[battery.THROUGHPUT]
        raw[13] = spread
        raw[14] = memory[LAST_PRICE] - memory[MEAN_DAY]
        raw[15] = remaining


@inner_kernel
def observe_consumers(
    world: World,
    states: Float,
    deviation: Float,
    origin: int,
    t: int,
    memory: Float,
    next_price: float,
    own: Float32,
) -> None:
    """Each load's 14 own numbers, then 26 public ones."""
    hours, first = world.rules[HOURS], world.generator.shape[0] + world.battery.shape[0]
    for c in range(world.load.shape[0]):
        unit, state, raw = world.load[c], states[c], own[first + c]
        now = expected(world, deviation, int(unit[load.PROFILE]), 0, origin, t)
        raw[0] = now
        raw[1] = state[load.BASELINE]
        raw[2] = unit[load.FLEXIBLE]
        raw[3] = unit[load.FLEXIBLE] * now
        raw[4] = state[load.DEBT]
        raw[5] = load.rebound(unit, state[load.DEBT], hours)
        raw[6] = unit[load.DR_PRICE]
        raw[7] = unit[load.COMFORT]
        raw[8] = state[load.REDUCTION]
        raw[9] = state[load.UNSERVED]
        raw[10] = state[load.SAVING]
        raw[11] = next_price - unit[load.COMFORT]
        raw[12] = memory[LAST_TEMPERATURE] - MILD_C
        raw[13] = memory[LAST_IRRADIANCE]


@inner_kernel
def observe_operator(world: World, memory: Float, classes: Float, public: Float32, raw: Float32) -> None:
    """Twenty globals, then five numbers for each class of participants."""
    raw[0], raw[1] = public[0], public[1]
    raw[2], raw[3], raw[4] = memory[LAST_PRICE], memory[MEAN_HOUR], memory[MEAN_DAY]
    raw[5] = memory[LAST_DEMAND]
    for k in range(4):
        raw[6 + k] = public[NET_AT + 2 * k]
    raw[10], raw[11] = memory[LAST_RENEWABLE], public[RENEWABLE_AT]
    raw[12] = memory[LAST_SHORTAGE]
    raw[13] = memory[LAST_CURTAILED]
    raw[14] = memory[LAST_EMISSIONS] / (max(memory[LAST_DEMAND], LEAST_MW) * world.rules[HOURS])
    raw[15] = memory[LAST_IMPORT]
    raw[16], raw[17] = memory[LAST_FREQUENCY], memory[LAST_VOLTAGE]
    raw[18] = memory[LAST_RESERVE_LEVEL]
    raw[19] = memory[LAST_ADDER]
    for k in range(CLASS_SLOTS):
        capacity, at = world.class_capacity[k], 20 + 5 * k
        offered = classes[k, CLASS_OFFERED]
        raw[at] = 1.0 if capacity > 0.0 else 0.0
        raw[at + 1] = capacity
        raw[at + 2] = offered
        raw[at + 3] = classes[k, CLASS_ACCEPTED]
        raw[at + 4] = classes[k, CLASS_VALUE] / offered if offered > 0.0 else 0.0


@inner_kernel
def observe(world: World, rows: Rows, b: int, book: Book) -> None:
    """All that one row's seats see at the gate closure of its next interval, in MW, MWh and $."""
    origin, t, deviation, memory = rows.origin[b], rows.t[b], rows.deviation[b], rows.market[b]
    public, own = book.public, book.own
    observe_public(memory, world.clock, origin + t, public)
    next_price, lowest, highest = observe_forecasts(world, deviation, origin, t, book.ahead, public)
    observe_generators(world, rows.generator[b], deviation, origin, t, memory[LAST_PRICE], next_price, own)
    observe_storage(world, rows.battery[b], t, memory, highest - lowest, own)
    observe_consumers(world, rows.load[b], deviation, origin, t, memory, next_price, own)
    observe_prosumers(world, rows, b, own)
    observe_operator(world, memory, rows.classes[b], public, own[world.scale.shape[0] - 2])


@inner_kernel
def present(world: World, b: int, book: Book, outcome: Outcome) -> None:
    """Write the observations of one row, scaled and within their bounds."""
    public, own = book.public, book.own
    stored, loads = world.generator.shape[0], world.generator.shape[0] + world.battery.shape[0]
    last, homes = world.scale.shape[0] - 1, loads + world.load.shape[0]
    fit(public, PUBLIC_SIZE, world.scale[last], world.low[PUBLIC_ROLE], world.high[PUBLIC_ROLE], public)
    present_role(world, GENERATOR_ROLE, 0, own, public, outcome.generator[b])
    present_role(world, STORAGE_ROLE, stored, own, public, outcome.storage[b])
    present_role(world, CONSUMER_ROLE, loads, own, public, outcome.consumer[b])
    present_role(world, PROSUMER_ROLE, homes, own, public, outcome.prosumer[b])
    present_role(world, OPERATOR_ROLE, last - 1, own, public, outcome.operator[b])
