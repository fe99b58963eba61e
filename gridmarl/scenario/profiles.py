"""A profile: one public time series (demand, sun, wind, a price), its shape and how far reality strays from it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator

from gridmarl.scenario.model import Model

Unit = Literal["share", "per_mwh", "celsius", "kg_per_mwh", "hz"]


class Profile(Model):
    """Base series plus a first-order autoregressive deviation; or a column of a table where data is given.

    The realised value is ``clip(base (1 + deviation_relative d) + deviation_absolute d, minimum, maximum)`` where d has
    unit variance and correlation ``exp(-dt / correlation_h)``; its forecast is the conditional expectation given the
    last realised d. With data, the base of an interval is the value one day earlier and d its difference.

    The auction clears on that value. Afterwards, in real time, the profile strays from it once more, along a
    piecewise-constant path with the standard deviation ``realtime_relative`` x value + ``realtime_absolute``.
    """

    unit: Unit = "share"
    shape: str = Field(default="constant", description="a name from gridmarl.data.synthetic, unless values are given")
    values: tuple[float, ...] | None = Field(
        default=None, description="one value per interval instead of a shape, repeated"
    )
    scale: float = 1.0
    offset: float = 0.0
    shift_h: float = Field(default=0.0, description="the shape's clock runs this many hours late")
    deviation_relative: NonNegativeFloat = 0.0
    deviation_absolute: NonNegativeFloat = 0.0
    correlation_h: PositiveFloat = 4.0
    realtime_relative: NonNegativeFloat = Field(
        default=0.0, description="standard deviation within the interval, of the interval's value"
    )
    realtime_absolute: NonNegativeFloat = Field(default=0.0, description="the same in the profile's unit")
    realtime_correlation_min: PositiveFloat = 10.0
    minimum: float = 0.0
    maximum: float = 1.0e6
    column: str | None = Field(default=None, description="the column that replaces the shape when a table is given")
    per: PositiveFloat = Field(
        default=1.0, description="the column's values are divided by this, e.g. its installed MW"
    )

    @model_validator(mode="after")
    def _check(self) -> Profile:
        if self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum} exceeds maximum {self.maximum}")
        return self
