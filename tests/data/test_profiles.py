"""Forecasts are conditional expectations: unbiased at every lead, as wide as they say, blind to the future."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from gridmarl.data.profiles import forecast_spread
from gridmarl.environment.core import Core
from gridmarl.scenario.scenario import Scenario
from tests.environment.worlds import Settings, world

EPISODES = 3000
SIGMAS = 4.5
"""A true statement fails about once in 150,000 times; the seeds are fixed."""
HORIZON = 16


def noisy(**settings: object) -> Scenario:
    """Demand with a relative deviation and wind with an absolute one, far from any bound."""
    profiles: Settings = {
        "demand": {"shape": "demand", "deviation_relative": 0.05, "correlation_h": 3},
        "wind": {"shape": "wind", "deviation_absolute": 0.01, "correlation_h": 6},
    }
    return world(intervals=24, profiles=profiles, **settings)


@pytest.fixture(scope="module")
def errors() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Forecasts at the first gate closure, what came true, and the stated spread, (episode, lead, profile)."""
    core = Core(noisy(), EPISODES)
    core.reset(np.arange(EPISODES, dtype=np.uint64))
    forecasts = np.stack([core.forecast(row, HORIZON) for row in range(EPISODES)])
    truth = np.stack([core.realised(row)[:HORIZON] for row in range(EPISODES)])
    spread = np.stack([forecast_spread(core.compiled.world.profile, forecast) for forecast in forecasts])
    return forecasts, truth, spread


def test_what_comes_true_is_on_average_the_forecast_at_every_lead(errors) -> None:
    forecasts, truth, spread = errors
    bias = (truth - forecasts).mean(axis=0)
    assert (np.abs(bias) < SIGMAS * spread.mean(axis=0) / np.sqrt(EPISODES)).all(), bias


def test_a_high_forecast_is_as_unbiased_as_a_low_one(errors) -> None:
    """The error is uncorrelated with the forecast, which a mere average over episodes would not show."""
    forecasts, truth, _ = errors
    for lead in range(HORIZON):
        for profile in range(forecasts.shape[2]):
            issued, error = forecasts[:, lead, profile], (truth - forecasts)[:, lead, profile]
            correlation = np.corrcoef(issued, error)[0, 1]
            assert abs(correlation) < SIGMAS / np.sqrt(EPISODES), f"lead {lead}, profile {profile}: {correlation}"


def test_errors_are_as_wide_as_the_forecast_says_and_grow_with_the_lead(errors) -> None:
    forecasts, truth, spread = errors
    scaled = ((truth - forecasts) / spread).std(axis=0)
    # The stated spread scales with the forecast, the real one with the base: a few per cent apart for demand.
    assert scaled == pytest.approx(np.ones_like(scaled), abs=SIGMAS / np.sqrt(2 * EPISODES) + 0.01)
    assert (np.diff(spread.mean(axis=0)[:, 1]) > 0).all()


def test_later_forecasts_use_later_deviations() -> None:
    """Issued an interval ahead, the error has a spread of sqrt(1 - decay^2); issued at once for all, nearly of 1."""
    episodes, hours = 200, 12
    core = Core(noisy(), episodes)
    core.reset(np.arange(episodes, dtype=np.uint64))
    truth = np.stack([core.realised(row)[:hours] for row in range(episodes)])
    at_once = np.stack([core.forecast(row, hours) for row in range(episodes)])
    one_ahead = np.empty_like(truth)
    for hour in range(hours):
        one_ahead[:, hour] = [core.forecast(row, 1)[0] for row in range(episodes)]
        core.step(np.zeros((episodes, core.width)))
    assert (np.abs(one_ahead - truth).mean(axis=(0, 1)) < 0.85 * np.abs(at_once - truth).mean(axis=(0, 1))).all()


def test_perfect_information_is_what_the_market_will_realise() -> None:
    core = Core(Scenario.load("auction"), 1)
    for seed in range(3):
        core.reset(np.array([seed], np.uint64))
        truth = core.realised()
        for interval in range(core.intervals):
            core.step(np.zeros((1, core.width)))
            assert np.array_equal(core.book.realised[0], truth[interval])


def test_a_synthetic_forecast_follows_from_the_past_alone() -> None:
    """Two episodes with other keys but the same last deviation issue the same forecast, then part."""
    core = Core(Scenario.load("auction"), 2)
    core.reset(np.array([1, 2], np.uint64))
    core.rows.deviation[1] = core.rows.deviation[0]
    assert np.array_equal(core.forecast(0, HORIZON), core.forecast(1, HORIZON))
    core.step(np.zeros((2, core.width)))
    assert not np.array_equal(core.rows.deviation[0], core.rows.deviation[1])


# Worlds with data.

START = datetime(2024, 6, 3, tzinfo=UTC)
DAYS = 5


def series(path: Path, load_mw: np.ndarray, price: np.ndarray) -> Path:
    """Hourly load and price, from one day before the episode."""
    times = [(START + timedelta(hours=hour)).isoformat() for hour in range(len(load_mw))]
    rows = [f"{t},{a!r},{b!r}" for t, a, b in zip(times, load_mw.tolist(), price.tolist(), strict=True)]
    path.write_text("\n".join(["interval_start_utc,load_mw,price_usd_per_mwh", *rows]) + "\n")
    return path


def measured(path: Path) -> Scenario:
    """A load and a price from a file, beginning two days in."""
    return world(
        name="measured",
        data=path,
        start=(START + timedelta(days=2)).replace(tzinfo=None),
        intervals=48,
        profiles={
            "demand": {"column": "load_mw", "per": 100, "correlation_h": 6},
            "price": {"unit": "per_mwh", "column": "price_usd_per_mwh", "minimum": -90, "correlation_h": 6},
        },
        connection={"limit_mw": 10},
    )


@pytest.fixture
def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    return rng.uniform(50, 120, 24 * DAYS), rng.uniform(-20, 300, 24 * DAYS)


@pytest.mark.parametrize("t", [0, 5, 23, 24, 40])
def test_a_changed_future_of_the_data_changes_neither_forecast_nor_observation(tmp_path: Path, data, t: int) -> None:
    changed = [column.copy() for column in data]
    for column in changed:
        column[48 + t :] = np.roll(column[48 + t :], 1) * 0.9
    cores = [Core(measured(series(tmp_path / f"{n}.csv", *d)), 1) for n, d in enumerate((data, changed))]
    issued = []
    for core in cores:
        outcome = core.reset(np.array([0], np.uint64))
        for _ in range(t):
            outcome = core.step(np.zeros((1, core.width)))
        issued.append((core.forecast(0, 48), *(np.array(part) for part in outcome[2:6])))
    assert all(np.array_equal(a, b) for a, b in zip(*issued, strict=True))
    assert not np.array_equal(cores[0].realised(), cores[1].realised())
    assert np.array_equal(cores[0].realised()[:t], cores[1].realised()[:t])


def test_a_forecast_from_data_is_yesterday_plus_a_fading_difference(tmp_path: Path, data) -> None:
    core = Core(measured(series(tmp_path / "data.csv", *data)), 1)
    core.reset(np.array([0], np.uint64))
    core.step(np.zeros((1, core.width)))
    hour = 49
    load = data[0] / 100
    decay = np.exp(-1 / 6)
    expected = [load[hour + k - 24] + decay ** (k + 1) * (load[hour - 1] - load[hour - 25]) for k in range(24)]
    again = [load[hour + k - 48] + decay ** (k + 1) * (load[hour - 1] - load[hour - 25]) for k in range(24, 30)]
    assert core.forecast(0, 30)[:, 0] == pytest.approx(np.array(expected + again), rel=1e-12)


def test_what_is_realised_from_data_is_the_data(tmp_path: Path, data) -> None:
    core = Core(measured(series(tmp_path / "data.csv", *data)), 1)
    core.reset(np.array([0], np.uint64))
    assert core.realised() == pytest.approx(np.stack([data[0] / 100, data[1]], axis=1)[48:96], rel=1e-14)


def test_the_seed_does_not_change_the_data(tmp_path: Path, data) -> None:
    core = Core(measured(series(tmp_path / "data.csv", *data)), 2)
    core.reset(np.array([0, 1], np.uint64))
    assert np.array_equal(core.realised(0), core.realised(1))
