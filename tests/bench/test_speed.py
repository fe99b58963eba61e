"""Steps a second on one core, memory, and where the time goes: compare the ratios of one run, not its seconds.

Run by ``make bench``, which prints the tables. Where a target is missed the table says so; a test fails only where a
number is so far off that no busy machine explains it.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

import gridmarl
from gridmarl.scenario.scenario import Scenario
from tests.bench import tables
from tests.bench.bare import SELLERS, BareMarket
from tests.bench.findings import Judged, show
from tests.bench.measuring import (
    Memory,
    Profile,
    Seconds,
    Speed,
    clock,
    fresh_process,
    in_turn,
    parse_profile,
    random_steps,
    resident_mb,
    sizes,
    stopwatch,
)
from tests.bench.stages import MACHINES
from tests.bench.worlds import in_copies

ROWS = (1, 64, 1024)
WORLDS = ("auction", "caiso-week", "rts")
COPIES = (1, 3, 11, 33, 111)
"""10 to 1,000 participants: nine that trade in so many copies, and the operator."""
MANY_ROWS, ROW_STEPS = 1024, 1_000_000
MOST_GROWTH_MB = 8.0
"""Two outcomes of 1,024 rows: as much as the allocator may hold or not hold when it is asked."""
IMPORT_ROUNDS = 5


@dataclass(slots=True)
class Findings(Judged):
    """What the tests of this file measured."""

    speeds: dict[tuple[str, int], Speed] = field(default_factory=dict)
    participants: dict[int, Speed] = field(default_factory=dict)
    seconds: list[Seconds] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)
    profiles: list[Profile] = field(default_factory=list)

    def keep(self, speed: Speed) -> None:
        """A line of the first table."""
        self.speeds[speed.what, speed.rows] = speed


@pytest.fixture(scope="module")
def findings() -> Iterator[Findings]:
    """Print what was measured, once all of it is."""
    found = Findings()
    yield found
    show(
        tables.speed_table([*found.speeds.values()]),
        tables.participants_table([*found.participants.values()]),
        tables.memory_table(found.memory),
        *map(tables.stage_table, found.profiles),
        tables.seconds_table(found.seconds),
        tables.target_table(found.targets),
    )


@pytest.mark.parametrize("rows", ROWS)
def test_speed_of_a_bare_market(benchmark: Any, findings: Findings, rows: int) -> None:
    findings.keep(clock(benchmark, "bare market", rows, SELLERS, BareMarket(rows).step))


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("name", WORLDS)
def test_speed_of_the_vector_view(benchmark: Any, findings: Findings, name: str, rows: int) -> None:
    env = gridmarl.vector_env(name, rows)
    agents = len(env.core.compiled.layout.seats)
    speed = clock(benchmark, f"vector, {name}", rows, agents, random_steps(env))
    findings.keep(speed)
    if (name, rows) != ("auction", MANY_ROWS):
        return
    findings.judge("vector auction, 1,024 rows", speed.per_cpu_s / 1e6, 4.0, "M agent-steps/CPU-s", at_least=True)
    assert agents == SELLERS
    beside = in_turn(random_steps(env), BareMarket(rows).step)
    findings.judge("a step of the same / of a bare market", beside, 8.0, "times")


@pytest.mark.parametrize("name", WORLDS)
def test_speed_of_the_pettingzoo_view(benchmark: Any, findings: Findings, name: str) -> None:
    env = gridmarl.parallel_env(name)
    env.reset(seed=0)
    actions = [{agent: env.action_space(agent).sample() for agent in env.agents} for _ in range(8)]
    turn = iter(range(10**9))

    def step() -> None:
        if not env.agents:
            env.reset()
        env.step(actions[next(turn) % 8])

    speed = clock(benchmark, f"PettingZoo, {name}", 1, len(env.possible_agents), step)
    findings.keep(speed)
    if name == "auction":
        findings.judge("PettingZoo auction", speed.per_cpu_s / 1e3, 250.0, "k agent-steps/CPU-s", at_least=True)


@pytest.mark.parametrize("rows", ROWS)
def test_speed_of_one_seat_among_rules(benchmark: Any, findings: Findings, rows: int) -> None:
    env = gridmarl.vector_env("auction", rows, seats="battery_1", others="truthful")
    findings.keep(clock(benchmark, "one seat of auction", rows, 1, random_steps(env)))


@pytest.mark.parametrize("copies", COPIES)
def test_a_participant_costs_about_the_same_in_every_crowd(benchmark: Any, findings: Findings, copies: int) -> None:
    scenario = in_copies(Scenario.load("auction"), copies)
    agents = len(scenario.seats) + 1
    env = gridmarl.vector_env(scenario, max(MANY_ROWS * 10 // agents, 4))
    findings.participants[copies] = clock(benchmark, scenario.name, env.num_envs, agents, random_steps(env))
    if copies == COPIES[-1] and COPIES[0] in findings.participants:
        costs = [speed.agent_step_ns for speed in findings.participants.values()]
        findings.judge("a participant in any crowd / of ten", max(costs) / costs[0], 2.0, "times")


def test_memory_does_not_grow_over_a_million_steps(benchmark: Any, findings: Findings) -> None:
    """After a whole episode; three more begin and end within the million."""
    findings.memory += [sizes(name, begun(name)) for name in WORLDS[1:]]
    env = gridmarl.vector_env(WORLDS[0], MANY_ROWS)
    step = random_steps(env)
    for _ in range(env.core.intervals + 1):
        step()
    before, count = resident_mb(), -(-ROW_STEPS // MANY_ROWS)
    benchmark.pedantic(step, rounds=1, iterations=count)
    grown = resident_mb() - before
    findings.memory.insert(0, replace(sizes(WORLDS[0], env), row_steps=count * MANY_ROWS, growth_mb=grown))
    assert grown < MOST_GROWTH_MB, f"{grown:.1f} MB more resident after {count * MANY_ROWS:,} row-steps"


def begun(name: str) -> Any:
    """A vector environment after its first reset."""
    env = gridmarl.vector_env(name, MANY_ROWS)
    env.reset(seed=0)
    return env


FIRST_STEP = """
import gridmarl
env = gridmarl.parallel_env("auction")
env.reset(seed=0)
env.step({agent: env.action_space(agent).sample() for agent in env.agents})
"""


def test_seconds_to_import(benchmark: Any, findings: Findings) -> None:
    taken: list[Seconds] = []
    benchmark.pedantic(
        lambda: taken.append(stopwatch("import gridmarl", "import gridmarl")), rounds=IMPORT_ROUNDS, warmup_rounds=1
    )
    best = min(taken, key=lambda line: line.wall_s)
    findings.seconds.append(best)
    findings.judge("import gridmarl", best.wall_s, 1.0, "s")


def test_seconds_to_the_first_step(benchmark: Any, findings: Findings, tmp_path: Path) -> None:
    first = benchmark.pedantic(lambda: stopwatch("first step, compiling", FIRST_STEP, tmp_path), rounds=1)
    findings.seconds += [first, stopwatch("first step, compiled before", FIRST_STEP, tmp_path)]
    findings.judge("first step, compiling", first.wall_s, 25.0, "s")


@pytest.mark.skipif(platform.machine() not in MACHINES, reason="reads the cycle counter of x86-64")
def test_where_the_time_of_a_step_goes(benchmark: Any, findings: Findings) -> None:
    words = ["-m", "tests.bench.stages", WORLDS[0], "--rows", str(MANY_ROWS), "--json"]
    found = parse_profile(benchmark.pedantic(lambda: fresh_process(words), rounds=1))
    findings.profiles.append(found)
    assert sum(line.ns for line in found.lines if line.level == 0) == pytest.approx(found.total_ns)
    assert found.plain_ns / 2 < found.total_ns < found.plain_ns * 2, "the laps have changed what they measure"
    assert all(line.ns > -found.lap_ns for line in found.lines), "more was subtracted than there was"
