"""Times that a table spreads over the columns year, month, day and period, as RTS-GMLC's do, become one column."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from gridmarl.data.reading import RawTable, numbers
from gridmarl.errors import DataError
from gridmarl.units import HOURS_PER_DAY, Float

PARTS: Final = ("year", "month", "day", "period")
START: Final = "interval_start"


def with_starts(raw: RawTable) -> RawTable:
    """The table with a column of local interval starts, where it has :data:`PARTS`; else the table itself.

    Period 1 begins at midnight, and the largest period of the file ends the day: 24 an hour each, 288 five minutes.

    Parameters
    ----------
    raw : RawTable
        A file.

    Raises
    ------
    DataError
        A part is empty, no whole number, or the date does not exist; says the row.
    """
    names = {name.lower(): name for name in raw.columns}
    if START in names or not all(part in names for part in PARTS):
        return raw
    parts = {part: numbers(raw, names[part]) for part in PARTS}
    for part, values in parts.items():
        _refuse_parts(raw, names[part], values)
    hours = HOURS_PER_DAY / parts["period"].max()
    starts = [_start(raw, row, parts, hours) for row in range(len(raw.rows))]
    rest = {name: cells for name, cells in raw.columns.items() if name not in {names[part] for part in PARTS}}
    return replace(raw, columns={START: starts, **rest})


def _refuse_parts(raw: RawTable, column: str, values: Float) -> None:
    bad = ~(values >= 1.0) | (values != np.floor(values))
    if bad.any():
        row = int(np.argmax(bad))
        thing = f"{raw.label}, column {column!r}, row {raw.rows[row]}"
        raise DataError(thing, float(values[row]), "a whole number from 1", "correct the cell")


def _start(raw: RawTable, row: int, parts: dict[str, Float], hours: float) -> str:
    year, month, day, period = (int(parts[part][row]) for part in PARTS)
    try:
        start = datetime(year, month, day) + timedelta(hours=(period - 1) * hours)
    except ValueError as error:
        thing = f"{raw.label}, row {raw.rows[row]}, date"
        raise DataError(thing, f"{year}-{month}-{day}", "a day that exists", str(error)) from error
    return start.isoformat(sep=" ", timespec="seconds")
