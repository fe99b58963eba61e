"""The product of scenarios, teams and seeds: one rollout a cell, one tidy table of numbers."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from gridmarl.agents.make import scenario_of
from gridmarl.agents.team import Team, load_team
from gridmarl.bench.cells import Cell, Crew, Episode, Played, crew, gauge, play
from gridmarl.bench.progress import Bar, bar
from gridmarl.bench.statistics import Estimate, estimate, paired_difference
from gridmarl.bench.writing import Intervals, intervals_written, write_comparison
from gridmarl.data.series import build_series
from gridmarl.errors import PolicyError, ScenarioError
from gridmarl.evaluation.metrics import Measure, Yardstick, measure
from gridmarl.evaluation.trajectory import Trajectory
from gridmarl.scenario.rules import SPLITS, Split
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import Float

if TYPE_CHECKING:
    import pandas as pd

SEEDS: Final = 5
BOOTSTRAP_SEED: Final = 0
OPTIMUM: Final = "optimum"
"""Whose failure it is when the yardstick cannot be found."""
UNKNOWN: Final = Yardstick(float("nan"), float("nan"))

Name = str | Path
Scenarios = Name | Scenario | Sequence[Name | Scenario]
Teams = Name | Team | Sequence[Name | Team]
Outcome = Literal["complete", "partial", "failed"]


@dataclass(frozen=True, slots=True)
class Failure:
    """A rollout that an error ended; the others went on."""

    scenario: str
    team: str
    seed: int
    message: str


@dataclass(frozen=True, slots=True)
class World:
    """What a reader needs to know of a scenario."""

    name: str
    description: str
    digest: str
    source: str
    timezone: str
    intervals: int
    interval_h: float


@dataclass(frozen=True, slots=True)
class Settings:
    """What was asked for, with what it was computed, and what that took."""

    seeds: tuple[int, ...]
    split: Split
    workers: int
    data: str | None
    columns: Mapping[str, str]
    versions: Mapping[str, str]
    started_utc: str
    cpu_s: float
    wall_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Who did how well where.

    Attributes
    ----------
    table : DataFrame
        Tidy: scenario, digest, split, team, information, sees, seed, metric, unit, value; NaN where a number does not
        apply.
    worlds, teams : tuple
        In the order asked for.
    failures : tuple of Failure
    trajectories : mapping
        (scenario, team) -> the trajectory of the first seed, for pictures.
    settings : Settings
    folder : Path or None
        Where files were written.
    """

    table: pd.DataFrame
    worlds: tuple[World, ...]
    teams: tuple[str, ...]
    failures: tuple[Failure, ...]
    trajectories: Mapping[tuple[str, str], Trajectory]
    settings: Settings
    folder: Path | None = None

    def scores(self, scenario: str, team: str, metric: str) -> Float:
        """One number of every seed that has it, (run, 1) in the order of the seeds."""
        rows = self.table
        rows = rows[(rows["scenario"] == scenario) & (rows["team"] == team) & (rows["metric"] == metric)]
        return rows["value"].dropna().to_numpy(np.float64)[:, None]

    def runs(self, scenario: str, team: str) -> int:
        """How many seeds a team finished."""
        return len(self.scores(scenario, team, "resource_cost"))

    def estimate(self, scenario: str, team: str, metric: str) -> Estimate | None:
        """Interquartile mean and 95 % interval over the seeds; none unless every finished seed has the number."""
        scores = self.scores(scenario, team, metric)
        if not len(scores) or len(scores) < self.runs(scenario, team):
            return None
        return estimate(scores, np.random.default_rng(BOOTSTRAP_SEED))

    def behind(self, scenario: str, team: str, best: str) -> Estimate | None:
        """Regret above the best team's, paired by seed; none where a seed is missing."""
        own, others = self.scores(scenario, team, "regret"), self.scores(scenario, best, "regret")
        if not len(own) or own.shape != others.shape:
            return None
        return paired_difference(own, others, np.random.default_rng(BOOTSTRAP_SEED))

    def outcome(self, scenario: str, team: str) -> Outcome:
        """Whether all, some or none of a team's rollouts succeeded."""
        if not any((f.scenario, f.team) == (scenario, team) for f in self.failures):
            return "complete"
        return "partial" if self.runs(scenario, team) else "failed"

    def ranked(self, scenario: str) -> list[str]:
        """Teams by regret, the smallest first; those that failed come last."""
        found = {team: self.estimate(scenario, team, "regret") for team in self.teams}
        cost = {team: self.estimate(scenario, team, "resource_cost") for team in self.teams}
        key = {t: (found[t] or cost[t]) for t in self.teams}
        return sorted(self.teams, key=lambda t: (entry.value if (entry := key[t]) else float("inf")))

    def overall(self, team: str) -> Estimate | None:
        """Share over all scenarios, each seed of each one run of one task; none unless every cell has it."""
        columns = [self.scores(world.name, team, "share")[:, 0] for world in self.worlds]
        if any(len(column) != len(self.settings.seeds) for column in columns):
            return None
        return estimate(np.stack(columns, axis=1), np.random.default_rng(BOOTSTRAP_SEED))

    def summary(self) -> pd.DataFrame:
        """One row a scenario, team and metric: runs, interquartile mean ``value``, ``low``, ``high``."""
        import pandas as pd

        keys = ["scenario", "digest", "split", "team", "information", "sees", "metric", "unit"]
        rows: list[dict[str, object]] = []
        for key, _ in self.table.groupby(keys, sort=False):
            named = dict(zip(keys, key, strict=True))
            found = self.estimate(str(named["scenario"]), str(named["team"]), str(named["metric"]))
            runs = self.runs(str(named["scenario"]), str(named["team"]))
            rows.append({**named, "runs": runs, **(asdict(found) if found else dict.fromkeys(("value", "low", "high")))})
        return pd.DataFrame(rows, columns=[*keys, "runs", "value", "low", "high"])

    def to_dict(self) -> dict[str, object]:
        """Everything but the trajectories, in plain JSON-able values; a number that does not apply is None."""
        return {
            "settings": asdict(self.settings),
            "worlds": [asdict(world) for world in self.worlds],
            "teams": list(self.teams),
            "summary": _records(self.summary()),
            "metrics": _records(self.table),
            "failures": [asdict(failure) for failure in self.failures],
        }


def _records(table: pd.DataFrame) -> list[dict[str, object]]:
    plain = table.astype(object).where(table.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in plain.to_dict(orient="records")]


@dataclass(slots=True)
class _Gathering:
    """What accumulates while the cells are played."""

    rows: list[dict[str, object]] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    trajectories: dict[tuple[str, str], Trajectory] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    cpu_s: float = 0.0

    def take(self, cell: Cell, played: Played, yardstick: Yardstick, first: bool) -> None:
        """Measure a cell's trajectory, or note why there is none."""
        self.cpu_s += played.cpu_s
        self.versions |= played.versions
        trajectory = played.trajectory
        if trajectory is None:
            self.failures.append(Failure(cell.scenario.name, cell.name, cell.seed, played.error))
            return
        self.rows += [_row(cell, trajectory, m) for m in measure(trajectory, yardstick)]
        if first:
            self.trajectories[cell.scenario.name, cell.name] = trajectory


def _row(cell: Cell, trajectory: Trajectory, found: Measure) -> dict[str, object]:
    return {
        "scenario": trajectory.scenario,
        "digest": trajectory.digest,
        "split": trajectory.split,
        "team": cell.name,
        "information": trajectory.information,
        "sees": trajectory.sees,
        "seed": trajectory.seed,
        "metric": found.metric,
        "unit": found.unit,
        "value": float("nan") if found.value is None else found.value,
    }


COLUMNS: Final = ("scenario", "digest", "split", "team", "information", "sees", "seed", "metric", "unit", "value")


def compare(
    scenarios: Scenarios,
    teams: Teams,
    *,
    seeds: int | Sequence[int] = SEEDS,
    split: Split = "test",
    data: str | Path | None = None,
    columns: Mapping[str, str] | None = None,
    out: str | Path | None = None,
    csv: bool = False,
    progress: bool = True,
    workers: int = 1,
) -> Comparison:
    """Play every team in every scenario with every seed, and score it.

    All teams meet the same randomness. A team that fails does not lose the others; it stands in ``failures``.

    Parameters
    ----------
    scenarios : str, Path, Scenario or sequence of them
    teams : str, Path, Team or sequence of them
    seeds : int or sequence of int
        How many (0, 1, ...), or which.
    split : {"train", "select", "test"}
    data, columns
        A table for the profiles that name a column, and another choice of columns (profile -> column).
    out : path, optional
        A folder for ``metrics.csv``, ``metrics.json``, ``intervals.parquet`` and ``report.html``. Each appears whole
        or, when something stops the comparison, not at all.
    csv : bool
        Write ``intervals.csv`` too.
    progress : bool
        Draw a bar, if standard error is a terminal.
    workers : int
        Processes, each of one thread. More than one needs the usual ``if __name__ == "__main__":`` in a script.

    Returns
    -------
    Comparison

    Raises
    ------
    CatalogueError, ScenarioError, DataError
        Where a name, a setting or the data does not serve; before anything is played.

    Examples
    --------
    >>> found = compare("three-homes", ["truthful", "central"], seeds=1, progress=False)
    >>> found.ranked("three-homes")
    ['central', 'truthful']
    """
    began, started = time.perf_counter(), datetime.now(UTC)
    worlds = _worlds(scenarios, data, columns)
    described = tuple(_describe(world) for world in worlds)
    lineup, numbers = _lineup(teams), _seeds(seeds)
    _check(split, workers)
    gathering = _Gathering()
    folder = None if out is None else Path(out)
    cells = [Cell(w, n, t, s, split) for w in worlds for n, t in lineup.items() for s in numbers]
    with intervals_written(folder, csv) as intervals, crew(workers) as hands, bar(progress) as drawn:
        yardsticks = _yardsticks(worlds, numbers, split, hands, drawn, gathering)
        drawn.expect("teams", sum(cell.scenario.intervals for cell in cells))
        for cell, played in zip(cells, _play(cells, hands, drawn), strict=True):
            gathering.take(cell, played, yardsticks[cell.scenario.name, cell.seed], cell.seed == numbers[0])
            _keep(intervals, cell, played)
    settings = Settings(
        seeds=numbers,
        split=split,
        workers=workers,
        data=None if data is None else str(data),
        columns=dict(columns or {}),
        versions=gathering.versions,
        started_utc=started.isoformat(timespec="seconds"),
        cpu_s=round(gathering.cpu_s, 2),
        wall_s=round(time.perf_counter() - began, 2),
    )
    comparison = Comparison(
        table=_table(gathering.rows),
        worlds=described,
        teams=tuple(lineup),
        failures=tuple(gathering.failures),
        trajectories=gathering.trajectories,
        settings=settings,
        folder=folder,
    )
    if folder is not None:
        write_comparison(comparison, folder)
    return comparison


def _table(rows: list[dict[str, object]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows, columns=list(COLUMNS))


def _several(given: object) -> list[object]:
    return [given] if isinstance(given, (str, Path, Scenario, Team)) else list(given)  # pyright: ignore
