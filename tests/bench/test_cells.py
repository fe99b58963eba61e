"""Cells played side by side give what they give one after the other, and stop when they are told to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gridmarl.bench.cells import THREAD_LIMITS, Cell, crew, play
from gridmarl.bench.comparison import compare
from gridmarl.errors import GridmarlError
from gridmarl.scenario.scenario import Scenario

SHORT = Scenario.load("auction").but(intervals=12)
LATEST_S = 60.0


def threads(_: int) -> list[str | None]:
    return [os.environ.get(name) for name in THREAD_LIMITS]


def die(_: int) -> None:
    os._exit(1)


def test_two_processes_find_what_one_finds():
    teams = ["truthful", "zero-intelligence", "central"]
    alone, together = (compare(SHORT, teams, seeds=2, workers=n, progress=False).table for n in (1, 2))
    assert alone.equals(together)


def test_results_come_in_order_from_workers_of_one_thread_each():
    before = threads(0)
    with crew(2) as hands:
        found = list(hands.apply(threads, range(6)))
    assert found == [["1"] * len(THREAD_LIMITS)] * 6
    assert threads(0) == before, "this process keeps its own"


def test_a_worker_that_dies_is_an_error_that_says_what_to_do():
    with pytest.raises(GridmarlError, match="fewer workers"), crew(2) as hands:
        list(hands.apply(die, range(2)))


def test_a_cell_does_not_remember_the_cells_before_it():
    first, again = (play(Cell(SHORT, "admm", "admm", seed, "test")) for seed in (0, 0))
    assert first.trajectory is not None
    assert again.trajectory is not None
    assert (first.trajectory.market == again.trajectory.market).all()


@pytest.mark.skipif(os.name != "posix", reason="sends a signal to a process group")
@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_ends_a_comparison_with_130_and_no_files(tmp_path: Path, workers: int):
    out = tmp_path / "out"
    words = ["compare", "auction", "--teams", "central", "--seeds", "50", "--workers", str(workers), "--out", str(out)]
    command = [sys.executable, "-c", "from gridmarl.cli import main; main()", *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as process:
        began = time.monotonic()
        while not out.exists() and time.monotonic() - began < LATEST_S:  # the folder is made with the first draft
            time.sleep(0.1)
        time.sleep(1.0)
        os.killpg(process.pid, signal.SIGINT)
        said, complaint = process.communicate(timeout=LATEST_S)
    assert (process.returncode, said) == (130, b"")
    assert b"interrupted" in complaint
    assert b"Traceback" not in complaint
    assert list(out.iterdir()) == []
