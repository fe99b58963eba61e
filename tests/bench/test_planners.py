"""Planners at scale: a negotiation's round, fleets to the certificate, and the decision of one hour.

Run by ``make bench``, which prints the tables. As in `test_speed`, a missed target is printed; a test fails only where
a number is hopelessly off, or where two methods disagree on the plan.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

import cvxpy as cp
import numpy as np
import pytest
from scipy.sparse import csc_matrix

from gridmarl.agents.team import SeatedTeam, load_team
from gridmarl.environment.core import Core
from gridmarl.planning.admm import AdmmPlanner
from gridmarl.planning.owners.worker import Message, Worker
from gridmarl.planning.planner import Planner
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import Float
from tests.bench import tables
from tests.bench.findings import Judged, show
from tests.bench.fleets import CERTIFIED, SAME_COST, Planned, fleet
from tests.bench.measuring import fresh_process

HOMES: Final = (20, 200, 1_000)
WARM_ROUNDS, TIMED = 5, 5
SAME_MW: Final = 1e-6
"""MW by which the answers of two solvers of one home may differ."""
DECISIONS: Final = 10
FASTER_THAN_A_LOOP, DECISION_MS, GROWTH = 10.0, 100.0, 2.0


@dataclass(frozen=True, slots=True)
class Decision:
    """Milliseconds from observations to bids of 20 homes, where they plan anew."""

    team: str
    first_ms: float
    median_ms: float
    most_ms: float
    median_cpu_ms: float


@dataclass(slots=True)
class Findings(Judged):
    """What the tests of this file measured."""

    plans: list[Planned] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)

    def of(self, method: str) -> dict[int, Planned]:
        """Homes -> a method's plan."""
        return {plan.homes: plan for plan in self.plans if plan.method == method}


@pytest.fixture(scope="module")
def findings() -> Iterator[Findings]:
    """Print what was measured, once all of it is."""
    found = Findings()
    yield found
    show(
        tables.plans_table(found.plans),
        tables.decisions_table(found.decisions),
        tables.target_table(found.targets),
        *in_plain_words(found),
    )


def in_plain_words(found: Findings) -> list[str]:
    """Who wins at each size."""
    negotiated, central = found.of("admm"), found.of("central")
    said: list[str] = []
    for homes in sorted(negotiated.keys() & central.keys()):
        ours, theirs = negotiated[homes].cpu_s, central[homes].cpu_s
        winner, by = ("central", ours / theirs) if ours > theirs else ("admm", theirs / ours)
        said.append(f"{homes:,} homes: {winner} needs less CPU time, by a factor of {by:.1f}.")
    return [*said, "What admm is for is privacy: central needs everybody's parameters in one place."]


class CvxpyAgent:
    """A home's round as one would write it first: a convex program of its own, with the target as a parameter."""

    def __init__(self, worker: Worker, rho: float) -> None:
        problem, p = worker.problem, worker.problem.program
        steps = problem.step_h
        self._y: Any = cp.Variable(len(p.linear))
        self._aim: Any = cp.Parameter(len(steps))
        self._power = problem.base.power_mw
        weight = np.sqrt(rho * steps * self._power**2 / problem.base.money)
        near: Any = cp.sum_squares(cp.multiply(weight, self._y[: len(steps)]) - cp.multiply(weight, self._aim))
        bent = np.flatnonzero(p.quadratic)
        cost: Any = p.linear @ self._y + 0.5 * near
        if len(bent):
            cost += 0.5 * cp.sum_squares(cp.multiply(np.sqrt(p.quadratic[bent]), self._y[bent]))
        low, high = np.flatnonzero(np.isfinite(p.lower)), np.flatnonzero(np.isfinite(p.upper))
        rows = [csc_matrix(p.equality) @ self._y == p.equality_rhs]
        rows += [self._y[low] >= p.lower[low], self._y[high] <= p.upper[high]]
        if len(p.inequality_rhs):
            rows.append(csc_matrix(p.inequality) @ self._y <= p.inequality_rhs)
        self._problem: Any = cp.Problem(cp.Minimize(cost), rows)

    def answer(self, aim_mw: Float) -> Float:
        """The net injection in MW."""
        self._aim.value = aim_mw / self._power
        self._problem.solve(solver=cp.CLARABEL)
        return np.asarray(self._y.value)[: len(aim_mw)] * self._power


def cpu_ms(step: Callable[[], object]) -> float:
    """CPU time, the best of a few."""
    taken: list[float] = []
    for _ in range(TIMED):
        began = time.process_time()
        step()
        taken.append(1e3 * (time.process_time() - began))
    return min(taken)


def test_a_round_against_a_loop_over_cvxpy_problems(benchmark: Any, findings: Findings) -> None:
    rounds = AdmmPlanner(CERTIFIED).open(fleet(HOMES[0]))
    for _ in range(WARM_ROUNDS):
        rounds.once()
    message: Message = rounds.sharing.messages([])[0]
    agents = [CvxpyAgent(worker, message.rho) for worker in rounds.workers]
    aims = [worker.aim_mw(message) for worker in rounds.workers]
    theirs = np.stack([agent.answer(aim) for agent, aim in zip(agents, aims, strict=True)])
    loop_ms = cpu_ms(lambda: [agent.answer(aim) for agent, aim in zip(agents, aims, strict=True)])
    rounds.once()
    assert rounds.trail[-1].rho == message.rho
    ours = np.stack([worker.injection_mw for worker in rounds.workers])
    np.testing.assert_allclose(ours, theirs, atol=SAME_MW)
    benchmark.pedantic(rounds.once, rounds=TIMED)
    ours_ms = cpu_ms(rounds.once)
    findings.judge("a loop over cvxpy problems / a round of admm", loop_ms / ours_ms, FASTER_THAN_A_LOOP, "times", True)


@pytest.mark.parametrize("homes", HOMES)
def test_a_fleet_to_the_certificate(benchmark: Any, findings: Findings, homes: int) -> None:
    def both() -> list[Planned]:
        words = [["-m", "tests.bench.fleets", method, str(homes)] for method in ("admm", "central")]
        return [Planned(**json.loads(fresh_process(command))) for command in words]

    ours, theirs = benchmark.pedantic(both, rounds=1)
    findings.plans += [ours, theirs]
    assert ours.certified, "admm has stopped before its tolerances were met"
    assert ours.gap <= CERTIFIED.gap_tolerance
    assert ours.cost == pytest.approx(theirs.cost, rel=SAME_COST)
    if homes == HOMES[-1] and len(findings.of("admm")) == len(HOMES):
        each = {h: plan.cpu_ms_per_home / plan.rounds for h, plan in findings.of("admm").items()}
        findings.judge("a round's CPU time of a home, of 1,000 / of 200", each[HOMES[2]] / each[HOMES[1]], GROWTH)


@pytest.mark.parametrize("name", ["admm", "central"])
def test_one_decision_of_twenty_homes(benchmark: Any, findings: Findings, name: str) -> None:
    scenario = Scenario.load("duck-curve").but(neighbourhood={"count": HOMES[0]})
    team = load_team(name)
    seated = SeatedTeam(team, scenario)
    core = Core(scenario, codecs=seated.codecs)
    (planner,) = team.agents.values()
    assert isinstance(planner, Planner)
    outcome = core.reset(np.zeros(1, np.uint64))
    seated.begin(core)
    actions, wall, cpu = np.zeros((1, core.width)), list[float](), list[float]()

    def decide() -> None:
        nonlocal outcome
        while len(wall) <= DECISIONS:
            made, began, used = planner.plans_made, time.perf_counter(), time.process_time()
            seated.fill(outcome, actions)
            if planner.plans_made > made:
                wall.append(1e3 * (time.perf_counter() - began))
                cpu.append(1e3 * (time.process_time() - used))
            outcome = core.step(actions)

    benchmark.pedantic(decide, rounds=1)
    again = wall[1:]
    findings.decisions.append(Decision(name, wall[0], median(again), max(again), median(cpu[1:])))
    findings.judge(f"a decision of {HOMES[0]} homes, {name}", median(again), DECISION_MS, "ms")
