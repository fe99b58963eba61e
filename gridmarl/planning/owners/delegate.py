"""One owner's side of ALADIN: it answers a price with its condensed problem and keeps everything else to itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gridmarl.planning.model.plan import AssetPlan
from gridmarl.planning.owners.condensation import DUST, ActiveFace, Condensed, condense, violation
from gridmarl.planning.owners.worker import Solved, Worker
from gridmarl.units import Float


@dataclass(frozen=True, slots=True, eq=False)
class PriceMessage:
    """All that an owner hears in a step, the same for everyone in its group."""

    multiplier_per_mwh: Float  # (K,)
    rho: float  # $/(MW² h)
    follow: float  # 1 to move along the face to this price, 0 to stay and only look around


@dataclass(frozen=True, slots=True)
class Stake:
    """An owner's part of the certificate; only sums over owners are needed."""

    cost: float  # $ of the schedule it would follow, infinite where that breaks one of its limits
    least: float  # $, its part of the dual function
    moved_mw2: float  # squared distance of its own optimum near that schedule from it


class Delegate:
    """Speaks for one worker once ADMM's rounds have brought it near the agreement.

    Parameters
    ----------
    worker : Worker
        Which has answered at least one round: there the delegate starts.
    """

    def __init__(self, worker: Worker) -> None:
        assert worker.last is not None
        self._worker = worker
        self._face = self._next = self._condensed(worker.last)
        self._followed = self._face.y

    def condensed(self) -> Condensed:
        """Where the owner stands, seen from outside."""
        return self._face.condensed()

    def answer(self, message: PriceMessage) -> Condensed:
        """Solve near the schedule that belongs to the price, and condense what was found there.

        Raises
        ------
        SolverError
            Where the local solver stopped without a usable answer.
        """
        problem = self._worker.problem
        self._followed = self._face.at(problem.step_h * message.multiplier_per_mwh) if message.follow else self._face.y
        aim_mw = problem.injection_mw(self._followed) + message.multiplier_per_mwh / message.rho
        self._next = self._condensed(self._worker.solve_near(aim_mw, message.rho))
        return self._next.condensed()

    def stake(self, multiplier_per_mwh: Float) -> Stake:
        """What the schedule followed costs, and the least that any costs at this price."""
        problem = self._worker.problem
        fits = violation(problem.program, self._followed) <= DUST
        cost = problem.objective(self._followed) if fits else np.inf
        moved = problem.injection_mw(self._next.y - self._followed)
        return Stake(cost, self._worker.least_cost(multiplier_per_mwh), float(moved @ moved))

    def adopt(self) -> None:
        """Stand where the last answer was found."""
        self._face = self._next

    def injection_mw(self) -> Float:
        """Net injection (K,) of the schedule followed: the plan, once it is agreed."""
        return self._worker.problem.injection_mw(self._followed)

    def objective(self) -> float:
        """Dollars the schedule followed costs its owner, for the record only."""
        return self._worker.problem.objective(self._followed)

    def trajectories(self) -> tuple[AssetPlan, ...]:
        """The owner's own assets in the schedule followed."""
        return self._worker.problem.read(self._followed)

    def _condensed(self, solved: Solved) -> ActiveFace:
        return condense(self._worker.problem, solved.answer, solved.aim_mw, solved.rho)
