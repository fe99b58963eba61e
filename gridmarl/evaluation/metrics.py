"""Numbers of one episode: resource cost and, in columns of their own, who paid and who earned."""

from __future__ import annotations

from dataclasses import dataclass

from gridmarl.environment.arrays import NINTH, PAYMENT
from gridmarl.evaluation.trajectory import Trajectory

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


def renewable_share(trajectory: Trajectory) -> float | None:
    """Renewable energy over served demand; none without demand."""
    served = (trajectory.of_market("demand_mw") - trajectory.of_market("unserved_mw")).sum() * trajectory.interval_h
    return float(trajectory.of_market("renewable_mwh").sum() / served) if served > 0 else None


def measure(trajectory: Trajectory, yardstick: Yardstick) -> list[Measure]:
    """All numbers of an episode, in the order of the table.

    Parameters
    ----------
    trajectory : Trajectory
    yardstick : Yardstick
        Of the same scenario, split and seed.
    """
    cost = resource_cost(trajectory)
    hours = trajectory.interval_h
    share = yardstick.share(cost)
    return [
        Measure("resource_cost", "$", cost),
        Measure("regret", "$", cost - yardstick.optimum_cost),
        Measure("share", "1", share),
        Measure("consumer_cost", "$", consumer_cost(trajectory)),
        Measure("profit_generator", "$", trajectory.rewards("generator")),
        Measure("profit_storage", "$", trajectory.rewards("storage")),
        Measure("profit_consumer", "$", trajectory.rewards("consumer")),
        Measure("congestion_rent", "$", float(trajectory.of_market("congestion_rent").sum())),
        Measure("emissions", "t", float(trajectory.of_market("emissions_kg").sum()) / KG_PER_T),
        Measure("renewable_share", "1", renewable_share(trajectory)),
        Measure("unserved", "MWh", float(trajectory.of_market("unserved_mw").sum()) * hours),
        Measure("curtailed", "MWh", float(trajectory.of_market("curtailed_mw").sum()) * hours),
        Measure("mean_price", "$/MWh", float(trajectory.of_market("price_per_mwh").mean())),
        Measure("stored_change", "MWh", trajectory.stored_mwh),
    ]
