"""Environments by name: the functions that people call first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gridmarl.agents.team import SeatedTeam, Team, load_team, roles_of
from gridmarl.environment.others import matches
from gridmarl.environment.parallel import MarketEnv
from gridmarl.environment.vector import MarketVectorEnv
from gridmarl.errors import ScenarioError
from gridmarl.scenario.prosumers import part_role
from gridmarl.scenario.rules import Split
from gridmarl.scenario.scenario import PROSUMER, SEPARATE, Scenario

Seats = str | tuple[str, ...] | list[str] | None
Tables = str | Path | Sequence[str | Path] | None
"""A table of series, a table of units (a fleet), or one of each."""


def scenario_of(
    scenario: str | Path | Scenario,
    data: Tables = None,
    columns: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
) -> Scenario:
    """A scenario by name, with a table, a mapping of columns and settings laid over it.

    Parameters
    ----------
    scenario : str, Path or Scenario
    data : path or paths, optional
        A tidy CSV or Parquet for the profiles that name a column; a CSV whose header is that of a table of units
        replaces the world's fleet. One of each at most.
    columns : mapping, optional
        Profile -> column of the table, beyond what the scenario says.
    overrides : mapping, optional
        Top-level settings to replace.
    """
    chosen = Scenario.load(scenario)
    if columns:
        chosen = chosen.mapped(columns)
    if overrides:
        chosen = chosen.but(**overrides)
    if columns and chosen.data is None and not tables(data):
        chosen_columns = ", ".join(f"{profile}={column}" for profile, column in columns.items())
        raise ScenarioError(f"columns of scenario {chosen.name!r}", chosen_columns, "beside a table", "add --data FILE")
    return chosen.fed(*tables(data))


def tables(data: Tables) -> tuple[Path, ...]:
    """Paths of the tables."""
    if data is None:
        return ()
    return (Path(data),) if isinstance(data, (str, Path)) else tuple(map(Path, data))


def seat_others(
    scenario: Scenario, seats: Seats, others: str | Path | Team | None, codecs: Mapping[str, str] | None = None
) -> SeatedTeam | None:
    """The team in the seats that nobody outside plays; none where everything is played."""
    if seats is None or others is None:
        return None
    patterns = (seats,) if isinstance(seats, str) else tuple(seats)
    left = tuple(s for s, r in roles_of(scenario, codecs).items() if not any(matches(p, s, r) for p in patterns))
    return SeatedTeam(load_team(others), scenario, left) if left else None


def with_homes(scenario: Scenario, seats: Seats, codecs: Mapping[str, str] | None) -> dict[str, str]:
    """Codecs under which every seat asked for exists: a home splits where a part of it, and not all of it, is played.

    Parameters
    ----------
    scenario : Scenario
    seats : str or sequence of str, optional
        Roles, names or patterns of the seats played from outside.
    codecs : mapping, optional
        What the caller says; it wins.
    """
    split: dict[str, str] = {}
    patterns = () if seats is None else (seats,) if isinstance(seats, str) else tuple(seats)
    for home in scenario.bundled(codecs):
        played = any(matches(p, home.name, PROSUMER) for p in patterns)
        roles = zip(home.parts, (part_role(part) for part in home.parts), strict=True)
        if not played and any(matches(p, part.name, role) for part, role in roles for p in patterns):
            split[home.name] = SEPARATE
    return {**split, **(codecs or {})}


def parallel_env(
    scenario: str | Path | Scenario = "auction",
    *,
    seats: Seats = None,
    others: str | Path | Team | None = "truthful",
    codecs: Mapping[str, str] | None = None,
    split: Split = "train",
    data: Tables = None,
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
        A table for the profiles that name a column, or of units, or one of each; and another choice of columns.
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
    codecs = with_homes(chosen, seats, codecs)
    inside = seat_others(chosen, seats, others, codecs)
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
    data: Tables = None,
    columns: Mapping[str, str] | None = None,
    **overrides: object,
) -> MarketVectorEnv:
    """Many copies of a market as a ``gymnasium.vector.VectorEnv``; parameters as for :func:`parallel_env`."""
    chosen = scenario_of(scenario, data, columns, overrides)
    codecs = with_homes(chosen, seats, codecs)
    inside = seat_others(chosen, seats, others, codecs)
    return MarketVectorEnv(chosen, num_envs, seats=seats, others=inside, codecs=codecs, split=split)
