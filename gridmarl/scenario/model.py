"""The base of every configuration class: frozen, unknown keys refused with a suggestion, kW and kWh as twins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, cast

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from gridmarl.errors import DataError, GridmarlError, ScenarioError, nearest
from gridmarl.units import KW_PER_MW

TWINS: tuple[tuple[str, str, float], ...] = (
    ("_per_kw2h", "_per_mw2h", KW_PER_MW**2),
    ("_per_kwh", "_per_mwh", KW_PER_MW),
    ("_kw_per_h", "_mw_per_h", 1 / KW_PER_MW),
    ("_kwh", "_mwh", 1 / KW_PER_MW),
    ("_kw", "_mw", 1 / KW_PER_MW),
)
"""Suffix on input, suffix inside, factor. A price per kWh is 1,000 times that per MWh; per (kW² h) a million times."""


def _in_megawatts(value: object, factor: float) -> object:
    if isinstance(value, (list, tuple)):
        return tuple(_in_megawatts(v, factor) for v in cast("list[object]", value))
    return value * factor if isinstance(value, (int, float)) else value


def _twin(key: str) -> tuple[str, float]:
    for suffix, inside, factor in TWINS:
        if key.endswith(suffix):
            return key.removesuffix(suffix) + inside, factor
    return key, 1.0


class Model(BaseModel):
    """Base of the configuration classes."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _convert_kilowatts(cls, data: object) -> object:
        if not isinstance(data, Mapping):
            return data
        converted: dict[str, object] = {}
        for key, value in cast("Mapping[str, object]", data).items():
            name, factor = (key, 1.0) if key in cls.model_fields else _twin(key)
            if name in converted:
                raise ValueError(f"{key!r} and its twin {name!r} are both given; keep one")
            converted[name] = value if factor == 1.0 else _in_megawatts(value, factor)
        return converted

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Copy as pydantic does, without the properties cached so far: they were those of the old values."""
        copy = super().model_copy(update=update, deep=deep)
        held = cast("dict[str, object]", copy.__dict__)
        for name in held.keys() - type(self).model_fields.keys():
            del held[name]
        return copy

    @classmethod
    def parse(cls, data: Mapping[str, object], source: str) -> Self:
        """Validate a mapping and turn pydantic's complaint into one that names the key, the value and the remedy.

        Parameters
        ----------
        data : mapping
            The keys and values of a YAML file.
        source : str
            Where they come from, for the message.

        Raises
        ------
        ScenarioError
            On the first thing that is wrong.
        DataError
            Where a file that a setting points to does not serve.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise _explain(cls, error, source) from None


def _explain(model: type[Model], error: ValidationError, source: str) -> GridmarlError:
    first = error.errors(include_url=False)[0]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, DataError):  # it names the file that a setting points to, and the place in it
        return cause
    where = ".".join(str(part) for part in first["loc"]) or "the whole"
    more = f" ({error.error_count() - 1} more wrong)" if error.error_count() > 1 else ""
    if first["type"] == "extra_forbidden":
        known = _fields_at(model, tuple(first["loc"][:-1]))
        key = str(first["loc"][-1])
        return ScenarioError(
            f"{source}: unknown key {where!r}{more}", None, ", ".join(sorted(known)), nearest(key, known) or "remove it"
        )
    value = first["input"] if not isinstance(first["input"], (dict, list, Model)) else None
    return ScenarioError(f"{source}: {where}{more}", value, first["msg"], "correct it where it was said")


def _fields_at(model: type[Model], path: tuple[int | str, ...]) -> set[str]:
    """Names of the fields that the class found at this path of the model knows."""
    current: type[Model] = model
    for part in path:
        if isinstance(part, str) and part in current.model_fields:
            current = _model_in(current.model_fields[part].annotation) or current
    return set(current.model_fields)


def _model_in(annotation: object) -> type[Model] | None:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _model_in(inner)
        if found:
            return found
    return None
