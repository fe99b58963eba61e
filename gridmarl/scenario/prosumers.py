"""A home that is one seat: a load, a roof, a battery and a vehicle behind one meter, each of them optional."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from pydantic import Field, PositiveFloat, model_validator

from gridmarl.scenario.model import Model
from gridmarl.scenario.participants import NAME, Battery, ElectricVehicle, Generator, Load

PARTS = {"solar": "pv", "battery": "battery", "ev": "ev", "load": "load"}
"""Key of a part -> how its name ends: ``home_01.pv``."""
SOLAR = {"technology": "solar", "renewable": True}


class Prosumer(Model):
    """What one owner has behind one meter.

    Its parts are ordinary assets named after it; they play as one seat by the codec ``assets``, or as a seat each by
    ``separate``.
    """

    name: str = Field(pattern=NAME)
    load: Load | None = None
    solar: Generator | None = None
    battery: Battery | None = None
    ev: ElectricVehicle | None = None

    @model_validator(mode="before")
    @classmethod
    def _name_parts(cls, data: object) -> object:
        """Parts are written without names and owners: they are their home's."""
        if not isinstance(data, Mapping) or "name" not in data:
            return data  # pyright: ignore[reportUnknownVariableType]  # raw YAML
        home = dict(cast("Mapping[str, object]", data))
        for key, ending in PARTS.items():
            part = home.get(key)
            if isinstance(part, Mapping):
                own = {"name": f"{home['name']}.{ending}", "owner": home["name"], **(SOLAR if key == "solar" else {})}
                home[key] = {**own, **cast("Mapping[str, object]", part)}
        return home

    @model_validator(mode="after")
    def _check(self) -> Prosumer:
        if not self.parts:
            raise ValueError(f"{self.name}: a prosumer needs at least one of {', '.join(PARTS)}")
        for part in self.parts:
            if part.owned_by != self.name:
                raise ValueError(f"{part.name}: part of {self.name}, so its owner cannot be {part.owned_by!r}")
        return self

    @property
    def parts(self) -> tuple[Generator | Battery | Load, ...]:
        """The parts it has: roof, battery, vehicle, load."""
        return tuple(part for part in (self.solar, self.battery, self.ev, self.load) if part is not None)

    @property
    def storage(self) -> tuple[Battery, ...]:
        """Battery and vehicle."""
        return tuple(part for part in (self.battery, self.ev) if part is not None)


def part_role(part: Generator | Battery | Load) -> str:
    """Role of a part that is a seat of its own."""
    return "generator" if isinstance(part, Generator) else "storage" if isinstance(part, Battery) else "consumer"


class Transformer(Model):
    """The limit of what a group of seats may exchange with the rest of the grid."""

    name: str = Field(pattern=NAME)
    limit_mw: PositiveFloat
    members: tuple[str, ...] = Field(min_length=1, description="seats or owners; patterns such as home_* are allowed")
