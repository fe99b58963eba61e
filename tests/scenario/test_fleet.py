"""A fleet is drawn from a seed or read from a table of units; both have the shape of RTS-GMLC."""

from __future__ import annotations

import csv
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gridmarl.agents.make import scenario_of
from gridmarl.errors import DataError, ScenarioError
from gridmarl.scenario.fleet import Fleet
from gridmarl.scenario.fleet_classes import CLASSES, RTS
from gridmarl.scenario.fleet_table import REQUIRED, is_fleet, read_units
from gridmarl.scenario.fleet_units import CostFit, Unit, committed, fit_cost
from gridmarl.scenario.scenario import Scenario
from tests.environment.worlds import FLAT, world

FOLDER = (Path(__file__).parents[2] / ".." / "shared" / "data").resolve()
COUNTS = {
    "nuclear": 1,
    "coal": 16,
    "gas-cc": 10,
    "gas-ct": 27,
    "oil-ct": 12,
    "oil-steam": 7,
    "hydro": 20,
    "wind": 4,
    "solar": 25,
    "rooftop": 31,
    "csp": 1,
    "storage": 1,
    "condenser": 3,
}
"""Of the published generator table: 158 rows, of which 154 generate."""
MERIT = ("nuclear", "coal", "gas-cc", "gas-ct", "oil-ct", "oil-steam")
ROUNDING = 1e-9

HEADER = (
    *REQUIRED,
    "seg1_mw",
    "seg1_cost_usd_per_mwh",
    "vom_usd_per_mwh",
    "fuel_price_usd_per_mmbtu",
    "start_heat_cold_mmbtu",
    "start_cost_nonfuel_usd",
)
COAL = {
    "gen_uid": "7_STEAM_1",
    "unit_type": "STEAM",
    "fuel": "Coal",
    "p_max_mw": "100",
    "p_min_mw": "40",
    "ramp_mw_per_min": "2",
    "co2_t_per_mwh": "0.95",
    "seg0_mw": "50",
    "seg0_cost_usd_per_mwh": "20",
    "seg1_mw": "100",
    "seg1_cost_usd_per_mwh": "40",
    "vom_usd_per_mwh": "1.5",
    "fuel_price_usd_per_mmbtu": "2",
    "start_heat_cold_mmbtu": "3000",
    "start_cost_nonfuel_usd": "500",
}
SUN = {"gen_uid": "7_PV_1", "unit_type": "PV", "fuel": "Solar", "p_max_mw": "30"}
CELL = {"gen_uid": "7_S", "unit_type": "STORAGE", "fuel": "Storage", "p_max_mw": "20"}
TURNS = {"gen_uid": "7_C", "unit_type": "SYNC_COND", "fuel": "Sync_Cond", "p_max_mw": "0"}


def table(folder: Path, *units: dict[str, str], header: tuple[str, ...] = HEADER) -> Path:
    path = folder / "units.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, header, restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(units)
    return path


def real() -> Path:
    path = FOLDER / "fleet_rts_gmlc.csv"
    if not path.is_file():
        pytest.skip(f"{path.name} is not beside this checkout")
    return path


# Drawn from a seed.


def test_a_drawn_fleet_counts_158_units_of_which_154_generate_one_stores_and_three_only_turn() -> None:
    fleet = Fleet()
    assert Counter(unit.group for unit in fleet.units) == COUNTS
    assert (len(fleet.units), len(fleet.generators), len(fleet.storage)) == (158, 154, 1)
    assert len({unit.name for unit in fleet.units}) == 158


@given(st.integers(0, 2**31))
def test_any_seed_keeps_to_the_ranges_of_its_classes(seed: int) -> None:
    for unit in Fleet(seed=seed).units:
        draw, rounding = RTS[unit.group], 0.051
        low, high = draw.capacity_mw
        assert low - rounding <= unit.capacity_mw <= high + rounding
        low, high = draw.minimum_share
        assert low * unit.capacity_mw - rounding <= unit.minimum_mw <= high * unit.capacity_mw + rounding
        low, high = (h * f / 1000 for h, f in zip(draw.heat_rate_btu_per_kwh, draw.fuel_per_mmbtu, strict=True))
        assert low - 1e-3 <= unit.full_load_per_mwh <= high + 1e-3
        assert unit.cost.cost_per_mwh >= 0
        assert unit.cost.cost_per_mw2h >= 0
        assert unit.start_cost >= 0


def test_a_seed_gives_one_fleet_and_another_seed_another() -> None:
    assert Fleet(seed=3).units == Fleet(seed=3).units
    assert Fleet(seed=3).units != Fleet(seed=4).units


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_classes_stand_in_their_order_of_merit(seed: int) -> None:
    classes = Fleet(seed=seed).classes()
    for cheaper, dearer in pairwise(MERIT):
        assert classes[cheaper].lowest_per_mwh < classes[dearer].lowest_per_mwh
    assert classes["coal"].co2_kg_per_mwh > 2 * classes["gas-cc"].co2_kg_per_mwh > 0
    assert classes["wind"].highest_per_mwh == 0


# Costs.


def test_a_curve_that_is_linear_quadratic_is_found_exactly() -> None:
    mw = [20.0, 50.0, 80.0]
    fit = fit_cost(mw, [12 * p + 0.03 * p**2 for p in mw])
    assert (fit.cost_per_mwh, fit.cost_per_mw2h) == (pytest.approx(12, rel=ROUNDING), pytest.approx(0.03, rel=ROUNDING))
    assert fit.worst_share == pytest.approx(0, abs=ROUNDING)


def test_a_falling_average_cost_becomes_a_line_that_says_how_far_it_is_off() -> None:
    # C(50) = 1500, C(100) = 2000: a = (50 1500 + 100 2000) / (50² + 100²) = 22; errors -400 / 1500 and 200 / 2000.
    fit = fit_cost([50, 100], [1500, 2000])
    assert (fit.cost_per_mwh, fit.cost_per_mw2h) == (pytest.approx(22), 0)
    assert (fit.worst_share, fit.full_load_share) == (pytest.approx(400 / 1500), pytest.approx(0.1))


@given(st.lists(st.tuples(st.floats(1, 100), st.floats(0.1, 200)), min_size=1, max_size=5))
def test_a_fit_is_the_best_of_all_that_rise(steps: list[tuple[float, float]]) -> None:
    mw, cost = np.cumsum([s for s, _ in steps]), np.cumsum([s * price for s, price in steps])
    fit = fit_cost(list(mw), list(cost))
    assert fit.cost_per_mwh >= 0
    assert fit.cost_per_mw2h >= 0

    def squares(a: float, b: float) -> float:
        return float(np.sum((a * mw + b * mw**2 - cost) ** 2))

    best = squares(fit.cost_per_mwh, fit.cost_per_mw2h)
    step_a, step_b = 1e-4 * cost[-1] / mw[-1], 1e-4 * cost[-1] / mw[-1] ** 2
    for a, b in ((step_a, 0), (-step_a, 0), (0, step_b), (0, -step_b), (step_a, -step_b), (-step_a, step_b)):
        if fit.cost_per_mwh + a >= 0 and fit.cost_per_mw2h + b >= 0:
            assert best <= squares(fit.cost_per_mwh + a, fit.cost_per_mw2h + b) + 1e-9 * float(cost @ cost)


def test_the_cheapest_units_up_to_a_share_of_the_fuelled_capacity_keep_their_minimum() -> None:
    units = [
        Unit(name, group, mw, mw / 2, 60.0, CostFit(cost, 0.0), 0.0, 0.0)
        for name, group, mw, cost in (
            ("peak", "gas-ct", 100.0, 60.0),
            ("base", "coal", 200.0, 20.0),
            ("middle", "gas-cc", 100.0, 30.0),
            ("sun", "solar", 500.0, 0.0),
        )
    ]
    assert committed(units, 0.4) == frozenset()
    assert committed(units, 0.5) == {"base"}
    assert committed(units, 0.75) == {"base", "middle"}
    assert committed(units, 1.0) == {"base", "middle", "peak"}


def test_less_than_half_of_all_minima_are_kept_in_the_world_rts() -> None:
    scenario = Scenario.load("rts")
    assert scenario.fleet is not None
    minima = sum(g.minimum_mw for g in scenario.fleet.generators)
    everything = sum(u.minimum_mw for u in scenario.fleet.units if CLASSES[u.group].role == "fuel")
    assert 0 < minima < 0.5 * everything


# From a table.


def test_a_row_becomes_a_generator_in_the_markets_units(tmp_path: Path) -> None:
    fleet = Fleet(file=table(tmp_path, COAL, SUN, CELL, TURNS), committed_share=1)
    coal, sun = fleet.generators
    (battery,) = fleet.storage
    assert len(fleet.units) == 4
    assert (coal.name, coal.technology, coal.capacity_mw, coal.minimum_mw) == ("u7_STEAM_1", "coal", 100, 40)
    assert (coal.ramp_mw_per_h, coal.co2_kg_per_mwh, coal.start_cost) == (120, pytest.approx(950), 2 * 3000 + 500)
    # C(50) = 1000, C(100) = 3000: a p + b p² through both is 10 p + 0.2 p², and maintenance adds 1.5 a MWh
    assert (coal.cost_per_mwh, coal.cost_per_mw2h) == (pytest.approx(11.5), pytest.approx(0.2))
    assert coal.initial_mw == 50
    assert (coal.inertia_s, coal.droop, coal.renewable) == (3.0, 0.05, False)
    assert (sun.name, sun.availability, sun.renewable, sun.inertia_s, sun.ramp_mw_per_h) == (
        "u7_PV_1", "solar", True, 0, None,
    )  # fmt: skip
    assert (battery.power_mw, battery.capacity_mwh) == (20, 60)
    assert battery.charge_efficiency * battery.discharge_efficiency == pytest.approx(0.85)


def test_a_class_may_follow_another_profile(tmp_path: Path) -> None:
    fleet = Fleet(file=table(tmp_path, SUN), profiles={"solar": "desert"})
    assert fleet.generators[0].availability == "desert"
    with pytest.raises(ScenarioError, match=r"no class 'sloar'.*did you mean 'solar'"):
        world(fleet={"profiles": {"sloar": "desert"}})


WRONG: list[tuple[dict[str, str], str]] = [
    ({"p_max_mw": "many"}, "line 2, column 'p_max_mw': got 'many'; allowed: a number"),
    ({"p_max_mw": "0"}, "line 2, column 'p_max_mw': got '0'; allowed: above 0"),
    ({"p_max_mw": "inf"}, "line 2, column 'p_max_mw': got 'inf'; allowed: a finite number"),
    ({"p_max_mw": "nan"}, "line 2, column 'p_max_mw': got 'nan'; allowed: a finite number"),
    ({"p_min_mw": "101"}, "line 2, column 'p_min_mw': got '101'; allowed: at most p_max_mw, 100"),
    ({"p_min_mw": "-1"}, "line 2, column 'p_min_mw': got '-1'; allowed: a finite number of at least 0"),
    ({"ramp_mw_per_min": "0"}, "line 2, column 'ramp_mw_per_min': got '0'; allowed: above 0"),
    ({"fuel": "Peat"}, "line 2, column 'unit_type': got 'STEAM'.*with its column 'fuel', one of .*STEAM COAL"),
    ({"gen_uid": "a b"}, "line 2, column 'gen_uid': got 'a b'; allowed: letters"),
    ({"gen_uid": ""}, "line 2, column 'gen_uid': got ''"),
    ({"seg0_cost_usd_per_mwh": "0", "seg1_cost_usd_per_mwh": "0"}, "line 2, column 'seg0_cost_usd_per_mwh'.*burns"),
    ({"seg1_mw": "50"}, "line 2, column 'seg1_mw': got '50'; allowed: above the segment before, 50"),
]


@pytest.mark.parametrize("cells, said", WRONG, ids=[str(c)[:50] for c, _ in WRONG])
def test_a_wrong_cell_is_named_by_file_line_and_column(tmp_path: Path, cells: dict[str, str], said: str) -> None:
    path = table(tmp_path, {**COAL, **cells})
    with pytest.raises(DataError, match=f"units.csv, {said}"):
        read_units(path)
    with pytest.raises(DataError, match=f"units.csv, {said}"):
        world(fleet={"file": path})


def test_units_of_one_name_missing_columns_and_ragged_lines_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 3, column 'gen_uid': got '7_STEAM_1'; allowed: each unit once"):
        read_units(table(tmp_path, COAL, COAL))
    without = tuple(name for name in HEADER if name != "p_min_mw")
    with pytest.raises(DataError, match="line 1, column 'p_min_mw' is missing"):
        read_units(table(tmp_path, COAL, header=without))
    with pytest.raises(DataError, match="has no units"):
        read_units(table(tmp_path))
    path = table(tmp_path, COAL)
    path.write_text(path.read_text() + "8_STEAM_1,STEAM\n")
    with pytest.raises(DataError, match=r"units.csv, line 3, number of cells"):
        read_units(path)
    with pytest.raises(DataError, match="does not exist"):
        read_units(tmp_path / "none.csv")


# In a scenario.

PROFILES = {"demand": FLAT, "solar": FLAT}


def test_the_fleet_comes_after_named_units_and_before_homes(tmp_path: Path) -> None:
    homes = {"count": 1, "load_profiles": ["demand"]}
    scenario = world(fleet={"file": table(tmp_path, COAL, SUN, CELL)}, profiles=PROFILES, neighbourhood=homes)
    assert [g.name for g in scenario.all_generators] == ["unit", "u7_STEAM_1", "u7_PV_1", "home_1.pv"]
    assert [b.name for b in scenario.all_storage] == ["u7_S", "home_1.battery"]


def test_a_fleet_whose_profiles_are_not_defined_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"hydro_01 uses profile 'hydro', which is not defined"):
        world(fleet={})


def test_the_digest_follows_the_fleets_content_and_not_its_path(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, other = table(tmp_path / "a", COAL), table(tmp_path / "b", COAL)
    assert world(fleet={"file": one}).digest == world(fleet={"file": other}).digest
    changed = table(tmp_path / "b", {**COAL, "co2_t_per_mwh": "0.94"})
    assert world(fleet={"file": one}).digest != world(fleet={"file": changed}).digest
    assert world(fleet={"file": one}).digest != world().digest


def test_a_fleets_file_is_looked_for_beside_the_world_that_names_it(tmp_path: Path) -> None:
    table(tmp_path, COAL)
    (tmp_path / "mine.yaml").write_text("fleet: {file: units.csv}\n")
    assert [g.name for g in Scenario.load(tmp_path / "mine.yaml").all_generators] == ["u7_STEAM_1"]


def test_a_table_of_units_is_told_from_a_table_of_series(tmp_path: Path) -> None:
    series, units = tmp_path / "series.csv", table(tmp_path, COAL, SUN)
    series.write_text("timestamp_utc,load_mw\n2025-07-01T00:00Z,5\n2025-07-01T01:00Z,6\n")
    assert is_fleet(units)
    assert not is_fleet(series)
    assert not is_fleet(tmp_path / "none.csv")
    fed = scenario_of(world(profiles=PROFILES), [series, units])
    assert fed.data == series
    assert fed.fleet is not None
    assert fed.fleet.file == units
    assert scenario_of(world(profiles=PROFILES), units).data is None
    with pytest.raises(ScenarioError, match="one table of fleet"):
        scenario_of(world(profiles=PROFILES), [units, units])


def test_the_world_rts_is_written_with_its_fleet_and_can_take_a_table(tmp_path: Path) -> None:
    scenario = Scenario.load("rts")
    assert len(scenario.all_generators) == 154
    assert len(scenario.seats) >= 158
    assert sum(load.load_mw for load in scenario.all_consumers) == 8500
    fed = scenario_of("rts", table(tmp_path, COAL, SUN))
    assert [g.name for g in fed.all_generators] == ["u7_STEAM_1", "u7_PV_1"]
    assert yaml.safe_load(yaml.safe_dump(fed.model_dump(mode="json")))["fleet"]["file"].endswith("units.csv")


# The real table.


def test_rts_gmlc_has_the_published_units() -> None:
    fleet = Fleet(file=real())
    assert Counter(unit.group for unit in fleet.units) == COUNTS
    assert (len(fleet.units), len(fleet.generators), len(fleet.storage)) == (158, 154, 1)
    classes = fleet.classes()
    assert classes["gas-cc"].capacity_mw == 3550
    assert classes["wind"].capacity_mw == pytest.approx(2507.9)
    nuclear = next(u for u in fleet.units if u.group == "nuclear")
    assert nuclear.start_cost == pytest.approx(78978 * 0.81035)


def test_a_drawn_fleet_is_of_the_published_size_and_cost() -> None:
    drawn, published = Fleet().classes(), Fleet(file=real()).classes()
    for group in (*MERIT, "hydro", "wind", "solar", "rooftop", "csp", "storage"):
        assert drawn[group].capacity_mw == pytest.approx(published[group].capacity_mw, rel=0.25), group
        if group in MERIT:
            assert drawn[group].lowest_per_mwh < 1.1 * published[group].highest_per_mwh
            assert drawn[group].highest_per_mwh > 0.9 * published[group].lowest_per_mwh


def test_fitted_costs_meet_the_tables_full_load_costs_within_eight_per_cent_and_part_load_within_a_quarter() -> None:
    path = real()
    with path.open(encoding="utf-8") as file:
        published = {
            f"u{row['gen_uid']}": float(row["full_load_fuel_cost_usd_per_mwh"]) for row in csv.DictReader(file)
        }
    fleet = Fleet(file=path)
    fuelled = [u for u in fleet.units if CLASSES[u.group].role == "fuel"]
    assert len(fuelled) == 73
    errors = np.array([u.full_load_per_mwh / published[u.name] - 1 for u in fuelled])
    assert np.abs(errors).max() < 0.08
    assert np.median(np.abs(errors)) < 0.07
    assert 0 < max(fleet.fit_errors.values()) < 0.25
    assert set(fleet.fit_errors) == {u.name for u in fuelled}
