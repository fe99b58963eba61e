"""Counter-based randomness: a number is a pure function of (key, stream, interval), never of who asked before.

Two rounds of the splitmix64 finaliser (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators") mix
the counter into the key; Box & Muller (1958) turns two uniforms into a normal.
"""

from __future__ import annotations

import math

import numpy as np

from gridmarl.kernels import entry_kernel, kernel
from gridmarl.units import Float

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
MIX_2 = np.uint64(0x94D049BB133111EB)
SHIFT_30, SHIFT_27, SHIFT_31, SHIFT_11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
SHIFT_16, SHIFT_32, SHIFT_48 = np.uint64(16), np.uint64(32), np.uint64(48)
LOW_16 = np.uint64(0xFFFF)
ONE = np.uint64(1)
BELL_MEAN = 2.0 * 65535.0
TO_BELL = math.sqrt(3.0) / 65536.0
TO_UNIT = 1.0 / (1 << 53)

SPLIT_CODE = {"train": 1, "select": 2, "test": 3}


@kernel
def mix(x: np.uint64) -> np.uint64:
    """Finaliser of splitmix64: every input bit changes about half of the output bits."""
    x = (x ^ (x >> SHIFT_30)) * MIX_1
    x = (x ^ (x >> SHIFT_27)) * MIX_2
    return x ^ (x >> SHIFT_31)


@kernel
def draw_bits(key: np.uint64, stream: int, interval: int, index: int) -> np.uint64:
    """64 random bits at a counter; the interval may be negative (what happened before the episode)."""
    counter = np.uint64(stream + 1) * MIX_2 + np.uint64(interval + 4096) * GOLDEN
    return mix(mix(key ^ counter) + np.uint64(index) * GOLDEN)


@kernel
def draw_uniform(key: np.uint64, stream: int, interval: int, index: int) -> float:
    """A number in (0, 1)."""
    return (float(draw_bits(key, stream, interval, index) >> SHIFT_11) + 0.5) * TO_UNIT


@kernel
def draw_normal(key: np.uint64, stream: int, interval: int) -> float:
    """A standard normal number."""
    radius = math.sqrt(-2.0 * math.log(draw_uniform(key, stream, interval, 0)))
    return radius * math.cos(2.0 * math.pi * draw_uniform(key, stream, interval, 1))


@kernel
def bell(bits: np.uint64) -> float:
    """A number of mean 0 and variance 1 from 64 bits: the sum of four uniforms, within ±3.47 (Irwin 1927, Hall 1927).

    A fifth of the cost of a normal number, for paths that need many.
    """
    total = (bits & LOW_16) + ((bits >> SHIFT_16) & LOW_16) + ((bits >> SHIFT_32) & LOW_16) + (bits >> SHIFT_48)
    return (float(total) - BELL_MEAN) * TO_BELL


@kernel
def next_bits(bits: np.uint64, index: int) -> np.uint64:
    """The bits after these: one round, for numbers drawn in a row."""
    return mix(bits + np.uint64(index + 1) * GOLDEN)


@kernel
def episode_key(seed: np.uint64, split: np.uint64, episode: np.uint64) -> np.uint64:
    """Key of an episode's randomness."""
    return mix(mix(seed + GOLDEN) ^ mix(split * MIX_1 + episode * GOLDEN))


@entry_kernel
def fill_normals(key: np.uint64, stream: int, values: Float) -> None:
    """Write the first normal numbers of a stream into an array (for tests and notebooks)."""
    for interval in range(values.shape[0]):
        values[interval] = draw_normal(key, stream, interval)
