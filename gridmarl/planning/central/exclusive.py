"""Batteries that either charge or discharge: binaries where the convex plan would do both.

Where the price is far below zero, at ``-k1 (1 + ηc ηd) / (1 - ηc ηd)`` or less, burning energy by charging and
discharging at once pays, and the convex plan does it. A binary for a battery and step forbids it there,
``c <= P z``, ``d <= P (1 - z)``. Only steps at which the plan so far overlaps get one: without the others the program
is still a relaxation, so that a solution without any overlap is optimal for all binaries. HiGHS (Huangfu & Hall 2018)
solves the mixed-integer linear program.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import scipy.optimize
from scipy.sparse import block_array, csc_matrix, diags_array

from gridmarl.errors import SolverError
from gridmarl.planning.central.joint import Joint
from gridmarl.planning.central.program import CouplingNumbers, RiskNumbers
from gridmarl.planning.central.stacked import Block, costs, coupling_rows, own_rows, risk_rows, wide
from gridmarl.planning.model.assets import Battery
from gridmarl.planning.model.branches import Branches
from gridmarl.units import Bool, Float, Int

OVERLAP: Final = 1e-6
"""Charged and discharged at once by more than this, over the largest rating, is an overlap."""
MIP_GAP: Final = 1e-9

optimize: Any = scipy.optimize  # scipy ships no annotations, or wrong ones


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Where the stacked variables hold a battery's charge and its discharge of one step, each (m,)."""

    charge: Int
    discharge: Int

    def overlapping(self, y: Float) -> Bool:
        """Which of them do both."""
        return np.minimum(y[self.charge], y[self.discharge]) > OVERLAP

    def among(self, chosen: Bool) -> Pairs:
        """Some of them."""
        return Pairs(self.charge[chosen], self.discharge[chosen])


@dataclass(frozen=True, slots=True, eq=False)
class Modes:
    """What the mixed-integer program decided."""

    charging: Bool  # (m,) of the pairs given
    bound: float  # no exclusive plan costs less, scaled, without the constant


def pairs_of(joint: Joint) -> Pairs:
    """All batteries and steps."""
    charge, discharge, start = list[Int](), list[Int](), 0
    for problem in joint.problems:
        for asset, part in zip(problem.owner.assets, problem.parts, strict=True):
            single, copies = (asset.single, asset.count) if isinstance(asset, Branches) else (asset, 1)
            if isinstance(single, Battery):
                size, steps = (part.stop - part.start) // copies, joint.steps // copies
                first = start + part.start + size * np.repeat(np.arange(copies), steps)
                charge.append(first + np.tile(np.arange(steps), copies))
                discharge.append(charge[-1] + steps)
        start += len(problem.program.linear)
    none = np.zeros(0, np.int64)
    return Pairs(np.concatenate([none, *charge]), np.concatenate([none, *discharge]))


def with_modes(joint: Joint, pairs: Pairs, charging: Bool) -> Joint:
    """The problem with each pair's mode fixed."""
    upper = joint.program.upper.copy()
    upper[np.where(charging, pairs.discharge, pairs.charge)] = 0.0
    return replace(joint, program=replace(joint.program, upper=upper))


def best_modes(joint: Joint, coupling: CouplingNumbers, risk: RiskNumbers, pairs: Pairs) -> Modes:
    """Whether each pair charges or discharges in the cheapest plan.

    Raises
    ------
    SolverError
        Where HiGHS stopped without an optimum.
    """
    own, coupled = joint.program, joint.total.shape[0]
    (owners, scenarios), m = risk.weight.shape, len(pairs.charge)
    cost = [*costs(joint, coupling, risk), np.zeros(m)]
    lower = [own.lower, np.zeros(2 * coupled), np.full(owners, -np.inf), np.zeros(owners * scenarios + m)]
    upper = [own.upper, np.full(2 * coupled + owners + owners * scenarios, np.inf), np.ones(m)]
    rows = [own_rows(joint), coupling_rows(joint, coupling), risk_rows(joint, risk), _mode_rows(joint, pairs)]
    widths = [len(part) for part in cost]
    answer: Any = optimize.milp(
        np.concatenate(cost),
        integrality=np.repeat([0, 0, 0, 0, 1], widths),
        bounds=optimize.Bounds(np.concatenate(lower), np.concatenate(upper)),
        constraints=[
            optimize.LinearConstraint(wide(parts, widths), low, high) for parts, low, high in rows if len(low)
        ],
        options={"mip_rel_gap": MIP_GAP},
    )
    if answer.status != 0:
        raise SolverError(
            "modes of the batteries", str(answer.message), "an optimum of HiGHS", "plan a shorter horizon"
        )
    return Modes(np.asarray(answer.x[len(answer.x) - m :] > 0.5), float(answer.mip_dual_bound))


def _mode_rows(joint: Joint, pairs: Pairs) -> Block:
    """``c - P z <= 0`` and ``d + P z <= P``."""
    m, upper = len(pairs.charge), joint.program.upper
    most_in, most_out = upper[pairs.charge], upper[pairs.discharge]
    at = np.concatenate([pairs.charge, pairs.discharge])
    picked = csc_matrix((np.ones(2 * m), (np.arange(2 * m), at)), (2 * m, len(upper)))
    modes = block_array([[diags_array(-most_in)], [diags_array(most_out)]])
    return {0: picked, 4: modes}, np.full(2 * m, -np.inf), np.concatenate([np.zeros(m), most_out])
