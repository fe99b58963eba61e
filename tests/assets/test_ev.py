"""A vehicle's day by hand: when it is there, what cannot wait, what it may still sell, what a trip takes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridmarl.assets import battery, ev

NEAR = 1e-9


def vehicle(**changed: float) -> np.ndarray:
    """50 kWh (5 to 45 allowed), 10 kW, 0.9 each way, plugged in from 18 to 7 h, must leave with 40, drives 20."""
    columns = {
        "CAPACITY": 50.0,
        "POWER_LIMIT": 10.0,
        "CHARGE_EFFICIENCY": 0.9,
        "DISCHARGE_EFFICIENCY": 0.9,
        "ENERGY_MIN": 5.0,
        "ENERGY_MAX": 45.0,
        "RAMP": 1e12,
        "ARRIVAL_H": 18.0,
        "DEPARTURE_H": 7.0,
        "TRIP_MWH": 20.0,
        "READY_MWH": 40.0,
        "MISSING": 500.0,
        **changed,
    }
    unit = np.zeros(battery.BATTERY_COLUMNS)
    for name, value in columns.items():
        unit[getattr(battery, name)] = value
    return unit


@pytest.mark.parametrize(
    "hour, left", [(18.0, 13.0), (23.0, 8.0), (0.0, 7.0), (6.0, 1.0), (7.0, 0.0), (12.0, 0.0), (17.0, 0.0)]
)
def test_a_vehicle_is_there_from_arrival_to_departure_across_midnight(hour: float, left: float) -> None:
    assert ev.hours_left(vehicle(), hour, 1.0) == pytest.approx(left)
    assert ev.plugged_in(vehicle(), hour, 1.0) == (left > 0)


def test_an_interval_counts_only_where_the_vehicle_is_there_for_all_of_it() -> None:
    unit = vehicle(ARRIVAL_H=17.25, DEPARTURE_H=7.5)
    assert not ev.plugged_in(unit, 17.0, 1.0)
    assert ev.plugged_in(unit, 18.0, 1.0)
    assert ev.plugged_in(unit, 6.0, 1.0)
    assert not ev.plugged_in(unit, 7.0, 1.0), "at half past seven it is gone"
    assert ev.plugged_in(unit, 7.25, 0.25)


def test_a_plain_battery_is_always_there() -> None:
    plain = vehicle(ARRIVAL_H=-1.0)
    assert all(ev.plugged_in(plain, hour, 0.25) for hour in np.arange(0, 24, 0.25))


def test_charging_waits_until_full_power_is_needed() -> None:
    unit = vehicle()
    # 22 MWh at 3 h: four hours at 10 MW store 36; there is time
    assert ev.must_charge(unit, 22.0, 4.0, 1.0) == 0.0
    # two hours before departure 9 MWh can come later, 9 of the missing 18 must come now: all 10 MW
    assert ev.must_charge(unit, 22.0, 2.0, 1.0) == pytest.approx(10.0, rel=NEAR)
    # 27.4 needed later at most 9: 3.6 of them now
    assert ev.must_charge(unit, 27.4, 2.0, 1.0) == pytest.approx((40 - 27.4 - 9) / 0.9, rel=NEAR)
    assert ev.must_charge(unit, 5.0, 1.0, 1.0) == 10.0, "hopeless: still only full power"
    assert ev.must_charge(unit, 40.0, 1.0, 1.0) == 0.0


def test_only_what_can_be_charged_again_may_be_sold() -> None:
    unit = vehicle()
    assert ev.spare_discharge(unit, 40.0, 1.0, 1.0) == 0.0, "it leaves with what it has"
    assert ev.spare_discharge(unit, 40.0, 2.0, 1.0) == pytest.approx(9 * 0.9, rel=NEAR)
    assert ev.spare_discharge(unit, 30.0, 2.0, 1.0) == 0.0


@given(st.floats(5, 45), st.integers(1, 13), st.floats(0, 1))
def test_a_vehicle_that_obeys_is_ready_whenever_it_could_have_been(energy: float, left: int, choice: float) -> None:
    unit = vehicle()
    possible = energy + 9.0 * left >= 40.0
    for hours_left in range(left, 0, -1):
        must = ev.must_charge(unit, energy, float(hours_left), 1.0)
        spare = min(ev.spare_discharge(unit, energy, float(hours_left), 1.0), 10.0, max(energy - 5.0, 0.0) * 0.9)
        power = -must if must > 0 else choice * spare
        energy = battery.stored_energy(unit, energy, power, 1.0)
    assert not possible or ev.missing_energy(unit, energy) <= 1e-9


def test_a_trip_never_takes_more_than_there_is() -> None:
    unit = vehicle()
    assert ev.trip_energy(unit, 40.0) == 20.0
    assert ev.trip_energy(unit, 12.0) == 7.0
    assert ev.missing_energy(unit, 12.0) == 28.0
    assert ev.missing_energy(unit, 41.0) == 0.0
