"""Fleets of the city's homes under one transformer, planned to the certificate; run by itself, in a fresh process."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass, replace
from typing import Final

import numpy as np

from gridmarl.agents.seats import Seats
from gridmarl.environment.core import Core
from gridmarl.planning.admm import AdmmPlanner, AdmmSettings
from gridmarl.planning.central.planner import CentralPlanner
from gridmarl.planning.certify import certify
from gridmarl.planning.model.horizon import DEFAULT_GRID, make_horizon
from gridmarl.planning.model.outlook import look_ahead
from gridmarl.planning.model.problem import Problem
from gridmarl.planning.selfish import SelfishPlanner
from gridmarl.scenario.scenario import Scenario

SHARE: Final = 0.8
"""The transformer lets through this much of the peak that the homes would have each on its own."""
CERTIFIED: Final = AdmmSettings(tolerance=1e-5, gap_tolerance=1e-6)
"""Both residuals below a hundred thousandth of the largest rating, and the relative duality gap below a millionth."""
SAME_COST: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Planned:
    """What a plan took, and how far it is from the optimum."""

    method: str
    homes: int
    wall_s: float
    cpu_s: float
    peak_mb: float  # of the whole process
    begun_mb: float  # before the plan
    rounds: int
    primal_w: float
    dual_w: float
    gap: float  # relative
    cost: float  # $
    certified: bool

    @property
    def cpu_ms_per_home(self) -> float:
        """CPU time of a home."""
        return 1e3 * self.cpu_s / self.homes


def fleet(homes: int) -> Problem:
    """So many of the city's homes from midnight on, a day ahead."""
    neighbourhood = {"count": homes, "seats": "separate"}
    scenario = Scenario.load("city").but(neighbourhood=neighbourhood, transformers=[])
    core = Core(scenario)
    core.reset(np.zeros(1, np.uint64))
    horizon = make_horizon(DEFAULT_GRID, scenario.interval_h, 24.0, scenario.intervals)
    free = look_ahead(Seats(core, 0, scenario.seats, "forecast", "own"), horizon).problem
    limit_mw = SHARE * float(np.abs(SelfishPlanner().solve(free).injection_mw.sum(axis=0)).max())
    return free._replace(coupling=replace(free.coupling, lower_mw=-limit_mw, upper_mw=limit_mw))


def plan(method: str, homes: int) -> Planned:
    """Plan a fleet by ``admm`` or ``central``; the central plan's gap is found by the dual function, untimed."""
    problem = fleet(homes)
    begun_mb, wall, cpu = peak_mb(), time.perf_counter(), time.process_time()
    found = AdmmPlanner(CERTIFIED).solve(problem) if method == "admm" else CentralPlanner().solve(problem)
    wall, cpu, most_mb = time.perf_counter() - wall, time.process_time() - cpu, peak_mb()
    gap = found.relative_gap
    if method == "central":
        bounds = certify(found, problem)
        gap = abs(bounds.gap) / abs(bounds.value)
    residuals = 1e6 * found.primal_residual_mw, 1e6 * found.dual_residual_mw
    return Planned(
        method, homes, wall, cpu, most_mb, begun_mb, found.rounds, *residuals, gap, found.objective, found.converged
    )


def peak_mb() -> float:
    """The most memory this process ever had; 0 where the system does not say so."""
    try:
        import resource
    except ImportError:
        return 0.0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1e6 if sys.platform == "darwin" else most / 1e3


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(plan(sys.argv[1], int(sys.argv[2])))))
