"""Times: offsets, local clocks over their 23 and 25 hour days, and grids that are none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gridmarl.data.table import TimeTable, load_table
from gridmarl.errors import DataError

LOS_ANGELES = "America/Los_Angeles"
SPRING = [f"2024-03-10 {hour:02d}:00" for hour in range(24) if hour != 2]
AUTUMN = [f"2024-11-03 {hour:02d}:00" for hour in (0, 1, 1, *range(2, 24))]


def load(write_csv, times, header="interval_start,load_mw", **options) -> TimeTable:
    return load_table(write_csv(header, [f"{time},{i}" for i, time in enumerate(times)]), **options)


def test_a_spring_day_of_23_hours_has_no_gap(write_csv):
    table = load(write_csv, SPRING, timezone=LOS_ANGELES)
    assert table.start_utc == datetime(2024, 3, 10, 8, tzinfo=UTC)  # midnight, UTC-8
    assert table.end_utc == datetime(2024, 3, 11, 7, tzinfo=UTC)  # midnight, UTC-7
    assert table.columns["load_mw"].tolist() == list(range(23))


def test_an_autumn_day_of_25_hours_keeps_both_passes_of_the_repeated_hour_in_order(write_csv):
    table = load(write_csv, AUTUMN, timezone=LOS_ANGELES)
    assert table.start_utc == datetime(2024, 11, 3, 7, tzinfo=UTC)
    assert table.end_utc == datetime(2024, 11, 4, 8, tzinfo=UTC)
    assert table.columns["load_mw"].tolist() == list(range(25))


@pytest.mark.parametrize("minutes", [5, 15, 30])
def test_the_repeated_hour_is_resolved_at_any_interval(write_csv, minutes: int):
    count = 25 * 60 // minutes
    start = datetime(2024, 11, 3, 7, tzinfo=UTC)
    hours = [start + timedelta(minutes=minutes * i) for i in range(count)]
    local = [
        (t - timedelta(hours=7 if t < start + timedelta(hours=2) else 8)).strftime("%Y-%m-%d %H:%M") for t in hours
    ]
    table = load(write_csv, local, timezone=LOS_ANGELES)
    assert table.interval_h == minutes / 60
    assert table.columns["load_mw"].tolist() == list(range(count))


def test_a_row_missing_in_the_first_pass_is_not_taken_from_the_second(write_csv):
    first = ["00:30", "01:00", "01:30"]
    times = [f"2024-11-03 {time}" for time in (*first[:2], "01:00", "01:30", "02:00", "02:30")]  # first 01:30 missing
    with pytest.raises(DataError, match=r"1 missing rows \(2024-11-03T08:30Z\)"):
        load(write_csv, times, timezone=LOS_ANGELES)


def test_an_autumn_day_of_24_hours_lacks_one(write_csv):
    with pytest.raises(DataError, match=r"1 missing rows \(2024-11-03T09:00Z\)"):
        load(write_csv, [*AUTUMN[:2], *AUTUMN[3:]], timezone=LOS_ANGELES)


def test_an_hour_that_comes_three_times_is_refused(write_csv):
    with pytest.raises(DataError, match=r"repeated time \(1 such rows, the first is row 5\): got '2024-11-03T09:00Z'"):
        load(write_csv, [*AUTUMN[:3], AUTUMN[2], *AUTUMN[3:]], timezone=LOS_ANGELES)


def test_a_value_in_the_hour_that_the_clock_skips_is_refused_with_the_remedy(write_csv):
    times = [*SPRING[:2], "2024-03-10 02:00", *SPRING[2:]]
    with pytest.raises(DataError, match=r"row 4, a time that this clock skips: got '2024-03-10 02:00'.*fixed offset"):
        load(write_csv, times, timezone=LOS_ANGELES)
    assert load(write_csv, times, timezone="-08:00").intervals == 24  # the remedy works


def test_an_empty_row_in_the_hour_that_the_clock_skips_is_dropped(write_csv):
    rows = [f"{time},{i}" for i, time in enumerate(SPRING)]
    path = write_csv("time,load_mw", [*rows[:2], "2024-03-10 02:00,", *rows[2:]])
    table = load_table(path, timezone=LOS_ANGELES)
    assert table.columns["load_mw"].tolist() == list(range(23))
    assert table.filled == {}


@pytest.mark.parametrize(
    ("times", "start"),
    [
        (["2023-08-01T00:00:00-0700", "2023-08-01T01:00:00-0700"], datetime(2023, 8, 1, 7, tzinfo=UTC)),
        (["2023-08-01 00:00-07:00", "2023-08-01 01:00-07:00"], datetime(2023, 8, 1, 7, tzinfo=UTC)),
        (["2024-11-03T01:30-07:00", "2024-11-03T01:30-08:00"], datetime(2024, 11, 3, 8, 30, tzinfo=UTC)),
        (["2023-08-01T00:00:00.000Z", "2023-08-01T01:00:00.000Z"], datetime(2023, 8, 1, tzinfo=UTC)),
    ],
)
def test_offsets_in_the_text_are_understood_and_need_no_zone(write_csv, times, start):
    assert load(write_csv, times).start_utc == start
    assert load(write_csv, times, timezone="Europe/Berlin").start_utc == start  # what a time says of itself wins


def test_a_column_named_utc_needs_no_zone_and_wins_over_a_local_one(write_csv):
    header = "interval_start_pacific,interval_start_utc,load_mw"
    times = ["2023-08-01 00:00,2023-08-01 07:00", "2023-08-01 01:00,2023-08-01 08:00"]
    assert load(write_csv, times, header).start_utc == datetime(2023, 8, 1, 7, tzinfo=UTC)
    given = load(write_csv, times, header, time_column="interval_start_pacific", timezone=LOS_ANGELES)
    assert given.start_utc == datetime(2023, 8, 1, 7, tzinfo=UTC)


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "+05:30", "+0530"])
def test_zones_of_half_hours_and_fixed_offsets_are_understood(write_csv, zone: str):
    times = ["2024-01-01 05:30", "2024-01-01 06:30"]
    assert load(write_csv, times, timezone=zone).start_utc == datetime(2024, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "name", ["timestamp_utc", "timestamp", "time", "datetime", "Date", "interval_start_local", "start_utc"]
)
def test_time_columns_are_found_by_name(write_csv, name: str):
    assert load(write_csv, ["2024-01-01", "2024-01-02"], f"{name},load_mw", timezone="UTC").interval_h == 24.0


def test_a_price_is_no_time_although_its_name_begins_like_one(write_csv):
    header = "time_of_use_usd_per_mwh,date,load_mw"
    assert load(write_csv, ["30,2024-01-01", "30,2024-01-02"], header, timezone="UTC").intervals == 2


# Refusals


def test_a_local_time_without_a_zone_is_refused_with_the_remedy(write_csv):
    with pytest.raises(DataError, match=r"local time without a zone.*pass timezone='America/Los_Angeles'"):
        load(write_csv, SPRING)


@pytest.mark.parametrize("zone", ["America/Los_Angles", "America", "+25:00", "", "../etc"])
def test_an_unknown_zone_is_refused(write_csv, zone: str):
    with pytest.raises(DataError, match="timezone: got"):
        load(write_csv, SPRING, timezone=zone)


def test_a_misspelt_zone_gets_a_suggestion(write_csv):
    with pytest.raises(DataError, match="did you mean 'America/Los_Angeles'"):
        load(write_csv, SPRING, timezone="America/Los_Angles")


def test_a_table_without_a_time_column_is_refused_and_its_columns_are_named(write_csv):
    with pytest.raises(DataError, match=r"columns without a time: got \['period', 'load_mw'\]"):
        load(write_csv, ["1", "2"], "period,load_mw")


def test_a_missing_time_column_is_refused_with_the_nearest_name(write_csv):
    with pytest.raises(DataError, match=r"time column: got 'timestam'.*did you mean 'timestamp'"):
        load(write_csv, SPRING, "timestamp,load_mw", time_column="timestam")


@pytest.mark.parametrize("wanted", [None, "hour_ending_utc"])
def test_interval_ends_are_refused_because_they_would_shift_everything(write_csv, wanted):
    with pytest.raises(DataError, match="'hour_ending_utc'; allowed: interval starts; subtract one interval"):
        load(write_csv, SPRING, "hour_ending_utc,load_mw", time_column=wanted)


@pytest.mark.parametrize("text", ["08/01/2024 00:00", "2024-13-01 00:00", "noon", "", "1704067200", "2024-01-01 24:30"])
def test_an_unparseable_time_is_refused_with_its_row(write_csv, text: str):
    with pytest.raises(DataError, match=rf"column 'time_utc', row 3: got '{text}'; allowed: ISO 8601"):
        load(write_csv, ["2024-01-01 00:00", text], "time_utc,load_mw")


def test_a_repeated_time_is_refused_by_name(write_csv):
    times = ["2024-01-01 00:00", "2024-01-01 01:00", "2024-01-01 01:00", "2024-01-01 02:00"]
    with pytest.raises(DataError, match=r"repeated time \(1 such rows, the first is row 4\): got '2024-01-01T01:00Z'"):
        load(write_csv, times, "time_utc,load_mw")


def test_unsorted_times_are_refused_with_the_remedy(write_csv):
    times = ["2024-01-01 00:00", "2024-01-01 02:00", "2024-01-01 01:00", "2024-01-01 03:00"]
    with pytest.raises(DataError, match=r"out of order time .*row 4\): got '2024-01-01T01:00Z'.*sort the rows"):
        load(write_csv, times, "time_utc,load_mw")


def test_an_irregular_time_is_refused_by_name(write_csv):
    times = ["2024-01-01 00:00", "2024-01-01 01:00", "2024-01-01 02:00", "2024-01-01 02:25", "2024-01-01 03:00"]
    with pytest.raises(
        DataError, match=r"irregular time .*row 5\): got '2024-01-01T02:25Z'; allowed: a whole number of 1 h"
    ):
        load(write_csv, times, "time_utc,load_mw")
