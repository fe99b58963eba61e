"""Owners keep their problems and agree through a price: the sharing form of ADMM.

``min Σ_i f_i(x_i) + g(Σ_i x_i)``, g being the priced coupling (Boyd, Parikh, Chu, Peleato & Eckstein 2011, section
7.3). Each round, with steps weighed by their hours:

1. every owner answers ``x_i = argmin f_i(x) + rho/2 ‖x - z_i + u‖²``;
2. answers are over-relaxed, ``x̂_i = a x_i + (1 - a) z_i`` (3.4.3);
3. the coupling takes ``z̄ = argmin g(N z̄) + N rho/2 ‖z̄ - mean x̂ - u‖²`` in closed form; ``z_i = x̂_i + z̄ - mean x̂``;
4. ``u += mean x̂ - z̄``; ``-rho u`` is the coupling's multiplier in $/MWh.

Where groups of owners have bounds of their own, steps 3 and 4 hold for each class of `groups`, whose members hear the
same message: z̄ and u are then one for each class, found together (`totals_step`).

Shares and multipliers of the next round are a safeguarded mix of the last rounds' (`anderson`): on the three homes that
takes a third of the rounds away at a tolerance of 1e-3 and two thirds at 1e-5.

A plan is as good as its residuals and its duality gap say: `sharing.Residuals` and `gap` define them, `Plan.converged`
tells whether they were met. The gap costs a round more and is looked at once the residuals agree.
Quadratic costs take some tens to a few hundred rounds; linear ones converge too, but slowly.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gridmarl.planning.admm.rounds import AdmmRounds, Watch
from gridmarl.planning.admm.sharing import AdmmSettings, Agreement, Sharing
from gridmarl.planning.model.groups import classes
from gridmarl.planning.model.plan import Plan
from gridmarl.planning.model.problem import Problem
from gridmarl.planning.model.risk import warn_of_thin_tail
from gridmarl.planning.owners.crew import WORTH_IT, Crew
from gridmarl.planning.owners.worker import Worker
from gridmarl.planning.wire.channel import Audit, Channel, Desk
from gridmarl.planning.wire.desk import WorkerDesk
from gridmarl.planning.wire.panel import Panel
from gridmarl.units import Float


class AdmmPlanner:
    """Plans again and again with the same owners, each plan starting from the last one's agreement.

    Parameters
    ----------
    settings : AdmmSettings, optional
        Tolerances, relaxation and penalty.
    audit : Audit, optional
        Writes down every message between the owners and the coupling's side.
    watch : Watch, optional
        Told of every round as it ends.
    """

    def __init__(
        self, settings: AdmmSettings | None = None, audit: Audit | None = None, watch: Watch | None = None
    ) -> None:
        self._settings, self._audit, self._watch = settings or AdmmSettings(), audit, watch
        self._workers: dict[str, Worker] = {}
        self._agreement: Agreement | None = None

    def solve(self, problem: Problem, *, elapsed_h: float = 0.0) -> Plan:
        """Plan by rounds of messages, starting from the last agreement moved forward by ``elapsed_h``.

        Returns
        -------
        Plan
            With ``method`` ``admm``. ``objective`` values the remaining mismatch at the multiplier, so that its error
            is of second order in the residuals.

        Raises
        ------
        ScenarioError
            For shapes that do not fit or a CVaR of less than two scenarios.
        InfeasiblePlanError
            Where an asset cannot obey its limits, by name.
        SolverError
            Where a local solver stopped without a usable answer.
        """
        rounds = self.open(problem, elapsed_h=elapsed_h)
        while len(rounds.trail) < self._settings.max_rounds and not rounds.settled():
            rounds.once()
        self.remember(rounds.agreement())
        return rounds.plan()

    def open(
        self, problem: Problem, *, elapsed_h: float = 0.0, seat: Callable[[Worker], Desk] | None = None
    ) -> AdmmRounds:
        """Check a problem as `solve` does and seat everybody, at desks that ``seat`` makes, with no round taken yet."""
        problem = problem.checked()
        owners, step_h, coupling, prices, _ = problem
        workers = self._enlist(problem)
        names, secure = tuple(owner.name for owner in owners), self._settings.secure
        of = classes(coupling, names)
        for members in ([workers[k] for k in np.flatnonzero(of == one)] for one in np.unique(of)):
            if len(members) >= WORTH_IT:
                Crew(members, self._settings.workers)
        made: list[Desk] = [seat(worker) if seat else WorkerDesk(worker, secure) for worker in workers]
        desks = dict(zip(names, made, strict=True))
        panel = Panel(Channel(desks, self._audit), secure, of, 1 + len(coupling.groups))
        sharing = Sharing(names, step_h, coupling, prices.expected_per_mwh, panel.rated_mw, self._settings)
        for worker, share_mw in zip(workers, self._shares(names, step_h, elapsed_h), strict=True):
            worker.begin(share_mw)
        sharing.start(self._agreement, elapsed_h, panel.begin(sharing.turnover))
        return AdmmRounds(sharing, workers, panel, coupling, prices, self._settings, self._watch)

    def _shares(self, names: tuple[str, ...], step_h: Float, elapsed_h: float) -> Float:
        """What each owner remembers of the last plan (N, K), moved forward in time."""
        if self._agreement is None:
            return np.zeros((len(names), len(step_h)))
        return self._agreement.moved(elapsed_h, names, step_h)[0]

    @property
    def experienced(self) -> bool:
        """Whether there is an earlier agreement to start from."""
        return self._agreement is not None

    def remember(self, agreement: Agreement) -> None:
        """Start the next plan from here."""
        self._agreement = agreement

    def _enlist(self, problem: Problem) -> list[Worker]:
        """One worker for each owner, kept from the last plan where there is one."""
        owners, step_h, _, prices, terminal = problem
        known, self._workers = self._workers, {}
        if not known:
            warn_of_thin_tail(prices, sum(owner.beta > 0 for owner in owners))
        for owner in owners:
            worker = known.get(owner.name)
            if worker is None:
                worker = Worker(owner, step_h, prices, terminal, self._settings.relaxation)
            else:
                worker.renew(owner, step_h, prices, terminal)
            self._workers[owner.name] = worker
        return list(self._workers.values())
