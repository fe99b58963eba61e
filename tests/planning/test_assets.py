"""Assets refuse numbers that mean nothing, naming them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gridmarl.errors import ScenarioError
from gridmarl.planning.model.assets import Battery, Coupling, FlexibleLoad, Generator, Owner, check_steps, per_step

BATTERY = Battery("cell", 1.0, 1.0, 0.9, 0.9, 0.0, 4.0, 2.0)


@pytest.mark.parametrize(
    "change, thing",
    [
        ({"charge_efficiency": 0.0}, "cell.charge_efficiency"),
        ({"discharge_efficiency": 1.1}, "cell.discharge_efficiency"),
        ({"energy_min_mwh": 5.0}, "cell.energy_min_mwh"),
        ({"wear_per_mw2h": -1.0}, "cell.wear_per_mw2h"),
        ({"charge_limit_mw": np.nan}, "cell.charge_limit_mw"),
    ],
)
def test_a_battery_names_the_number_that_is_wrong(change, thing):
    with pytest.raises(ScenarioError, match=thing):
        replace(BATTERY, **change)


def test_a_minimum_above_what_is_available_is_refused_with_its_step():
    with pytest.raises(ScenarioError, match=r"coal.minimum_mw, step 2"):
        Generator("coal", np.array([9.0, 9.0, 3.0]), 5.0)


def test_a_missing_availability_is_refused():
    with pytest.raises(ScenarioError, match=r"sun\.available_mw"):
        Generator("sun", np.array([1.0, np.nan]))


def test_a_load_cannot_pay_back_more_than_it_saved():
    with pytest.raises(ScenarioError, match=r"home\.rebound_share"):
        FlexibleLoad("home", 1.0, 0.5, 10.0, rebound_share=1.5)


def test_two_assets_of_an_owner_need_two_names():
    with pytest.raises(ScenarioError, match="names that differ"):
        Owner("home", (BATTERY, BATTERY))


def test_risk_weights_lie_between_none_and_all():
    with pytest.raises(ScenarioError, match=r"home\.beta"):
        Owner("home", (BATTERY,), 1.5)


@pytest.mark.parametrize("price", [0.0, -1.0, np.inf, np.nan])
def test_slack_must_have_a_finite_positive_price(price):
    with pytest.raises(ScenarioError, match=r"coupling\.shortage_per_mwh"):
        Coupling(0.0, 0.0, price, 100.0)


def test_a_coupling_with_crossed_bounds_is_refused():
    with pytest.raises(ScenarioError, match=r"coupling\.lower_mw"):
        Coupling(1.0, -1.0, 100.0, 100.0)


def test_arrays_of_another_length_are_refused():
    with pytest.raises(ScenarioError, match="scalar or shape"):
        per_step(np.ones(3), 4)


@pytest.mark.parametrize("steps", [np.zeros(3), np.array([]), np.array([1.0, -1.0]), np.ones((2, 2))])
def test_steps_are_positive_hours(steps):
    with pytest.raises(ScenarioError, match="step_h"):
        check_steps(steps)
