"""What joint clearing of energy and reserve changes: the same episodes of one team, cleared in turn and jointly."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gridmarl.agents.team import Team, load_team
from gridmarl.environment.compiled.columns import REWARD
from gridmarl.errors import ScenarioError
from gridmarl.evaluation.metrics import consumer_cost, resource_cost
from gridmarl.evaluation.rollout import Progress, rollout
from gridmarl.evaluation.stability import reserve_cost, reserve_short_share
from gridmarl.evaluation.trajectory import Trajectory
from gridmarl.scenario.rules import Clearing, Split
from gridmarl.scenario.scenario import OPERATOR, Scenario

if TYPE_CHECKING:
    import pandas as pd

IN_TURN: Final[Clearing] = "in-turn"
JOINT: Final[Clearing] = "joint"
SEEDS: Final = range(5)


def clearings_table(
    scenario: str | Path | Scenario,
    team: str | Path | Team = "truthful",
    *,
    seeds: Sequence[int] = SEEDS,
    split: Split = "test",
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Play the same episodes with energy and reserve cleared in turn and jointly.

    Only the clearing differs to begin with; batteries, and whoever looks at prices, then go their own ways.

    Parameters
    ----------
    scenario : str, Path or Scenario
        A world that buys reserve.
    team : str, Path or Team
    seeds : sequence of int
    split : {"train", "select", "test"}
    progress : callable, optional
        Called with 1 after every interval.

    Returns
    -------
    DataFrame
        Means over the seeds of costs and prices, then of every seat's profit, in one row each: ``in-turn``, ``joint``,
        ``difference`` (joint less in-turn) and ``unit``.

    Raises
    ------
    ScenarioError
        Where the world buys no reserve.
    """
    import pandas as pd

    worlds = {clearing: _world(Scenario.load(scenario), clearing) for clearing in (IN_TURN, JOINT)}
    found: dict[str, pd.Series] = {}
    for clearing, world in worlds.items():
        played = [rollout(world, load_team(team), seed=seed, split=split, progress=progress) for seed in seeds]
        found[clearing] = pd.DataFrame([_numbers(trajectory) for trajectory in played]).mean()
    table = pd.DataFrame(found)
    units = [_unit(str(name)) for name in table.index]
    return table.assign(difference=table[JOINT] - table[IN_TURN], unit=units)


def _world(scenario: Scenario, clearing: Clearing) -> Scenario:
    if not scenario.but(market={"clearing": JOINT}).clears_jointly:
        remedy = "add reserve: {spin_share: ..., nonspin_share: ...} to the world"
        raise ScenarioError(f"reserve of {scenario.name!r}", "none", "a requirement above 0", remedy)
    return scenario.but(market={"clearing": clearing})


def _numbers(trajectory: Trajectory) -> dict[str, float]:
    """What stands in the table, for one episode."""
    profits = trajectory.results[:, :, REWARD].sum(axis=0)
    numbers = {
        "resource_cost": resource_cost(trajectory),
        "reserve_cost": reserve_cost(trajectory) or 0.0,
        "consumer_cost": consumer_cost(trajectory),
        "mean_price": float(trajectory.of_market("price_per_mwh").mean()),
        "mean_spin_price": float(trajectory.of_market("spin_price_per_mwh").mean()),
        "mean_nonspin_price": float(trajectory.of_market("nonspin_price_per_mwh").mean()),
        "reserve_short_share": reserve_short_share(trajectory) or 0.0,
    }
    return numbers | {
        f"profit of {seat}": float(profit)
        for seat, profit in zip(trajectory.seats, profits, strict=True)
        if seat != OPERATOR
    }


def _unit(name: str) -> str:
    if name.endswith("_share"):
        return "1"
    return "$/MWh" if name.endswith("_price") else "$"
