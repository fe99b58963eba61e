"""What the physics of the grid needs to know: frequency of an island, the feeder's voltage, emergencies, trips."""

from __future__ import annotations

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from gridmarl.scenario.model import Model


class FrequencySettings(Model):
    """The aggregated swing equation of an island; inertia and droop belong to the generators.

    Without any inertia there is no frequency to speak of: what can respond does so at once.
    """

    nominal_hz: PositiveFloat = Field(default=50.0, description="50 or 60: everything else follows")
    band_hz: PositiveFloat = Field(default=0.1, description="half the width of the normal band")
    damping: NonNegativeFloat = Field(default=1.0, description="per cent of load for a per cent of frequency")
    governor_s: PositiveFloat = Field(default=4.0, description="time constant of the governors together")
    secondary_s: PositiveFloat | None = Field(
        default=30.0, description="time in which secondary control replaces the governors' response; none: without it"
    )
    dead_band_hz: NonNegativeFloat | None = Field(
        default=None, description="storage's fast response begins beyond; none: at the band"
    )


class EmergencySettings(Model):
    """When an emergency passes from stage to stage; deviations from nominal frequency."""

    detection_hz: PositiveFloat = 0.2
    alert_hz: PositiveFloat = 0.4
    storage_hz: PositiveFloat = Field(default=0.5, description="below: all storage discharges at its limit")
    shed_hz: PositiveFloat = Field(default=0.8, description="below: the first block of load is shed")
    shed_step_hz: PositiveFloat = Field(default=0.2, description="each further block is shed this much lower")
    shed_blocks: PositiveInt = 5
    shed_share: float = Field(default=0.08, gt=0, le=1, description="of the load, a block")
    generation_s: PositiveFloat = Field(
        default=60.0, description="in which called non-spinning reserve is at its limit"
    )
    recovery_hz: PositiveFloat = 0.1
    recovery_s: NonNegativeFloat = Field(default=30.0, description="inside recovery_hz this long: normal again")
    restore_s: PositiveFloat = Field(default=60.0, description="between two blocks of load that return")

    @model_validator(mode="after")
    def _check(self) -> EmergencySettings:
        steps = (self.detection_hz, self.alert_hz, self.storage_hz, self.shed_hz)
        if not self.recovery_hz <= steps[0] <= steps[1] <= steps[2] <= steps[3]:
            raise ValueError(
                f"recovery_hz {self.recovery_hz} <= detection_hz {steps[0]} <= alert_hz {steps[1]} <= "
                f"storage_hz {steps[2]} <= shed_hz {steps[3]} must hold"
            )
        if self.shed_blocks * self.shed_share > 1.0 + 1e-9:
            raise ValueError(f"{self.shed_blocks} blocks of {self.shed_share} shed more than the whole load")
        return self


class VoltageSettings(Model):
    """The radial feeder that the participants stand on, and what their inverters do for it."""

    feeder: str = Field(description="name of a shipped feeder, or a path of your own")
    band_pu: PositiveFloat = Field(default=0.05, description="half the width of the allowed band around 1")
    reactive_support: bool = Field(default=False, description="inverters of batteries, sun and wind hold the voltage")
    support_slope_pu: PositiveFloat = Field(
        default=20.0, description="MVAr per MVA of rating and per pu of deviation beyond the dead band"
    )
    support_dead_band_pu: NonNegativeFloat = 0.01


class Trip(Model):
    """A unit fails during the episode."""

    generator: str
    at_h: NonNegativeFloat = Field(description="hours after the episode's start, at the resolution of substeps")
    hours: PositiveFloat = Field(default=4.0, description="until it can be scheduled again")


class ReserveSettings(Model):
    """Upward capacity bought after energy has cleared."""

    spin_share: NonNegativeFloat = Field(default=0.05, description="requirement, of demand")
    nonspin_share: NonNegativeFloat = Field(default=0.05, description="requirement, of demand")
    penalty_per_mwh: NonNegativeFloat = Field(default=250.0, description="the price where the requirement is not met")
    reserve_duration_h: PositiveFloat = Field(default=1.0, description="for which storage must sustain what it sells")
    spin_response_min: PositiveFloat = Field(default=10.0, description="within which spin must be delivered")
    nonspin_response_min: PositiveFloat = 30.0
    levels: tuple[NonNegativeFloat, NonNegativeFloat, NonNegativeFloat, NonNegativeFloat, NonNegativeFloat] = Field(
        default=(1.0, 1.25, 1.5, 1.75, 2.0), description="the operator's five levels multiply the requirement"
    )

    @model_validator(mode="after")
    def _check(self) -> ReserveSettings:
        if self.nonspin_response_min < self.spin_response_min:
            raise ValueError(
                f"nonspin_response_min {self.nonspin_response_min} must be at least "
                f"spin_response_min {self.spin_response_min}"
            )
        return self
