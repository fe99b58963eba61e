"""What one household owns and wishes: the private facts from which its menu of offers is made.

What is not said is assumed conservatively: the defaults keep half of the battery, have the car ready in the morning,
ask a price above that of most evenings, and prefer not to be strained.
"""

from __future__ import annotations

from typing import Annotated, Final, cast

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from gridmarl.scenario.model import Model
from gridmarl.units import HOURS_PER_DAY

CONSERVATIVE_BACKUP: Final = 0.5
CONSERVATIVE_DEADLINE_HOUR: Final = 6.0
CONSERVATIVE_TARGET: Final = 0.9
CONSERVATIVE_PRICE_PER_MWH: Final = 100.0
CONSERVATIVE_COMFORT: Final = 1.0

Hour = Annotated[float, Field(ge=0.0, le=HOURS_PER_DAY)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


def _listed(value: object) -> object:
    """Lists, as YAML and JSON have them, as tuples."""
    return tuple(cast("list[object]", value)) if isinstance(value, list) else value


def _some_time(span: tuple[float, float]) -> tuple[float, float]:
    if span[0] == span[1] or span == (HOURS_PER_DAY, 0.0):
        raise ValueError(f"the span {span} has no length; a whole day is (0, 24)")
    return span


Span = Annotated[tuple[Hour, Hour], BeforeValidator(_listed), AfterValidator(_some_time)]
Spans = Annotated[tuple[Span, ...], BeforeValidator(_listed)]


class Strict(Model):
    """A model that takes a number for a number: no text, no truth values."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)


class Preferences(Strict):
    """What a household wishes. Everything but ``comfort`` is binding."""

    backup_share: Share = Field(
        default=CONSERVATIVE_BACKUP, description="of the battery's energy, kept for a power cut; never offered"
    )
    blocked_hours: Spans = Field(
        default=(),
        description="[start, end) local hours in which it will not discharge; past midnight where start > end",
    )
    ev_deadline_hour: Hour | None = Field(
        default=CONSERVATIVE_DEADLINE_HOUR, description="local hour at which the car leaves; none: any time is fine"
    )
    ev_target_share: Share = Field(
        default=CONSERVATIVE_TARGET, description="of the car's energy, stored when it leaves; kept always if no hour is"
    )
    minimum_price_per_mwh: float = Field(
        default=CONSERVATIVE_PRICE_PER_MWH, ge=0.0, description="$ per MWh delivered, below which it will not"
    )
    comfort: Share = Field(
        default=CONSERVATIVE_COMFORT,
        description="a soft wish: it would rather give no more than 1 - comfort/2 of what it could",
    )


class Assets(Strict):
    """What a household owns; 0 where it has none."""

    battery_kwh: float = Field(default=0.0, ge=0.0)
    battery_kw: float = Field(default=0.0, ge=0.0)
    ev_kwh: float = Field(default=0.0, ge=0.0)
    ev_kw: float = Field(default=0.0, ge=0.0, description="into the car and, where it can discharge, out of it")
    pv_kw: float = Field(default=0.0, ge=0.0)
