"""A compact way to write many generators: drawn from a seed in the shape of a test system, or read from a table."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, model_validator

from gridmarl.errors import nearest
from gridmarl.scenario.fleet_classes import CLASSES
from gridmarl.scenario.fleet_table import read_units
from gridmarl.scenario.fleet_units import Unit, committed, draw_units
from gridmarl.scenario.model import Model
from gridmarl.scenario.participants import Battery, Generator


class ClassTotals(NamedTuple):
    """The units of one class together."""

    units: int
    capacity_mw: float
    lowest_per_mwh: float  # average cost at full load
    highest_per_mwh: float
    co2_kg_per_mwh: float  # weighted by capacity
    worst_fit_share: float  # largest error of a cost, as a share of it


class Fleet(Model):
    """Generators and batteries of a whole system.

    The shape ``rts`` counts 158 units, as RTS-GMLC does: 154 generators, one battery and three synchronous condensers,
    which belong to the fleet but are no participants: they have no active power, and the table does not say how much
    kinetic energy they hold. All other synchronous units bring inertia and a governor.

    Fuelled units cost a p + b p² an hour. Hydro, sun and wind cost what the table says (usually nothing) and follow a
    profile of their availability; concentrated solar power does so too, without its heat storage. Ramps bind fuelled
    units only.
    """

    shape: Literal["rts"] = "rts"
    seed: NonNegativeInt = Field(default=1, description="the shape's units are drawn from it, once")
    file: Path | None = Field(default=None, description="a CSV of units in RTS-GMLC's shape replaces the shape")
    committed_share: float = Field(
        default=0.35,
        ge=0,
        le=1,
        description="of the fuelled capacity, cheapest first: these units keep their minimum, all others offer from 0",
    )
    initial_share: float = Field(
        default=0.5, ge=0, le=1, description="of its capacity a fuelled unit delivers before the episode"
    )
    storage_h: PositiveFloat = Field(default=3.0, description="hours from full to empty at full power")
    storage_efficiency: float = Field(default=0.85, gt=0, le=1, description="both ways together")
    profiles: Mapping[str, str] = Field(
        default_factory=dict, description="class -> profile of its availability, where it differs from the default"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        for group in self.profiles:
            if group not in CLASSES:
                raise ValueError(
                    f"profiles: no class {group!r}; known: {', '.join(CLASSES)}. {nearest(group, CLASSES)}"
                )
        return self

    @cached_property
    def units(self) -> tuple[Unit, ...]:
        """All units in order, condensers included.

        Raises
        ------
        DataError
            Where the file does not serve; says the line and the column.
        """
        return read_units(self.file) if self.file else draw_units(self.seed)

    @cached_property
    def generators(self) -> tuple[Generator, ...]:
        """Units that generate."""
        kept = committed(self.units, self.committed_share)
        roles = {"fuel", "weather"}
        return tuple(self._generator(u, u.name in kept) for u in self.units if CLASSES[u.group].role in roles)

    @cached_property
    def storage(self) -> tuple[Battery, ...]:
        """Units that store."""
        return tuple(self._battery(u) for u in self.units if CLASSES[u.group].role == "storage")

    def classes(self) -> dict[str, ClassTotals]:
        """What the units of each class add up to, in the order in which they appear."""
        groups: dict[str, list[Unit]] = {}
        for unit in self.units:
            groups.setdefault(unit.group, []).append(unit)
        return {group: _totals(units) for group, units in groups.items()}

    @property
    def fit_errors(self) -> dict[str, float]:
        """Fuelled unit -> the largest error of its cost at a point of its curve, as a share of the cost there."""
        return {u.name: u.cost.worst_share for u in self.units if CLASSES[u.group].role == "fuel"}

    @property
    def fingerprint(self) -> bytes:
        """A digest of the file's content; nothing without a file."""
        return hashlib.sha256(self.file.read_bytes()).digest() if self.file else b""

    def _generator(self, unit: Unit, keeps_minimum: bool) -> Generator:
        known = CLASSES[unit.group]
        fuelled = known.role == "fuel"
        minimum = unit.minimum_mw if keeps_minimum else 0.0
        return Generator(
            name=unit.name,
            technology=known.technology,
            capacity_mw=unit.capacity_mw,
            minimum_mw=minimum,
            cost_per_mwh=unit.cost.cost_per_mwh,
            cost_per_mw2h=unit.cost.cost_per_mw2h,
            co2_kg_per_mwh=unit.co2_kg_per_mwh,
            ramp_mw_per_h=unit.ramp_mw_per_h if fuelled else None,
            start_cost=unit.start_cost,
            initial_mw=max(minimum, self.initial_share * unit.capacity_mw) if fuelled else 0.0,
            availability=self.profiles.get(unit.group, known.profile),
            renewable=not fuelled,
            inertia_s=known.inertia_s,
            droop=known.droop,
        )

    def _battery(self, unit: Unit) -> Battery:
        return Battery(
            name=unit.name,
            technology=CLASSES[unit.group].technology,
            capacity_mwh=unit.capacity_mw * self.storage_h,
            power_mw=unit.capacity_mw,
            charge_efficiency=self.storage_efficiency**0.5,
            discharge_efficiency=self.storage_efficiency**0.5,
        )


def _totals(units: list[Unit]) -> ClassTotals:
    capacity = sum(u.capacity_mw for u in units)
    costs = [u.full_load_per_mwh for u in units]
    emitted = sum(u.co2_kg_per_mwh * u.capacity_mw for u in units) / capacity if capacity else 0.0
    return ClassTotals(len(units), capacity, min(costs), max(costs), emitted, max(u.cost.worst_share for u in units))
