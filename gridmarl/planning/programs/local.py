"""One owner's own problem: a sparse convex quadratic program in its assets and its net injection.

``min 1/2 y' diag(P) y + q'y + const  subject to  A y = b,  G y <= h,  lower <= y <= upper``

The first K entries of y are the net injections x. Power stands in units of ``base.power_mw``, energy in those of
``base.power_mw`` times one hour, money in those of ``base.money``, so that homes and power plants look alike to a
solver. The objective is ``wear, fuel and comfort - (1-β) E[R] - β CVaR_α(R) - value of stored energy``. With β = 0
there are no CVaR variables; otherwise η and w (S,) follow the assets' variables, with ``w_s >= η - R_s``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from gridmarl.planning.model.assets import Asset, Battery, FlexibleLoad, Generator, Owner, Single, Terminal, single
from gridmarl.planning.model.plan import AssetPlan
from gridmarl.planning.model.risk import Prices
from gridmarl.planning.model.sparse import Sparse, block_diagonal, diagonal, full, stack, with_data, zeros
from gridmarl.planning.programs.blocks import Matrices, Numbers, matrices, numbers, quadratic, read, structure_key
from gridmarl.planning.programs.remembered import Remembered
from gridmarl.units import Float

REBASE: Final = 30.0
"""A problem keeps its units until the natural ones differ by more than this factor."""
REMEMBERED: Final = 1024
"""Structures whose matrices are kept: they hold no owner's numbers but efficiencies, ramps and hours of departure."""


@dataclass(frozen=True, slots=True)
class Base:
    """Units of a scaled problem: power [MW] and money [$]."""

    power_mw: float
    money: float

    @property
    def price_per_mwh(self) -> float:
        """The unit of price, $/MWh."""
        return self.money / self.power_mw


@dataclass(frozen=True, slots=True, eq=False)
class QuadraticProgram:
    """``min 1/2 y' diag(quadratic) y + linear'y + constant`` over linear constraints; n variables."""

    quadratic: Float  # (n,)
    linear: Float  # (n,)
    constant: float
    equality: Sparse  # (m, n)
    equality_rhs: Float  # (m,)
    inequality: Sparse  # (p, n)
    inequality_rhs: Float  # (p,)
    lower: Float  # (n,)
    upper: Float  # (n,)

    def objective(self, y: Float) -> float:
        """Value at y, in the problem's unit of money."""
        return float(0.5 * self.quadratic @ (y * y) + self.linear @ y + self.constant)


@dataclass(frozen=True, slots=True, eq=False)
class LocalProblem:
    """An owner's quadratic program and how to read its solution.

    ``parts`` holds one slice of y for each asset. Two problems with equal ``key`` have the same matrices, except that
    the CVaR rows hold the prices of the day.
    """

    owner: Owner
    step_h: Float
    base: Base
    program: QuadraticProgram
    parts: tuple[slice, ...]
    key: tuple[object, ...]

    @property
    def net(self) -> slice:
        """Where the scaled net injections x stand in y."""
        return slice(0, len(self.step_h))

    def cost_at(self, multiplier_per_mwh: Float) -> Float:
        """Linear cost (n,) of ``min f(x) - Σ_k Δ_k λ_k x_k``: the multiplier (K,) is paid on top of the forecast."""
        linear = self.program.linear.copy()
        linear[self.net] -= self.step_h * multiplier_per_mwh / self.base.price_per_mwh
        return linear

    def injection_mw(self, y: Float) -> Float:
        """Net injection (K,) of a solution."""
        return y[self.net] * self.base.power_mw

    def objective(self, y: Float) -> float:
        """Dollars a solution costs its owner (minimised)."""
        return self.program.objective(y) * self.base.money

    def read(self, y: Float) -> tuple[AssetPlan, ...]:
        """Trajectories of the owner's assets, in MW and MWh."""
        values = y * self.base.power_mw
        return tuple(read(a, self.step_h, values[p]) for a, p in zip(self.owner.assets, self.parts, strict=True))


def steady_base(owners: tuple[Owner, ...], prices: Prices, before: Base | None = None) -> Base:
    """Units in which these owners' numbers are near 1: their largest power, and the largest price or cost.

    Parameters
    ----------
    owners : tuple of Owner
        Whoever shares one scaled problem (a single owner for a local solve).
    prices : Prices
        The public scenarios.
    before : Base, optional
        Units in use, kept until the natural ones are further off than a factor `REBASE`: matrices depend on them.
    """
    assets = [single(asset) for owner in owners for asset in owner.assets]
    power = max((_rated_mw(asset) for asset in assets), default=0.0) or 1.0
    price = max([float(np.abs(prices.per_mwh).max()), *(_largest_cost(asset) for asset in assets)]) or 1.0
    if before is not None and all(
        1 / REBASE < ratio < REBASE for ratio in (power / before.power_mw, price / before.price_per_mwh)
    ):
        return before
    return Base(power, price * power)


def local_problem(
    owner: Owner,
    step_h: Float,
    prices: Prices,
    terminal: Terminal,
    base: Base,
    previous: LocalProblem | None = None,
    with_cvar: bool = True,
) -> LocalProblem:
    """Build an owner's problem, or refresh the numbers of a previous one with the same structure.

    Parameters
    ----------
    owner : Owner
        Its assets and risk weight.
    step_h : array (K,)
        Hours a step.
    prices : Prices
        Scenarios of $/MWh.
    terminal : Terminal
        What stored energy is worth at the end.
    base : Base
        Units of the scaled problem.
    previous : LocalProblem, optional
        Its matrices are shared where the structure is equal.
    with_cvar : bool
        Whether β > 0 adds CVaR rows here; without them only the expectation's part ``(1-β) E[R]`` is in the objective.

    Returns
    -------
    LocalProblem
    """
    scenarios = len(prices.probability) if with_cvar and owner.beta > 0 else 0
    key = (step_h.tobytes(), base, scenarios, *(structure_key(asset, step_h) for asset in owner.assets))
    if previous is not None and previous.key == key:
        skeleton, parts = previous.program, previous.parts
    else:
        skeleton, parts = _skeleton(owner, step_h, base, scenarios, (key[0], *key[2:]))
    program = _fill(skeleton, owner, step_h, prices, terminal, base, scenarios)
    return LocalProblem(owner, step_h, base, program, parts, key)


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Matrices of a structure, whoever has it."""

    equality: Sparse
    inequality: Sparse
    parts: tuple[slice, ...]


_known_rows: Remembered[tuple[object, ...], _Rows] = Remembered(REMEMBERED)
_known_pieces: Remembered[tuple[object, ...], Matrices] = Remembered(REMEMBERED)


def _skeleton(
    owner: Owner, step_h: Float, base: Base, scenarios: int, shape: tuple[object, ...]
) -> tuple[QuadraticProgram, tuple[slice, ...]]:
    """Matrices and quadratic cost; all other numbers are still empty."""
    rows = _known_rows.get(shape, lambda: _rows(owner, step_h, scenarios))
    scale, tail = base.power_mw**2 / base.money, np.zeros(1 + scenarios if scenarios else 0)
    costs = [quadratic(asset, step_h) * scale for asset in owner.assets]
    curvature, empty = np.concatenate([np.zeros(len(step_h)), *costs, tail]), np.zeros(0)
    program = QuadraticProgram(curvature, empty, 0.0, rows.equality, empty, rows.inequality, empty, empty, empty)
    return program, rows.parts


def _rows(owner: Owner, step_h: Float, scenarios: int) -> _Rows:
    k, pieces = len(step_h), [_piece(asset, step_h) for asset in owner.assets]
    ends = k + np.cumsum([piece.net.shape[1] for piece in pieces], dtype=np.int64)
    parts = tuple(slice(int(e) - piece.net.shape[1], int(e)) for e, piece in zip(ends, pieces, strict=True))
    balance = stack([[diagonal(np.ones(k)), *(-piece.net for piece in pieces)]])
    own = block_diagonal([zeros(0, k), *(piece.equality for piece in pieces)])
    limits = block_diagonal([zeros(0, k), *(piece.inequality for piece in pieces)])
    equality = stack([[balance], [own]])
    if scenarios:
        equality = stack([[equality, zeros(equality.shape[0], 1 + scenarios)]])
        limits = _with_cvar_rows(limits, k, scenarios)
    return _Rows(equality, limits, parts)


def _piece(asset: Asset, step_h: Float) -> Matrices:
    key = (step_h.tobytes(), structure_key(asset, step_h))
    return _known_pieces.get(key, lambda: matrices(asset, step_h))


def _with_cvar_rows(limits: Sparse, steps: int, scenarios: int) -> Sparse:
    """Add ``η - R_s - w_s <= 0``; ones stand in the net injections' columns until prices are filled in."""
    assets = zeros(scenarios, limits.shape[1] - steps)
    cvar = stack([[full(scenarios, steps), assets, full(scenarios, 1), diagonal(-np.ones(scenarios))]])
    return stack([[stack([[limits, zeros(limits.shape[0], 1 + scenarios)]])], [cvar]])


def _fill(
    skeleton: QuadraticProgram,
    owner: Owner,
    step_h: Float,
    prices: Prices,
    terminal: Terminal,
    base: Base,
    scenarios: int,
) -> QuadraticProgram:
    """Put the numbers of this plan into a skeleton."""
    pieces = [numbers(asset, step_h, terminal) for asset in owner.assets]
    free, none = np.full(len(step_h), np.inf), np.zeros(0)
    power, price = base.power_mw, base.price_per_mwh
    expected = -(1 - owner.beta) * prices.expected_per_mwh * step_h
    eta, tail = none, none
    inequality = skeleton.inequality
    if scenarios:
        eta, tail = np.full(1, -owner.beta), owner.beta / (1 - prices.alpha) * prices.probability
        inequality = _with_prices(inequality, prices.per_mwh * step_h / price)
    return QuadraticProgram(
        quadratic=skeleton.quadratic,
        linear=np.concatenate([expected / price, *(piece.linear / price for piece in pieces), eta, tail]),
        constant=sum(piece.constant for piece in pieces) / base.money,
        equality=skeleton.equality,
        equality_rhs=np.concatenate([_offset(pieces, len(step_h)), *(p.equality_rhs for p in pieces)]) / power,
        inequality=inequality,
        inequality_rhs=np.concatenate([none, *(p.inequality_rhs / power for p in pieces), np.zeros(scenarios)]),
        lower=np.concatenate([-free, *(piece.lower / power for piece in pieces), np.full(len(eta), -np.inf), 0 * tail]),
        upper=np.concatenate([free, *(piece.upper / power for piece in pieces), np.full(len(eta) + len(tail), np.inf)]),
    )


def _offset(pieces: list[Numbers], steps: int) -> Float:
    return np.sum([piece.offset for piece in pieces], axis=0) if pieces else np.zeros(steps)


def _with_prices(inequality: Sparse, price: Float) -> Sparse:
    """Write ``-Δ p`` (S, K) into the CVaR rows: these are the only entries of the first K columns, column by column."""
    data = inequality.data.copy()
    data[: price.size] = -price.T.ravel()
    return with_data(inequality, data)


def _rated_mw(asset: Single) -> float:
    match asset:
        case Battery():
            sizes = (asset.charge_limit_mw, asset.discharge_limit_mw)
        case Generator():
            sizes = (asset.available_mw, asset.minimum_mw)
        case FlexibleLoad():
            sizes = (asset.baseline_mw, asset.flexible_mw)
    return max(float(np.max(size)) for size in sizes)


def _largest_cost(asset: Single) -> float:
    """Marginal cost at full power, $/MWh."""
    match asset:
        case Battery():
            cost = np.max(asset.wear_per_mwh) + 2 * asset.wear_per_mw2h * _rated_mw(asset)
        case Generator():
            cost = np.max(np.abs(asset.cost_per_mwh)) + 2 * asset.cost_per_mw2h * _rated_mw(asset)
        case FlexibleLoad():
            cost = np.max(asset.comfort_cost_per_mwh)
    return float(cost)
