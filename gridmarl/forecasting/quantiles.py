"""Quantile regression: one model a level, of three kinds, averaged and sorted so that no quantiles cross.

The pinball loss is minimised by a linear program for every step of the day (Koenker & Bassett 1978, "Regression
quantiles") or by boosted trees over all steps at once. Kinds are combined by averaging their quantiles (Lichtendahl,
Grushka-Cockayne & Winkler 2013, "Is it better to average probabilities or quantiles?"); sorting can only bring them
nearer the truth (Chernozhukov, Fernández-Val & Galichon 2010, "Quantile and probability curves without crossing").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any, Final, Literal, TypeAlias, get_args

import numpy as np

from gridmarl.errors import DataError, nearest
from gridmarl.forecasting.features import Design
from gridmarl.units import Float

Kind: TypeAlias = Literal["linear", "boosted", "lightgbm"]
LEVELS: Final[Float] = np.array([0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95])
"""Default quantile levels; the outermost enclose the 90 % band."""
PENALTY: Final = 0.01
"""Weight of the linear model's L1 penalty, times ``sqrt(τ(1 - τ))``: pinball losses of the tails are small, and one
weight for all would flatten them (Belloni & Chernozhukov 2011, "l1-penalized quantile regression"). Chosen by the last
third of the learning parts of real prices and loads, not by what they are tested on."""
SYMMETRY: Final = 1e-9

Progress: TypeAlias = Callable[[int], None]


def check_levels(levels: Float) -> None:
    """Refuse quantile levels that are not ascending, within (0, 1), symmetric about an included median.

    Raises
    ------
    DataError
        Says the levels.
    """
    array = np.asarray(levels, dtype=np.float64)
    inside = array.ndim == 1 and array.size % 2 == 1 and bool(np.all((array > 0.0) & (array < 1.0)))
    if not inside or np.any(np.diff(array) <= 0.0) or np.any(np.abs(array + array[::-1] - 1.0) > SYMMETRY):
        allowed = "ascending within (0, 1), symmetric about an included 0.5"
        raise DataError("quantile levels", array.tolist(), allowed, "for example 0.05, 0.5, 0.95")


@dataclass(frozen=True, slots=True, eq=False)
class QuantileModel:
    """Fitted models of one kind, by level and group of steps.

    Attributes
    ----------
    fitted : tuple of tuples of estimators
        (level, group); one group is the whole day, many are one step each.
    """

    fitted: tuple[tuple[Any, ...], ...]

    def predict(self, design: Design) -> Float:
        """Quantiles of the target, (day, step, level), not yet sorted."""
        days, steps, features = design.features.shape
        found = np.empty((days, steps, len(self.fitted)))
        for i, groups in enumerate(self.fitted):
            if len(groups) == 1:
                found[:, :, i] = groups[0].predict(design.features.reshape(-1, features)).reshape(days, steps)
                continue
            for step, model in enumerate(groups):
                found[:, step, i] = model.predict(design.features[:, step])
        return found


def fit_quantiles(
    kind: Kind, design: Design, levels: Float = LEVELS, seed: int = 0, progress: Progress | None = None
) -> QuantileModel:
    """Fit one kind of model at every level.

    Parameters
    ----------
    kind : {"linear", "boosted", "lightgbm"}
        Linear programs (HiGHS), scikit-learn's histogram boosting, or LightGBM where it is installed.
    design : Design
        Training days.
    levels : array (level,)
        Ascending, symmetric about 0.5.
    seed : int
        Of the boosting.
    progress : callable, optional
        Told 1 after every level.

    Raises
    ------
    DataError
        Unknown kind or one that is not installed; levels out of order.
    """
    check_levels(levels)
    if kind not in get_args(Kind):
        raise DataError("kind of quantile model", kind, ", ".join(get_args(Kind)), nearest(kind, get_args(Kind)))
    if kind == "lightgbm" and find_spec("lightgbm") is None:
        raise DataError("kind of quantile model", kind, "linear, boosted", "pip install 'gridmarl[lightgbm]'")
    fit = _fit_linear if kind == "linear" else partial(_fit_trees, _TREES[kind], seed)
    fitted: list[tuple[Any, ...]] = []
    for level in levels.tolist():
        fitted.append(fit(design, level))
        if progress:
            progress(1)
    return QuantileModel(tuple(fitted))


def combine(models: Sequence[QuantileModel], design: Design) -> Float:
    """Average the models' quantiles level by level, sorted.

    Parameters
    ----------
    models : sequence of QuantileModel
        At least one, of the same levels.
    design : Design
        Days to forecast.

    Returns
    -------
    array (day, step, level)
        Of the target, ascending along the levels.
    """
    return np.sort(np.mean([np.sort(model.predict(design), axis=2) for model in models], axis=0), axis=2)


def _fit_linear(design: Design, level: float) -> tuple[Any, ...]:
    from sklearn.linear_model import QuantileRegressor

    found: list[Any] = []
    for step in range(design.target.shape[1]):
        rows = design.measured[:, step]
        model: Any = QuantileRegressor(quantile=level, alpha=PENALTY * (level * (1.0 - level)) ** 0.5, solver="highs")
        found.append(model.fit(design.features[rows, step], design.target[rows, step]))
    return tuple(found)


def _fit_trees(make: Callable[[float, int], Any], seed: int, design: Design, level: float) -> tuple[Any, ...]:
    from threadpoolctl import threadpool_limits

    rows = design.measured.ravel()
    features = design.features.reshape(-1, design.features.shape[2])[rows]
    with threadpool_limits(1):  # with so few rows, threads wait for each other longer than they work
        return (make(level, seed).fit(features, design.target.ravel()[rows]),)


def _boosted(level: float, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(
        loss="quantile",
        quantile=level,
        learning_rate=0.06,
        max_iter=120,
        max_leaf_nodes=12,
        min_samples_leaf=40,
        l2_regularization=1.0,
        early_stopping=False,  # pyright: ignore[reportArgumentType]  # its stub guesses str from the default
        random_state=seed,
    )


def _lightgbm(level: float, seed: int) -> Any:
    from lightgbm import LGBMRegressor

    return LGBMRegressor(
        objective="quantile",
        alpha=level,
        learning_rate=0.06,
        n_estimators=120,
        num_leaves=12,
        min_child_samples=40,
        reg_lambda=1.0,
        random_state=seed,
        deterministic=True,
        force_row_wise=True,
        n_jobs=1,
        verbose=-1,
    )


_TREES: Final[dict[str, Callable[[float, int], Any]]] = {"boosted": _boosted, "lightgbm": _lightgbm}
