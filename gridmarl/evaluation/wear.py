"""Wear of every battery by rainflow counting of its whole path, beside what the market charged interval by interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gridmarl.evaluation.facts import BatteryFacts
from gridmarl.evaluation.rainflow import BatteryWear, battery_wear
from gridmarl.evaluation.trajectory import Trajectory
from gridmarl.units import Float


@dataclass(frozen=True, slots=True)
class StorageWear:
    """What an episode took out of one battery.

    Attributes
    ----------
    name : str
    rainflow : BatteryWear
        Of the path of state of charge; its damage is 0 $ where the world prices no cycles.
    deep_cycles : float
        Rainflow damage as full-depth cycles: the sum of count x depth**exponent.
    online_cost : float
        Ageing by depth that was charged online, interval by interval, $; equals the rainflow damage up to the limit on
        nested swings, less what a vehicle's own trips wear out.
    throughput_cost : float
        Wear by throughput that was charged, $.
    """

    name: str
    rainflow: BatteryWear
    deep_cycles: float
    online_cost: float
    throughput_cost: float


def soc_path(trajectory: Trajectory, unit: BatteryFacts) -> Float:
    """State of charge from the start to the end of the episode, (interval + 1,) shares of capacity."""
    return np.concatenate(([unit.soc_initial], trajectory.of_seat(unit.name, "soc")))


def throughput_cost(trajectory: Trajectory, unit: BatteryFacts) -> float:
    """Wear by throughput at delivered power, $: (k1 |p| + k2 p²) h."""
    power_mw = np.abs(trajectory.of_seat(unit.name, "power_mw"))
    per_h = unit.wear_per_mwh * power_mw + unit.wear_per_mw2h * power_mw**2
    return float(per_h.sum()) * trajectory.interval_h


def storage_wear(trajectory: Trajectory) -> tuple[StorageWear, ...]:
    """Wear of every battery of the world, in the order of their seats."""
    return tuple(_wear(trajectory, unit) for unit in trajectory.batteries)


def _wear(trajectory: Trajectory, unit: BatteryFacts) -> StorageWear:
    path = soc_path(trajectory, unit)
    by_throughput = throughput_cost(trajectory, unit)
    priced = battery_wear(path, unit.capacity_mwh, unit.cycle_cost_per_mwh, unit.cycle_exponent)
    counted = battery_wear(path, unit.capacity_mwh, 1.0 / unit.capacity_mwh, unit.cycle_exponent)
    charged = float(trajectory.of_seat(unit.name, "degradation").sum())
    online = charged - by_throughput if unit.cycle_cost_per_mwh > 0.0 else 0.0
    return StorageWear(unit.name, priced, counted.damage, online, by_throughput)
