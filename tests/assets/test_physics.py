"""Batteries, generators and loads as scalar kernels, each against a line of arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridmarl.assets import battery, generator, load

EXACT = 1e-12
HOURS = 0.25


def store(**changes: float) -> np.ndarray:
    """100 MWh, 40 MW, 90 % in, 80 % out, window 10-90 MWh, no ramp limit."""
    row = np.zeros(battery.BATTERY_COLUMNS)
    row[battery.CAPACITY], row[battery.POWER_LIMIT] = 100, 40
    row[battery.CHARGE_EFFICIENCY], row[battery.DISCHARGE_EFFICIENCY] = 0.9, 0.8
    row[battery.ENERGY_MIN], row[battery.ENERGY_MAX], row[battery.RAMP] = 10, 90, generator.UNLIMITED
    row[battery.WEAR], row[battery.WEAR_QUADRATIC] = 2, 0.5
    for name, value in changes.items():
        row[getattr(battery, name)] = value
    return row


@pytest.mark.parametrize(
    "energy, limit", [(50, 40), (90, 0), (90.5, 0), (88.2, 1.8 / 0.9 / HOURS)], ids=["rating", "full", "over", "room"]
)
def test_charging_is_bounded_by_rating_and_room(energy: float, limit: float) -> None:
    assert battery.charge_limit(store(), energy, 0.0, HOURS) == pytest.approx(limit, abs=EXACT)


@pytest.mark.parametrize(
    "energy, limit", [(50, 40), (10, 0), (9.5, 0), (12, 2 * 0.8 / HOURS)], ids=["rating", "empty", "under", "left"]
)
def test_discharging_is_bounded_by_rating_and_energy(energy: float, limit: float) -> None:
    assert battery.discharge_limit(store(), energy, 0.0, HOURS) == pytest.approx(limit, abs=EXACT)


@pytest.mark.parametrize("power, charge, discharge", [(0, 6, 6), (10, 0, 16), (-10, 16, 0), (4, 2, 10)])
def test_a_ramp_bounds_the_way_away_from_zero_and_never_the_way_back(
    power: float, charge: float, discharge: float
) -> None:
    unit = store(RAMP=6.0)
    assert battery.charge_limit(unit, 50.0, power, HOURS) == charge
    assert battery.discharge_limit(unit, 50.0, power, HOURS) == discharge


@given(st.floats(10, 90), st.floats(-40, 40))
def test_stored_energy_moves_by_power_times_efficiency_within_its_window(energy: float, power: float) -> None:
    unit = store()
    power = min(
        max(power, -battery.charge_limit(unit, energy, 0.0, HOURS)), battery.discharge_limit(unit, energy, 0.0, HOURS)
    )
    after = battery.stored_energy(unit, energy, power, HOURS)
    assert 10 <= after <= 90
    wanted = energy - power * HOURS / 0.8 if power > 0 else energy - power * HOURS * 0.9
    assert after == pytest.approx(wanted, abs=1e-11)


def test_wear_grows_with_throughput_and_its_square() -> None:
    for power in (20.0, -20.0):
        assert battery.wear_cost(store(), power, HOURS) == pytest.approx((2 * 20 + 0.5 * 400) * HOURS, abs=EXACT)


def plant(**changes: float) -> np.ndarray:
    """100 MW, minimum 20, 10 MW a step, 30 + 0.1 p $/MWh."""
    row = np.zeros(generator.GENERATOR_COLUMNS)
    row[generator.CAPACITY], row[generator.MINIMUM], row[generator.RAMP] = 100, 20, 10
    row[generator.COST], row[generator.QUADRATIC] = 30, 0.1
    for name, value in changes.items():
        row[getattr(generator, name)] = value
    return row


@pytest.mark.parametrize(
    "available, output, low, high",
    [
        (1.0, 50, 40, 60),
        (1.0, 25, 20, 35),
        (1.0, 95, 85, 100),
        (0.3, 50, 30, 30),
        (0.0, 50, 0, 0),
        (1.0, 0, 20, 20),
        (0.5, 10, 20, 20),
    ],
    ids=["ramps", "minimum", "capacity", "less sun than the ramp", "off", "start to the minimum", "minimum beats ramp"],
)
def test_what_a_unit_can_deliver(available: float, output: float, low: float, high: float) -> None:
    assert generator.deliverable(plant(), available, float(output)) == (low, high)


@given(st.floats(0, 1), st.floats(0, 100), st.floats(0, 100), st.floats(0.1, 200))
def test_must_run_never_exceeds_what_is_deliverable_or_available(
    a: float, output: float, minimum: float, ramp: float
) -> None:
    low, high = generator.deliverable(plant(MINIMUM=minimum, RAMP=ramp), a, output)
    assert 0 <= low <= high <= 100 * a + EXACT


def test_fuel_is_the_integral_of_the_marginal_cost() -> None:
    assert generator.fuel_cost(plant(), 60.0, HOURS) == pytest.approx((30 * 60 + 0.1 * 60**2) * HOURS, abs=EXACT)
    steps = sum(generator.step_cost(plant(), float(a), a + 20.0) * 20 * HOURS for a in (0, 20, 40))
    assert steps == pytest.approx(generator.fuel_cost(plant(), 60.0, HOURS), abs=EXACT)


def test_what_was_reduced_comes_back_and_then_nothing_is_owed() -> None:
    row = np.zeros(load.LOAD_COLUMNS)
    row[load.REBOUND], row[load.REBOUND_HOURS] = 0.5, 2.0
    owed = load.owed_energy(row, 0.0, 8.0, HOURS)
    assert owed == pytest.approx(1.0, abs=EXACT)
    assert load.rebound(row, owed, HOURS) == pytest.approx(0.5, abs=EXACT)
    returned = 0.0
    for _ in range(400):
        returned += load.rebound(row, owed, HOURS) * HOURS
        owed = load.owed_energy(row, owed, 0.0, HOURS)
    assert returned == pytest.approx(1.0, abs=1e-9)
    assert owed == pytest.approx(0.0, abs=1e-9)


def test_a_time_constant_shorter_than_the_interval_pays_back_at_once() -> None:
    row = np.zeros(load.LOAD_COLUMNS)
    row[load.REBOUND], row[load.REBOUND_HOURS] = 1.0, 0.01
    assert load.owed_energy(row, 3.0, 0.0, HOURS) == 0.0
