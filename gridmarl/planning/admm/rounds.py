"""The rounds of one sharing ADMM plan, taken one by one: whoever runs them decides when to stop or to do otherwise."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from gridmarl.planning.admm.sharing import AdmmSettings, Agreement, Residuals, Sharing
from gridmarl.planning.model.assets import Coupling
from gridmarl.planning.model.gap import Certificate, admissible, coupling_value, slack_cost
from gridmarl.planning.model.groups import heard
from gridmarl.planning.model.plan import Plan, Rounds, coupled
from gridmarl.planning.model.risk import Prices
from gridmarl.planning.owners.worker import Worker
from gridmarl.planning.wire.panel import Panel

logger = logging.getLogger(__name__)

GAP_EVERY: Final = 10
"""While the gap is open though the residuals agree, it is looked at again after so many rounds."""
GAP_FLOOR: Final = 1e-3
"""A gap is relative to the objective, or to this share of what the largest rating at the largest price would turn over:
an objective near 0 has no relative accuracy."""


@dataclass(frozen=True, slots=True)
class Round:
    """What the history keeps of one exchange."""

    primal_mw: float
    dual_mw: float
    rho: float  # $/(MW² h)
    objective: float  # $


Watch = Callable[[Round], None]
"""Told of every round as it ends."""


class AdmmRounds:
    """One plan in the making.

    Parameters
    ----------
    sharing : Sharing
        The coupling's side.
    workers : list of N Worker
        The owners' sides, from whom each owner's own part of the plan is read in the end.
    panel : Panel
        All that the coupling's side knows of them: it asks, and hears answers or sums.
    coupling : Coupling
        Bounds and slack prices.
    prices : Prices
        Public scenarios.
    settings : AdmmSettings
        When to stop.
    watch : Watch, optional
        Told of every round.
    """

    def __init__(
        self,
        sharing: Sharing,
        workers: list[Worker],
        panel: Panel,
        coupling: Coupling,
        prices: Prices,
        settings: AdmmSettings,
        watch: Watch | None = None,
    ) -> None:
        self.sharing, self.workers, self.coupling, self.prices = sharing, workers, coupling, prices
        self.panel, self._watch = panel, watch
        self.trail: list[Residuals] = []
        self.history: list[Round] = []
        self._settings = settings
        self._certificate: tuple[int, Certificate] | None = None  # and the round it was made after

    @property
    def floor(self) -> float:
        """Dollars to which a gap is relative where the objective is nearer to 0."""
        return GAP_FLOOR * self.sharing.turnover

    @property
    def value(self) -> float:
        """Dollars the last round costs, its mismatch priced at the multiplier."""
        return self.panel.cost + self.trail[-1].coupling_cost

    def once(self) -> None:
        """Take one round."""
        messages = self.sharing.messages(self.trail)
        residuals = self.sharing.conclude(self.panel.respond(messages))
        self.trail.append(residuals)
        self.note(Round(residuals.primal_mw, residuals.dual_mw, residuals.rho, self.value))

    def note(self, one: Round) -> None:
        """Keep what an exchange came to, and tell whoever watches."""
        self.history.append(one)
        if self._watch:
            self._watch(one)

    def settled(self) -> bool:
        """Whether the residuals agree and the gap, looked at every so many rounds of agreement, is closed."""
        if not (self.trail and self.sharing.agrees(self.trail[-1])):
            return False
        tolerance, known = self._settings.gap_tolerance, self._certificate
        if tolerance is None:
            return True
        if known is not None and known[0] < len(self.trail) < known[0] + GAP_EVERY:
            return False
        return self.certificate().closes(tolerance, self.floor)

    def certificate(self) -> Certificate:
        """Bounds on the optimum by one more answer of every owner, at the multiplier and without a proximal term."""
        if self._certificate is None or self._certificate[0] != len(self.trail):
            sharing = self.sharing
            multiplier = admissible(self.coupling, sharing.multiplier_per_mwh)
            least, own = self.panel.least_cost(heard(multiplier)), self.panel.cost
            made = Certificate(
                lower=least + coupling_value(self.coupling, sharing.step_h, multiplier),
                value=self.value,
                upper=own + slack_cost(self.coupling, sharing.step_h, sharing.total_mw),
            )
            self._certificate = len(self.trail), made
        return self._certificate[1]

    def plan(self) -> Plan:
        """The plan as the rounds stand."""
        sharing, last = self.sharing, self.trail[-1]
        asked = self._settings.gap_tolerance
        certificate = Certificate(-np.inf, self.value, np.inf) if asked is None else self.certificate()
        closed = asked is None or certificate.closes(asked, self.floor)
        converged = sharing.agrees(last) and closed and all(worker.accurate for worker in self.workers)
        if not converged:
            logger.info(
                "ADMM stopped after %d rounds at a mismatch of %.3g MW and a movement of %.3g MW, asked for %.3g MW, "
                "and a gap of %.3g $",
                len(self.trail),
                last.primal_mw,
                last.dual_mw,
                sharing.tolerance_mw,
                certificate.gap,
            )
        return Plan(
            owners=sharing.owners,
            step_h=sharing.step_h,
            injection_mw=np.stack([worker.injection_mw for worker in self.workers]),
            assets=tuple(worker.trajectories() for worker in self.workers),
            objective=self.value,
            owner_objective=np.array([worker.objectives[-1] for worker in self.workers]),
            rounds=len(self.history),
            primal_residual_mw=last.primal_mw,
            dual_residual_mw=last.dual_mw,
            converged=converged,
            method="admm",
            history=recorded(self.history),
            lower_bound=certificate.lower,
            upper_bound=certificate.upper,
            **coupled(self.coupling, self.prices, sharing.multiplier_per_mwh, *sharing.missed_mwh()),
        )

    def agreement(self) -> Agreement:
        """Where the rounds stand; each owner remembers its own share."""
        sharing = self.sharing
        said = sharing.mismatch_mw[sharing.of]
        shares = np.stack([w.next_share_mw(mismatch) for w, mismatch in zip(self.workers, said, strict=True)])
        return Agreement(sharing.owners, sharing.step_h, shares, sharing.multiplier_per_mwh, sharing.rho)


def recorded(history: Sequence[Round]) -> Rounds:
    """The history as arrays."""
    return Rounds(
        primal_mw=np.array([one.primal_mw for one in history]),
        dual_mw=np.array([one.dual_mw for one in history]),
        rho=np.array([one.rho for one in history]),
        objective=np.array([one.objective for one in history]),
    )
