from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridmarl.errors import TrainingError
from gridmarl.learning.memory.replay import Replay
from gridmarl.learning.memory.segments import Segment
from gridmarl.learning.worlds.nstep import column_shapes
from gridmarl.units import Float32
from tests.learning.worlds import group

SHAPES = column_shapes({"generator": group(2, 3)}, 0)

RESIDENT = Path("/proc/self/statm")


def resident() -> int:
    """Bytes of memory that this process holds now."""
    import resource

    return int(RESIDENT.read_text().split()[1]) * resource.getpagesize()


def rows(first: int, count: int) -> dict[str, Float32]:
    """Rows whose every number tells which row and which seat it belongs to."""
    number = (first + np.arange(count))[:, None] + np.arange(2) / 10
    columns = {"s.generator": np.repeat(number[:, :, None], 3, axis=2), "a.generator": number, "r.generator": number}
    columns |= {"s_next.generator": columns["s.generator"] + 0.5, "discount": number[:, 0] + 0.25}
    columns |= {"state": np.zeros((count, 0)), "state_next": np.zeros((count, 0))}
    return {name: column.astype(np.float32) for name, column in columns.items()}


def kept(replay: Replay) -> list[float]:
    return np.floor(replay.take(np.arange(replay.size)).discount).tolist()


def test_one_index_means_the_same_row_in_every_array_and_for_every_seat() -> None:
    replay = Replay(10, SHAPES)
    for first in (0, 4, 8, 12):
        replay.add(rows(first, 4))
    batch = replay.sample(50, np.random.default_rng(0))
    np.testing.assert_array_equal(batch.s["generator"][:, :, 0], batch.r["generator"])
    np.testing.assert_array_equal(batch.a["generator"], batch.r["generator"])
    np.testing.assert_array_equal(batch.s_next["generator"] - 0.5, batch.s["generator"])
    np.testing.assert_array_equal(np.floor(batch.r["generator"][:, 0]), np.floor(batch.r["generator"][:, 1]))
    np.testing.assert_array_equal(batch.r["generator"][:, 0] + 0.25, batch.discount)


@given(capacity=st.integers(1, 9), blocks=st.lists(st.integers(1, 12), max_size=8))
def test_the_ring_holds_the_latest_rows_whatever_the_blocks(capacity: int, blocks: list[int]) -> None:
    replay = Replay(capacity, SHAPES)
    for number, count in enumerate(blocks):
        replay.add(rows(sum(blocks[:number]), count))
    total = sum(blocks)
    assert sorted(kept(replay)) == list(range(max(0, total - capacity), total))
    assert all(int(value) % capacity == place for place, value in enumerate(kept(replay)))


def test_only_what_was_added_is_drawn_and_the_same_seed_draws_the_same() -> None:
    replay = Replay(1000, SHAPES)
    replay.add(rows(7, 2))
    one, same = (replay.sample(100, np.random.default_rng(1)) for _ in range(2))
    assert set(one.r["generator"][:, 0].tolist()) == {7.0, 8.0}
    np.testing.assert_array_equal(one.place, same.place)


def test_arrays_are_contiguous_float32_and_samples_are_copies() -> None:
    replay = Replay(4, SHAPES)
    replay.add(rows(1, 4))
    batch = replay.take(np.array([0, 1]))
    arrays = [*batch.s.values(), *batch.a.values(), *batch.r.values(), *batch.s_next.values(), batch.discount]
    assert all(array.dtype == np.float32 and array.flags.c_contiguous for array in arrays)
    batch.r["generator"][:] = 99
    assert replay.take(np.array([0])).r["generator"].max() < 99


@given(capacity=st.integers(1, 70), blocks=st.lists(st.integers(1, 30), min_size=1, max_size=10))
def test_what_is_saved_at_any_time_comes_back_whole(
    tmp_path_factory: pytest.TempPathFactory, capacity: int, blocks: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("replay")
    replay, segments = Replay(capacity, SHAPES), list[Segment]()
    for number, count in enumerate(blocks):
        replay.add(rows(sum(blocks[:number]), count))
        if number % 2 or number == len(blocks) - 1:
            segments = replay.save(folder)
    again = Replay(capacity, SHAPES)
    again.load(folder, segments, replay.added)
    assert (again.added, again.size) == (replay.added, replay.size)
    for name, column in replay._kept.items():
        np.testing.assert_array_equal(column[: replay.size], again._kept[name][: replay.size])
    more = rows(replay.added, 3)
    replay.add(more)
    again.add(more)
    assert kept(replay) == kept(again)
    assert [s.model_dump() for s in replay.save(folder)] == [s.model_dump() for s in again.save(folder)]


def test_a_complete_segment_is_written_once(tmp_path: Path) -> None:
    replay = Replay(160, SHAPES)  # ten rows a file
    replay.add(rows(0, 25))
    first = replay.save(tmp_path)
    assert [(s.first, s.stop) for s in first] == [(0, 10), (10, 20), (20, 25)]
    stamps = {file.name: file.stat().st_mtime_ns for file in tmp_path.iterdir()}
    replay.add(rows(25, 7))
    second = replay.save(tmp_path)
    assert [(s.first, s.stop) for s in second] == [(0, 10), (10, 20), (20, 30), (30, 32)]
    assert all(file.stat().st_mtime_ns == stamps.get(file.name, file.stat().st_mtime_ns) for file in tmp_path.iterdir())


def test_a_segment_that_is_cut_short_missing_or_of_another_world_is_refused_by_name(tmp_path: Path) -> None:
    replay = Replay(20, SHAPES)
    replay.add(rows(0, 2))
    (segment,) = replay.save(tmp_path)
    with pytest.raises(TrainingError, match=r"columns of .*replay-0000000000-0000000002"):
        Replay(20, column_shapes({"generator": group(3, 3)}, 0)).load(tmp_path, [segment], 2)
    file = tmp_path / segment.file
    file.write_bytes(file.read_bytes()[:-3])
    with pytest.raises(TrainingError, match=r"sha256 of .*replay-0000000000"):
        Replay(20, SHAPES).load(tmp_path, [segment], 2)
    file.unlink()
    with pytest.raises(TrainingError, match="No such file"):
        Replay(20, SHAPES).load(tmp_path, [segment], 2)


@pytest.mark.parametrize("expected, claimed", [(0, 0), (6, 6), (10, 10), (25, 10)])
def test_as_many_rows_as_are_expected_are_written_to_when_a_memory_is_made(
    expected: int, claimed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system gives pages when they are written to; rows nobody expects are left to it."""
    with monkeypatch.context() as patch:
        patch.setattr(np, "zeros", lambda shape, dtype: np.full(shape, np.nan, dtype))  # untouched is what stays nan
        replay = Replay(10, SHAPES, expected=expected)
    for name, column in replay._kept.items():
        if column.size:
            written = np.isfinite(column).reshape(10, -1).all(1)
            assert written.tolist() == [True] * claimed + [False] * (10 - claimed), name
            assert not column[:claimed].any(), name
    assert (replay.size, replay.added) == (0, 0)


@pytest.mark.skipif(not RESIDENT.is_file(), reason="only Linux tells a process how much memory it holds")
def test_memory_for_expected_rows_is_held_before_the_first_is_added() -> None:
    shapes = {"s.generator": (64, 16), "discount": ()}
    capacity, mega = 16_384, 2**20  # 64 MB

    def grown(expected: int) -> tuple[Replay, int]:
        before = resident()
        replay = Replay(capacity, shapes, expected=expected)
        return replay, resident() - before

    _lazy, untouched = grown(0)
    _half, some = grown(capacity // 2)
    _whole, all_of_it = grown(3 * capacity)
    assert untouched < 8 * mega
    assert 24 * mega < some < 40 * mega
    assert 56 * mega < all_of_it < 72 * mega


@given(capacity=st.integers(1, 9), expected=st.integers(0, 20), blocks=st.lists(st.integers(1, 12), max_size=5))
def test_what_a_memory_holds_does_not_depend_on_what_was_expected(
    capacity: int, expected: int, blocks: list[int]
) -> None:
    lazy, ready = Replay(capacity, SHAPES), Replay(capacity, SHAPES, expected=expected)
    for number, count in enumerate(blocks):
        for replay in (lazy, ready):
            replay.add(rows(sum(blocks[:number]), count))
        assert (ready.size, ready.added) == (lazy.size, lazy.added)
    for name, column in lazy._kept.items():
        np.testing.assert_array_equal(ready._kept[name], column)
