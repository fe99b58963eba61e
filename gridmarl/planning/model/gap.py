"""How far a plan can be from the optimum: the dual function below, the plan's own cost above.

For any multiplier λ in $/MWh within the slack prices (Boyd, Parikh, Chu, Peleato & Eckstein 2011, section 2.1, with the
coupling ``g`` of the sharing problem)

``d(λ) = Σ_i min_x [f_i(x) - Σ_k Δ_k λ_k x_k] + min_t [g(t) + Σ_k Δ_k λ_k t_k] <= optimum``.

With groups each row of the coupling has its own λ and t, and an owner hears the sum of its rows' (`groups`).

Each owner answers its own minimum, one number in dollars; the coupling's minimum stands in closed form. Small residuals
alone prove nothing, as a large penalty makes them small anywhere: the gap does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from gridmarl.planning.model.assets import Coupling
from gridmarl.planning.model.groups import Rows, rows_of
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
    """The multiplier moved to where the dual function is finite: between the slack prices, 0 at open ends.

    Like all that follows here it takes rows (1 + G, K) as `groups` orders them, or (K,) where there are no groups.
    """
    rows, shape = _rows(coupling, multiplier_per_mwh), multiplier_per_mwh.shape
    most = np.where(np.isfinite(rows.lower_mw), rows.shortage_per_mwh, 0.0)
    least = np.where(np.isfinite(rows.upper_mw), -rows.surplus_per_mwh, 0.0)
    return np.clip(multiplier_per_mwh, least.reshape(shape), most.reshape(shape))


def coupling_value(coupling: Coupling, step_h: Float, multiplier_per_mwh: Float) -> float:
    """``min_t g(t) + Σ Δ λ t`` in dollars, for an admissible multiplier."""
    rows, multiplier = _rows(coupling, multiplier_per_mwh), np.atleast_2d(multiplier_per_mwh)
    bound = np.where(multiplier > 0, rows.lower_mw, np.where(multiplier < 0, rows.upper_mw, 0.0))
    return float(np.sum(step_h * multiplier * bound))


def slack_mw(coupling: Coupling, total_mw: Float) -> tuple[Float, Float]:
    """Shortage and surplus, in the shape of the totals."""
    rows, shape = _rows(coupling, total_mw), total_mw.shape
    short, over = rows.lower_mw - total_mw, total_mw - rows.upper_mw
    return np.maximum(short, 0.0).reshape(shape), np.maximum(over, 0.0).reshape(shape)


def slack_cost(coupling: Coupling, step_h: Float, total_mw: Float) -> float:
    """Dollars that missing the coupling's bounds costs."""
    rows = _rows(coupling, total_mw)
    short, over = (np.atleast_2d(part) for part in slack_mw(coupling, total_mw))
    return float(np.sum(step_h * (rows.shortage_per_mwh * short + rows.surplus_per_mwh * over)))


def _rows(coupling: Coupling, values: Float) -> Rows:
    """The coupling's rows, where the values have as many."""
    rows = rows_of(coupling, values.shape[-1])
    assert np.atleast_2d(values).shape == rows.lower_mw.shape, "one row for everybody and one for each group"
    return rows
