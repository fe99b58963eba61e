"""Tables: what is read, what is converted, what is refused by name."""

from __future__ import annotations

import logging
import pickle
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gridmarl.data.table import load_table
from gridmarl.errors import DataError

HEADER = "interval_start_utc,load_mw"
HOURS = ["2024-01-01T00:00Z", "2024-01-01T01:00Z", "2024-01-01T02:00Z", "2024-01-01T03:00Z"]
CONVERSION = 1e-15
"""kW to MW is one multiplication: a rounding apart at most, for values below 10."""


def rows(*values: str, times: list[str] = HOURS) -> list[str]:
    return [f"{time},{value}" for time, value in zip(times, values, strict=True)]


def test_importing_the_module_imports_no_pandas():
    code = "import sys, gridmarl.data.table, gridmarl.data.synthetic; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_a_csv_is_read_without_pandas(write_csv):
    path = write_csv(HEADER, rows("1", "2", "3", "4"))
    code = "import sys, gridmarl.data.table as t; t.load_table(sys.argv[1]); sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False, timeout=60).returncode == 0


def test_a_tidy_csv_becomes_a_table(write_csv):
    path = write_csv(HEADER, rows("1.5", "-2", "3e2", "0"))
    table = load_table(path)
    assert table.start_utc == datetime(2024, 1, 1, tzinfo=UTC)
    assert (table.interval_h, table.intervals) == (1.0, 4)
    assert table.end_utc == datetime(2024, 1, 1, 4, tzinfo=UTC)
    assert table.columns["load_mw"].tolist() == [1.5, -2.0, 300.0, 0.0]
    assert table.units == {"load_mw": "mw"}
    assert table.source == str(path)
    assert table.filled == {}


def test_kilowatts_become_megawatts_and_change_their_name(write_csv):
    path = write_csv("timestamp_utc,load_kw,pv_kwh,tou_usd_per_kwh", [f"{time},2500,4,0.25" for time in HOURS])
    table = load_table(path)
    assert dict(table.units) == {"load_mw": "mw", "pv_mwh": "mwh", "tou_usd_per_mwh": "per_mwh"}
    for name, expected in (("load_mw", 2.5), ("pv_mwh", 0.004), ("tou_usd_per_mwh", 250.0)):
        np.testing.assert_allclose(table.columns[name], expected, rtol=CONVERSION)


def test_chosen_columns_get_the_callers_names_and_nothing_else_is_parsed(write_csv):
    path = write_csv("time,note_mw,price_eur_per_mwh,load_kw", [f"{time},broken?,-5.5,1000" for time in HOURS])
    table = load_table(path, columns={"price": "price_eur_per_mwh", "demand": "load_kw"})
    assert set(table.columns) == {"price", "demand"}
    assert table.columns["price"].tolist() == [-5.5] * 4  # negative prices are legal
    assert table.columns["demand"].tolist() == [1.0] * 4


def test_by_default_text_columns_and_columns_without_units_are_left_alone(write_csv):
    path = write_csv("time,zone_c,hour,load_mw", [f"{time},west,{i},7" for i, time in enumerate(HOURS)])
    assert set(load_table(path).columns) == {"load_mw"}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters_quotes_blank_lines_and_a_byte_order_mark_do_not_matter(tmp_path: Path, delimiter: str):
    lines = [["time", '"load_mw"'], [HOURS[0], "1"], [HOURS[1], '"2"']]
    text = "\ufeff" + "\r\n".join(delimiter.join(line) for line in lines) + "\r\n\r\n"
    (tmp_path / "data.csv").write_bytes(text.encode())
    assert load_table(tmp_path / "data.csv").columns["load_mw"].tolist() == [1.0, 2.0]


def test_a_table_cannot_be_edited_and_survives_pickling(write_csv):
    table = load_table(write_csv(HEADER, rows("1", "2", "3", "4")))
    with pytest.raises(ValueError, match="read-only"):
        table.columns["load_mw"][0] = 9.0
    with pytest.raises(AttributeError):
        table.interval_h = 2.0  # pyright: ignore[reportAttributeAccessIssue]  # the mistake under test
    copy = pickle.loads(pickle.dumps(table))  # noqa: S301  # written in the same line
    assert copy.columns["load_mw"].tolist() == [1.0, 2.0, 3.0, 4.0]


def test_neither_the_file_nor_the_callers_mapping_is_touched(write_csv):
    path = write_csv(HEADER, rows("1", "", "3", "4"))
    before, columns = path.read_bytes(), {"demand": "load_mw"}
    load_table(path, columns=columns, gaps="hold")
    assert path.read_bytes() == before
    assert columns == {"demand": "load_mw"}


# Gaps


@pytest.mark.parametrize("missing", ["", "NaN", "n/a", "null", "inf", "-Infinity", " "])
def test_a_missing_value_is_refused_by_column_and_time(write_csv, missing: str):
    with pytest.raises(DataError, match=r"1 empty cells of load_mw \(2024-01-01T02:00Z\).*gaps='interpolate'"):
        load_table(write_csv(HEADER, rows("1", "2", missing, "4")))


def test_missing_rows_are_counted_and_the_first_are_named(write_csv):
    times = [f"2024-01-01T{hour:02d}:00Z" for hour in (0, 1, 2, 3, 9)]
    message = r"5 missing rows \(2024-01-01T04:00Z, 2024-01-01T05:00Z, 2024-01-01T06:00Z, \.\.\.\)"
    with pytest.raises(DataError, match=message):
        load_table(write_csv(HEADER, rows("1", "1", "1", "1", "1", times=times)))


@pytest.mark.parametrize(("gaps", "expected"), [("interpolate", [1, 2, 3, 4, 6, 8]), ("hold", [1, 1, 1, 4, 4, 8])])
def test_gaps_are_filled_only_when_asked_counted_and_logged(write_csv, caplog, gaps, expected):
    times = [f"2024-01-01T{hour:02d}:00Z" for hour in (0, 1, 2, 3, 5)]  # the row of 04:00 is missing
    path = write_csv(HEADER, rows("1", "", "", "4", "8", times=times))
    with caplog.at_level(logging.WARNING, logger="gridmarl"):
        table = load_table(path, gaps=gaps)
    assert table.columns["load_mw"].tolist() == expected
    assert table.filled == {"load_mw": 3}
    assert "2 empty cells of load_mw" in caplog.text
    assert "1 missing rows" in caplog.text


@pytest.mark.parametrize(
    ("gaps", "values"),
    [("hold", ["", "2", "3", "4"]), ("interpolate", ["", "2", "3", "4"]), ("interpolate", ["1", "2", "3", ""])],
)
def test_a_gap_with_nothing_to_fill_it_from_is_refused_still(write_csv, gaps, values):
    with pytest.raises(DataError, match=r"load_mw.*cannot be filled"):
        load_table(write_csv(HEADER, rows(*values)), gaps=gaps)


def test_a_column_without_a_single_value_is_a_gap_however_it_is_asked_for(write_csv):
    path = write_csv("time,load_mw,solar_mw", [f"{time},,1" for time in HOURS])
    for gaps in ("refuse", "interpolate", "hold"):
        with pytest.raises(DataError, match="load_mw"):
            load_table(path, gaps=gaps)


def test_an_unknown_way_to_fill_gaps_is_refused_with_a_suggestion(write_csv):
    with pytest.raises(DataError, match="did you mean 'interpolate'"):
        load_table(write_csv(HEADER, rows("1", "2", "3", "4")), gaps="interpolation")  # pyright: ignore[reportArgumentType]  # under test


# Refusals


def test_a_missing_file_is_refused_by_path(tmp_path: Path):
    with pytest.raises(DataError, match=r"nowhere\.csv does not exist"):
        load_table(tmp_path / "nowhere.csv")


def test_a_folder_is_no_table(tmp_path: Path):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match=r"folder\.csv is a folder"):
        load_table(tmp_path / "folder.csv")


def test_another_file_type_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match=r"file type: got '\.xlsx'; allowed: one of \.csv, \.parquet, \.pq"):
        load_table(tmp_path / "book.xlsx")


@pytest.mark.parametrize(
    ("text", "message"), [("", "is empty"), ("time,load_mw\n", "has no rows"), ("\n\n", "is empty")]
)
def test_an_empty_file_is_refused(tmp_path: Path, text: str, message: str):
    (tmp_path / "data.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        load_table(tmp_path / "data.csv")


def test_one_row_says_no_interval_and_is_refused(write_csv):
    with pytest.raises(DataError, match="rows with a time: got 1; allowed: at least 2"):
        load_table(write_csv(HEADER, [f"{HOURS[0]},1"]))


@pytest.mark.parametrize("name", ["data.csv", "data.parquet"])
def test_a_file_that_is_something_else_is_refused(tmp_path: Path, name: str):
    (tmp_path / name).write_bytes(b"\xff\xfe\x00\x01" * 9)
    with pytest.raises(DataError, match=f"{name} cannot be read as"):
        load_table(tmp_path / name)


def test_a_missing_column_is_refused_with_the_nearest_name(write_csv):
    with pytest.raises(DataError, match=r"column for 'demand': got 'laod_mw'.*did you mean 'load_mw'"):
        load_table(write_csv(HEADER, rows("1", "2", "3", "4")), columns={"demand": "laod_mw"})


def test_a_chosen_column_without_a_unit_is_refused(write_csv):
    path = write_csv("time,load", [f"{time},1" for time in HOURS])
    with pytest.raises(DataError, match="'load'; allowed: a name ending in _per_mwh"):
        load_table(path, columns={"demand": "load"})
    with pytest.raises(DataError, match="columns without a unit"):
        load_table(path)


def test_no_columns_at_all_are_refused(write_csv):
    with pytest.raises(DataError, match="at least one"):
        load_table(write_csv(HEADER, rows("1", "2", "3", "4")), columns={})


def test_two_columns_that_would_get_one_name_are_refused(write_csv):
    path = write_csv("time,load_mw,load_kw", [f"{time},1,1000" for time in HOURS])
    with pytest.raises(DataError, match=r"two columns for 'load_mw': got \['load_mw', 'load_kw'\]"):
        load_table(path)


def test_a_header_that_says_a_name_twice_is_refused(write_csv):
    with pytest.raises(DataError, match=r"occur twice: got \['load_mw'\]"):
        load_table(write_csv("time,load_mw,load_mw", [f"{time},1,2" for time in HOURS]))


def test_a_row_that_is_too_long_or_short_is_refused(write_csv):
    with pytest.raises(DataError, match="row 3, number of cells: got 3; allowed: 2"):
        load_table(write_csv(HEADER, [f"{HOURS[0]},1", f"{HOURS[1]},1,2", f"{HOURS[2]},1"]))


@pytest.mark.parametrize("text", ["12..5", "1_000", "twelve", "12 MW"])
def test_an_unparseable_number_is_refused_with_its_row_and_column(write_csv, text: str):
    with pytest.raises(DataError, match=f"column 'load_mw', row 4: got '{text}'"):
        load_table(write_csv(HEADER, rows("1", "2", text, "4")))


# Parquet


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "America/Los_Angeles"])
def test_parquet_times_of_any_precision_and_zone_are_understood(tmp_path: Path, unit, zone):
    times = pd.date_range("2024-11-03", periods=6, freq="h", tz=zone, unit=unit)
    pd.DataFrame({"timestamp": times, "load_kw": np.arange(6)}).to_parquet(tmp_path / "data.parquet")
    table = load_table(tmp_path / "data.parquet", timezone="UTC")
    assert table.start_utc == datetime(2024, 11, 3, 7 if zone == "America/Los_Angeles" else 0, tzinfo=UTC)
    assert table.interval_h == 1.0
    np.testing.assert_allclose(table.columns["load_mw"], np.arange(6) / 1000.0, rtol=CONVERSION)


@pytest.mark.parametrize("name", [None, "time"])
def test_a_parquet_index_of_times_is_found(tmp_path: Path, name):
    index = pd.date_range("2024-01-01", periods=3, freq="15min", tz="UTC", name=name)
    pd.DataFrame({"solar_share": [0.0, 0.5, 1.0]}, index=index).to_parquet(tmp_path / "data.parquet")
    table = load_table(tmp_path / "data.parquet")
    assert table.interval_h == 0.25
    assert table.columns["solar_share"].tolist() == [0.0, 0.5, 1.0]


@pytest.mark.parametrize("dtype", ["float32", "int64", "Int64", "Float64"])
def test_parquet_numbers_of_any_type_are_read(tmp_path: Path, dtype: str):
    pd.DataFrame({"time": HOURS, "load_mw": pd.array([1, 2, 3, 4], dtype=dtype)}).to_parquet(tmp_path / "data.pq")
    assert load_table(tmp_path / "data.pq").columns["load_mw"].tolist() == [1.0, 2.0, 3.0, 4.0]


def test_a_null_in_parquet_is_a_gap_and_a_time_that_is_missing_is_refused_by_row(tmp_path: Path):
    numbers = pd.array([1, None, 3, 4], dtype="Int64")
    pd.DataFrame({"time": HOURS, "load_mw": numbers}).to_parquet(tmp_path / "data.parquet")
    with pytest.raises(DataError, match=r"load_mw \(2024-01-01T01:00Z\)"):
        load_table(tmp_path / "data.parquet")
    times = [pd.Timestamp(text) for text in HOURS[:3]] + [pd.NaT]
    pd.DataFrame({"time": times, "load_mw": [1, 2, 3, 4]}).to_parquet(tmp_path / "data.parquet")
    with pytest.raises(DataError, match="column 'time', row 4: got ''"):
        load_table(tmp_path / "data.parquet")


def test_numbers_are_no_times(tmp_path: Path):
    pd.DataFrame({"time": [0, 3600], "load_mw": [1, 2]}).to_parquet(tmp_path / "data.parquet")
    with pytest.raises(DataError, match=r"column 'time', row 1: got 0\.0; allowed: ISO 8601"):
        load_table(tmp_path / "data.parquet")


def test_a_table_without_rows_is_refused_in_parquet_too(tmp_path: Path):
    pd.DataFrame({"time": pd.to_datetime([]), "load_mw": np.zeros(0)}).to_parquet(tmp_path / "data.parquet")
    with pytest.raises(DataError, match="has no rows"):
        load_table(tmp_path / "data.parquet")
