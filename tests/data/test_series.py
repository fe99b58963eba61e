"""A scenario's profiles as arrays: where they come from, where episodes begin, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from gridmarl.data import profiles
from gridmarl.data.series import build_series
from gridmarl.environment.core import Core
from gridmarl.errors import DataError
from gridmarl.scenario.scenario import Scenario
from tests.environment.worlds import FLAT, Settings, world

START = datetime(2024, 3, 8, tzinfo=UTC)


def table(path: Path, hours: int = 24 * 4, **columns: object) -> Path:
    """An hourly file; columns are lists or functions of the hour."""
    names = list(columns)
    rows = [",".join(["interval_start_utc", *names])]
    for hour in range(hours):
        values = [f(hour) if callable(f) else f for f in columns.values()]
        rows.append(",".join([(START + timedelta(hours=hour)).isoformat(), *(str(v) for v in values)]))
    path.write_text("\n".join(rows) + "\n")
    return path


def measured(path: Path, **settings: object) -> Scenario:
    base: Settings = {
        "data": path,
        "start": datetime(2024, 3, 10),  # local by definition
        "intervals": 24,
        "profiles": {"demand": {"column": "load_mw", "per": 100}},
    }
    return world(**{**base, **settings})


def test_values_are_one_an_interval_and_repeat() -> None:
    series = build_series(world(intervals=5, profiles={"demand": {"values": (1, 2, 3), "scale": 10, "offset": 1}}))
    assert series.values[0, : profiles.FIRST + 5].tolist() == [31, 11, 21, 31, 11, 21]
    assert series.source == "synthetic"


def test_a_shapes_clock_is_local_and_can_be_shifted() -> None:
    here = {"demand": {"shape": "solar"}, "later": {"shape": "solar", "shift_h": 2}}
    series = build_series(world(intervals=24, start=datetime(2025, 6, 1), profiles=here))  # local
    first, later = (series.values[row, profiles.FIRST : profiles.FIRST + 24] for row in (0, 1))
    assert int(first.argmax()) == 12
    assert int(later.argmax()) == 14
    west = world(intervals=24, start=datetime(2025, 6, 1), timezone="America/Los_Angeles", profiles=here)
    assert np.array_equal(build_series(west).values[0, 1:25], first)
    assert build_series(west).start_utc == datetime(2025, 6, 1, 6, tzinfo=UTC)


@pytest.mark.parametrize("when, hour", [(datetime(2024, 3, 10, 1), 3), (datetime(2024, 11, 3, 1), 1)])
def test_the_local_clock_jumps_with_daylight_saving(when: datetime, hour: int) -> None:
    series = build_series(world(intervals=2, start=when, timezone="America/Los_Angeles", profiles={"demand": FLAT}))
    first = int(series.local_h[profiles.FIRST])
    assert first % 24 == 1
    assert int(series.local_h[profiles.FIRST + 1]) % 24 == hour


def test_episodes_begin_at_the_windows_of_their_split(tmp_path: Path) -> None:
    windows = {"train": ["2024-03-09T02:00:00", "2024-03-10T00:00:00"], "test": ["2024-03-10T12:00:00"]}
    path = table(tmp_path / "a.csv", load_mw=lambda hour: hour)
    scenario = measured(path, windows=windows, intervals=12)
    series = build_series(scenario)
    assert {s: o.tolist() for s, o in series.origins.items()} == {"train": [26, 48], "select": [48], "test": [60]}
    core = Core(scenario, 1, split="train")
    first = []
    for seeds in (np.array([0], np.uint64), None, None):
        core.reset(seeds)
        first.append(core.realised()[0, 0] * 100)
    assert first == [26, 48, 26]
    assert "load_mw" in series.source


def test_hourly_data_serve_a_quarter_hourly_market(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", load_mw=lambda hour: hour)
    series = build_series(measured(path, interval_min=15))
    origin = int(series.origins["test"][0])
    assert (series.values[0, origin : origin + 8] * 100).tolist() == pytest.approx([48] * 4 + [49] * 4)


def test_energy_becomes_mean_power(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", load_mwh=lambda hour: 50)
    for interval_min in (15, 60):
        profile = {"demand": {"column": "load_mwh", "per": 100}}
        series = build_series(measured(path, interval_min=interval_min, profiles=profile))
        assert series.values[0] == pytest.approx(np.full(series.values.shape[1], 0.5), rel=1e-12)


def test_meters_that_read_below_zero_or_beyond_capacity_do_not_break_the_physics(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", solar_mw=lambda hour: (-3, 120)[hour % 2], load_mw=100)
    scenario = measured(
        path,
        profiles={"demand": {"column": "load_mw", "per": 100}, "sun": {"column": "solar_mw", "per": 100}},
        generators=[{"name": "pv", "capacity_mw": 40, "availability": "sun", "renewable": True}],
    )
    core = Core(scenario)
    core.reset(np.array([0], np.uint64))
    outputs = [float(core.step(np.zeros((1, core.width))).seats[0, 0, 0]) for _ in range(4)]
    assert outputs == [0, 40, 0, 40]


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"start": datetime(2024, 3, 8, 12)}, "at least 25 intervals after"),
        ({"start": datetime(2024, 3, 11, 12)}, "24 intervals before"),
        ({"start": datetime(2024, 3, 10, 0, 30)}, "2024-03-10T00:30"),
        ({"profiles": {"demand": {"column": "lod_mw"}}}, "did you mean 'load_mw'"),
        ({"profiles": {"demand": {"column": "price_usd_per_mwh"}}}, "unit of column 'price_usd_per_mwh'"),
        ({"profiles": {"demand": FLAT}}, "at least one profile that names a column"),
        ({"data": Path("nowhere.csv")}, "nowhere.csv"),
    ],
    ids=["too early", "too late", "off the grid", "unknown column", "wrong unit", "unused data", "no file"],
)
def test_data_that_do_not_serve_are_refused_by_name(tmp_path: Path, settings: Settings, said: str) -> None:
    path = table(tmp_path / "a.csv", load_mw=50, price_usd_per_mwh=30)
    with pytest.raises(DataError, match=said):
        build_series(measured(path, **settings))


def test_data_with_a_gap_are_refused_and_the_gap_is_named(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", load_mw=50)
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:30] + lines[33:]) + "\n")
    with pytest.raises(DataError, match="2024-03-09"):
        build_series(measured(path))


@pytest.mark.parametrize("price", [-99.5, 1999.5])
def test_wholesale_prices_that_no_order_may_name_are_refused(tmp_path: Path, price: float) -> None:
    path = table(tmp_path / "a.csv", price_usd_per_mwh=price)
    scenario = measured(
        path,
        market={"cap_per_mwh": 2000},
        profiles={"demand": FLAT, "price": {"unit": "per_mwh", "column": "price_usd_per_mwh"}},
        connection={"limit_mw": 10},
    )
    with pytest.raises(DataError, match=r"plus and minus fees.*floor -100 .. cap 2000"):
        build_series(scenario)


def test_a_synthetic_wholesale_price_never_leaves_what_orders_may_name() -> None:
    wild = {"unit": "per_mwh", "scale": 50, "deviation_absolute": 2000, "minimum": -1e6}
    core = Core(world(profiles={"demand": FLAT, "price": wild}, connection={"limit_mw": 10}, intervals=50))
    core.reset(np.array([0], np.uint64))
    prices = core.realised()[:, 1]
    assert prices.min() == -99
    assert prices.max() == 999
