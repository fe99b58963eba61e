"""A linear program handed to HiGHS once (Huangfu & Hall 2018), then solved again with other costs or more columns.

The last basis stays a feasible one when costs change or columns come, so the primal simplex method goes on from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import highspy
import numpy as np
from scipy.sparse import csc_matrix, vstack

from gridmarl.planning.model.sparse import Sparse
from gridmarl.planning.programs.local import QuadraticProgram
from gridmarl.units import Float

PRIMAL_SIMPLEX: Final = 4
OPTIONS: Final = {  # no number of threads: the process has one for all its solvers
    "output_flag": False,
    "presolve": "off",  # it would forget the last basis
    "simplex_strategy": PRIMAL_SIMPLEX,
    "primal_feasibility_tolerance": 1e-10,
    "dual_feasibility_tolerance": 1e-10,
}


@dataclass(frozen=True, slots=True, eq=False)
class LinearAnswer:
    """What came back: ``y``, ``dual`` are the optimum's where ``status`` is ``Optimal``."""

    status: str
    y: Float  # (n,)
    dual: Float  # (m,) change of the least cost for a unit more of a row's bound

    @property
    def solved(self) -> bool:
        """Whether it is an optimum."""
        return self.status == "Optimal"

    @property
    def infeasible(self) -> bool:
        """Whether no point satisfies the rows and bounds."""
        return self.status == "Infeasible"


class LinearProgram:
    """``min cost'y`` over ``row_lower <= rows y <= row_upper``, ``lower <= y <= upper``.

    Parameters
    ----------
    rows : Sparse (m, n)
    row_lower, row_upper : array (m,)
        Infinite where there is no bound.
    cost, lower, upper : array (n,)
    """

    def __init__(self, rows: Sparse, row_lower: Float, row_upper: Float, cost: Float, lower: Float, upper: Float):
        self._model: Any = _pass(rows, row_lower, row_upper, cost, lower, upper)

    @classmethod
    def of(cls, program: QuadraticProgram) -> LinearProgram:
        """A local program whose quadratic part is zero."""
        rows: Any = vstack([program.equality, program.inequality], format="csc")
        free = np.full(len(program.inequality_rhs), -np.inf)
        return cls(
            rows,
            np.concatenate([program.equality_rhs, free]),
            np.concatenate([program.equality_rhs, program.inequality_rhs]),
            program.linear,
            program.lower,
            program.upper,
        )

    def set_cost(self, cost: Float) -> None:
        """Change all costs (n,)."""
        self._model.changeColsCost(len(cost), np.arange(len(cost), dtype=np.int32), cost)

    def add_columns(self, cost: Float, entries: Sparse) -> None:
        """Add variables of at least 0, with these costs (c,) and entries (m, c)."""
        count = len(cost)
        self._model.addCols(
            count,
            cost,
            np.zeros(count),
            np.full(count, np.inf),
            len(entries.data),
            entries.indptr[:-1].astype(np.int32),
            entries.indices.astype(np.int32),
            entries.data,
        )

    def solve(self) -> LinearAnswer:
        """Solve from the last basis, and afresh where that fails."""
        answer = self._run()
        if answer.solved or answer.infeasible:
            return answer
        self._model.clearSolver()
        return self._run()

    def _run(self) -> LinearAnswer:
        model = self._model
        model.run()
        solution = model.getSolution()
        return LinearAnswer(
            status=str(model.modelStatusToString(model.getModelStatus())),
            y=np.array(solution.col_value, dtype=np.float64),
            dual=np.array(solution.row_dual, dtype=np.float64),
        )


def _pass(rows: Sparse, row_lower: Float, row_upper: Float, cost: Float, lower: Float, upper: Float) -> Any:
    """A HiGHS instance, which ships no types, with this model."""
    columns: Any = csc_matrix(rows)
    solver: Any = highspy.Highs()
    for name, value in OPTIONS.items():
        solver.setOptionValue(name, value)
    model: Any = highspy.HighsLp()
    model.num_row_, model.num_col_ = columns.shape
    model.row_lower_, model.row_upper_ = row_lower, row_upper
    model.col_cost_, model.col_lower_, model.col_upper_ = cost, lower, upper
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    model.a_matrix_.start_ = columns.indptr.astype(np.int32)
    model.a_matrix_.index_, model.a_matrix_.value_ = columns.indices.astype(np.int32), columns.data
    solver.passModel(model)
    return solver
