"""Change the interval of a series without inventing energy: prices and MW are held or averaged, MWh split or summed."""

from __future__ import annotations

from math import isfinite
from typing import get_args

import numpy as np

from gridmarl.data.columns import Kind
from gridmarl.errors import DataError, nearest
from gridmarl.units import Float

RATIO_TOLERANCE = 1e-9


def whole(value: float, thing: str, remedy: str) -> int:
    """Nearest whole number of a ratio of durations.

    Parameters
    ----------
    value : float
        The ratio.
    thing, remedy : str
        What it is and what to do about it, for the error.

    Raises
    ------
    DataError
        It differs from a whole number by more than 1e-9 of itself.
    """
    nearby = round(value) if isfinite(value) else 0
    if not isfinite(value) or abs(value - nearby) > RATIO_TOLERANCE * max(1.0, abs(value)):
        raise DataError(thing, value, "a whole number", remedy)
    return nearby


def interval_ratio(longer_h: float, shorter_h: float) -> int:
    """How many of the shorter intervals make the longer one.

    Parameters
    ----------
    longer_h, shorter_h : float
        Lengths of the intervals [h].

    Raises
    ------
    DataError
        A length is not positive and finite, or the ratio is not whole.
    """
    for length in (longer_h, shorter_h):
        if not (isfinite(length) and length > 0.0):
            raise DataError("interval_h", length, "finite, > 0", "state the interval in hours")
    thing = f"ratio of intervals {longer_h:g} h and {shorter_h:g} h"
    return whole(longer_h / shorter_h, thing, "choose intervals that divide each other")


def resample(values: Float, from_h: float, to_h: float, kind: Kind) -> Float:
    """Values of a series on another interval.

    ========  =====================  ==========================
    kind      to shorter intervals   to longer intervals
    ========  =====================  ==========================
    price     held                   mean
    power     held                   mean
    energy    split evenly           sum
    state     held                   value at the interval start
    ========  =====================  ==========================

    Parameters
    ----------
    values : Float
        (interval,) $/MWh, MW, MWh or a state such as a temperature, one per interval of ``from_h``.
    from_h, to_h : float
        Lengths of the present and the wanted interval [h]; one must be a whole multiple of the other (within 1e-9).
    kind : {"price", "power", "energy", "state"}
        What the values are.

    Returns
    -------
    Float
        (interval,) a fresh array; the input stays as it is.

    Raises
    ------
    DataError
        Unknown kind, intervals that do not divide, values that are not one row or do not fill the last interval.
    """
    if kind not in get_args(Kind):
        raise DataError("kind", kind, ", ".join(get_args(Kind)), nearest(kind, get_args(Kind)))
    series = np.asarray(values, dtype=np.float64)
    if series.ndim != 1:
        raise DataError("values to resample, shape", series.shape, "one axis: (interval,)", "pass one series at a time")
    if to_h > from_h:
        return _lengthen(series, interval_ratio(to_h, from_h), kind)
    return _shorten(series, interval_ratio(from_h, to_h), kind)


def _shorten(series: Float, pieces: int, kind: Kind) -> Float:
    return np.repeat(series / pieces if kind == "energy" else series, pieces)


def _lengthen(series: Float, pieces: int, kind: Kind) -> Float:
    if series.size % pieces:
        allowed = f"a multiple of {pieces}"
        raise DataError("number of values to resample", series.size, allowed, "cut the series to whole intervals")
    groups = series.reshape(-1, pieces)  # (long interval, short interval)
    if kind == "state":
        return groups[:, 0].copy()
    return groups.sum(axis=1) if kind == "energy" else groups.mean(axis=1)
