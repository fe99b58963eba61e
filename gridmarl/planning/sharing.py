"""The coupling's side of ADMM: from the owners' answers to the next message, and when to stop.

It sees injections only. Symbols are those of `admm`; rho adapts by residual balancing (Boyd et al. 2011, section 3.4.1)
on residuals made relative as by Wohlberg (2017), the scaled dual being rescaled with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from gridmarl.errors import ScenarioError
from gridmarl.planning.assets import Coupling, per_step
from gridmarl.planning.worker import Message
from gridmarl.units import Float

SHARE_OF_SLACK_PRICE: Final = 0.1
"""First guess of the price scale where the expected price is 0: this share of the cheaper slack price."""
DUAL_FLOOR: Final = 0.1
"""The dual residual is relative to the multiplier, or to this share of the price scale where nothing binds."""


@dataclass(frozen=True, slots=True)
class AdmmSettings:
    """How ADMM runs.

    Attributes
    ----------
    tolerance : float
        Both residuals must fall below this share of the largest rating among the owners ...
    tolerance_mw : float, optional
        ... or below this many MW, where given.
    price_tolerance : float
        The last movement of z, priced at rho, must fall below this share of the price: a large rho alone moves nothing.
    gap_tolerance : float, optional
        Once the residuals agree, the duality gap must fall below this share of the objective too; None asks for none.
    max_rounds : int
        After that the plan is marked as not converged.
    relaxation : float
        Over-relaxation, from 1 (none) to below 2.
    rho : float, optional
        First penalty in $/(MW² h); by default the price scale over the largest rating.
    adapt_every, adapt_rounds : int
        rho may change every so many rounds until so many have passed; from then on it is fixed, as convergence needs.
    balance, factor, span : float
        rho changes where the relative residuals differ by more than ``balance``, at most by ``factor`` at once, and
        stays within a factor ``span`` of the first.
    """

    tolerance: float = 1e-4
    tolerance_mw: float | None = None
    price_tolerance: float = 1e-3
    gap_tolerance: float | None = 1e-3
    max_rounds: int = 500
    relaxation: float = 1.6
    rho: float | None = None
    adapt_every: int = 10
    adapt_rounds: int = 150
    balance: float = 3.0
    factor: float = 3.0
    span: float = 1e4

    def __post_init__(self) -> None:
        if not 1.0 <= self.relaxation < 2.0:
            raise ScenarioError("admm.relaxation", self.relaxation, "in [1, 2)")
        if self.max_rounds < 1:
            raise ScenarioError("admm.max_rounds", self.max_rounds, "at least 1")
        positive = (self.tolerance, self.tolerance_mw, self.gap_tolerance, self.rho)
        if any(value is not None and value <= 0 for value in positive):
            raise ScenarioError("admm", positive, "positive tolerances and rho")


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """Where the rounds ended: the start of the next plan."""

    owners: tuple[str, ...]
    step_h: Float  # (K,)
    share_mw: Float  # (N, K)
    multiplier_per_mwh: Float  # (K,)
    rho: float

    def moved(self, elapsed_h: float, owners: Sequence[str], step_h: Float) -> tuple[Float, Float]:
        """Shares and multiplier at the middle of new steps that begin ``elapsed_h`` later; newcomers' shares are 0."""
        middle = elapsed_h + np.cumsum(step_h) - step_h / 2
        at = np.minimum(np.searchsorted(np.cumsum(self.step_h), middle), len(self.step_h) - 1)
        known = dict(zip(self.owners, self.share_mw, strict=True))
        none = np.zeros(len(self.step_h))
        shares = np.stack([known.get(owner, none)[at] for owner in owners])
        return shares, self.multiplier_per_mwh[at]


@dataclass(frozen=True, slots=True)
class Residuals:
    """One round's distance from agreement."""

    primal_mw: float  # ‖Σ x_i - N z̄‖ over the steps
    dual_mw: float  # ‖z_i' - z_i‖ over owners and steps
    dual_per_mwh: float  # rho max |z_i' - z_i|
    rho: float  # $/(MW² h)
    ratio: float  # relative primal over relative dual residual
    coupling_cost: float  # $ of slack, and of the mismatch at the multiplier


class Sharing:
    """State of the coupling between rounds.

    Parameters
    ----------
    owners : sequence of str
        N names.
    step_h : array (K,)
        Hours a step.
    coupling : Coupling
        Bounds and slack prices.
    expected_per_mwh : array (K,)
        Public expected price.
    rated_mw : float
        Largest declared rating.
    settings : AdmmSettings
        Tolerances and penalty.
    """

    def __init__(
        self,
        owners: tuple[str, ...],
        step_h: Float,
        coupling: Coupling,
        expected_per_mwh: Float,
        rated_mw: float,
        settings: AdmmSettings,
    ) -> None:
        self.owners, self.step_h, self._settings, self._expected = owners, step_h, settings, expected_per_mwh
        steps = len(step_h)
        self._lower, self._upper = per_step(coupling.lower_mw, steps), per_step(coupling.upper_mw, steps)
        self._shortage = per_step(coupling.shortage_per_mwh, steps)
        self._surplus = per_step(coupling.surplus_per_mwh, steps)
        cheaper = float(np.minimum(self._shortage, self._surplus).min())
        self._scale = float(np.abs(expected_per_mwh).max()) or SHARE_OF_SLACK_PRICE * cheaper  # $/MWh
        self.tolerance_mw = settings.tolerance_mw or settings.tolerance * rated_mw
        self.turnover = self._scale * rated_mw * float(step_h.sum())  # $
        self._first_rho = self._rho = settings.rho or self._scale / rated_mw
        self.share_mw = np.zeros((len(owners), steps))
        self.injection_mw = np.zeros((len(owners), steps))
        self._mismatch, self._dual, self._target = np.zeros(steps), np.zeros(steps), np.zeros(steps)

    @property
    def rho(self) -> float:
        """The penalty in $/(MW² h)."""
        return self._rho

    @property
    def multiplier_per_mwh(self) -> Float:
        """The coupling's multiplier ``-rho u`` (K,)."""
        return -self._rho * self._dual

    def start(self, agreement: Agreement | None, elapsed_h: float) -> None:
        """Begin where an earlier agreement, moved forward in time, left off."""
        if agreement is None:
            return
        self.share_mw, multiplier = agreement.moved(elapsed_h, self.owners, self.step_h)
        self._rho = self._first_rho if self._settings.rho else agreement.rho
        self._dual = -multiplier / self._rho

    def agreement(self) -> Agreement:
        """Where the rounds stand."""
        return Agreement(self.owners, self.step_h, self.share_mw, self.multiplier_per_mwh, self._rho)

    def message(self, trail: Sequence[Residuals]) -> Message:
        """What every owner hears next; rho changes here, when its turn has come."""
        due = len(trail) % self._settings.adapt_every == 0 and 0 < len(trail) <= self._settings.adapt_rounds
        if due:
            self._adapt(trail[-1].ratio)
        return Message(self._mismatch, self._dual, self._rho)

    def conclude(self, injection_mw: Float) -> Residuals:
        """Take the answers (N, K), take the coupling's own step and measure the distance."""
        relaxation, count = self._settings.relaxation, len(self.owners)
        relaxed = relaxation * injection_mw + (1 - relaxation) * self.share_mw
        mean = relaxed.mean(axis=0)
        self._target = self._coupled(count * (mean + self._dual), self._rho / count)
        self._mismatch = self._target / count - mean
        self._dual = self._dual - self._mismatch
        before, self.share_mw, self.injection_mw = self.share_mw, relaxed + self._mismatch, injection_mw
        return self._residuals(self.share_mw - before)

    def agrees(self, residuals: Residuals) -> bool:
        """Whether a round's residuals are all below their tolerances."""
        price = max(self._scale, float(np.abs(self._expected + self.multiplier_per_mwh).max()))
        return (
            residuals.primal_mw <= self.tolerance_mw
            and residuals.dual_mw <= self.tolerance_mw
            and residuals.dual_per_mwh <= self._settings.price_tolerance * price
        )

    def missed_mwh(self) -> tuple[Float, Float]:
        """Shortage and surplus (K,) that the coupling accepts and prices."""
        short = np.maximum(self._lower - self._target, 0.0)
        return short * self.step_h, np.maximum(self._target - self._upper, 0.0) * self.step_h

    def _coupled(self, wish: Float, weight: float) -> Float:
        """``argmin_t g(t) + weight/2 (t - wish)²``: the bound, or short of it where slack is worth its price."""
        up = np.minimum(wish + self._shortage / weight, self._lower)
        down = np.maximum(wish - self._surplus / weight, self._upper)
        return np.where(wish < self._lower, up, np.where(wish > self._upper, down, wish))

    def _residuals(self, movement: Float) -> Residuals:
        gap = self._target - self.injection_mw.sum(axis=0)
        dual_mw = float(np.linalg.norm(movement))
        size = max(float(np.linalg.norm(self.injection_mw)), float(np.linalg.norm(self.share_mw)), self.tolerance_mw)
        floor = DUAL_FLOOR * self._scale / self._rho * np.sqrt(len(self.step_h))
        dual_size = np.sqrt(len(self.owners)) * max(float(np.linalg.norm(self._dual)), float(floor))
        apart = float(np.linalg.norm(self.injection_mw - self.share_mw))
        short, over = self.missed_mwh()
        return Residuals(
            primal_mw=float(np.linalg.norm(gap)),
            dual_mw=dual_mw,
            dual_per_mwh=self._rho * float(np.abs(movement).max()),
            rho=self._rho,
            ratio=float((apart / size) / max(dual_mw / dual_size, np.finfo(float).tiny)),
            coupling_cost=float(
                self._shortage @ short + self._surplus @ over + (self.step_h * self.multiplier_per_mwh) @ gap
            ),
        )

    def _adapt(self, ratio: float) -> None:
        settings = self._settings
        if 1 / settings.balance < ratio < settings.balance:
            return
        wish = self._rho * min(max(np.sqrt(ratio), 1 / settings.factor), settings.factor)
        rho = float(min(max(wish, self._first_rho / settings.span), self._first_rho * settings.span))
        self._dual, self._rho = self._dual * self._rho / rho, rho
