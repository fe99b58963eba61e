"""How far a plan can be from the optimum: the dual function below, the plan's own cost above.

For any multiplier λ in $/MWh within the slack prices (Boyd, Parikh, Chu, Peleato & Eckstein 2011, section 2.1, with the
coupling ``g`` of the sharing problem)

``d(λ) = Σ_i min_x [f_i(x) - Σ_k Δ_k λ_k x_k] + min_t [g(t) + Σ_k Δ_k λ_k t_k] <= optimum``.

Each owner answers its own minimum, one number in dollars; the coupling's minimum stands in closed form. Small residuals
alone prove nothing, as a large penalty makes them small anywhere: the gap does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from gridmarl.planning.assets import Coupling, per_step
from gridmarl.units import Float

SMALLEST: Final = 1e-12
"""Dollars below which two bounds count as equal, and by which a relative gap is divided at least."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """Bounds on the optimum, in dollars.

    ``upper`` is what the plan costs with its mismatch paid as slack, ``value`` what it costs with its mismatch priced
    at the multiplier: both are never below ``lower``, and equal where nothing is mismatched.
    """

    lower: float
    value: float
    upper: float

    @property
    def gap(self) -> float:
        """Dollars between the plan's value and the lower bound."""
        return self.value - self.lower

    def closes(self, tolerance: float, floor: float) -> bool:
        """Whether the gap is below this share of the plan's value, or of ``floor`` dollars where that is more."""
        return self.gap <= tolerance * max(abs(self.value), floor) + SMALLEST


def relative(gap: float, value: float) -> float:
    """A gap as a share of the value it belongs to; infinite where there is no bound."""
    return max(gap, 0.0) / max(abs(value), SMALLEST)


def admissible(coupling: Coupling, multiplier_per_mwh: Float) -> Float:
    """The multiplier (K,) moved to where the dual function is finite: between the slack prices, 0 at open ends."""
    steps = len(multiplier_per_mwh)
    lower, upper = per_step(coupling.lower_mw, steps), per_step(coupling.upper_mw, steps)
    most = np.where(np.isfinite(lower), per_step(coupling.shortage_per_mwh, steps), 0.0)
    least = np.where(np.isfinite(upper), -per_step(coupling.surplus_per_mwh, steps), 0.0)
    return np.clip(multiplier_per_mwh, least, most)


def coupling_value(coupling: Coupling, step_h: Float, multiplier_per_mwh: Float) -> float:
    """``min_t g(t) + Σ Δ λ t`` in dollars, for an admissible multiplier."""
    steps = len(step_h)
    lower, upper = per_step(coupling.lower_mw, steps), per_step(coupling.upper_mw, steps)
    bound = np.where(multiplier_per_mwh > 0, lower, np.where(multiplier_per_mwh < 0, upper, 0.0))
    return float((step_h * multiplier_per_mwh) @ bound)


def slack_mw(coupling: Coupling, total_mw: Float) -> tuple[Float, Float]:
    """Shortage and surplus (K,) of a total injection."""
    steps = len(total_mw)
    lower, upper = per_step(coupling.lower_mw, steps), per_step(coupling.upper_mw, steps)
    return np.maximum(lower - total_mw, 0.0), np.maximum(total_mw - upper, 0.0)


def slack_cost(coupling: Coupling, step_h: Float, total_mw: Float) -> float:
    """Dollars that missing the coupling's bounds costs."""
    short, over = slack_mw(coupling, total_mw)
    return float(step_h @ (coupling.shortage_per_mwh * short + coupling.surplus_per_mwh * over))
