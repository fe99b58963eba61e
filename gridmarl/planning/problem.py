"""A world's planning problem, without playing it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gridmarl.agents.agent import Information
from gridmarl.agents.seats import Seats
from gridmarl.environment.core import Core, seed_array
from gridmarl.planning.model.horizon import EVERY_INTERVAL, Grid, make_horizon
from gridmarl.planning.model.outlook import look_ahead
from gridmarl.planning.model.problem import Problem
from gridmarl.scenario.rules import Split
from gridmarl.scenario.scenario import Scenario


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
    return look_ahead(seats, make_horizon(grid, world.interval_h, horizon_h, world.intervals)).problem
