"""One planning problem in the order in which every method takes it, and how to have a world's without playing it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from gridmarl.agents.agent import Information
from gridmarl.agents.seats import Seats
from gridmarl.environment.core import Core, seed_array
from gridmarl.planning.model.assets import Coupling, Owner, Terminal
from gridmarl.planning.model.horizon import EVERY_INTERVAL, Grid, make_horizon
from gridmarl.planning.model.outlook import Outlook, look_ahead
from gridmarl.planning.model.risk import Prices
from gridmarl.scenario.rules import Split
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import Float


class Problem(NamedTuple):
    """What every method's ``solve`` takes, in its order: ``CentralPlanner().solve(*problem)``."""

    owners: tuple[Owner, ...]
    step_h: Float  # (K,)
    coupling: Coupling
    prices: Prices
    terminal: Terminal

    @classmethod
    def of(cls, outlook: Outlook) -> Problem:
        """What a planner looks ahead on."""
        return cls(outlook.owners, outlook.horizon.step_h, outlook.coupling, outlook.prices, outlook.terminal)


def problem_of(
    scenario: str | Path | Scenario,
    *,
    horizon_h: float = np.inf,
    grid: Grid = EVERY_INTERVAL,
    information: Information = "forecast",
    split: Split = "test",
    seed: int = 0,
) -> Problem:
    """What planners of all seats face as an episode begins.

    Parameters
    ----------
    scenario : str, Path or Scenario
    horizon_h : float
        Hours ahead; by default the whole episode.
    grid : Grid
        How steps grow with distance; by default every interval is one.
    information : {"public", "forecast", "perfect"}
    split : {"train", "select", "test"}
    seed : int

    Raises
    ------
    ScenarioError
        Where the grid's bounds do not rise.
    """
    world = Scenario.load(scenario)
    core = Core(world, 1, split=split)
    core.reset(seed_array([seed]))
    seats = Seats(core, 0, world.seats, information, "all")
    return Problem.of(look_ahead(seats, make_horizon(grid, world.interval_h, horizon_h, world.intervals)))
