"""A series as local days: clock changes, unfinished days, and what is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pytest

from gridmarl.data.table import TimeTable
from gridmarl.errors import DataError
from gridmarl.forecasting.days import Days, days_of, local_days

BERLIN = "Europe/Berlin"


def table(start: datetime, values, interval_h: float = 1.0) -> TimeTable:
    return TimeTable(start, interval_h, {"price": np.asarray(values, dtype=float)}, {"price": "per_mwh"}, "a.csv", {})


def test_utc_days_are_the_rows_of_the_series():
    days = local_days(table(datetime(2024, 5, 1, tzinfo=UTC), np.arange(48)), "price")
    assert np.array_equal(days.values, np.arange(48.0).reshape(2, 24))
    assert days.measured.all()
    assert days.first == date(2024, 5, 1)
    assert days.weekday.tolist() == [2, 3]
    assert days.step_h == 1.0


def test_unfinished_first_and_last_days_are_left_out():
    days = local_days(table(datetime(2024, 5, 1, 5, tzinfo=UTC), np.arange(19 + 24 + 3)), "price")
    assert days.first == date(2024, 5, 2)
    assert np.array_equal(days.values, 19.0 + np.arange(24.0)[None])


def test_the_hour_skipped_in_spring_is_interpolated_and_marked():
    days = local_days(table(datetime(2019, 3, 30, 23, tzinfo=UTC), 10.0 * np.arange(23)), "price", BERLIN)
    assert days.first == date(2019, 3, 31)
    assert days.values.shape == (1, 24)
    assert np.flatnonzero(~days.measured[0]).tolist() == [2]
    assert days.values[0, :4].tolist() == [0.0, 10.0, 15.0, 20.0]


def test_the_hour_repeated_in_autumn_is_the_mean_of_the_two():
    days = local_days(table(datetime(2019, 10, 26, 22, tzinfo=UTC), 10.0 * np.arange(25)), "price", BERLIN)
    assert days.values[0, :5].tolist() == [0.0, 10.0, 25.0, 40.0, 50.0]
    assert days.measured.all()


def test_quarter_hours_are_ninety_six_steps():
    days = local_days(table(datetime(2024, 5, 1, tzinfo=UTC), np.arange(96), 0.25), "price")
    assert np.array_equal(days.values[0], np.arange(96.0))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_value_that_is_no_number_is_named_by_its_day_and_step(bad: float):
    values = np.ones((3, 24))
    values[1, 7] = bad
    with pytest.raises(DataError, match=r"step 7 of 2024-05-02"):
        days_of(values, date(2024, 5, 1))


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match="shapes"):
        Days(np.ones((2, 24)), np.ones((2, 23), dtype=bool), date(2024, 5, 1))


def test_an_unknown_column_suggests_the_nearest():
    with pytest.raises(DataError, match="did you mean 'price'"):
        local_days(table(datetime(2024, 5, 1, tzinfo=UTC), np.arange(24)), "prise")


@pytest.mark.parametrize("interval_h, count, word", [(5.0, 50, "divides a day"), (1.0, 20, "one whole day")])
def test_series_without_whole_days_are_refused(interval_h: float, count: int, word: str):
    with pytest.raises(DataError, match=word):
        local_days(table(datetime(2024, 5, 1, tzinfo=UTC), np.arange(count), interval_h), "price")
