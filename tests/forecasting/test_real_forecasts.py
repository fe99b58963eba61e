"""Real prices and loads: what was learned from one part beats naive forecasts on the other, with bands that hold."""

from __future__ import annotations

import numpy as np
import pytest

from gridmarl.data.table import load_table
from gridmarl.errors import DataError
from gridmarl.forecasting.backtest import backtest
from gridmarl.forecasting.days import local_days
from gridmarl.forecasting.features import Gate
from gridmarl.forecasting.judging import judge_scenarios

BERLIN, LOS_ANGELES = "Europe/Berlin", "America/Los_Angeles"
CAISO = "caiso_dam_lmp_dlap_2023-06_2024-10.csv"
LEVELS = np.array([0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95])
SERIES = [
    ("de_lu_2019_hourly.csv", "price_eur_per_mwh", BERLIN, Gate(12.0)),
    ("de_lu_2019_hourly.csv", "load_mw", BERLIN, Gate(12.0, published=False)),
    (CAISO, "lmp_dlap_pgae_usd_per_mwh", LOS_ANGELES, Gate(10.0)),
    (CAISO, "lmp_dlap_sce_usd_per_mwh", LOS_ANGELES, Gate(10.0)),
    pytest.param(CAISO, "lmp_dlap_sdge_usd_per_mwh", LOS_ANGELES, Gate(10.0), marks=pytest.mark.slow),
    pytest.param(CAISO, "lmp_dlap_vea_usd_per_mwh", LOS_ANGELES, Gate(10.0), marks=pytest.mark.slow),
    pytest.param("de_lu_2019_hourly.csv", "wind_mw", BERLIN, Gate(12.0, published=False), marks=pytest.mark.slow),
]


@pytest.mark.parametrize("file, column, zone, gate", SERIES)
def test_learned_forecasts_beat_both_naive_ones_and_their_bands_cover(real, file, column, zone, gate):
    series = local_days(load_table(real(file)), column, zone)
    found = backtest(series, gate, levels=LEVELS)
    rows = {row.forecast: row for row in found.rows}
    best = rows["combined"]
    for naive in ("yesterday", "last week"):
        assert best.mae < rows[naive].mae
        assert best.pinball < rows[naive].pinball
        assert best.crps < rows[naive].crps
    assert 0.88 <= best.coverage <= 0.92
    # Even yesterday's true values, which are not all metered when the gate closes, are worse.
    day_before = series.values[-found.parts.test - 1 : -1]
    assert best.mae < np.nanmean(np.abs(day_before - found.truth))


def test_scenarios_of_real_prices_are_nearer_the_truth_for_knowing_how_hours_go_together(real):
    series = local_days(load_table(real("de_lu_2019_hourly.csv")), "price_eur_per_mwh", BERLIN)
    found = backtest(series, Gate(), levels=LEVELS, kinds=("linear",))
    rows = judge_scenarios(found, "linear", 1, np.random.default_rng(0), every=3)
    by = {(row.dependence, row.reduction): row for row in rows}
    for how in ("copula", "bootstrap"):
        assert by[how, "all"].energy < by["independent", "all"].energy
        assert by[how, "all"].variogram < by["independent", "all"].variogram
        assert by[how, "k-means"].cvar_bias > 0.0


def test_a_single_month_is_too_short_to_learn_from(real):
    table = load_table(real("caiso_2023-08_hourly.csv"))
    series = local_days(table, "lmp_dlap_sce_usd_per_mwh", LOS_ANGELES)
    with pytest.raises(DataError, match="a longer series"):
        backtest(series, Gate(10.0))
