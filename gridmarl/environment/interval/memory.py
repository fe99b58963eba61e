"""What the public keeps of the past: written at an interval's end, begun before the first."""

from __future__ import annotations

from gridmarl.data import profiles
from gridmarl.environment.compiled.arrays import World
from gridmarl.environment.compiled.columns import (
    CARBON_ADDER,
    CURTAILED,
    DAY_MEMORY,
    DEMAND,
    EMISSIONS,
    FREQUENCY,
    HOUR_MEMORY,
    HOURS,
    IMPORT,
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
    NET_LOAD,
    NONSPIN_REQUIRED,
    PRICE,
    RENEWABLE_MWH,
    SPIN_PRICE,
    SPIN_REQUIRED,
    STAGE,
    TEMPERATURE,
    UNSERVED,
    VOLTAGE_BAND,
    VOLTAGE_HIGH,
    VOLTAGE_LOW,
    WHOLESALE,
)
from gridmarl.environment.interval.forecasts import expected, reference_price
from gridmarl.environment.interval.observe import MILD_C
from gridmarl.grid import frequency
from gridmarl.kernels import inner_kernel
from gridmarl.units import Float


@inner_kernel
def remember(world: World, memory: Float, values: Float, market: Float, level: int) -> None:
    """What the public keeps of this interval."""
    rules, price, demand = world.rules, market[PRICE], market[DEMAND]
    memory[LAG_3], memory[LAG_2], memory[LAST_PRICE] = memory[LAG_2], memory[LAST_PRICE], price
    memory[MEAN_HOUR] += rules[HOUR_MEMORY] * (price - memory[MEAN_HOUR])
    memory[MEAN_DAY] += rules[DAY_MEMORY] * (price - memory[MEAN_DAY])
    memory[LAST_SHORTAGE] = market[UNSERVED] / demand if demand > 0.0 else 0.0
    memory[LAST_CURTAILED], memory[LAST_EMISSIONS] = market[CURTAILED], market[EMISSIONS]
    memory[LAST_IMPORT], memory[LAST_RESERVE_LEVEL], memory[LAST_ADDER] = market[IMPORT], level, market[CARBON_ADDER]
    remember_world(rules, memory, values, demand, market[RENEWABLE_MWH] / rules[HOURS])
    remember_grid(world, memory, market)


@inner_kernel
def remember_grid(world: World, memory: Float, market: Float) -> None:
    """What the public keeps of frequency, voltage, reserve and emergency; in bands where there is a band."""
    low, high = market[VOLTAGE_LOW] - 1.0, market[VOLTAGE_HIGH] - 1.0
    memory[LAST_FREQUENCY] = market[FREQUENCY] / world.frequency[frequency.BAND_HZ]
    memory[LAST_VOLTAGE] = (high if high > -low else low) / world.rules[VOLTAGE_BAND]
    required = market[SPIN_REQUIRED] + market[NONSPIN_REQUIRED]
    memory[LAST_REQUIREMENT] = required / market[DEMAND] if market[DEMAND] > 0.0 else 0.0
    memory[LAST_RESERVE_PRICE], memory[LAST_STAGE] = market[SPIN_PRICE], market[STAGE]


@inner_kernel
def remember_world(rules: Float, memory: Float, values: Float, demand: float, renewable: float) -> None:
    """What the public keeps of realised demand, renewables and weather."""
    memory[LAST_DEMAND], memory[LAST_RENEWABLE] = demand, renewable
    memory[LAST_IRRADIANCE] = renewable / demand if demand > 0.0 else 0.0
    net_load, temperature = int(rules[NET_LOAD]), int(rules[TEMPERATURE])
    memory[LAST_NET_LOAD] = values[net_load] if net_load >= 0 else 0.0
    memory[LAST_TEMPERATURE] = values[temperature] if temperature >= 0 else MILD_C


@inner_kernel
def remember_before(world: World, memory: Float, deviation: Float, origin: int, values: Float) -> None:
    """The public's memory begins at the reference price and the values last realised."""
    demand, renewable = 0.0, 0.0
    for p in range(world.profile.shape[0]):
        demand += world.profile[p, profiles.DEMAND_MW] * values[p]
        renewable += world.profile[p, profiles.RENEWABLE_MW] * values[p]
    wholesale = int(world.rules[WHOLESALE])
    price = reference_price(world.stack, demand - renewable)
    if wholesale >= 0:
        price = expected(world, deviation, wholesale, 0, origin, 0)
    memory[LAST_PRICE], memory[LAG_2], memory[LAG_3], memory[MEAN_HOUR], memory[MEAN_DAY] = (
        price,
        price,
        price,
        price,
        price,
    )
    remember_world(world.rules, memory, values, demand, renewable)
