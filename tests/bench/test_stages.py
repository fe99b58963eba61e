"""The profiler finds kernels in their callers' code, counts them exactly and knows the long from the short."""

from __future__ import annotations

import os
import platform
from typing import Any

import numpy as np
import pytest

from gridmarl.environment.interval import step
from gridmarl.kernels import inner_kernel
from tests.bench.stages import MACHINES, Tally, entry, kernels_called, lap_cost, less_laps, lines_of, measured

pytestmark = pytest.mark.skipif(
    platform.machine() not in MACHINES or os.environ.get("NUMBA_DISABLE_JIT", "0") != "0",
    reason="reads the cycle counter of x86-64 in compiled code",
)
SHORT, LONG, TURNS = 10, 20_000, 50
ROUNDS = 20


@inner_kernel
def add_up(values: np.ndarray, count: int) -> float:
    """Each addition waits for the last."""
    total = 0.0
    for i in range(count):
        total += values[i]
    return total


@inner_kernel
def short_stage(values: np.ndarray) -> float:
    return add_up(values, SHORT)


@inner_kernel
def long_stage(values: np.ndarray) -> float:
    return add_up(values, LONG)


@inner_kernel
def again_and_again(values: np.ndarray) -> float:
    total = 0.0
    for _ in range(3):
        total += add_up(values, SHORT)
    return total


@inner_kernel
def one_row(values: np.ndarray) -> float:
    return short_stage(values) + long_stage(values) + again_and_again(values)


@inner_kernel
def many_rows(values: np.ndarray, turns: int) -> float:
    total = 0.0
    for _ in range(turns):
        total += one_row(values)
    return total


def test_kernels_called_in_loops_are_not_opened() -> None:
    assert kernels_called(one_row) == ["short_stage", "long_stage", "again_and_again"]
    assert kernels_called(again_and_again) == []
    assert kernels_called(many_rows, in_loops=True) == ["one_row"]


def test_every_stage_of_a_step_is_found_under_the_name_it_has() -> None:
    """Whatever the stages are called, each is a kernel that stands in the row's code, and there are several."""
    row: Any = step.step_pages
    found = kernels_called(row, in_loops=True)
    assert len(found) >= 9
    assert set(found) <= set(row.py_func.__code__.co_names)
    assert "step_pages" in kernels_called(step.step_rows, in_loops=True)


def test_laps_count_calls_change_no_result_and_tell_the_long_from_the_short() -> None:
    values, tally = np.ones(LONG), Tally()
    cost = lap_cost(tally)
    root = measured(many_rows, tally, ["one_row"], entry)
    rounds: list[tuple[np.ndarray, np.ndarray]] = []
    for _ in range(ROUNDS):
        tally.clear()
        assert root.lapped(values, TURNS) == TURNS * (SHORT + LONG + 3 * SHORT)
        rounds.append((tally.ticks.copy(), tally.calls.copy()))
    ticks, calls = min(rounds, key=lambda taken: int(taken[0][root.slot]))  # undisturbed by other processes
    stages = {stage.name: stage for stage in (root, *root.below())}
    assert list(stages) == ["many_rows", "one_row", "short_stage", "long_stage", "again_and_again"]
    assert [int(calls[stage.slot]) for stage in stages.values()] == [1, *[TURNS] * 4]

    def ns_of(stage: Any) -> float:
        return less_laps(stage, ticks, calls, cost)

    assert ns_of(stages["long_stage"]) > 0.9 * ns_of(root)
    lines = list(lines_of(root, ns_of, 0.01 * ns_of(root), 0))
    assert [(line.level, line.name) for line in lines] == [
        (0, "many_rows"),
        (1, "one_row"),
        (2, "long_stage"),
        (2, "the rest of one_row"),
        (1, "the rest of many_rows"),
    ]
    inside = sum(line.ns for line in lines if line.level == 2)
    assert inside == pytest.approx(ns_of(stages["one_row"])), "parts and their rest are the whole"
