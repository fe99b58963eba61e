"""The stacked problem written as a convex program in CVXPY, compiled once and refilled for every solve.

Vectors that a re-plan changes are parameters; owners with β > 0 add one matrix of prices. Clarabel takes quadratic
programs, HiGHS linear ones.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Final, cast

import cvxpy as cp
import numpy as np

from gridmarl.planning.central.joint import Joint
from gridmarl.units import Float

Options = dict[str, str | float]

TIGHT: Final = {"tol_gap_abs": 1e-9, "tol_gap_rel": 1e-9, "tol_feas": 1e-9}
ACCEPTABLE: Final = {"reduced_tol_gap_abs": 1e-7, "reduced_tol_gap_rel": 1e-7, "reduced_tol_feas": 1e-7}
"""What Clarabel must reach to call an answer almost solved; the scaled problem's numbers are near 1."""
CLARABEL: Final[Options] = {"solver": cp.CLARABEL, **TIGHT, **ACCEPTABLE}
PIQP: Final[Options] = {"solver": cp.PIQP}
HIGHS: Final[Options] = {"solver": cp.HIGHS}
COMPILE_LIMIT: Final = 12_000_000
"""CVXPY 1.9 compiles a parametrised quadratic objective through a dense array of variables x parameters. Above this
many entries each solve compiles the numbers in as constants instead: a few ms slower, and never out of memory."""
ANSWERS: Final = (cp.OPTIMAL, cp.OPTIMAL_INACCURATE, cp.INFEASIBLE, cp.UNBOUNDED, "infeasible_or_unbounded")

Expression = Any
"""CVXPY's operators are not annotated; nothing of this type leaves the file."""


@dataclass(frozen=True, slots=True, eq=False)
class CouplingNumbers:
    """The coupling's R K rows in scaled units, each (2, R K): lower and upper bound, price of shortage and surplus."""

    bound: Float
    slack_cost: Float


@dataclass(frozen=True, slots=True, eq=False)
class RiskNumbers:
    """CVaR of the r owners with β > 0, in scaled units."""

    beta: Float  # (r,)
    price: Float  # (K, S) revenue of a unit of power
    weight: Float  # (r, S) β π / (1 - α)


@dataclass(frozen=True, slots=True, eq=False)
class Optimum:
    """Scaled solution; ``status`` is CVXPY's."""

    status: str
    y: Float  # (n,)
    multiplier: Float  # (R K,) money for a unit of power
    slack: Float  # (2, R K) shortage, surplus
    dual: float = -np.inf  # money, without the constant: the dual objective, to the solver's accuracy


class Program:
    """The convex program of one structure."""

    def __init__(self, joint: Joint, scenarios: int) -> None:
        own, coupled = joint.program, joint.total.shape[0]
        self._low, self._high = np.isfinite(own.lower), np.isfinite(own.upper)
        self._y: Expression = cp.Variable(len(own.linear))
        self._slack: Expression = cp.Variable((2, coupled), nonneg=True)
        self._linear, self._equality_rhs = cp.Parameter(len(own.linear)), cp.Parameter(len(own.equality_rhs))
        self._inequality_rhs = cp.Parameter(len(own.inequality_rhs))
        self._lower, self._upper = cp.Parameter(int(self._low.sum())), cp.Parameter(int(self._high.sum()))
        self._bound = cp.Parameter((2, coupled))
        self._slack_cost = cp.Parameter((2, coupled), nonneg=True)
        total: Expression = joint.total @ self._y
        self._short: Expression = self._slack[0] >= self._bound[0] - total
        self._over: Expression = self._slack[1] >= total - self._bound[1]
        cost, rows = self._risk(joint, scenarios)
        cost += self._linear @ self._y + cp.sum(cp.multiply(self._slack_cost, self._slack)) + self._curvature(joint)
        rows += [*self._own_rows(joint), self._short, self._over]
        self._problem: Expression = cp.Problem(cp.Minimize(cost), rows)
        self._quadratic = bool(np.any(own.quadratic))
        parameters = sum(cast(int, parameter.size) for parameter in self._problem.parameters())
        self._constants = self._quadratic and len(own.linear) * parameters > COMPILE_LIMIT

    def solve(self, joint: Joint, coupling: CouplingNumbers, risk: RiskNumbers) -> Optimum:
        """Fill in the numbers of a joint problem of the same structure and solve it."""
        own = joint.program
        self._linear.value, self._equality_rhs.value = own.linear, own.equality_rhs
        self._inequality_rhs.value = own.inequality_rhs
        self._lower.value, self._upper.value = own.lower[self._low], own.upper[self._high]
        self._bound.value, self._slack_cost.value = coupling.bound, coupling.slack_cost
        if len(risk.beta):
            self._beta.value, self._price.value, self._weight.value = risk.beta, risk.price, risk.weight
        status = self._run()
        if status not in (cp.OPTIMAL, cp.OPTIMAL_INACCURATE):
            none = np.zeros(0)
            return Optimum(status, none, none, none)
        multiplier = np.asarray(self._short.dual_value) - np.asarray(self._over.dual_value)
        return Optimum(status, np.asarray(self._y.value), multiplier, np.asarray(self._slack.value), self._dual())

    def _dual(self) -> float:
        """The Lagrangian at primal and dual solution: the dual objective, where the gradient vanishes as it should."""
        pairs = [(row.dual_value, row.expr.value) for row in self._problem.constraints]
        if any(dual is None for dual, _ in pairs):
            return -np.inf
        return float(self._problem.value) + sum(float(np.sum(dual * missed)) for dual, missed in pairs)

    def _run(self) -> str:
        """Solve, with a second solver where the first gives up."""
        first, second = (CLARABEL, PIQP) if self._quadratic else (HIGHS, CLARABEL)
        status = self._attempt(first)
        return status if status in ANSWERS else self._attempt(second)

    def _attempt(self, options: Options) -> str:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Solution may be inaccurate")  # the status says it too
            try:
                # HiGHS's warm start from another plan's basis is slower and sometimes fails outright.
                self._problem.solve(**options, ignore_dpp=self._constants, warm_start=False)
            except cp.SolverError:
                return cp.SOLVER_ERROR
        return str(self._problem.status)

    def _curvature(self, joint: Joint) -> Expression:
        curved = np.flatnonzero(joint.program.quadratic)
        if not len(curved):
            return 0.0
        return 0.5 * cp.sum_squares(cp.multiply(np.sqrt(joint.program.quadratic[curved]), self._y[curved]))

    def _own_rows(self, joint: Joint) -> list[Expression]:
        own, y = joint.program, self._y
        rows: list[Expression] = [own.equality @ y == self._equality_rhs]
        rows += [y[np.flatnonzero(self._low)] >= self._lower, y[np.flatnonzero(self._high)] <= self._upper]
        return [*rows, own.inequality @ y <= self._inequality_rhs] if len(own.inequality_rhs) else rows

    def _risk(self, joint: Joint, scenarios: int) -> tuple[Expression, list[Expression]]:
        """``-Σ β CVaR`` through η and shortfalls w (Rockafellar & Uryasev 2000), for owners with β > 0 only."""
        steps = joint.steps
        owners = joint.averse.shape[0] // steps
        if not owners:
            return 0.0, []
        self._beta, self._price = cp.Parameter(owners), cp.Parameter((steps, scenarios))
        self._weight = cp.Parameter((owners, scenarios), nonneg=True)
        eta, shortfall = cp.Variable((owners, 1)), cp.Variable((owners, scenarios), nonneg=True)
        net: Expression = cp.reshape(joint.averse @ self._y, (owners, steps), order="C")
        rows: list[Expression] = [shortfall >= eta @ np.ones((1, scenarios)) - net @ self._price]
        return cp.sum(cp.multiply(self._weight, shortfall)) - self._beta @ eta[:, 0], rows
