"""Optimisers as players: plan over the horizon, bid the schedule as curves, plan again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from gridmarl.agents.agent import Information, Sees
from gridmarl.agents.seats import ConsumerSeat, GeneratorSeat, Seats
from gridmarl.errors import ScenarioError
from gridmarl.files import write_atomically
from gridmarl.planning.admm.rounds import Watch
from gridmarl.planning.curves import TICK, bid
from gridmarl.planning.methods import AUDITED, SEES, check_method, make_method
from gridmarl.planning.model.assets import Terminal
from gridmarl.planning.model.horizon import EVERY_INTERVAL, Horizon, make_horizon
from gridmarl.planning.model.outlook import Outlook, availability, look_ahead
from gridmarl.planning.model.plan import Plan
from gridmarl.planning.model.problem import Problem
from gridmarl.planning.recourse import Method
from gridmarl.planning.settings import PlannerSettings
from gridmarl.planning.wire.channel import Audit
from gridmarl.units import Float, Float32


@dataclass(frozen=True, slots=True)
class NegotiationRecord:
    """How one plan came about: residuals a round in MW, what it cost a round, and what it is proved to be within."""

    interval: int
    primal_mw: Float
    dual_mw: Float
    converged: bool
    cost: Float  # $ a round
    lower_bound: float  # $, -inf where there is none
    gap: float  # $
    relative_gap: float

    @classmethod
    def of(cls, interval: int, plan: Plan) -> NegotiationRecord:
        """The record of a plan made in this interval."""
        h = plan.history
        bounds = (plan.lower_bound, plan.gap, plan.relative_gap)
        return cls(interval, h.primal_mw, h.dual_mw, plan.converged, h.objective, *bounds)


@dataclass(frozen=True, slots=True, eq=False)
class Planned:
    """A plan beside the problem it answers."""

    interval: int
    outlook: Outlook
    plan: Plan

    @property
    def terminal(self) -> Terminal:
        """What stored energy was worth at the end of the horizon."""
        return self.outlook.terminal

    @property
    def problem(self) -> Problem:
        """What was planned, for another method: ``CentralPlanner().solve(planned.problem)``."""
        return self.outlook.problem


class Planner:
    """Plays any seats by planning them.

    Parameters
    ----------
    **settings
        Fields of :class:`PlannerSettings`. With ``information="perfect"`` the whole episode is planned once, open-loop,
        on realised data.

    Raises
    ------
    ScenarioError
        Where a setting is not allowed, there is no such method, or the method cannot do what is asked.
    """

    constant = False

    def __init__(self, **settings: object) -> None:
        self.settings = PlannerSettings.parse(settings, "planner")
        check_method(self.settings)
        self.information: Information = self.settings.information
        self.sees: Sees = SEES[self.settings.method]
        self.codecs: Mapping[str, str] = {"generator": "curve", "storage": "curve", "consumer": "curve"}
        self._audit: Audit | None = None
        self._watch: Watch | None = None
        self._method = self._make_method()
        self._seats: Seats | None = None
        self.plans_made = 0
        self.first: Planned | None = None

    @property
    def replan_every_h(self) -> float:
        """Hours from one plan to the next; with perfect information there is one."""
        return np.inf if self.information == "perfect" else self.settings.replan_every_h

    @property
    def negotiates(self) -> bool:
        """Whether owners and a coordinator exchange messages through a channel that an audit can listen to."""
        return self.settings.method in AUDITED

    def listen(self, watch: Watch | None = None, audit: Audit | None = None) -> None:
        """Follow the negotiations from here on; what was agreed before is forgotten.

        Parameters
        ----------
        watch : Watch, optional
            Told of every round as it ends.
        audit : Audit, optional
            Writes down every message.

        Raises
        ------
        ScenarioError
            For an audit of a method without messages.
        """
        if audit is not None and self.settings.method not in AUDITED:
            remedy = "the others send none"
            raise ScenarioError("audit of planner method", self.settings.method, ", ".join(AUDITED), remedy)
        self._watch, self._audit = watch, audit
        self._method = self._make_method()

    def begin(self, seats: Seats, seed: int) -> None:
        """An episode begins; what was agreed in an earlier one is forgotten."""
        self._seats, self._method = seats, self._make_method()
        self._planned_at = -1
        self.negotiations: list[NegotiationRecord] = []
        self.plans_made = 0
        self.first = None

    def act(self, observations: Mapping[str, Float32]) -> dict[str, Float]:
        """Bid the plan; plan anew where it is time."""
        seats = self._seats
        if seats is None:
            raise ScenarioError("planner", "not begun", "act() after begin()", "call begin() first")
        if self._planned_at < 0 or seats.interval >= self._replan_at:
            self._plan(seats)
        offset = seats.interval - self._planned_at
        step = self._outlook.horizon.step_of(offset)
        actions: dict[str, Float] = {}
        for owner, names in seats.owners.items():
            own, prices = seats.for_owner(owner), self.plan.price_of(owner)
            for seat in names:
                actions[seat] = self._bid(own, owner, seat, step, offset, prices)
        return actions

    def _plan(self, seats: Seats) -> None:
        facts, s = seats.facts, self.settings
        perfect = s.information == "perfect"
        remaining = facts.intervals - seats.interval
        grid, horizon_h = (EVERY_INTERVAL, np.inf) if perfect else (s.grid, s.horizon_h)
        horizon = make_horizon(grid, facts.interval_h, horizon_h, remaining)
        self._outlook = look_ahead(seats, horizon)
        elapsed_h = (seats.interval - self._planned_at) * facts.interval_h if self._planned_at >= 0 else 0.0
        self.plan = self._method.solve(self._outlook.problem, elapsed_h=elapsed_h)
        every_owners = zip(self.plan.owners, self.plan.assets, strict=True)
        self._schedule = {(owner, asset.name): asset for owner, assets in every_owners for asset in assets}
        self._planned_at = seats.interval
        every = remaining if perfect else max(round(s.replan_every_h / facts.interval_h), 1)
        self._replan_at = seats.interval + every
        self._available = self._forecast_availability(seats, horizon)
        self.plans_made += 1
        self.first = self.first or Planned(seats.interval, self._outlook, self.plan)
        if self.plan.rounds:
            self.negotiations.append(NegotiationRecord.of(seats.interval, self.plan))

    def _make_method(self) -> Method:
        return make_method(self.settings, self._watch, self._audit)

    def _forecast_availability(self, seats: Seats, horizon: Horizon) -> dict[str, Float]:
        feed = seats.forecast(horizon.intervals)
        found: dict[str, Float] = {}
        for owner, names in seats.owners.items():
            own = seats.for_owner(owner)
            for seat in names:
                if seats.roles[seat] == "generator":
                    unit = own.own(seat)
                    assert isinstance(unit, GeneratorSeat)
                    found[seat] = horizon.average(availability(own, unit, feed, horizon.intervals))
        return found

    def _bid(self, own: Seats, owner: str, seat: str, step: int, offset: int, prices: Float) -> Float:
        rules, connection = own.facts.rules, own.facts.connection
        fee = max(connection.import_fee_per_mwh, connection.export_fee_per_mwh) if connection else 0.0
        unit = own.own(seat)
        ahead = 0
        if isinstance(unit, ConsumerSeat):
            ahead = max(
                self._outlook.horizon.step_of(offset + round(unit.parameters.rebound_h / own.facts.interval_h)) - step,
                0,
            )
        available = float(self._available[seat][step]) if seat in self._available else 0.0
        floor, cap = rules.floor_per_mwh, rules.cap_per_mwh
        return bid(unit, self._schedule[owner, seat], step, prices, available, ahead, TICK + fee, floor, cap)

    def save(self, folder: Path) -> None:
        """Write the settings as YAML."""
        settings = {"kind": "planner", **self.settings.model_dump(mode="json", exclude_unset=True)}
        write_atomically(folder / "agent.yaml", yaml.safe_dump(settings))
