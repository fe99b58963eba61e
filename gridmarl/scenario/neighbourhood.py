"""A compact way to write many similar homes: each is up to three seats of one owner."""

from __future__ import annotations

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveInt

from gridmarl.scenario.model import Model
from gridmarl.scenario.participants import Battery, Generator, Load
from gridmarl.scenario.rules import OwnerSettings

Range = tuple[float, float]


class Neighbourhood(Model):
    """Homes drawn once, from a seed: loads, roofs, batteries and risk weights uniform within the ranges."""

    count: PositiveInt
    prefix: str = "home"
    seed: NonNegativeInt = 1
    load_mw: Range = (0.003, 0.006)
    load_profiles: tuple[str, ...] = ("home_load",)
    flexible_share: float = Field(default=0.1, ge=0, le=1)
    dr_price_per_mwh: float = 250.0
    rebound_share: float = Field(default=1.0, ge=0, le=1)
    rebound_h: float = Field(default=2.0, gt=0)
    solar_mw: Range = (0.004, 0.008)
    solar_profile: str = "solar"
    battery_mwh: Range = (0.010, 0.0135)
    battery_h: float = Field(default=2.7, gt=0, description="hours from empty to full at full power")
    efficiency: float = Field(default=0.95, gt=0, le=1)
    wear_per_mwh: float = Field(default=10.0, ge=0)
    wear_per_mw2h: float = Field(default=0.0, ge=0)
    beta: Range = (0.0, 0.0)

    def seats(self) -> tuple[list[Generator], list[Battery], list[Load], dict[str, OwnerSettings]]:
        """Generators, batteries, loads and owners of the homes, in order.

        Returns
        -------
        tuple
            Lists with one entry per home, and the owners' settings by name.
        """
        rng = np.random.default_rng(self.seed)
        width = len(str(self.count))
        generators: list[Generator] = []
        batteries: list[Battery] = []
        loads: list[Load] = []
        owners: dict[str, OwnerSettings] = {}
        for number in range(1, self.count + 1):
            home = f"{self.prefix}_{number:0{width}d}"
            solar, energy, load, beta = (
                round(float(rng.uniform(*bounds)), 6)
                for bounds in (self.solar_mw, self.battery_mwh, self.load_mw, self.beta)
            )
            generators.append(self._roof(home, solar))
            batteries.append(self._battery(home, energy))
            loads.append(self._load(home, load, self.load_profiles[(number - 1) % len(self.load_profiles)]))
            owners[home] = OwnerSettings(beta=beta)
        return generators, batteries, loads, owners

    def _roof(self, home: str, solar_mw: float) -> Generator:
        return Generator(
            name=f"{home}.pv",
            owner=home,
            technology="solar",
            capacity_mw=solar_mw,
            availability=self.solar_profile,
            renewable=True,
        )

    def _battery(self, home: str, energy_mwh: float) -> Battery:
        return Battery(
            name=f"{home}.battery",
            owner=home,
            capacity_mwh=energy_mwh,
            power_mw=energy_mwh / self.battery_h,
            charge_efficiency=self.efficiency,
            discharge_efficiency=self.efficiency,
            wear_per_mwh=self.wear_per_mwh,
            wear_per_mw2h=self.wear_per_mw2h,
        )

    def _load(self, home: str, load_mw: float, profile: str) -> Load:
        return Load(
            name=f"{home}.load",
            owner=home,
            load_mw=load_mw,
            profile=profile,
            flexible_share=self.flexible_share,
            dr_price_per_mwh=self.dr_price_per_mwh,
            rebound_share=self.rebound_share,
            rebound_h=self.rebound_h,
        )
