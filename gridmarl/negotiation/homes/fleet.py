"""A fleet of prosumers as a struct of arrays: what each owns and wishes, drawn from a seed or from households."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final, NamedTuple

import numpy as np

from gridmarl.errors import ScenarioError
from gridmarl.negotiation.homes.adoption import BATTERY_SIZES, CAR_SIZES, JOINING, Adoption, Sizes
from gridmarl.negotiation.homes.preferences import Assets, Preferences
from gridmarl.units import HOURS_PER_DAY, KW_PER_MW, Bool, Float

ONE_WAY_EFFICIENCY: Final = 0.95
MEAN_LOAD_KW: Final = 0.77
"""A Californian household's average, about 560 kWh a month (Energy Information Administration, form 861)."""
MEAN_ROOF_KW: Final = 6.5
ARRIVAL_H: Final = 17.5
QUARTERS: Final = 4


class Household(NamedTuple):
    """One prosumer in words: what it owns, what it wishes, and whether its car can discharge."""

    name: str
    assets: Assets
    preferences: Preferences
    ev_discharges: bool = False  # few cars can
    ev_arrival_hour: float = ARRIVAL_H
    mean_load_kw: float = MEAN_LOAD_KW


@dataclass(frozen=True, slots=True, eq=False)
class ProsumerFleet:
    """What prosumers own and wish. Everything here is private to each of them."""

    names: tuple[str, ...]
    battery_kwh: Float  # (prosumer,) 0 without one, as all sizes
    battery_kw: Float  # (prosumer,)
    ev_kwh: Float  # (prosumer,)
    ev_kw: Float  # (prosumer,) of the wall box
    ev_discharges: Bool  # (prosumer,)
    ev_arrival_hour: Float  # (prosumer,) local
    pv_kw: Float  # (prosumer,)
    load_kw: Float  # (prosumer,) average
    backup_share: Float  # (prosumer,) of the battery
    blocked_hours: Float  # (prosumer, span, 2) local [start, end); NaN where there is none
    ev_deadline_hour: Float  # (prosumer,) local; NaN where any time is fine
    ev_target_share: Float  # (prosumer,)
    minimum_price_per_mwh: Float  # (prosumer,)
    comfort: Float  # (prosumer,) 0 to 1

    def __post_init__(self) -> None:
        size = len(self.names)
        if len(set(self.names)) != size:
            raise ScenarioError("prosumers", size, "each name once", "rename those that are alike")
        for field in fields(self)[1:]:
            if getattr(self, field.name).shape[:1] != (size,):
                raise ScenarioError(field.name, getattr(self, field.name).shape, f"{size} rows", "one row a prosumer")

    def __len__(self) -> int:
        return len(self.names)

    def household(self, index: int) -> Household:
        """One prosumer in words."""
        spans = self.blocked_hours[index]
        deadline = float(self.ev_deadline_hour[index])
        sizes = {name: float(getattr(self, name)[index]) for name in Assets.model_fields}
        shares = ("backup_share", "ev_target_share", "minimum_price_per_mwh", "comfort")
        wishes = {name: float(getattr(self, name)[index]) for name in shares}
        return Household(
            self.names[index],
            Assets.model_validate(sizes),
            Preferences(
                **wishes,
                blocked_hours=tuple((float(a), float(b)) for a, b in spans[~np.isnan(spans[:, 0])]),
                ev_deadline_hour=None if np.isnan(deadline) else deadline,
            ),
            bool(self.ev_discharges[index]),
            float(self.ev_arrival_hour[index]),
            float(self.load_kw[index]),
        )

    def households(self) -> tuple[Household, ...]:
        """All prosumers in words."""
        return tuple(self.household(index) for index in range(len(self)))


def fleet_of(households: Sequence[Household]) -> ProsumerFleet:
    """A fleet of these households.

    Parameters
    ----------
    households : sequence of Household
        At least one; each name once.

    Raises
    ------
    ScenarioError
        Where there is none, or a name comes twice.
    """
    if not households:
        raise ScenarioError("a fleet", 0, "at least one household", "add some")
    spans = max(1, *(len(h.preferences.blocked_hours) for h in households))
    blocked = np.full((len(households), spans, 2), np.nan)
    for row, home in zip(blocked, households, strict=True):
        for place, span in enumerate(home.preferences.blocked_hours):
            row[place] = span

    def owned(name: str) -> Float:
        return np.array([getattr(h.assets, name) for h in households], np.float64)

    def wished(name: str) -> Float:
        found = [getattr(h.preferences, name) for h in households]
        return np.array([np.nan if value is None else value for value in found], np.float64)

    return ProsumerFleet(
        names=tuple(h.name for h in households),
        **{name: owned(name) for name in Assets.model_fields},
        **{name: wished(name) for name in Preferences.model_fields if name != "blocked_hours"},
        ev_discharges=np.array([h.ev_discharges for h in households]),
        ev_arrival_hour=np.array([h.ev_arrival_hour for h in households], np.float64),
        load_kw=np.array([h.mean_load_kw for h in households], np.float64),
        blocked_hours=blocked,
    )


def draw_fleet(size: int, seed: int = 1, adoption: Adoption = JOINING) -> ProsumerFleet:
    """Draw households of California.

    Parameters
    ----------
    size : int
        Number of prosumers.
    seed : int
        The same seed gives the same fleet.
    adoption : Adoption
        How common things are.

    Raises
    ------
    ScenarioError
        Where the size is not positive, or the seed is negative.
    """
    if size < 1:
        raise ScenarioError("size of a fleet", size, "at least 1", "ask for some prosumers")
    if seed < 0:
        raise ScenarioError("seed of a fleet", seed, "0 or more", "choose another")
    rng = np.random.default_rng([seed, 6])
    width = len(str(size))
    roof = rng.random(size) < adoption.roof
    battery = roof & (rng.random(size) < adoption.battery_under_roof)
    car = rng.random(size) < adoption.car
    battery_kwh, battery_kw = _sizes(rng, BATTERY_SIZES, battery)
    ev_kwh, ev_kw = _sizes(rng, CAR_SIZES, car)
    return ProsumerFleet(
        names=tuple(f"home_{number:0{width}d}" for number in range(1, size + 1)),
        battery_kwh=battery_kwh,
        battery_kw=battery_kw,
        ev_kwh=ev_kwh,
        ev_kw=ev_kw,
        ev_discharges=car & (rng.random(size) < adoption.car_discharges),
        ev_arrival_hour=_quarters(rng.normal(ARRIVAL_H, 1.0, size)),
        pv_kw=np.where(roof, np.clip(rng.lognormal(np.log(MEAN_ROOF_KW), 0.35, size), 2.0, 15.0), 0.0).round(2),
        load_kw=np.clip(rng.lognormal(np.log(MEAN_LOAD_KW) - 0.08, 0.4, size), 0.2, 4.0).round(3),
        **_wishes(rng, size),
    )


def facts(fleet: ProsumerFleet) -> dict[str, float]:
    """What a fleet adds up to: shares of the prosumers that own things, sizes, and medians of wishes."""
    return {
        "battery_share": float((fleet.battery_kwh > 0).mean()),
        "car_share": float((fleet.ev_kwh > 0).mean()),
        "discharging_car_share": float(fleet.ev_discharges.mean()),
        "roof_share": float((fleet.pv_kw > 0).mean()),
        "battery_mwh": float(fleet.battery_kwh.sum()) / KW_PER_MW,
        "battery_mw": float(fleet.battery_kw.sum()) / KW_PER_MW,
        "roof_mw": float(fleet.pv_kw.sum()) / KW_PER_MW,
        "mean_load_mw": float(fleet.load_kw.sum()) / KW_PER_MW,
        "backup_share_median": float(np.median(fleet.backup_share)),
        "with_blocked_hours_share": float((~np.isnan(fleet.blocked_hours[:, 0, 0])).mean()),
        "minimum_price_per_mwh_median": float(np.median(fleet.minimum_price_per_mwh)),
        "comfort_median": float(np.median(fleet.comfort)),
    }


def _wishes(rng: np.random.Generator, size: int) -> dict[str, Float]:
    """Wishes, all of them assumed: no survey asks for them."""
    blocked = np.full((size, 1, 2), np.nan)
    kind = rng.random(size)
    late = kind < 0.12  # not while it sleeps
    blocked[late, 0] = np.stack([rng.choice([21.0, 22.0, 23.0], size), rng.choice([5.0, 6.0, 7.0], size)], axis=1)[late]
    dinner = (kind >= 0.12) & (kind < 0.20)  # not while it cooks
    begin = rng.choice([17.0, 18.0, 19.0], size)
    blocked[dinner, 0] = np.stack([begin, begin + 1.0], axis=1)[dinner]
    return {
        "backup_share": rng.choice([0.1, 0.2, 0.3, 0.5], size, p=[0.2, 0.45, 0.25, 0.1]),
        "blocked_hours": blocked,
        "ev_deadline_hour": np.where(rng.random(size) < 0.15, np.nan, _quarters(rng.normal(7.5, 0.75, size))),
        "ev_target_share": rng.choice([0.6, 0.7, 0.8, 0.9], size),
        "minimum_price_per_mwh": np.clip(rng.lognormal(np.log(45.0), 0.4, size), 10.0, 300.0).round(2),
        "comfort": rng.beta(1.2, 3.0, size).round(3),
    }


def _sizes(rng: np.random.Generator, sizes: Sizes, owned: Bool) -> tuple[Float, Float]:
    """Energy and power of those who own something, 0 for the others."""
    energy, power, weights = np.array(sizes).T
    which = rng.choice(len(sizes), len(owned), p=weights / weights.sum())
    return np.where(owned, energy[which], 0.0), np.where(owned, power[which], 0.0)


def _quarters(hours: Float) -> Float:
    return (np.round(QUARTERS * hours) / QUARTERS) % HOURS_PER_DAY
