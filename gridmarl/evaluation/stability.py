"""Numbers of the grid in one episode: outages, imbalance, frequency, voltage, reserve and emergencies.

A number is none where the world does not model what it measures.
"""

from __future__ import annotations

import numpy as np

from gridmarl.environment.messages.records import Stage
from gridmarl.evaluation.trajectory import Trajectory
from gridmarl.units import Bool, Float

SERVED = 1e-9
"""Unserved load up to this share of demand is rounding."""
SETTLERS = ("generator", "storage", "consumer")
"""Roles whose seats settle deviations; a home's parts are among them, so the home's own row would count twice."""


def outage_probability(trajectory: Trajectory) -> float:
    """Share of intervals in which any load was unserved, scheduled or shed in real time."""
    unserved, demand = trajectory.of_market("unserved_mw"), trajectory.of_market("demand_mw")
    return float((unserved > SERVED * demand).mean())


def load_generation_deviation(trajectory: Trajectory) -> float | None:
    """Mean size of the imbalance before anybody responds over mean demand; none without demand.

    The size is the mean of |imbalance| over an interval's substeps: what is too much first and too little later does
    not cancel.
    """
    demand = float(trajectory.of_market("demand_mw").sum())
    return float(trajectory.of_market("imbalance_size_mw").sum()) / demand if demand > 0.0 else None


def frequency_in_band(trajectory: Trajectory) -> float | None:
    """Share of time with frequency within its band."""
    return float(trajectory.of_market("in_band_share").mean()) if trajectory.grid.has_frequency else None


def is_voltage_in_band(trajectory: Trajectory) -> Bool:
    """Whether every bus was within the band, (interval,) bool."""
    band, low, high = trajectory.grid.band_pu, *_voltages(trajectory)
    return (low >= 1.0 - band - SERVED) & (high <= 1.0 + band + SERVED)


def _voltages(trajectory: Trajectory) -> tuple[Float, Float]:
    return trajectory.of_market("voltage_low_pu"), trajectory.of_market("voltage_high_pu")


def voltage_in_band(trajectory: Trajectory) -> float | None:
    """Share of intervals in which every bus was within the voltage's band."""
    return float(is_voltage_in_band(trajectory).mean()) if trajectory.grid.has_voltage else None


def worst_frequency(trajectory: Trajectory) -> tuple[float, float, float] | None:
    """Lowest and highest frequency [Hz] and the largest rate of change [Hz/s] of the episode."""
    grid = trajectory.grid
    if not grid.has_frequency:
        return None
    nadir = grid.nominal_hz + float(trajectory.of_market("nadir_hz").min())
    zenith = grid.nominal_hz + float(trajectory.of_market("zenith_hz").max())
    return nadir, zenith, float(trajectory.of_market("rocof_hz_per_s").max())


def worst_voltage(trajectory: Trajectory) -> tuple[float, float] | None:
    """Lowest and highest voltage of the episode, pu."""
    if not trajectory.grid.has_voltage:
        return None
    low, high = _voltages(trajectory)
    return float(low.min()), float(high.max())


def reserve_cost(trajectory: Trajectory) -> float | None:
    """What sellers of reserve are paid, $: a transfer from loads to them."""
    return float(trajectory.of_market("reserve_payment").sum()) if trajectory.grid.buys_reserve else None


def reserve_short_share(trajectory: Trajectory) -> float | None:
    """Share of intervals in which less spin or nonspin was bought than required."""
    if not trajectory.grid.buys_reserve:
        return None
    short = np.zeros(len(trajectory.market), np.bool_)
    for product in ("spin", "nonspin"):
        required = trajectory.of_market(f"{product}_required_mw")
        short |= trajectory.of_market(f"{product}_mw") < required * (1.0 - SERVED)
    return float(short.mean())


def imbalance_payments(trajectory: Trajectory) -> float:
    """Turnover of the imbalance settlement, $: what seats paid for deviations or were paid for them, without sign."""
    names = [seat for seat, role in zip(trajectory.seats, trajectory.roles, strict=True) if role in SETTLERS]
    return float(sum(np.abs(trajectory.of_seat(name, "imbalance_payment")).sum() for name in names))


def stages_reached(trajectory: Trajectory) -> tuple[Stage, ...]:
    """Stages of an emergency that the episode passed, in their order; empty in a quiet one."""
    masks = trajectory.of_market("emergency_stages").astype(np.int64)
    passed = int(np.bitwise_or.reduce(masks)) if len(masks) else 0
    return tuple(stage for k, stage in enumerate(Stage) if k > 0 and passed >> k & 1)


def worst_stage(trajectory: Trajectory) -> int:
    """Number of the gravest stage reached, in the order of :class:`Stage`; 0 is normal, recovery counts for nothing."""
    grave = [stage for stage in stages_reached(trajectory) if stage is not Stage.RECOVERY]
    return list(Stage).index(grave[-1]) if grave else 0
