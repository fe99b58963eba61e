"""A generating unit: what it can deliver in the next interval and what that truly costs."""

from __future__ import annotations

from gridmarl.kernels import kernel
from gridmarl.units import Float

# Columns of the parameter table (generator, column); ramps in MW an interval.
CAPACITY, MINIMUM, COST, QUADRATIC, CO2, RAMP, START_COST, INITIAL, PROFILE, RENEWABLE = range(10)
RAMP_PER_MIN, INERTIA, DROOP = range(10, 13)  # MW/min, MW s/Hz, MW/Hz
GENERATOR_COLUMNS = 13
# Columns of the state (generator, column).
OUTPUT, ONLINE, OFFERED, OFFER_PRICE, PROFIT = range(5)
GENERATOR_STATE = 5
UNLIMITED = 1e12


@kernel
def deliverable(unit: Float, available: float, output_mw: float) -> tuple[float, float]:
    """Lowest and highest output of the next interval, MW.

    The lower end is must-run: the committed minimum and what the down-ramp cannot shed, never more than is available.
    """
    ceiling = unit[CAPACITY] * available
    low = min(max(unit[MINIMUM], output_mw - unit[RAMP]), ceiling)
    high = max(low, min(ceiling, output_mw + unit[RAMP]))
    return low, high


@kernel
def fuel_cost(unit: Float, output_mw: float, hours: float) -> float:
    """True cost of an interval in $: (a p + b p²) h."""
    return (unit[COST] + unit[QUADRATIC] * output_mw) * output_mw * hours


@kernel
def step_cost(unit: Float, from_mw: float, to_mw: float) -> float:
    """Mean marginal cost between two outputs, $/MWh."""
    return unit[COST] + unit[QUADRATIC] * (from_mw + to_mw)
