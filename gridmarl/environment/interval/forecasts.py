"""What everybody expects: forecasts of the public series, and the price at which a public stack of costs meets them."""

from __future__ import annotations

import numpy as np

from gridmarl.data import profiles
from gridmarl.environment.compiled.arrays import World
from gridmarl.environment.compiled.columns import LEADS, WHOLESALE
from gridmarl.kernels import inner_kernel
from gridmarl.units import Float, Float32

FORECAST_AT = 10
NET_AT = FORECAST_AT + LEADS
RENEWABLE_AT = 36
"""Where prices, net demand and renewables stand in the public block."""
ONE_HOUR_LEAD, FOUR_HOUR_LEAD = 3, 5
NET, RENEWABLE, VALUES = range(3)  # rows of what is ahead, the last as scratch


@inner_kernel
def expected(world: World, deviation: Float, p: int, lead: int, origin: int, t: int) -> float:
    """Forecast of a profile at an observed lead."""
    shrunk = world.shrink[p, lead] * deviation[p]
    return profiles.forecast(world.profile, world.series, p, origin, t, world.lead[lead], shrunk)


@inner_kernel
def reference_price(stack: Float, net_demand_mw: float) -> float:
    """Price at which the public stack of class-average costs meets a net demand."""
    price = stack[0, 0]
    for k in range(stack.shape[0] - 1):
        price = stack[k + 1, 0] if net_demand_mw > stack[k, 1] else price
    return price


@inner_kernel
def foresee(world: World, deviation: Float, p: int, origin: int, t: int, values: Float) -> None:
    """Forecasts of a profile at all observed leads, side by side where there are no data."""
    row, base, shrink, d = world.profile[p], world.series[p], world.shrink[p], deviation[p]
    if row[profiles.FROM_DATA] > 0.0:
        for lead in range(LEADS):
            values[lead] = expected(world, deviation, p, lead, origin, t)
        return
    now, last = origin + t, base.shape[0] - 1
    relative, absolute, low, high = (
        row[profiles.RELATIVE],
        row[profiles.ABSOLUTE],
        row[profiles.MINIMUM],
        row[profiles.MAXIMUM],
    )
    for lead in range(LEADS):
        index = min(now + world.lead[lead], last)
        values[lead] = profiles.synthetic(base[index], relative, absolute, low, high, shrink[lead] * d)


@inner_kernel
def add_up(world: World, deviation: Float, origin: int, t: int, ahead: Float) -> None:
    """Forecast net demand and renewable output at each lead, MW."""
    net, renewable, values = ahead[NET], ahead[RENEWABLE], ahead[VALUES]
    for lead in range(LEADS):
        net[lead] = renewable[lead] = 0.0
    for p in range(world.profile.shape[0]):
        demand_mw, renewable_mw = world.profile[p, profiles.DEMAND_MW], world.profile[p, profiles.RENEWABLE_MW]
        if demand_mw + renewable_mw > 0.0:
            foresee(world, deviation, p, origin, t, values)
            for lead in range(LEADS):
                net[lead] += (demand_mw - renewable_mw) * values[lead]
                renewable[lead] += renewable_mw * values[lead]


@inner_kernel
def observe_forecasts(
    world: World, deviation: Float, origin: int, t: int, ahead: Float, public: Float32
) -> tuple[float, float, float]:
    """Price, net demand and renewable output at each lead; the first, the lowest and the highest price."""
    add_up(world, deviation, origin, t, ahead)
    first, lowest, highest = 0.0, np.inf, -np.inf
    wholesale = int(world.rules[WHOLESALE])
    for lead in range(LEADS):
        if wholesale >= 0:
            price = expected(world, deviation, wholesale, lead, origin, t)
        else:
            price = reference_price(world.stack, ahead[NET, lead])
        first = price if lead == 0 else first
        lowest, highest = min(lowest, price), max(highest, price)
        public[FORECAST_AT + lead] = price
        public[NET_AT + lead] = ahead[NET, lead]
        public[RENEWABLE_AT + lead] = ahead[RENEWABLE, lead]
    return first, lowest, highest
