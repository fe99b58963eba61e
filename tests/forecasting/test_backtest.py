"""A backtest forecasts days without their truth, beats naive ones where there is something to learn, and says no."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from gridmarl.cli import app
from gridmarl.errors import DataError
from gridmarl.forecasting.backtest import Parts, backtest, split
from gridmarl.forecasting.days import Days, days_of
from gridmarl.forecasting.features import HISTORY_DAYS, Gate
from gridmarl.forecasting.judging import judge_scenarios, judged_days
from tests.forecasting.conftest import MONDAY

LEVELS = np.array([0.05, 0.25, 0.5, 0.75, 0.95])


def test_parts_follow_each_other_and_leave_no_day_out():
    assert split(200, 0.6) == Parts(80, 40, 80)
    for days in (160, 201, 365):
        parts = split(days, 0.6)
        assert parts.learning + parts.calibration + parts.test == days


@pytest.mark.parametrize("days, share, word", [(60, 0.6, "learning"), (100, 0.99, "test"), (200, 1.5, "train_share")])
def test_series_too_short_for_a_part_are_refused(days, share, word):
    with pytest.raises(DataError, match=word):
        split(days, share)


def test_a_short_series_and_levels_without_the_band_are_refused(made_up):
    with pytest.raises(DataError, match="for learning: got 8; allowed: at least 56"):
        backtest(made_up(30), Gate())
    with pytest.raises(DataError, match=r"0.05 and 0.95 among them"):
        backtest(made_up(200), Gate(), levels=np.array([0.1, 0.5, 0.9]))
    with pytest.raises(DataError, match="kinds of quantile models"):
        backtest(made_up(200), Gate(), kinds=())


def test_prices_that_are_nan_are_refused_before_anything_is_fitted():
    values = np.ones((200, 4))
    values[50, 1] = np.nan
    with pytest.raises(DataError, match="1 values; the first is step 1 of 2024-02-20: got nan"):
        backtest(days_of(values, MONDAY), Gate())


def test_learned_forecasts_beat_naive_ones_where_there_is_something_to_learn(made_up):
    found = backtest(made_up(300), Gate(), levels=LEVELS)
    rows = {row.forecast: row for row in found.rows}
    assert list(rows) == ["yesterday", "last week", "linear", "boosted", "combined"]
    for learned in ("linear", "boosted", "combined"):
        for naive in ("yesterday", "last week"):
            for score in ("mae", "pinball", "crps"):
                assert getattr(rows[learned], score) < getattr(rows[naive], score), (learned, naive, score)
    assert 0.87 < rows["combined"].coverage < 0.93
    assert all(np.all(np.diff(q, axis=2) >= 0.0) for q in found.quantiles.values())


def test_no_forecast_depends_on_what_comes_later(made_up):
    series, gate = made_up(150), Gate(8.0, published=False)
    one = backtest(series, gate, levels=LEVELS)
    day = HISTORY_DAYS + one.parts.learning + one.parts.calibration + 20
    changed = series.values.copy()
    changed[day, 2:] = 400.0  # from 8 h on: after the gate of the next day has closed
    changed[day + 1 :] = np.random.default_rng(9).normal(300.0, 90.0, changed[day + 1 :].shape)
    two = backtest(days_of(changed, series.first), gate, levels=LEVELS)
    for name in one.quantiles:
        assert np.array_equal(one.quantiles[name][:22], two.quantiles[name][:22]), name
        assert not np.array_equal(one.quantiles[name][23:], two.quantiles[name][23:]), name


def test_a_forecast_known_a_day_ahead_helps(made_up):
    series = made_up(200)
    wind = np.random.default_rng(3).normal(0.0, 1.0, series.values.shape)
    windy = days_of(series.values - 8.0 * wind, MONDAY)
    without = backtest(windy, Gate(), levels=LEVELS, kinds=("linear",)).rows[-1]
    with_it = backtest(windy, Gate(), [days_of(wind + 5.0, MONDAY)], levels=LEVELS, kinds=("linear",)).rows[-1]
    assert with_it.mae < 0.8 * without.mae
    assert with_it.pinball < 0.8 * without.pinball


def test_what_is_not_measured_is_not_scored(made_up):
    series = made_up(150)
    measured, values = series.measured.copy(), series.values.copy()
    measured[-1, 2], values[-1, 2] = False, 1e6
    one, two = (backtest(Days(v, measured, series.first), Gate(), levels=LEVELS) for v in (series.values, values))
    assert one.rows == two.rows


def test_scenarios_of_the_tested_days_are_judged_and_depend_on_nothing_later(made_up):
    found = backtest(made_up(200), Gate(), levels=LEVELS, kinds=("linear",))
    rows = judge_scenarios(found, "linear", 1, np.random.default_rng(0), drawn=100, kept=10, every=4)
    assert {(row.dependence, row.reduction) for row in rows} == {
        (how, kept) for how in ("copula", "bootstrap", "independent") for kept in ("all", "k-medoids", "k-means")
    }
    by = {(row.dependence, row.reduction): row for row in rows}
    assert all(row.cvar_bias == 0.0 for row in rows if row.reduction == "all")
    assert all(row.cvar_bias > 0.0 for row in rows if row.reduction == "k-means")
    assert by["copula", "all"].energy < by["independent", "all"].energy
    with pytest.raises(DataError, match="name one of the backtest"):
        judge_scenarios(found, "boosted", 1, np.random.default_rng(0))
    with pytest.raises(DataError, match="every"):
        judged_days(found, 0)


def hourly(path, days: int):
    rng = np.random.default_rng(0)
    hours = np.arange(24 * days)
    values = (
        50.0
        + 20.0 * np.sin(2 * np.pi * hours / 24)
        + np.repeat(rng.normal(0, 5, days), 24)
        + rng.normal(0, 2, 24 * days)
    )
    stamps = np.datetime64("2024-01-01T00:00") + hours.astype("timedelta64[h]")
    lines = [f"{stamp}Z,{value:.3f}" for stamp, value in zip(stamps, values, strict=True)]
    path.write_text("\n".join(["timestamp_utc,price_usd_per_mwh", *lines]) + "\n")
    return path


def test_the_command_line_prints_the_scores_and_gives_them_as_json(tmp_path):
    table = hourly(tmp_path / "prices.csv", 170)
    asked = ["data", str(table), "--forecast", "price_usd_per_mwh"]
    told = json.loads(CliRunner().invoke(app, [*asked, "--json"], catch_exceptions=False).stdout)
    assert [row["forecast"] for row in told["forecasts"]] == ["yesterday", "last week", "linear", "boosted", "combined"]
    assert told["gate"] == {"closes_h": 12.0, "published": True}
    assert told["days"] == {"learning": 64, "calibration": 32, "test": 64}
    assert told["forecasts"][-1]["mae"] < told["forecasts"][0]["mae"]
    shown = CliRunner().invoke(app, asked, catch_exceptions=False).stdout
    assert f"{told['forecasts'][-1]['pinball']:,.4g}" in shown
    assert "bootstrap" in shown


def test_the_command_line_refuses_a_series_too_short_to_learn_from(tmp_path):
    table = hourly(tmp_path / "prices.csv", 31)
    with pytest.raises(DataError, match="a longer series"):
        CliRunner().invoke(app, ["data", str(table), "--forecast", "price_usd_per_mwh"], catch_exceptions=False)
