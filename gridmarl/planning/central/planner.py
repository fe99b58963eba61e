"""All owners' problems solved as one, by a planner that may see everything."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

import numpy as np

from gridmarl.errors import ScenarioError, SolverError
from gridmarl.planning.central.direct import solve_directly
from gridmarl.planning.central.exclusive import best_modes, pairs_of, with_modes
from gridmarl.planning.central.joint import Joint, join
from gridmarl.planning.central.program import CouplingNumbers, Optimum, Program, RiskNumbers
from gridmarl.planning.model.assets import Coupling
from gridmarl.planning.model.gap import slack_cost, slack_mw
from gridmarl.planning.model.groups import by_class, classes, rows_of, totals
from gridmarl.planning.model.plan import Plan, Rounds, coupled
from gridmarl.planning.model.problem import Problem
from gridmarl.planning.model.risk import Prices, cvar, revenue, warn_of_thin_tail
from gridmarl.planning.programs.feasible import infeasible_error
from gridmarl.planning.programs.local import local_problem, steady_base

logger = logging.getLogger(__name__)

Solve = Callable[[Joint, CouplingNumbers, RiskNumbers], Optimum]

UNBOUNDED: Final = 1e4
"""An infinite bound of the coupling stands at this many units of power."""


class CentralPlanner:
    """Solves one stacked problem after another, compiling only when the structure changes.

    Parameters
    ----------
    exclusive : bool
        Whether a battery may never charge and discharge at once: then a mixed-integer program decides where the convex
        plan would (`exclusive`), for linear costs only.
    """

    def __init__(self, exclusive: bool = False) -> None:
        self._exclusive = exclusive
        self._joint: Joint | None = None
        self._program: Program | None = None
        self._structure: tuple[object, ...] = ()

    def solve(self, problem: Problem, *, elapsed_h: float = 0.0) -> Plan:
        """Plan for all owners at once; ``elapsed_h`` is ignored, as every plan is solved afresh.

        Returns
        -------
        Plan
            With ``method`` ``central``; ``converged`` is False where the solver was less accurate than asked.
            ``lower_bound`` is the solver's dual objective and as accurate as the solver; `certify` proves one.

        Raises
        ------
        ScenarioError
            For shapes that do not fit or a CVaR of less than two scenarios; for quadratic costs where a battery
            would charge and discharge at once and may not.
        InfeasiblePlanError
            Where an asset cannot obey its limits, by name.
        SolverError
            Where the solver stopped without an answer.
        """
        problem = problem.checked()
        joint = self._stack(problem)
        bounds, risk = _coupling_numbers(joint, problem.coupling), _risk_numbers(joint, problem.prices)
        optimum = self._optimum(joint, bounds, risk)
        proved = float(optimum.dual + joint.program.constant) * joint.problems[0].base.money
        if self._exclusive and len(optimum.y):
            optimum, proved = _without_overlap(self._optimum, joint, bounds, risk, optimum, proved)
        if not len(optimum.y):
            raise infeasible_error(problem.owners, problem.step_h, problem.terminal) or SolverError(
                "central plan", optimum.status, "optimal", "look for limits or costs of very different size"
            )
        if optimum.status != "optimal":
            logger.warning("central plan is less accurate than asked: the solver says %s", optimum.status)
        return _plan(joint, problem.coupling, problem.prices, optimum, proved)

    def _stack(self, problem: Problem) -> Joint:
        owners, step_h, coupling, prices, terminal = problem
        old, of = self._joint, classes(coupling, [owner.name for owner in owners])
        base = steady_base(owners, prices, old.problems[0].base if old else None)
        known = {own.owner.name: own for own in old.problems} if old else {}
        problems = [
            local_problem(owner, step_h, prices, terminal, base, known.get(owner.name), with_cvar=False)
            for owner in owners
        ]
        joint = join(problems, of, len(coupling.groups), old)
        if old is None or old.key != joint.key:
            warn_of_thin_tail(prices, joint.averse.shape[0] // joint.steps)
        self._joint = joint
        return joint

    def _optimum(self, joint: Joint, coupling: CouplingNumbers, risk: RiskNumbers) -> Optimum:
        """The optimum: of a quadratic program without a compilation, where that gives an answer."""
        curved = np.any(joint.program.quadratic)
        found = solve_directly(joint, coupling, risk) if curved else None
        return found or self._compiled(joint, risk.price.shape[1]).solve(joint, coupling, risk)

    def _compiled(self, joint: Joint, scenarios: int) -> Program:
        structure = (scenarios, *joint.key)
        if self._program is None or self._structure != structure:
            self._program, self._structure = Program(joint, scenarios), structure
        return self._program


def _without_overlap(
    solve: Solve, joint: Joint, coupling: CouplingNumbers, risk: RiskNumbers, optimum: Optimum, proved: float
) -> tuple[Optimum, float]:
    """The optimum with exclusive modes where it overlaps, and a bound in dollars (the convex one's if none do)."""
    pairs, base = pairs_of(joint), joint.problems[0].base
    chosen = np.zeros(len(pairs.charge), np.bool_)
    while len(optimum.y) and np.any(overlapping := pairs.overlapping(optimum.y)):
        if np.any(joint.program.quadratic):
            most = float(np.minimum(optimum.y[pairs.charge], optimum.y[pairs.discharge]).max()) * base.power_mw
            raise ScenarioError(
                "exclusive",
                f"{most:.3g} MW charged and discharged at once",
                "none, where costs are quadratic",
                "drop the quadratic costs, or plan without exclusive and read overlap_mwh",
            )
        chosen |= overlapping
        modes = best_modes(joint, coupling, risk, pairs.among(chosen))
        proved = (modes.bound + joint.program.constant) * base.money
        optimum = solve(with_modes(joint, pairs.among(chosen), modes.charging), coupling, risk)
    return optimum, proved


def _coupling_numbers(joint: Joint, coupling: Coupling) -> CouplingNumbers:
    step_h, base = joint.problems[0].step_h, joint.problems[0].base
    rows = rows_of(coupling, len(step_h))
    bound = np.stack([rows.lower_mw.ravel(), rows.upper_mw.ravel()])
    cost = np.stack([(price * step_h).ravel() for price in (rows.shortage_per_mwh, rows.surplus_per_mwh)])
    return CouplingNumbers(np.clip(bound / base.power_mw, -UNBOUNDED, UNBOUNDED), cost / base.price_per_mwh)


def _risk_numbers(joint: Joint, prices: Prices) -> RiskNumbers:
    step_h, base = joint.problems[0].step_h, joint.problems[0].base
    beta = np.array([problem.owner.beta for problem in joint.problems if problem.owner.beta > 0])
    weight = beta[:, None] * prices.probability / (1 - prices.alpha)
    return RiskNumbers(beta, (prices.per_mwh * step_h).T / base.price_per_mwh, weight)


def _plan(joint: Joint, coupling: Coupling, prices: Prices, optimum: Optimum, lower_bound: float) -> Plan:
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
    slack = np.maximum(optimum.slack.reshape(2, -1, len(step_h)) * base.power_mw, 0.0)
    total = totals(by_class(injection, joint.of, 1 + joint.groups))
    short, over = slack_mw(coupling, total)
    missed = np.maximum(short - slack[0], 0.0) + np.maximum(over - slack[1], 0.0)
    rows = rows_of(coupling, len(step_h))
    penalty = step_h * (rows.shortage_per_mwh * slack[0] + rows.surplus_per_mwh * slack[1])
    multiplier = optimum.multiplier.reshape(-1, len(step_h)) * base.price_per_mwh / step_h
    return Plan(
        owners=tuple(problem.owner.name for problem in problems),
        step_h=step_h,
        injection_mw=injection,
        assets=tuple(problem.read(y) for problem, y in zip(problems, parts, strict=True)),
        objective=float(own.sum() + penalty.sum()),
        owner_objective=own,
        rounds=0,
        primal_residual_mw=float(np.linalg.norm(missed)),
        dual_residual_mw=0.0,
        converged=optimum.status == "optimal",
        method="central",
        history=Rounds.none(),
        lower_bound=lower_bound,
        upper_bound=float(own.sum()) + slack_cost(coupling, step_h, total),
        **coupled(coupling, prices, multiplier, *(slack * step_h)),
    )
