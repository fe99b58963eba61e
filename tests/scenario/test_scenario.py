"""A scenario is frozen, refuses what it does not know, and stamps results with a digest of all it says."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from pydantic import ValidationError

from gridmarl.errors import CatalogueError, ScenarioError
from gridmarl.scenario.scenario import Scenario
from tests.environment.worlds import FLAT, scenarios, world

UNIT = {"name": "unit", "capacity_mw": 100}
BATTERY = {"name": "battery", "capacity_mwh": 10, "power_mw": 5}

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"intervalls": 3}, "unknown key 'intervalls'.*did you mean 'intervals'"),
    ({"generators": [{**UNIT, "capacty_mw": 3}]}, "unknown key 'generators.0.capacty_mw'.*did you mean 'capacity_mw'"),
    ({"profiles": {"demand": {"shap": "solar"}}}, "unknown key 'profiles.demand.shap'.*did you mean 'shape'"),
    ({"market": {"flor_per_mwh": 0}}, "unknown key 'market.flor_per_mwh'.*did you mean 'floor_per_mwh'"),
    ({"connection": {"limit_mw": 1, "fees": 2}}, "unknown key 'connection.fees'.*import_fee_per_mwh"),
    ({"market": {"floor_per_mwh": 10, "cap_per_mwh": 5}}, "floor 10.* < cap 5"),
    ({"market": {"cap_per_mwh": 20_000}}, "cap 20000.*< voll 10000"),
    ({"market": {"pricing": "highest"}}, "market.pricing: got 'highest'.*'lower', 'upper' or 'midpoint'"),
    ({"storage": [{**BATTERY, "charge_efficiency": 1.01}]}, "charge_efficiency: got 1.01.*less than or equal to 1"),
    ({"storage": [{**BATTERY, "discharge_efficiency": 0}]}, "discharge_efficiency: got 0.*greater than 0"),
    ({"storage": [{**BATTERY, "soc_max": 1.2}]}, "soc_max: got 1.2.*less than or equal to 1"),
    ({"storage": [{**BATTERY, "soc_min": -0.1}]}, "soc_min: got -0.1.*greater than or equal to 0"),
    ({"storage": [{**BATTERY, "soc_initial": 0.95}]}, "soc_initial 0.95 must lie within soc_min 0.1 .. soc_max 0.9"),
    ({"storage": [{**BATTERY, "soc_min": 0.8, "soc_max": 0.2}]}, "soc_initial 0.5 must lie within"),
    ({"storage": [{**BATTERY, "power_mw": 0}]}, "power_mw: got 0.*greater than 0"),
    ({"storage": [{**BATTERY, "round_trip_efficiency": 1.2}]}, "round_trip_efficiency 1.2 must lie within 0 .. 1"),
    ({"storage": [{**BATTERY, "round_trip_efficiency": -0.5}]}, "round_trip_efficiency -0.5 must lie within 0 .. 1"),
    ({"storage": [{**BATTERY, "round_trip_efficiency": "high"}]}, "round_trip_efficiency 'high' must lie"),
    ({"storage": [{**BATTERY, "round_trip_efficiency": 0.8, "charge_efficiency": 0.9}]}, "charge_efficiency are both"),
    ({"generators": [{**UNIT, "minimum_mw": 120}]}, "minimum_mw 120.0 exceeds capacity_mw 100.0"),
    ({"generators": [{**UNIT, "initial_mw": 120}]}, "initial_mw 120.0 must lie within 0 .. 100.0"),
    ({"generators": [{**UNIT, "ramp_mw_per_h": 0}]}, "ramp_mw_per_h: got 0.*greater than 0"),
    ({"generators": [{**UNIT, "maintenance_h": [(3, 2)]}]}, r"window \(3.0, 2.0\)"),
    ({"generators": [{**UNIT, "capacity_mw": float("nan")}]}, "capacity_mw.*finite"),
    ({"generators": [{**UNIT, "capacity_kw": 3}]}, "'capacity_kw' and its twin 'capacity_mw'|both given"),
    ({"generators": [{**UNIT, "name": "a b"}]}, "name: got 'a b'"),
    ({"generators": [UNIT, UNIT]}, "unique.*unit"),
    ({"generators": [{**UNIT, "name": "load"}]}, "unique.*load"),
    ({"generators": [{**UNIT, "name": "operator"}]}, "unique.*operator"),
    (
        {"generators": [{**UNIT, "availability": "son"}], "profiles": {"demand": FLAT, "sun": FLAT}},
        "did you mean 'sun'",
    ),
    ({"consumers": [{"name": "load", "load_mw": 1, "profile": "demnd"}]}, "'demnd'.*did you mean 'demand'"),
    ({"consumers": [{"name": "load", "load_mw": 1, "flexible_share": 1.5}]}, "flexible_share: got 1.5"),
    ({"connection": {"limit_mw": 1, "wholesale": "prise"}, "profiles": {"demand": FLAT, "price": FLAT}}, "'price'"),
    ({"generators": []}, "at least one generator or a connection"),
    ({"timezone": "Mars/Olympus"}, "unknown time zone 'Mars/Olympus'.*America/Los_Angeles"),
    ({"codecs": {"unti": "order"}}, "'unti', which is neither a role nor a seat.*did you mean 'unit'"),
    ({"interval_min": 0}, "interval_min: got 0"),
    ({"owners": {"a": {"beta": 1.5}}}, "owners.a.beta: got 1.5"),
    ({"profiles": {"demand": {"minimum": 2, "maximum": 1}}}, "minimum 2.0 exceeds maximum 1.0"),
    ({"price_scenarios": {"prices_per_mwh": [[1, 2]], "probabilities": [1]}}, "each of the 4 intervals"),
    ({"price_scenarios": {"prices_per_mwh": [[1] * 4], "probabilities": [0.5]}}, "sum to 0.5, not to 1"),
    ({"price_scenarios": {"prices_per_mwh": [[1] * 4], "probabilities": [0.5, 0.5]}}, "1 rows of prices but 2"),
    ({"windows": {"tset": []}}, "windows"),
]


@pytest.mark.parametrize("changes, said", REFUSED, ids=[str(c)[:70] for c, _ in REFUSED])
def test_an_impossible_world_is_refused_by_name(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        world(**changes)


def test_a_file_is_named_in_the_message(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("intervls: 3\n")
    with pytest.raises(ScenarioError, match=r"mine.yaml: unknown key 'intervls'.*did you mean 'intervals'"):
        Scenario.load(path)
    with pytest.raises(CatalogueError, match="did you mean 'auction'"):
        Scenario.load("aucton")


def test_a_file_gives_its_scenario_its_name_and_the_folder_of_its_data(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("generators: [{name: unit, capacity_kw: 5}]\ndata: mine.csv\n")
    scenario = Scenario.load(tmp_path / "mine.yaml")
    assert (scenario.name, scenario.data) == ("mine", tmp_path / "mine.csv")
    assert scenario.generators[0].capacity_mw == 0.005


def test_a_copy_with_other_values_forgets_what_followed_from_the_old_ones() -> None:
    scenario = Scenario.load("auction")
    dearer = tuple(unit.model_copy(update={"cost_per_mwh": unit.cost_per_mwh + 1.0}) for unit in scenario.generators)
    assert scenario.all_generators == scenario.generators
    assert scenario.model_copy(update={"generators": dearer}).all_generators == dearer


def test_nothing_in_a_scenario_can_be_changed() -> None:
    scenario = world()
    for thing, name in (
        (scenario, "intervals"),
        (scenario.generators[0], "capacity_mw"),
        (scenario.market, "cap_per_mwh"),
    ):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(thing, name, 1)


@pytest.mark.parametrize(
    "settings, name, value",
    [
        ({"capacity_kw": 5}, "capacity_mw", 0.005),
        ({"capacity_mw": 5, "cost_per_kwh": 0.05}, "cost_per_mwh", 50.0),
        ({"capacity_mw": 5, "cost_per_kw2h": 0.002}, "cost_per_mw2h", 2000.0),
        ({"capacity_mw": 5, "ramp_kw_per_h": 30}, "ramp_mw_per_h", 0.03),
    ],
)
def test_kilowatts_are_accepted_as_twins(settings: dict[str, float], name: str, value: float) -> None:
    unit = world(generators=[{"name": "unit", **settings}]).generators[0]
    assert getattr(unit, name) == pytest.approx(value, rel=1e-15)


def test_round_trip_efficiency_is_its_square_root_each_way() -> None:
    battery = world(storage=[{**BATTERY, "round_trip_efficiency": 0.81}]).storage[0]
    assert (battery.charge_efficiency, battery.discharge_efficiency) == (pytest.approx(0.9), pytest.approx(0.9))


def test_but_replaces_settings_and_merges_mappings_one_level_deep() -> None:
    scenario = world(profiles={"demand": FLAT, "sun": {"shape": "solar"}}, market={"floor_per_mwh": -50})
    changed = scenario.but(intervals=9, profiles={"sun": {"scale": 0.5}}, market={"cap_per_mwh": 500})
    assert changed.intervals == 9
    assert (changed.profiles["sun"].scale, changed.profiles["sun"].shape) == (0.5, "constant")
    assert changed.profiles["demand"] == scenario.profiles["demand"]
    assert (changed.market.floor_per_mwh, changed.market.cap_per_mwh) == (-50, 500)
    assert scenario.intervals == 4
    with pytest.raises(ScenarioError, match=r"scenario 'small'.*did you mean 'intervals'"):
        scenario.but(interval=3)


@settings(max_examples=30)
@given(scenarios())
def test_any_world_survives_the_way_out_and_back(scenario: Scenario) -> None:
    for back in (
        Scenario.parse(scenario.model_dump(), "back"),
        Scenario.parse(scenario.model_dump(mode="json"), "back"),
        pickle.loads(pickle.dumps(scenario)),  # noqa: S301   # our own bytes
    ):
        assert back == scenario
        assert back.digest == scenario.digest


@pytest.mark.parametrize(
    "change",
    [
        {"intervals": 5},
        {"generators": [{"name": "unit", "capacity_mw": 150, "cost_per_mwh": 50.000001}]},
        {"market": {"pricing": "upper"}},
        {"profiles": {"demand": {"deviation_relative": 0.01}}},
        {"owners": {"unit": {"beta": 0.1}}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_digest_changes_with_any_setting(change: dict[str, Any]) -> None:
    assert world().but(**change).digest != world().digest


def test_the_digest_follows_the_datas_content_and_not_its_path(tmp_path: Path) -> None:
    one, other = tmp_path / "a.csv", tmp_path / "b.csv"
    for path in (one, other):
        path.write_text("time,load_mw\n")
    assert world(data=one).digest == world(data=other).digest
    other.write_text("time,load_mw \n")
    assert world(data=one).digest != world(data=other).digest


def test_windows_are_local_times_and_default_to_the_start() -> None:
    scenario = world(
        timezone="America/Los_Angeles",
        start=datetime(2023, 8, 1),  # local by definition
        windows={"train": [datetime(2023, 1, 1), datetime(2023, 1, 2, tzinfo=UTC)]},
    )
    assert scenario.window_starts("test") == (datetime(2023, 8, 1, 7, tzinfo=UTC),)
    assert scenario.window_starts("train") == (datetime(2023, 1, 1, 8, tzinfo=UTC), datetime(2023, 1, 2, tzinfo=UTC))


def test_columns_are_mapped_by_profile() -> None:
    assert world().mapped({"demand": "load_mw"}).profiles["demand"].column == "load_mw"
    with pytest.raises(ScenarioError, match=r"'demnd'.*did you mean 'demand'"):
        world().mapped({"demnd": "load_mw"})


# A neighbourhood.

HOMES = {"count": 12, "load_kw": [2, 5], "solar_kw": [3, 8], "battery_kwh": [10, 13.5], "beta": [0.1, 0.6]}


def test_a_neighbourhood_is_three_seats_and_one_owner_a_home() -> None:
    scenario = world(neighbourhood=HOMES, profiles={"demand": FLAT, "home_load": FLAT, "solar": FLAT})
    owners: dict[str, list[str]] = {}
    for seat in (*scenario.all_generators, *scenario.all_storage, *scenario.all_consumers):
        owners.setdefault(seat.owned_by, []).append(seat.name)
    assert owners["home_07"] == ["home_07.pv", "home_07.battery", "home_07.load"]
    assert len(owners) == 12 + 2
    assert scenario.seats[:2] == ("unit", "home_01.pv")


def test_a_neighbourhood_is_drawn_once_from_its_seed_within_its_ranges() -> None:
    profiles = {"demand": FLAT, "home_load": FLAT, "solar": FLAT}
    one, again, other = (world(neighbourhood={**HOMES, "seed": s}, profiles=profiles) for s in (3, 3, 4))
    assert one.all_storage == again.all_storage
    assert one.all_storage != other.all_storage
    for battery, consumer in zip(one.all_storage, one.all_consumers, strict=False):
        assert 0.010 <= battery.capacity_mwh <= 0.0135
        assert battery.power_mw == pytest.approx(battery.capacity_mwh / 2.7)
        assert 0.1 <= one.owner_beta(battery.owned_by) <= 0.6
        assert consumer.load_mw > 0
    assert one.owner_beta("unit") == 0.0


def test_homes_are_prefixed_so_that_two_worlds_can_be_told_apart() -> None:
    scenario = world(
        neighbourhood={**HOMES, "count": 2, "prefix": "flat"},
        profiles={"demand": FLAT, "home_load": FLAT, "solar": FLAT},
    )
    assert scenario.all_storage[0].name == "flat_1.battery"
