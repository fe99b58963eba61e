"""Fleets as files: YAML that people edit, Parquet for thousands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, cast

import numpy as np

from gridmarl.errors import DataError, ScenarioError
from gridmarl.files import write_atomically, written_atomically
from gridmarl.negotiation.homes.fleet import Household, ProsumerFleet, fleet_of
from gridmarl.negotiation.homes.preferences import Assets, Preferences, Strict

SUFFIXES: Final = (".yaml", ".parquet")
SPAN: Final = "blocked_{end}_{number}"


class _Entry(Strict):
    """A household in a YAML file."""

    name: str
    assets: Assets = Assets()
    preferences: Preferences = Preferences()
    ev_discharges: bool = Household._field_defaults["ev_discharges"]
    ev_arrival_hour: float = Household._field_defaults["ev_arrival_hour"]
    mean_load_kw: float = Household._field_defaults["mean_load_kw"]


def write_fleet(fleet: ProsumerFleet, path: Path) -> None:
    """Write a fleet, in one step.

    Parameters
    ----------
    fleet : ProsumerFleet
    path : Path
        Ends in ``.yaml`` or ``.parquet``.

    Raises
    ------
    DataError
        Another ending.
    """
    if _ending(path) == ".yaml":
        import yaml

        entries = [_Entry(**home._asdict()).model_dump(mode="json") for home in fleet.households()]
        write_atomically(path, yaml.safe_dump(entries, sort_keys=False, default_flow_style=None, width=120))
        return
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, object] = {"name": list(fleet.names)}
    for field in fields(fleet)[1:]:
        values: np.ndarray = getattr(fleet, field.name)
        if field.name != "blocked_hours":
            columns[field.name] = values
    for number in range(fleet.blocked_hours.shape[1]):
        for place, end in enumerate(("from", "to")):
            columns[SPAN.format(end=end, number=number + 1)] = fleet.blocked_hours[:, number, place]
    with written_atomically(path) as draft:
        pq.write_table(pa.table(columns), draft)


def read_fleet(path: Path) -> ProsumerFleet:
    """Read a fleet that :func:`write_fleet` or a person wrote.

    Raises
    ------
    DataError
        The file is missing, has another ending, or cannot be read.
    ScenarioError
        A household that makes no sense: says which and why.
    """
    ending = _ending(path)
    if not path.is_file():
        raise DataError(f"fleet {path} does not exist", remedy="write one with: gridmarl fleet --size 200 --out FILE")
    return _from_yaml(path) if ending == ".yaml" else _from_parquet(path)


def _from_yaml(path: Path) -> ProsumerFleet:
    import yaml

    try:
        content: object = yaml.safe_load(path.read_text("utf-8"))
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"{path.name} is no YAML", str(error), "a list of households", "check the file") from None
    if not isinstance(content, list) or not all(isinstance(one, Mapping) for one in cast("list[object]", content)):
        raise DataError(path.name, type(content).__name__, "a list of households", "begin each with - name: ...")
    entries = [
        _Entry.parse(one, f"{path.name}, household {place + 1}")
        for place, one in enumerate(cast("list[Mapping[str, object]]", content))
    ]
    return fleet_of([Household(*(getattr(e, name) for name in Household._fields)) for e in entries])


def _from_parquet(path: Path) -> ProsumerFleet:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path.name} is no Parquet", str(error), "a fleet's table", "write it anew") from None
    spans = sum(name.startswith("blocked_from_") for name in table.column_names)
    names = [field.name for field in fields(ProsumerFleet)[1:] if field.name != "blocked_hours"]
    ends = [SPAN.format(end=end, number=n + 1) for n in range(spans) for end in ("from", "to")]
    missing = [name for name in ("name", *names, *ends) if name not in table.column_names]
    if missing or not spans:
        raise DataError(f"{path.name}, columns", missing, "those that gridmarl fleet writes", "write it anew")
    read: dict[str, Any] = {name: table[name].to_numpy() for name in (*names, *ends)}
    blocked = np.stack([read.pop(name) for name in ends], axis=1).reshape(len(table), spans, 2)
    raw = ProsumerFleet(names=tuple(table["name"].to_pylist()), blocked_hours=blocked, **read)
    try:
        return fleet_of(raw.households())  # each household is looked at as if a person had written it
    except ValueError as error:
        raise ScenarioError(f"{path.name}: {error}", None, "", "write it anew") from None


def _ending(path: Path) -> str:
    ending = {".yml": ".yaml"}.get(path.suffix.lower(), path.suffix.lower())
    if ending not in SUFFIXES:
        raise DataError(f"fleet {path.name}", path.suffix, " or ".join(SUFFIXES), "rename it")
    return ending
