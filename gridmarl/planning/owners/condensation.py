"""An owner's problem seen from its connection: how its injection answers the price while its active limits stay active.

On the null space Z of the active constraints, with H the Hessian and g the gradient of f at a solution y, X picking
the net injections and ν the price in dollars a MW, the solution near y is ``y + Z (Z'HZ)^-1 Z'(X'ν - g)``. Seen from
outside it is ``x(ν) = p + S ν`` (Engelmann, Jiang, Mühlpfordt, Houska & Faulwasser 2019; Engelmann, Jiang, Houska &
Faulwasser 2020: the Schur complement), and this is all an owner hands out:

``p = x - X Z (Z'HZ)^-1 Z'g``  and  ``S = X Z (Z'HZ)^-1 Z'X'``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, cast

import numpy as np
import scipy.linalg

from gridmarl.planning.model.sparse import Sparse
from gridmarl.planning.programs.local import LocalProblem, QuadraticProgram
from gridmarl.planning.programs.qp import Answer
from gridmarl.units import Bool, Float

RANK: Final = 1e-10
"""Constraints closer than this to depending on others (numbers are near 1) add nothing."""
RIDGE: Final = 1e-6
"""Curvature, in scaled units, of directions in which the owner's cost is linear: there the price alone decides."""
DUST: Final = 1e-9
"""A limit missed by less, in scaled units, is met."""
POLISHED: Final = 1e-4
"""A solution that its own active set would move further than this was not a solution of that active set."""

dense: Any = scipy.linalg  # ships no annotations


@dataclass(frozen=True, slots=True, eq=False)
class Condensed:
    """All that leaves an owner in a step: the answer to the price ν is ``offer + slope ν``."""

    offer_mw: Float  # (K,)
    slope: Float  # (K, K) MW²/$, symmetric, not negative


@dataclass(frozen=True, slots=True, eq=False)
class ActiveFace:
    """The owner's side of a condensation: where it stands and how it may move."""

    problem: LocalProblem
    y: Float  # (n,) scaled
    basis: Float  # (n, m): Z
    unlock: Float  # (m, n): (Z'HZ)^-1 Z'

    def condensed(self) -> Condensed:
        """The face seen from outside."""
        problem, base = self.problem, self.problem.base
        reach = self.basis[problem.net] @ self.unlock
        program = problem.program
        gradient = program.quadratic * self.y + program.linear
        offer = self.y[problem.net] - reach @ gradient
        slope = reach[:, problem.net] * base.power_mw**2 / base.money
        return Condensed(offer * base.power_mw, (slope + slope.T) / 2)

    def at(self, price: Float) -> Float:
        """The solution (n,) at the price ν (K,) in dollars a MW, if the face's limits stay active."""
        program, base = self.problem.program, self.problem.base
        pull = -(program.quadratic * self.y + program.linear)
        pull[self.problem.net] += price * base.power_mw / base.money
        return self.y + self.basis @ (self.unlock @ pull)


def condense(problem: LocalProblem, answer: Answer, aim_mw: Float, rho: float) -> ActiveFace:
    """Find the active face of a solved local problem and how the owner moves on it.

    Parameters
    ----------
    problem : LocalProblem
        The owner's problem.
    answer : Answer
        Solution of ``min f(x) + rho/2 Σ_k Δ_k (x_k - aim_k)²``.
    aim_mw : array (K,)
        What it was drawn to.
    rho : float
        How strongly, $/(MW² h).

    Returns
    -------
    ActiveFace
        Standing on the solution, whose last digits are recomputed from the active set where that agrees with it.
    """
    program = problem.program
    y, fixed, pressed = _active(program, answer)
    free = np.flatnonzero(~fixed)
    rows, missing = _rows(program, free, pressed, y)
    basis, mend = _null_space(rows)
    lifted = np.zeros((len(y), basis.shape[1]))
    lifted[free] = basis
    exact = y.copy()
    exact[free] += mend(missing)
    exact = _polished(problem, exact, lifted, aim_mw, rho)
    agrees = np.abs(exact - answer.y).max() <= POLISHED and violation(program, exact) <= DUST
    return ActiveFace(problem, exact if agrees else answer.y, lifted, _unlock(program.quadratic + RIDGE, lifted))


def violation(program: QuadraticProgram, y: Float) -> float:
    """Largest amount by which y misses a limit or an equation, in scaled units."""
    worst = [np.abs(program.equality @ y - program.equality_rhs), program.inequality @ y - program.inequality_rhs]
    return float(max(part.max(initial=0.0) for part in (*worst, program.lower - y, y - program.upper)))


def _active(program: QuadraticProgram, answer: Answer) -> tuple[Float, Bool, Bool]:
    """The solution on its active bounds, which variables those fix, and which rows are active."""
    y, pressure = answer.y.copy(), answer.pressure
    shut = program.upper - program.lower <= DUST
    low = shut | (pressure.lower > y - program.lower)
    high = ~low & (pressure.upper > program.upper - y)
    y[low], y[high] = program.lower[low], program.upper[high]
    return y, low | high, pressure.rows > program.inequality_rhs - program.inequality @ answer.y


def _rows(program: QuadraticProgram, free: Any, pressed: Bool, y: Float) -> tuple[Float, Float]:
    """Active constraints of the free variables (r, free), and what y misses of them (r,)."""
    equality, inequality = _array(program.equality), _array(program.inequality)[pressed]
    matrix = np.concatenate([equality, inequality])
    right = np.concatenate([program.equality_rhs, program.inequality_rhs[pressed]])
    return matrix[:, free], right - matrix @ y


def _null_space(rows: Float) -> tuple[Float, Any]:
    """Orthonormal basis (free, m) of what the rows leave open, and the smallest step that mends what they miss."""
    q, r, order = dense.qr(rows.T, pivoting=True)
    diagonal = np.abs(np.diag(r))
    rank = int((diagonal > RANK * max(diagonal.max(initial=0.0), 1.0)).sum())

    def mend(missing: Float) -> Float:
        needed = dense.solve_triangular(r[:rank, :rank], missing[order[:rank]], trans="T")
        return cast(Float, q[:, :rank] @ needed)

    return cast(Float, q[:, rank:]), mend


def _polished(problem: LocalProblem, y: Float, basis: Float, aim_mw: Float, rho: float) -> Float:
    """The minimiser on the face of the local problem with its proximal term."""
    program, base, net = problem.program, problem.base, problem.net
    proximal = np.zeros(len(y))
    proximal[net] = rho * problem.step_h * base.power_mw**2 / base.money
    gradient = program.quadratic * y + program.linear
    gradient[net] += proximal[net] * (y[net] - aim_mw / base.power_mw)
    return y - basis @ (_unlock(program.quadratic + proximal + RIDGE, basis) @ gradient)


def _unlock(curvature: Float, basis: Float) -> Float:
    """``(Z'HZ)^-1 Z'`` (m, n)."""
    if not basis.shape[1]:
        return basis.T
    return cast(Float, dense.cho_solve(dense.cho_factor(basis.T @ (curvature[:, None] * basis)), basis.T))


def _array(matrix: Sparse) -> Float:
    found: Any = matrix
    return cast(Float, found.toarray())
