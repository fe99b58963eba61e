"""A battery: one signed power (+ discharges), one-way efficiencies, a window of stored energy, wear by throughput."""

from __future__ import annotations

from gridmarl.assets.degradation import DEGRADATION_STATE
from gridmarl.kernels import kernel
from gridmarl.units import Float

# Columns of the parameter table (battery, column); the ramp in MW an interval.
CAPACITY, POWER_LIMIT, CHARGE_EFFICIENCY, DISCHARGE_EFFICIENCY, ENERGY_MIN, ENERGY_MAX = range(6)
ENERGY_INITIAL, WEAR, WEAR_QUADRATIC, RAMP, CYCLE_COST, CYCLE_EXPONENT, DROOP = range(6, 13)
# Those of a vehicle; an arrival below 0 is a plain battery, always there. Times are local times of day.
ARRIVAL_H, DEPARTURE_H, TRIP_MWH, READY_MWH, MISSING = range(13, 18)
BATTERY_COLUMNS = 18
# Columns of the state (battery, column); those of ageing by depth follow, then whether it is away in the next interval.
ENERGY, POWER, THROUGHPUT, PROFIT, ACCEPTED, CYCLES = range(6)
AWAY = CYCLES + DEGRADATION_STATE
BATTERY_STATE = AWAY + 1


@kernel
def charge_limit(unit: Float, energy_mwh: float, power_mw: float, hours: float) -> float:
    """Most charging power of the next interval, MW (>= 0): rating, room in the window, ramp away from zero."""
    room = (unit[ENERGY_MAX] - energy_mwh) / (unit[CHARGE_EFFICIENCY] * hours)
    ramp = max(unit[RAMP] - power_mw, 0.0)
    return max(min(unit[POWER_LIMIT], room, ramp), 0.0)


@kernel
def discharge_limit(unit: Float, energy_mwh: float, power_mw: float, hours: float) -> float:
    """Most discharging power of the next interval, MW (>= 0): rating, energy in the window, ramp away from zero."""
    stored = (energy_mwh - unit[ENERGY_MIN]) * unit[DISCHARGE_EFFICIENCY] / hours
    ramp = max(unit[RAMP] + power_mw, 0.0)
    return max(min(unit[POWER_LIMIT], stored, ramp), 0.0)


@kernel
def stored_energy(unit: Float, energy_mwh: float, power_mw: float, hours: float) -> float:
    """Stored energy after an interval at this power, MWh; rounding cannot leave the window."""
    if power_mw > 0.0:
        energy_mwh -= power_mw * hours / unit[DISCHARGE_EFFICIENCY]
    else:
        energy_mwh -= power_mw * hours * unit[CHARGE_EFFICIENCY]
    return min(max(energy_mwh, unit[ENERGY_MIN]), unit[ENERGY_MAX])


@kernel
def wear_cost(unit: Float, power_mw: float, hours: float) -> float:
    """Degradation of an interval in $: (k1 |p| + k2 p²) h."""
    return (unit[WEAR] + unit[WEAR_QUADRATIC] * abs(power_mw)) * abs(power_mw) * hours
