"""A local quadratic program handed to PIQP once, then solved again and again with another linear term.

PIQP is an interior-point method with proximal regularisation (Schwan, Jiang, Kuhn & Jones 2023): fixed variables, as
solar output at night, and rank-deficient rows do not disturb it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import clarabel
import numpy as np
import piqp
from scipy.sparse import csc_matrix, csr_matrix, diags_array, eye_array, vstack

from gridmarl.planning.model.sparse import Sparse, diagonal
from gridmarl.planning.programs.local import QuadraticProgram
from gridmarl.units import Bool, Float

USABLE: Final = 1e-6
"""Largest residual (numbers are near 1) of an unfinished solve that is still worth marking instead of refusing."""

NONE_EXISTS: Final = ("PrimalInfeasible", "AlmostPrimalInfeasible")
"""What Clarabel says of a program without a feasible point."""
ITERATIONS: Final = 250
"""PIQP gives up after so many; a solve takes ten to forty."""
AFRESH: Final = {"max_iter": 200}
"""Clarabel's settings."""


@dataclass(frozen=True, slots=True, eq=False)
class Pressure:
    """Multipliers of an answer's inequalities, none negative: an active one has more of it than slack."""

    lower: Float  # (n,) of the lower bounds
    upper: Float  # (n,) of the upper bounds
    rows: Float  # (p,) of the inequality rows


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What came back: ``y`` is usable where ``solved`` or ``usable``."""

    y: Float
    solved: bool
    usable: bool
    infeasible: bool
    status: str
    pressure: Pressure


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
        _tune(self._solver.settings)
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
            pressure=Pressure(np.array(result.z_bl), np.array(result.z_bu), np.array(result.z_u)),
        )

    def _curved(self, extra: Float) -> csc_matrix:
        return _matrix(diagonal(self._program.quadratic + extra))


def solve_afresh(program: QuadraticProgram, extra: Float, linear: Float) -> Answer:
    """Solve with Clarabel, slower and sturdier: for the rare program on which PIQP stops early.

    Parameters
    ----------
    program : QuadraticProgram
    extra : array (n,)
        Added to the diagonal of P.
    linear : array (n,)
        The linear term.
    """
    bounded, capped = np.isfinite(program.lower), np.isfinite(program.upper)
    unit = csr_matrix(eye_array(len(linear)))
    rows = vstack([program.equality, program.inequality, unit[capped], -unit[bounded]], format="csc")
    right = np.concatenate(
        [program.equality_rhs, program.inequality_rhs, program.upper[capped], -program.lower[bounded]]
    )
    equalities = len(program.equality_rhs)
    solution = by_clarabel(program.quadratic + extra, linear, csc_matrix(rows), right, equalities, AFRESH)
    status = str(solution.status)
    y, solved = np.array(solution.x), status == "Solved"
    close = bool(np.all(np.isfinite(y)) and max(solution.r_prim, solution.r_dual) < USABLE)
    return Answer(
        y=y,
        solved=solved,
        usable=solved or status == "AlmostSolved" or (close and status not in NONE_EXISTS),
        infeasible=status in NONE_EXISTS,
        status=status,
        pressure=_pressure(np.array(solution.z), bounded, capped, equalities),
    )


def by_clarabel(
    quadratic: Float, linear: Float, rows: csc_matrix, right: Float, equalities: int, options: Mapping[str, object]
) -> Any:
    """Clarabel's own solution, which has no types, of a program in its standard form.

    ``min 1/2 y' diag(quadratic) y + linear'y`` where the first rows equal their right-hand sides and the others are at
    most theirs.

    Parameters
    ----------
    quadratic, linear : array (n,)
    rows : sparse matrix (m, n)
    right : array (m,)
    equalities : int
        How many rows are equations.
    options : mapping
        Settings of Clarabel by name, beside those that come with it.
    """
    solver: Any = clarabel  # compiled, without types
    settings = solver.DefaultSettings()
    settings.verbose = False
    for name, value in options.items():
        setattr(settings, name, value)
    cones = [solver.ZeroConeT(equalities), solver.NonnegativeConeT(len(right) - equalities)]
    curved = csc_matrix(diags_array(quadratic, format="csc"))
    return solver.DefaultSolver(curved, linear, rows, right, cones, settings).solve()


def _pressure(dual: Float, bounded: Bool, capped: Bool, equalities: int) -> Pressure:
    """Take Clarabel's multipliers apart, in the order in which `solve_afresh` stacks its rows."""
    lower, upper = np.zeros(len(bounded)), np.zeros(len(capped))
    ends = len(dual) - int(bounded.sum()) - int(capped.sum()), len(dual) - int(bounded.sum())
    rows, upper[capped], lower[bounded] = np.split(dual[equalities:], np.subtract(ends, equalities))
    return Pressure(lower, upper, rows)


def _tune(settings: piqp.Settings) -> None:
    """Accuracy for a method that feeds answers back: where costs are flat, an objective within ε leaves √ε in y."""
    settings.max_iter = ITERATIONS
    settings.eps_abs = settings.eps_rel = 1e-10
    settings.eps_duality_gap_abs = settings.eps_duality_gap_rel = 1e-12
    # PIQP 0.6 rescales the already scaled matrices at every update: after some hundred updates solves stall.
    settings.preconditioner_reuse_on_update = True
    # Weaker regularisation than this makes the last digits of programs with CVaR rows unreachable.
    settings.reg_lower_limit, settings.reg_finetune_lower_limit = 1e-8, 1e-10


def _matrix(matrix: Sparse) -> csc_matrix:
    return cast(csc_matrix, matrix)
