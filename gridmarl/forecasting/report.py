"""How well one column of a table can be forecast a day ahead: the whole way from the table to its scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from gridmarl.data.table import TimeTable
from gridmarl.forecasting.backtest import KINDS, Backtest, backtest
from gridmarl.forecasting.days import local_days
from gridmarl.forecasting.features import Gate
from gridmarl.forecasting.judging import ScenarioRow, judge_scenarios
from gridmarl.forecasting.quantiles import LEVELS, Progress

STAGES: Final = len(KINDS) * len(LEVELS) + 1
"""What ``progress`` counts: one model a kind and level, and the scenarios."""


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """Scores of forecasts and scenarios of one column."""

    column: str
    unit: str
    timezone: str
    gate: Gate
    tested: Backtest
    scenarios: tuple[ScenarioRow, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and names, for JSON."""
        return {
            "column": self.column,
            "unit": self.unit,
            "timezone": self.timezone,
            "gate": asdict(self.gate),
            "days": asdict(self.tested.parts),
            "forecasts": [asdict(row) for row in self.tested.rows],
            "scenarios": [asdict(row) for row in self.scenarios],
        }

    def about(self) -> str:
        """One line: what was learned from, what was tested, and what was known when."""
        parts, gate = self.tested.parts, self.gate
        known = "known a day ahead" if gate.published else f"metered until {gate.closes_h:g} h"
        days = f"{parts.learning} days to learn, {parts.calibration} to calibrate, {parts.test} to test"
        return f"{self.column}, {self.unit}: {days}; {known}; days of {self.timezone}"


def forecast_report(
    table: TimeTable,
    column: str,
    timezone: str | None = None,
    known: Sequence[str] = (),
    seed: int = 0,
    progress: Progress | None = None,
) -> Report:
    """Backtest a column, prices as results of the auction, everything else as metered.

    Parameters
    ----------
    table : TimeTable
        The data.
    column : str
        What to forecast.
    timezone : str, optional
        Zone whose calendar days are delivered; UTC by default.
    known : sequence of str
        Columns that are forecasts issued before the gate closes. Realised values there would be peeking.
    seed : int
        Of the boosting and the scenarios.
    progress : callable, optional
        Told 1, ``STAGES`` times.

    Raises
    ------
    DataError
        No such column, or too short a series.
    """
    zone = timezone or "UTC"
    series = local_days(table, column, zone)
    gate = Gate(published=table.units[column] == "per_mwh")
    others = [local_days(table, name, zone) for name in known]
    tested = backtest(series, gate, others, seed=seed, progress=progress)
    best = tested.rows[-1].forecast
    judged = judge_scenarios(tested, best, gate.whole_days, np.random.default_rng(seed))
    if progress:
        progress(1)
    return Report(column, table.units[column], zone, gate, tested, judged)
