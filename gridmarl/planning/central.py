"""All owners' problems solved as one, by a planner that may see everything."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

import numpy as np

from gridmarl.errors import SolverError
from gridmarl.planning.assets import Coupling, Owner, Terminal, per_step
from gridmarl.planning.feasible import infeasible_error
from gridmarl.planning.gap import slack_cost
from gridmarl.planning.joint import Joint, join
from gridmarl.planning.local import local_problem, steady_base
from gridmarl.planning.plan import Plan, Rounds
from gridmarl.planning.program import CouplingNumbers, Optimum, Program, RiskNumbers
from gridmarl.planning.request import check_request
from gridmarl.planning.risk import Prices, cvar, revenue, warn_of_thin_tail
from gridmarl.units import Float

logger = logging.getLogger(__name__)

UNBOUNDED: Final = 1e4
"""An infinite bound of the coupling stands at this many units of power."""


class CentralPlanner:
    """Solves one stacked problem after another, compiling only when the structure changes."""

    def __init__(self) -> None:
        self._joint: Joint | None = None
        self._program: Program | None = None
        self._scenarios = 0

    def solve(
        self,
        owners: Sequence[Owner],
        step_h: Float,
        coupling: Coupling,
        prices: Prices,
        terminal: Terminal | None = None,
    ) -> Plan:
        """Plan for all owners at once.

        Parameters
        ----------
        owners : sequence of N Owner
            Their assets and risk weights.
        step_h : array (K,)
            Hours a step.
        coupling : Coupling
            Bounds on the total injection [MW] and the price of missing them [$/MWh].
        prices : Prices
            Scenarios of $/MWh.
        terminal : Terminal, optional
            What stored energy is worth at the end; by default batteries keep their energy.

        Returns
        -------
        Plan
            With ``method`` ``central``; ``converged`` is False where the solver was less accurate than asked.
            ``lower_bound`` is the solver's dual objective and as accurate as the solver; `certify` proves one.

        Raises
        ------
        ScenarioError
            For shapes that do not fit or a CVaR of less than two scenarios.
        InfeasiblePlanError
            Where an asset cannot obey its limits, by name.
        SolverError
            Where the solver stopped without an answer.
        """
        steps, owners = check_request(owners, step_h, prices), tuple(owners)
        end = terminal or Terminal()
        joint = self._stack(owners, steps, prices, end)
        program = self._compiled(joint, prices)
        optimum = program.solve(joint, _coupling_numbers(joint, coupling), _risk_numbers(joint, prices))
        if not len(optimum.y):
            raise infeasible_error(owners, steps, end) or SolverError(
                "central plan", optimum.status, "optimal", "look for limits or costs of very different size"
            )
        if optimum.status != "optimal":
            logger.warning("central plan is less accurate than asked: the solver says %s", optimum.status)
        return _plan(joint, coupling, prices, optimum)

    def _stack(self, owners: tuple[Owner, ...], step_h: Float, prices: Prices, terminal: Terminal) -> Joint:
        old = self._joint
        base = steady_base(owners, prices, old.problems[0].base if old else None)
        known = {problem.owner.name: problem for problem in old.problems} if old else {}
        problems = [
            local_problem(owner, step_h, prices, terminal, base, known.get(owner.name), with_cvar=False)
            for owner in owners
        ]
        return join(problems, old)

    def _compiled(self, joint: Joint, prices: Prices) -> Program:
        scenarios = len(prices.probability)
        same = self._joint is not None and self._joint.key == joint.key and self._scenarios == scenarios
        if self._program is None or not same:
            self._program = Program(joint, scenarios)
            warn_of_thin_tail(prices, joint.averse.shape[0])
        self._joint, self._scenarios = joint, scenarios
        return self._program


def solve_central(
    owners: Sequence[Owner],
    step_h: Float,
    coupling: Coupling,
    prices: Prices,
    terminal: Terminal | None = None,
) -> Plan:
    """Plan for all owners at once; see `CentralPlanner.solve`, which is quicker for a second plan of the same shape."""
    return CentralPlanner().solve(owners, step_h, coupling, prices, terminal)


def _coupling_numbers(joint: Joint, coupling: Coupling) -> CouplingNumbers:
    step_h, base = joint.problems[0].step_h, joint.problems[0].base
    bound = np.stack([per_step(coupling.lower_mw, len(step_h)), per_step(coupling.upper_mw, len(step_h))])
    cost = np.stack([per_step(price, len(step_h)) for price in (coupling.shortage_per_mwh, coupling.surplus_per_mwh)])
    return CouplingNumbers(np.clip(bound / base.power_mw, -UNBOUNDED, UNBOUNDED), cost * step_h / base.price_per_mwh)


def _risk_numbers(joint: Joint, prices: Prices) -> RiskNumbers:
    step_h, base = joint.problems[0].step_h, joint.problems[0].base
    beta = np.array([problem.owner.beta for problem in joint.problems if problem.owner.beta > 0])
    weight = beta[:, None] * prices.probability / (1 - prices.alpha)
    return RiskNumbers(beta, (prices.per_mwh * step_h).T / base.price_per_mwh, weight)


def _plan(joint: Joint, coupling: Coupling, prices: Prices, optimum: Optimum) -> Plan:
    problems, step_h, base = joint.problems, joint.problems[0].step_h, joint.problems[0].base
    parts = joint.split(optimum.y)
    injection = np.stack([problem.injection_mw(y) for problem, y in zip(problems, parts, strict=True)])
    gains = revenue(injection, step_h, prices)
    own = np.array(
        [
            problem.objective(y) - problem.owner.beta * cvar(gain, prices.probability, prices.alpha)
            for problem, y, gain in zip(problems, parts, gains, strict=True)
        ]
    )
    total = injection.sum(axis=0)
    lower, upper = per_step(coupling.lower_mw, len(step_h)), per_step(coupling.upper_mw, len(step_h))
    slack = np.maximum(optimum.slack * base.power_mw, 0.0)
    penalty = step_h * (coupling.shortage_per_mwh * slack[0] + coupling.surplus_per_mwh * slack[1])
    multiplier = optimum.multiplier * base.price_per_mwh / step_h
    missed = np.maximum(lower - total - slack[0], 0.0) + np.maximum(total - upper - slack[1], 0.0)
    return Plan(
        owners=tuple(problem.owner.name for problem in problems),
        step_h=step_h,
        injection_mw=injection,
        assets=tuple(problem.read(y) for problem, y in zip(problems, parts, strict=True)),
        multiplier_per_mwh=multiplier,
        price_per_mwh=prices.expected_per_mwh + multiplier,
        objective=float(own.sum() + penalty.sum()),
        owner_objective=own,
        shortage_mwh=slack[0] * step_h,
        surplus_mwh=slack[1] * step_h,
        rounds=0,
        primal_residual_mw=float(np.linalg.norm(missed)),
        dual_residual_mw=0.0,
        converged=optimum.status == "optimal",
        method="central",
        history=Rounds.none(),
        lower_bound=float(optimum.dual + joint.program.constant) * base.money,
        upper_bound=float(own.sum()) + slack_cost(coupling, step_h, total),
    )
