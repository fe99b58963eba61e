"""Tables that spread their times over year, month, day and period."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gridmarl.data.table import load_table
from gridmarl.errors import DataError

HOURS = "".join(f"2020,2,29,{p},{100 + p}\n" for p in range(1, 25))


def written(folder: Path, rows: str) -> Path:
    path = folder / "series.csv"
    path.write_text("Year,Month,Day,Period,load_mw\n" + rows)
    return path


def test_period_one_begins_at_midnight_and_24_make_hours(tmp_path: Path) -> None:
    table = load_table(written(tmp_path, HOURS), timezone="America/Phoenix")
    assert (table.start_utc, table.interval_h) == (datetime(2020, 2, 29, 7, tzinfo=UTC), 1.0)
    assert table.columns["load_mw"].tolist() == [100.0 + p for p in range(1, 25)]
    assert list(table.columns) == ["load_mw"]


def test_288_periods_make_five_minutes(tmp_path: Path) -> None:
    rows = "".join(f"2020,7,1,{p},1\n" for p in range(1, 289))
    assert load_table(written(tmp_path, rows), timezone="UTC").interval_h == pytest.approx(1 / 12)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("2021,2,29,1,5\n", r"series.csv, row 2, date: got '2021-2-29'; allowed: a day that exists"),
        ("2020,2,29,0,5\n", r"series.csv, column 'Period', row 2: got 0.0; allowed: a whole number from 1"),
        ("2020,2,29,1.5,5\n", r"column 'Period', row 2: got 1.5"),
        ("2020,,29,1,5\n", r"column 'Month', row 2: got nan"),
    ],
)
def test_a_time_that_does_not_exist_is_named(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_table(written(tmp_path, row + HOURS), timezone="UTC")
