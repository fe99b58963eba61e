"""How numbers are printed: few digits, thousands apart, an interval behind its point."""

from __future__ import annotations

import math
from typing import Final

from gridmarl.bench.statistics import Estimate

DIGITS: Final = 4
MOST_DECIMALS: Final = 4
DUST: Final = 5e-5
"""What rounds to nothing at the most decimals; printed as 0, not as -0.0000."""

LABELS: Final = {
    "resource_cost": "resource cost",
    "profit_generator": "generators' profit",
    "profit_storage": "storage's profit",
    "profit_consumer": "consumers' gain",
    "stored_change": "stored change",
    "average_co2": "average CO2",
    "marginal_co2": "marginal CO2",
    "load_generation_deviation": "deviation",
    "largest_rocof": "largest rate of change",
}
"""Metrics whose printed name is not the name with spaces."""


def label(metric: str) -> str:
    """A metric's name as people read it."""
    return LABELS.get(metric, metric.replace("_", " "))


def decimals(value: float) -> int:
    """Decimals that show four significant digits, of at least whole numbers."""
    if abs(value) < DUST:
        return 0
    return min(max(DIGITS - 1 - math.floor(math.log10(abs(value))), 0), MOST_DECIMALS)


def number(value: float, places: int | None = None) -> str:
    """A number with thousands apart; of large ones four digits are kept.

    Parameters
    ----------
    value : float
    places : int, optional
        Decimals; by default as many as give four significant digits.
    """
    places = decimals(value) if places is None else places
    if abs(value) < 0.5 * 10.0**-places:
        return "0"
    return f"{value:,.{places}f}"


def money(value: float, places: int | None = None) -> str:
    """Dollars, the sign before the $."""
    text = number(value, places)
    return f"-${text[1:]}" if text.startswith("-") else f"${text}"


def percent(value: float, places: int | None = None) -> str:
    """A share as per cent, the sign behind the number."""
    return f"{number(100.0 * value, places)} %"


def interval(found: Estimate, factor: float = 1.0) -> str:
    """``[low, high]`` with the decimals of the point, each times a factor; empty where a single run has none."""
    if found.low is None or found.high is None:
        return ""
    value, low, high = factor * found.value, factor * found.low, factor * found.high
    places = decimals(value if abs(value) >= DUST else max(abs(low), abs(high)))
    return f"[{number(low, places)}, {number(high, places)}]"
