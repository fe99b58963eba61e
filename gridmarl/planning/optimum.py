"""The least an episode can cost: one open-loop plan of all of it on what is really delivered.

Real time is in it: the plan knows failures, and meets realised values and how they stray on average within each
interval, so that it pays for balancing energy as everybody does, at true cost and without an auction in between.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gridmarl.agents.seats import GeneratorSeat, Seats, SeatState
from gridmarl.environment.core import Core
from gridmarl.planning.central.planner import CentralPlanner
from gridmarl.planning.model.horizon import EVERY_INTERVAL, make_horizon
from gridmarl.planning.model.outlook import SURPLUS_PER_MWH, look_ahead
from gridmarl.planning.model.plan import Plan
from gridmarl.scenario.rules import Split
from gridmarl.scenario.scenario import Scenario


class ForewarnedSeats(Seats):
    """A handle that foresees failures too."""

    def for_owner(self, owner: str) -> ForewarnedSeats:
        """The handle narrowed to one owner's seats."""
        narrow = super().for_owner(owner)
        return ForewarnedSeats(self._core, self._row, narrow.played, self.information, self.sees)

    def own(self, seat: str) -> SeatState:
        """The seat, its failures among its maintenance; a unit that trips could run until that interval ends."""
        state = super().own(seat)
        windows = [
            window for unit, *window in self._core.compiled.world.maintenance.tolist() if unit == self._row_of(seat)
        ]
        if not isinstance(state, GeneratorSeat) or not windows:
            return state
        hours = self.facts.interval_h
        off = tuple((first * hours, after * hours) for first, after in windows)
        return replace(state, parameters=state.parameters.model_copy(update={"maintenance_h": off}))

    def _row_of(self, seat: str) -> int:
        return self._core.compiled.layout.index(seat)


def perfect_plan(scenario: Scenario, seed: int, split: Split = "test") -> Plan:
    """Plan a whole episode knowing everything.

    Raises
    ------
    PlanError
        Where there is no such plan.
    """
    core = Core(scenario, 1, split=split)
    core.reset(np.array([seed], np.uint64))
    seats = ForewarnedSeats(core, 0, scenario.seats, "perfect", "all")
    horizon = make_horizon(EVERY_INTERVAL, scenario.interval_h, np.inf, scenario.intervals)
    return CentralPlanner().solve(look_ahead(seats, horizon).problem)


def optimum_cost(scenario: Scenario, seed: int, split: Split = "test") -> float:
    """Least resource cost of an episode, $, with the change in stored energy credited.

    Dumping costs nobody anything, nor does what loads and must-run output alone put on a transformer.
    """
    plan = perfect_plan(scenario, seed, split)
    voll, paid = scenario.market.voll_per_mwh, plan.price_per_mwh - plan.multiplier_per_mwh
    overload = sum(float((voll - paid) @ group.shortage_mwh + voll * group.surplus_mwh.sum()) for group in plan.groups)
    return plan.objective - SURPLUS_PER_MWH * float(plan.surplus_mwh.sum()) - overload
