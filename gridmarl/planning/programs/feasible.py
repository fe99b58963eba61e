"""Say which asset of whom makes a plan impossible: an owner's net is free, so each asset stands or falls alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from scipy.optimize import linprog

from gridmarl.errors import InfeasiblePlanError
from gridmarl.planning.model.assets import Battery, FlexibleLoad, Generator, Owner, Single, Terminal, single
from gridmarl.planning.programs.blocks import Matrices, Numbers, matrices, numbers
from gridmarl.units import Float

INFEASIBLE = 2
"""scipy's status of a linear program without a feasible point."""


def infeasible_error(owners: Sequence[Owner], step_h: Float, terminal: Terminal) -> InfeasiblePlanError | None:
    """Find the first asset that cannot obey its own limits.

    Parameters
    ----------
    owners : sequence of Owner
        Whose problem has no solution.
    step_h : array (K,)
        Hours a step.
    terminal : Terminal
        What the end of the horizon demands.

    Returns
    -------
    InfeasiblePlanError or None
        Naming owner, asset and limits; None where every asset alone has a schedule.
    """
    for owner in owners:
        for asset in owner.assets:
            if not _has_schedule(matrices(asset, step_h), numbers(asset, step_h, terminal)):
                return InfeasiblePlanError(
                    f"{owner.name}.{asset.name}",
                    _state(single(asset)),
                    _limits(single(asset)),
                    "widen its limits or start it inside them: no schedule reaches them in time",
                )
    return None


def _has_schedule(rows: Matrices, values: Numbers) -> bool:
    bounds = np.column_stack([values.lower, values.upper])
    answer = linprog(
        np.zeros(len(values.linear)),
        rows.inequality if rows.inequality.shape[0] else None,
        values.inequality_rhs if rows.inequality.shape[0] else None,
        rows.equality if rows.equality.shape[0] else None,
        values.equality_rhs if rows.equality.shape[0] else None,
        bounds,
        method="highs",
    )
    return cast(int, answer.status) != INFEASIBLE


def _state(asset: Single) -> str:
    match asset:
        case Battery():
            return f"{asset.energy_now_mwh:.6g} MWh at {asset.power_now_mw:.6g} MW now"
        case Generator():
            return f"{asset.output_now_mw:.6g} MW now"
        case FlexibleLoad():
            return f"{asset.debt_now_mwh:.6g} MWh of debt now"


def _limits(asset: Single) -> str:
    match asset:
        case Battery():
            window = f"energy {_span(asset.energy_min_mwh, asset.energy_max_mwh)} MWh"
            charge, discharge = _span(0.0, asset.charge_limit_mw), _span(0.0, asset.discharge_limit_mw)
            ramp = _span(0.0, asset.ramp_mw_per_h)
            return f"{window}, charge {charge} MW, discharge {discharge} MW, ramp {ramp} MW/h"
        case Generator():
            ramps = f"up {_span(0.0, asset.ramp_up_mw_per_h)}, down {_span(0.0, asset.ramp_down_mw_per_h)} MW/h"
            return f"output {_span(asset.minimum_mw, asset.available_mw)} MW, ramp {ramps}"
        case FlexibleLoad():
            return f"reduction {_span(0.0, asset.flexible_mw)} MW"


def _span(low: object, high: object) -> str:
    return f"[{float(np.min(np.asarray(low))):.6g}, {float(np.max(np.asarray(high))):.6g}]"
