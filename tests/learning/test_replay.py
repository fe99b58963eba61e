from __future__ import annotations

import numpy as np

from gridmarl.learning.replay import Replay, Transitions


def transitions(first: int, rows: int, seats: int = 2, fields: int = 3) -> Transitions:
    """Rows whose every number tells which row and which seat it belongs to."""
    number = (first + np.arange(rows, dtype=np.float32))[:, None] + np.arange(seats, dtype=np.float32) / 10
    number = number.astype(np.float32)
    observed = np.repeat(number[:, :, None], fields, axis=2)
    return Transitions(observed, number, number, (observed + 0.5).astype(np.float32), np.zeros(rows, np.float32))


def test_one_index_means_the_same_row_in_every_array_and_for_every_seat() -> None:
    replay = Replay(capacity=10, seats=2, fields=3)
    for first in (0, 4, 8, 12):
        replay.add(*transitions(first, 4))
    batch = replay.sample(50, np.random.default_rng(0))
    np.testing.assert_array_equal(batch.s[:, :, 0], batch.r)
    np.testing.assert_array_equal(batch.a, batch.r)
    np.testing.assert_array_equal(batch.s_next - 0.5, batch.s)
    np.testing.assert_array_equal(np.floor(batch.r[:, 0]), np.floor(batch.r[:, 1]))


def test_the_oldest_rows_are_overwritten_first() -> None:
    replay = Replay(capacity=5, seats=1, fields=1)
    assert replay.add(*transitions(0, 3, 1, 1)).tolist() == [0, 1, 2]
    assert replay.size == 3
    assert replay.add(*transitions(3, 4, 1, 1)).tolist() == [3, 4, 0, 1]
    assert replay.size == 5
    assert replay.take(np.arange(5)).r[:, 0].tolist() == [5, 6, 2, 3, 4]


def test_only_what_was_added_is_drawn() -> None:
    replay = Replay(capacity=1000, seats=1, fields=1)
    replay.add(*transitions(7, 2, 1, 1))
    assert set(replay.sample(100, np.random.default_rng(1)).r[:, 0].tolist()) == {7.0, 8.0}


def test_arrays_are_contiguous_float32_and_samples_are_copies() -> None:
    replay = Replay(capacity=4, seats=2, fields=3, action_shape=(2,))
    s = np.ones((4, 2, 3), np.float32)
    replay.add(s, np.ones((4, 2, 2), np.float32), np.ones((4, 2), np.float32), s, np.zeros(4, np.bool_))
    batch = replay.take(np.array([0, 1]))
    assert all(array.dtype == np.float32 and array.flags.c_contiguous for array in batch)
    batch.r[:] = 9
    assert replay.take(np.array([0])).r.max() == 1
