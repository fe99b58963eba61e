"""Steps a second on one core, beside a bare market of ten sellers: compare the ratios of one run, not its seconds.

Run by ``make bench``, which prints the table.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

import gridmarl

ROOT = Path(__file__).parents[2]
SELLERS, NUMBERS = 10, 20
ROWS = (1, 64, 1024)
WORLDS = ("auction", "caiso-week", "rts")
WARM_UP, ROUNDS = 3, 5
SECONDS = 0.4
"""A round of the slower clocks lasts about this long."""


@dataclass(frozen=True, slots=True)
class Speed:
    """One line of the table."""

    what: str
    rows: int
    agents: int
    wall_s: float  # a step
    cpu_s: float  # a step

    @property
    def agent_steps_per_s(self) -> float:
        return self.rows * self.agents / self.wall_s


measured: list[Speed] = []
seconds: list[tuple[str, float]] = []


@pytest.fixture(scope="module", autouse=True)
def table() -> Iterator[None]:
    """Print what was measured, once all of it is."""
    yield
    from rich.console import Console
    from rich.table import Table

    bare = {speed.rows: speed for speed in measured if speed.what == "bare market"}
    lines = Table(title="one core", title_justify="left")
    for name in (
        "",
        "rows",
        "wall us/step",
        "CPU us/step",
        "env-steps/s",
        "agent-steps/s",
        "CPU ns/seat",
        "agent-steps vs bare",
    ):
        lines.add_column(name, justify="left" if not name else "right")
    for speed in measured:
        beside = bare.get(speed.rows)
        ratio = f"{speed.agent_steps_per_s / beside.agent_steps_per_s:.2f}" if beside else ""
        wall, cpu = 1e6 * speed.wall_s, 1e6 * speed.cpu_s
        rates = f"{speed.rows / speed.wall_s:,.0f}", f"{speed.agent_steps_per_s:,.0f}"
        seat_ns = f"{1e9 * speed.cpu_s / speed.rows / speed.agents:,.0f}"
        lines.add_row(speed.what, f"{speed.rows}", f"{wall:,.1f}", f"{cpu:,.1f}", *rates, seat_ns, ratio)
    for what, taken in seconds:
        lines.add_row(what, "", f"{1e6 * taken:,.0f}", "", "", "", "", "")
    Console(width=140).print(lines)


def record(benchmark: Any, what: str, rows: int, agents: int, step: Callable[[], object]) -> None:
    """Time a step: the wall clock by rounds (the best counts), the processor's over one more round."""
    for _ in range(WARM_UP):
        step()
    began = time.perf_counter()
    step()
    count = max(5, int(SECONDS / max(time.perf_counter() - began, 1e-7)))
    benchmark.pedantic(step, rounds=ROUNDS, iterations=count)
    used = time.process_time()
    for _ in range(count):
        step()
    used = (time.process_time() - used) / count
    measured.append(Speed(what, rows, agents, benchmark.stats.stats.min, used))


@numba.njit(error_model="numpy")  # pyright: ignore[reportUntypedFunctionDecorator]  # numba ships no stubs
def bare_step(state: np.ndarray, prices: np.ndarray, order: np.ndarray, seen: np.ndarray, paid: np.ndarray) -> None:
    """The least a market does: sort ten offers, fill a random demand, pay the marginal price, show twenty numbers."""
    for b in range(prices.shape[0]):
        state[b, 0] = (state[b, 0] * 1103515245.0 + 12345.0) % 2147483648.0
        left = SELLERS * state[b, 0] / 2147483648.0
        for i in range(SELLERS):
            hole = i
            while hole > 0 and prices[b, order[hole - 1]] > prices[b, i]:
                order[hole] = order[hole - 1]
                hole -= 1
            order[hole] = i
        price = 0.0
        for i in range(SELLERS):
            paid[b, order[i]] = min(left, 1.0)
            price = prices[b, order[i]] if left > 0.0 else price
            left = max(left - 1.0, 0.0)
        for i in range(SELLERS):
            paid[b, i] *= price - 20.0 - i
            for k in range(NUMBERS):
                seen[b, i, k] = price if k < 2 else prices[b, (i + k) % SELLERS]


class BareMarket:
    """Fresh copies out, as a client would want them."""

    def __init__(self, rows: int) -> None:
        rng = np.random.default_rng(0)
        self.prices = rng.uniform(20, 200, (8, rows, SELLERS))
        self.state = rng.integers(1, 2**31, (rows, 1)).astype(np.float64)
        self.order = np.zeros(SELLERS, np.int64)
        self.seen = np.zeros((rows, SELLERS, NUMBERS), np.float32)
        self.paid = np.zeros((rows, SELLERS))
        self.t = 0

    def step(self) -> tuple[np.ndarray, np.ndarray]:
        self.t = (self.t + 1) % len(self.prices)
        bare_step(self.state, self.prices[self.t], self.order, self.seen, self.paid)
        return self.seen.copy(), self.paid.copy()


@pytest.mark.parametrize("rows", ROWS)
def test_speed_of_a_bare_market(benchmark: Any, rows: int) -> None:
    record(benchmark, "bare market", rows, SELLERS, BareMarket(rows).step)


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("name", WORLDS)
def test_speed_of_the_vector_view(benchmark: Any, name: str, rows: int) -> None:
    env = gridmarl.vector_env(name, rows)
    env.reset(seed=0)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(8)]
    turn = iter(range(10**9))
    record(
        benchmark,
        f"vector, {name}",
        rows,
        len(env.core.compiled.layout.seats),
        lambda: env.step(actions[next(turn) % 8]),
    )


@pytest.mark.parametrize("name", WORLDS)
def test_speed_of_the_pettingzoo_view(benchmark: Any, name: str) -> None:
    env = gridmarl.parallel_env(name)
    env.reset(seed=0)
    actions = [{agent: env.action_space(agent).sample() for agent in env.agents} for _ in range(8)]
    turn = iter(range(10**9))

    def step() -> None:
        if not env.agents:
            env.reset()
        env.step(actions[next(turn) % 8])

    record(benchmark, f"PettingZoo, {name}", 1, len(env.possible_agents), step)


@pytest.mark.parametrize("rows", ROWS)
def test_speed_of_one_seat_among_rules(benchmark: Any, rows: int) -> None:
    env = gridmarl.vector_env("auction", rows, seats="battery_1", others="truthful")
    env.reset(seed=0)
    actions = [env.action_space.sample() for _ in range(8)]
    turn = iter(range(10**9))
    record(benchmark, "vector, one seat of auction", rows, 1, lambda: env.step(actions[next(turn) % 8]))


IMPORT = "import time; t = time.perf_counter(); import gridmarl; print(time.perf_counter() - t)"
FIRST_STEP = """
import time
t = time.perf_counter()
import gridmarl
env = gridmarl.parallel_env("auction")
env.reset(seed=0)
env.step({agent: env.action_space(agent).sample() for agent in env.agents})
print(time.perf_counter() - t)
"""


def run(code: str, cache: Path | None = None) -> float:
    """Seconds that a fresh process says it took."""
    environment = {**os.environ, **({"XDG_CACHE_HOME": str(cache)} if cache else {})}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def test_seconds_to_import(benchmark: Any) -> None:
    run(IMPORT)
    taken = benchmark.pedantic(lambda: run(IMPORT), rounds=ROUNDS)
    assert taken < 1.0, "import gridmarl must stay cheap"
    seconds.append(("import gridmarl", taken))


def test_seconds_to_the_first_step(benchmark: Any, tmp_path: Path) -> None:
    first = benchmark.pedantic(lambda: run(FIRST_STEP, tmp_path), rounds=1)
    seconds.append(("first step, compiling", first))
    seconds.append(("first step, compiled before", run(FIRST_STEP, tmp_path)))
