"""Real time: the piecewise-constant path on which a profile strays from its value within an interval.

A first-order autoregression over substeps that carries on from interval to interval. It depends on the episode's key
and on public values alone, so every team meets the same one.
"""

from __future__ import annotations

import numpy as np

from gridmarl.data.profiles import MAXIMUM, MINIMUM, clip
from gridmarl.data.random import bell, draw_bits, next_bits
from gridmarl.kernels import entry_kernel, kernel
from gridmarl.units import Float

# Columns of the table (profile, column).
RELATIVE, ABSOLUTE, DECAY, INNOVATION = range(4)
STRAYING_COLUMNS = 4
STREAM = 1 << 20
"""Streams of random numbers from here on are for real time; the profiles' own lie below."""


@kernel
def first_stray(p: int, key: np.uint64) -> float:
    """Standard deviations off before the episode: stationary."""
    return bell(draw_bits(key, STREAM + p, -1, 0))


@kernel
def stay(path: Float) -> None:
    """A profile that does not stray."""
    for s in range(path.shape[0]):
        path[s] = 0.0


@kernel
def stray(
    straying: Float, profile: Float, p: int, value: float, t: int, key: np.uint64, last: float, path: Float
) -> float:
    """Fill ``path`` with the deviations from ``value``, then their mean and the least; return where it ends.

    Parameters
    ----------
    straying : (profile, column) array
        Standard deviations, correlation from substep to substep.
    profile : (profile, column) array
        The profile table, for its bounds.
    p : int
        Which profile.
    value : float
        What the auction cleared on.
    t : int
        The interval.
    key : uint64
        The episode's key.
    last : float
        Where the interval before ended, in standard deviations.
    path : (substep + 2,) array
        Filled, in the profile's unit.
    """
    count = path.shape[0] - 2
    spread = straying[p, RELATIVE] * abs(value) + straying[p, ABSOLUTE]
    if spread <= 0.0:
        stay(path)
        return last
    decay, innovation = straying[p, DECAY], straying[p, INNOVATION]
    low, high = profile[p, MINIMUM] - value, profile[p, MAXIMUM] - value
    total, least = 0.0, np.inf
    bits = draw_bits(key, STREAM + p, t, 0)
    for s in range(count):
        last = decay * last + innovation * bell(bits)
        bits = next_bits(bits, s)
        path[s] = clip(spread * last, low, high)
        total += path[s]
        least = min(least, path[s])
    path[count], path[count + 1] = total / count, least
    return last


@entry_kernel
def mean_strays(straying: Float, profile: Float, key: np.uint64, values: Float, scratch: Float, means: Float) -> None:
    """Mean deviation of each interval of an episode, written into ``means``.

    Parameters
    ----------
    straying, profile : (profile, column) arrays
    key : uint64
        The episode's key.
    values : (interval, profile) array
        What the auctions clear on.
    scratch : (substep + 2,) array
    means : (interval, profile) array
        Filled.
    """
    for p in range(profile.shape[0]):
        last = first_stray(p, key)
        for t in range(values.shape[0]):
            last = stray(straying, profile, p, values[t, p], t, key, last, scratch)
            means[t, p] = scratch[scratch.shape[0] - 2]
