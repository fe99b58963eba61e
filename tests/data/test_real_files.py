"""Real measurements and market results, where they are at hand."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from gridmarl.data.synthetic import shape
from gridmarl.data.table import load_table, window
from gridmarl.errors import DataError

FOLDER = (Path(__file__).parents[2] / ".." / "shared" / "data").resolve()
LOS_ANGELES = "America/Los_Angeles"
ROUNDING = 1e-12


def real(name: str) -> Path:
    if not (FOLDER / name).is_file():
        pytest.skip(f"{name} is not beside this checkout")
    return FOLDER / name


def test_august_2023_is_744_hours_by_the_utc_and_by_the_local_column():
    path = real("caiso_2023-08_hourly.csv")
    table = load_table(path, columns={"price": "lmp_dlap_sce_usd_per_mwh", "demand": "load_dam_forecast_mw"})
    assert (table.intervals, table.interval_h) == (744, 1.0)
    assert table.start_utc == datetime(2023, 8, 1, 7, tzinfo=UTC)
    assert table.columns["price"][:2].tolist() == [70.7554, 68.51359]
    assert table.units == {"price": "per_mwh", "demand": "mw"}
    local = load_table(path, time_column="interval_start_pacific")
    assert (local.start_utc, local.intervals) == (table.start_utc, 744)
    assert len(local.columns) == 8


def test_a_day_of_august_is_found_and_resampled():
    table = load_table(real("caiso_2023-08_hourly.csv"), columns={"demand": "load_dam_forecast_mw"})
    start = table.start_utc + timedelta(days=1)
    hourly = window(table, "demand", start, 24, 1.0)
    assert np.array_equal(hourly, table.columns["demand"][24:48])
    quarters = window(table, "demand", start, 96, 0.25)
    assert quarters.sum() * 0.25 == pytest.approx(hourly.sum(), rel=ROUNDING)


def test_sixteen_months_of_prices_have_no_gap():
    table = load_table(real("caiso_dam_lmp_dlap_2023-06_2024-10.csv"))
    assert table.intervals == 11_760
    assert table.filled == {}
    assert set(table.units.values()) == {"per_mwh"}


def test_germany_2019_keeps_its_negative_prices():
    table = load_table(real("de_lu_2019_hourly.csv"))
    price = table.columns["price_eur_per_mwh"]
    assert (table.intervals, table.interval_h) == (8760, 1.0)
    assert price[2] == -4.08
    assert int((price < 0.0).sum()) > 100


def test_a_home_in_kilowatts_on_standard_time_is_read_in_megawatts():
    path = real("home_ausgrid_c12_2011-2012_30min.csv")
    with pytest.raises(DataError, match=r"2011-10-02 02:00:00.*fixed offset"):
        load_table(path, timezone="Australia/Sydney")  # this file does not follow the clock
    table = load_table(path, timezone="+10:00")
    assert (table.intervals, table.interval_h) == (366 * 48, 0.5)
    assert table.start_utc == datetime(2011, 6, 30, 14, tzinfo=UTC)
    assert table.columns["load_mw"][0] == pytest.approx(0.392e-3, rel=ROUNDING)


def test_five_minute_load_with_outliers_cut_out_is_refused_by_name_and_time():
    path = real("caiso_load_5min_2019-2021_mar-aug.parquet")
    with pytest.raises(DataError) as caught:
        load_table(path, timezone=LOS_ANGELES)
    message = str(caught.value)
    assert "5 empty cells of load_mw (2019-05-11T06:45Z, 2019-05-11T06:50Z, 2019-05-11T06:55Z, ...)" in message
    assert "104568 missing rows (2019-09-01T07:00Z" in message  # the autumns and winters that the file leaves out
    assert "load_hour_ahead_forecast_mw" not in message  # its only empty cells stand in hours that the clock skips


def test_homes_in_kilowatt_hours_and_their_tariff_are_converted():
    table = load_table(real("homes_fontana_ca_17_hourly.parquet"), timezone="-08:00")
    assert table.intervals == 8760
    assert table.columns["home_01_load_mwh"][0] == pytest.approx(2.2758e-3, rel=ROUNDING)
    assert table.columns["tou_price_usd_per_mwh"][0] == pytest.approx(220.0, rel=ROUNDING)
    assert table.columns["carbon_kg_per_mwh"][0] == pytest.approx(170.724, abs=1e-3)


def test_a_modelled_year_in_periods_is_8784_hours_of_local_time():
    table = load_table(real("rts_gmlc_day_ahead_2020.csv"), timezone="America/Phoenix")
    assert (table.intervals, table.interval_h) == (8784, 1.0)
    assert table.start_utc == datetime(2020, 1, 1, 7, tzinfo=UTC)
    assert table.columns["load_mw"].max() == pytest.approx(8191.8, abs=0.1)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("la_lax_tmy3_hourly.csv", "'hour_ending_lst'; allowed: interval starts"),
        ("omie_20090102_h01_curves.csv", "columns without a time"),
        ("ev_sessions_acn_caltech_jpl_2019-2021.parquet", "column 'arrival_utc', repeated time"),
    ],
)
def test_files_that_are_no_regular_tables_of_interval_starts_are_refused(name: str, message: str):
    with pytest.raises(DataError, match=message):
        load_table(real(name))


def test_the_clear_sky_bounds_a_typical_july_in_los_angeles_and_is_reached_on_its_clear_days():
    with real("la_lax_tmy3_hourly.csv").open(encoding="utf-8") as file:
        july = [row for row in csv.DictReader(file) if row["month"] == "7"]
    measured = np.zeros(24)
    for row in july:
        hour = int(row["hour_ending_lst"]) - 1
        measured[hour] = max(measured[hour], float(row["ghi_wh_m2"]))
    overhead_w_per_m2 = 1098.0 * np.exp(-0.059)  # Haurwitz 1945, sun in the zenith
    hours = np.arange(24.0)[:, None] + np.linspace(0.0, 1.0, 12, endpoint=False)  # the mean within each hour
    clear = overhead_w_per_m2 * shape("solar", hours.ravel(), day_of_year=196).reshape(24, 12).mean(axis=1)
    # The shape knows neither the site's longitude nor the equation of time: ten minutes at most, 60 W/m2 at low sun.
    assert np.abs(measured - clear).max() <= 60.0
