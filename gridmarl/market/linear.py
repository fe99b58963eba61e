"""Linear programmes, each solved anew by HiGHS (Huangfu & Hall 2018), so that equal programmes have equal answers."""

from __future__ import annotations

from typing import Final

import numpy as np
from highspy import Highs, HighsLp, HighsModelStatus, MatrixFormat

from gridmarl.errors import SolverError
from gridmarl.units import Float

OPTIONS: Final = {  # no number of threads: the process has one for all its solvers, who may have chosen another
    "output_flag": False,
    "presolve": "off",  # it takes longer than a market of some dozen orders
    "primal_feasibility_tolerance": 1e-10,
    "dual_feasibility_tolerance": 1e-9,
}


class LinearProgram:
    """``row_low <= rows x <= row_high, low <= x <= high``; several costs may be minimised over it.

    Parameters
    ----------
    rows : (row, column)
    row_low, row_high : (row,)
        Infinite where there is no bound.
    low, high : (column,)
    """

    def __init__(self, rows: Float, row_low: Float, row_high: Float, low: Float, high: Float) -> None:
        self._solver = Highs()
        for name, value in OPTIONS.items():
            self._solver.setOptionValue(name, value)
        at, column = np.nonzero(rows)
        model = HighsLp()
        model.num_row_, model.num_col_ = rows.shape
        model.row_lower_, model.row_upper_, model.col_lower_, model.col_upper_ = row_low, row_high, low, high
        model.col_cost_ = np.zeros(rows.shape[1])
        model.a_matrix_.format_ = MatrixFormat.kRowwise
        model.a_matrix_.start_ = np.searchsorted(at, np.arange(len(rows) + 1)).astype(np.int32)
        model.a_matrix_.index_, model.a_matrix_.value_ = column.astype(np.int32), rows[at, column]
        self._solver.passModel(model)
        self._columns = np.arange(rows.shape[1], dtype=np.int32)

    def minimise(self, cost: Float) -> Float:
        """A point at which ``cost x`` is least, (column,).

        Raises
        ------
        SolverError
            Where HiGHS has no answer.
        """
        self._solver.changeColsCost(len(self._columns), self._columns, cost)
        self._solver.run()
        status = self._solver.getModelStatus()
        if status != HighsModelStatus.kOptimal:
            said = self._solver.modelStatusToString(status)
            raise SolverError("joint clearing", said, "an optimum", "bring quantities and prices near 1")
        return np.array(self._solver.getSolution().col_value, dtype=np.float64)

    def fix(self, column: int, value: float) -> None:
        """Let a column have this value only."""
        self._solver.changeColBounds(column, value, value)
