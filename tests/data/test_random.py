"""Counter-based randomness: normal, uncorrelated, and a pure function of its counter."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from gridmarl.data.random import draw_uniform, episode_key, fill_normals

COUNT = 20_000
DOUBT = 1e-4
SIGMAS = 4.0
"""A fair generator fails either about once in ten thousand times; the seeds are fixed, so nothing flickers."""


def normals(key: int, stream: int = 0, count: int = COUNT) -> np.ndarray:
    values = np.empty(count)
    fill_normals(np.uint64(key), stream, values)
    return values


def key(seed: int, split: int = 1, episode: int = 0) -> int:
    with np.errstate(over="ignore"):
        return int(episode_key(np.uint64(seed), np.uint64(split), np.uint64(episode)))


@pytest.mark.parametrize("stream", [0, 1, 7])
def test_the_numbers_are_standard_normal(stream: int) -> None:
    assert stats.kstest(normals(key(3), stream), "norm").pvalue > DOUBT


@pytest.mark.parametrize(
    "one, other",
    [
        (normals(key(0)), normals(key(1))),
        (normals(key(0)), normals(key(0), stream=1)),
        (normals(key(0)), normals(key(0, episode=1))),
        (normals(key(0, split=1)), normals(key(0, split=2))),
        (normals(key(5))[:-1], normals(key(5))[1:]),
    ],
    ids=["seeds", "streams", "episodes", "splits", "intervals"],
)
def test_neighbouring_counters_are_uncorrelated(one: np.ndarray, other: np.ndarray) -> None:
    for a, b in ((one, other), (one**2, other**2)):
        assert abs(np.corrcoef(a, b)[0, 1]) * np.sqrt(len(a)) < SIGMAS


def test_a_number_does_not_depend_on_who_asked_before() -> None:
    assert np.array_equal(normals(key(4), count=10), normals(key(4), count=500)[:10])


def test_keys_of_many_seeds_splits_and_episodes_are_all_different() -> None:
    keys = {key(seed, split, episode) for seed in range(60) for split in (1, 2, 3) for episode in range(60)}
    assert len(keys) == 60 * 3 * 60


def test_uniform_numbers_never_reach_the_ends() -> None:
    with np.errstate(over="ignore"):
        values = np.array([draw_uniform(np.uint64(9), 0, interval, 0) for interval in range(2000)])
    assert values.min() > 0
    assert values.max() < 1
    assert stats.kstest(values, "uniform").pvalue > DOUBT
