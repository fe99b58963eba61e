"""An electric vehicle: a battery that leaves every day, comes back with less, and must be ready when it leaves."""

from __future__ import annotations

from gridmarl.assets.battery import (
    ARRIVAL_H,
    CHARGE_EFFICIENCY,
    DEPARTURE_H,
    DISCHARGE_EFFICIENCY,
    ENERGY_MIN,
    POWER_LIMIT,
    READY_MWH,
    TRIP_MWH,
)
from gridmarl.kernels import kernel
from gridmarl.units import Float

DAY_H = 24.0
SLACK_H = 1e-6
"""Times of day this close count as equal."""


@kernel
def is_vehicle(unit: Float) -> bool:
    """Whether this battery drives at all."""
    return unit[ARRIVAL_H] >= 0.0


@kernel
def hours_left(unit: Float, local_h: float, hours: float) -> float:
    """Hours from this time of day on for which the vehicle stays plugged in, in whole intervals; 0 where it is away.

    It can be used in an interval only where it is there for all of it.
    """
    stay = (unit[DEPARTURE_H] - unit[ARRIVAL_H]) % DAY_H
    since = (local_h - unit[ARRIVAL_H] + SLACK_H) % DAY_H
    return max((stay - since + 2.0 * SLACK_H) // hours, 0.0) * hours


@kernel
def plugged_in(unit: Float, local_h: float, hours: float) -> bool:
    """Whether the battery is there in the interval that begins at this time of day; a plain battery always is."""
    return not is_vehicle(unit) or hours_left(unit, local_h, hours) > 0.0


@kernel
def later_charge(unit: Float, left_h: float, hours: float) -> float:
    """Energy that can still be stored after this interval and before departure, MWh, at full power."""
    return unit[CHARGE_EFFICIENCY] * unit[POWER_LIMIT] * max(left_h - hours, 0.0)


@kernel
def must_charge(unit: Float, energy_mwh: float, left_h: float, hours: float) -> float:
    """Charging that can no longer wait, MW: what full power in all later intervals would leave missing."""
    needed = unit[READY_MWH] - energy_mwh - later_charge(unit, left_h, hours)
    return min(max(needed, 0.0) / (unit[CHARGE_EFFICIENCY] * hours), unit[POWER_LIMIT])


@kernel
def spare_discharge(unit: Float, energy_mwh: float, left_h: float, hours: float) -> float:
    """Most discharging after which the vehicle can still be ready in time, MW (>= 0)."""
    spare = energy_mwh + later_charge(unit, left_h, hours) - unit[READY_MWH]
    return max(spare, 0.0) * unit[DISCHARGE_EFFICIENCY] / hours


@kernel
def missing_energy(unit: Float, energy_mwh: float) -> float:
    """What a vehicle that leaves now lacks, MWh."""
    return max(unit[READY_MWH] - energy_mwh, 0.0)


@kernel
def trip_energy(unit: Float, energy_mwh: float) -> float:
    """What the trip takes from the stored energy, MWh: no more than there is above the window's lower end."""
    return max(min(unit[TRIP_MWH], energy_mwh - unit[ENERGY_MIN]), 0.0)
