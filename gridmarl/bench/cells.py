"""The cells of a comparison, one rollout each, played here or by a pool of processes; results come in order."""

from __future__ import annotations

import copy
import logging
import os
import platform
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from itertools import islice
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Final, TypeVar

from gridmarl.agents.team import Team
from gridmarl.errors import GridmarlError
from gridmarl.evaluation.metrics import Yardstick
from gridmarl.evaluation.rollout import Progress, rollout
from gridmarl.evaluation.score import yardstick
from gridmarl.evaluation.trajectory import Trajectory
from gridmarl.scenario.rules import Split
from gridmarl.scenario.scenario import Scenario

THREAD_LIMITS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
AHEAD: Final = 2
"""Cells submitted for each worker: one that it plays and one that waits. More would pile up trajectories."""

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Cell:
    """One rollout of the product scenarios x teams x seeds."""

    scenario: Scenario
    name: str  # the team's
    team: str | Path | Team
    seed: int
    split: Split


@dataclass(frozen=True, slots=True)
class Episode:
    """A world's randomness, the same for all teams: what a yardstick measures."""

    scenario: Scenario
    seed: int
    split: Split


@dataclass(frozen=True, slots=True)
class Played:
    """What became of a cell: a trajectory, or the message of the error that ended it."""

    trajectory: Trajectory | None
    error: str
    cpu_s: float
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Measured:
    """What became of an episode's yardstick."""

    yardstick: Yardstick | None
    error: str
    cpu_s: float


def play(cell: Cell, progress: Progress | None = None) -> Played:
    """Play one cell; an error of ours is its result, not the end of the others.

    The team is made anew, so that a result does not depend on which cells were played before.
    """
    began = time.process_time()
    team = copy.deepcopy(cell.team) if isinstance(cell.team, Team) else cell.team
    trajectory, error = None, ""
    try:
        trajectory = rollout(cell.scenario, team, seed=cell.seed, split=cell.split, progress=progress)
    except GridmarlError as failure:
        error = str(failure)
    return Played(trajectory, error, time.process_time() - began, versions())


def gauge(episode: Episode) -> Measured:
    """Find an episode's reference and optimum."""
    began = time.process_time()
    found, error = None, ""
    try:
        found = yardstick(episode.scenario, episode.seed, episode.split)
    except GridmarlError as failure:
        error = str(failure)
    return Measured(found, error, time.process_time() - began)


def versions() -> dict[str, str]:
    """Versions of what took part; torch only where it did."""
    names = ["gridmarl", "numpy", *(["torch"] if "torch" in sys.modules else [])]
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


class Crew:
    """Applies a function to items, in order: one after the other here, or side by side in a pool."""

    def __init__(self, pool: ProcessPoolExecutor | None, workers: int) -> None:
        self._pool, self._ahead = pool, AHEAD * workers

    @property
    def is_here(self) -> bool:
        """Whether the work is done in this process."""
        return self._pool is None

    def apply(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Results in the order of the items, few of them held at a time.

        Raises
        ------
        GridmarlError
            Where a worker process died.
        """
        if self._pool is None:
            yield from map(function, items)
            return
        submit = partial(_submit, self._pool, function)
        rest = iter(items)
        waiting: deque[Future[Result]] = deque(submit(item) for item in islice(rest, self._ahead))
        try:
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(submit(item) for item in islice(rest, 1))
        except BrokenProcessPool as error:
            remedy = "it may have run out of memory: use fewer workers"
            raise GridmarlError("a worker process died", remedy=remedy) from error


@contextmanager
def crew(workers: int) -> Generator[Crew]:
    """Lend processes, or none where one worker is enough; when the block raises they are stopped at once."""
    if workers == 1:
        yield Crew(None, 1)
        return
    before = set(active_children())
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_prepare_worker)
    with _one_thread_each():
        try:
            yield Crew(pool, workers)
        except BaseException:
            for child in set(active_children()) - before:
                child.terminate()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
        pool.shutdown()


def _submit(pool: ProcessPoolExecutor, function: Callable[[Item], Result], item: Item) -> Future[Result]:
    """Hand over one item. A worker that this starts inherits that interruptions are held, also while it imports."""
    if not hasattr(signal, "pthread_sigmask"):
        return pool.submit(function, item)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return pool.submit(function, item)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _prepare_worker() -> None:
    """Ctrl-C reaches the whole process group, and the parent stops its workers itself; nobody reads a worker's log."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.getLogger("gridmarl").addHandler(logging.NullHandler())


@contextmanager
def _one_thread_each() -> Generator[None]:
    """Workers inherit the environment when they start, before they load the libraries that read it."""
    before = {name: os.environ.get(name) for name in THREAD_LIMITS}
    os.environ.update(dict.fromkeys(THREAD_LIMITS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
