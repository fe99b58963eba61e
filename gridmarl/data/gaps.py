"""Missing rows and values: named and counted, and filled only when asked."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Final, Literal, get_args

import numpy as np

from gridmarl.data.clock import TimeGrid
from gridmarl.errors import DataError, nearest
from gridmarl.units import Bool, Float

Gaps = Literal["refuse", "interpolate", "hold"]
SHOWN: Final = 3
"""Gaps an error quotes of each column."""

logger = logging.getLogger(__name__)


def close_gaps(
    columns: Mapping[str, Float], grid: TimeGrid, gaps: Gaps, label: str
) -> tuple[dict[str, Float], dict[str, int]]:
    """Refuse gaps, or fill them in the asked way.

    Parameters
    ----------
    columns : mapping of str to Float
        (interval,) values on the grid; NaN where missing.
    grid : TimeGrid
        The grid.
    gaps : {"refuse", "interpolate", "hold"}
        ``interpolate`` draws a straight line between the neighbours, ``hold`` repeats the last value.
    label : str
        The file, for errors and the log.

    Returns
    -------
    columns : dict of str to Float
        Gap-free, fresh arrays.
    filled : dict of str to int
        How many values were filled, by column; only columns that had gaps.

    Raises
    ------
    DataError
        There are gaps and ``gaps="refuse"``; or one at an end, with nothing to be filled from; or ``gaps`` is unknown.
    """
    if gaps not in get_args(Gaps):
        raise DataError("gaps", gaps, ", ".join(get_args(Gaps)), nearest(gaps, get_args(Gaps)))
    absent = _absent_rows(grid)
    missing = {name: np.isnan(values) for name, values in columns.items()}
    report = _report(missing, absent, grid)
    if report and gaps == "refuse":
        remedy = (
            "mend the file, or fill them: gaps='interpolate' or 'hold'; gridmarl data FILE --gaps ... --out ANOTHER"
        )
        raise DataError(f"{label} has gaps: {report}", allowed="a value for every interval", remedy=remedy)
    if report:
        logger.warning("%s: filled (%s) %s", label, gaps, report)
    full = {name: _fill(series, missing[name], gaps, grid, f"{label}, {name}") for name, series in columns.items()}
    return full, {name: int(holes.sum()) for name, holes in missing.items() if holes.any()}


def _absent_rows(grid: TimeGrid) -> Bool:
    absent = np.ones(grid.size, dtype=np.bool_)
    absent[grid.position] = False
    return absent


def _report(missing: Mapping[str, Bool], absent: Bool, grid: TimeGrid) -> str:
    """One phrase for the rows that are not there and one for each column with empty cells; "" when there is no gap."""
    counted = {"missing rows": absent, **{f"empty cells of {name}": holes & ~absent for name, holes in missing.items()}}
    return "; ".join(_phrase(what, where, grid) for what, where in counted.items() if where.any())


def _phrase(what: str, where: Bool, grid: TimeGrid) -> str:
    indices: Sequence[int] = np.flatnonzero(where).tolist()
    more = ", ..." if len(indices) > SHOWN else ""
    return f"{len(indices)} {what} ({', '.join(grid.moment(i) for i in indices[:SHOWN])}{more})"


def _fill(values: Float, holes: Bool, gaps: Gaps, grid: TimeGrid, label: str) -> Float:
    index = np.arange(values.size)
    known = index[~holes]
    before = known[0] if known.size else values.size
    after = known[-1] if known.size else -1
    bare = holes & ((index < before) | ((index > after) & (gaps == "interpolate")))
    if bare.any():
        thing = f"{label}: {_phrase('gaps', bare, grid)} at an end of the file cannot be filled by {gaps!r}"
        raise DataError(thing, remedy="drop those rows or mend the file")
    if gaps == "interpolate":
        return np.interp(index, known, values[known])
    return values[np.maximum.accumulate(np.where(holes, 0, index))]
