"""Clocks, memory and fresh processes, for the measurements of ``make bench``."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
WARM_UP, ROUNDS = 3, 5
WINDOW_S, WINDOWS = 0.02, 150
SECONDS = 0.4
"""A round of the slower clocks lasts about this long."""
FAR_OFF = 4.0
"""A number that misses its target by this factor is an error."""
STATM = Path("/proc/self/statm")


@dataclass(frozen=True, slots=True)
class Speed:
    """How long a step takes."""

    what: str
    rows: int
    agents: int
    wall_s: float  # a step
    cpu_s: float  # a step
    faults: float  # a step; pages of memory that the process had to ask for

    @property
    def per_cpu_s(self) -> float:
        """Agent-steps a second of CPU time."""
        return self.rows * self.agents / self.cpu_s

    @property
    def agent_step_ns(self) -> float:
        """CPU time of one agent's step."""
        return 1e9 / self.per_cpu_s


@dataclass(frozen=True, slots=True)
class Seconds:
    """What a fresh process took for something that happens once."""

    what: str
    wall_s: float
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of a world and of each of its rows, and how the process grew while it stepped."""

    what: str
    state_bytes: float  # a row
    outcome_bytes: float  # a row
    world_bytes: int  # once: constants and scratch
    row_steps: int = 0
    growth_mb: float | None = None  # not measured where None


@dataclass(frozen=True, slots=True)
class Target:
    """What was hoped for, and what came of it."""

    what: str
    measured: float
    wanted: float
    unit: str
    at_least: bool  # otherwise at most

    @property
    def met(self) -> bool:
        """Whether it is as good as hoped for."""
        return self.measured >= self.wanted if self.at_least else self.measured <= self.wanted

    @property
    def near(self) -> bool:
        """What even a busy machine should manage."""
        return self.measured >= self.wanted / FAR_OFF if self.at_least else self.measured <= self.wanted * FAR_OFF


@dataclass(frozen=True, slots=True)
class Line:
    """Nanoseconds of a row and step."""

    name: str
    level: int
    ns: float


@dataclass(frozen=True, slots=True)
class Profile:
    """A step, from the outside in."""

    world: str
    rows: int
    agents: int
    plain_ns: float
    """CPU time of a row and step as the library has it, without a lap."""
    total_ns: float
    """The same with laps, less what they cost: the lines of level 0 sum to it."""
    lap_ns: float
    """What a lap costs, and was subtracted."""
    lines: list[Line]


def parse_profile(text: str) -> Profile:
    """A profile as ``stages --json`` prints it."""
    said = json.loads(text)
    lines = [Line(**line) for line in said.pop("lines")]
    return Profile(**said, lines=lines)


def clock(benchmark: Any, what: str, rows: int, agents: int, step: Callable[[], object]) -> Speed:
    """Time a step by wall and CPU; of several rounds the best counts, for others may be using the machine."""
    for _ in range(WARM_UP):
        step()
    began = time.perf_counter()
    step()
    count = max(5, int(SECONDS / max(time.perf_counter() - began, 1e-7)))
    used: list[tuple[float, float]] = []

    def steps() -> None:
        faults, began = page_faults(), time.process_time()
        for _ in range(count):
            step()
        used.append(((time.process_time() - began) / count, (page_faults() - faults) / count))

    benchmark.pedantic(steps, rounds=ROUNDS)
    return Speed(what, rows, agents, benchmark.stats.stats.min / count, *min(used))


def in_turn(ours: Callable[[], object], theirs: Callable[[], object]) -> float:
    """How many times as much CPU time one step takes as another: short windows of both in turn, the best of each."""
    best = []
    steps = (theirs, ours)
    counts = [max(3, int(WINDOW_S / min(_cpu_s(step, 1) for _ in range(WARM_UP)))) for step in steps]
    for _ in range(WINDOWS):
        best.append([_cpu_s(step, count) for step, count in zip(steps, counts, strict=True)])
    theirs_s, ours_s = map(min, zip(*best, strict=True))
    return ours_s / theirs_s


def _cpu_s(step: Callable[[], object], count: int) -> float:
    """CPU time of a step, the mean of a few."""
    began = time.process_time()
    for _ in range(count):
        step()
    return max(time.process_time() - began, 1e-7) / count


def page_faults() -> int:
    """How many pages of memory this process had to ask for so far; 0 where the system does not say so."""
    try:
        import resource
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def total_bytes(arrays: tuple[Any, ...]) -> int:
    """Memory of the arrays of a named tuple."""
    return sum(array.nbytes for array in arrays)


def sizes(what: str, env: Any) -> Memory:
    """Bytes of a vector environment."""
    core, rows = env.core, env.num_envs
    state = total_bytes(core.rows) + core.clocks.seed.nbytes + core.clocks.episode.nbytes
    constants = total_bytes(core.compiled.world) + total_bytes(core.book)
    return Memory(what, state / rows, total_bytes(env.latest) / rows, constants)


def resident_mb() -> float:
    """Memory of this process that is in use now; where the system does not say so, the most that ever was."""
    gc.collect()
    if STATM.exists():
        return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1e6 if sys.platform == "darwin" else most / 1e3


def fresh_process(words: list[str], cache: Path | None = None) -> str:
    """What another Python says, run at the root of the repository."""
    environment = {**os.environ, **({"XDG_CACHE_HOME": str(cache)} if cache else {})}
    command = [sys.executable, *words]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)} failed: {done.stderr[-2000:]}")
    return done.stdout


def stopwatch(what: str, code: str, cache: Path | None = None) -> Seconds:
    """Wall and CPU seconds of some lines of code in a fresh process, measured within it."""
    before = "import time; wall, cpu = time.perf_counter(), time.process_time()"
    after = "print(time.perf_counter() - wall, time.process_time() - cpu)"
    wall_s, cpu_s = fresh_process(["-c", f"{before}\n{code}\n{after}"], cache).split()
    return Seconds(what, float(wall_s), float(cpu_s))


def random_steps(env: Any) -> Callable[[], object]:
    """A step of a vector environment, with the next of a few random actions."""
    env.reset(seed=0)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(8)]
    turn = iter(range(10**9))
    return lambda: env.step(actions[next(turn) % len(actions)])
