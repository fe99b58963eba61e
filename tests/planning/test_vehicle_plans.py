"""Vehicles in plans: away no power, trips in the energy, readiness worth its price; played, the plan is the optimum."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gridmarl.agents.seats import Seats
from gridmarl.environment.core import Core
from gridmarl.evaluation.metrics import resource_cost
from gridmarl.evaluation.rollout import rollout
from gridmarl.evaluation.score import yardstick
from gridmarl.planning.central.planner import CentralPlanner
from gridmarl.planning.model.assets import Battery, Coupling, Owner, Terminal
from gridmarl.planning.model.horizon import EVERY_INTERVAL, make_horizon
from gridmarl.planning.model.outlook import look_ahead
from gridmarl.planning.model.plan import BatteryPlan
from gridmarl.planning.model.problem import Problem
from gridmarl.planning.model.risk import Prices
from gridmarl.planning.model.vehicles import longest_trips
from gridmarl.planning.optimum import perfect_plan
from gridmarl.scenario.participants import ElectricVehicle
from gridmarl.scenario.scenario import Scenario
from tests.environment.homes import HOME, VEHICLE, street

ALMOST_OPTIMAL = 0.999
FREE = Coupling(-np.inf, np.inf, 3000.0, 3000.0)
OPEN = Terminal(keep_energy=False)
CLOSE = 1e-5


def car(**changed: object) -> Battery:
    """Six steps of an hour: there for two, away for two, there for two; 2 stored, 5 to be ready, 4 driven, lossless."""
    here = np.array([1.0, 1, 0, 0, 1, 1])
    base: dict[str, object] = {
        "name": "car",
        "charge_limit_mw": 3 * here,
        "discharge_limit_mw": 3 * here,
        "charge_efficiency": 1.0,
        "discharge_efficiency": 1.0,
        "energy_min_mwh": 0.0,
        "energy_max_mwh": 6.0,
        "energy_now_mwh": 2.0,
        "trip_mwh": np.array([0.0, 0, 0, 4, 0, 0]),
        "ready_mwh": np.array([0.0, 5, 0, 0, 0, 0]),
        "missing_per_mwh": 100.0,
    }
    return Battery(**{**base, **changed})  # pyright: ignore[reportArgumentType]  # by name


def schedule(unit: Battery, price: list[float]) -> tuple[BatteryPlan, float]:
    plan = CentralPlanner().solve(
        Problem((Owner("home", (unit,)),), np.ones(6), FREE, Prices.certain(np.array(price)), OPEN)
    )
    found = plan.asset("home", "car")
    assert isinstance(found, BatteryPlan)
    return found, plan.objective


def test_a_vehicle_charges_in_the_cheaper_hour_and_sells_what_is_left_of_it() -> None:
    found, cost = schedule(car(), [10, 20, 0, 0, 15, 5])
    assert found.charge_mw == pytest.approx([3, 0, 0, 0, 0, 0], abs=CLOSE)
    assert found.energy_mwh == pytest.approx([5, 5, 5, 1, 0, 0], abs=CLOSE)
    assert cost == pytest.approx(3 * 10 - 1 * 15, abs=1e-3)


def test_readiness_is_given_up_only_where_energy_costs_more_than_what_is_missing() -> None:
    found, cost = schedule(car(missing_per_mwh=15.0), [20, 20, 0, 0, 0, 0])
    assert found.energy_mwh[1] == pytest.approx(4, abs=CLOSE), "what the trip needs, no more"
    assert cost == pytest.approx(2 * 20 + 1 * 15, abs=1e-3)
    found, cost = schedule(car(missing_per_mwh=25.0), [20, 20, 0, 0, 0, 0])
    assert found.energy_mwh[1] == pytest.approx(5, abs=CLOSE)
    assert cost == pytest.approx(3 * 20, abs=1e-3)


def test_what_cannot_be_ready_is_paid_for() -> None:
    slow = np.array([1.0, 1, 0, 0, 1, 1])
    found, cost = schedule(car(missing_per_mwh=300.0, charge_limit_mw=slow), [10, 20, 0, 0, 5, 5])
    assert found.energy_mwh[1] == pytest.approx(4, abs=CLOSE), "what is possible"
    assert cost == pytest.approx(10 + 20 + 300, abs=1e-3)


def test_a_trip_is_as_short_as_full_charging_would_leave_it() -> None:
    unit = ElectricVehicle.parse({"name": "car", **VEHICLE, "power_kw": 2}, "car")
    presence = np.array([True, True, False, False, True, False, True])
    stored = replace(car(), energy_now_mwh=0.010)
    driven, _ = longest_trips(stored, unit, presence, 1.0)
    # 10 kWh and two hours of 1.8 stored: 13.6, of which 5 stay; then 1.8 more
    assert driven == pytest.approx([0, 0, 0, 0.0086, 0, 0.0018])


def test_a_plan_knows_when_a_vehicle_is_away() -> None:
    scenario = street(intervals=24)
    core = Core(scenario, codecs={"prosumer": "separate"})
    core.reset(np.zeros(1, np.uint64))
    seats = Seats(core, 0, scenario.seats, "perfect", "all")
    outlook = look_ahead(seats, make_horizon(EVERY_INTERVAL, 1.0, 24.0, 24))
    unit = next(a for a in outlook.owners[0].assets if a.name == "home.ev")
    assert isinstance(unit, Battery)
    away = np.flatnonzero(np.asarray(unit.charge_limit_mw) == 0)
    assert away.tolist() == list(range(7, 18))
    assert np.flatnonzero(np.asarray(unit.ready_mwh)).tolist() == [6]
    assert np.flatnonzero(np.asarray(unit.trip_mwh)).tolist() == [17]


def test_a_coarse_plan_still_makes_every_trip() -> None:
    scenario = street(intervals=96, interval_min=15, prosumers=[{**HOME, "ev": {**VEHICLE, "departure_h": 7.25}}])
    core = Core(scenario, codecs={"prosumer": "separate"})
    core.reset(np.zeros(1, np.uint64))
    seats = Seats(core, 0, scenario.seats, "perfect", "all")
    horizon = make_horizon(((2.0, 0.0), (24.0, 3.0)), 0.25, 24.0, 96)
    unit = next(a for o in look_ahead(seats, horizon).owners for a in o.assets if a.name == "home.ev")
    assert isinstance(unit, Battery)
    assert np.sum(unit.trip_mwh) == pytest.approx(0.015)
    assert np.max(unit.ready_mwh) == pytest.approx(0.040)
    hours = float(np.asarray(unit.charge_limit_mw) @ horizon.step_h) / 0.010
    assert hours == pytest.approx(24 - 10.75)


WORLDS = {
    "one home": street(),
    "begins on the road": street(start="2025-04-01T12:00:00", intervals=36),
    "an island": street(
        connection=None,
        generators=[{"name": "unit", "capacity_kw": 30, "cost_per_mwh": 60, "cost_per_mw2h": 2000}],
        prosumers=[HOME, {**HOME, "name": "late", "ev": {**VEHICLE, "arrival_h": 22, "departure_h": 9}}],
    ),
    "cannot be ready": street(prosumers=[{**HOME, "ev": {**VEHICLE, "power_kw": 2, "soc_initial": 0.2}}]),
    "duck-curve": Scenario.load("duck-curve"),
}


@pytest.mark.parametrize("name", WORLDS)
def test_the_perfect_plan_played_through_the_auction_is_the_optimum(name: str) -> None:
    """Not at prices far below zero, as on seed 0 of the second world: the convex optimum would burn energy there, by
    charging and discharging at once, which nobody can."""
    scenario = WORLDS[name]
    for seed in (1, 2):
        measured = yardstick(scenario, seed)
        assert measured.says_a_share
        share = measured.share(resource_cost(rollout(scenario, "central-perfect", seed=seed)))
        assert share is not None
        assert ALMOST_OPTIMAL <= share <= 1 + 1e-4


def test_the_optimum_pays_for_what_cannot_be_ready() -> None:
    scenario = WORLDS["cannot be ready"]
    played = rollout(scenario, "central-perfect", seed=0)
    missing = played.of_seat("home.ev", "missing_cost").sum()
    assert missing > 1
    plan = perfect_plan(scenario, 0)
    found = plan.asset("home", "home.ev")
    assert isinstance(found, BatteryPlan)
    assert 500 * (0.040 - found.energy_mwh[6]) == pytest.approx(missing, rel=1e-3)
