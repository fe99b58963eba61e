"""Units from a CSV in the shape of RTS-GMLC's generator table: a row a unit, costs as segments of a heat-rate curve."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gridmarl.errors import DataError, nearest
from gridmarl.scenario.fleet_classes import CLASSES, class_of
from gridmarl.scenario.fleet_units import MINUTES_PER_HOUR, CostFit, Unit, fit_cost

SIGNATURE: Final = ("gen_uid", "unit_type", "p_max_mw")
"""Columns that only a table of units has."""
REQUIRED: Final = (
    *SIGNATURE,
    "fuel",
    "p_min_mw",
    "ramp_mw_per_min",
    "co2_t_per_mwh",
    "seg0_mw",
    "seg0_cost_usd_per_mwh",
)
START: Final = ("fuel_price_usd_per_mmbtu", "start_heat_cold_mmbtu", "start_cost_nonfuel_usd")
"""Optional, like ``vom_usd_per_mwh`` and further segments: 0 where they are absent."""
SEGMENT: Final = re.compile(r"seg(\d+)_mw")
KG_PER_T: Final = 1000.0
FREE: Final = CostFit(0.0, 0.0)
NAME_CHARACTERS: Final = re.compile(r"[A-Za-z0-9_.\-]+")


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of the file, and where it stands."""

    label: str
    line: int
    cells: Mapping[str, str]

    def error(self, column: str, allowed: str, remedy: str) -> DataError:
        """Complaint about one cell."""
        return DataError(f"{self.label}, line {self.line}, column {column!r}", self.text(column), allowed, remedy)

    def text(self, column: str) -> str:
        """A cell; empty where the file has no such column."""
        return self.cells.get(column, "").strip()

    def number(self, column: str, above: float = 0.0) -> float:
        """A cell as a number, at least ``above``; 0 where it is empty."""
        try:
            value = float(self.text(column) or 0.0)
        except ValueError:
            raise self.error(column, "a number such as 12.5", "use a decimal point") from None
        if not above <= value < float("inf"):
            raise self.error(column, f"a finite number of at least {above:g}", "correct the cell")
        return value


def is_fleet(path: Path) -> bool:
    """Whether a file is a CSV whose header is that of a table of units.

    Parameters
    ----------
    path : Path
        Any file; one that does not exist is no fleet.
    """
    if path.suffix.lower() != ".csv" or not path.is_file():
        return False
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        header = {name.strip() for name in next(csv.reader(file), [])}
    return header.issuperset(SIGNATURE)


def read_units(path: Path) -> tuple[Unit, ...]:
    """Read the units of a file, in its order.

    Parameters
    ----------
    path : Path
        A CSV with the columns of :data:`REQUIRED`; others are read where they matter and ignored else.

    Raises
    ------
    DataError
        The file is missing, unreadable or lacks a column, or a cell is impossible: says which line and column.
    """
    rows = _rows(path)
    units = [_unit(row) for row in rows]
    seen: set[str] = set()
    for row, unit in zip(rows, units, strict=True):
        if unit.name in seen:
            raise row.error("gen_uid", "each unit once", "rename one of them")
        seen.add(unit.name)
    return tuple(units)


def _rows(path: Path) -> list[_Row]:
    if not path.is_file():
        raise DataError(f"fleet {path} does not exist", remedy=f"looked in {path.resolve().parent}; check the path")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            _check_header(path.name, [name.strip() for name in reader.fieldnames or ()])
            rows = [(reader.line_num, cells) for cells in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"fleet {path} cannot be read as CSV", str(error), "UTF-8 text", "save the file anew"
        ) from error
    for line, cells in rows:
        if None in cells or None in cells.values():
            raise DataError(f"{path.name}, line {line}, number of cells", None, "as in the header", "mend the line")
    if not rows:
        raise DataError(f"fleet {path} has no units", remedy="a header and at least one line are needed")
    return [_Row(path.name, line, {key.strip(): value for key, value in cells.items()}) for line, cells in rows]


def _check_header(label: str, header: list[str]) -> None:
    for column in REQUIRED:
        if column not in header:
            thing = f"{label}, line 1, column {column!r} is missing"
            raise DataError(thing, None, ", ".join(REQUIRED), nearest(column, header) or "add it")


def _unit(row: _Row) -> Unit:
    group = class_of(row.text("unit_type"), row.text("fuel"))
    if group is None:
        known = ", ".join(f"{kind} {fuel}" for c in CLASSES.values() for kind, fuel in c.unit_types)
        raise row.error("unit_type", f"with its column 'fuel', one of {known}", "use the nearest of them")
    role = CLASSES[group].role
    capacity, minimum = row.number("p_max_mw"), row.number("p_min_mw")
    if capacity == 0.0 and role != "condenser":
        raise row.error("p_max_mw", "above 0", "only synchronous condensers have none; remove the line")
    if minimum > capacity:
        raise row.error("p_min_mw", f"at most p_max_mw, {capacity:g}", "correct one of them")
    if role == "fuel" and row.number("ramp_mw_per_min") == 0.0:
        raise row.error("ramp_mw_per_min", "above 0", "give the unit a ramp")
    price, heat, other = (row.number(column) for column in START)
    return Unit(
        name=_name(row),
        group=group,
        capacity_mw=capacity,
        minimum_mw=minimum,
        ramp_mw_per_h=row.number("ramp_mw_per_min") * MINUTES_PER_HOUR,
        cost=_cost(row, role == "fuel"),
        co2_kg_per_mwh=row.number("co2_t_per_mwh") * KG_PER_T,
        start_cost=price * heat + other,
    )


def _name(row: _Row) -> str:
    """Seats begin with a letter; the table's units with the number of their bus."""
    name = row.text("gen_uid")
    if not NAME_CHARACTERS.fullmatch(name):
        raise row.error("gen_uid", "letters, digits, '_', '.' and '-'", "rename the unit")
    return name if name[0].isalpha() else f"u{name}"


def _cost(row: _Row, fuelled: bool) -> CostFit:
    """Fit to the segments' ends; variable operation and maintenance comes on top."""
    mw, dollars = _curve(row)
    if fuelled and not any(dollars):
        raise row.error("seg0_cost_usd_per_mwh", "above 0 for a unit that burns fuel", "give its cost at seg0_mw")
    fit = fit_cost(mw, dollars) if any(dollars) else FREE
    maintenance = row.number("vom_usd_per_mwh")
    return CostFit(fit.cost_per_mwh + maintenance, fit.cost_per_mw2h, fit.worst_share, fit.full_load_share)


def _curve(row: _Row) -> tuple[list[float], list[float]]:
    """Outputs and costs of an hour: the average cost up to the first output, incremental costs from there on."""
    mw, dollars = [row.number("seg0_mw")], [row.number("seg0_mw") * row.number("seg0_cost_usd_per_mwh")]
    numbers = sorted(int(found[1]) for found in map(SEGMENT.fullmatch, row.cells) if found)
    for number in numbers[1:]:
        output = row.number(f"seg{number}_mw")
        if output <= mw[-1]:
            if output > 0.0:
                raise row.error(f"seg{number}_mw", f"above the segment before, {mw[-1]:g}, or 0", "sort the segments")
            break
        dollars.append(dollars[-1] + (output - mw[-1]) * row.number(f"seg{number}_cost_usd_per_mwh"))
        mw.append(output)
    return mw, dollars
