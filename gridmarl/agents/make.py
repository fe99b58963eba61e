"""Environments by name: the functions that people call first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gridmarl.agents.team import SeatedTeam, Team, load_team, roles_of
from gridmarl.environment.others import matches
from gridmarl.environment.parallel import MarketEnv
from gridmarl.environment.vector import MarketVectorEnv
from gridmarl.scenario.rules import Split
from gridmarl.scenario.scenario import Scenario

Seats = str | tuple[str, ...] | list[str] | None


def scenario_of(
    scenario: str | Path | Scenario,
    data: str | Path | None = None,
    columns: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
) -> Scenario:
    """A scenario by name, with a table, a mapping of columns and settings laid over it.

    Parameters
    ----------
    scenario : str, Path or Scenario
    data : path, optional
        A tidy CSV or Parquet for the profiles that name a column.
    columns : mapping, optional
        Profile -> column of the table, beyond what the scenario says.
    overrides : mapping, optional
        Top-level settings to replace.
    """
    chosen = Scenario.load(scenario)
    if columns:
        chosen = chosen.mapped(columns)
    changes = {**(overrides or {}), **({"data": Path(data)} if data is not None else {})}
    return chosen.but(**changes) if changes else chosen


def seat_others(scenario: Scenario, seats: Seats, others: str | Path | Team | None) -> SeatedTeam | None:
    """The team in the seats that nobody outside plays; none where everything is played."""
    if seats is None or others is None:
        return None
    patterns = (seats,) if isinstance(seats, str) else tuple(seats)
    left = tuple(s for s, r in roles_of(scenario).items() if not any(matches(p, s, r) for p in patterns))
    return SeatedTeam(load_team(others), scenario, left) if left else None


def parallel_env(
    scenario: str | Path | Scenario = "auction",
    *,
    seats: Seats = None,
    others: str | Path | Team | None = "truthful",
    codecs: Mapping[str, str] | None = None,
    split: Split = "train",
    data: str | Path | None = None,
    columns: Mapping[str, str] | None = None,
    render_mode: str | None = None,
    **overrides: object,
) -> MarketEnv:
    """A market as a PettingZoo ``ParallelEnv``.

    Parameters
    ----------
    scenario : str, Path or Scenario
        A shipped world, your own YAML, or an object.
    seats : str or sequence of str, optional
        Roles, names or patterns of the seats played from outside; by default all.
    others : str, Path or Team
        Who plays the rest inside.
    codecs : mapping, optional
        Seat or role -> codec.
    split : {"train", "select", "test"}
    data, columns
        A table for the profiles that name a column, and another choice of columns.
    render_mode : {"rgb_array", "ansi"}, optional
    **overrides
        Settings of the scenario to replace, e.g. ``intervals=48``.

    Examples
    --------
    >>> env = parallel_env("three-homes")
    >>> observations, infos = env.reset(seed=0)
    >>> sorted(env.agents)[0]
    'baker.battery'
    """
    chosen = scenario_of(scenario, data, columns, overrides)
    inside = seat_others(chosen, seats, others)
    return MarketEnv(chosen, seats=seats, others=inside, codecs=codecs, split=split, render_mode=render_mode)


def env(scenario: str | Path | Scenario = "auction", **arguments: Any) -> Any:
    """The same market as a PettingZoo ``AECEnv`` (one agent moves at a time, orders are collected, then cleared)."""
    from pettingzoo.utils.conversions import parallel_to_aec

    return parallel_to_aec(parallel_env(scenario, **arguments))


def vector_env(
    scenario: str | Path | Scenario = "auction",
    num_envs: int = 1,
    *,
    seats: Seats = None,
    others: str | Path | Team | None = "truthful",
    codecs: Mapping[str, str] | None = None,
    split: Split = "train",
    data: str | Path | None = None,
    columns: Mapping[str, str] | None = None,
    **overrides: object,
) -> MarketVectorEnv:
    """Many copies of a market as a ``gymnasium.vector.VectorEnv``; parameters as for :func:`parallel_env`."""
    chosen = scenario_of(scenario, data, columns, overrides)
    inside = seat_others(chosen, seats, others)
    return MarketVectorEnv(chosen, num_envs, seats=seats, others=inside, codecs=codecs, split=split)
