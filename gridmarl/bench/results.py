"""What a comparison found: the tidy table, what was asked for, what failed, and the estimates drawn from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from gridmarl.bench.statistics import Estimate, estimate, paired_difference
from gridmarl.evaluation.trajectory import Trajectory
from gridmarl.scenario.rules import Split

if TYPE_CHECKING:
    import pandas as pd

BOOTSTRAP_SEED: Final = 0
"""Of every interval, so that teams are resampled alike and the same comparison prints the same table."""
COLUMNS: Final = ("scenario", "digest", "split", "team", "information", "sees", "seed", "metric", "unit", "value")
OPTIMUM: Final = "optimum"
"""Whose failure it is when there is no plan to measure regret from."""


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
        Tidy, with the columns of :data:`COLUMNS`; ``value`` is NaN where a number does not apply.
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

    def scores(self, scenario: str, team: str, metric: str) -> pd.Series:
        """One number by seed, of the seeds that have it."""
        table = self.table
        chosen = (table["scenario"] == scenario) & (table["team"] == team) & (table["metric"] == metric)
        scores = cast("pd.Series", table[chosen].set_index("seed")["value"])
        return scores.dropna()

    def runs(self, scenario: str, team: str) -> int:
        """How many seeds a team finished."""
        return len(self.scores(scenario, team, "resource_cost"))

    def estimate(self, scenario: str, team: str, metric: str) -> Estimate | None:
        """Interquartile mean and 95 % interval over the seeds; none unless every finished seed has the number."""
        scores = self.scores(scenario, team, metric)
        if scores.empty or len(scores) < self.runs(scenario, team):
            return None
        return estimate(_column(scores), np.random.default_rng(BOOTSTRAP_SEED))

    def behind(self, scenario: str, team: str, best: str) -> Estimate | None:
        """Resource cost above another team's, paired by seed; none where they share no seed."""
        own, others = (self.scores(scenario, name, "resource_cost") for name in (team, best))
        shared = own.index.intersection(others.index)
        if shared.empty:
            return None
        rng = np.random.default_rng(BOOTSTRAP_SEED)
        return paired_difference(_column(own.loc[shared]), _column(others.loc[shared]), rng)

    def overall(self, team: str) -> Estimate | None:
        """Share over all scenarios, each a task and each seed a run; none unless every cell has one."""
        columns = [self.scores(world.name, team, "share") for world in self.worlds]
        if any(len(column) < len(self.settings.seeds) for column in columns):
            return None
        return estimate(np.hstack([_column(c) for c in columns]), np.random.default_rng(BOOTSTRAP_SEED))

    def ranked(self, scenario: str) -> list[str]:
        """Teams by resource cost, which is by regret, the smallest first; those that failed come last."""
        found = {team: self.estimate(scenario, team, "resource_cost") for team in self.teams}
        costs = {team: entry.value if entry else np.inf for team, entry in found.items()}
        return sorted(self.teams, key=lambda team: costs[team])

    def failures_of(self, scenario: str, team: str) -> tuple[Failure, ...]:
        """A team's failures in a scenario, by seed."""
        return tuple(f for f in self.failures if (f.scenario, f.team) == (scenario, team))

    def summary(self) -> pd.DataFrame:
        """One row a scenario, team and metric: ``runs``, interquartile mean ``value``, ``low``, ``high``."""
        import pandas as pd

        keys = [name for name in COLUMNS if name not in ("seed", "value")]
        rows: list[dict[str, object]] = []
        for key in _records(pd.DataFrame(self.table[keys]).drop_duplicates()):
            scenario, team, metric = (str(key[name]) for name in ("scenario", "team", "metric"))
            found = self.estimate(scenario, team, metric)
            numbers = asdict(found) if found else {"value": None, "low": None, "high": None}
            rows.append({**key, "runs": self.runs(scenario, team), **numbers})
        return pd.DataFrame(rows, columns=[*keys, "runs", "value", "low", "high"])

    def to_dict(self) -> dict[str, Any]:  # JSON has no type of its own
        """Everything but the trajectories, in plain values that JSON can say; None where a number does not apply."""
        return {
            "settings": asdict(self.settings),
            "worlds": [asdict(world) for world in self.worlds],
            "teams": list(self.teams),
            "summary": _records(self.summary()),
            "metrics": _records(self.table),
            "failures": [asdict(failure) for failure in self.failures],
        }


def _column(scores: pd.Series) -> np.ndarray:
    """(run, 1) array."""
    return scores.to_numpy(np.float64)[:, None]


def _records(table: pd.DataFrame) -> list[dict[str, object]]:
    plain = table.astype(object).where(table.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in plain.to_dict(orient="records")]
