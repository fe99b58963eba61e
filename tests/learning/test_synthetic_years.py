"""Worlds are fed with a synthetic year, learn on some of its weeks and are tested on others."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

import gridmarl
from gridmarl.agents.make import scenario_of
from gridmarl.agents.policies import read_policy
from gridmarl.data.windows import weekly_windows
from gridmarl.data.writing import write_table
from gridmarl.data.years import make_year
from gridmarl.evaluation.rollout import rollout
from gridmarl.learning.recipe import load_recipe
from gridmarl.learning.trainer import train
from gridmarl.scenario.rules import Split
from gridmarl.scenario.scenario import Scenario

START, DAYS = datetime(2025, 1, 1), 120
SHARES = {"demand": "demand_share", "solar": "solar_share", "wind": "wind_share"}
SHORT = {
    "num_envs": 4,
    "steps": 480,
    "learn_from": 96,
    "learn_every": 4,
    "random_steps": 96,
    "evaluate_every": 240,
    "select_seeds": 2,
    "test_seeds": 2,
}


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "year.parquet"
    write_table(make_year(np.random.default_rng(0), START, days=DAYS), path)
    return path


def fed_auction(year: Path) -> Scenario:
    """The auction by the hour, a day an episode."""
    windows = weekly_windows(START, DAYS)
    return scenario_of("auction", year, SHARES, {"interval_min": 60, "intervals": 24, "windows": windows})


def fed_battery(year: Path) -> Scenario:
    windows = weekly_windows(START, DAYS, episode_days=1)
    settings = {"intervals": 24, "windows": windows, "timezone": "UTC"}
    return scenario_of("caiso-battery", year, {"price": "price_per_mwh"}, settings)


def test_the_auction_of_five_minutes_plays_the_year(year: Path) -> None:
    env = gridmarl.parallel_env("auction", data=year, columns=SHARES, start=datetime(2025, 1, 5))
    env.reset(seed=0)
    realised = env.core.realised(0)
    assert realised.shape == (288, 3)
    table = make_year(np.random.default_rng(0), START, days=DAYS).columns["demand_share"][4 * 24 : 5 * 24]
    names = env.core.compiled.series.names
    scale = env.scenario.profiles["demand"].scale
    np.testing.assert_allclose(realised[::12, names.index("demand")], scale * table, rtol=1e-9)


@pytest.mark.parametrize("world, seats", [("auction", "storage"), ("caiso-battery", "battery_1")])
def test_storage_trains_in_the_year_on_days_that_no_other_split_has(
    world: str, seats: str, year: Path, tmp_path: Path
) -> None:
    scenario = fed_auction(year) if world == "auction" else fed_battery(year)
    recipe = load_recipe("storage", {**SHORT, "seats": seats})
    card = read_policy(train(recipe, env=scenario, out=tmp_path / world, progress=False)).card
    assert set(card.metrics) == {"select", "test"}
    assert card.digest == scenario.digest != Scenario.load(world).digest
    assert np.isfinite(list(card.metrics["test"].profit.values())).all()
    days = {split: _days(scenario, split) for split in ("train", "select", "test")}
    assert not days["train"] & (days["select"] | days["test"])
    assert not days["select"] & days["test"]


def _days(scenario: Scenario, split: Split) -> set[object]:
    """Every day that episodes of a split play."""
    windows = scenario.window_starts(split)
    length = timedelta(hours=scenario.interval_h * scenario.intervals - 1)
    return {moment.date() for start in windows for moment in (start, start + length)}


def test_a_generator_and_a_planner_play_the_year_too(year: Path) -> None:
    scenario = fed_auction(year)
    played = rollout(scenario, "truthful", seed=0, split="test")
    assert played.start_utc == scenario.window_starts("test")[0]
    assert "year.parquet" in played.source
    assert 0 < played.of_market("price_per_mwh").mean() < 1000
