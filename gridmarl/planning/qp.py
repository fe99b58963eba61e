"""A local quadratic program handed to PIQP once, then solved again and again with another linear term.

PIQP is an interior-point method with proximal regularisation (Schwan, Jiang, Kuhn & Jones 2023): fixed variables, as
solar output at night, and rank-deficient rows do not disturb it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, cast

import numpy as np
import piqp
from scipy.sparse import csc_matrix

from gridmarl.planning.local import QuadraticProgram
from gridmarl.planning.sparse import Sparse, diagonal
from gridmarl.units import Float

USABLE: Final = 1e-6
"""Largest residual (numbers are near 1) of an unfinished solve that is still worth marking instead of refusing."""


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What came back: ``y`` is usable where ``solved`` or ``usable``."""

    y: Float
    solved: bool
    usable: bool
    infeasible: bool
    status: str


class QuadraticSolver:
    """One program's place in PIQP; its matrices and ordering are set up once.

    Parameters
    ----------
    program : QuadraticProgram
        The program, in scaled units.
    extra : array (n,)
        Added to the diagonal of P, as a proximal term is.
    """

    def __init__(self, program: QuadraticProgram, extra: Float) -> None:
        self._program = program
        self._solver = piqp.SparseSolver()
        self._solver.settings.eps_abs = 1e-9
        # PIQP 0.6 rescales the already scaled matrices at every update: after some hundred updates solves stall.
        self._solver.settings.preconditioner_reuse_on_update = True
        self._solver.setup(
            self._curved(extra),
            program.linear,
            _matrix(program.equality),
            program.equality_rhs,
            _matrix(program.inequality),
            None,
            program.inequality_rhs,
            program.lower,
            program.upper,
        )

    def renew(self, program: QuadraticProgram, extra: Float) -> None:
        """Take other numbers in a program of the same matrices (CVaR rows may hold other prices)."""
        before, self._program = self._program, program
        self._solver.update(
            P=self._curved(extra),
            b=program.equality_rhs,
            G=_matrix(program.inequality) if program.inequality is not before.inequality else None,
            h_u=program.inequality_rhs,
            x_l=program.lower,
            x_u=program.upper,
        )

    def set_extra(self, extra: Float) -> None:
        """Change what is added to the diagonal of P."""
        self._solver.update(P=self._curved(extra))

    def solve(self, linear: Float) -> Answer:
        """Solve with this linear term (n,)."""
        self._solver.update(c=linear)
        status, result = self._solver.solve(), self._solver.result
        y = np.array(result.x)
        residual = max(result.info.primal_res, result.info.dual_res)
        return Answer(
            y=y,
            solved=status == piqp.PIQP_SOLVED,
            usable=bool(np.all(np.isfinite(y)) and residual < USABLE),
            infeasible=status == piqp.PIQP_PRIMAL_INFEASIBLE,
            status=str(status).rpartition(".")[2],
        )

    def _curved(self, extra: Float) -> csc_matrix:
        return _matrix(diagonal(self._program.quadratic + extra))


def _matrix(matrix: Sparse) -> csc_matrix:
    return cast(csc_matrix, matrix)
