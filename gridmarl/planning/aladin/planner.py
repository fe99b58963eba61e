"""Owners agree through a price as in ADMM, and end in a few Newton-like steps: the reduced ALADIN.

``min Σ_i f_i(x_i) + g(Σ_i x_i)`` as in `admm`. Once sharing ADMM has come near, each step (Houska, Frasch & Diehl 2016;
reduced to the injections as by Engelmann, Jiang, Mühlpfordt, Houska & Faulwasser 2019 and Engelmann, Jiang, Houska &
Faulwasser 2020)

1. takes every owner's ``p_i`` and ``S_i`` (`condensation`) and needs only their sums;
2. finds the price at which ``Σ p_i + Σ S_i ν`` meets the coupling, with priced slack (`coupling_step`);
3. lets every owner move along its active limits to that price and solve its own problem around it.

A step counts only if those local solves confirm it: they move schedules less than the step before, and the dual
function does not fall. Otherwise a line search on the dual function shortens it, and where that does not help ADMM goes
on from where it stood. From a cold start full steps diverge; near the agreement, where active limits stay what they
are, a few are exact.

Where every owner's costs are linear there is no curvature for a step to use: schedules jump from one limit to another
and no price alone tells how much of the tied ones is wanted, so that residuals stay open though the price is right.
Owners are therefore asked first to propose a schedule; if nobody's costs are curved the plan is mixed from proposals,
exactly and in a finite number of rounds, by Dantzig & Wolfe (1960) as in `dantzig_wolfe`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from gridmarl.errors import ScenarioError
from gridmarl.planning.admm.planner import AdmmPlanner
from gridmarl.planning.admm.rounds import AdmmRounds, Watch, recorded
from gridmarl.planning.admm.sharing import AdmmSettings, Agreement
from gridmarl.planning.aladin.finisher import Finisher, Trial
from gridmarl.planning.dantzig_wolfe.coordinator import Coordinator, DantzigWolfeSettings
from gridmarl.planning.dantzig_wolfe.planner import base_of, moved, settled, take_rounds
from gridmarl.planning.model.gap import slack_mw
from gridmarl.planning.model.groups import by_class, totals
from gridmarl.planning.model.plan import Plan, coupled
from gridmarl.planning.model.problem import Problem
from gridmarl.planning.owners.delegate import Delegate
from gridmarl.planning.owners.pricing import Proposer
from gridmarl.planning.owners.worker import Worker
from gridmarl.planning.wire.channel import Audit, Desk
from gridmarl.planning.wire.delegate_desk import DelegateDesk

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AladinSettings:
    """How ALADIN runs.

    Attributes
    ----------
    tolerance : float
        Mismatch and last movement must fall below this share of the largest rating ...
    tolerance_mw : float, optional
        ... or below this many MW, where given.
    gap_tolerance : float
        The duality gap must fall below this share of the objective.
    max_rounds : int
        Rounds of ADMM and of ALADIN together; after that the plan is marked as not converged.
    first, warm, every : int
        Rounds of ADMM before the first steps from a cold start or from an earlier agreement, and after steps that
        failed; each further failure doubles the last.
    steps : int
        Most exchanges at a time, line search included.
    """

    tolerance: float = 1e-7
    tolerance_mw: float | None = None
    gap_tolerance: float = 1e-6
    max_rounds: int = 500
    first: int = 60
    warm: int = 20
    every: int = 20
    steps: int = 8

    def __post_init__(self) -> None:
        for name in ("max_rounds", "first", "warm", "every", "steps"):
            if getattr(self, name) < 1:
                raise ScenarioError(f"aladin.{name}", getattr(self, name), "at least 1")
        if self.gap_tolerance <= 0:
            raise ScenarioError("aladin.gap_tolerance", self.gap_tolerance, "positive")

    @property
    def admm(self) -> AdmmSettings:
        """The same for the rounds of ADMM."""
        return AdmmSettings(
            tolerance=self.tolerance,
            tolerance_mw=self.tolerance_mw,
            gap_tolerance=self.gap_tolerance,
            max_rounds=self.max_rounds,
        )


class AladinPlanner:
    """Plans again and again with the same owners, each plan starting from the last one's agreement.

    Parameters
    ----------
    settings : AladinSettings, optional
        Tolerances and numbers of rounds.
    audit : Audit, optional
        Writes down every message between the owners and the coordinator.
    watch : Watch, optional
        Told of every round, ADMM's and ALADIN's, as it ends.
    """

    def __init__(
        self, settings: AladinSettings | None = None, audit: Audit | None = None, watch: Watch | None = None
    ) -> None:
        self._settings, self._watch = settings or AladinSettings(), watch
        self._admm = AdmmPlanner(self._settings.admm, audit, watch)
        self._mixed: Plan | None = None  # the last plan, where costs were linear

    def solve(self, problem: Problem, *, elapsed_h: float = 0.0) -> Plan:
        """Plan by messages, starting from the last agreement moved forward by ``elapsed_h``; errors as `AdmmPlanner`'s.

        Returns
        -------
        Plan
            With ``method`` ``aladin``. Where steps ended it, schedules obey the owners' limits and meet the coupling,
            ``objective`` is what they cost, slack included, and no plan costs less than ``lower_bound``.
        """
        desks: list[DelegateDesk] = []

        def seat(worker: Worker) -> Desk:
            propose = partial(Proposer, worker.problem.owner, problem.step_h, problem.prices, problem.terminal)
            desks.append(DelegateDesk(worker, propose))
            return desks[-1]

        problem = problem.checked()
        rounds = self._admm.open(problem, elapsed_h=elapsed_h, seat=seat)
        return self._mix(rounds, desks, elapsed_h) or self._negotiate(rounds, desks)

    def _negotiate(self, rounds: AdmmRounds, desks: list[DelegateDesk]) -> Plan:
        """Rounds of ADMM, and steps where they are due."""
        settings, patience = self._settings, self._settings.every
        due = settings.warm if self._admm.experienced else settings.first
        while len(rounds.history) < settings.max_rounds and not rounds.settled():
            rounds.once()
            if len(rounds.trail) < due or len(rounds.history) >= settings.max_rounds:
                continue
            finisher = Finisher(rounds, rounds.sharing.tolerance_mw, settings.gap_tolerance)
            trial = finisher.finish(min(settings.steps, settings.max_rounds - len(rounds.history)))
            if trial is not None:
                return self._agreed(rounds, finisher, trial, [desk.delegate for desk in desks])
            due, patience = len(rounds.trail) + patience, 2 * patience
            logger.debug("ALADIN's steps are not confirmed after %d rounds: ADMM goes on", len(rounds.history))
        self._admm.remember(rounds.agreement())
        return replace(rounds.plan(), method="aladin")

    def _mix(self, rounds: AdmmRounds, desks: list[DelegateDesk], elapsed_h: float) -> Plan | None:
        """The exact plan from proposals; None where somebody's costs are not linear."""
        sharing, settings, panel = rounds.sharing, self._settings, rounds.panel
        guess = moved(self._mixed, elapsed_h, sharing.step_h, rounds.coupling)
        base = base_of(panel.rated_mw, rounds.coupling, rounds.prices)
        asked = DantzigWolfeSettings(settings.gap_tolerance, settings.max_rounds)
        coordinator = Coordinator(sharing.of, sharing.step_h, rounds.coupling, base, asked, guess)
        if not take_rounds(coordinator, panel.invite, self._watch):
            return None
        panel.settle(coordinator.master.weights())
        proposers = [desk.proposer for desk in desks]
        plan = settled(sharing.owners, sharing.step_h, rounds.coupling, rounds.prices, coordinator, proposers)
        self._mixed = replace(plan, method="aladin")
        return self._mixed

    def _agreed(self, rounds: AdmmRounds, finisher: Finisher, trial: Trial, delegates: Sequence[Delegate]) -> Plan:
        sharing = rounds.sharing
        injection = np.stack([delegate.injection_mw() for delegate in delegates])
        price, step_h = trial.multiplier_per_mwh, sharing.step_h
        self._admm.remember(Agreement(sharing.owners, step_h, injection, price, sharing.rho))
        short, over = slack_mw(rounds.coupling, totals(by_class(injection, sharing.of, len(price))))
        return Plan(
            owners=sharing.owners,
            step_h=step_h,
            injection_mw=injection,
            assets=tuple(delegate.trajectories() for delegate in delegates),
            objective=trial.certificate.value,
            owner_objective=np.array([delegate.objective() for delegate in delegates]),
            rounds=len(rounds.history),
            primal_residual_mw=finisher.mismatch_mw(trial),
            dual_residual_mw=trial.movement_mw,
            converged=True,
            method="aladin",
            history=recorded(rounds.history),
            lower_bound=trial.certificate.lower,
            upper_bound=trial.certificate.upper,
            **coupled(rounds.coupling, rounds.prices, price, short * step_h, over * step_h),
        )
