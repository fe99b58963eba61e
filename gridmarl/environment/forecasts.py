"""What everybody expects: forecasts of the public series, and the price at which a public stack of costs meets them."""

from __future__ import annotations

import numpy as np

from gridmarl.data import profiles
from gridmarl.environment.arrays import LEADS, WHOLESALE, World
from gridmarl.kernels import inner_kernel
from gridmarl.units import Float, Float32

FORECAST_AT = 10
NET_AT = FORECAST_AT + LEADS
RENEWABLE_AT = 36
"""Where prices, net demand and renewables stand in the public block."""
ONE_HOUR_LEAD, FOUR_HOUR_LEAD = 3, 5


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
