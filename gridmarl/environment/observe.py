"""State becomes observations: the order of the writes below is the order of the names in ``fields``.

Numbers are written in MW, MWh, $ and $/MWh; `fit` scales a whole row and clips it to its bounds.
"""

from __future__ import annotations

import numpy as np

from gridmarl.assets import battery, generator, load
from gridmarl.data import profiles
from gridmarl.environment.arrays import (
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
    LEADS,
    MEAN_DAY,
    MEAN_HOUR,
    WHOLESALE,
    Outcome,
    Rows,
    World,
)
from gridmarl.kernels import inner_kernel
from gridmarl.units import Float, Float32

FORECAST_AT = 10
NET_AT = FORECAST_AT + LEADS
RENEWABLE_AT = 36
GENERATOR_OWN, STORAGE_OWN, CONSUMER_OWN, OPERATOR_OWN, PUBLIC_SIZE = 20, 16, 14, 80, 44
STORAGE_PUBLIC, CONSUMER_PUBLIC = 32, 26
ONE_HOUR_LEAD, FOUR_HOUR_LEAD = 3, 5
MILD_C = 20.0
OPERATOR_ROLE, PUBLIC_ROLE = 4, 5
CLOCK_SIZE = 4
LEAST_MW = 1e-9


@inner_kernel
def expected(world: World, deviation: Float, p: int, lead: int, origin: int, t: int) -> float:
    """Forecast of a profile at an observed lead."""
    shrunk = world.shrink[p, lead] * deviation[p]
    return profiles.forecast(world.profile, world.series, p, origin, t, world.lead[lead], shrunk)


@inner_kernel
def reference_price(stack: Float, net_demand_mw: float) -> float:
    """Price at which the public stack of class-average costs meets a net demand."""
    last = stack.shape[0] - 1
    for k in range(last):
        if net_demand_mw <= stack[k, 1]:
            return stack[k, 0]
    return stack[last, 0]


@inner_kernel
def fit(values: Float32, scale: Float32, low: Float32, high: Float32) -> None:
    """Scale numbers and clip them to their bounds."""
    for i in range(values.shape[0]):
        values[i] = min(max(values[i] * scale[i], low[i]), high[i])


@inner_kernel
def append(out: Float32, at: int, public: Float32, count: int) -> None:
    """Copy a prefix of the public block behind a seat's own numbers."""
    for i in range(count):
        out[at + i] = public[i]


@inner_kernel
def observe_forecasts(
    world: World, deviation: Float, origin: int, t: int, public: Float32
) -> tuple[float, float, float]:
    """Price, net demand and renewable output at each lead; the first, the lowest and the highest price."""
    first, lowest, highest = 0.0, np.inf, -np.inf
    wholesale = int(world.rules[WHOLESALE])
    for lead in range(LEADS):
        demand, renewable = 0.0, 0.0
        for p in range(world.profile.shape[0]):
            if world.profile[p, profiles.DEMAND_MW] + world.profile[p, profiles.RENEWABLE_MW] > 0.0:
                value = expected(world, deviation, p, lead, origin, t)
                demand += world.profile[p, profiles.DEMAND_MW] * value
                renewable += world.profile[p, profiles.RENEWABLE_MW] * value
        if wholesale >= 0:
            price = expected(world, deviation, wholesale, lead, origin, t)
        else:
            price = reference_price(world.stack, demand - renewable)
        first = price if lead == 0 else first
        lowest, highest = min(lowest, price), max(highest, price)
        public[FORECAST_AT + lead] = price
        public[NET_AT + lead] = demand - renewable
        public[RENEWABLE_AT + lead] = renewable
    return first, lowest, highest


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
    public: Float32,
    outs: Float32,
) -> None:
    """Each unit's 20 own numbers, then 44 public ones."""
    hours, remaining = world.rules[HOURS], world.rules[INTERVALS] - t
    for g in range(world.generator.shape[0]):
        unit, state, out = world.generator[g], states[g], outs[g]
        capacity, cost, output = unit[generator.CAPACITY], unit[generator.COST], state[generator.OUTPUT]
        profile = int(unit[generator.PROFILE])
        online = state[generator.ONLINE]
        now, soon, later = online, online, online
        if profile >= 0:
            now = expected(world, deviation, profile, 0, origin, t) * online
            soon = expected(world, deviation, profile, ONE_HOUR_LEAD, origin, t)
            later = expected(world, deviation, profile, FOUR_HOUR_LEAD, origin, t)
        low, high = generator.deliverable(unit, now, output)
        out[0] = output
        out[1] = now
        out[2] = low
        out[3] = high
        out[4] = capacity
        out[5] = unit[generator.MINIMUM]
        out[6] = cost
        out[7] = 2.0 * unit[generator.QUADRATIC] * capacity
        out[8] = generator.fuel_cost(unit, output, hours)
        out[9] = unit[generator.CO2]
        out[10] = unit[generator.RAMP]
        out[11] = online
        out[12] = state[generator.OFFERED]
        out[13] = state[generator.OFFER_PRICE]
        out[14] = state[generator.PROFIT]
        out[15] = price - cost
        out[16] = next_price - cost
        out[17] = soon
        out[18] = later
        out[19] = remaining
        append(out, GENERATOR_OWN, public, PUBLIC_SIZE)
        fit(out, world.scale[g], world.low[0], world.high[0])


@inner_kernel
def observe_storage(
    world: World, states: Float, t: int, memory: Float, spread: float, public: Float32, outs: Float32
) -> None:
    """Each battery's 16 own numbers, then 32 public ones."""
    hours, remaining = world.rules[HOURS], world.rules[INTERVALS] - t
    for s in range(world.battery.shape[0]):
        unit, state, out = world.battery[s], states[s], outs[s]
        energy, power = state[battery.ENERGY], state[battery.POWER]
        out[0] = energy
        out[1] = energy - unit[battery.ENERGY_MIN]
        out[2] = unit[battery.ENERGY_MAX] - energy
        out[3] = power
        out[4] = battery.charge_limit(unit, energy, power, hours)
        out[5] = battery.discharge_limit(unit, energy, power, hours)
        out[6] = unit[battery.CHARGE_EFFICIENCY]
        out[7] = unit[battery.DISCHARGE_EFFICIENCY]
        out[8] = unit[battery.WEAR]
        out[9] = unit[battery.CAPACITY]
        out[10] = unit[battery.POWER_LIMIT]
        out[11] = state[battery.PROFIT]
        out[12] = state[battery.THROUGHPUT]
        out[13] = spread
        out[14] = memory[LAST_PRICE] - memory[MEAN_DAY]
        out[15] = remaining
        append(out, STORAGE_OWN, public, STORAGE_PUBLIC)
        fit(out, world.scale[world.generator.shape[0] + s], world.low[1], world.high[1])


@inner_kernel
def observe_consumers(
    world: World,
    states: Float,
    deviation: Float,
    origin: int,
    t: int,
    memory: Float,
    next_price: float,
    public: Float32,
    outs: Float32,
) -> None:
    """Each load's 14 own numbers, then 26 public ones."""
    hours, first = world.rules[HOURS], world.generator.shape[0] + world.battery.shape[0]
    for c in range(world.load.shape[0]):
        unit, state, out = world.load[c], states[c], outs[c]
        now = expected(world, deviation, int(unit[load.PROFILE]), 0, origin, t)
        out[0] = now
        out[1] = state[load.BASELINE]
        out[2] = unit[load.FLEXIBLE]
        out[3] = unit[load.FLEXIBLE] * now
        out[4] = state[load.DEBT]
        out[5] = load.rebound(unit, state[load.DEBT], hours)
        out[6] = unit[load.DR_PRICE]
        out[7] = unit[load.COMFORT]
        out[8] = state[load.REDUCTION]
        out[9] = state[load.UNSERVED]
        out[10] = state[load.SAVING]
        out[11] = next_price - unit[load.COMFORT]
        out[12] = memory[LAST_TEMPERATURE] - MILD_C
        out[13] = memory[LAST_IRRADIANCE]
        append(out, CONSUMER_OWN, public, CONSUMER_PUBLIC)
        fit(out, world.scale[first + c], world.low[2], world.high[2])


@inner_kernel
def observe_operator(world: World, memory: Float, classes: Float, public: Float32, out: Float32) -> None:
    """Twenty globals, then five numbers for each class of participants."""
    out[0], out[1] = public[0], public[1]
    out[2], out[3], out[4] = memory[LAST_PRICE], memory[MEAN_HOUR], memory[MEAN_DAY]
    out[5] = memory[LAST_DEMAND]
    for k in range(4):
        out[6 + k] = public[NET_AT + 2 * k]
    out[10], out[11] = memory[LAST_RENEWABLE], public[RENEWABLE_AT]
    out[12] = memory[LAST_SHORTAGE]
    out[13] = memory[LAST_CURTAILED]
    out[14] = memory[LAST_EMISSIONS] / (max(memory[LAST_DEMAND], LEAST_MW) * world.rules[HOURS])
    out[15] = memory[LAST_IMPORT]
    out[16], out[17] = memory[LAST_FREQUENCY], memory[LAST_VOLTAGE]
    out[18] = memory[LAST_RESERVE_LEVEL]
    out[19] = memory[LAST_ADDER]
    for k in range(CLASS_SLOTS):
        capacity, at = world.class_capacity[k], 20 + 5 * k
        offered = classes[k, CLASS_OFFERED]
        out[at] = 1.0 if capacity > 0.0 else 0.0
        out[at + 1] = capacity
        out[at + 2] = offered
        out[at + 3] = classes[k, CLASS_ACCEPTED]
        out[at + 4] = classes[k, CLASS_VALUE] / offered if offered > 0.0 else 0.0
    fit(out, world.scale[world.scale.shape[0] - 2], world.low[OPERATOR_ROLE], world.high[OPERATOR_ROLE])


@inner_kernel
def observe(world: World, rows: Rows, b: int, public: Float32, outcome: Outcome) -> None:
    """All observations of one row, at the gate closure of its next interval."""
    origin, t, deviation, memory = rows.origin[b], rows.t[b], rows.deviation[b], rows.market[b]
    observe_public(memory, world.clock, origin + t, public)
    next_price, lowest, highest = observe_forecasts(world, deviation, origin, t, public)
    fit(public, world.scale[world.scale.shape[0] - 1], world.low[PUBLIC_ROLE], world.high[PUBLIC_ROLE])
    price, spread = memory[LAST_PRICE], highest - lowest
    units = rows.generator[b]
    observe_generators(world, units, deviation, origin, t, price, next_price, public, outcome.generator[b])
    observe_storage(world, rows.battery[b], t, memory, spread, public, outcome.storage[b])
    observe_consumers(world, rows.load[b], deviation, origin, t, memory, next_price, public, outcome.consumer[b])
    observe_operator(world, memory, rows.classes[b], public, outcome.operator[b, 0])
