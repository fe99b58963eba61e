"""The frozen description of a world: who trades, under which rules, over which intervals, with which randomness."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Self, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, PositiveFloat, PositiveInt, field_validator, model_validator

from gridmarl import catalogue
from gridmarl.errors import ScenarioError, nearest
from gridmarl.scenario.fleet import Fleet
from gridmarl.scenario.fleet_table import is_fleet
from gridmarl.scenario.grid import EmergencySettings, FrequencySettings, ReserveSettings, Trip, VoltageSettings
from gridmarl.scenario.model import Model
from gridmarl.scenario.neighbourhood import Neighbourhood
from gridmarl.scenario.participants import Battery, ElectricVehicle, Generator, GridConnection, Load, Participant
from gridmarl.scenario.profiles import Profile
from gridmarl.scenario.prosumers import Prosumer, Transformer
from gridmarl.scenario.rules import MarketRules, OperatorSettings, OwnerSettings, PriceScenarios, Split
from gridmarl.units import HOURS_PER_DAY

MINUTES_PER_HOUR = 60
SECONDS_PER_MINUTE = 60
OPERATOR = "operator"
PROSUMER = "prosumer"
SEPARATE = "separate"
"""The codec by which a prosumer's parts are a seat each."""
BUILT_IN_CODECS = {
    "generator": "price-grid",
    "storage": "power",
    "consumer": "share",
    PROSUMER: "assets",
    "operator": "levels",
}


class Scenario(Model):
    """Everything that defines a world. Load one by name or path with :meth:`load`; derive another with :meth:`but`."""

    name: str
    description: str = ""
    start: datetime = Field(default=datetime(2025, 7, 1), description="local time of the first interval, without data")
    timezone: str = "UTC"
    interval_min: PositiveFloat = 60.0
    intervals: PositiveInt = 24
    market: MarketRules = MarketRules()
    operator: OperatorSettings = OperatorSettings()
    profiles: Mapping[str, Profile] = {}
    generators: tuple[Generator, ...] = ()
    storage: tuple[Battery, ...] = ()
    vehicles: tuple[ElectricVehicle, ...] = ()
    consumers: tuple[Load, ...] = ()
    fleet: Fleet | None = None
    prosumers: tuple[Prosumer, ...] = ()
    neighbourhood: Neighbourhood | None = None
    connection: GridConnection | None = None
    transformers: tuple[Transformer, ...] = ()
    substep_s: PositiveFloat = Field(default=60.0, description="real time moves in steps of this length")
    frequency: FrequencySettings | None = Field(default=None, description="an island's; none: it stays nominal")
    emergency: EmergencySettings = EmergencySettings()
    voltage: VoltageSettings | None = Field(default=None, description="none: it stays nominal")
    reserve: ReserveSettings | None = Field(default=None, description="none: no reserve is bought")
    trips: tuple[Trip, ...] = ()
    owners: Mapping[str, OwnerSettings] = {}
    price_scenarios: PriceScenarios | None = None
    stored_energy_price_per_mwh: float = Field(
        default=0.0, description="credits a change in stored energy, and owed energy"
    )
    reference_price_per_mwh: PositiveFloat = Field(default=50.0, description="observed prices are divided by this")
    codecs: Mapping[str, str] = Field(default_factory=dict, description="role or seat -> codec")
    data: Path | None = Field(default=None, description="a tidy CSV or Parquet for the profiles that name a column")
    windows: Mapping[Split, tuple[datetime, ...]] = Field(
        default_factory=dict, description="with data: local starts of the episodes of each split"
    )

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"unknown time zone {value!r}; use an IANA name such as 'America/Los_Angeles'") from error
        return value

    @model_validator(mode="after")
    def _check(self) -> Self:
        self._check_names()
        self._check_profiles()
        self._check_codecs()
        if self.price_scenarios and len(self.price_scenarios.prices_per_mwh[0]) != self.intervals:
            raise ValueError(f"price_scenarios need one price for each of the {self.intervals} intervals")
        if not self.all_generators and not self.connection:
            raise ValueError("a world needs at least one generator or a connection")
        self._check_grid()
        self._check_vehicles()
        self._check_transformers()
        return self

    def _check_grid(self) -> None:
        if self.frequency and self.connection:
            raise ValueError(
                "frequency is an island's; with a connection the larger grid sets it: name a profile in "
                "connection.frequency"
            )
        names = [g.name for g in self.all_generators]
        for trip in self.trips:
            if trip.generator not in names:
                raise ValueError(f"trips: no generator {trip.generator!r}. {nearest(trip.generator, names)}")
        self._check_clearing()
        if not 0 < self.substep_s <= self.interval_min * SECONDS_PER_MINUTE:
            raise ValueError(f"substep_s {self.substep_s} must lie within 0 .. the interval's length, above 0")

    def _check_clearing(self) -> None:
        """In turn, load comes before reserve; jointly it does where a MW of reserve is worth less than one of load."""
        if self.reserve and self.clears_jointly:
            rules, reserve = self.market, self.reserve
            worth = reserve.penalty_per_mwh * max(1.0, self.interval_h / reserve.reserve_duration_h)
            if worth >= rules.voll_per_mwh - rules.cap_per_mwh:
                raise ValueError(
                    f"market.clearing joint would shed load to hold reserve: reserve.penalty_per_mwh "
                    f"{reserve.penalty_per_mwh:g}, per MW of load {worth:g}, must stay below voll - cap = "
                    f"{rules.voll_per_mwh - rules.cap_per_mwh:g}"
                )

    def _check_names(self) -> None:
        names = [*self.seats, *(home.name for home in self.all_prosumers), OPERATOR]
        twice = {n for n in names if names.count(n) > 1}
        if twice:
            raise ValueError(f"seat names must be unique; twice or more: {', '.join(sorted(twice))}")

    def _check_profiles(self) -> None:
        used = {g.name: g.availability for g in self.all_generators if g.availability}
        used |= {c.name: c.profile for c in self.all_consumers}
        if self.connection:
            used["connection.wholesale"] = self.connection.wholesale
            if self.connection.co2:
                used["connection.co2"] = self.connection.co2
            if self.connection.frequency:
                used["connection.frequency"] = self.connection.frequency
        for user, profile in used.items():
            if profile not in self.profiles:
                raise ValueError(
                    f"{user} uses profile {profile!r}, which is not defined; "
                    f"known: {', '.join(self.profiles) or 'none'}. {nearest(profile, self.profiles)}"
                )

    def _check_codecs(self) -> None:
        known = {*self.seats, *(home.name for home in self.all_prosumers), *BUILT_IN_CODECS}
        for key in self.codecs:
            if key not in known:
                raise ValueError(f"codecs name {key!r}, which is neither a role nor a seat. {nearest(key, known)}")

    def _check_vehicles(self) -> None:
        for unit in self.all_storage:
            if isinstance(unit, ElectricVehicle):
                stay = (unit.departure_h - unit.arrival_h) % HOURS_PER_DAY
                if min(stay, HOURS_PER_DAY - stay) < self.interval_h:
                    raise ValueError(
                        f"{unit.name}: stays {stay:g} h a day; staying and being away must each last an interval"
                    )

    def _check_transformers(self) -> None:
        for unit in self.transformers:
            for pattern in unit.members:
                if not any(_is_member((pattern,), part) for part in self.participants):
                    raise ValueError(f"transformer {unit.name}: no seat and no owner matches {pattern!r}")
        for part in self.participants:
            above = [unit.name for unit in self.transformers if _is_member(unit.members, part)]
            if len(above) > 1:
                raise ValueError(f"{part.name} is behind several transformers: {', '.join(above)}; keep one")

    @cached_property
    def _neighbours(self) -> tuple[list[Prosumer], dict[str, OwnerSettings]]:
        return self.neighbourhood.homes() if self.neighbourhood else ([], {})

    @property
    def _homes(self) -> tuple[Prosumer, ...]:
        return (*self.prosumers, *self._neighbours[0])

    @cached_property
    def all_prosumers(self) -> tuple[Prosumer, ...]:
        """Homes that are one seat each unless their codec is ``separate``: named ones, then the neighbourhood's."""
        bundled = self.neighbourhood is not None and self.neighbourhood.seats == "prosumers"
        return (*self.prosumers, *(self._neighbours[0] if bundled else ()))

    @cached_property
    def all_generators(self) -> tuple[Generator, ...]:
        """Named generators, then the fleet's, then the homes' roofs."""
        fleet = self.fleet.generators if self.fleet else ()
        return (*self.generators, *fleet, *(home.solar for home in self._homes if home.solar))

    @cached_property
    def all_storage(self) -> tuple[Battery, ...]:
        """Named batteries and vehicles, then the fleet's batteries, then the homes'."""
        fleet = self.fleet.storage if self.fleet else ()
        homes = (part for home in self._homes for part in home.storage)
        return (*self.storage, *self.vehicles, *fleet, *homes)

    @cached_property
    def all_consumers(self) -> tuple[Load, ...]:
        """Named loads, then the homes'."""
        return (*self.consumers, *(home.load for home in self._homes if home.load))

    @cached_property
    def participants(self) -> tuple[Participant, ...]:
        """Everything that trades: generators, storage, consumers."""
        return (*self.all_generators, *self.all_storage, *self.all_consumers)

    def transformer_of(self, part: Participant) -> int:
        """Which transformer a participant is behind; -1: none."""
        return next((t for t, unit in enumerate(self.transformers) if _is_member(unit.members, part)), -1)

    def bundled(self, codecs: Mapping[str, str] | None = None) -> tuple[Prosumer, ...]:
        """Prosumers that are one seat each, under codecs laid over the scenario's own."""
        spoken = {**self.codecs, **(codecs or {})}
        return tuple(h for h in self.all_prosumers if (spoken.get(h.name) or spoken.get(PROSUMER)) != SEPARATE)

    @property
    def clears_jointly(self) -> bool:
        """Whether energy and reserve are cleared together; where no reserve is bought nothing is left to do so."""
        bought = self.reserve is not None and self.reserve.spin_share + self.reserve.nonspin_share > 0.0
        return bought and self.market.clearing == "joint"

    @cached_property
    def seats(self) -> tuple[str, ...]:
        """Names of all seats but the operator's: generators, storage, consumers."""
        return tuple(p.name for p in self.participants)

    @property
    def substeps(self) -> int:
        """How many substeps an interval has; they share it equally."""
        return max(1, round(self.interval_min * SECONDS_PER_MINUTE / self.substep_s))

    @property
    def interval_h(self) -> float:
        """Length of an interval in hours."""
        return self.interval_min / MINUTES_PER_HOUR

    def owner_beta(self, owner: str) -> float:
        """Risk weight of an owner (0 where nothing is said)."""
        settings = self.owners.get(owner) or self._neighbours[1].get(owner)
        return settings.beta if settings else 0.0

    def window_starts(self, split: Split) -> tuple[datetime, ...]:
        """UTC starts of the split's episodes; the scenario's own start where it names no windows."""
        local = self.windows.get(split) or (self.start,)
        return tuple(_to_utc(when, self.timezone) for when in local)

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that stamp every result: they change with any setting and with the data's content."""
        dumped = self.model_dump(mode="json", exclude={"data": True, "fleet": {"file": True}})
        digest = hashlib.sha256(json.dumps(dumped, sort_keys=True).encode())
        if self.fleet:
            digest.update(self.fleet.fingerprint)
        if self.data:
            digest.update(hashlib.sha256(self.data.read_bytes()).digest())
        return digest.hexdigest()[:16]

    def but(self, **changes: object) -> Scenario:
        """Derive a scenario with some top-level settings replaced (mappings are merged one level deep).

        Parameters
        ----------
        **changes
            Settings by name, as in the YAML file.

        Raises
        ------
        ScenarioError
            Where a setting is unknown or its value impossible.
        """
        settings: dict[str, object] = self.model_dump(exclude_unset=True)
        for key, value in changes.items():
            old = settings.get(key)
            settings[key] = {**old, **value} if isinstance(old, dict) and isinstance(value, Mapping) else value
        return Scenario.parse(settings, f"scenario {self.name!r}")

    def mapped(self, columns: Mapping[str, str]) -> Scenario:
        """Take other columns of the table: profile name -> column name.

        Raises
        ------
        ScenarioError
            Where no such profile exists.
        """
        for name in columns:
            if name not in self.profiles:
                raise ScenarioError(
                    f"--map of scenario {self.name!r}: profile",
                    name,
                    ", ".join(self.profiles),
                    nearest(name, self.profiles),
                )
        profiles = {n: p.model_dump(exclude_unset=True) for n, p in self.profiles.items()}
        for name, column in columns.items():
            profiles[name]["column"] = column
        return self.but(profiles=profiles)

    def fed(self, *files: Path) -> Scenario:
        """Take tables: one whose header is a fleet's becomes the fleet, any other the series of the profiles.

        Raises
        ------
        ScenarioError
            Where two files are of the same kind, or the world does not fit the fleet.
        DataError
            Where the fleet's table does not serve.
        """
        changes: dict[str, object] = {}
        for file in files:
            key = "fleet" if is_fleet(file) else "data"
            if key in changes:
                raise ScenarioError(f"--data of scenario {self.name!r}", str(file), f"one table of {key}", "keep one")
            changes[key] = {"file": file} if key == "fleet" else file
        return self.but(**changes) if changes else self

    @classmethod
    def load(cls, name_or_path: str | Path | Scenario) -> Scenario:
        """Read a shipped world by name, or your own file by path.

        Raises
        ------
        CatalogueError
            Where no world has that name (suggests the nearest).
        ScenarioError
            Where the file does not describe a possible world.
        """
        if isinstance(name_or_path, Scenario):
            return name_or_path
        path = catalogue.find("envs", name_or_path)
        content = {"name": path.stem, **catalogue.read("envs", name_or_path)}
        scenario = cls.parse(_beside(path.parent, content), path.name)
        if scenario.data and not scenario.data.is_absolute():
            scenario = scenario.but(data=path.parent / scenario.data)
        return scenario


def _beside(folder: Path, content: Mapping[str, object]) -> Mapping[str, object]:
    """A fleet's file is looked for beside the file that names it."""
    fleet = content.get("fleet")
    if not isinstance(fleet, dict) or "file" not in fleet:
        return content
    return {**content, "fleet": {**fleet, "file": folder / str(cast("object", fleet["file"]))}}


def _to_utc(local: datetime, timezone: str) -> datetime:
    zone = ZoneInfo("UTC")
    aware = local if local.tzinfo else local.replace(tzinfo=ZoneInfo(timezone))
    return aware.astimezone(zone) + timedelta(0)


def _is_member(patterns: tuple[str, ...], part: Participant) -> bool:
    return any(fnmatchcase(part.name, p) or fnmatchcase(part.owned_by, p) for p in patterns)
