"""A rule of thumb for homes: keep one's own sun, cover one's own load, charge the vehicle when it comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
import yaml

from gridmarl.agents.agent import Information, Sees
from gridmarl.agents.seats import Seats
from gridmarl.environment.compiled.fields import PROSUMER
from gridmarl.files import write_atomically
from gridmarl.scenario.prosumers import Prosumer
from gridmarl.units import Float, Float32

FIELD: Final = {field.name: place for place, field in enumerate(PROSUMER)}
LOAD, SOLAR, PLUGGED_IN, NEEDED = (
    FIELD[name] for name in ("load", "solar_available", "vehicle_plugged_in", "vehicle_needed")
)


@dataclass(frozen=True, slots=True)
class Sizes:
    """Ratings of a home's parts, MW; 0 where it has none."""

    load_mw: float
    solar_mw: float
    battery_mw: float

    @classmethod
    def of(cls, home: Prosumer) -> Sizes:
        """Ratings of this home."""
        return cls(
            home.load.load_mw if home.load else 0.0,
            home.solar.capacity_mw if home.solar else 0.0,
            home.battery.power_mw if home.battery else 0.0,
        )


class SelfConsumption:
    """Homes whose battery follows the forecast of their own surplus or deficit.

    The vehicle charges at full power from its return until it is ready to leave; no demand response is offered.
    """

    information: Information = "forecast"
    sees: Sees = "own"
    constant: ClassVar[bool] = False

    def __init__(self) -> None:
        self.codecs: Mapping[str, str] = {"prosumer": "assets"}
        self._sizes: dict[str, Sizes] = {}

    def begin(self, seats: Seats, seed: int) -> None:
        """Look once at the played homes."""
        self._sizes = {seat: Sizes.of(seats.home(seat).parameters) for seat in seats.played}

    def act(self, observations: Mapping[str, Float32]) -> dict[str, Float]:
        """Battery, vehicle and flexible load of every home."""
        return {seat: self._choose(seat, seen[None])[0] for seat, seen in observations.items()}

    def act_batch(
        self, observations: Mapping[str, Float32], rng: np.random.Generator, explore: bool
    ) -> dict[str, Float | np.ndarray]:
        """The same in many environments."""
        return {seat: self._choose(seat, seen) for seat, seen in observations.items()}

    def _choose(self, seat: str, seen: Float32) -> Float:
        own = self._sizes[seat]
        deficit = own.load_mw * seen[:, LOAD].astype(np.float64) - own.solar_mw * seen[:, SOLAR]
        action = np.zeros((len(seen), 3))
        if own.battery_mw > 0:
            action[:, 0] = np.clip(deficit / own.battery_mw, -1.0, 1.0)
        action[:, 1] = np.where((seen[:, PLUGGED_IN] > 0) & (seen[:, NEEDED] > 0), -1.0, 0.0)
        return action

    def save(self, folder: Path) -> None:
        """Write the kind as YAML."""
        write_atomically(folder / "agent.yaml", yaml.safe_dump({"kind": "self-consumption"}))
