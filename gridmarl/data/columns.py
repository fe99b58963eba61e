"""A column's unit is the end of its name: what each suffix means, and how it becomes MW, MWh and $."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from gridmarl.errors import DataError
from gridmarl.units import KW_PER_MW

Kind = Literal["price", "power", "energy", "state"]


@dataclass(frozen=True, slots=True)
class ColumnUnit:
    """What a suffix says about the values below it."""

    suffix: str  # as found at the end of the column's name
    unit: str  # the unit after conversion; one of UNIT_KINDS
    factor: float  # values are multiplied by this


UNIT_KINDS: Final[dict[str, Kind]] = {
    "per_mwh": "price",
    "kg_per_mwh": "price",
    "per_mw": "price",
    "mw": "power",
    "mwh": "energy",
    "w_per_m2": "power",
    "wh_per_m2": "energy",
    "share": "power",
    "celsius": "state",
    "hz": "state",
    "pu": "state",
}
"""How a unit behaves when its interval changes (see ``gridmarl.data.resample``)."""

KG_PER_LB: Final = 0.45359237

SUFFIXES: Final = (
    ColumnUnit("_per_mwh", "per_mwh", 1.0),
    ColumnUnit("_per_kwh", "per_mwh", KW_PER_MW),
    ColumnUnit("_per_mw", "per_mw", 1.0),
    ColumnUnit("_per_kw", "per_mw", KW_PER_MW),
    ColumnUnit("_kg_per_mwh", "kg_per_mwh", 1.0),
    ColumnUnit("_kg_per_kwh", "kg_per_mwh", KW_PER_MW),
    ColumnUnit("_g_per_kwh", "kg_per_mwh", 1.0),
    ColumnUnit("_t_per_mwh", "kg_per_mwh", 1000.0),
    ColumnUnit("_lb_per_mwh", "kg_per_mwh", KG_PER_LB),
    ColumnUnit("_mw", "mw", 1.0),
    ColumnUnit("_kw", "mw", 1.0 / KW_PER_MW),
    ColumnUnit("_mwh", "mwh", 1.0),
    ColumnUnit("_kwh", "mwh", 1.0 / KW_PER_MW),
    ColumnUnit("_w_per_m2", "w_per_m2", 1.0),
    ColumnUnit("_w_m2", "w_per_m2", 1.0),
    ColumnUnit("_wh_per_m2", "wh_per_m2", 1.0),
    ColumnUnit("_wh_m2", "wh_per_m2", 1.0),
    ColumnUnit("_c", "celsius", 1.0),
    ColumnUnit("_hz", "hz", 1.0),
    ColumnUnit("_pu", "pu", 1.0),
    ColumnUnit("_share", "share", 1.0),
)

ALLOWED: Final = ", ".join(known.suffix for known in SUFFIXES)


def find_unit(column: str) -> ColumnUnit | None:
    """Unit at the end of a column's name, None when it carries no known one.

    The longest suffix wins (``usd_per_mw`` is no MW), and a suffix that is itself the denominator of a quotient is not
    a unit (``droop_mw_per_hz`` is no frequency).

    Parameters
    ----------
    column : str
        Name of the column, upper or lower case.

    Returns
    -------
    ColumnUnit or None
        The suffix, its unit and its factor.
    """
    name = f"_{column.lower()}"  # so that a column may be called by its unit alone
    found = [known for known in SUFFIXES if name.endswith(known.suffix)]
    longest = max(found, key=lambda known: len(known.suffix), default=None)
    if longest is None or name.removesuffix(longest.suffix).endswith("_per"):
        return None
    return longest


def require_unit(column: str, label: str) -> ColumnUnit:
    """Unit at the end of a column's name.

    Parameters
    ----------
    column : str
        Name of the column.
    label : str
        The file, for the error.

    Raises
    ------
    DataError
        The name ends in no known unit.
    """
    unit = find_unit(column)
    if unit is None:
        raise DataError(f"{label}, unit of column", column, f"a name ending in {ALLOWED}", "rename the column")
    return unit


def converted_name(column: str) -> str:
    """Name a column deserves once its values are converted: ``load_kw`` holds MW afterwards, so it becomes ``load_mw``.

    Parameters
    ----------
    column : str
        Name of a column that ends in a known unit.

    Returns
    -------
    str
        The name with kW, kWh turned into MW, MWh; other names unchanged.
    """
    unit = find_unit(column)
    if unit is None or unit.factor == 1.0:
        return column
    return f"{f'_{column}'[: -len(unit.suffix)]}_{unit.unit}"[1:]
