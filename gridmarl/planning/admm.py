"""Owners keep their problems and agree through a price: the sharing form of ADMM.

``min Σ_i f_i(x_i) + g(Σ_i x_i)``, g being the priced coupling (Boyd, Parikh, Chu, Peleato & Eckstein 2011, section
7.3). Each round, with steps weighed by their hours:

1. every owner answers ``x_i = argmin f_i(x) + rho/2 ‖x - z_i + u‖²``;
2. answers are over-relaxed, ``x̂_i = a x_i + (1 - a) z_i`` (3.4.3);
3. the coupling takes ``z̄ = argmin g(N z̄) + N rho/2 ‖z̄ - mean x̂ - u‖²`` in closed form; ``z_i = x̂_i + z̄ - mean x̂``;
4. ``u += mean x̂ - z̄``; ``-rho u`` is the coupling's multiplier in $/MWh.

A plan is as good as its residuals say: `sharing.Residuals` defines them, `Plan.converged` tells whether they were met.
Quadratic costs take some tens to a few hundred rounds; linear ones converge too, but slowly.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from gridmarl.planning.assets import Coupling, Owner, Terminal
from gridmarl.planning.plan import Plan, Rounds
from gridmarl.planning.request import check_request
from gridmarl.planning.risk import Prices, warn_of_thin_tail
from gridmarl.planning.sharing import AdmmSettings, Agreement, Residuals, Sharing
from gridmarl.planning.worker import Worker
from gridmarl.units import Float

logger = logging.getLogger(__name__)


class AdmmPlanner:
    """Plans again and again with the same owners, each plan starting from the last one's agreement.

    Parameters
    ----------
    settings : AdmmSettings, optional
        Tolerances, relaxation and penalty.
    """

    def __init__(self, settings: AdmmSettings | None = None) -> None:
        self._settings = settings or AdmmSettings()
        self._workers: dict[str, Worker] = {}
        self._agreement: Agreement | None = None

    def solve(
        self,
        owners: Sequence[Owner],
        step_h: Float,
        coupling: Coupling,
        prices: Prices,
        terminal: Terminal | None = None,
        elapsed_h: float = 0.0,
    ) -> Plan:
        """Plan by rounds of messages between the owners and the coupling.

        Parameters
        ----------
        owners : sequence of N Owner
            Each is handed to its own worker and to nobody else.
        step_h : array (K,)
            Hours a step.
        coupling : Coupling
            Bounds on the total injection [MW] and the price of missing them [$/MWh].
        prices : Prices
            Scenarios of $/MWh, public.
        terminal : Terminal, optional
            What stored energy is worth at the end; by default batteries keep their energy.
        elapsed_h : float
            Hours since the last plan began; its agreement is moved forward by as much to start this one.

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
        steps, end = check_request(owners, step_h, prices), terminal or Terminal()
        workers = self._enlist(owners, steps, prices, end)
        rated_mw = max(worker.rated_mw for worker in workers)
        names = tuple(owner.name for owner in owners)
        sharing = Sharing(names, steps, coupling, prices.expected_per_mwh, rated_mw, self._settings)
        sharing.start(self._agreement, elapsed_h)
        for worker, share_mw in zip(workers, sharing.share_mw, strict=True):
            worker.begin(share_mw)
        trail: list[Residuals] = []
        while len(trail) < self._settings.max_rounds and not (trail and sharing.agrees(trail[-1])):
            message = sharing.message(trail)
            trail.append(sharing.conclude(np.stack([worker.respond(message) for worker in workers])))
        self._agreement = sharing.agreement()
        return _plan(sharing, workers, prices, trail)

    def _enlist(self, owners: Sequence[Owner], step_h: Float, prices: Prices, terminal: Terminal) -> list[Worker]:
        """One worker for each owner, kept from the last plan where there is one."""
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


def solve_admm(
    owners: Sequence[Owner],
    step_h: Float,
    coupling: Coupling,
    prices: Prices,
    terminal: Terminal | None = None,
    settings: AdmmSettings | None = None,
) -> Plan:
    """Plan once by ADMM from a cold start; see `AdmmPlanner.solve`."""
    return AdmmPlanner(settings).solve(owners, step_h, coupling, prices, terminal)


def _plan(sharing: Sharing, workers: list[Worker], prices: Prices, trail: list[Residuals]) -> Plan:
    own = np.array([worker.objectives for worker in workers])  # (N, rounds)
    objective = own.sum(axis=0) + np.array([residuals.coupling_cost for residuals in trail])
    last = trail[-1]
    converged = sharing.agrees(last) and all(worker.accurate for worker in workers)
    if not converged:
        logger.info(
            "ADMM stopped after %d rounds at a mismatch of %.3g MW and a movement of %.3g MW, asked for %.3g MW",
            len(trail),
            last.primal_mw,
            last.dual_mw,
            sharing.tolerance_mw,
        )
    shortage_mwh, surplus_mwh = sharing.missed_mwh()
    return Plan(
        owners=sharing.owners,
        step_h=sharing.step_h,
        injection_mw=sharing.injection_mw,
        assets=tuple(worker.trajectories() for worker in workers),
        multiplier_per_mwh=sharing.multiplier_per_mwh,
        price_per_mwh=prices.expected_per_mwh + sharing.multiplier_per_mwh,
        objective=float(objective[-1]),
        owner_objective=own[:, -1],
        shortage_mwh=shortage_mwh,
        surplus_mwh=surplus_mwh,
        rounds=len(trail),
        primal_residual_mw=last.primal_mw,
        dual_residual_mw=last.dual_mw,
        converged=converged,
        method="admm",
        history=Rounds(
            primal_mw=np.array([residuals.primal_mw for residuals in trail]),
            dual_mw=np.array([residuals.dual_mw for residuals in trail]),
            rho=np.array([residuals.rho for residuals in trail]),
            objective=objective,
        ),
    )
