"""The three homes of the known answer, built from their formulas."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from gridmarl.planning.model.assets import Asset, Battery, Coupling, FlexibleLoad, Generator, Owner
from gridmarl.planning.model.problem import Problem
from gridmarl.planning.model.risk import Prices
from gridmarl.units import KW_PER_MW, Float


@dataclass(frozen=True)
class Homes:
    """A community of three whose balance is 0/0."""

    problem: Problem
    price_per_kwh: Float
    solar: Float


def build_homes(wear_per_kw2h: float) -> Homes:
    hour = np.arange(24) + 0.5

    def bump(middle: float, width: float) -> Float:
        return np.exp(-(((hour - middle) / width) ** 2))

    solar = np.maximum(0.0, np.sin(np.pi * (hour - 6) / 12)) ** 1.5
    family_kw = 0.25 + 0.30 * bump(7.5, 1.5) + 0.75 * bump(19, 2)
    baker_kw = 1.2 * (0.20 + 0.90 * bump(5.5, 2.5))
    school_kw = 1.5 * (0.15 + np.exp(-(((hour - 12) / 3.5) ** 4)))
    s = np.arange(10)[:, None]
    price = 0.14 + 0.12 * bump(19, 2.2) + 0.05 * bump(7.5, 1.5) - 0.10 * bump(13, 3)
    price = price + 0.06 * np.cos(2 * np.pi * (s + 0.5) / 10) * bump(19, 2.5)
    price = price + 0.02 * np.sin(2 * np.pi * (3 * (s + 0.25) / 10 + hour / 24))
    weight = 1 + 0.5 * np.sin(1 + np.arange(10))
    owners = (
        _home("baker", 2, 1, 0.1, 7 * solar, baker_kw, wear_per_kw2h),
        _home("family", 5, 2.5, 0.7, 0 * solar, family_kw, wear_per_kw2h),
        _home("school", 20, 10, 0.4, 0 * solar, school_kw, wear_per_kw2h),
    )
    prices = Prices(price * KW_PER_MW, weight / weight.sum(), alpha=0.8)
    return Homes(Problem(owners, np.ones(24), Coupling(0.0, 0.0, 10_000.0, 10_000.0), prices), price, solar)


def _home(
    name: str, energy_kwh: float, power_kw: float, beta: float, solar_kw: Float, load_kw: Float, wear_per_kw2h: float
) -> Owner:
    energy, power = energy_kwh / KW_PER_MW, power_kw / KW_PER_MW
    battery = Battery(
        name="battery",
        charge_limit_mw=power,
        discharge_limit_mw=power,
        charge_efficiency=0.95,
        discharge_efficiency=0.95,
        energy_min_mwh=0.1 * energy,
        energy_max_mwh=0.9 * energy,
        energy_now_mwh=0.5 * energy,
        wear_per_mwh=0.01 * KW_PER_MW,
        wear_per_mw2h=wear_per_kw2h * KW_PER_MW**2,
    )
    others: list[Asset] = [Generator("pv", solar_kw / KW_PER_MW), FlexibleLoad("load", load_kw / KW_PER_MW)]
    return Owner(name, (battery, *others), beta)


@pytest.fixture(scope="session")
def linear_homes() -> Homes:
    return build_homes(0.0)


@pytest.fixture(scope="session")
def quadratic_homes() -> Homes:
    return build_homes(0.002)
