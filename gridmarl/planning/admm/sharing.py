"""The coupling's side of ADMM: from the owners' answers to the next message, and when to stop.

It sees injections only, and adds them up by the classes of `groups`: everybody of a class hears the same. Symbols are
those of `admm`; rho adapts by residual balancing (Boyd et al. 2011, section 3.4.1) on residuals made relative as by
Wohlberg (2017), the scaled dual being rescaled with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from gridmarl.errors import ScenarioError
from gridmarl.planning.admm.anderson import PLAIN, Anderson
from gridmarl.planning.admm.totals_step import nearest_totals
from gridmarl.planning.model.assets import Coupling
from gridmarl.planning.model.groups import by_class, classes, heard, multipliers, rows_of, totals
from gridmarl.planning.model.horizon import steps_held
from gridmarl.planning.owners.totals import Totals
from gridmarl.planning.owners.worker import SHARES, Message
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
    workers : int
        Threads among which the owners of this process share their local solves (`crew`); the plan is the same.
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
    workers: int = 1
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
        if self.workers < 1:
            raise ScenarioError("admm.workers", self.workers, "at least 1")
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
    multiplier_per_mwh: Float  # (1 + G, K), of the coupling's rows
    rho: float

    def moved(self, elapsed_h: float, owners: Sequence[str], step_h: Float) -> tuple[Float, Float]:
        """Shares and multipliers at the middle of new steps that begin ``elapsed_h`` later; newcomers' shares are 0."""
        at = steps_held(self.step_h, elapsed_h, step_h)
        known = dict(zip(self.owners, self.share_mw, strict=True))
        none = np.zeros(len(self.step_h))
        shares = np.stack([known.get(owner, none)[at] for owner in owners])
        return shares, self.multiplier_per_mwh[:, at]


@dataclass(frozen=True, slots=True)
class Residuals:
    """One round's distance from agreement."""

    primal_mw: float  # ‖Σ x_i - N z̄‖ over classes and steps
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
        steps, self.of, self._rows = len(step_h), classes(coupling, owners), rows_of(coupling, len(step_h))
        self._count = np.bincount(self.of, minlength=1 + len(coupling.groups)).astype(np.float64)  # (C,)
        self._each = np.maximum(self._count, 1.0)[:, None]
        cheaper = float(np.minimum(self._rows.shortage_per_mwh, self._rows.surplus_per_mwh).min())
        self.scale = float(np.abs(expected_per_mwh).max()) or SHARE_OF_SLACK_PRICE * cheaper  # $/MWh
        self.tolerance_mw = settings.tolerance_mw or settings.tolerance * rated_mw
        self.rated_mw = rated_mw
        self.turnover = self.scale * rated_mw * float(step_h.sum())  # $
        self._first_rho = self._rho = settings.rho or self.scale / rated_mw
        self.share_mw = np.zeros((len(owners), steps))  # the owners' own, zeros where they answer under masks
        self.injection_mw = np.zeros((len(owners), steps))
        nothing = np.zeros((len(self._count), steps))  # everything below is by class, (C, K)
        self._injection, self._shares_mw, self._unit_mw = nothing, nothing, rated_mw  # Σ x_i, Σ z_i; of distances
        self._mismatch, self._dual, self._target = nothing, nothing, nothing
        self._anderson, self._start = Anderson(0 if settings.secure else settings.memory), np.zeros(0)
        self._led = list[Float]()  # the last points that rounds led to

    @property
    def rho(self) -> float:
        """The penalty in $/(MW² h)."""
        return self._rho

    @property
    def multiplier_per_mwh(self) -> Float:
        """The multipliers (1 + G, K) of the coupling's rows; ``-rho u`` is what each class hears of them."""
        return multipliers(-self._rho * self._dual)

    @property
    def mismatch_mw(self) -> Float:
        """What the owners of each class add to their over-relaxed answers next (C, K)."""
        return self._mismatch

    @property
    def total_mw(self) -> Float:
        """What each row of the coupling adds up to, (1 + G, K)."""
        return totals(self._injection)

    def start(self, agreement: Agreement | None, elapsed_h: float, share_mw: Float) -> None:
        """Begin where an earlier agreement left off, from owners' shares (N, K) or, masked, sums by class (C, K)."""
        self._shares_mw = share_mw if self._settings.secure else by_class(share_mw, self.of, len(self._count))
        if not self._settings.secure:
            self.share_mw = share_mw
        if agreement is None:
            return
        multiplier = agreement.moved(elapsed_h, self.owners, self.step_h)[1]
        self._rho = self._first_rho if self._settings.rho else agreement.rho
        if multiplier.shape == self._dual.shape:  # else other groups than before: their prices are unknown
            self._dual = -heard(multiplier) / self._rho

    def messages(self, trail: Sequence[Residuals]) -> tuple[Message, ...]:
        """What the owners of each class hear next; rho changes here, when its turn has come."""
        due = len(trail) % self._settings.adapt_every == 0 and 0 < len(trail) <= self._settings.adapt_rounds
        if due:
            self._adapt(trail[-1].ratio)
        weights = self._mix() if trail else PLAIN
        self._start = self._point()
        said = zip(self._mismatch, self._dual, strict=True)
        return tuple(Message(mismatch, dual, self._rho, self._unit_mw, weights) for mismatch, dual in said)

    def conclude(self, answers: Float | tuple[Totals, ...]) -> Residuals:
        """Take the answers (N, K) or each class's sums, take the coupling's own step and measure the distance."""
        relaxation, count = self._settings.relaxation, self._count[:, None]
        sums = Totals.stacked(answers if isinstance(answers, tuple) else self._sums(answers))
        relaxed = relaxation * sums.injection_mw + (1 - relaxation) * self._shares_mw
        self._target, common = nearest_totals(self._rows, relaxed + count * self._dual, self._count / self._rho)
        self._mismatch = (self._target - relaxed) / self._each
        self._dual = self._dual - self._mismatch
        if not self._count[0]:
            self._dual[0] = -common / self._rho  # nobody is in no group: class 0 only stands for everybody's sum
        if not isinstance(answers, tuple):
            self.share_mw = relaxation * answers + (1 - relaxation) * self.share_mw + self._mismatch[self.of]
            self.injection_mw = answers
        residuals = self._residuals(sums, relaxed)
        self._injection, self._shares_mw = sums.injection_mw, relaxed + count * self._mismatch
        self._unit_mw = max(residuals.dual_mw, self.tolerance_mw)
        return residuals

    def _point(self) -> Float:
        """Where the rounds stand: the owners' shares and what each class with an owner hears as scaled dual."""
        return np.concatenate([self.share_mw.ravel(), self._dual[self._count > 0].ravel()])

    def _mix(self) -> Float:
        """Move to a mix of the last points where that promises more than the last one; its weights."""
        end = self._point()
        weights = self._anderson.weights(self._start, end) if len(self._start) else PLAIN
        self._led = [*self._led[-self._settings.memory - 1 :], end]
        if len(weights) > 1:
            point = weights @ np.stack(self._led[-len(weights) :])
            shares, duals = np.split(point, [self.share_mw.size])
            self.share_mw = shares.reshape(self.share_mw.shape)
            self._shares_mw, self._dual = by_class(self.share_mw, self.of, len(self._count)), self._dual.copy()
            self._dual[self._count > 0] = duals.reshape(-1, len(self.step_h))
        return weights

    def agrees(self, residuals: Residuals) -> bool:
        """Whether a round's residuals are all below their tolerances."""
        price = max(self.scale, float(np.abs(self._expected - self._rho * self._dual).max()))
        return (
            residuals.primal_mw <= self.tolerance_mw
            and residuals.dual_mw <= self.tolerance_mw
            and residuals.dual_per_mwh <= self._settings.price_tolerance * price
        )

    def missed_mwh(self) -> tuple[Float, Float]:
        """Shortage and surplus (1 + G, K) that the coupling accepts and prices."""
        total = totals(self._target)
        short, over = np.maximum(self._rows.lower_mw - total, 0.0), np.maximum(total - self._rows.upper_mw, 0.0)
        return short * self.step_h, over * self.step_h

    def _sums(self, answers: Float) -> tuple[Totals, ...]:
        """Each class's sums of answers (N, K)."""
        inside = [self.of == c for c in range(len(self._count))]
        return tuple(Totals.of(answers[i], self.share_mw[i], self._settings.relaxation) for i in inside)

    def _residuals(self, sums: Totals, relaxed: Float) -> Residuals:
        """Norms over owners from their sums: with d = x - z, ``z' - z = a d + m`` and ``x - z' = (1 - a) d - m``."""
        a, m = self._settings.relaxation, self._mismatch
        apart_d, common = m * (sums.injection_mw - self._shares_mw), self._count[:, None] * m**2
        moved2 = a**2 * sums.distance_mw2 + 2 * a * apart_d + common
        moved = np.sqrt(np.maximum(moved2.sum(axis=0), 0.0))  # (K,)
        apart2 = (1 - a) ** 2 * sums.distance_mw2 - 2 * (1 - a) * apart_d + common
        apart = np.maximum(apart2.sum(axis=0), 0.0).sum() ** 0.5
        share = max(sums.relaxed_mw2 + float((2 * m * relaxed + common).sum()), 0.0)
        size = max(sums.size_mw2**0.5, share**0.5, self.tolerance_mw)
        gap, dual_mw = self._target - sums.injection_mw, float(np.linalg.norm(moved))
        floor = DUAL_FLOOR * self.scale / self._rho * np.sqrt(len(self.step_h))
        heard_by_all = float(np.sqrt(self._count @ (self._dual**2).sum(axis=1)))
        dual_size = max(heard_by_all, float(np.sqrt(self._count.sum()) * floor))
        short, over = self.missed_mwh()
        priced = self._rows.shortage_per_mwh * short + self._rows.surplus_per_mwh * over
        return Residuals(
            primal_mw=float(np.linalg.norm(gap)),
            dual_mw=dual_mw,
            dual_per_mwh=self._rho * float(moved.max()),
            rho=self._rho,
            ratio=float((apart / size) / max(dual_mw / dual_size, np.finfo(float).tiny)),
            coupling_cost=float(priced.sum() - self._rho * np.sum(self.step_h * self._dual * gap)),
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
