"""State becomes observations: the order of the writes below is the order of the names in ``fields``."""

from __future__ import annotations

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
    MW_SCALE,
    PRICE_SCALE,
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
RESERVE_STEPS = 4.0
KG_PER_T = 1000.0
CYCLES = 10.0
DAY_H = 24.0
MILD_C = 20.0
OPERATOR_ROLE, PUBLIC_ROLE = 4, 5
CLOCK_SIZE = 4
LAST_PRICE_AT, MEAN_DAY_AT, TEMPERATURE_AT = 4, 8, 35
LEAST_MW = 1e-9
STAGE_SCALE = 3.0


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
def clamp(values: Float32, count: int, low: Float32, high: Float32) -> None:
    """Clip the first numbers to their bounds."""
    for i in range(count):
        values[i] = min(max(values[i], low[i]), high[i])


@inner_kernel
def append(out: Float32, at: int, public: Float32, count: int) -> None:
    """Copy a prefix of the public block behind a seat's own numbers."""
    for i in range(count):
        out[at + i] = public[i]


@inner_kernel
def observe_forecasts(world: World, deviation: Float, origin: int, t: int, public: Float32) -> None:
    """Price, net demand and renewable output at each lead."""
    price_scale, mw_scale = world.rules[PRICE_SCALE], world.rules[MW_SCALE]
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
        public[FORECAST_AT + lead] = price / price_scale
        public[NET_AT + lead] = (demand - renewable) / mw_scale
        public[RENEWABLE_AT + lead] = renewable / mw_scale


@inner_kernel
def observe_public(rules: Float, memory: Float, clock: Float32, index: int, public: Float32) -> None:
    """The past and the clock, in the block every seat shares a prefix of."""
    price_scale, mw_scale = rules[PRICE_SCALE], rules[MW_SCALE]
    row = min(index, clock.shape[0] - 1)
    for i in range(CLOCK_SIZE):
        public[i] = clock[row, i]
    public[4] = memory[LAST_PRICE] / price_scale
    public[5] = memory[LAG_2] / price_scale
    public[6] = memory[LAG_3] / price_scale
    public[7] = memory[MEAN_HOUR] / price_scale
    public[8] = memory[MEAN_DAY] / price_scale
    public[9] = memory[LAST_SHORTAGE]
    public[26], public[27] = memory[LAST_FREQUENCY], memory[LAST_VOLTAGE]
    public[28], public[29] = memory[LAST_REQUIREMENT], memory[LAST_RESERVE_PRICE] / price_scale
    public[30] = memory[LAST_STAGE] / STAGE_SCALE
    public[31] = memory[LAST_ADDER] / price_scale
    public[32] = memory[LAST_DEMAND] / mw_scale
    public[33] = memory[LAST_RENEWABLE] / mw_scale
    public[34] = memory[LAST_NET_LOAD]
    public[35] = (memory[LAST_TEMPERATURE] - MILD_C) / MILD_C


@inner_kernel
def observe_generators(
    world: World, states: Float, deviation: Float, origin: int, t: int, public: Float32, outs: Float32
) -> None:
    """Each unit's 20 own numbers, then 44 public ones."""
    price_scale, hours = world.rules[PRICE_SCALE], world.rules[HOURS]
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
        per_mwh = capacity * hours * price_scale
        out[0] = output / capacity
        out[1] = now
        out[2] = low / capacity
        out[3] = high / capacity
        out[4] = capacity / world.rules[MW_SCALE]
        out[5] = unit[generator.MINIMUM] / capacity
        out[6] = cost / price_scale
        out[7] = 2.0 * unit[generator.QUADRATIC] * capacity / price_scale
        out[8] = generator.fuel_cost(unit, output, hours) / per_mwh
        out[9] = unit[generator.CO2] / KG_PER_T
        out[10] = unit[generator.RAMP] / capacity
        out[11] = online
        out[12] = state[generator.OFFERED] / capacity
        out[13] = state[generator.OFFER_PRICE] / price_scale
        out[14] = state[generator.PROFIT] / per_mwh
        out[15] = public[LAST_PRICE_AT] - cost / price_scale
        out[16] = public[FORECAST_AT] - cost / price_scale
        out[17] = soon
        out[18] = later
        out[19] = 1.0 - t / world.rules[INTERVALS]
        clamp(out, GENERATOR_OWN, world.low[0], world.high[0])
        append(out, GENERATOR_OWN, public, PUBLIC_SIZE)


@inner_kernel
def observe_storage(world: World, states: Float, t: int, public: Float32, outs: Float32) -> None:
    """Each battery's 16 own numbers, then 32 public ones."""
    price_scale, hours = world.rules[PRICE_SCALE], world.rules[HOURS]
    lowest, highest = public[FORECAST_AT], public[FORECAST_AT]
    for lead in range(1, LEADS):
        lowest, highest = min(lowest, public[FORECAST_AT + lead]), max(highest, public[FORECAST_AT + lead])
    for s in range(world.battery.shape[0]):
        unit, state, out = world.battery[s], states[s], outs[s]
        capacity, limit = unit[battery.CAPACITY], unit[battery.POWER_LIMIT]
        energy, power = state[battery.ENERGY], state[battery.POWER]
        out[0] = energy / capacity
        out[1] = (energy - unit[battery.ENERGY_MIN]) / capacity
        out[2] = (unit[battery.ENERGY_MAX] - energy) / capacity
        out[3] = power / limit
        out[4] = battery.charge_limit(unit, energy, power, hours) / limit
        out[5] = battery.discharge_limit(unit, energy, power, hours) / limit
        out[6] = unit[battery.CHARGE_EFFICIENCY]
        out[7] = unit[battery.DISCHARGE_EFFICIENCY]
        out[8] = unit[battery.WEAR] / price_scale
        out[9] = capacity / limit / DAY_H
        out[10] = limit / world.rules[MW_SCALE]
        out[11] = state[battery.PROFIT] / (limit * hours * price_scale)
        out[12] = state[battery.THROUGHPUT] / capacity / CYCLES
        out[13] = highest - lowest
        out[14] = public[LAST_PRICE_AT] - public[MEAN_DAY_AT]
        out[15] = 1.0 - t / world.rules[INTERVALS]
        clamp(out, STORAGE_OWN, world.low[1], world.high[1])
        append(out, STORAGE_OWN, public, STORAGE_PUBLIC)


@inner_kernel
def observe_consumers(
    world: World,
    states: Float,
    deviation: Float,
    origin: int,
    t: int,
    irradiance: float,
    public: Float32,
    outs: Float32,
) -> None:
    """Each load's 14 own numbers, then 26 public ones."""
    price_scale, hours = world.rules[PRICE_SCALE], world.rules[HOURS]
    for c in range(world.load.shape[0]):
        unit, state, out = world.load[c], states[c], outs[c]
        peak = unit[load.LOAD]
        now = expected(world, deviation, int(unit[load.PROFILE]), 0, origin, t)
        out[0] = now
        out[1] = state[load.BASELINE] / peak
        out[2] = unit[load.FLEXIBLE]
        out[3] = unit[load.FLEXIBLE] * now
        out[4] = state[load.DEBT] / peak
        out[5] = load.rebound(unit, state[load.DEBT], hours) / peak
        out[6] = unit[load.DR_PRICE] / price_scale
        out[7] = unit[load.COMFORT] / price_scale
        out[8] = state[load.REDUCTION] / peak
        out[9] = state[load.UNSERVED] / peak
        out[10] = state[load.SAVING] / (peak * hours * price_scale)
        out[11] = public[FORECAST_AT] - unit[load.COMFORT] / price_scale
        out[12] = public[TEMPERATURE_AT]
        out[13] = irradiance
        clamp(out, CONSUMER_OWN, world.low[2], world.high[2])
        append(out, CONSUMER_OWN, public, CONSUMER_PUBLIC)


@inner_kernel
def observe_operator(world: World, memory: Float, classes: Float, public: Float32, out: Float32) -> None:
    """Twenty globals, then five numbers for each class of participants."""
    mw_scale, price_scale = world.rules[MW_SCALE], world.rules[PRICE_SCALE]
    out[0], out[1] = public[0], public[1]
    out[2], out[3], out[4] = public[LAST_PRICE_AT], public[7], public[MEAN_DAY_AT]
    out[5] = public[32]
    for k in range(4):
        out[6 + k] = public[NET_AT + 2 * k]
    out[10], out[11] = public[33], public[RENEWABLE_AT]
    out[12] = memory[LAST_SHORTAGE]
    out[13] = memory[LAST_CURTAILED] / mw_scale
    out[14] = memory[LAST_EMISSIONS] / KG_PER_T / (max(memory[LAST_DEMAND], LEAST_MW) * world.rules[HOURS])
    out[15] = memory[LAST_IMPORT] / mw_scale
    out[16], out[17] = memory[LAST_FREQUENCY], memory[LAST_VOLTAGE]
    out[18] = memory[LAST_RESERVE_LEVEL] / RESERVE_STEPS
    out[19] = memory[LAST_ADDER] / price_scale
    for k in range(CLASS_SLOTS):
        capacity, at = world.class_capacity[k], 20 + 5 * k
        offered = classes[k, CLASS_OFFERED]
        out[at] = 1.0 if capacity > 0.0 else 0.0
        out[at + 1] = capacity / mw_scale
        out[at + 2] = offered / mw_scale
        out[at + 3] = classes[k, CLASS_ACCEPTED] / mw_scale
        out[at + 4] = classes[k, CLASS_VALUE] / offered / price_scale if offered > 0.0 else 0.0
    clamp(out, OPERATOR_OWN, world.low[OPERATOR_ROLE], world.high[OPERATOR_ROLE])


@inner_kernel
def observe(world: World, rows: Rows, b: int, public: Float32, outcome: Outcome) -> None:
    """All observations of one row, at the gate closure of its next interval."""
    origin, t, deviation, memory = rows.origin[b], rows.t[b], rows.deviation[b], rows.market[b]
    observe_public(world.rules, memory, world.clock, origin + t, public)
    observe_forecasts(world, deviation, origin, t, public)
    clamp(public, PUBLIC_SIZE, world.low[PUBLIC_ROLE], world.high[PUBLIC_ROLE])
    observe_generators(world, rows.generator[b], deviation, origin, t, public, outcome.generator[b])
    observe_storage(world, rows.battery[b], t, public, outcome.storage[b])
    irradiance = memory[LAST_IRRADIANCE]
    observe_consumers(world, rows.load[b], deviation, origin, t, irradiance, public, outcome.consumer[b])
    observe_operator(world, memory, rows.classes[b], public, outcome.operator[b, 0])
