"""Price scenarios from a world itself: what its wholesale price does, seed by seed."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from gridmarl.environment.core import Core, seed_array
from gridmarl.errors import ScenarioError
from gridmarl.planning.model.risk import Prices
from gridmarl.scenario.rules import Split
from gridmarl.scenario.scenario import Scenario

ALPHA: Final = 0.95


def sample_prices(
    scenario: str | Path | Scenario,
    count: int,
    *,
    intervals: int | None = None,
    alpha: float = ALPHA,
    split: Split = "train",
    seed: int = 0,
) -> Prices:
    """Equally likely paths of the wholesale price, one an episode of the world.

    Parameters
    ----------
    scenario : str, Path or Scenario
        A world with a connection.
    count : int
        S, seeds ``seed`` to ``seed + count - 1``.
    intervals : int, optional
        The first so many, K; by default the whole episode.
    alpha : float
        Confidence level of CVaR: the worst 5 % is 0.95.
    split : {"train", "select", "test"}
        Plan against one and judge by another.
    seed : int

    Returns
    -------
    Prices
        $/MWh (S, K), before fees.

    Raises
    ------
    ScenarioError
        For an island, or more intervals than an episode has.
    """
    world = Scenario.load(scenario)
    if world.connection is None:
        raise ScenarioError("sample_prices of", world.name, "a world with a connection", "an island has no wholesale")
    steps = world.intervals if intervals is None else intervals
    if not 0 < steps <= world.intervals:
        raise ScenarioError("sample_prices: intervals", steps, f"1 to {world.intervals}")
    core = Core(world, count, split=split)
    core.reset(seed_array([seed + row for row in range(count)]))
    column = core.compiled.series.names.index(world.connection.wholesale)
    paths = np.stack([core.realised(row)[:steps, column] for row in range(count)])
    return Prices(paths, np.full(count, 1.0 / count), alpha)
