"""Vehicles in the market: away no orders, late charging at the cap, trips and missing energy in the accounts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmarl.assets import battery
from gridmarl.environment.core import Core
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import Float
from tests.environment.homes import VEHICLE, street, streets
from tests.environment.worlds import Settings, advance, codecs_of, market, play, random_actions, seat

STEADY = {"unit": "per_mwh", "scale": 50, "maximum": 900}
CAR = {"name": "car", **VEHICLE}


def garage(**settings_: object) -> Scenario:
    """One vehicle, nothing else, at a steady price of 50 $/MWh."""
    base: Settings = {"prosumers": [], "vehicles": [CAR], "profiles": {"price": STEADY}}
    return street(**{**base, **settings_})


def day(core: Core, power: float | Float) -> list[Settings]:
    """A day of the same action."""
    found = [seat(core, play(core, car=power), "car")]
    return [*found, *(seat(core, advance(core, car=power), "car") for _ in range(23))]


def test_a_vehicle_left_alone_charges_as_late_as_it_can_and_leaves_ready() -> None:
    hours = day(Core(garage()), 0.0)
    # 25 kWh at midnight, 15 to go, 9 an hour at full power: 6 kWh from 5 to 6 h, 9 from 6 to 7 h
    power_kw = [round(1e3 * hour["power_mw"], 6) for hour in hours]
    assert power_kw[:5] == [0.0] * 5
    assert power_kw[5] == pytest.approx(-6 / 0.9)
    assert power_kw[6] == pytest.approx(-10.0)
    assert hours[6]["energy_mwh"] == pytest.approx(0.040)
    assert sum(hour["missing_cost"] for hour in hours) == pytest.approx(0.0, abs=1e-9)
    assert power_kw[7:18] == [0.0] * 11, "on the road"
    assert hours[17]["trip_mwh"] == pytest.approx(0.015), "back at 18 h"
    assert hours[17]["energy_mwh"] == pytest.approx(0.025)


def test_a_vehicle_away_neither_buys_nor_sells_whatever_its_player_says() -> None:
    core = Core(garage(), codecs={"car": "curve"})
    prices = np.array([900.0, -1.0, 0.0, 1.0, 0.0, 1.0])
    hours = day(core, prices)
    for hour in range(7, 18):
        assert hours[hour]["power_mw"] == hours[hour]["offered_mw"] == hours[hour]["bid_mw"] == 0.0
    assert any(abs(h["power_mw"]) > 0 for h in hours)


def test_what_is_missing_at_departure_costs_comfort() -> None:
    core = Core(garage(vehicles=[{**CAR, "soc_initial": 0.1, "power_kw": 2}]))
    hours = day(core, -1.0)
    stored = 5 + 7 * 2 * 0.9
    assert hours[6]["missing_cost"] == pytest.approx(0.5 * (40 - stored))
    assert hours[6]["reward"] == pytest.approx(-0.5 * (40 - stored) + hours[6]["arbitrage"] - hours[6]["degradation"])
    assert hours[17]["trip_mwh"] == pytest.approx(min(0.015, 1e-3 * (stored - 5)))


def test_missing_energy_is_part_of_what_the_system_costs() -> None:
    core = Core(garage(vehicles=[{**CAR, "soc_initial": 0.1, "power_kw": 2}]))
    outcome = play(core)
    for _ in range(6):
        outcome = advance(core)
    missing = seat(core, outcome, "car")["missing_cost"]
    assert missing > 1
    found = market(outcome)
    imports = found["wholesale_per_mwh"] * found["import_mw"]
    assert found["resource_cost"] == pytest.approx(imports + missing)


def test_selling_stops_where_the_vehicle_could_no_longer_be_ready() -> None:
    hours = day(Core(garage()), 1.0)
    assert hours[0]["power_mw"] > 0, "there is time at midnight"
    assert hours[6]["energy_mwh"] == pytest.approx(0.040), "and yet it leaves ready"


def test_an_operator_that_holds_storage_holds_vehicles_too() -> None:
    core = Core(garage(start="2025-04-01T06:00:00"))
    assert seat(core, play(core, operator=0.0), "car")["power_mw"] < 0
    assert seat(core, play(core, operator=2.0), "car")["power_mw"] == 0


@st.composite
def spoken(draw: st.DrawFn) -> tuple[Scenario, dict[str, str]]:
    scenario = draw(streets())
    return scenario, {**draw(codecs_of(scenario)), "prosumer": "separate"}


def balance(core: Core, actions: Float, before: Float) -> None:
    """Stored energy changes by what was charged, discharged and driven, and never leaves its window."""
    hours = core.compiled.scenario.interval_h
    outcome = core.step(actions)
    for row in range(core.count):
        for s, unit in enumerate(core.compiled.scenario.all_storage):
            own = seat(core, outcome, unit.name, row)
            power = own["power_mw"]
            change = -power * hours * (1 / unit.discharge_efficiency if power > 0 else unit.charge_efficiency)
            after = float(core.rows.battery[row, s, battery.ENERGY])
            assert after == pytest.approx(before[row, s, battery.ENERGY] + change - own["trip_mwh"], abs=1e-12)
            assert unit.soc_min * unit.capacity_mwh - 1e-12 <= after <= unit.soc_max * unit.capacity_mwh + 1e-12
            assert own["energy_mwh"] == after
            if before[row, s, battery.AWAY] > 0:
                assert power == 0


@settings(max_examples=40, deadline=None)
@given(spoken(), st.integers(0, 1000))
def test_energy_balances_and_stays_in_its_window_whatever_anybody_does(
    chosen: tuple[Scenario, dict[str, str]], seed: int
) -> None:
    core, rng = Core(chosen[0], 2, chosen[1]), np.random.default_rng(seed)
    core.reset(np.array([seed, seed + 1], np.uint64))
    for _ in range(core.intervals):
        balance(core, random_actions(core, rng), core.rows.battery.copy())


def test_a_day_begins_and_ends_where_the_local_clock_says() -> None:
    shifted = garage(timezone="America/Los_Angeles", start="2025-04-01T06:00:00")
    core = Core(shifted)
    core.reset(np.zeros(1, np.uint64))
    assert core.rows.battery[0, 0, battery.AWAY] == 0
    advance(core)
    assert core.rows.battery[0, 0, battery.AWAY] == 1
