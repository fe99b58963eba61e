"""One unit of a fleet before it becomes a participant, its linear-quadratic cost, and units drawn from a seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from gridmarl.scenario.fleet_classes import CLASSES, RTS, Draw, Range

KG_PER_LB: Final = 0.45359237
BTU_PER_KWH_TO_MMBTU_PER_MWH: Final = 1e-3
MINUTES_PER_HOUR: Final = 60.0


@dataclass(frozen=True, slots=True)
class CostFit:
    """The cost of an hour at output p, in $: a p + b p²."""

    cost_per_mwh: float  # a
    cost_per_mw2h: float  # b
    worst_share: float = 0.0  # largest error at the points it was fitted to, of the cost there
    full_load_share: float = 0.0  # error at the last of them, of the cost there


@dataclass(frozen=True, slots=True)
class Unit:
    """A row of a fleet."""

    name: str
    group: str  # a key of CLASSES
    capacity_mw: float  # 0 for a synchronous condenser
    minimum_mw: float
    ramp_mw_per_h: float
    cost: CostFit
    co2_kg_per_mwh: float
    start_cost: float  # $

    @property
    def full_load_per_mwh(self) -> float:
        """Average cost at full load, the order of merit."""
        return self.cost.cost_per_mwh + self.cost.cost_per_mw2h * self.capacity_mw


def fit_cost(mw: Sequence[float], dollars_per_h: Sequence[float]) -> CostFit:
    """Least squares of a p + b p² to points of a cost curve, with a >= 0 and b >= 0.

    The market's generators have no cost at zero output, and offers must rise. Curves whose average cost falls with
    output, as heat rates do, are therefore fitted by a straight line through zero, which is too low at part load: the
    errors say by how much.

    Parameters
    ----------
    mw : sequence of float
        Outputs above zero, ascending.
    dollars_per_h : sequence of float
        Cost of an hour at each.

    Returns
    -------
    CostFit
        The coefficients and their errors.
    """
    p, cost = np.asarray(mw, np.float64), np.asarray(dollars_per_h, np.float64)
    terms = np.stack([p, p**2], axis=1)
    candidates = [np.array([p @ cost / (p @ p), 0.0]), np.array([0.0, p**2 @ cost / (p**2 @ p**2)])]
    if len(p) > 1:
        candidates.append(np.linalg.lstsq(terms, cost, rcond=None)[0])
    possible = [c for c in candidates if (c >= 0).all()]
    best = min(possible, key=lambda c: float(np.sum((terms @ c - cost) ** 2)))
    errors = (terms @ best - cost) / np.maximum(cost, 1e-12) if cost.any() else np.zeros_like(cost)
    return CostFit(float(best[0]), float(best[1]), float(np.abs(errors).max()), float(errors[-1]))


def draw_units(seed: int) -> tuple[Unit, ...]:
    """A fleet of RTS-GMLC's shape, drawn class by class within the ranges of :data:`RTS`.

    Parameters
    ----------
    seed : int
        The same seed gives the same fleet. Each class has a stream of its own.
    """
    units: list[Unit] = []
    for stream, (group, draw) in enumerate(RTS.items()):
        rng = np.random.default_rng([seed, stream])
        width = len(str(draw.count))
        units += [_draw_unit(f"{group}_{i:0{width}d}", group, draw, rng) for i in range(1, draw.count + 1)]
    return tuple(units)


def _draw_unit(name: str, group: str, draw: Draw, rng: np.random.Generator) -> Unit:
    def pick(bounds: Range) -> float:
        return float(rng.uniform(*bounds))

    capacity = round(pick(draw.capacity_mw), 1)
    heat = pick(draw.heat_rate_btu_per_kwh) * BTU_PER_KWH_TO_MMBTU_PER_MWH
    full_load_per_mwh, rise = heat * pick(draw.fuel_per_mmbtu), pick(draw.rise_share)
    # a + b P is the average cost at full load P, and the marginal cost rises from a to a (1 + rise)
    linear = full_load_per_mwh / (1.0 + rise / 2.0)
    quadratic = linear * rise / (2.0 * capacity) if capacity else 0.0
    minimum, ramp = pick(draw.minimum_share) * capacity, pick(draw.ramp_share_per_min) * capacity * MINUTES_PER_HOUR
    co2 = heat * pick(draw.co2_lb_per_mmbtu) * KG_PER_LB
    return Unit(
        name=name,
        group=group,
        capacity_mw=capacity,
        minimum_mw=round(minimum, 1),
        ramp_mw_per_h=round(ramp, 1),
        cost=CostFit(round(linear, 4), round(quadratic, 7)),
        co2_kg_per_mwh=round(co2, 1),
        start_cost=round(pick(draw.start_per_mw) * capacity, 0),
    )


def committed(units: Sequence[Unit], share: float) -> frozenset[str]:
    """Names of the fuelled units that stay on at their minimum: the cheapest, up to this share of the fuelled capacity.

    All units are always on, so that keeping every minimum could exceed the load that sun and wind leave; the others
    therefore offer from zero, as if they could be switched for nothing.

    Parameters
    ----------
    units : sequence of Unit
        A fleet.
    share : float
        Of the capacity of its fuelled units, 0 to 1.
    """
    fuelled = [u for u in units if CLASSES[u.group].role == "fuel"]
    limit = share * sum(u.capacity_mw for u in fuelled) + 1e-9
    kept: set[str] = set()
    total = 0.0
    for unit in sorted(fuelled, key=lambda u: (u.full_load_per_mwh, u.name)):
        total += unit.capacity_mw
        if total > limit:
            break
        kept.add(unit.name)
    return frozenset(kept)
