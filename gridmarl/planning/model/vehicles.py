"""Vehicles in a plan: no power while away, what a trip takes, and a soft demand for energy at departure.

Behind a battery's charge, discharge and energy stands one more block of K variables: what is missing at a departure,
``e_d + missing_d >= ready_d`` at ``missing_per_mwh``. A trip takes what it would take after charging at full power all
along: how much shorter it is where even that is too little is no choice, and a cost of it would not be convex.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gridmarl.planning.model.assets import Battery, per_step
from gridmarl.planning.model.horizon import Horizon
from gridmarl.planning.model.plan import BatteryPlan
from gridmarl.planning.model.sparse import Sparse, diagonal, rows, stack, zeros
from gridmarl.scenario.participants import ElectricVehicle
from gridmarl.units import Bool, Float, Int

DUST = 1e-9
"""Of the capacity: a bound that full charging just reaches must not make a plan infeasible."""


@dataclass(frozen=True, slots=True, eq=False)
class Trips:
    """What a vehicle adds to a battery's numbers."""

    linear: Float  # (K,) $ per MWh
    taken: Float  # (K,) MWh
    inequality_rhs: Float  # (departure,) MWh
    upper: Float  # (K,) MWh


def with_trips(battery: Battery, unit: ElectricVehicle, presence: Bool, horizon: Horizon) -> Battery:
    """A battery that is only there when the vehicle is.

    Parameters
    ----------
    battery : Battery
        As if it were always there.
    unit : ElectricVehicle
    presence : (interval,) bool array
        Whether it is plugged in during each interval of the horizon, and of at least a day after.
    horizon : Horizon
    """
    steps = len(horizon.lengths)
    later, presence = presence[horizon.intervals :], presence[: horizon.intervals + 1]
    share = horizon.average(presence[:-1].astype(np.float64))
    driven, reach = longest_trips(battery, unit, presence, horizon.interval_h)
    ready, trip = np.zeros(steps), np.zeros(steps)
    for interval in np.flatnonzero(presence[:-1] != presence[1:]):
        step = horizon.step_of(int(interval))
        if presence[interval]:
            ready[step] = unit.ready
        else:
            trip[step] = driven[interval]
    both = (ready > 0) & (trip > 0)  # back within the step it left in: what is then stored is after the trip
    ready[both] = np.maximum(ready - trip, 0.0)[both]
    return replace(
        battery,
        charge_limit_mw=np.asarray(battery.charge_limit_mw) * share,
        discharge_limit_mw=np.asarray(battery.discharge_limit_mw) * share,
        energy_min_mwh=lowest_energy(battery, unit, presence, reach, later, horizon),
        trip_mwh=trip,
        ready_mwh=ready,
        missing_per_mwh=unit.missing_per_mwh,
    )


def longest_trips(battery: Battery, unit: ElectricVehicle, presence: Bool, interval_h: float) -> tuple[Float, Float]:
    """What each trip takes, at the interval in which it ends, and the energy, if all that time allows is charged.

    Parameters
    ----------
    presence : (interval + 1,) bool array

    Returns
    -------
    tuple
        Trips and energy at the end of each interval, (interval,) MWh.
    """
    lowest, highest = unit.soc_min * unit.capacity_mwh, unit.soc_max * unit.capacity_mwh
    energy, full = battery.energy_now_mwh, unit.charge_efficiency * unit.power_mw * interval_h
    driven, reach = np.zeros(len(presence) - 1), np.zeros(len(presence) - 1)
    for interval, here in enumerate(presence[:-1]):
        if here:
            energy = min(energy + full, highest)
        elif presence[interval + 1]:
            driven[interval] = min(unit.trip_mwh, max(energy - lowest, 0.0))
            energy -= driven[interval]
        reach[interval] = energy
    return driven, reach


def lowest_energy(
    battery: Battery, unit: ElectricVehicle, presence: Bool, reach: Float, later: Bool, horizon: Horizon
) -> Float:
    """The window's lower end; in a stay that outlasts the horizon, what leaves time to be ready: (step,) MWh.

    The market charges a vehicle that could otherwise not be ready, also for a departure beyond the plan.
    """
    low = np.array(per_step(battery.energy_min_mwh, len(horizon.lengths)))
    if not later[0] or later.all():
        return low
    full = unit.charge_efficiency * unit.power_mw * horizon.interval_h
    left = int(np.argmin(later))  # intervals of the stay that lie beyond the horizon
    last = np.cumsum(horizon.lengths) - 1
    for step in range(len(last) - 1, -1, -1):
        if not presence[last[step]]:
            break
        needed = unit.ready - full * (left + int(last[-1] - last[step]))
        low[step] = max(low[step], min(needed, reach[last[step]]) - DUST * unit.capacity_mwh)
    return low


def structure(asset: Battery, steps: int) -> bytes:
    """What the matrices of a vehicle depend on; nothing for a plain battery."""
    return b"drives" + departures(asset, steps).tobytes() if asset.drives else b""


def departures(asset: Battery, steps: int) -> Int:
    """Steps at whose end the vehicle leaves."""
    return np.flatnonzero(per_step(asset.ready_mwh, steps) > 0).astype(np.int64)


def widen(asset: Battery, equality: Sparse, inequality: Sparse, net: Sparse) -> tuple[Sparse, Sparse, Sparse]:
    """A battery's matrices with the block of a vehicle."""
    k = net.shape[0]
    none, left = zeros(k, k), departures(asset, k)
    at_departure = rows(diagonal(np.ones(k)), left)
    ready = stack([[zeros(len(left), 2 * k), -at_departure, -at_departure]])
    limits = stack([[inequality, zeros(inequality.shape[0], k)]])
    return stack([[equality, none]]), stack([[limits], [ready]]), stack([[net, none]])


def trips(asset: Battery, steps: int) -> Trips:
    """A vehicle's costs, bounds and right-hand sides."""
    ready = per_step(asset.ready_mwh, steps)
    return Trips(
        linear=np.full(steps, asset.missing_per_mwh),
        taken=per_step(asset.trip_mwh, steps),
        inequality_rhs=-ready[departures(asset, steps)],
        upper=ready,
    )


def read_plan(asset: Battery, parts: Float) -> BatteryPlan:
    """Trajectory of a vehicle, from (block, K) solved variables."""
    steps = parts.shape[1]
    limit = np.minimum(per_step(asset.charge_limit_mw, steps), per_step(asset.discharge_limit_mw, steps))
    return BatteryPlan(asset.name, parts[0], parts[1], parts[2], limit, per_step(asset.ready_mwh, steps) > 0)
