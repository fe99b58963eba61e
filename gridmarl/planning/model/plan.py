"""The answer of every optimiser: schedules, the coupling's multiplier, and how far it can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypedDict

import numpy as np

from gridmarl.errors import ScenarioError
from gridmarl.planning.model.assets import Coupling
from gridmarl.planning.model.bounds import Bounds
from gridmarl.planning.model.gap import relative
from gridmarl.planning.model.risk import Prices, revenue
from gridmarl.units import Bool, Float


@dataclass(frozen=True, slots=True, eq=False)
class BatteryPlan:
    """Trajectory of one battery, each (K,); energy is what is stored at the end of a step."""

    name: str
    charge_mw: Float
    discharge_mw: Float
    energy_mwh: Float
    limit_mw: Float | None = None  # of both directions, 0 while away; none: the rating
    leaves: Bool | None = None  # whether it leaves at the end of a step

    @property
    def injection_mw(self) -> Float:
        """Discharge minus charge (K,)."""
        return self.discharge_mw - self.charge_mw

    @property
    def overlap_mw(self) -> Float:
        """Power charged and discharged at once (K,): the relaxation burns energy where the price makes that pay."""
        return np.minimum(self.charge_mw, self.discharge_mw)


@dataclass(frozen=True, slots=True, eq=False)
class GeneratorPlan:
    """Output of one generator (K,)."""

    name: str
    output_mw: Float

    @property
    def injection_mw(self) -> Float:
        """The output (K,)."""
        return self.output_mw


@dataclass(frozen=True, slots=True, eq=False)
class LoadPlan:
    """Trajectory of one load, each (K,); debt is what is still to be paid back at the end of a step."""

    name: str
    baseline_mw: Float
    reduction_mw: Float
    payback_mw: Float
    debt_mwh: Float

    @property
    def injection_mw(self) -> Float:
        """Minus the consumption (K,)."""
        return self.reduction_mw - self.payback_mw - self.baseline_mw


AssetPlan = BatteryPlan | GeneratorPlan | LoadPlan


def joined(plans: Sequence[AssetPlan]) -> AssetPlan:
    """Trajectories of one asset, one after the other."""
    found: dict[str, Any] = {}
    for field in fields(plans[0]):
        parts: list[Any] = [getattr(plan, field.name) for plan in plans]
        if isinstance(parts[0], np.ndarray):
            found[field.name] = np.concatenate(parts)
    return replace(plans[0], **found)


@dataclass(frozen=True, slots=True, eq=False)
class Rounds:
    """History of an iterative method, each array (rounds,)."""

    primal_mw: Float
    dual_mw: Float
    rho: Float  # $/(MW² h)
    objective: Float  # $, infinite for a step on trial whose schedules broke a limit

    @classmethod
    def none(cls) -> Rounds:
        """The history of a method without rounds."""
        return cls(np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0))


@dataclass(frozen=True, slots=True, eq=False)
class GroupPlan:
    """What a group's own bounds come to, each array (K,).

    ``multiplier_per_mwh`` is what its members hear on top of everybody's: the price of the transformer that they share.
    """

    name: str
    members: tuple[str, ...]
    multiplier_per_mwh: Float
    shortage_mwh: Float
    surplus_mwh: Float


class Coupled(TypedDict):
    """The fields of a `Plan` that the rows of its coupling decide."""

    multiplier_per_mwh: Float
    price_per_mwh: Float
    shortage_mwh: Float
    surplus_mwh: Float
    groups: tuple[GroupPlan, ...]


def coupled(
    coupling: Coupling, prices: Prices, multipliers_per_mwh: Float, shortage_mwh: Float, surplus_mwh: Float
) -> Coupled:
    """Read the rows (1 + G, K) of a coupling: everybody's sum, then each group's."""
    everybody, *groups = zip(multipliers_per_mwh, shortage_mwh, surplus_mwh, strict=True)
    multiplier, shortage, surplus = everybody
    return Coupled(
        multiplier_per_mwh=multiplier,
        price_per_mwh=prices.expected_per_mwh + multiplier,
        shortage_mwh=shortage,
        surplus_mwh=surplus,
        groups=tuple(GroupPlan(g.name, g.members, *row) for g, row in zip(coupling.groups, groups, strict=True)),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Schedules of N owners over K steps.

    Attributes
    ----------
    owners : tuple of str
        N names.
    step_h : array (K,)
        Hours a step.
    injection_mw : array (N, K)
        Net injection of each owner, + into the grid.
    assets : tuple of N tuples
        Trajectories of each owner's assets, in the owner's order.
    multiplier_per_mwh : array (K,)
        Cost of the last MWh the coupling asks for, beyond the expected price, in $/MWh.
    price_per_mwh : array (K,)
        Expected price plus multiplier: what one more MWh injected is worth to the risk-neutral. Members of a group hear
        the group's multiplier too: see `price_of`.
    objective : float
        Minimised total in dollars, slack included; welfare is its negative.
    owner_objective : array (N,)
        Each owner's share of it, slack excluded.
    shortage_mwh, surplus_mwh : array (K,)
        Energy by which the coupling's bounds are missed, below and above.
    rounds : int
        Rounds taken (0 for a direct solve).
    primal_residual_mw, dual_residual_mw : float
        Mismatch of the coupling, and movement in the last round.
    converged : bool
        Whether the tolerances were met; otherwise the plan is usable but less accurate.
    method : str
        ``central``, ``admm``, ...
    history : Rounds
        One value a round.
    lower_bound : float
        Dollars below which no plan can cost, by the dual function at the multiplier; -inf where it was not asked.
    upper_bound : float
        Dollars the plan costs with its remaining mismatch paid as slack: ``objective`` where nothing is mismatched.
    bounds : Bounds, optional
        Of every round, from methods that prove them as they go.
    groups : tuple of GroupPlan
        One for each group of the coupling; ``multiplier_per_mwh``, ``shortage_mwh`` and ``surplus_mwh`` above are those
        of everybody's sum.
    scenario_injection_mw : array (S, N, K), optional
        With recourse, each scenario's own; the first step is common to all.
    """

    owners: tuple[str, ...]
    step_h: Float
    injection_mw: Float
    assets: tuple[tuple[AssetPlan, ...], ...]
    multiplier_per_mwh: Float
    price_per_mwh: Float
    objective: float
    owner_objective: Float
    shortage_mwh: Float
    surplus_mwh: Float
    rounds: int
    primal_residual_mw: float
    dual_residual_mw: float
    converged: bool
    method: str
    history: Rounds
    lower_bound: float = -np.inf
    upper_bound: float = np.inf
    bounds: Bounds | None = None
    groups: tuple[GroupPlan, ...] = ()
    scenario_injection_mw: Float | None = None

    @property
    def multipliers_per_mwh(self) -> Float:
        """The multipliers of everybody's sum and of each group's (1 + G, K)."""
        return np.stack([self.multiplier_per_mwh, *(group.multiplier_per_mwh for group in self.groups)])

    def price_of(self, owner: str) -> Float:
        """What one more MWh injected by this owner is worth to the risk-neutral (K,)."""
        own = [group.multiplier_per_mwh for group in self.groups if owner in group.members]
        return self.price_per_mwh + sum(own, np.zeros(len(self.step_h)))

    def revenue(self, prices: Prices) -> Float:
        """What each owner is paid in each price scenario (N, S), $; with recourse by that scenario's own schedule."""
        gains = revenue(self.injection_mw, self.step_h, prices)
        if self.scenario_injection_mw is not None:
            likely = prices.probability > 0
            paid = prices.per_mwh[likely] * self.step_h
            gains[:, likely] = np.einsum("snk,sk->ns", self.scenario_injection_mw, paid)
        return gains

    @property
    def gap(self) -> float:
        """Dollars between the objective and the lower bound, infinite where there is none."""
        return self.objective - self.lower_bound

    @property
    def relative_gap(self) -> float:
        """The gap as a share of the objective."""
        return relative(self.gap, self.objective)

    def asset(self, owner: str, name: str) -> AssetPlan:
        """Trajectory of one asset.

        Raises
        ------
        ScenarioError
            Where that owner has no such asset.
        """
        for known, plans in zip(self.owners, self.assets, strict=True):
            for plan in plans:
                if (known, plan.name) == (owner, name):
                    return plan
        raise ScenarioError("asset", f"{owner}.{name}", f"an asset of one of {self.owners}")

    @property
    def overlap_mwh(self) -> float:
        """Energy that batteries charge and discharge at once: 0 unless burning it pays (negative prices)."""
        batteries = (plan for plans in self.assets for plan in plans if isinstance(plan, BatteryPlan))
        return float(sum((self.step_h @ np.maximum(plan.overlap_mw, 0.0) for plan in batteries), 0.0))
