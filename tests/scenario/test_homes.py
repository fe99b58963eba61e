"""Vehicles, homes and transformers in a scenario: what is written, what is derived, what is refused."""

from __future__ import annotations

import pytest

from gridmarl.errors import ScenarioError
from gridmarl.scenario.participants import ElectricVehicle
from gridmarl.scenario.scenario import Scenario
from tests.environment.homes import HOME, VEHICLE, street
from tests.environment.worlds import FLAT, Settings, world

CAR: Settings = {"name": "car", **VEHICLE}
STREET: Settings = {
    "count": 12,
    "seats": "prosumers",
    "solar_share": 0.75,
    "battery_share": 0.5,
    "vehicle_share": 0.25,
}
PROFILES: Settings = {"demand": FLAT, "home_load": FLAT, "solar": FLAT}


def test_kilowatts_and_kilowatt_hours_serve_for_vehicles_too() -> None:
    unit = ElectricVehicle.parse(CAR, "car")
    assert (unit.capacity_mwh, unit.power_mw, unit.trip_mwh, unit.ready) == (0.05, 0.01, 0.015, 0.04)
    assert unit.missing_per_mwh == 500.0


def test_what_must_be_ready_may_be_a_share_or_by_default_enough_for_the_trip() -> None:
    share = {k: v for k, v in CAR.items() if k != "ready_kwh"}
    assert ElectricVehicle.parse({**share, "ready_soc": 0.8}, "car").ready == pytest.approx(0.04)
    assert ElectricVehicle.parse(share, "car").ready == pytest.approx(0.005 + 0.015)


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"departure_h": 18}, "never stay"),
        ({"arrival_h": 24}, "less than 24"),
        ({"ready_kwh": 46}, "soc_max"),
        ({"ready_kwh": 19}, "a trip"),
        ({"ready_soc": 0.8}, "keep one"),
        ({"trip_kwh": -1}, "greater than or equal to 0"),
    ],
)
def test_an_impossible_vehicle_is_refused(changed: Settings, message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        ElectricVehicle.parse({**CAR, **changed}, "car")


def test_a_stay_shorter_than_an_interval_is_refused() -> None:
    with pytest.raises(ScenarioError, match="last an interval"):
        street(vehicles=[{**CAR, "arrival_h": 6.5, "departure_h": 7}])


def test_parts_of_a_home_bear_its_name_and_belong_to_it() -> None:
    scenario = street()
    assert scenario.seats == ("home.pv", "home.battery", "home.ev", "home.load")
    assert {part.owned_by for part in scenario.participants} == {"home"}
    assert scenario.all_generators[0].renewable
    assert scenario.all_generators[0].technology == "solar"
    assert isinstance(scenario.all_storage[1], ElectricVehicle)


def test_a_home_without_parts_or_with_somebody_elses_is_refused() -> None:
    with pytest.raises(ScenarioError, match="at least one of"):
        street(prosumers=[{"name": "empty"}])
    with pytest.raises(ScenarioError, match="owner cannot be"):
        street(prosumers=[{**HOME, "load": {"load_kw": 1, "owner": "neighbour"}}])
    with pytest.raises(ScenarioError, match="unique"):
        street(prosumers=[HOME, HOME])


def test_homes_survive_the_way_out_and_back() -> None:
    scenario = street(transformers=[{"name": "t", "limit_kw": 5, "members": ["home"]}])
    for back in (Scenario.parse(scenario.model_dump(), "back"), scenario.but()):
        assert back == scenario
        assert back.digest == scenario.digest


def test_a_neighbourhood_of_prosumers_has_the_shares_it_was_asked_for() -> None:
    scenario = world(neighbourhood=STREET, profiles=PROFILES)
    homes = scenario.all_prosumers
    assert len(homes) == 12
    assert [sum(1 for h in homes if getattr(h, k)) for k in ("solar", "battery", "ev", "load")] == [9, 6, 3, 12]
    for home in homes:
        if home.ev:
            assert 16.5 <= home.ev.arrival_h <= 19.5
            assert 6.5 <= home.ev.departure_h <= 8.5
            assert home.ev.arrival_h * 4 == round(home.ev.arrival_h * 4)


def test_separate_seats_are_the_same_homes_without_prosumers() -> None:
    whole = world(neighbourhood=STREET, profiles=PROFILES)
    apart = world(neighbourhood={**STREET, "seats": "separate"}, profiles=PROFILES)
    assert apart.all_prosumers == ()
    assert apart.participants == whole.participants


def test_shares_do_not_change_what_the_homes_that_have_something_have() -> None:
    half = world(neighbourhood=STREET, profiles=PROFILES)
    every = world(neighbourhood={**STREET, "battery_share": 1.0, "solar_share": 1.0}, profiles=PROFILES)
    every_one = {unit.name: unit for unit in every.participants if not isinstance(unit, ElectricVehicle)}
    for unit in half.participants:
        if not isinstance(unit, ElectricVehicle):
            assert every_one[unit.name] == unit


def test_codecs_decide_which_homes_are_one_seat() -> None:
    scenario = street(prosumers=[HOME, {**HOME, "name": "other"}], codecs={"home": "separate"})
    assert [home.name for home in scenario.bundled()] == ["other"]
    assert [home.name for home in scenario.bundled({"home": "assets"})] == ["home", "other"]
    assert scenario.bundled({"prosumer": "separate"}) == ()


def test_a_transformer_without_members_or_a_member_of_two_is_refused() -> None:
    one: Settings = {"name": "one", "limit_kw": 5, "members": ["home"]}
    with pytest.raises(ScenarioError, match="no seat and no owner matches 'hime'"):
        street(transformers=[{**one, "members": ["hime"]}])
    with pytest.raises(ScenarioError, match="several transformers: one, two"):
        street(transformers=[one, {**one, "name": "two", "members": ["home.load"]}])
