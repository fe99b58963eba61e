"""Windows: a stretch of one column on another interval."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from gridmarl.data.table import TimeTable, window
from gridmarl.errors import DataError

START = datetime(2024, 1, 1, tzinfo=UTC)
TABLE = TimeTable(
    START,
    1.0,
    {"price": np.array([10.0, -20.0, 30.0, 40.0]), "load": np.array([1.0, 2.0, 3.0, 4.0])},
    {"price": "per_mwh", "load": "mwh"},
    "made.csv",
    {},
)


@pytest.mark.parametrize(
    ("profile", "start_h", "intervals", "interval_h", "expected"),
    [
        ("price", 0.0, 4, 1.0, [10.0, -20.0, 30.0, 40.0]),
        ("price", 1.0, 2, 1.0, [-20.0, 30.0]),
        ("price", 0.5, 3, 0.5, [10.0, -20.0, -20.0]),
        ("price", 1.0, 1, 2.0, [5.0]),
        ("price", 0.0, 2, 2.0, [-5.0, 35.0]),
        ("load", 0.0, 2, 2.0, [3.0, 7.0]),
        ("load", 2.75, 3, 0.25, [0.75, 1.0, 1.0]),
        ("price", 3.0, 12, 5.0 / 60.0, [40.0] * 12),
    ],
)
def test_stretches_are_as_computed_by_hand(profile, start_h, intervals, interval_h, expected):
    values = window(TABLE, profile, START + timedelta(hours=start_h), intervals, interval_h)
    assert values.tolist() == expected


def test_a_window_is_a_copy():
    window(TABLE, "price", START, 4, 1.0)[:] = 0.0
    assert TABLE.columns["price"].tolist() == [10.0, -20.0, 30.0, 40.0]


def test_the_start_may_be_told_in_any_zone():
    local = datetime(2024, 1, 1, 2, tzinfo=timezone(timedelta(hours=1)))
    assert window(TABLE, "price", local, 1, 1.0).tolist() == [-20.0]


@pytest.mark.parametrize(
    ("start_h", "intervals", "interval_h"), [(-1, 2, 1.0), (3, 2, 1.0), (4, 1, 0.5), (3, 1, 2.0), (90, 1, 1.0)]
)
def test_a_stretch_outside_is_refused_and_the_cover_is_named(start_h, intervals, interval_h):
    with pytest.raises(DataError, match=r"stretch of made\.csv.*within 2024-01-01T00:00Z to 2024-01-01T04:00Z"):
        window(TABLE, "price", START + timedelta(hours=start_h), intervals, interval_h)


def test_an_unknown_column_is_refused_with_a_suggestion():
    with pytest.raises(DataError, match=r"got 'prise'.*did you mean 'price'"):
        window(TABLE, "prise", START, 1, 1.0)


def test_a_start_without_a_zone_is_refused():
    with pytest.raises(DataError, match="start_utc: got '2024-01-01T00:00:00'; allowed: a time with a time zone"):
        window(TABLE, "price", START.replace(tzinfo=None), 1, 1.0)


def test_a_start_between_the_lines_of_the_grid_is_refused():
    with pytest.raises(DataError, match=r"start on the grid of made\.csv"):
        window(TABLE, "price", START + timedelta(minutes=10), 1, 1.0)


def test_no_intervals_are_refused():
    with pytest.raises(DataError, match="intervals: got 0"):
        window(TABLE, "price", START, 0, 1.0)


@pytest.mark.parametrize("interval_h", [0.7, 0.0, -1.0, float("nan")])
def test_an_interval_that_does_not_fit_the_table_is_refused(interval_h: float):
    with pytest.raises(DataError, match=r"ratio of intervals|interval_h"):
        window(TABLE, "price", START, 1, interval_h)
