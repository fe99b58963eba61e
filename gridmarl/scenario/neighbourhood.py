"""A compact way to write many similar homes: each has a load and perhaps a roof, a battery and a vehicle."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveInt

from gridmarl.scenario.model import Model
from gridmarl.scenario.participants import Battery, ElectricVehicle, Generator, Load
from gridmarl.scenario.prosumers import Prosumer
from gridmarl.scenario.rules import OwnerSettings

Range = tuple[float, float]
QUARTERS = 4


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
    seats: Literal["separate", "prosumers"] = Field(
        default="separate", description="a seat for each part of a home, or one prosumer a home"
    )
    solar_share: float = Field(default=1.0, ge=0, le=1, description="of the homes that have a roof")
    battery_share: float = Field(default=1.0, ge=0, le=1, description="of the homes that have a battery")
    vehicle_share: float = Field(default=0.0, ge=0, le=1, description="of the homes that have an electric vehicle")
    vehicle_mwh: Range = (0.040, 0.075)
    vehicle_mw: float = Field(default=0.0074, gt=0, description="both ways")
    arrival_h: Range = Field(default=(16.5, 19.5), description="local time of day, to a quarter of an hour")
    departure_h: Range = Field(default=(6.5, 8.5), description="local time of day, to a quarter of an hour")
    trip_mwh: Range = (0.005, 0.015)
    ready_soc: float = Field(default=0.6, ge=0, le=1)
    missing_per_mwh: float = Field(default=1000.0, ge=0)

    def homes(self) -> tuple[list[Prosumer], dict[str, OwnerSettings]]:
        """The homes in order, and their owners' settings by name.

        What not every home has is spread over them by a stream of its own, so that shares do not change sizes.
        """
        rng, choice = np.random.default_rng(self.seed), np.random.default_rng([self.seed, 1])
        width = len(str(self.count))
        roofs, batteries, vehicles = (
            self._chosen(choice, share) for share in (self.solar_share, self.battery_share, self.vehicle_share)
        )
        homes: list[Prosumer] = []
        owners: dict[str, OwnerSettings] = {}
        for number in range(1, self.count + 1):
            home = f"{self.prefix}_{number:0{width}d}"
            solar, energy, load, beta = (
                round(float(rng.uniform(*bounds)), 6)
                for bounds in (self.solar_mw, self.battery_mwh, self.load_mw, self.beta)
            )
            homes.append(
                Prosumer(
                    name=home,
                    solar=self._roof(home, solar) if number in roofs else None,
                    battery=self._battery(home, energy) if number in batteries else None,
                    ev=self._vehicle(home, choice) if number in vehicles else None,
                    load=self._load(home, load, self.load_profiles[(number - 1) % len(self.load_profiles)]),
                )
            )
            owners[home] = OwnerSettings(beta=beta)
        return homes, owners

    def _chosen(self, choice: np.random.Generator, share: float) -> set[int]:
        """Numbers of the homes that have something; all of them, or exactly the share."""
        order = choice.permutation(self.count) + 1
        return {int(number) for number in order[: round(share * self.count)]}

    def _vehicle(self, home: str, choice: np.random.Generator) -> ElectricVehicle:
        energy, trip = (round(float(choice.uniform(*bounds)), 6) for bounds in (self.vehicle_mwh, self.trip_mwh))
        arrival, departure = (_quarter(choice.uniform(*bounds)) for bounds in (self.arrival_h, self.departure_h))
        return ElectricVehicle(
            name=f"{home}.ev",
            owner=home,
            capacity_mwh=energy,
            power_mw=self.vehicle_mw,
            charge_efficiency=self.efficiency,
            discharge_efficiency=self.efficiency,
            wear_per_mwh=self.wear_per_mwh,
            wear_per_mw2h=self.wear_per_mw2h,
            arrival_h=arrival,
            departure_h=departure,
            trip_mwh=trip,
            ready_soc=self.ready_soc,
            missing_per_mwh=self.missing_per_mwh,
        )

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


def _quarter(hour: float) -> float:
    return round(QUARTERS * float(hour)) / QUARTERS % 24
