"""Each asset as rows and columns: matrices that its kind fixes, and numbers that change from one plan to the next.

An asset's variables are K values of each of its trajectories, in MW or MWh, energies and debts at the end of a step:
battery (charge, discharge, energy; of a vehicle also missing), generator (output), load (reduction, debt).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gridmarl.planning.model import vehicles
from gridmarl.planning.model.assets import (
    Asset,
    Battery,
    Branched,
    FlexibleLoad,
    Generator,
    PerStep,
    Single,
    Terminal,
    per_step,
)
from gridmarl.planning.model.branches import Branches
from gridmarl.planning.model.plan import AssetPlan, BatteryPlan, GeneratorPlan, LoadPlan, joined
from gridmarl.planning.model.sparse import Sparse, banded, diagonal, rows, stack, zeros
from gridmarl.units import Float, Int

WINDOW_TOLERANCE = 1e-9
"""A state this share of its window outside it counts as on its edge: dust must not make a plan infeasible."""


@dataclass(frozen=True, slots=True, eq=False)
class Matrices:
    """What only the asset's kind, efficiencies and step lengths decide (n variables)."""

    equality: Sparse  # (m, n)
    inequality: Sparse  # (p, n)
    net: Sparse  # (K, n): injection = net y + offset


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """What changes between re-plans."""

    linear: Float  # (n,) $ per MW or MWh
    constant: float  # $
    equality_rhs: Float  # (m,)
    inequality_rhs: Float  # (p,) MW
    lower: Float  # (n,)
    upper: Float  # (n,)
    offset: Float  # (K,) MW


def structure_key(asset: Asset, step_h: Float) -> tuple[object, ...]:
    """What decides an asset's matrices and quadratic cost; two equal keys may share them."""
    match asset:
        case Battery():
            efficiencies = (asset.charge_efficiency, asset.discharge_efficiency)
            ramps = _finite(asset.ramp_mw_per_h, step_h).tobytes()
            return ("battery", *efficiencies, asset.wear_per_mw2h, ramps, vehicles.structure(asset, len(step_h)))
        case Generator():
            ramps = (asset.ramp_up_mw_per_h, asset.ramp_down_mw_per_h)
            return ("generator", asset.cost_per_mw2h, *(_finite(ramp, step_h).tobytes() for ramp in ramps))
        case FlexibleLoad():
            return ("load", asset.rebound_share, asset.rebound_h)
        case Branches():
            own = structure_key(asset.single, asset.step_h)
            return ("branches", asset.probability.tobytes(), asset.step_h.tobytes(), *own)


def quadratic(asset: Asset, step_h: Float) -> Float:
    """Diagonal of P in ``1/2 y' P y`` (n,), $/MW²."""
    match asset:
        case Battery():
            power = 2 * asset.wear_per_mw2h * step_h
            rest = np.zeros(len(step_h) if asset.drives else 0)
            return np.concatenate([power, power, np.zeros_like(step_h), rest])
        case Generator():
            return 2 * asset.cost_per_mw2h * step_h
        case FlexibleLoad():
            return np.zeros(2 * len(step_h))
        case Branches():
            return asset.weighed(quadratic(asset.single, asset.step_h))


def matrices(asset: Asset, step_h: Float) -> Matrices:
    """Rows and columns of one asset, in MW and MWh."""
    match asset:
        case Battery():
            piece = _battery_matrices(asset, step_h)
            return (
                Matrices(*vehicles.widen(asset, piece.equality, piece.inequality, piece.net)) if asset.drives else piece
            )
        case Generator():
            return _generator_matrices(asset, step_h)
        case FlexibleLoad():
            return _load_matrices(asset, step_h)
        case Branches():
            piece = matrices(asset.single, asset.step_h)
            tied = asset.tied(piece.equality, _decisions(asset.single))
            return Matrices(tied, asset.copied(piece.inequality), asset.copied(piece.net))


def numbers(asset: Asset, step_h: Float, terminal: Terminal) -> Numbers:
    """Costs, bounds and right-hand sides of one asset, in $, MW and MWh."""
    match asset:
        case Battery():
            values = _battery_numbers(asset, step_h, terminal)
            return _with_trips(asset, values, len(step_h)) if asset.drives else values
        case Generator():
            return _generator_numbers(asset, step_h)
        case FlexibleLoad():
            return _load_numbers(asset, step_h, terminal)
        case Branches():
            return _branched_numbers(asset, numbers(asset.single, asset.step_h, terminal))


def read(asset: Asset, step_h: Float, values: Float) -> AssetPlan:
    """Turn an asset's solved variables (n,) in MW and MWh into its trajectories."""
    parts = values.reshape(-1, len(asset.step_h if isinstance(asset, Branches) else step_h))
    match asset:
        case Battery():
            if asset.drives:
                return vehicles.read_plan(asset, parts)
            return BatteryPlan(asset.name, parts[0], parts[1], parts[2])
        case Generator():
            return GeneratorPlan(asset.name, parts[0])
        case FlexibleLoad():
            payback = np.append(asset.debt_now_mwh, parts[1][:-1]) / _rebound_h(asset, step_h)
            return LoadPlan(asset.name, per_step(asset.baseline_mw, len(step_h)), parts[0], payback, parts[1])
        case Branches():
            return joined([read(asset.single, asset.step_h, part) for part in values.reshape(asset.count, -1)])


def _decisions(asset: Single) -> int:
    """How many of an asset's trajectories are decided; the others follow from them."""
    return 2 if isinstance(asset, Battery) else 1


def _branched_numbers(asset: Branched, values: Numbers) -> Numbers:
    """An asset's numbers for all its scenarios."""
    return Numbers(
        linear=asset.weighed(values.linear),
        constant=values.constant,
        equality_rhs=np.concatenate([asset.repeated(values.equality_rhs), asset.ties(_decisions(asset.single))]),
        inequality_rhs=asset.repeated(values.inequality_rhs),
        lower=asset.repeated(values.lower),
        upper=asset.repeated(values.upper),
        offset=asset.repeated(values.offset),
    )


def _battery_matrices(asset: Battery, step_h: Float) -> Matrices:
    k = len(step_h)
    one, none = diagonal(np.ones(k)), zeros(k, k)
    stored = banded(np.ones(k), -np.ones(k - 1))
    equality = stack(
        [[diagonal(-asset.charge_efficiency * step_h), diagonal(step_h / asset.discharge_efficiency), stored]]
    )
    change = rows(banded(np.ones(k), -np.ones(k - 1)), _finite(asset.ramp_mw_per_h, step_h))
    still = zeros(change.shape[0], k)
    ramps = stack([[-change, change, still], [change, -change, still]])
    return Matrices(equality, ramps, stack([[-one, one, none]]))


def _battery_numbers(asset: Battery, step_h: Float, terminal: Terminal) -> Numbers:
    k = len(step_h)
    low, high = per_step(asset.energy_min_mwh, k), per_step(asset.energy_max_mwh, k)
    now = _on_edge(asset.energy_now_mwh, float(low[0]), float(high[0]))
    if terminal.keep_energy:
        low = np.append(low[:-1], min(max(low[-1], now), high[-1]))
    wear, value = per_step(asset.wear_per_mwh, k) * step_h, _at_end(k, -terminal.stored_energy_price)
    limits = per_step(asset.charge_limit_mw, k), per_step(asset.discharge_limit_mw, k)
    return Numbers(
        linear=np.concatenate([wear, wear, value]),
        constant=terminal.stored_energy_price * now,
        equality_rhs=_at_start(k, now),
        inequality_rhs=np.concatenate(
            [
                _ramp_rhs(asset.ramp_mw_per_h, step_h, asset.power_now_mw),
                _ramp_rhs(asset.ramp_mw_per_h, step_h, -asset.power_now_mw),
            ]
        ),
        lower=np.concatenate([np.zeros(2 * k), low]),
        upper=np.concatenate([*limits, high]),
        offset=np.zeros(k),
    )


def _with_trips(asset: Battery, values: Numbers, steps: int) -> Numbers:
    """A battery's numbers with those of its trips behind them."""
    trips = vehicles.trips(asset, steps)
    return Numbers(
        linear=np.concatenate([values.linear, trips.linear]),
        constant=values.constant,
        equality_rhs=values.equality_rhs - trips.taken,
        inequality_rhs=np.concatenate([values.inequality_rhs, trips.inequality_rhs]),
        lower=np.concatenate([values.lower, np.zeros_like(trips.upper)]),
        upper=np.concatenate([values.upper, trips.upper]),
        offset=values.offset,
    )


def _generator_matrices(asset: Generator, step_h: Float) -> Matrices:
    k = len(step_h)
    change = banded(np.ones(k), -np.ones(k - 1))
    up, down = _finite(asset.ramp_up_mw_per_h, step_h), _finite(asset.ramp_down_mw_per_h, step_h)
    return Matrices(zeros(0, k), stack([[rows(change, up)], [-rows(change, down)]]), diagonal(np.ones(k)))


def _generator_numbers(asset: Generator, step_h: Float) -> Numbers:
    k = len(step_h)
    return Numbers(
        linear=per_step(asset.cost_per_mwh, k) * step_h,
        constant=0.0,
        equality_rhs=np.zeros(0),
        inequality_rhs=np.concatenate(
            [
                _ramp_rhs(asset.ramp_up_mw_per_h, step_h, asset.output_now_mw),
                _ramp_rhs(asset.ramp_down_mw_per_h, step_h, -asset.output_now_mw),
            ]
        ),
        lower=per_step(asset.minimum_mw, k),
        upper=per_step(asset.available_mw, k),
        offset=np.zeros(k),
    )


def _load_matrices(asset: FlexibleLoad, step_h: Float) -> Matrices:
    k = len(step_h)
    rebound_h = _rebound_h(asset, step_h)
    debt = banded(np.ones(k), -(1 - step_h / rebound_h)[1:])
    payback = banded(np.zeros(k), -1 / rebound_h[1:])
    equality = stack([[diagonal(-asset.rebound_share * step_h), debt]])
    return Matrices(equality, zeros(0, 2 * k), stack([[diagonal(np.ones(k)), payback]]))


def _load_numbers(asset: FlexibleLoad, step_h: Float, terminal: Terminal) -> Numbers:
    k = len(step_h)
    rebound_h = _rebound_h(asset, step_h)
    comfort = per_step(asset.comfort_cost_per_mwh, k) * step_h
    return Numbers(
        linear=np.concatenate([comfort, _at_end(k, terminal.stored_energy_price)]),
        constant=0.0,
        equality_rhs=_at_start(k, asset.debt_now_mwh * (1 - step_h[0] / rebound_h[0])),
        inequality_rhs=np.zeros(0),
        lower=np.zeros(2 * k),
        upper=np.concatenate([per_step(asset.flexible_mw, k), np.full(k, np.inf)]),
        offset=-per_step(asset.baseline_mw, k) - _at_start(k, asset.debt_now_mwh / rebound_h[0]),
    )


def _rebound_h(asset: FlexibleLoad, step_h: Float) -> Float:
    return np.maximum(asset.rebound_h, step_h)


def _finite(ramp: PerStep, step_h: Float) -> Int:
    return np.flatnonzero(np.isfinite(per_step(ramp, len(step_h)))).astype(np.int64)


def _ramp_rhs(ramp: PerStep, step_h: Float, now_mw: float) -> Float:
    """Largest rise of output for the steps with a finite ramp; the first step rises from what is now."""
    limit = per_step(ramp, len(step_h)) * step_h + _at_start(len(step_h), now_mw)
    return limit[_finite(ramp, step_h)]


def _at_start(steps: int, value: float) -> Float:
    return np.concatenate([[value], np.zeros(steps - 1)])


def _at_end(steps: int, value: float) -> Float:
    return np.concatenate([np.zeros(steps - 1), [value]])


def _on_edge(state: float, low: float, high: float) -> float:
    """Put a state that rounding left just outside its window on the window's edge."""
    nearest = min(max(state, low), high)
    return nearest if abs(state - nearest) <= WINDOW_TOLERANCE * max(abs(low), abs(high)) else state
