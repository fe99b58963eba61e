"""A home as one seat: its action becomes its parts' actions, their results become its own, and what it observes."""

from __future__ import annotations

from gridmarl.assets import battery, ev, generator, load
from gridmarl.environment.compiled.arrays import Rows, World
from gridmarl.environment.compiled.columns import (
    ACTION_AT,
    COST,
    DEVIATION_MW,
    EIGHTH,
    FIFTH,
    HOME_BATTERY,
    HOME_LOAD,
    HOME_NET,
    HOME_PROFIT,
    HOME_SEAT,
    HOME_SOLAR,
    HOME_VEHICLE,
    HOURS,
    IMBALANCE_PAYMENT,
    MISSING_COST,
    NINTH,
    NONSPIN_MW,
    OFFERED_MW,
    PAYMENT,
    POWER_MW,
    RESERVE_PAYMENT,
    REWARD,
    SEVENTH,
    SPIN_MW,
    TENTH,
    TRIP_ENERGY,
)
from gridmarl.environment.interval.forecasts import FOUR_HOUR_LEAD, ONE_HOUR_LEAD, expected
from gridmarl.environment.interval.transformers import net_mw
from gridmarl.environment.interval.vehicles import local_hour
from gridmarl.kernels import inner_kernel
from gridmarl.units import Float, Float32, Int

PROSUMER_OWN = 30
ON_COST = 1.0
"""A roof's action, as a factor on its true cost."""


@inner_kernel
def expand(world: World, actions: Float) -> None:
    """Write the actions of every bundled home's parts: roof at true cost, battery, vehicle, flexible load."""
    for h in range(world.home.shape[0]):
        home = world.home[h]
        at = world.seat[home[HOME_SEAT], ACTION_AT]
        if home[HOME_SOLAR] >= 0:
            actions[world.seat[home[HOME_SOLAR], ACTION_AT]] = ON_COST
        if home[HOME_BATTERY] >= 0:
            actions[world.seat[home[HOME_BATTERY], ACTION_AT]] = actions[at]
        if home[HOME_VEHICLE] >= 0:
            actions[world.seat[home[HOME_VEHICLE], ACTION_AT]] = actions[at + 1]
        if home[HOME_LOAD] >= 0:
            actions[world.seat[home[HOME_LOAD], ACTION_AT]] = actions[at + 2]


@inner_kernel
def meter(world: World, seats: Float) -> None:
    """Net power of every home and of its parts, before settlement."""
    for h in range(world.home.shape[0]):
        home = world.home[h]
        row = seats[home[HOME_SEAT]]
        if home[HOME_SOLAR] >= 0:
            row[FIFTH] = net_mw(world, seats, home[HOME_SOLAR])
        if home[HOME_LOAD] >= 0:
            row[SEVENTH] = -net_mw(world, seats, home[HOME_LOAD])
        if home[HOME_BATTERY] >= 0:
            row[EIGHTH] = net_mw(world, seats, home[HOME_BATTERY])
        if home[HOME_VEHICLE] >= 0:
            row[NINTH] = net_mw(world, seats, home[HOME_VEHICLE])
        row[POWER_MW] = row[FIFTH] - row[SEVENTH] + row[EIGHTH] + row[NINTH]


@inner_kernel
def add_part(row: Float, part: Float) -> None:
    """Add the columns that mean the same for every role."""
    row[OFFERED_MW] += part[OFFERED_MW]
    row[PAYMENT] += part[PAYMENT]
    row[COST] += part[COST]
    row[REWARD] += part[REWARD]
    for column in (DEVIATION_MW, IMBALANCE_PAYMENT, SPIN_MW, NONSPIN_MW, RESERVE_PAYMENT, TRIP_ENERGY, MISSING_COST):
        row[column] += part[column]


@inner_kernel
def account(world: World, states: Float, seats: Float) -> None:
    """Results of every home are the sums of its parts'; the bill is its load's."""
    for h in range(world.home.shape[0]):
        home = world.home[h]
        row = seats[home[HOME_SEAT]]
        for part in range(HOME_SOLAR, HOME_LOAD + 1):
            if home[part] >= 0:
                add_part(row, seats[home[part]])
        if home[HOME_LOAD] >= 0:
            row[TENTH] = seats[home[HOME_LOAD], NINTH]
        states[h, HOME_NET], states[h, HOME_PROFIT] = row[POWER_MW], row[REWARD]


@inner_kernel
def home_size(world: World, home: Int) -> float:
    """Largest power of any of its parts, MW."""
    size, first = 0.0, world.generator.shape[0] + world.battery.shape[0]
    if home[HOME_SOLAR] >= 0:
        size = max(size, world.generator[home[HOME_SOLAR], generator.CAPACITY])
    for part in (HOME_BATTERY, HOME_VEHICLE):
        if home[part] >= 0:
            size = max(size, world.battery[home[part] - world.generator.shape[0], battery.POWER_LIMIT])
    if home[HOME_LOAD] >= 0:
        size = max(size, world.load[home[HOME_LOAD] - first, load.LOAD])
    return size


@inner_kernel
def observe_load(world: World, unit: Float, state: Float, deviation: Float, origin: int, t: int, out: Float32) -> None:
    """Nine numbers of the load."""
    now = expected(world, deviation, int(unit[load.PROFILE]), 0, origin, t)
    out[1], out[2], out[3] = 1.0, now, state[load.BASELINE]
    out[4] = unit[load.FLEXIBLE] * now
    out[5] = state[load.DEBT]
    out[6], out[7] = unit[load.DR_PRICE], unit[load.COMFORT]
    out[8], out[9] = state[load.REDUCTION], state[load.UNSERVED]


@inner_kernel
def observe_roof(world: World, unit: Float, online: float, deviation: Float, origin: int, t: int, out: Float32) -> None:
    """Five numbers of the roof."""
    out[10], out[11] = 1.0, unit[generator.CAPACITY]
    out[12], out[13], out[14] = online, online, online
    profile = int(unit[generator.PROFILE])
    if profile >= 0:
        out[12] = expected(world, deviation, profile, 0, origin, t) * online
        out[13] = expected(world, deviation, profile, ONE_HOUR_LEAD, origin, t)
        out[14] = expected(world, deviation, profile, FOUR_HOUR_LEAD, origin, t)


@inner_kernel
def observe_battery(unit: Float, state: Float, hours: float, out: Float32) -> None:
    """Six numbers of the battery."""
    energy, power = state[battery.ENERGY], state[battery.POWER]
    out[15], out[16] = 1.0, energy
    out[17] = battery.charge_limit(unit, energy, power, hours)
    out[18] = battery.discharge_limit(unit, energy, power, hours)
    out[19] = unit[battery.CAPACITY]
    out[20] = unit[battery.WEAR]


@inner_kernel
def observe_vehicle(unit: Float, state: Float, local_h: float, hours: float, out: Float32) -> None:
    """Six numbers of the vehicle; hours are until it leaves, or until it is back."""
    energy = state[battery.ENERGY]
    out[21], out[22], out[23] = 1.0, 1.0 - state[battery.AWAY], energy
    out[24] = ev.missing_energy(unit, energy)
    left = ev.hours_left(unit, local_h, hours)
    if state[battery.AWAY] > 0.0:
        out[26] = -((unit[battery.ARRIVAL_H] - local_h) % ev.DAY_H)
    else:
        out[25] = ev.must_charge(unit, energy, left, hours)
        out[26] = left


@inner_kernel
def observe_prosumers(world: World, rows: Rows, b: int, own: Float32) -> None:
    """Each home's 30 own numbers, those of absent assets are 0."""
    hours = world.rules[HOURS]
    origin, t, deviation = rows.origin[b], rows.t[b], rows.deviation[b]
    units = world.generator.shape[0]
    first = units + world.battery.shape[0]
    for h in range(world.home.shape[0]):
        home, raw = world.home[h], own[world.home[h, HOME_SEAT]]
        size = home_size(world, home)
        for i in range(PROSUMER_OWN):
            raw[i] = 0.0
        raw[0] = size
        if home[HOME_LOAD] >= 0:
            c = home[HOME_LOAD] - first
            observe_load(world, world.load[c], rows.load[b, c], deviation, origin, t, raw)
        if home[HOME_SOLAR] >= 0:
            g = home[HOME_SOLAR]
            online = rows.generator[b, g, generator.ONLINE]
            observe_roof(world, world.generator[g], online, deviation, origin, t, raw)
        if home[HOME_BATTERY] >= 0:
            s = home[HOME_BATTERY] - units
            observe_battery(world.battery[s], rows.battery[b, s], hours, raw)
        if home[HOME_VEHICLE] >= 0:
            s = home[HOME_VEHICLE] - units
            now = local_hour(world.hour, origin + t, hours)
            observe_vehicle(world.battery[s], rows.battery[b, s], now, hours, raw)
        raw[27] = rows.home[b, h, HOME_NET]
        raw[28] = rows.home[b, h, HOME_PROFIT]
        group = world.behind[home[HOME_SEAT]]
        if group >= 0:
            raw[29] = rows.loading[b, group]
