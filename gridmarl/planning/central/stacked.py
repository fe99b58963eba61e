"""The central problem as rows of a matrix, for solvers that take matrices.

Variables come in groups, one after the other: the owners' own y, slack, then η and shortfalls w of CVaR (Rockafellar &
Uryasev 2000) for owners with β > 0; `exclusive` adds binaries z.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import block_array, csc_matrix, diags_array, eye_array, kron

from gridmarl.planning.central.joint import Joint
from gridmarl.planning.central.program import CouplingNumbers, RiskNumbers
from gridmarl.units import Float

sparse: Any = csc_matrix  # scipy ships no annotations, or wrong ones

Block = tuple[dict[int, Any], Float, Float]
"""Rows: the parts of their matrix by group of variables (own, slack, η, w, z), their lower and upper ends."""


def own_rows(joint: Joint) -> Block:
    """The owners' own equalities, then their inequalities."""
    own = joint.program
    matrix = block_array([[own.equality], [own.inequality]])
    low = np.concatenate([own.equality_rhs, np.full(len(own.inequality_rhs), -np.inf)])
    return {0: matrix}, low, np.concatenate([own.equality_rhs, own.inequality_rhs])


def coupling_rows(joint: Joint, coupling: CouplingNumbers) -> Block:
    """``total + shortage >= lower`` and ``total - surplus <= upper``."""
    count, free = joint.total.shape[0], np.full(joint.total.shape[0], np.inf)
    matrix = block_array([[joint.total], [joint.total]])
    slack = diags_array(np.repeat([1.0, -1.0], count))
    return (
        {0: matrix, 1: slack},
        np.concatenate([coupling.bound[0], -free]),
        np.concatenate([free, coupling.bound[1]]),
    )


def risk_rows(joint: Joint, risk: RiskNumbers) -> Block:
    """``w_is - η_i + R_is >= 0``."""
    owners, scenarios = risk.weight.shape
    gains = kron(eye_array(owners), csc_matrix(risk.price.T)) @ sparse(joint.averse)
    eta = kron(eye_array(owners), np.ones((scenarios, 1)))
    none = np.zeros(owners * scenarios)
    return {0: gains, 2: -eta, 3: eye_array(owners * scenarios)}, none, none + np.inf


def costs(joint: Joint, coupling: CouplingNumbers, risk: RiskNumbers) -> list[Float]:
    """The linear costs of each group of variables."""
    return [joint.program.linear, coupling.slack_cost.ravel(), -risk.beta, risk.weight.ravel()]


def wide(parts: dict[int, Any], widths: list[int]) -> Any:
    """The rows over all variables."""
    height = next(iter(parts.values())).shape[0]
    return block_array([[parts.get(k, csc_matrix((height, width))) for k, width in enumerate(widths)]], format="csc")
