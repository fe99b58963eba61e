"""What trades: generators, batteries, loads with demand response, and the connection to a larger grid."""

from __future__ import annotations

from typing import cast

from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator

from gridmarl.scenario.model import Model

Share = float
ENERGY_TOLERANCE_MWH = 1e-12
NAME = r"^[A-Za-z][A-Za-z0-9_.\-]*$"


class Participant(Model):
    """What every seat has: a name, an owner and perhaps a place on the feeder."""

    name: str = Field(pattern=NAME)
    owner: str | None = Field(default=None, description="who owns the seat; by default the seat itself")

    bus: str | None = Field(default=None, description="bus of the feeder; none: its source")

    @property
    def owned_by(self) -> str:
        """The owner's name."""
        return self.owner or self.name


class Generator(Participant):
    """A generating unit with a linear-quadratic true cost. The default commitment rule keeps it on."""

    technology: str = "gas"
    capacity_mw: PositiveFloat
    minimum_mw: NonNegativeFloat = 0.0
    cost_per_mwh: float = Field(
        default=0.0, description="true marginal cost at zero output (fuel price over efficiency)"
    )
    cost_per_mw2h: NonNegativeFloat = Field(default=0.0, description="$/(MW² h): cost = a p + b p² an hour")
    co2_kg_per_mwh: NonNegativeFloat = 0.0
    ramp_mw_per_h: PositiveFloat | None = Field(default=None, description="both ways; none: no limit")
    start_cost: NonNegativeFloat = Field(default=0.0, description="$ for coming back from maintenance")
    initial_mw: NonNegativeFloat = 0.0
    availability: str | None = Field(default=None, description="profile of the available share; none: all of it")
    maintenance_h: tuple[tuple[float, float], ...] = Field(
        default=(), description="windows (from, to) in hours of the episode"
    )
    renewable: bool = False
    inertia_s: NonNegativeFloat = Field(default=0.0, description="H on the unit's own rating; 0: not synchronous")
    droop: PositiveFloat | None = Field(
        default=None, description="per unit of frequency for per unit of output (0.05 is usual); none: no governor"
    )
    reserve_price_per_mwh: NonNegativeFloat = Field(default=0.0, description="asked for a MW of readiness an hour")

    @model_validator(mode="after")
    def _check(self) -> Generator:
        if self.minimum_mw > self.capacity_mw:
            raise ValueError(f"{self.name}: minimum_mw {self.minimum_mw} exceeds capacity_mw {self.capacity_mw}")
        if not 0 <= self.initial_mw <= self.capacity_mw:
            raise ValueError(f"{self.name}: initial_mw {self.initial_mw} must lie within 0 .. {self.capacity_mw}")
        for start, end in self.maintenance_h:
            if not 0 <= start < end:
                raise ValueError(f"{self.name}: maintenance_h window ({start}, {end}) must satisfy 0 <= from < to")
        return self


def _one_way(round_trip: object) -> float:
    """The square root each way."""
    if not isinstance(round_trip, (int, float)) or not 0 < round_trip <= 1:
        raise ValueError(f"round_trip_efficiency {round_trip!r} must lie within 0 .. 1, above 0")
    return float(round_trip) ** 0.5


class Battery(Participant):
    """One signed power; one-way efficiencies; a window of allowed stored energy; wear by throughput."""

    technology: str = "battery"
    capacity_mwh: PositiveFloat
    power_mw: PositiveFloat = Field(description="limit of both charging and discharging, grid side")
    charge_efficiency: float = Field(default=0.95, gt=0, le=1)
    discharge_efficiency: float = Field(default=0.95, gt=0, le=1)
    soc_min: float = Field(default=0.1, ge=0, le=1)
    soc_max: float = Field(default=0.9, ge=0, le=1)
    soc_initial: float = Field(default=0.5, ge=0, le=1)
    wear_per_mwh: NonNegativeFloat = Field(
        default=0.0, description="$ per MWh charged and per MWh discharged, grid side"
    )
    wear_per_mw2h: NonNegativeFloat = Field(default=0.0, description="$/(MW² h) on charging² + discharging²")
    ramp_mw_per_h: PositiveFloat | None = Field(
        default=None, description="away from zero; returning to zero is always allowed"
    )
    cycle_cost_per_mwh: NonNegativeFloat = Field(
        default=0.0, description="a cycle of full depth costs this times the capacity: ageing by depth of discharge"
    )
    cycle_exponent: float = Field(default=1.5, ge=1, description="a cycle of depth d costs d to this power of it")
    droop: PositiveFloat | None = Field(
        default=None, description="fast frequency response beyond its dead band, per unit; none: none"
    )
    reserve_price_per_mwh: NonNegativeFloat = Field(default=0.0, description="asked for a MW of readiness an hour")

    @model_validator(mode="before")
    @classmethod
    def _split_round_trip(cls, data: object) -> object:
        if isinstance(data, dict) and "round_trip_efficiency" in data:
            rest = {str(k): v for k, v in data.items() if k != "round_trip_efficiency"}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # raw YAML
            if twice := rest.keys() & {"charge_efficiency", "discharge_efficiency"}:
                raise ValueError(f"round_trip_efficiency and {min(twice)} are both given; keep one")
            one_way = _one_way(cast("object", data["round_trip_efficiency"]))
            return {**rest, "charge_efficiency": one_way, "discharge_efficiency": one_way}
        return data  # pyright: ignore[reportUnknownVariableType]

    @model_validator(mode="after")
    def _check(self) -> Battery:
        if not self.soc_min <= self.soc_initial <= self.soc_max:
            raise ValueError(
                f"{self.name}: soc_initial {self.soc_initial} must lie within soc_min {self.soc_min} .. "
                f"soc_max {self.soc_max}"
            )
        return self


class ElectricVehicle(Battery):
    """A battery that is away from departure to arrival, every day, and must be ready when it leaves.

    It is plugged in for the whole intervals between arrival and departure. What it lacks at departure costs comfort; a
    trip takes energy, never more than there is above the window's lower end.
    """

    technology: str = "vehicle"
    arrival_h: float = Field(ge=0, lt=24, description="local time of day at which it is plugged in")
    departure_h: float = Field(ge=0, lt=24, description="local time of day at which it leaves")
    trip_mwh: NonNegativeFloat = Field(default=0.0, description="stored energy that a day's trip takes")
    ready_mwh: NonNegativeFloat | None = Field(default=None, description="must be stored at departure")
    ready_soc: float | None = Field(default=None, ge=0, le=1, description="the same, as a share of capacity")
    missing_per_mwh: NonNegativeFloat = Field(default=1000.0, description="true cost of what is missing at departure")

    @property
    def ready(self) -> float:
        """What must be stored at departure, MWh; where nothing is said, enough for the trip."""
        if self.ready_mwh is not None:
            return self.ready_mwh
        if self.ready_soc is not None:
            return self.ready_soc * self.capacity_mwh
        return self.soc_min * self.capacity_mwh + self.trip_mwh

    @model_validator(mode="after")
    def _check_vehicle(self) -> ElectricVehicle:
        if self.arrival_h == self.departure_h:
            raise ValueError(f"{self.name}: arrival_h and departure_h are both {self.arrival_h}; it would never stay")
        if self.ready_mwh is not None and self.ready_soc is not None:
            raise ValueError(f"{self.name}: ready_mwh and ready_soc are both given; keep one")
        lowest, highest = self.soc_min * self.capacity_mwh, self.soc_max * self.capacity_mwh
        if (
            not lowest + self.trip_mwh <= self.ready + ENERGY_TOLERANCE_MWH
            or self.ready > highest + ENERGY_TOLERANCE_MWH
        ):
            raise ValueError(
                f"{self.name}: what must be ready, {self.ready:g} MWh, must lie within "
                f"{lowest + self.trip_mwh:g} (soc_min and a trip) .. {highest:g} MWh (soc_max)"
            )
        return self


class Load(Participant):
    """A load whose flexible share can be offered as demand response and is partly consumed later (rebound)."""

    technology: str = "load"
    load_mw: PositiveFloat = Field(description="times the profile's value: the uncontrolled load")
    profile: str = "demand"
    flexible_share: Share = Field(default=0.0, ge=0, le=1)
    dr_price_per_mwh: float = Field(default=80.0, description="asked for a reduction by the default codec")
    comfort_cost_per_mwh: NonNegativeFloat | None = Field(default=None, description="true cost; none: dr_price_per_mwh")
    rebound_share: Share = Field(default=0.0, ge=0, le=1, description="of the reduced energy comes back")
    rebound_h: PositiveFloat = Field(default=2.0, description="time constant of coming back")
    power_factor: float = Field(default=0.98, gt=0, le=1, description="lagging; matters on a feeder")

    @property
    def true_cost_per_mwh(self) -> float:
        """What a reduction of one MWh really costs the consumer, in $."""
        return max(self.dr_price_per_mwh, 0.0) if self.comfort_cost_per_mwh is None else self.comfort_cost_per_mwh


class GridConnection(Model):
    """A participant without a seat: sells at wholesale + import fee, buys at wholesale - export fee, within a limit."""

    limit_mw: PositiveFloat
    wholesale: str = Field(default="price", description="profile of the wholesale price, $/MWh")
    import_fee_per_mwh: NonNegativeFloat = 1.0
    export_fee_per_mwh: NonNegativeFloat = 1.0
    co2: str | None = Field(default=None, description="profile of the imports' CO2 rate, kg/MWh")
    co2_kg_per_mwh: NonNegativeFloat = Field(default=0.0, description="a constant rate instead")
    frequency: str | None = Field(default=None, description="profile of the larger grid's frequency deviation, Hz")
