"""The optimisation methods by name, each made from a planner's settings."""

from __future__ import annotations

from gridmarl.agents.agent import Sees
from gridmarl.errors import ScenarioError, nearest
from gridmarl.planning.admm.planner import AdmmPlanner, AdmmSettings
from gridmarl.planning.admm.rounds import Watch
from gridmarl.planning.aladin.planner import AladinPlanner, AladinSettings
from gridmarl.planning.central.planner import CentralPlanner
from gridmarl.planning.dantzig_wolfe.coordinator import DantzigWolfeSettings
from gridmarl.planning.dantzig_wolfe.planner import DantzigWolfePlanner
from gridmarl.planning.model.plan import Plan
from gridmarl.planning.model.problem import Problem
from gridmarl.planning.recourse import Method, RecoursePlanner
from gridmarl.planning.selfish import SelfishPlanner
from gridmarl.planning.settings import PlannerSettings
from gridmarl.planning.wire.channel import Audit

SEES: dict[str, Sees] = {"central": "team", "admm": "own", "aladin": "own", "dantzig-wolfe": "own", "selfish": "own"}
"""Method -> whose private parameters it needs to know."""
AUDITED = ("admm", "aladin", "dantzig-wolfe")
"""Methods whose owners and coordinator exchange messages, all through the channel that an audit listens to."""
LOOSEST_GAP = 1e-3
"""ADMM's gap, over the objective, is asked to be as small as its residuals, and never larger than this."""


class CentralByShape:
    """A compiled program for each shape of horizon: the last hours of an episode are shorter than the others."""

    def __init__(self, exclusive: bool = False) -> None:
        self._exclusive = exclusive
        self._programs: dict[tuple[float, ...], CentralPlanner] = {}

    def solve(self, problem: Problem, *, elapsed_h: float = 0.0) -> Plan:
        """Plan with the program of this shape, compiled once; ``elapsed_h`` is ignored."""
        program = self._programs.setdefault(tuple(problem.step_h.tolist()), CentralPlanner(self._exclusive))
        return program.solve(problem)


def check_method(settings: PlannerSettings) -> None:
    """Refuse what no method does.

    Raises
    ------
    ScenarioError
        Where there is no such method, or it neither masks answers nor solves mixed-integer programs, as is asked.
    """
    method = settings.method
    if method not in SEES:
        raise ScenarioError("planner method", method, ", ".join(SEES), nearest(method, SEES))
    if settings.secure and method != "admm":
        raise ScenarioError("planner.secure", True, "False with this method", "only admm's answers can be masked")
    if settings.exclusive and method != "central":
        remedy = "only central solves a mixed-integer program"
        raise ScenarioError("planner.exclusive", True, "False with this method", remedy)


def make_method(settings: PlannerSettings, watch: Watch | None = None, audit: Audit | None = None) -> Method:
    """The method that the settings name, with recourse where they ask for it.

    Parameters
    ----------
    settings : PlannerSettings
    watch : Watch, optional
        Told of every round as it ends.
    audit : Audit, optional
        Writes down every message.
    """
    method = _without_recourse(settings, watch, audit)
    return RecoursePlanner(method) if settings.recourse else method


def _without_recourse(s: PlannerSettings, watch: Watch | None, audit: Audit | None) -> Method:
    match s.method:
        case "admm":
            return AdmmPlanner(_admm(s), audit, watch)
        case "aladin":
            asked = AladinSettings(tolerance=s.tolerance, gap_tolerance=s.tolerance, max_rounds=s.max_rounds)
            return AladinPlanner(asked, audit, watch)
        case "dantzig-wolfe":
            return DantzigWolfePlanner(DantzigWolfeSettings(s.tolerance, s.max_rounds), audit, watch)
        case "selfish":
            return SelfishPlanner()
        case _:
            return CentralByShape(s.exclusive)


def _admm(s: PlannerSettings) -> AdmmSettings:
    return AdmmSettings(
        tolerance=s.tolerance,
        gap_tolerance=min(s.tolerance, LOOSEST_GAP),
        max_rounds=s.max_rounds,
        secure=s.secure,
        workers=s.workers,
        memory=s.memory,
    )
