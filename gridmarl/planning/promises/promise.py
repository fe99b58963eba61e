"""A planner at a table: seated among truthful players in one market, every turn of it written down."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from gridmarl.agents.agent import Agent, Information, Sees
from gridmarl.agents.seats import Seats
from gridmarl.agents.team import SeatedTeam, Team, load_team
from gridmarl.environment.core import Core
from gridmarl.errors import ActionError, OrderError, ScenarioError
from gridmarl.planning.admm.rounds import Watch
from gridmarl.planning.model.plan import Plan
from gridmarl.planning.wire.channel import Audit
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import Float, Float32


@runtime_checkable
class Planning(Agent, Protocol):
    """A player that plans again and again.

    Attributes
    ----------
    replan_every_h : float
        Hours from one plan to the next; infinite for one that plans once.
    plans_made : int
        In this episode.
    plan : Plan
        The last one.
    negotiates : bool
        Whether owners and a coordinator exchange messages through a channel that ``listen(audit=...)`` hears.
    """

    plans_made: int
    plan: Plan

    @property
    def replan_every_h(self) -> float:
        """Hours from one plan to the next."""
        ...

    @property
    def negotiates(self) -> bool:
        """Whether there are messages to hear."""
        ...

    def listen(self, watch: Watch | None = None, audit: Audit | None = None) -> None:
        """Follow the negotiations from here on."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """One call of act()."""

    planner: str  # its class
    interval: int
    observations: Mapping[str, Float32]  # as they were given
    left: Mapping[str, Float32]  # as they were afterwards
    actions: Mapping[str, Float | Float32]
    plans_made: int
    planned_h: float  # length of the plan in force
    replan_every_h: float


class Table:
    """One market with a planner in some seats and truthful players in the others, at the beginning of an episode.

    Parameters
    ----------
    planner : Planning
    scenario : Scenario
    seats : str
        Role, seat or pattern that the planner plays.
    seed : int

    Raises
    ------
    ScenarioError
        Where no seat is of that name.
    """

    def __init__(self, planner: Planning, scenario: Scenario, seats: str, seed: int) -> None:
        self.planner, self._scribe = planner, _Scribe(planner)
        others = load_team("truthful").agents
        agents: dict[str, Agent] = {seats: self._scribe, **others} | {seats: self._scribe}
        self._seated = SeatedTeam(Team(agents), scenario)
        self.core = Core(scenario, 1, self._seated.codecs)
        self._outcome = self.core.reset(np.array([seed], np.uint64))
        self._seated.begin(self.core)
        self._actions = np.zeros((1, self.core.width))
        if not self.played:
            raise ScenarioError("seats for the planner", seats, f"a role, seat or pattern of {scenario.seats}")

    @property
    def played(self) -> tuple[str, ...]:
        """The planner's seats."""
        return self._scribe.played

    def turn(self) -> Turn:
        """Let everybody act once, without consequences."""
        self._seated.fill(self._outcome, self._actions)
        return self._scribe.turns[-1]

    def play(self) -> tuple[Turn, ...]:
        """Play the episode to its end, or until the market refuses what was done."""
        with suppress(ActionError, OrderError):
            for _ in range(self.core.intervals):
                self.turn()
                self._outcome = self.core.step(self._actions)
        return tuple(self._scribe.turns)


class _Scribe:
    """Sits in for a planner, asks it, and writes down what it was asked and what it answered."""

    def __init__(self, planner: Planning) -> None:
        self._planner = planner
        self.information: Information = planner.information
        self.sees: Sees = planner.sees
        self.codecs: Mapping[str, str] = planner.codecs
        self.played: tuple[str, ...] = ()
        self.turns: list[Turn] = []

    def begin(self, seats: Seats, seed: int) -> None:
        self._seats, self.played = seats, seats.played
        self._planner.begin(seats, seed)

    def act(self, observations: Mapping[str, Float32]) -> dict[str, Float]:
        planner, given = self._planner, {seat: seen.copy() for seat, seen in observations.items()}
        lent = {seat: seen.copy() for seat, seen in observations.items()}
        actions = planner.act(lent)
        self.turns.append(
            Turn(
                planner=type(planner).__name__,
                interval=self._seats.interval,
                observations=given,
                left=lent,
                actions={seat: np.array(action, np.float64) for seat, action in actions.items()},
                plans_made=planner.plans_made,
                planned_h=float(planner.plan.step_h.sum()),
                replan_every_h=planner.replan_every_h,
            )
        )
        return actions

    def save(self, folder: Path) -> None:
        self._planner.save(folder)


def same(one: Mapping[str, Float | Float32], other: Mapping[str, Float | Float32]) -> bool:
    """Whether two mappings hold the same arrays, bit for bit."""
    return not differing(one, other)


def differing(one: Mapping[str, Float | Float32], other: Mapping[str, Float | Float32]) -> list[str]:
    """Seats in which they do not."""
    missing = set(one) ^ set(other)
    return sorted(missing | {s for s in set(one) & set(other) if one[s].tobytes() != other[s].tobytes()})
