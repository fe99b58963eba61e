"""The central quadratic program handed to Clarabel as matrices.

What CVXPY's compilation of a program costs is more than its solution: a planner whose horizon shrinks with the episode
would compile at every step. `program` remains for linear programs, and where Clarabel stops early.
"""

from __future__ import annotations

from typing import Any, Final

import cvxpy as cp
import numpy as np
from scipy.sparse import csc_matrix, csr_matrix, eye_array, vstack

from gridmarl.planning.central.joint import Joint
from gridmarl.planning.central.program import CLARABEL, CouplingNumbers, Optimum, RiskNumbers
from gridmarl.planning.central.stacked import costs, coupling_rows, own_rows, risk_rows, wide
from gridmarl.planning.programs.qp import by_clarabel
from gridmarl.units import Float

STATUS: Final = {
    "Solved": cp.OPTIMAL,
    "AlmostSolved": cp.OPTIMAL_INACCURATE,
    "PrimalInfeasible": cp.INFEASIBLE,
    "DualInfeasible": cp.UNBOUNDED,
}
"""Clarabel's word -> CVXPY's, of those that are answers."""


def solve_directly(joint: Joint, coupling: CouplingNumbers, risk: RiskNumbers) -> Optimum | None:
    """Solve; None where Clarabel stopped without an answer."""
    own, coupled, cost = joint.program, joint.total.shape[0], costs(joint, coupling, risk)
    widths = [len(part) for part in cost]
    blocks = [own_rows(joint), coupling_rows(joint, coupling), risk_rows(joint, risk)]
    matrix = vstack([wide(parts, widths) for parts, low, _ in blocks if len(low)], format="csr")
    low = [low for _, low, _ in blocks] + [own.lower, np.zeros(2 * coupled)]
    high = [high for _, _, high in blocks] + [own.upper, np.full(2 * coupled, np.inf)]
    low += [np.full(widths[2], -np.inf), np.zeros(widths[3])]
    high.append(np.full(widths[2] + widths[3], np.inf))
    rows = csr_matrix(vstack([matrix, eye_array(sum(widths), format="csr")], format="csr"))
    curved = np.concatenate([own.quadratic, np.zeros(sum(widths[1:]))])
    solution, dual = _solve(curved, np.concatenate(cost), rows, np.concatenate(low), np.concatenate(high))
    status = STATUS.get(str(solution.status))
    if status is None:
        return None
    if status not in (cp.OPTIMAL, cp.OPTIMAL_INACCURATE):
        none = np.zeros(0)
        return Optimum(status, none, none, none)
    y, start = np.array(solution.x), len(own.equality_rhs) + len(own.inequality_rhs)
    short, over = dual[start : start + coupled], dual[start + coupled : start + 2 * coupled]
    slack = y[widths[0] : widths[0] + 2 * coupled].reshape(2, coupled)
    return Optimum(status, y[: widths[0]], short + over, slack, float(solution.obj_val_dual))


def _solve(curved: Float, linear: Float, rows: Any, low: Float, high: Float) -> tuple[Any, Float]:
    """Clarabel's solution of ``min 1/2 y'Py + q'y`` with ``low <= rows y <= high``, and a multiplier for each row."""
    equal = low == high
    above, below = np.isfinite(high) & ~equal, np.isfinite(low) & ~equal
    matrix = csc_matrix(vstack([rows[equal], rows[above], -rows[below]], format="csc"))
    right = np.concatenate([low[equal], high[above], -low[below]])
    options = {name: value for name, value in CLARABEL.items() if name != "solver"}  # CVXPY's word
    solution = by_clarabel(curved, linear, matrix, right, int(equal.sum()), options)
    of_equal, of_above, of_below = np.split(np.array(solution.z), np.cumsum([equal.sum(), above.sum()]))
    dual = np.zeros(len(low))
    dual[equal], dual[above] = -of_equal, -of_above
    dual[below] += of_below
    return solution, dual
