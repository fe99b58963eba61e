"""What an owner has: batteries, generators and flexible loads as frozen numbers over a horizon of K steps."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from gridmarl.errors import ScenarioError
from gridmarl.planning.model.branches import Branches
from gridmarl.units import Float

PerStep = float | Float
"""One number for all steps, or an array (K,)."""


def per_step(value: PerStep, steps: int) -> Float:
    """Spread a number over the steps, or check that an array already has one value a step.

    Parameters
    ----------
    value : float or array (K,)
        The quantity, in any unit.
    steps : int
        K.

    Returns
    -------
    array (K,)

    Raises
    ------
    ScenarioError
        For an array of any other shape.
    """
    array = np.asarray(value, dtype=np.float64)
    if array.ndim == 0:
        return np.full(steps, array)
    if array.shape != (steps,):
        raise ScenarioError("an array of a planning asset", array.shape, f"a scalar or shape ({steps},)")
    return array


@dataclass(frozen=True, slots=True, eq=False)
class Battery:
    """A battery behind a meter, ``e_k = e_{k-1} + charge_efficiency c_k Δ_k - d_k Δ_k / discharge_efficiency``.

    Powers are measured at the grid side; energies are what is stored. Wear costs
    ``Δ (wear_per_mwh (c + d) + wear_per_mw2h (c² + d²))`` dollars a step. The ramp limits the change of ``d - c`` from
    one step to the next to ``ramp_mw_per_h`` times the length of the step being entered.

    A vehicle has no power while it is away. At the end of a step it may lose ``trip_mwh``; at the end of the step in
    which it leaves, ``ready_mwh`` should be stored: what is missing costs ``missing_per_mwh``.

    Raises
    ------
    ScenarioError
        For NaN, a negative limit or cost, an efficiency outside (0, 1], or an empty energy window.
    """

    name: str
    charge_limit_mw: PerStep
    discharge_limit_mw: PerStep
    charge_efficiency: float
    discharge_efficiency: float
    energy_min_mwh: PerStep
    energy_max_mwh: PerStep
    energy_now_mwh: float
    wear_per_mwh: float = 0.0
    wear_per_mw2h: float = 0.0
    ramp_mw_per_h: PerStep = np.inf
    power_now_mw: float = 0.0
    trip_mwh: PerStep = 0.0
    ready_mwh: PerStep = 0.0
    missing_per_mwh: float = 0.0

    @property
    def drives(self) -> bool:
        """Whether it is a vehicle that leaves or comes back within the horizon."""
        return bool(np.any(np.asarray(self.trip_mwh) > 0) or np.any(np.asarray(self.ready_mwh) > 0))

    def __post_init__(self) -> None:
        _require_numbers(self, may_be_infinite=("ramp_mw_per_h",), may_be_negative=("power_now_mw", "energy_now_mwh"))
        _require_share(self.name, "charge_efficiency", self.charge_efficiency)
        _require_share(self.name, "discharge_efficiency", self.discharge_efficiency)
        _require_order(self.name, "energy_min_mwh", self.energy_min_mwh, "energy_max_mwh", self.energy_max_mwh)


@dataclass(frozen=True, slots=True, eq=False)
class Generator:
    """A generator, solar and wind included: output between ``minimum_mw`` and ``available_mw``.

    It costs ``Δ (cost_per_mwh p + cost_per_mw2h p²)`` dollars a step. Minimum and down-ramp make output must-run.

    Raises
    ------
    ScenarioError
        For NaN, a negative limit, a concave cost, or a minimum above what is available.
    """

    name: str
    available_mw: PerStep
    minimum_mw: PerStep = 0.0
    cost_per_mwh: PerStep = 0.0
    cost_per_mw2h: float = 0.0
    ramp_up_mw_per_h: PerStep = np.inf
    ramp_down_mw_per_h: PerStep = np.inf
    output_now_mw: float = 0.0

    def __post_init__(self) -> None:
        infinite = ("ramp_up_mw_per_h", "ramp_down_mw_per_h")
        _require_numbers(self, may_be_infinite=infinite, may_be_negative=("cost_per_mwh",))
        _require_order(self.name, "minimum_mw", self.minimum_mw, "available_mw", self.available_mw)


@dataclass(frozen=True, slots=True, eq=False)
class FlexibleLoad:
    """A load that can consume less now and pays part of it back later.

    ``reduction r_k`` lies in [0, flexible]; ``payback_k = debt_k / max(rebound_h, Δ_k)``;
    ``debt_{k+1} = debt_k + Δ_k (rebound_share r_k - payback_k)``; consumption is baseline + payback - r.
    Comfort costs ``Δ comfort_cost_per_mwh r`` dollars a step.

    Raises
    ------
    ScenarioError
        For NaN, a negative number, or a rebound share above 1.
    """

    name: str
    baseline_mw: PerStep
    flexible_mw: PerStep = 0.0
    comfort_cost_per_mwh: PerStep = 0.0
    rebound_share: float = 0.0
    rebound_h: float = 1.0
    debt_now_mwh: float = 0.0

    def __post_init__(self) -> None:
        _require_numbers(self)
        _require_order(self.name, "rebound_share", self.rebound_share, "its largest value", 1.0)


Single = Battery | Generator | FlexibleLoad
Branched = Branches[Single]
Asset = Single | Branched


def single(asset: Asset) -> Single:
    """The asset itself, also where it stands for its copies in all scenarios."""
    return asset.single if isinstance(asset, Branches) else asset


@dataclass(frozen=True, slots=True, eq=False)
class Owner:
    """Who owns assets behind one meter, and how much the bad scenarios weigh for them.

    ``beta`` in [0, 1] is the weight of CVaR against the expectation; 0 is risk-neutral.
    """

    name: str
    assets: tuple[Asset, ...]
    beta: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.beta <= 1.0:
            raise ScenarioError(f"{self.name}.beta", self.beta, "in [0, 1]")
        names = [asset.name for asset in self.assets]
        if len(set(names)) != len(names):
            raise ScenarioError(f"{self.name}.assets", names, "names that differ", "rename the assets")


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Some owners whose injections together have bounds of their own, as behind one transformer: see `Coupling`.

    Raises
    ------
    ScenarioError
        For no members, bounds out of order, or slack without a positive price.
    """

    name: str
    members: tuple[str, ...]  # names of owners
    lower_mw: PerStep
    upper_mw: PerStep
    shortage_per_mwh: PerStep
    surplus_per_mwh: PerStep

    def __post_init__(self) -> None:
        if not self.members:
            raise ScenarioError(f"group {self.name}.members", self.members, "at least one owner")
        _require_priced_bounds(f"group {self.name}", self)


@dataclass(frozen=True, slots=True, eq=False)
class Coupling:
    """What ties the owners together: ``lower_mw <= Σ injections <= upper_mw``, with priced slack on both sides.

    An island's balance is 0/0, a transformer is -P/+P, an infinite bound does not bind. Falling below costs
    ``shortage_per_mwh``, rising above costs ``surplus_per_mwh`` (both positive, $/MWh): the multiplier stays between
    ``-surplus_per_mwh`` and ``shortage_per_mwh``. Each of the ``groups`` bounds the sum of its own members likewise; no
    owner is in two of them.

    Raises
    ------
    ScenarioError
        For bounds out of order, slack without a positive price, groups of one name, or an owner in two groups.
    """

    lower_mw: PerStep
    upper_mw: PerStep
    shortage_per_mwh: PerStep
    surplus_per_mwh: PerStep
    groups: tuple[Group, ...] = ()

    def __post_init__(self) -> None:
        _require_priced_bounds("coupling", self)
        for what, names in (
            ("names of the groups", [group.name for group in self.groups]),
            ("members of the groups", [member for group in self.groups for member in group.members]),
        ):
            twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
            if twice:
                raise ScenarioError(f"coupling.groups, {what}", twice, "each once", "keep one group for each owner")


@dataclass(frozen=True, slots=True)
class Terminal:
    """What stored energy is worth when the horizon ends.

    ``keep_energy`` demands that each battery end with at least what it started with. ``stored_energy_price`` [$/MWh]
    credits the change of stored energy and charges the load's unpaid debt.
    """

    keep_energy: bool = True
    stored_energy_price: float = 0.0


def check_steps(step_h: Float) -> Float:
    """Lengths of the K steps [h] as a float array.

    Raises
    ------
    ScenarioError
        Where they are not a one-dimensional array of positive numbers.
    """
    steps = np.asarray(step_h, dtype=np.float64)
    if steps.ndim != 1 or steps.size == 0 or not np.all(np.isfinite(steps) & (steps > 0)):
        raise ScenarioError("step_h", steps, "a one-dimensional array of positive hours")
    return steps


def _require_numbers(
    asset: Single, may_be_infinite: tuple[str, ...] = (), may_be_negative: tuple[str, ...] = ()
) -> None:
    for name in (f.name for f in fields(asset) if f.name != "name"):
        value = np.asarray(getattr(asset, name), dtype=np.float64)
        fine = not np.any(np.isnan(value)) if name in may_be_infinite else bool(np.all(np.isfinite(value)))
        if not fine:
            raise ScenarioError(f"{asset.name}.{name}", value, "finite numbers", "fill or drop the missing values")
        if name not in may_be_negative and np.any(value < 0):
            raise ScenarioError(f"{asset.name}.{name}", float(value.min()), "not negative")


def _require_priced_bounds(owner: str, bounds: Group | Coupling) -> None:
    _require_order(owner, "lower_mw", bounds.lower_mw, "upper_mw", bounds.upper_mw)
    for name in ("shortage_per_mwh", "surplus_per_mwh"):
        price = np.asarray(getattr(bounds, name))
        if not (np.all(np.isfinite(price)) and np.all(price > 0)):
            raise ScenarioError(f"{owner}.{name}", price, "finite and positive", "price it at the cap or at VOLL")


def _require_share(owner: str, name: str, value: float) -> None:
    if not 0.0 < value <= 1.0:
        raise ScenarioError(f"{owner}.{name}", value, "in (0, 1]")


def _require_order(owner: str, low_name: str, low: PerStep, high_name: str, high: PerStep) -> None:
    low_array, high_array = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    if low_array.ndim and high_array.ndim and low_array.shape != high_array.shape:
        raise ScenarioError(f"{owner}.{low_name}", low_array.shape, f"the shape of {high_name}, {high_array.shape}")
    if not np.all(low_array <= high_array):  # also refuses NaN
        step = int(np.argmin(np.atleast_1d(low_array <= high_array)))
        raise ScenarioError(
            f"{owner}.{low_name}, step {step}",
            float(np.broadcast_to(low_array, np.shape(low_array <= high_array)).flat[step]),
            f"at most {high_name} = {float(np.broadcast_to(high_array, np.shape(low_array <= high_array)).flat[step])}",
        )
