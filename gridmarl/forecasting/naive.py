"""The forecasts to beat: the last known day, and the same day last week, each with the spread of its past errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

import numpy as np

from gridmarl.errors import DataError, nearest
from gridmarl.forecasting.features import Design
from gridmarl.forecasting.quantiles import LEVELS, check_levels
from gridmarl.units import Float

Naive: TypeAlias = Literal["yesterday", "last week"]
FEATURE: Final[dict[str, str]] = {"yesterday": "latest", "last week": "last_week"}
"""Which feature is the forecast. ``latest`` is yesterday's value, or where that is not metered yet the one before."""


@dataclass(frozen=True, slots=True, eq=False)
class NaiveModel:
    """A lag as the point forecast, and quantiles of the errors it made in training.

    Attributes
    ----------
    feature : str
        The lag.
    error : array (step, level)
        In units of the recent spread; 0 at the median, whose forecast is the lag itself.
    """

    feature: str
    error: Float

    def point(self, design: Design) -> Float:
        """The lag itself, (day, step), as a target."""
        return design.features[:, :, design.names.index(self.feature)]

    def predict(self, design: Design) -> Float:
        """Quantiles of the target, (day, step, level), ascending."""
        return np.sort(self.point(design)[:, :, None] + self.error, axis=2)


def fit_naive(name: Naive, design: Design, levels: Float = LEVELS) -> NaiveModel:
    """Learn how far a lag errs at each step.

    Parameters
    ----------
    name : {"yesterday", "last week"}
        The lag.
    design : Design
        Training days.
    levels : array (level,)
        Ascending, symmetric about 0.5.

    Raises
    ------
    DataError
        Unknown name, or levels out of order.
    """
    check_levels(levels)
    if name not in FEATURE:
        raise DataError("naive forecast", name, ", ".join(get_args(Naive)), nearest(name, get_args(Naive)))
    lag = design.features[:, :, design.names.index(FEATURE[name])]
    error = np.where(design.measured, design.target - lag, np.nan)
    found = np.nanquantile(error, levels, axis=0).T
    return NaiveModel(FEATURE[name], found - found[:, [levels.size // 2]])
