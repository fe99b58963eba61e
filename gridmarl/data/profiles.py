"""Public time series of a world: realised values and the forecasts issued before them.

The deviation d follows a first-order autoregression, so the forecast k + 1 steps after the last realised value is its
conditional expectation, with d shrunk by decay^(k + 1) (Box, Jenkins & Reinsel, "Time Series Analysis", ch. 5). Its
innovations are bell-shaped, which costs a fifth of normal ones. With data, the base of an interval is the value a day
earlier and d the last realised difference from it.
"""

from __future__ import annotations

import numpy as np

from gridmarl.data.random import bell, draw_bits, draw_normal
from gridmarl.kernels import entry_kernel, kernel
from gridmarl.units import Float

# Columns of the profile table (profile, column).
FROM_DATA, RELATIVE, ABSOLUTE, DECAY, INNOVATION, MINIMUM, MAXIMUM, DEMAND_MW, RENEWABLE_MW, DAY = range(10)
PROFILE_COLUMNS = 10
FIRST = 1
"""Series begin one interval before the episode: the value last seen at its first gate closure."""


@kernel
def clip(value: float, low: float, high: float) -> float:
    """The nearest number within [low, high]."""
    return min(max(value, low), high)


@kernel
def synthetic(base: float, relative: float, absolute: float, low: float, high: float, deviation: float) -> float:
    """Value of a profile without data at this base and deviation."""
    return clip(base * (1.0 + relative * deviation) + absolute * deviation, low, high)


@kernel
def deviate(profile: Float, p: int, base: float, deviation: float) -> float:
    """Value of a profile at this base and deviation."""
    if profile[p, FROM_DATA] > 0.0:
        return clip(base + deviation, profile[p, MINIMUM], profile[p, MAXIMUM])
    low, high = profile[p, MINIMUM], profile[p, MAXIMUM]
    return synthetic(base, profile[p, RELATIVE], profile[p, ABSOLUTE], low, high, deviation)


@kernel
def first_deviation(profile: Float, series: Float, p: int, origin: int, key: np.uint64) -> float:
    """Deviation in the interval before the episode: stationary, or what the data show."""
    if profile[p, FROM_DATA] > 0.0:
        day = int(profile[p, DAY])
        return series[p, origin - 1] - series[p, origin - 1 - day]
    return draw_normal(key, p, -1)


@kernel
def next_deviation(profile: Float, series: Float, p: int, origin: int, t: int, key: np.uint64, last: float) -> float:
    """Deviation realised in interval t, after ``last`` in t - 1."""
    if profile[p, FROM_DATA] > 0.0:
        day = int(profile[p, DAY])
        return series[p, origin + t] - series[p, origin + t - day]
    return profile[p, DECAY] * last + profile[p, INNOVATION] * bell(draw_bits(key, p, t, 0))


@kernel
def realised(profile: Float, series: Float, p: int, origin: int, t: int, deviation: float) -> float:
    """Value realised in interval t, given its deviation."""
    if profile[p, FROM_DATA] > 0.0:
        return series[p, origin + t]
    return deviate(profile, p, series[p, origin + t], deviation)


@kernel
def forecast(profile: Float, series: Float, p: int, origin: int, t: int, ahead: int, shrunk: float) -> float:
    """Expectation, at the gate closure of t, of interval t + ahead; ``shrunk`` is decay^(ahead + 1) x the deviation."""
    index = origin + t + ahead
    if profile[p, FROM_DATA] > 0.0:
        day = int(profile[p, DAY])
        index -= day * (ahead // day + 1)
    return deviate(profile, p, series[p, min(index, series.shape[1] - 1)], shrunk)


@entry_kernel
def realised_path(profile: Float, series: Float, origin: int, key: np.uint64, path: Float) -> None:
    """Everything an episode will realise, written into ``path``. Only ``perfect`` information may look.

    Parameters
    ----------
    profile : (profile, column) array
        The profile table.
    series : (profile, index) array
        Base values, or data.
    origin : int
        Index of the episode's first interval.
    key : uint64
        The episode's key.
    path : (interval, profile) array
        Filled.
    """
    for p in range(profile.shape[0]):
        deviation = first_deviation(profile, series, p, origin, key)
        for t in range(path.shape[0]):
            deviation = next_deviation(profile, series, p, origin, t, key, deviation)
            path[t, p] = realised(profile, series, p, origin, t, deviation)


@entry_kernel
def forecast_path(profile: Float, series: Float, origin: int, t: int, deviations: Float, path: Float) -> None:
    """Forecasts issued at the gate closure of interval t, written into ``path``.

    Parameters
    ----------
    profile, series, origin
        As in :func:`realised_path`.
    t : int
        The interval about to be decided.
    deviations : (profile,) array
        Deviations realised in t - 1.
    path : (horizon, profile) array
        Filled, from t on.
    """
    for p in range(profile.shape[0]):
        shrunk = deviations[p]
        for ahead in range(path.shape[0]):
            shrunk *= profile[p, DECAY]
            path[ahead, p] = forecast(profile, series, p, origin, t, ahead, shrunk)


def forecast_spread(profile: Float, base: Float) -> Float:
    """Standard deviation of the forecast error at each lead (horizon, profile), in the profile's unit.

    Parameters
    ----------
    profile : (profile, column) array
        The profile table.
    base : (horizon, profile) array
        The forecasts themselves; a relative deviation scales with them.

    Notes
    -----
    The variance of an autoregression k + 1 steps ahead is 1 - decay^(2 (k + 1)) of its stationary one.
    """
    ahead = np.arange(1, len(base) + 1)[:, None]
    grown = np.sqrt(1.0 - profile[:, DECAY] ** (2 * ahead))
    return (np.abs(base) * profile[:, RELATIVE] + profile[:, ABSOLUTE]) * grown
