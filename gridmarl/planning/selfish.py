"""Every owner alone against the price forecast: no coupling, no messages."""

from __future__ import annotations

import numpy as np

from gridmarl.errors import SolverError
from gridmarl.planning.model.assets import Owner, Terminal
from gridmarl.planning.model.gap import slack_mw
from gridmarl.planning.model.groups import by_class, classes, totals
from gridmarl.planning.model.plan import Plan, Rounds, coupled
from gridmarl.planning.model.problem import Problem
from gridmarl.planning.model.risk import Prices
from gridmarl.planning.programs.feasible import infeasible_error
from gridmarl.planning.programs.local import LocalProblem, local_problem, steady_base
from gridmarl.planning.programs.qp import Answer, QuadraticSolver, solve_afresh
from gridmarl.units import Float


class SelfishPlanner:
    """Solves each owner's own problem at the expected price; what the others do is not its concern."""

    def __init__(self) -> None:
        self._known: dict[str, LocalProblem] = {}

    def solve(self, problem: Problem, *, elapsed_h: float = 0.0) -> Plan:
        """Plan each owner alone: ``elapsed_h`` is ignored, and the coupling only measures what came of it.

        Returns
        -------
        Plan
            With ``method`` ``selfish``. Its primal residual is by how much the coupling's bounds are missed; the
            ``objective`` is the owners' alone, as none of them pays for that.

        Raises
        ------
        ScenarioError
            For shapes that do not fit or a CVaR of less than two scenarios.
        InfeasiblePlanError
            Where an asset cannot obey its limits, by name.
        SolverError
            Where a local solver stopped without a usable answer.
        """
        owners, step_h, coupling, prices, terminal = problem.checked()
        apart = [self._alone(owner, step_h, prices, terminal) for owner in owners]
        solved = [_solve(one, terminal) for one in apart]
        answers = [answer.y for answer in solved]
        objectives = np.array([one.objective(y) for one, y in zip(apart, answers, strict=True)])
        injections = np.stack([one.injection_mw(y) for one, y in zip(apart, answers, strict=True)])
        of = classes(coupling, [owner.name for owner in owners])
        short, over = slack_mw(coupling, totals(by_class(injections, of, 1 + len(coupling.groups))))
        nothing = np.zeros_like(short)  # nobody pays for what the rows of the coupling miss, (1 + G, K)
        return Plan(
            owners=tuple(owner.name for owner in owners),
            step_h=step_h,
            injection_mw=injections,
            assets=tuple(one.read(y) for one, y in zip(apart, answers, strict=True)),
            objective=float(objectives.sum()),
            owner_objective=objectives,
            rounds=0,
            primal_residual_mw=float(np.linalg.norm(short + over)),
            dual_residual_mw=0.0,
            converged=all(answer.solved for answer in solved),
            method="selfish",
            history=Rounds.none(),
            **coupled(coupling, prices, nothing, short * step_h, over * step_h),
        )

    def _alone(self, owner: Owner, step_h: Float, prices: Prices, terminal: Terminal) -> LocalProblem:
        old = self._known.get(owner.name)
        base = steady_base((owner,), prices, old.base if old else None)
        problem = local_problem(owner, step_h, prices, terminal, base, old)
        self._known[owner.name] = problem
        return problem


def _solve(problem: LocalProblem, terminal: Terminal) -> Answer:
    program = problem.program
    answer = QuadraticSolver(program, np.zeros(len(program.linear))).solve(program.linear)
    if not answer.solved and not answer.infeasible:
        answer = solve_afresh(program, np.zeros(len(program.linear)), program.linear)
    if answer.solved or answer.usable:
        return answer
    raise infeasible_error((problem.owner,), problem.step_h, terminal) or SolverError(
        f"plan of {problem.owner.name!r} alone", answer.status, "solved", "check its limits"
    )
