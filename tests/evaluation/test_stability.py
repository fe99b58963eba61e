"""The grid's numbers, of columns written by hand and of small worlds that break on purpose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gridmarl.agents.rules import Rule
from gridmarl.agents.team import Team
from gridmarl.environment.compiled.columns import MARKET_NAMES
from gridmarl.environment.messages.records import Stage
from gridmarl.evaluation import stability
from gridmarl.evaluation.metrics import Yardstick, average_co2, curtailed_mwh, marginal_co2, measure
from gridmarl.evaluation.rollout import rollout
from gridmarl.evaluation.trajectory import Trajectory
from gridmarl.evaluation.wear import soc_path, storage_wear
from gridmarl.scenario.scenario import Scenario
from tests.environment.worlds import FLAT, world

EXACT = 1e-9
FOUR = Scenario.load("auction").but(intervals=4)


@pytest.fixture(scope="module")
def played() -> Trajectory:
    return rollout(FOUR, "truthful", seed=0)


def given(played: Trajectory, **columns: list[float]) -> Trajectory:
    """The same episode with other columns of the market."""
    market = played.market.copy()
    for name, values in columns.items():
        market[:, MARKET_NAMES.index(name)] = values
    return replace(played, market=market)


def test_an_outage_is_an_interval_with_any_unserved_load_but_rounding_is_none(played: Trajectory) -> None:
    shed = given(played, demand_mw=[100.0] * 4, unserved_mw=[0.0, 5e-8, 2e-7, 3.0])
    assert stability.outage_probability(shed) == 0.5


def test_the_deviation_is_the_mean_size_of_the_imbalance_over_mean_demand(played: Trajectory) -> None:
    off = given(played, demand_mw=[100.0, 100.0, 50.0, 150.0], imbalance_size_mw=[1.0, 0.0, 2.0, 1.0])
    assert stability.load_generation_deviation(off) == pytest.approx(0.01, abs=EXACT)
    assert stability.load_generation_deviation(given(played, demand_mw=[0.0] * 4)) is None


def test_time_in_bands_and_extremes_of_frequency_and_voltage(played: Trajectory) -> None:
    off = given(
        played,
        in_band_share=[1.0, 0.5, 1.0, 0.7],
        nadir_hz=[-0.3, 0.0, 0.0, -0.1],
        zenith_hz=[0.0, 0.2, 0.0, 0.0],
        rocof_hz_per_s=[0.4, 0.1, 0.0, 0.0],
        voltage_low_pu=[0.95, 0.949, 1.0, 1.0],
        voltage_high_pu=[1.05, 1.0, 1.051, 1.0],
    )
    assert stability.frequency_in_band(off) == pytest.approx(0.8)
    assert stability.worst_frequency(off) == pytest.approx((49.7, 50.2, 0.4))
    assert stability.voltage_in_band(off) == 0.5
    assert stability.worst_voltage(off) == (0.949, 1.051)


def test_reserve_is_short_where_either_product_is(played: Trajectory) -> None:
    bought = given(
        played,
        reserve_payment=[1.0, 2.0, 3.0, 4.0],
        spin_required_mw=[5.0] * 4,
        nonspin_required_mw=[5.0] * 4,
        spin_mw=[5.0, 4.9, 5.0, 4.0],
        nonspin_mw=[5.0, 5.0, 4.9, 4.0],
    )
    assert stability.reserve_short_share(bought) == 0.75
    assert stability.reserve_cost(bought) == 10.0


def test_stages_are_named_and_recovery_is_not_the_gravest(played: Trajectory) -> None:
    masks = [1.0, 1.0 + 2.0 + 4.0, 4.0 + 8.0 + 64.0, 1.0]
    passed = given(played, emergency_stages=masks)
    assert stability.stages_reached(passed) == (Stage.DETECTION, Stage.ALERT, Stage.STORAGE, Stage.RECOVERY)
    assert stability.worst_stage(passed) == 3
    assert stability.stages_reached(given(played, emergency_stages=[1.0] * 4)) == ()
    assert stability.worst_stage(given(played, emergency_stages=[1.0] * 4)) == 0


def test_what_a_world_does_not_model_has_no_number() -> None:
    plain = {m.metric: m.value for m in measure(rollout(world(), "truthful"), Yardstick(2.0, 1.0))}
    for name in ("frequency_in_band", "worst_nadir", "voltage_in_band", "reserve_cost", "reserve_short_share"):
        assert plain[name] is None
    assert plain["battery_cycles"] is None
    assert plain["outage_probability"] == 0.0


def test_a_lost_unit_is_an_outage_and_reaches_the_stages_in_order() -> None:
    units = [
        {"name": name, "capacity_mw": 60, "cost_per_mwh": cost, "inertia_s": 5, "droop": 0.05, "initial_mw": 50}
        for name, cost in (("first", 40), ("second", 50))
    ]
    broken = world(
        generators=units, interval_min=5, frequency={}, trips=[{"generator": "first", "at_h": 0.1}], intervals=4
    )
    trajectory = rollout(broken, "truthful")
    assert stability.outage_probability(trajectory) >= 0.5
    assert Stage.SHEDDING in stability.stages_reached(trajectory)
    in_band = stability.frequency_in_band(trajectory)
    assert in_band is not None
    assert in_band < 1.0
    extremes = stability.worst_frequency(trajectory)
    assert extremes is not None
    assert extremes[0] < 49.2


def test_curtailment_is_sun_not_taken_and_must_run_held_back() -> None:
    sun = {"name": "pv", "capacity_mw": 150, "availability": "sun", "renewable": True}
    profiles = {"demand": FLAT, "sun": FLAT}
    assert curtailed_mwh(rollout(world(generators=[sun], profiles=profiles), "truthful")) == pytest.approx(4 * 50)
    coal = {"name": "coal", "capacity_mw": 200, "minimum_mw": 120, "initial_mw": 120, "cost_per_mwh": 40}
    assert curtailed_mwh(rollout(world(generators=[coal]), "truthful")) == pytest.approx(4 * 20)
    stubborn = {**sun, "minimum_mw": 150}
    assert curtailed_mwh(rollout(world(generators=[stubborn], profiles=profiles), "truthful")) == pytest.approx(4 * 50)


def test_sun_that_strays_in_real_time_and_is_taken_whole_is_not_curtailed() -> None:
    whole = rollout(Scenario.load("auction"), "truthful", seed=1)
    assert whole.of_seat("solar_1", "deviation_mw").min() < 0.0
    taken = whole.of_seat("solar_1", "output_mw") + whole.of_seat("wind_1", "output_mw")
    backed_off = whole.of_market("activated_mw").min() < 0.0
    assert backed_off, "somebody is turned down at times"
    assert 0.0 <= curtailed_mwh(whole) < 0.01 * taken.sum() * whole.interval_h


def test_average_and_marginal_emissions_of_two_units() -> None:
    units = [
        {"name": "clean", "capacity_mw": 60, "cost_per_mwh": 20, "co2_kg_per_mwh": 100},
        {"name": "dirty", "capacity_mw": 60, "cost_per_mwh": 50, "co2_kg_per_mwh": 900},
    ]
    trajectory = rollout(world(generators=units), "truthful")
    assert average_co2(trajectory) == pytest.approx((60 * 100 + 40 * 900) / 100)
    assert marginal_co2(trajectory) == 900.0


BATTERY = {
    "name": "battery",
    "capacity_mwh": 100,
    "power_mw": 30,
    "round_trip_efficiency": 0.9,
    "wear_per_mwh": 2,
    "cycle_cost_per_mwh": 50,
    "cycle_exponent": 2,
}


def test_wear_by_rainflow_equals_what_was_charged_online() -> None:
    profiles = {"demand": {"shape": "demand", "deviation_relative": 0.1, "correlation_h": 1}}
    units = [{"name": f"unit_{k}", "capacity_mw": 30, "cost_per_mwh": 20 + 10 * k} for k in range(6)]
    scenario = world(storage=[BATTERY], profiles=profiles, generators=units, intervals=48)
    trader = Team(
        {"storage": Rule("threshold", charge_below_per_mwh=40, discharge_above_per_mwh=45), "*": Rule("truthful")}
    )
    trajectory = rollout(scenario, trader, seed=2)
    (worn,) = storage_wear(trajectory)
    assert worn.rainflow.damage > 0.0
    assert worn.online_cost == pytest.approx(worn.rainflow.damage, rel=1e-9)
    assert worn.deep_cycles == pytest.approx(worn.rainflow.damage / (50 * 100))
    moved = np.abs(np.diff(soc_path(trajectory, trajectory.batteries[0]))).sum()
    assert worn.rainflow.equivalent_cycles == pytest.approx(moved / 2)
    columns = {m.metric: m.value for m in measure(trajectory, Yardstick(2.0, 1.0))}
    assert columns["battery_ageing_online"] == pytest.approx(columns["battery_ageing_rainflow"])
    charged = trajectory.of_market("wear_cost").sum()
    assert worn.throughput_cost + worn.online_cost == pytest.approx(charged)


def test_payments_for_imbalance_count_both_sides(played: Trajectory) -> None:
    names = [seat for seat in played.seats if seat != "operator"]
    received = np.array([played.of_seat(name, "imbalance_payment").sum(axis=0) for name in names])
    assert stability.imbalance_payments(played) >= np.abs(received).sum() > 0.0
