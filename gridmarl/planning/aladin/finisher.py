"""ALADIN's steps: from the owners' condensed answers to a price, kept only where the next local solves confirm it.

Symbols are those of `aladin`. The aggregator knows sums: ``P = Σ p_i``, ``S = Σ S_i``, and for the certificate the
sums of `delegate.Stake`. Where a full step is not confirmed, a line search on the dual function decides how
far the price moves (Houska, Frasch & Diehl 2016, section 4).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Final

import numpy as np
from threadpoolctl import ThreadpoolController

from gridmarl.planning.admm.rounds import AdmmRounds, Round
from gridmarl.planning.aladin.coupling_step import coupling_price
from gridmarl.planning.model.gap import Certificate, admissible, coupling_value, slack_cost, slack_mw
from gridmarl.planning.model.groups import heard
from gridmarl.planning.owners.condensation import Condensed
from gridmarl.planning.owners.delegate import PriceMessage
from gridmarl.units import Float

FIRST: Final = 10.0
"""The first step may move schedules by this many times what ADMM's last round was from agreement; later ones by less
than the step before."""
SHORTER: Final = (0.5, 0.25, 0.125)
"""Shares of a step that the line search tries."""
LEVEL: Final = 0.1
"""The dual function may fall by this share of the gap asked for: the local solvers' last digits."""


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """Where the steps are: a price, what the owners answer around it, and how good it is."""

    multiplier_per_mwh: Float  # (1 + G, K)
    total: Condensed  # of the coupling's rows, one after the other
    lower: float  # $, the dual function there
    movement_mw: float  # ‖·‖ over owners of what the local solves moved the schedules that the step foresaw


@dataclass(frozen=True, slots=True, eq=False)
class Trial(Standing):
    """A step taken on trial, the schedules it leads to and their certificate."""

    planned_mw: Float  # (1 + G, K) what the coupling's rows add up to in the schedules followed
    certificate: Certificate


class Finisher:
    """Takes ALADIN steps from where ADMM's rounds stand.

    Parameters
    ----------
    rounds : AdmmRounds
        Left as they are, so that they can go on.
    tolerance_mw : float
        Largest mismatch, and movement in the last step.
    gap_tolerance : float
        Largest gap, as a share of the objective.
    """

    def __init__(self, rounds: AdmmRounds, tolerance_mw: float, gap_tolerance: float) -> None:
        self._rounds, self._tolerance_mw, self._gap_tolerance = rounds, tolerance_mw, gap_tolerance
        self.trial: Trial | None = None

    def finish(self, steps: int) -> Trial | None:
        """Take at most so many exchanges; None where a step is not confirmed and no shorter one helps."""
        with _blas().limit(limits=1, user_api="blas"):
            return self._finish(steps)

    def _finish(self, steps: int) -> Trial | None:
        here, last = self._start(), len(self._rounds.history) + steps
        while len(self._rounds.history) < last:
            aim = self._next_price(here)
            trial = self._try(here, aim, follow=True)
            if self.certified(trial):
                return trial
            confirmed = self._rises(here, trial) and trial.movement_mw < here.movement_mw
            found = trial if confirmed else self._search(here, aim, last)
            if found is None:
                return None
            self._rounds.panel.adopt()
            here = found
        return None

    def certified(self, trial: Trial) -> bool:
        """Whether a step's schedules are the plan."""
        return (
            self.mismatch_mw(trial) <= self._tolerance_mw
            and trial.movement_mw <= self._tolerance_mw
            and trial.certificate.closes(self._gap_tolerance, self._rounds.floor)
        )

    def mismatch_mw(self, standing: Trial) -> float:
        """``‖·‖`` of what the schedules miss where the price is not that of slack."""
        coupling, price = self._rounds.coupling, standing.multiplier_per_mwh
        short, over = slack_mw(coupling, standing.planned_mw)
        least, most = (admissible(coupling, np.full(price.shape, end)) for end in (-np.inf, np.inf))
        return float(np.linalg.norm(np.where(price < most, short, 0.0) + np.where(price > least, over, 0.0)))

    def _start(self) -> Standing:
        sharing, last = self._rounds.sharing, self._rounds.trail[-1]
        multiplier = admissible(self._rounds.coupling, sharing.multiplier_per_mwh)
        lower = self._rounds.certificate().lower
        return Standing(multiplier, self._rounds.panel.look(), lower, FIRST * (last.primal_mw + last.dual_mw))

    def _next_price(self, here: Standing) -> Float:
        sharing = self._rounds.sharing
        coupling, last = self._rounds.coupling, here.multiplier_per_mwh
        return coupling_price(here.total, coupling, sharing.step_h, last, sharing.scale, sharing.rated_mw)

    def _try(self, here: Standing, multiplier_per_mwh: Float, follow: bool) -> Trial:
        """One exchange: everybody solves near the schedule that the price means to them."""
        sharing, coupling = self._rounds.sharing, self._rounds.coupling
        said = [PriceMessage(price, sharing.rho, 1.0 if follow else 0.0) for price in heard(multiplier_per_mwh)]
        total, stakes = self._rounds.panel.step(said)
        there = multiplier_per_mwh if follow else here.multiplier_per_mwh
        answered = here.total.offer_mw + here.total.slope @ (sharing.step_h * there).ravel()
        planned = answered.reshape(there.shape)
        movement = float(np.sqrt(sum(stake.moved_mw2 for stake in stakes)))
        cost = sum(stake.cost for stake in stakes) + slack_cost(coupling, sharing.step_h, planned)
        lower = sum(stake.least for stake in stakes) + coupling_value(coupling, sharing.step_h, multiplier_per_mwh)
        trial = Trial(multiplier_per_mwh, total, lower, movement, planned, Certificate(lower, cost, cost))
        self._rounds.note(Round(self.mismatch_mw(trial), movement, sharing.rho, cost))
        return trial

    def _search(self, here: Standing, aim: Float, last: int) -> Trial | None:
        """The longest of some shorter steps of the price that raises the dual function."""
        for share in SHORTER:
            if len(self._rounds.history) >= last:
                return None
            price = here.multiplier_per_mwh + share * (aim - here.multiplier_per_mwh)
            trial = self._try(here, price, follow=False)
            if trial.lower > here.lower:
                return replace(trial, movement_mw=here.movement_mw)
        return None

    def _rises(self, here: Standing, trial: Trial) -> bool:
        level = LEVEL * self._gap_tolerance * max(abs(here.lower), self._rounds.floor)
        return trial.lower >= here.lower - level


@cache
def _blas() -> ThreadpoolController:
    """The libraries of linear algebra: on the owners' small matrices their threads only get in each other's way."""
    return ThreadpoolController()
