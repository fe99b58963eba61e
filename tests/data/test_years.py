"""Synthetic years: their statistics are those of weather, people and markets, and worlds learn in them."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from gridmarl.data.table import TimeTable, load_table
from gridmarl.data.windows import weekly_windows
from gridmarl.data.writing import write_table
from gridmarl.data.years import HOURS_PER_YEAR, autoregression, make_year
from gridmarl.errors import DataError
from gridmarl.units import Float

START = datetime(2025, 1, 1)
HOUR = np.arange(HOURS_PER_YEAR) % 24
DAY = np.arange(HOURS_PER_YEAR) // 24
WEEKEND = (DAY + 2) % 7 >= 5  # 1 January 2025 was a Wednesday
WINTER, SUMMER = (DAY < 59) | (DAY >= 334), (DAY >= 151) & (DAY < 243)
SUM = 1e-12
SHARES = ("solar_share", "wind_share")


@pytest.fixture(scope="module", params=[0, 1])
def year(request: pytest.FixtureRequest) -> TimeTable:
    return make_year(np.random.default_rng(request.param), START)


def correlation(one: Float, other: Float) -> float:
    return float(np.corrcoef(one, other)[0, 1])


def daily(values: Float) -> Float:
    return values.reshape(-1, 24).mean(1)


def test_a_year_has_8760_hours_without_gaps_within_physical_bounds(year: TimeTable) -> None:
    assert (year.intervals, year.interval_h) == (HOURS_PER_YEAR, 1.0)
    columns = year.columns
    assert all(np.isfinite(values).all() for values in columns.values())
    assert all(columns[name].min() >= 0 and columns[name].max() <= 1 for name in SHARES)
    assert min(columns[f"{name}_mw"].min() for name in ("residential", "commercial", "industrial")) > 0
    assert -20 < columns["temperature_c"].min() < columns["temperature_c"].max() < 45
    assert columns["demand_share"].max() < 1.3
    assert (year.units["temperature_c"], year.units["irradiance_w_per_m2"]) == ("celsius", "w_per_m2")


def test_the_classes_add_up_and_take_the_shares_of_energy_they_should(year: TimeTable) -> None:
    parts = np.array([year.columns[f"{name}_mw"] for name in ("residential", "commercial", "industrial")])
    np.testing.assert_allclose(parts.sum(0), year.columns["demand_mw"], rtol=SUM)
    assert parts.sum(1) / parts.sum() == pytest.approx([0.39, 0.35, 0.26], abs=0.03)
    assert 0.5 < daily(year.columns["demand_share"]).mean() / daily(year.columns["demand_share"]).max() < 0.9


def test_days_weeks_and_seasons_have_their_shape(year: TimeTable) -> None:
    c = year.columns
    by_hour = {name: np.array([c[name][h == HOUR].mean() for h in range(24)]) for name in c}
    assert 17 <= by_hour["demand_mw"].argmax() <= 20
    assert 2 <= by_hour["demand_mw"].argmin() <= 5
    assert 13 <= by_hour["temperature_c"].argmax() <= 16
    assert 11 <= by_hour["solar_share"].argmax() <= 12  # means of hours: noon ends one and begins the other
    assert c["solar_share"][(HOUR < 4) | (HOUR > 20)].max() == 0
    assert c["commercial_mw"][WEEKEND].mean() < 0.85 * c["commercial_mw"][~WEEKEND].mean()
    assert c["industrial_mw"][WEEKEND].mean() < 0.95 * c["industrial_mw"][~WEEKEND].mean()
    assert c["temperature_c"][SUMMER].mean() > c["temperature_c"][WINTER].mean() + 5
    assert c["solar_share"][SUMMER].mean() > 1.2 * c["solar_share"][WINTER].mean()
    assert c["residential_mw"][SUMMER].max() > c["residential_mw"][~SUMMER & ~WINTER].mean() * 1.5


def test_demand_follows_heat_in_summer_and_cold_in_winter(year: TimeTable) -> None:
    demand, temperature = daily(year.columns["residential_mw"]), daily(year.columns["temperature_c"])
    summer, winter = SUMMER[::24], WINTER[::24]
    assert correlation(demand[summer], temperature[summer]) > 0.6
    assert correlation(demand[winter], temperature[winter]) < -0.4


def test_prices_fall_with_sun_and_wind_and_rise_with_what_is_left(year: TimeTable) -> None:
    c = year.columns
    noon = HOUR == 12  # at one hour, so that the daily curves do not speak for the weather
    assert correlation(c["price_per_mwh"][noon], c["solar_share"][noon]) < -0.2
    assert correlation(c["price_per_mwh"], c["wind_share"]) < -0.2
    left = c["demand_mw"] - 45 * c["solar_share"] - 25 * c["wind_share"]
    assert correlation(c["price_per_mwh"], left) > 0.8
    assert np.median(c["price_per_mwh"][HOUR == 19]) > 1.4 * np.median(c["price_per_mwh"][noon])


def test_weather_lasts_for_days_clouds_for_hours(year: TimeTable) -> None:
    c = year.columns
    anomaly = daily(c["temperature_c"]) - np.convolve(daily(c["temperature_c"]), np.ones(31) / 31, "same")
    inner = anomaly[15:-15]
    assert 0.4 < correlation(inner[1:], inner[:-1]) < 0.85
    wind = c["wind_share"]
    assert correlation(wind[1:], wind[:-1]) > 0.8
    assert correlation(wind[72:], wind[:-72]) < 0.3


@pytest.mark.parametrize("interval_h, memory_h", [(1.0, 6.0), (0.25, 6.0), (1 / 12, 2.0)])
def test_noise_is_stationary_of_unit_variance_with_the_memory_asked_for(interval_h: float, memory_h: float) -> None:
    draws = np.array([autoregression(np.random.default_rng(s), 400, interval_h, memory_h) for s in range(400)])
    assert draws.var(0).mean() == pytest.approx(1.0, abs=0.1)
    assert draws[:, 0].var() == pytest.approx(1.0, abs=0.25)
    lag = round(memory_h / interval_h)
    later = np.mean(draws[:, lag:] * draws[:, :-lag])
    assert later == pytest.approx(np.exp(-1.0), abs=0.1)


def test_the_same_seed_makes_the_same_year_and_another_another() -> None:
    one, same, other = (make_year(np.random.default_rng(seed), START, days=30).columns for seed in (3, 3, 4))
    assert all(np.array_equal(one[name], same[name]) for name in one)
    assert not any(np.array_equal(one[name], other[name]) for name in one)


def test_a_year_is_made_in_a_fraction_of_a_second() -> None:
    make_year(np.random.default_rng(0), START, days=2)  # imports are not what is measured
    began = time.process_time()
    make_year(np.random.default_rng(0), START)
    assert time.process_time() - began < 0.5


def test_the_clock_of_the_people_changes_where_the_zone_says_so() -> None:
    table = make_year(np.random.default_rng(0), datetime(2025, 3, 1), days=30, timezone="America/Los_Angeles")
    assert table.start_utc.hour == 8
    assert np.isfinite(table.columns["demand_mw"]).all()
    curve = table.columns["commercial_mw"].reshape(-1, 24)
    weekdays = [day for day in range(30) if (datetime(2025, 3, 1) + timedelta(days=day)).weekday() < 5]
    early = [day for day in weekdays if day < 8]
    late = [day for day in weekdays if day > 9]
    rise = [(curve[days].mean(0) > 18).argmax() for days in (early, late)]
    assert rise[1] == rise[0] - 1  # summer time begins on 9 March: UTC hears of the morning an hour earlier


@pytest.mark.parametrize(
    "settings, named", [({"days": 0}, "days"), ({"interval_h": 0.7}, "interval_h"), ({"timezone": "Mars"}, "Mars")]
)
def test_impossible_years_are_refused_by_name(settings: dict[str, object], named: str) -> None:
    with pytest.raises(DataError, match=named):
        make_year(np.random.default_rng(0), START, **settings)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("name", ["year.csv", "year.parquet"])
def test_what_is_written_is_read_back(name: str, tmp_path: Path) -> None:
    table = make_year(np.random.default_rng(0), START, days=3, interval_h=0.25)
    write_table(table, tmp_path / name)
    again = load_table(tmp_path / name)
    assert (again.start_utc, again.interval_h, again.intervals) == (table.start_utc, 0.25, 288)
    for column, values in table.columns.items():
        np.testing.assert_array_equal(again.columns[column], values)
    with pytest.raises(DataError, match="a name that is not taken"):
        write_table(table, tmp_path / name)
    with pytest.raises(DataError, match="file type"):
        write_table(table, tmp_path / "year.xlsx")
    assert {file.name for file in tmp_path.iterdir()} == {name}


def test_splits_take_weeks_in_turn_and_share_no_day() -> None:
    windows = weekly_windows(START, 365)
    days = {split: {start.date() for start in starts} for split, starts in windows.items()}
    assert not days["train"] & (days["select"] | days["test"])
    assert not days["select"] & days["test"]
    assert sum(map(len, days.values())) == 51 * 7
    assert all({(day.month - 1) // 3 for day in found} == {0, 1, 2, 3} for found in days.values())
    weeks = weekly_windows(START, 365, episode_days=7)
    assert [len(weeks[split]) for split in ("train", "select", "test")] == [34, 9, 8]
    with pytest.raises(DataError, match="44 or more"):
        weekly_windows(START, 43)
    with pytest.raises(DataError, match="episode_days"):
        weekly_windows(START, 365, 8)
