"""The product of scenarios, teams and seeds: one rollout a cell, one tidy table of numbers."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gridmarl.agents.make import Tables, scenario_of, tables
from gridmarl.agents.team import Team, load_team
from gridmarl.bench.cells import Cell, Crew, Episode, Measured, Played, crew, gauge, play
from gridmarl.bench.progress import Stage, bar
from gridmarl.bench.results import COLUMNS, OPTIMUM, Comparison, Failure, Settings, World
from gridmarl.bench.writing import intervals_written, write_comparison
from gridmarl.data.series import build_series
from gridmarl.errors import PolicyError, ScenarioError, nearest
from gridmarl.evaluation.metrics import Measure, Yardstick, measure
from gridmarl.evaluation.trajectory import Trajectory
from gridmarl.files import check_folder
from gridmarl.scenario.rules import SPLITS, Split
from gridmarl.scenario.scenario import Scenario

if TYPE_CHECKING:
    import pandas as pd

SEEDS: Final = 5
OPPONENTS: Final = (
    "truthful",
    "tuned-markup",
    "maximum",
    "zero-intelligence",
    "tuned-thresholds",
    "selfish",
    "admm",
    "central",
    "central-perfect",
)
"""What the name ``opponents`` stands for: the teams that a learner should beat, and the best there can be."""
UNKNOWN: Final = Yardstick(float("nan"), float("nan"))
"""Stands where there is no optimum to measure from."""

Name = str | Path


def compare(
    scenarios: Name | Scenario | Sequence[Name | Scenario],
    teams: Name | Team | Sequence[Name | Team],
    *,
    seeds: int | Sequence[int] = SEEDS,
    split: Split = "test",
    data: Tables = None,
    columns: Mapping[str, str] | None = None,
    out: Name | None = None,
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
        ``"opponents"`` stands for all of `OPPONENTS`.
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
    OutputError
        Where ``out`` cannot be written to; before anything is played.

    Examples
    --------
    >>> found = compare("three-homes", ["truthful", "central"], seeds=1, progress=False)
    >>> found.ranked("three-homes")
    ['central', 'truthful']
    """
    began, started = time.perf_counter(), datetime.now(UTC)
    worlds, lineup, numbers = _worlds(scenarios, data, columns), _lineup(teams), _seeds(seeds)
    _check(split, workers)
    described = tuple(_describe(world) for world in worlds)
    folder = None if out is None else Path(out)
    if folder is not None:
        check_folder(folder)
    gathered = _play_all(worlds, lineup, numbers, split, folder, csv, progress, workers)
    settings = Settings(
        seeds=numbers,
        split=split,
        workers=workers,
        data=", ".join(map(str, tables(data))) or None,
        columns=dict(columns or {}),
        versions=gathered.versions,
        started_utc=started.isoformat(timespec="seconds"),
        cpu_s=round(gathered.cpu_s, 2),
        wall_s=round(time.perf_counter() - began, 2),
    )
    failures, trajectories = tuple(gathered.failures), gathered.trajectories
    found = Comparison(gathered.table(), described, tuple(lineup), failures, trajectories, settings, folder)
    if folder is not None:
        write_comparison(found, folder)
    return found


@dataclass(slots=True)
class _Gathering:
    """What accumulates while the cells are played."""

    rows: list[dict[str, object]] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    trajectories: dict[tuple[str, str], Trajectory] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    yardsticks: dict[tuple[str, int], Yardstick] = field(default_factory=dict)
    cpu_s: float = 0.0

    def take_yardstick(self, episode: Episode, measured: Measured) -> None:
        """Keep an episode's yardstick, or note why there is none."""
        self.cpu_s += measured.cpu_s
        name, seed = episode.scenario.name, episode.seed
        self.yardsticks[name, seed] = measured.yardstick or UNKNOWN
        if measured.yardstick is None:
            self.failures.append(Failure(name, OPTIMUM, seed, measured.error))

    def take(self, cell: Cell, played: Played, keep: bool) -> None:
        """Measure a cell's trajectory, or note why there is none."""
        self.cpu_s += played.cpu_s
        self.versions |= played.versions
        name, trajectory = cell.scenario.name, played.trajectory
        if trajectory is None:
            self.failures.append(Failure(name, cell.name, cell.seed, played.error))
            return
        self.rows += [_row(cell, trajectory, m) for m in measure(trajectory, self.yardsticks[name, cell.seed])]
        if keep:
            self.trajectories[name, cell.name] = trajectory

    def table(self) -> pd.DataFrame:
        """All numbers, tidy."""
        import pandas as pd

        return pd.DataFrame(self.rows, columns=list(COLUMNS))


def _row(cell: Cell, trajectory: Trajectory, found: Measure) -> dict[str, object]:
    t, value = trajectory, float("nan") if found.value is None else found.value
    values = (t.scenario, t.digest, t.split, cell.name, t.information, t.sees, t.seed, found.metric, found.unit, value)
    return dict(zip(COLUMNS, values, strict=True))


def _play_all(
    worlds: list[Scenario],
    lineup: Mapping[str, Name | Team],
    seeds: tuple[int, ...],
    split: Split,
    folder: Path | None,
    csv: bool,
    progress: bool,
    workers: int,
) -> _Gathering:
    """Yardsticks first, then the cells; intervals are written as they come, only the first seed's are kept."""
    gathered = _Gathering()
    episodes = [Episode(world, seed, split) for world in worlds for seed in seeds]
    cells = [Cell(w, name, team, seed, split) for w in worlds for name, team in lineup.items() for seed in seeds]
    total = sum(part.scenario.intervals for part in (*episodes, *cells))
    with intervals_written(folder, csv) as intervals, crew(workers) as hands, bar(progress, OPTIMUM, total) as stage:
        for episode, measured in zip(episodes, hands.apply(gauge, episodes), strict=True):
            gathered.take_yardstick(episode, measured)
            stage.advance(episode.scenario.intervals)
        for cell, played in zip(cells, _play_cells(cells, hands, stage), strict=True):
            gathered.take(cell, played, keep=cell.seed == seeds[0])
            if intervals is not None and played.trajectory is not None:
                intervals.write(played.trajectory, cell.name)
    return gathered


def _play_cells(cells: list[Cell], hands: Crew, stage: Stage) -> Iterator[Played]:
    """Play, and move the bar: with every interval here, with every cell in a pool."""
    if hands.is_here:
        for cell in cells:
            stage.say(f"{cell.name} in {cell.scenario.name}")
            yield play(cell, stage.advance)
        return
    for cell, played in zip(cells, hands.apply(play, cells), strict=True):
        stage.say(f"{cell.name} in {cell.scenario.name}")
        stage.advance(cell.scenario.intervals)
        yield played


def _worlds(
    given: Name | Scenario | Sequence[Name | Scenario], data: Tables, columns: Mapping[str, str] | None
) -> list[Scenario]:
    several = [given] if isinstance(given, (str, Path, Scenario)) else list(given)
    worlds = [scenario_of(entry, data, columns) for entry in several]
    _refuse_twins("scenarios", [world.name for world in worlds])
    return worlds


def _lineup(given: Name | Team | Sequence[Name | Team]) -> dict[str, Name | Team]:
    """Team by name; each is loaded once, so that a wrong name is noticed before anything runs."""
    several = _expanded([given] if isinstance(given, (str, Path, Team)) else list(given))
    names = [_name_of(entry) for entry in several]
    _refuse_twins("teams", names)
    return dict(zip(names, several, strict=True))


def _expanded(given: Sequence[Name | Team]) -> list[Name | Team]:
    """The list with ``opponents`` replaced by those that are not named beside it."""
    if "opponents" not in given:
        return list(given)
    place, named = list(given).index("opponents"), [entry for entry in given if entry != "opponents"]
    return [*given[:place], *(name for name in OPPONENTS if name not in named), *named[place:]]


def _name_of(team: Name | Team) -> str:
    try:
        return load_team(team).name
    except PolicyError:  # the others can still be compared
        return Path(team).stem if isinstance(team, (str, Path)) else team.name


def _refuse_twins(what: str, names: list[str]) -> None:
    if not names:
        raise ScenarioError(what, "none", "one or more", "name at least one")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ScenarioError(f"{what} of the same name", twice[0], "different names", "rename one of the files")


def _seeds(given: int | Sequence[int]) -> tuple[int, ...]:
    numbers = tuple(range(given)) if isinstance(given, int) else tuple(given)
    if not numbers or len(set(numbers)) < len(numbers) or min(numbers) < 0:
        raise ScenarioError("seeds", given, "how many, or different numbers from 0 on", "ask for at least one")
    return numbers


def _check(split: str, workers: int) -> None:
    if split not in SPLITS:
        raise ScenarioError("split", split, ", ".join(SPLITS), nearest(split, SPLITS))
    if workers < 1:
        raise ScenarioError("workers", workers, "1 or more processes", "ask for at least one")


def _describe(world: Scenario) -> World:
    """Reads the data too, so that a table that does not serve is noticed before anything runs."""
    source = build_series(world).source
    return World(world.name, world.description, world.digest, source, world.timezone, world.intervals, world.interval_h)
