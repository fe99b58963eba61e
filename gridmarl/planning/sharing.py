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
from gridmarl.planning.anderson import PLAIN, Anderson
from gridmarl.planning.assets import Coupling, per_step
from gridmarl.planning.totals import Totals
from gridmarl.planning.worker import SHARES, Message
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
    secure : bool
        Whether owners answer under masks that cancel in the sum (`masks`).
    memory : int
        Rounds that Anderson acceleration mixes (`anderson`), at most 30; 0 is none. Masked answers are never mixed:
        what it minimises is no sum that owners say.
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
    secure: bool = False
    memory: int = 10
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
        if not 0 <= self.memory <= SHARES - 2:
            raise ScenarioError("admm.memory", self.memory, f"from 0 to {SHARES - 2}")
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
    dual_per_mwh: float  # rho max_k ‖z_k' - z_k‖ over owners
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
        self.scale = float(np.abs(expected_per_mwh).max()) or SHARE_OF_SLACK_PRICE * cheaper  # $/MWh
        self.tolerance_mw = settings.tolerance_mw or settings.tolerance * rated_mw
        self.rated_mw = rated_mw
        self.turnover = self.scale * rated_mw * float(step_h.sum())  # $
        self._first_rho = self._rho = settings.rho or self.scale / rated_mw
        self.share_mw = np.zeros((len(owners), steps))  # the owners' own, zeros where they answer under masks
        self.injection_mw = np.zeros((len(owners), steps))
        self.total_mw = np.zeros(steps)  # Σ x_i
        self._shares_mw, self._unit_mw = np.zeros(steps), rated_mw  # Σ z_i, and of distances in masked answers
        self._mismatch, self._dual, self._target = np.zeros(steps), np.zeros(steps), np.zeros(steps)
        self._anderson, self._start = Anderson(0 if settings.secure else settings.memory), np.zeros(0)
        self._led = list[Float]()  # the last points that rounds led to

    @property
    def rho(self) -> float:
        """The penalty in $/(MW² h)."""
        return self._rho

    @property
    def multiplier_per_mwh(self) -> Float:
        """The coupling's multiplier ``-rho u`` (K,)."""
        return -self._rho * self._dual

    @property
    def mismatch_mw(self) -> Float:
        """What owners add to their over-relaxed answers next (K,)."""
        return self._mismatch

    def start(self, agreement: Agreement | None, elapsed_h: float, share_mw: Float) -> None:
        """Begin where an earlier agreement left off, from the owners' shares (N, K) or, masked, their sum (1, K)."""
        self._shares_mw = share_mw.sum(axis=0)
        if not self._settings.secure:
            self.share_mw = share_mw
        if agreement is None:
            return
        multiplier = agreement.moved(elapsed_h, self.owners, self.step_h)[1]
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
        weights = self._mix() if trail else PLAIN
        self._start = self._point()
        return Message(self._mismatch, self._dual, self._rho, self._unit_mw, weights)

    def conclude(self, answers: Float | Totals) -> Residuals:
        """Take the answers (N, K) or their sums, take the coupling's own step and measure the distance."""
        relaxation, count = self._settings.relaxation, len(self.owners)
        totals = answers if isinstance(answers, Totals) else Totals.of(answers, self.share_mw, relaxation)
        relaxed = relaxation * totals.injection_mw + (1 - relaxation) * self._shares_mw
        mean = relaxed / count
        self._target = self._coupled(relaxed + count * self._dual, self._rho / count)
        self._mismatch = self._target / count - mean
        self._dual = self._dual - self._mismatch
        if not isinstance(answers, Totals):
            self.share_mw = relaxation * answers + (1 - relaxation) * self.share_mw + self._mismatch
            self.injection_mw = answers
        residuals = self._residuals(totals, relaxed)
        self.total_mw, self._shares_mw = totals.injection_mw, relaxed + count * self._mismatch
        self._unit_mw = max(residuals.dual_mw, self.tolerance_mw)
        return residuals

    def _point(self) -> Float:
        """Where the rounds stand: the owners' shares and the scaled dual."""
        return np.concatenate([self.share_mw.ravel(), self._dual])

    def _mix(self) -> Float:
        """Move to a mix of the last points where that promises more than the last one; its weights."""
        end = self._point()
        weights = self._anderson.weights(self._start, end) if len(self._start) else PLAIN
        self._led = [*self._led[-self._settings.memory - 1 :], end]
        if len(weights) > 1:
            point = weights @ np.stack(self._led[-len(weights) :])
            self.share_mw = point[: self.share_mw.size].reshape(self.share_mw.shape)
            self._shares_mw, self._dual = self.share_mw.sum(axis=0), point[self.share_mw.size :]
        return weights

    def agrees(self, residuals: Residuals) -> bool:
        """Whether a round's residuals are all below their tolerances."""
        price = max(self.scale, float(np.abs(self._expected + self.multiplier_per_mwh).max()))
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

    def _residuals(self, totals: Totals, relaxed: Float) -> Residuals:
        """Norms over owners from their sums: with d = x - z, ``z' - z = a d + m`` and ``x - z' = (1 - a) d - m``."""
        a, m, count = self._settings.relaxation, self._mismatch, len(self.owners)
        apart_d, common = totals.injection_mw - self._shares_mw, count * m**2
        moved = np.sqrt(np.maximum(a**2 * totals.distance_mw2 + 2 * a * m * apart_d + common, 0.0))  # (K,)
        apart = np.maximum((1 - a) ** 2 * totals.distance_mw2 - 2 * (1 - a) * m * apart_d + common, 0.0).sum() ** 0.5
        share = max(totals.relaxed_mw2 + 2 * m @ relaxed + common.sum(), 0.0)
        size = max(totals.size_mw2**0.5, share**0.5, self.tolerance_mw)
        gap, dual_mw = self._target - totals.injection_mw, float(np.linalg.norm(moved))
        floor = DUAL_FLOOR * self.scale / self._rho * np.sqrt(len(self.step_h))
        dual_size = np.sqrt(count) * max(float(np.linalg.norm(self._dual)), float(floor))
        short, over = self.missed_mwh()
        return Residuals(
            primal_mw=float(np.linalg.norm(gap)),
            dual_mw=dual_mw,
            dual_per_mwh=self._rho * float(moved.max()),
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
        self._anderson.restart()
        self._start = np.zeros(0)
