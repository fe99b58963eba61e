"""Scenario recourse: the first step is decided now, later ones once it is known which price scenario came.

A two-stage stochastic program (Birge & Louveaux 2011, section 2.2). It is the same problem as without recourse on a
longer horizon: the steps of all S scenarios one after the other, step k of scenario s counting ``π_s Δ_k`` hours. There
every scenario's price is paid in its own steps only, ``p_sk / π_s``, so that revenues, expectation and CVaR come out
as they are; bounds hold in every scenario; and `Branches` tie the first steps. So every method plans it unchanged,
and every owner keeps its own copies to itself.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, Protocol, TypeVar

import numpy as np

from gridmarl.planning.certify import certify
from gridmarl.planning.model.assets import Coupling, Group, Owner, PerStep, per_step, single
from gridmarl.planning.model.branches import Branches
from gridmarl.planning.model.plan import AssetPlan, Plan
from gridmarl.planning.model.problem import Problem
from gridmarl.planning.model.risk import Prices
from gridmarl.units import Float

Bounded = TypeVar("Bounded", Coupling, Group)


class Method(Protocol):
    """Anything that plans on one horizon."""

    def solve(self, problem: Problem, *, elapsed_h: float = 0.0) -> Plan:
        """Plan; ``elapsed_h`` hours after the last problem began, from whose plan this one may start."""
        ...


def lift(problem: Problem) -> Problem:
    """Put all scenarios one after the other (S K steps, S price scenarios); those that cannot happen are dropped."""
    owners, step_h, coupling, prices, terminal = problem
    likely = prices.probability > 0
    probability, paid = prices.probability[likely], prices.per_mwh[likely]
    scenarios, steps = paid.shape
    spread = np.zeros((scenarios, scenarios, steps))
    spread[np.arange(scenarios), np.arange(scenarios)] = paid / probability[:, None]
    return Problem(
        owners=tuple(_branched(owner, step_h, probability) for owner in owners),
        step_h=np.outer(probability, step_h).ravel(),
        coupling=replace(
            _tiled(coupling, scenarios, steps),
            groups=tuple(_tiled(group, scenarios, steps) for group in coupling.groups),
        ),
        prices=Prices(spread.reshape(scenarios, -1), probability, prices.alpha),
        terminal=terminal,
    )


class RecoursePlanner:
    """Plans with recourse by any method.

    Parameters
    ----------
    method : Method
        Plans on the horizon of all scenarios.
    """

    def __init__(self, method: Method) -> None:
        self._method = method

    def solve(self, problem: Problem, *, elapsed_h: float = 0.0) -> Plan:
        """Plan a common first step and later ones for each scenario; errors are those of the method.

        With one scenario there is nothing to wait for: the plan is the method's own.

        Returns
        -------
        Plan
            On the K steps: schedules and multipliers are expectations over the scenarios, exact in the first step;
            ``scenario_injection_mw`` holds every scenario's own. Its bounds are those of the two-stage problem.
        """
        problem = problem.checked()
        if np.count_nonzero(problem.prices.probability) == 1:
            return self._method.solve(problem, elapsed_h=elapsed_h)
        lifted = lift(problem)
        plan = self._method.solve(lifted)  # the last plan starts this one step for step
        if not np.isfinite(plan.lower_bound):
            found = certify(plan, lifted)
            plan = replace(plan, lower_bound=found.lower, upper_bound=found.upper)
        return expected(plan, problem.step_h, problem.prices)


def expected(plan: Plan, step_h: Float, prices: Prices) -> Plan:
    """A plan of all scenarios as one on the K steps: expectations, and every scenario's injections."""
    probability = prices.probability[prices.probability > 0]
    scenarios = plan.injection_mw.reshape(len(plan.owners), len(probability), -1)

    def mean(values: Float) -> Float:
        return probability @ values.reshape(len(probability), -1)

    def sums(energy_mwh: Float) -> Float:
        return energy_mwh.reshape(len(probability), -1).sum(axis=0)  # weighed by its hours already

    return replace(
        plan,
        step_h=step_h,
        injection_mw=np.einsum("s,nsk->nk", probability, scenarios),
        assets=tuple(tuple(_mean(one, probability) for one in own) for own in plan.assets),
        multiplier_per_mwh=mean(plan.multiplier_per_mwh),
        price_per_mwh=mean(plan.price_per_mwh),
        shortage_mwh=sums(plan.shortage_mwh),
        surplus_mwh=sums(plan.surplus_mwh),
        groups=tuple(
            replace(
                group,
                multiplier_per_mwh=mean(group.multiplier_per_mwh),
                shortage_mwh=sums(group.shortage_mwh),
                surplus_mwh=sums(group.surplus_mwh),
            )
            for group in plan.groups
        ),
        scenario_injection_mw=scenarios.transpose(1, 0, 2),
    )


def _branched(owner: Owner, step_h: Float, probability: Float) -> Owner:
    return replace(owner, assets=tuple(Branches(single(asset), step_h, probability) for asset in owner.assets))


def _tiled(bounds: Bounded, scenarios: int, steps: int) -> Bounded:
    """The same bounds and prices in every scenario."""
    names = ("lower_mw", "upper_mw", "shortage_per_mwh", "surplus_per_mwh")
    return replace(bounds, **{name: _tile(getattr(bounds, name), scenarios, steps) for name in names})


def _tile(value: PerStep, scenarios: int, steps: int) -> Float:
    return np.tile(per_step(value, steps), scenarios)


def _mean(plan: AssetPlan, probability: Float) -> AssetPlan:
    """Expected trajectories; where nothing but the calendar decides, the first scenario's."""
    found: dict[str, Any] = {}
    for field in fields(plan):
        values = getattr(plan, field.name)
        if isinstance(values, np.ndarray):
            by_scenario = values.reshape(len(probability), -1)
            found[field.name] = by_scenario[0] if by_scenario.dtype == np.bool_ else probability @ by_scenario
    return replace(plan, **found)
