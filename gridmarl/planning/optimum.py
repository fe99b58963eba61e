"""The least an episode can cost: one open-loop plan of all of it on realised data."""

from __future__ import annotations

import numpy as np

from gridmarl.agents.seats import Seats
from gridmarl.environment.core import Core
from gridmarl.planning.assets import Terminal
from gridmarl.planning.central import solve_central
from gridmarl.planning.horizon import EVERY_INTERVAL, make_horizon
from gridmarl.planning.outlook import SURPLUS_PER_MWH, look_ahead
from gridmarl.planning.plan import Plan
from gridmarl.scenario.rules import Split
from gridmarl.scenario.scenario import Scenario


def perfect_plan(scenario: Scenario, seed: int, split: Split = "test") -> Plan:
    """Plan a whole episode knowing everything.

    Raises
    ------
    PlanError
        Where there is no such plan.
    """
    core = Core(scenario, 1, split=split)
    core.reset(np.array([seed], np.uint64))
    seats = Seats(core, 0, scenario.seats, "perfect", "all")
    hours = scenario.intervals * scenario.interval_h
    outlook = look_ahead(seats, make_horizon(EVERY_INTERVAL, scenario.interval_h, hours, scenario.intervals))
    terminal = Terminal(keep_energy=False, stored_energy_price=scenario.stored_energy_price_per_mwh)
    return solve_central(outlook.owners, outlook.horizon.step_h, outlook.coupling, outlook.prices, terminal)


def optimum_cost(scenario: Scenario, seed: int, split: Split = "test") -> float:
    """Least resource cost of an episode, $, with the change in stored energy credited."""
    plan = perfect_plan(scenario, seed, split)
    return plan.objective - SURPLUS_PER_MWH * float(plan.surplus_mwh.sum())  # dumping costs nobody anything
