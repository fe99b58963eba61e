"""One episode whose planners are listened to: what was played, the first plan, its rounds and its certificate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np

from gridmarl.agents.team import Team, load_team
from gridmarl.bench.progress import SILENT, Stage
from gridmarl.errors import ScenarioError
from gridmarl.evaluation.rollout import rollout
from gridmarl.evaluation.trajectory import Trajectory
from gridmarl.planning.admm.rounds import Round
from gridmarl.planning.certify import certify
from gridmarl.planning.model.gap import relative
from gridmarl.planning.model.plan import Plan
from gridmarl.planning.planner import Planned, Planner
from gridmarl.planning.promises.disclosure import disclosed
from gridmarl.planning.selfish import SelfishPlanner
from gridmarl.planning.wire.channel import Audit
from gridmarl.scenario.rules import Split
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import KW_PER_MW

SHOWN: Final = 12
"""Rounds of the first plan that are printed, of which the last is one."""
UNITS: Final = {
    "primal_residual": "kW, norm over the horizon",
    "dual_residual": "kW, norm over the horizon",
    "cost": "$",
    "lower_bound": "$",
    "gap": "$",
    "overlap": "kWh",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """How good a plan is.

    ``cost`` is the plan's, its mismatch priced; no plan costs less than ``lower_bound``. It is certified where the
    planner's tolerances were met by residuals and gap alike. ``overlap`` is what its batteries would charge and
    discharge at once, which burns energy: no battery can, and prices far below zero alone make it pay.
    """

    interval: int
    method: str
    certified: bool
    rounds: int
    primal_residual: float  # kW
    dual_residual: float  # kW
    cost: float  # $
    lower_bound: float  # $
    gap: float  # $
    relative_gap: float
    overlap: float  # kWh

    def lines(self) -> dict[str, str]:
        """What is printed at the end of a run."""
        return {
            "certified": "yes" if self.certified else "no",
            "primal_residual": f"{self.primal_residual:.3g} kW",
            "dual_residual": f"{self.dual_residual:.3g} kW",
            "gap": f"{self.gap:.3g} $ ({self.relative_gap:.2g} of the cost {self.cost:.6g} $)",
            "rounds": f"{self.rounds}",
            "overlap": f"{self.overlap:.3g} kWh charged and discharged at once",
        }


@dataclass(slots=True)
class _Follower:
    """Says on the bar where the negotiation is."""

    stage: Stage
    team: str
    planners: tuple[Planner, ...]
    plans: int = -1
    rounds: int = field(default=0)

    def round(self, one: Round) -> None:
        """One more round."""
        plans = sum(planner.plans_made for planner in self.planners)
        self.rounds = self.rounds + 1 if plans == self.plans else 1
        self.plans = plans
        mismatch, movement = one.primal_mw * KW_PER_MW, one.dual_mw * KW_PER_MW
        self.stage.say(
            f"{self.team}: plan {plans + 1}, round {self.rounds}, primal {mismatch:.2g} kW, dual {movement:.2g} kW"
        )


@dataclass(frozen=True, eq=False)
class PlannedRun:
    """One episode and the first plan of its planner.

    Attributes
    ----------
    scenario : Scenario
    played : Trajectory
    planned : Planned, optional
        None where nobody in the team plans.
    tolerance : float
        Of the planner.
    """

    scenario: Scenario
    played: Trajectory
    planned: Planned | None
    tolerance: float

    @cached_property
    def before(self) -> Plan | None:
        """What every owner would do alone against the same prices, without the coupling."""
        if self.planned is None:
            return None
        return SelfishPlanner().solve(self.planned.problem)

    @cached_property
    def verdict(self) -> Verdict | None:
        """The first plan's certificate; where its method gives none, by the dual function at its multiplier."""
        if self.planned is None:
            return None
        p = self.planned.plan
        cost, lower, certified = p.objective, p.lower_bound, p.converged
        if not np.isfinite(lower):
            found = certify(p, self.planned.problem)
            cost, lower = found.value, found.lower
            certified = p.converged and found.closes(self.tolerance, 0.0)
        return Verdict(
            interval=self.planned.interval,
            method=p.method,
            certified=certified,
            rounds=p.rounds,
            primal_residual=p.primal_residual_mw * KW_PER_MW,
            dual_residual=p.dual_residual_mw * KW_PER_MW,
            cost=cost,
            lower_bound=lower,
            gap=max(cost - lower, 0.0),
            relative_gap=relative(cost - lower, cost),
            overlap=p.overlap_mwh * KW_PER_MW,
        )

    def negotiations(self) -> list[dict[str, int | float | bool]]:
        """Where the rounds of every plan ended."""
        return [
            {
                "interval": n.interval,
                "rounds": len(n.primal_mw),
                "primal_residual_kw": float(n.primal_mw[-1]) * KW_PER_MW,
                "dual_residual_kw": float(n.dual_mw[-1]) * KW_PER_MW,
                "gap": n.gap,
                "relative_gap": n.relative_gap,
                "converged": n.converged,
            }
            for n in self.played.negotiations
        ]

    def rounds(self) -> list[dict[str, int | float]]:
        """Every round of every plan: residuals in kW, what the plan cost in $ and how far that is from its bound."""
        return [
            {
                "interval": n.interval,
                "round": k + 1,
                "primal_residual_kw": float(n.primal_mw[k]) * KW_PER_MW,
                "dual_residual_kw": float(n.dual_mw[k]) * KW_PER_MW,
                "cost": float(n.cost[k]),
                "cost_less_lower_bound": float(n.cost[k]) - n.lower_bound,
            }
            for n in self.played.negotiations
            for k in range(len(n.primal_mw))
        ]

    def shown_rounds(self) -> list[dict[str, int | float]]:
        """Rounds of the first plan, thinned out towards its end."""
        if not self.played.negotiations:
            return []
        first = [row for row in self.rounds() if row["interval"] == self.played.negotiations[0].interval]
        kept = np.unique(np.geomspace(1, len(first), min(SHOWN, len(first))).round().astype(np.int64))
        return [first[k - 1] for k in kept]

    def to_dict(self) -> Mapping[str, object]:
        """The certificate and the negotiations as JSON has them: numbers without a bound are null."""
        verdict = None if self.verdict is None else {**_finite(asdict(self.verdict)), "units": UNITS}
        return {"certificate": verdict, "negotiations": [_finite(row) for row in self.negotiations()]}


def crossed(audit: Audit, method: str) -> list[dict[str, object]]:
    """What an audit heard: a row a kind of message, numbers for one owner over all plans."""
    rows = (asdict(row) for row in disclosed(method, audit))
    return [{name: row[name] for name in ("who_hears", "kind", "tells", "messages", "bytes")} for row in rows]


def _finite(row: Mapping[str, object]) -> dict[str, object]:
    return {name: None if isinstance(v, float) and not np.isfinite(v) else v for name, v in row.items()}


def play(
    scenario: str | Path | Scenario,
    team: str | Path | Team,
    stage: Stage = SILENT,
    *,
    seed: int = 0,
    split: Split = "test",
    audit: Audit | None = None,
) -> PlannedRun:
    """Play one episode and keep the first plan of the first player that plans.

    Parameters
    ----------
    scenario : str, Path or Scenario
    team : str, Path or Team
    stage : Stage
        Told of intervals, and of rounds as they end; by default nobody is.
    seed : int
    split : {"train", "select", "test"}
    audit : Audit, optional
        Writes down every message between owners and coordinator.

    Raises
    ------
    ScenarioError
        For an audit where nobody negotiates by messages.
    """
    world, chosen = Scenario.load(scenario), load_team(team)
    planners = tuple(agent for agent in chosen.agents.values() if isinstance(agent, Planner))
    if audit is not None and not planners:
        raise ScenarioError("audit of team", chosen.name, "a team that negotiates", "try admm, aladin or dantzig-wolfe")
    follower = _Follower(stage, chosen.name, planners)
    for planner in planners:
        planner.listen(follower.round, audit)
    played = rollout(world, chosen, seed=seed, split=split, progress=stage.advance)
    made = next((planner for planner in planners if planner.first), None)
    return PlannedRun(world, played, made.first if made else None, made.settings.tolerance if made else 0.0)
