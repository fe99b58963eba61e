"""Owners with linear costs propose schedules at prices, and a master mixes them: exact, between two bounds.

Dantzig & Wolfe (1960). Each round prices go out (`coordinator`), every owner answers with its best schedule at them
(`pricing`), and the master mixes all proposals so far at least cost (`master`). The master's value falls towards the
optimum, the best Lagrangian bound rises towards it; the rounds end when they meet, and `Plan.bounds` shows both.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import numpy as np

from gridmarl.planning.admm.rounds import Round, Watch
from gridmarl.planning.dantzig_wolfe.coordinator import Coordinator, DantzigWolfeSettings
from gridmarl.planning.model.assets import Coupling
from gridmarl.planning.model.groups import classes, heard
from gridmarl.planning.model.horizon import steps_held
from gridmarl.planning.model.plan import Plan, Rounds, coupled
from gridmarl.planning.model.problem import Problem
from gridmarl.planning.model.risk import Prices, warn_of_thin_tail
from gridmarl.planning.owners.pricing import Proposal, Proposer
from gridmarl.planning.programs.local import Base
from gridmarl.planning.wire.channel import Audit, Channel, Desk
from gridmarl.planning.wire.desk import ProposerDesk
from gridmarl.planning.wire.panel import Panel
from gridmarl.units import Float

logger = logging.getLogger(__name__)


class DantzigWolfePlanner:
    """Plans again and again; each plan also tries the last one's multiplier in its second round.

    Parameters
    ----------
    settings : DantzigWolfeSettings, optional
        Tolerance, rounds and smoothing.
    audit : Audit, optional
        Writes down every message between the owners and the coordinator.
    watch : Watch, optional
        Told of every round as it ends.
    """

    def __init__(
        self, settings: DantzigWolfeSettings | None = None, audit: Audit | None = None, watch: Watch | None = None
    ) -> None:
        self._settings, self._audit, self._watch = settings or DantzigWolfeSettings(), audit, watch
        self._last: Plan | None = None

    def solve(self, problem: Problem, *, elapsed_h: float = 0.0) -> Plan:
        """Plan by rounds of prices and proposals; the last multiplier is moved forward by ``elapsed_h``.

        Returns
        -------
        Plan
            With ``method`` ``dantzig-wolfe`` and a certificate; its multiplier is that of the best lower bound.

        Raises
        ------
        ScenarioError
            For a quadratic cost, shapes that do not fit or a CVaR of less than two scenarios.
        InfeasiblePlanError
            Where an asset cannot obey its limits, by name.
        SolverError
            Where HiGHS stopped without an answer.
        """
        owners, step_h, coupling, prices, terminal = problem.checked()
        if self._last is None:
            warn_of_thin_tail(prices, sum(owner.beta > 0 for owner in owners))
        proposers = [Proposer(owner, step_h, prices, terminal) for owner in owners]
        desks: dict[str, Desk] = {o.name: ProposerDesk(p) for o, p in zip(owners, proposers, strict=True)}
        of = classes(coupling, list(desks))
        panel = Panel(Channel(desks, self._audit), False, of, 1 + len(coupling.groups))
        base, guess = base_of(panel.rated_mw, coupling, prices), moved(self._last, elapsed_h, step_h, coupling)
        coordinator = Coordinator(of, step_h, coupling, base, self._settings, guess)
        take_rounds(coordinator, panel.propose, self._watch)
        panel.settle(coordinator.master.weights())
        self._last = settled(tuple(desks), step_h, coupling, prices, coordinator, proposers)
        return self._last


def take_rounds(
    coordinator: Coordinator, ask: Callable[[Float], Sequence[Proposal] | None], watch: Watch | None = None
) -> bool:
    """Take rounds until the coordinator has finished, or until there are no proposals.

    Parameters
    ----------
    coordinator : Coordinator
    ask : callable
        Everybody's proposal at what its class hears (1 + G, K); None where somebody makes none.
    watch : Watch, optional
        Told of every round as it ends, with a mismatch of 0: what the master mixes meets the coupling by itself.

    Returns
    -------
    bool
        Whether everybody made proposals.
    """
    while not coordinator.finished:
        proposals = ask(heard(coordinator.multiplier_per_mwh))
        if proposals is None:
            return False
        coordinator.conclude(proposals)
        if watch:
            watch(Round(0.0, float(coordinator.moved_mw[-1]), 0.0, float(coordinator.bounds().upper[-1])))
    return True


def base_of(rated_mw: float, coupling: Coupling, prices: Prices) -> Base:
    """Units in which public numbers are near 1."""
    cheaper = float(np.minimum(coupling.shortage_per_mwh, coupling.surplus_per_mwh).min())
    return Base(rated_mw, (float(np.abs(prices.per_mwh).max()) or cheaper) * rated_mw)


def moved(last: Plan | None, elapsed_h: float, step_h: Float, coupling: Coupling) -> Float | None:
    """The last multipliers (1 + G, K) at the middle of steps that begin ``elapsed_h`` later; None of other groups."""
    if last is None or len(last.groups) != len(coupling.groups):
        return None
    return last.multipliers_per_mwh[:, steps_held(last.step_h, elapsed_h, step_h)]


def settled(
    names: tuple[str, ...],
    step_h: Float,
    coupling: Coupling,
    prices: Prices,
    coordinator: Coordinator,
    proposers: Sequence[Proposer],
) -> Plan:
    """What owners settled on; each knows its own part."""
    master, bounds, converged = coordinator.master, coordinator.bounds(), coordinator.certified
    if not converged:
        logger.info(
            "Dantzig-Wolfe stopped after %d rounds at a relative gap of %.3g",
            coordinator.rounds,
            bounds.relative_gap,
        )
    injection = np.stack([proposer.injection_mw for proposer in proposers])
    short, over = master.slack_mw()
    residual_mw, nothing = float(np.linalg.norm(master.missed_mw(injection))), np.zeros(coordinator.rounds)
    return Plan(
        owners=names,
        step_h=step_h,
        injection_mw=injection,
        assets=tuple(proposer.trajectories() for proposer in proposers),
        objective=float(bounds.upper[-1]),
        owner_objective=np.array([proposer.objective for proposer in proposers]),
        rounds=coordinator.rounds,
        primal_residual_mw=residual_mw,
        dual_residual_mw=float(coordinator.moved_mw[-1]),
        converged=converged,
        method="dantzig-wolfe",
        history=Rounds(nothing + residual_mw, coordinator.moved_mw, nothing, bounds.upper),
        lower_bound=float(bounds.lower[-1]),
        upper_bound=float(bounds.upper[-1]),
        bounds=bounds,
        **coupled(coupling, prices, coordinator.best_per_mwh, short * step_h, over * step_h),
    )
