"""Numbers of one episode: resource cost, who paid and who earned, emissions, the grid, wear of batteries."""

from __future__ import annotations

from dataclasses import dataclass

from gridmarl.environment.compiled.columns import NINTH, PAYMENT
from gridmarl.evaluation import stability
from gridmarl.evaluation.trajectory import Trajectory
from gridmarl.evaluation.wear import storage_wear

KG_PER_T = 1000.0
LEAST_SAVING = 0.01
"""Where the optimum saves less than this share of the reference's cost, the share says nothing and is left out."""


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What a world's episode costs the reference team and the optimum, $.

    The optimum is one open-loop plan of the whole episode on realised data; the reference is truthful generators, idle
    batteries and no demand response.
    """

    reference_cost: float
    optimum_cost: float

    @property
    def says_a_share(self) -> bool:
        """Whether there is enough to save for a share to mean anything."""
        return self.reference_cost - self.optimum_cost >= LEAST_SAVING * abs(self.reference_cost)

    def share(self, cost: float) -> float | None:
        """(C_ref - C) / (C_ref - C*): 1 is the optimum, 0 the reference; none where too little can be saved."""
        if not self.says_a_share:
            return None
        return (self.reference_cost - cost) / (self.reference_cost - self.optimum_cost)


@dataclass(frozen=True, slots=True)
class Measure:
    """One number with its name and unit; none where it does not apply."""

    metric: str
    unit: str
    value: float | None


def resource_cost(trajectory: Trajectory) -> float:
    """Fuel, starts, wear, comfort, lost load and net imports at wholesale, at true cost, in $.

    No transfers; the change of stored energy, less what is owed to comfort, is credited at the world's declared price.
    """
    spent = float(trajectory.of_market("resource_cost").sum())
    left = trajectory.stored_mwh - trajectory.owed_mwh
    return spent - trajectory.stored_price_per_mwh * left


def consumer_cost(trajectory: Trajectory) -> float:
    """Net payments of the loads, $: their bills less what reductions earned."""
    rows = trajectory.rows_of("consumer")
    return float((trajectory.results[:, rows, NINTH] - trajectory.results[:, rows, PAYMENT]).sum())


def served_mwh(trajectory: Trajectory) -> float:
    """Demand less what was unserved, MWh."""
    served_mw = trajectory.of_market("demand_mw") - trajectory.of_market("unserved_mw")
    return float(served_mw.sum()) * trajectory.interval_h


def renewable_share(trajectory: Trajectory) -> float | None:
    """Renewable energy over served demand; none without demand."""
    served = served_mwh(trajectory)
    return float(trajectory.of_market("renewable_mwh").sum()) / served if served > 0 else None


def average_co2(trajectory: Trajectory) -> float | None:
    """Emissions over served demand, kg/MWh; none without demand. Imports count at the rate of the connection."""
    served = served_mwh(trajectory)
    return float(trajectory.of_market("emissions_kg").sum()) / served if served > 0 else None


def marginal_co2(trajectory: Trajectory) -> float:
    """Mean over intervals of the rate of the dearest unit that was accepted, kg/MWh."""
    return float(trajectory.of_market("marginal_co2_kg_per_mwh").mean())


def curtailed_mwh(trajectory: Trajectory) -> float:
    """Must-run output held back, and what sun and wind could have delivered and did not, MWh."""
    return float((trajectory.held_back_mw + trajectory.untaken_mw).sum()) * trajectory.interval_h


def measure(trajectory: Trajectory, yardstick: Yardstick) -> list[Measure]:
    """All numbers of an episode, in the order of the table.

    Parameters
    ----------
    trajectory : Trajectory
    yardstick : Yardstick
        Of the same scenario, split and seed.
    """
    return [
        *_scores(trajectory, yardstick),
        *_energy(trajectory),
        *_grid(trajectory),
        *_reserve_and_wear(trajectory),
    ]


def _scores(trajectory: Trajectory, yardstick: Yardstick) -> list[Measure]:
    cost = resource_cost(trajectory)
    return [
        Measure("resource_cost", "$", cost),
        Measure("regret", "$", cost - yardstick.optimum_cost),
        Measure("share", "1", yardstick.share(cost)),
        Measure("consumer_cost", "$", consumer_cost(trajectory)),
        Measure("profit_generator", "$", trajectory.rewards("generator")),
        Measure("profit_storage", "$", trajectory.rewards("storage")),
        Measure("profit_consumer", "$", trajectory.rewards("consumer")),
        Measure("congestion_rent", "$", float(trajectory.of_market("congestion_rent").sum())),
        Measure("mean_price", "$/MWh", float(trajectory.of_market("price_per_mwh").mean())),
    ]


def _energy(trajectory: Trajectory) -> list[Measure]:
    unserved_mwh = float(trajectory.of_market("unserved_mw").sum()) * trajectory.interval_h
    return [
        Measure("emissions", "t", float(trajectory.of_market("emissions_kg").sum()) / KG_PER_T),
        Measure("average_co2", "kg/MWh", average_co2(trajectory)),
        Measure("marginal_co2", "kg/MWh", marginal_co2(trajectory)),
        Measure("renewable_share", "1", renewable_share(trajectory)),
        Measure("unserved", "MWh", unserved_mwh),
        Measure("curtailed", "MWh", curtailed_mwh(trajectory)),
        Measure("stored_change", "MWh", trajectory.stored_mwh),
    ]


def _grid(trajectory: Trajectory) -> list[Measure]:
    nadir, zenith, slope = stability.worst_frequency(trajectory) or (None, None, None)
    low, high = stability.worst_voltage(trajectory) or (None, None)
    return [
        Measure("outage_probability", "1", stability.outage_probability(trajectory)),
        Measure("load_generation_deviation", "1", stability.load_generation_deviation(trajectory)),
        Measure("frequency_in_band", "1", stability.frequency_in_band(trajectory)),
        Measure("voltage_in_band", "1", stability.voltage_in_band(trajectory)),
        Measure("worst_nadir", "Hz", nadir),
        Measure("worst_zenith", "Hz", zenith),
        Measure("largest_rocof", "Hz/s", slope),
        Measure("lowest_voltage", "pu", low),
        Measure("highest_voltage", "pu", high),
        Measure("worst_emergency_stage", "stage", float(stability.worst_stage(trajectory))),
    ]


def _reserve_and_wear(trajectory: Trajectory) -> list[Measure]:
    worn = storage_wear(trajectory)
    return [
        Measure("reserve_cost", "$", stability.reserve_cost(trajectory)),
        Measure("reserve_short_share", "1", stability.reserve_short_share(trajectory)),
        Measure("imbalance_payments", "$", stability.imbalance_payments(trajectory)),
        Measure("battery_cycles", "cycles", sum(w.rainflow.equivalent_cycles for w in worn) if worn else None),
        Measure("battery_ageing_rainflow", "$", sum(w.rainflow.damage for w in worn) if worn else None),
        Measure("battery_ageing_online", "$", sum(w.online_cost for w in worn) if worn else None),
        Measure("battery_throughput_wear", "$", sum(w.throughput_cost for w in worn) if worn else None),
    ]
