"""The rounds of Dantzig-Wolfe: which prices owners hear next, and when the bounds have met.

The master's own prices jump from one limit to the other while it knows few proposals. So owners hear prices between
the best so far and the master's, ``λ = a λ_best + (1 - a) λ_master`` (Wentges 1997). Where the answers improve no mix,
they improve the bound, and a is lowered step by step until they do or the master's own prices prove the optimum
(Pessoa, Sadykov, Uchoa & Vanderbeck 2018).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from gridmarl.errors import ScenarioError
from gridmarl.planning.dantzig_wolfe.master import Master
from gridmarl.planning.model.assets import Coupling
from gridmarl.planning.model.bounds import Bounds
from gridmarl.planning.owners.pricing import Proposal
from gridmarl.planning.programs.local import Base
from gridmarl.units import Float, Int

SMALL_OBJECTIVE: Final = 1e-3
"""An objective is not taken as smaller than this share of what the owners alone would gain or pay."""


@dataclass(frozen=True, slots=True)
class DantzigWolfeSettings:
    """How Dantzig-Wolfe runs.

    Attributes
    ----------
    tolerance : float
        Largest gap between the bounds, relative to the objective (or to a thousandth of what owners alone would
        gain or pay, where gains and costs cancel).
    max_rounds : int
        After that the plan is marked as not converged.
    smoothing : float
        How far prices lean towards the best so far, from 0 (not at all) to below 1.
    """

    tolerance: float = 1e-9
    max_rounds: int = 500
    smoothing: float = 0.5

    def __post_init__(self) -> None:
        if not 0.0 <= self.smoothing < 1.0:
            raise ScenarioError("dantzig_wolfe.smoothing", self.smoothing, "in [0, 1)")
        if self.max_rounds < 1:
            raise ScenarioError("dantzig_wolfe.max_rounds", self.max_rounds, "at least 1")
        if self.tolerance <= 0:
            raise ScenarioError("dantzig_wolfe.tolerance", self.tolerance, "positive")


class Coordinator:
    """State of the rounds; it sees proposals only.

    Parameters
    ----------
    of : array (N,)
        Class of each owner, as `groups` counts them.
    step_h : array (K,)
        Hours a step.
    coupling : Coupling
        Bounds and slack prices.
    base : Base
        Units in which the master's numbers are near 1.
    settings : DantzigWolfeSettings
    guess_per_mwh : array (1 + G, K), optional
        Multipliers to try after 0: the last plan's.
    """

    def __init__(
        self,
        of: Int,
        step_h: Float,
        coupling: Coupling,
        base: Base,
        settings: DantzigWolfeSettings,
        guess_per_mwh: Float | None = None,
    ) -> None:
        self.master, self._settings = Master(of, step_h, coupling, base), settings
        self.multiplier_per_mwh = np.zeros((1 + len(coupling.groups), len(step_h)))  # of the rows next, $/MWh
        self.best_per_mwh = self.multiplier_per_mwh  # the multiplier of the best lower bound
        self._guess = None if guess_per_mwh is None else self.master.within(guess_per_mwh)
        self._fruitless, self._exhausted, self._alone = 0, False, 0.0
        self._lower, self._upper, self._moved = list[float](), list[float](), list[float]()
        self._mix = np.zeros((len(of), len(step_h)))

    @property
    def rounds(self) -> int:
        """Rounds taken."""
        return len(self._upper)

    @property
    def finished(self) -> bool:
        """Whether the bounds have met, cannot come nearer, or the rounds are used up."""
        return self.rounds > 0 and (self.certified or self._exhausted or self.rounds >= self._settings.max_rounds)

    @property
    def certified(self) -> bool:
        """Whether the relative gap is within its tolerance."""
        return self.bounds().relative_gap <= self._settings.tolerance

    def bounds(self) -> Bounds:
        """The bounds of all rounds so far."""
        scale = max(abs(self._upper[-1]), SMALL_OBJECTIVE * self._alone) or 1.0
        return Bounds(np.array(self._lower), np.array(self._upper), scale)

    @property
    def moved_mw(self) -> Float:
        """How far the mix moved in each round (rounds,)."""
        return np.array(self._moved)

    def conclude(self, proposals: Sequence[Proposal]) -> None:
        """Take the owners' answers to ``multiplier_per_mwh``, mix anew and choose the next multiplier."""
        if not self.rounds:
            self._alone = sum(abs(proposal.cost) for proposal in proposals)
        bound = self.master.lower_bound(self.multiplier_per_mwh, proposals)
        if not self._lower or bound > self._lower[-1]:
            self.best_per_mwh = self.multiplier_per_mwh
        self._lower.append(max([bound, *self._lower[-1:]]))
        if self.master.take(proposals):
            self._mix_anew()
            self._fruitless = 0
        else:
            self._upper.append(self._upper[-1])
            self._moved.append(0.0)
            self._exhausted = np.array_equal(self.multiplier_per_mwh, self.master.multiplier_per_mwh)
            self._fruitless += 1
        self.multiplier_per_mwh = self._next()

    def _mix_anew(self) -> None:
        self._upper.append(self.master.solve())
        before, self._mix = self._mix, self.master.injection_mw()
        self._moved.append(float(np.linalg.norm(self._mix - before)))

    def _next(self) -> Float:
        if self._guess is not None and self.rounds == 1:
            return self._guess
        lean = max(0.0, 1 - (1 + self._fruitless) * (1 - self._settings.smoothing))
        return lean * self.best_per_mwh + (1 - lean) * self.master.multiplier_per_mwh
