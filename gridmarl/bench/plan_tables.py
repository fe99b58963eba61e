"""The numbers behind a plan's pictures as tidy tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np

from gridmarl.bench.planned_run import PlannedRun
from gridmarl.planning.model.plan import BatteryPlan, Plan
from gridmarl.planning.model.risk import cvar
from gridmarl.planning.planner import Planned
from gridmarl.units import Float

if TYPE_CHECKING:
    import pandas as pd

LEVELS = (0.1, 0.25, 0.75, 0.9)
"""Quantiles of the price scenarios."""


def edges_h(planned: Planned) -> Float:
    """Hours since the start of the episode at which the plan's steps begin and end (K + 1,)."""
    begin = planned.interval * planned.outlook.horizon.interval_h
    return begin + np.concatenate([[0.0], np.cumsum(planned.plan.step_h)])


def total_mw(plan: Plan) -> Float:
    """Net load of all owners (K,): what they take from the grid, minus their injection."""
    return -plan.injection_mw.sum(axis=0)


def price_quantile(planned: Planned, level: float) -> Float:
    """Quantile of the price scenarios by their probabilities (K,), $/MWh: the least price that reaches the level."""
    prices = planned.outlook.prices
    order = np.argsort(prices.per_mwh, axis=0)
    reached = np.cumsum(prices.probability[order], axis=0) >= level - 1e-12
    return np.take_along_axis(np.take_along_axis(prices.per_mwh, order, axis=0), reached.argmax(axis=0)[None], 0)[0]


def plan_table(run: PlannedRun, planned: Planned) -> pd.DataFrame:
    """Every number of the plan, a row a step, owner, asset and name; a transformer stands as an asset of nobody."""
    import pandas as pd

    edges = edges_h(planned)
    base = {"step": np.arange(len(edges) - 1), "start_h": edges[:-1], "end_h": edges[1:]}
    frames = [
        pd.DataFrame({**base, "owner": owner, "asset": asset, "name": name, "value": values})
        for owner, asset, name, values in _series(run, planned)
    ]
    return pd.concat(frames, ignore_index=True)


def _series(run: PlannedRun, planned: Planned) -> Iterator[tuple[str, str, str, Float]]:
    plan, prices = planned.plan, planned.outlook.prices
    yield "", "", "expected_price_per_mwh", prices.expected_per_mwh
    for level in LEVELS:
        yield "", "", f"price_q{level * 100:.0f}_per_mwh", price_quantile(planned, level)
    yield "", "", "multiplier_per_mwh", plan.multiplier_per_mwh
    yield "", "", "price_per_mwh", plan.price_per_mwh
    yield "", "", "net_load_mw", total_mw(plan)
    if run.before is not None:
        yield "", "", "net_load_selfish_mw", total_mw(run.before)
    for group in plan.groups:
        inside = [owner in group.members for owner in plan.owners]
        yield "", group.name, "net_load_mw", -plan.injection_mw[inside].sum(axis=0)
        yield "", group.name, "multiplier_per_mwh", group.multiplier_per_mwh
    for owner, injection, assets in zip(plan.owners, plan.injection_mw, plan.assets, strict=True):
        yield owner, "", "injection_mw", injection
        for asset in assets:
            if isinstance(asset, BatteryPlan):
                yield owner, asset.name, "overlap_mw", np.maximum(asset.overlap_mw, 0.0)
            for f in fields(asset):
                values = getattr(asset, f.name)
                if isinstance(values, np.ndarray):
                    yield owner, asset.name, f.name, values.astype(np.float64)


def risk_table(planned: Planned) -> pd.DataFrame:
    """Revenue of every owner's schedule in every scenario, $, beside the owner's expectation and CVaR."""
    import pandas as pd

    prices = planned.outlook.prices
    gains = planned.plan.revenue(prices)
    frames = [
        pd.DataFrame(
            {
                "owner": owner.name,
                "beta": owner.beta,
                "scenario": np.arange(len(gain)),
                "probability": prices.probability,
                "revenue": gain,
                "expected_revenue": float(prices.probability @ gain),
                "cvar_revenue": cvar(gain, prices.probability, prices.alpha),
                "alpha": prices.alpha,
            }
        )
        for owner, gain in zip(planned.outlook.owners, gains, strict=True)
    ]
    return pd.concat(frames, ignore_index=True)
