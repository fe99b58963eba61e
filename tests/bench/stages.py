"""Where a step's time goes: its kernels are compiled once more, with the processor's cycle counter read around each.

``python -m tests.bench.stages auction --rows 1024`` prints the table; ``--copies 11`` cuts each participant into 11.

What to measure is found in the code of the kernels themselves: the kernels that ``step_rows`` calls, those that run
over its rows (the stages), and those that a stage calls outside of loops where there are at least `PARTS` of them. Each
becomes a copy whose names lead to measured copies; the library itself and its kernels on disk are left as they are.

The counter is x86-64's time stamp, which runs at a constant rate also while the process waits: the quickest of many
rounds counts. Each reading waits until what came before has been computed (a fence, as in Paoloni, "How to benchmark
code execution times on Intel IA-32 and IA-64", 2010), or a kernel's time would be found in the next one's. What a
reading costs is measured on an empty kernel and subtracted. What remains is that neighbours no longer overlap, so that
the total may exceed that of the step as it is by some per cent: both are printed.
"""

from __future__ import annotations

import argparse
import dis
import json
import platform
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from types import FunctionType
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core.dispatcher import Dispatcher
from numba.extending import intrinsic

from gridmarl.kernels import OPTIONS, inner_kernel
from tests.bench.measuring import Line, Profile

MACHINES = ("x86_64", "AMD64")
ROW_LOOPS = ("step_pages",)
"""Kernels whose loops are over rows: what they call there are the stages."""
HELPERS = ("open_page",)
"""Kernels that compute nothing."""
SUMMARY = "where the time of a step goes"
PARTS = 3
LEAST_SHARE = 0.005
"""Of a step; what takes less is told in one line with others."""
OUTSIDE = "Python and copies, outside the kernels"
MOST_STAGES = 256
STEPS, ROUNDS, WARM_UP = 16, 24, 8
LAPS = 100_000
"""Empty laps by which the cost of a lap is measured."""
INT64 = ir.IntType(64)


def _read_ticks(typing: Any) -> Any:
    """The processor's cycle counter, once all that came before has been computed."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        counter = builder.module.declare_intrinsic("llvm.readcyclecounter", (), ir.FunctionType(INT64, []))
        fence = builder.module.declare_intrinsic("llvm.x86.sse2.lfence", (), ir.FunctionType(ir.VoidType(), []))
        builder.call(fence, [])
        return builder.call(counter, [])

    return types.int64(), emit


def _add_at(typing: Any, address: Any, amount: Any) -> Any:
    """Add to the whole number at an address."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = builder.inttoptr(arguments[0], INT64.as_pointer())
        builder.store(builder.add(builder.load(place), arguments[1]), place)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), emit


read_ticks: Any = intrinsic(_read_ticks)
add_at: Any = intrinsic(_add_at)


@numba.njit
def ticks_now() -> int:
    """The processor's cycle counter, for Python."""
    return read_ticks()


def entry(function: Callable[..., object]) -> Any:
    """Compile for calls from Python, and keep nothing on disk: the code holds addresses of this process."""
    return numba.njit(**OPTIONS)(function)


@dataclass(slots=True)
class Tally:
    """Ticks and calls of every stage, which compiled code adds to."""

    ticks: np.ndarray = field(default_factory=lambda: np.zeros(MOST_STAGES, np.int64))
    calls: np.ndarray = field(default_factory=lambda: np.zeros(MOST_STAGES, np.int64))
    used: int = 0

    def lap(self, called: Any, compiled: Callable[[Callable[..., object]], Any]) -> tuple[int, Any]:
        """Measure a kernel: its slot here, and the kernel with a lap around it."""
        if self.used == MOST_STAGES:
            raise ValueError(f"more than {MOST_STAGES} stages; raise MOST_STAGES")
        slot, self.used = self.used, self.used + 1
        ticks_at, calls_at = (int(a.ctypes.data) + slot * a.itemsize for a in (self.ticks, self.calls))

        def lapped(*arguments: Any) -> Any:
            began = read_ticks()
            result = called(*arguments)
            add_at(ticks_at, read_ticks() - began)
            add_at(calls_at, 1)
            return result

        return slot, compiled(lapped)

    def clear(self) -> None:
        """Begin anew."""
        self.ticks[:] = 0
        self.calls[:] = 0


@dataclass(slots=True)
class Stage:
    """A measured kernel, and those within it."""

    name: str
    slot: int
    lapped: Any
    parts: list[Stage]

    def below(self) -> Iterator[Stage]:
        """All measured kernels within this one."""
        for part in self.parts:
            yield part
            yield from part.below()


def kernels_called(kernel: Any, in_loops: bool = False) -> list[str]:
    """Names of the kernels that a kernel calls; those it calls only within a loop are left out unless asked for."""
    known = kernel.py_func.__globals__
    code = list(dis.get_instructions(kernel.py_func))
    loops = [(i.argval, i.offset) for i in code if "JUMP" in i.opname and i.argval <= i.offset]
    found: dict[str, None] = {}
    for line in code:
        looped = any(first <= line.offset <= last for first, last in loops)
        kernel_named = line.opname == "LOAD_GLOBAL" and isinstance(known.get(line.argval), Dispatcher)
        if kernel_named and (in_loops or not looped) and line.argval not in HELPERS:
            found[str(line.argval)] = None
    return list(found)


def relinked(kernel: Any, instead: dict[str, Any]) -> Any:
    """A copy of a kernel's function in which some names mean something else."""
    function = kernel.py_func
    copy = FunctionType(function.__code__, {**function.__globals__, **instead}, function.__name__)
    copy.__module__, copy.__qualname__ = function.__module__, function.__qualname__
    return copy


def measured(kernel: Any, tally: Tally, names: list[str], compiled: Callable[..., Any] = inner_kernel) -> Stage:
    """A copy of a kernel with a lap around it, around those of its kernels that are named, and around their parts."""
    parts: list[Stage] = []
    for name in names:
        part = kernel.py_func.__globals__[name]
        inside = kernels_called(part, in_loops=name in ROW_LOOPS)
        parts.append(measured(part, tally, inside if len(inside) >= PARTS else []))
    copy = relinked(kernel, {name: part.lapped for name, part in zip(names, parts, strict=True)})
    slot, lapped = tally.lap(inner_kernel(copy), compiled)
    return Stage(kernel.py_func.__name__, slot, lapped, parts)


def lap_cost(tally: Tally) -> tuple[float, float]:
    """Ticks that an empty lap counts, and ticks that it costs whoever calls it."""

    def nothing() -> None:
        """Take no time."""

    slot, lapped = tally.lap(inner_kernel(nothing), inner_kernel)

    def laps() -> int:
        began = read_ticks()
        for _ in range(LAPS):
            lapped()
        return read_ticks() - began

    compiled = entry(laps)
    whole = min(int(compiled()) for _ in range(ROUNDS))
    return tally.ticks[slot] / tally.calls[slot], whole / LAPS


def less_laps(stage: Stage, ticks: np.ndarray, calls: np.ndarray, cost: tuple[float, float]) -> float:
    """Ticks of a stage without those of its own lap and of the laps within it."""
    within, whole = cost
    return float(ticks[stage.slot] - within * calls[stage.slot] - whole * sum(calls[s.slot] for s in stage.below()))


def lines_of(stage: Stage, ns_of: Callable[[Stage], float], least_ns: float, level: int) -> Iterator[Line]:
    """A stage, its parts from the longest to the shortest, and in one line what is too short to tell."""
    yield Line(stage.name, level, ns_of(stage))
    shown = [part for part in stage.parts if ns_of(part) >= least_ns]
    for part in sorted(shown, key=ns_of, reverse=True):
        yield from lines_of(part, ns_of, least_ns, level + 1)
    if shown:
        yield Line(f"the rest of {stage.name}", level + 1, ns_of(stage) - sum(map(ns_of, shown)))


class Stepping:
    """A vector environment that plays random actions."""

    def __init__(self, scenario: Any, rows: int) -> None:
        import gridmarl

        self.env: Any = gridmarl.vector_env(scenario, rows)
        self.env.reset(seed=0)
        self.env.action_space.seed(0)
        self.actions = [self.env.action_space.sample() for _ in range(8)]

    def step(self, count: int) -> None:
        """Play so many intervals."""
        for k in range(count):
            self.env.step(self.actions[k % 8])

    def cpu_s(self) -> float:
        """CPU seconds of a step, in the best round."""
        best = np.inf
        for _ in range(ROUNDS):
            began = time.process_time()
            self.step(STEPS)
            best = min(best, time.process_time() - began)
        return best / STEPS


def best_round(stepping: Stepping, tally: Tally) -> tuple[int, np.ndarray, np.ndarray, float]:
    """Ticks of the quickest round, its tally, and nanoseconds of a tick."""
    best: tuple[int, np.ndarray, np.ndarray] | None = None
    first, clock = ticks_now(), time.perf_counter_ns()
    for _ in range(ROUNDS):
        tally.clear()
        began = ticks_now()
        stepping.step(STEPS)
        taken = ticks_now() - began
        if best is None or taken < best[0]:
            best = taken, tally.ticks.copy(), tally.calls.copy()
    assert best is not None
    return *best, (time.perf_counter_ns() - clock) / (ticks_now() - first)


def profile(world: str, rows: int, copies: int = 1) -> Profile:
    """Measure a step of a world."""
    from gridmarl.environment import core
    from gridmarl.environment.interval import step
    from gridmarl.scenario.scenario import Scenario
    from tests.bench.worlds import in_copies

    scenario = Scenario.load(world)
    stepping = Stepping(in_copies(scenario, copies) if copies > 1 else scenario, rows)
    stepping.step(WARM_UP)
    plain = stepping.cpu_s()
    tally = Tally()
    cost = lap_cost(tally)
    root = measured(step.step_rows, tally, kernels_called(step.step_rows, in_loops=True), entry)
    core.step_rows = root.lapped
    stepping.step(WARM_UP)
    whole, ticks, calls, tick_ns = best_round(stepping, tally)
    unit = tick_ns / STEPS / rows
    total = unit * (whole - cost[1] * sum(calls[s.slot] for s in (root, *root.below())))

    def ns_of(stage: Stage) -> float:
        return unit * less_laps(stage, ticks, calls, cost)

    lines = [Line(OUTSIDE, 0, total - ns_of(root)), *lines_of(root, ns_of, LEAST_SHARE * total, 0)]
    agents = len(stepping.env.core.compiled.layout.seats)
    return Profile(stepping.env.scenario.name, rows, agents, plain * 1e9 / rows, total, cost[1] * tick_ns, lines)


def main() -> None:
    """Print the profile of a world."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.stages", description=SUMMARY)
    parser.add_argument("world", nargs="?", default="auction", help="name or path")
    parser.add_argument("--rows", type=int, default=1024, help="environments")
    parser.add_argument("--copies", type=int, default=1, help="cut each participant into so many")
    parser.add_argument("--json", action="store_true", help="print numbers for another program")
    asked = parser.parse_args()
    if platform.machine() not in MACHINES:
        sys.exit(f"the cycle counter is read on {' and '.join(MACHINES)} only, and this is {platform.machine()}")
    found = profile(asked.world, asked.rows, asked.copies)
    if asked.json:
        print(json.dumps(asdict(found)))
        return
    from rich.console import Console

    from tests.bench.tables import WIDTH, stage_table

    Console(width=WIDTH).print(stage_table(found))


if __name__ == "__main__":
    main()
