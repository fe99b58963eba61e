"""The market's rules one at a time, each computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from gridmarl.environment.core import Core
from gridmarl.scenario.scenario import Scenario
from tests.environment.worlds import CONNECTION, FLAT, ON_ORDER, Settings, advance, market, play, seat, world

EXACT = 1e-9
CAP, FLOOR, VOLL = 1000.0, -100.0, 10_000.0


def near(value: float) -> object:
    return pytest.approx(value, abs=EXACT)


def unit(name: str = "unit", **settings: object) -> Settings:
    return {"name": name, "capacity_mw": 150, "cost_per_mwh": 50, **settings}


# Shortage and demand response.


def test_in_shortage_all_demand_response_is_accepted_before_load_is_shed_and_never_exceeds_it() -> None:
    core = Core(
        world(
            generators=[unit(capacity_mw=1)],
            consumers=[
                {"name": "stiff", "load_mw": 60},
                {"name": "soft", "load_mw": 40, "flexible_share": 1.0, "dr_price_per_mwh": 1000},
            ],
        ),
        codecs={"unit": "order"},
    )
    outcome = play(core, unit=(20, 1), soft=1.0)
    stiff, soft = seat(core, outcome, "stiff"), seat(core, outcome, "soft")
    assert market(outcome)["price_per_mwh"] == VOLL
    assert soft["reduction_mw"] == near(40)
    assert soft["unserved_mw"] == near(0)
    assert stiff["unserved_mw"] == near(59)
    assert stiff["bill"] == near(VOLL * 1)


def test_shed_load_is_shared_pro_rata_and_not_billed() -> None:
    loads = [{"name": "big", "load_mw": 75}, {"name": "small", "load_mw": 25}]
    core = Core(world(generators=[unit(capacity_mw=60)], consumers=loads), codecs={"unit": "order"})
    outcome = play(core, unit=(20, 60))
    assert seat(core, outcome, "big")["unserved_mw"] == near(30)
    assert seat(core, outcome, "small")["unserved_mw"] == near(10)
    assert seat(core, outcome, "big")["bill"] == near(VOLL * 45)
    assert seat(core, outcome, "big")["productivity"] == near(VOLL * 30)


def test_a_reduction_is_paid_and_billed_once_each() -> None:
    """80 MW served at $70 and 20 MW of a 100 MW load reduced at 70: paid 20 x 70, billed for the full 100."""
    consumers = [{"name": "load", "load_mw": 100, "flexible_share": 0.2, "dr_price_per_mwh": 70}]
    core = Core(world(consumers=consumers), codecs={"unit": "order"})
    load = seat(core, play(core, unit=(50, 80), load=1.0), "load")
    assert load["saving"] == near(20 * 70)
    assert load["bill"] == near(100 * 70)
    assert load["comfort"] == near(20 * 70)
    assert load["reward"] == near(0)


def test_what_was_reduced_comes_back_over_its_time_constant() -> None:
    """20 MW less for an hour at 50 % rebound owe 10 MWh; with tau = 2 h come back 5, 2.5, 1.25 MW."""
    soft = {"name": "load", "load_mw": 100, "flexible_share": 0.2, "rebound_share": 0.5, "rebound_h": 2}
    core = Core(world(consumers=[soft]), codecs={"unit": "order"})
    first = play(core, unit=(90, 150), load=1.0)
    assert seat(core, first, "load")["reduction_mw"] == near(20)
    baselines = [seat(core, advance(core, unit=(10, 150)), "load") for _ in range(3)]
    assert [b["baseline_mw"] for b in baselines] == [near(105), near(102.5), near(101.25)]
    assert baselines[0]["rebound_bill"] == near(5 * 10)


def test_all_that_is_owed_comes_back_in_the_end() -> None:
    soft = {"name": "load", "load_mw": 100, "flexible_share": 0.2, "rebound_share": 1.0, "rebound_h": 0.5}
    core = Core(world(consumers=[soft], intervals=10), codecs={"unit": "order"})
    energy = seat(core, play(core, unit=(90, 150), load=1.0), "load")["baseline_mw"] - 20
    energy += sum(seat(core, advance(core, unit=(10, 150)), "load")["baseline_mw"] for _ in range(9))
    assert energy == near(10 * 100)


# The floor: must-run, curtailment, negative prices.


def test_surplus_of_must_run_is_curtailed_pro_rata_at_the_floor() -> None:
    units = [unit("a", minimum_mw=90, capacity_mw=90), unit("b", minimum_mw=60, capacity_mw=60)]
    core = Core(world(generators=units))
    outcome = play(core)
    assert market(outcome)["price_per_mwh"] == FLOOR
    assert market(outcome)["curtailed_mw"] == near(50)
    assert seat(core, outcome, "a")["output_mw"] == near(60)
    assert seat(core, outcome, "b")["output_mw"] == near(40)
    assert seat(core, outcome, "b")["revenue"] == near(FLOOR * 40)


def test_must_run_comes_before_other_offers_at_the_floor() -> None:
    units = [unit("must", minimum_mw=70, capacity_mw=70), unit("may")]
    core = Core(world(generators=units), codecs=ON_ORDER)
    outcome = play(core, must=(CAP, 70), may=(FLOOR, 150))
    assert seat(core, outcome, "must")["output_mw"] == near(70)
    assert seat(core, outcome, "may")["output_mw"] == near(30)
    assert market(outcome)["curtailed_mw"] == near(0)


def test_what_the_down_ramp_cannot_shed_is_must_run() -> None:
    units = [unit("slow", initial_mw=120, ramp_mw_per_h=30), unit("fast")]
    core = Core(world(generators=units), codecs=ON_ORDER)
    slow = seat(core, play(core, slow=(CAP, 150), fast=(10, 150)), "slow")
    assert slow["must_run_mw"] == slow["output_mw"] == near(90)


def test_what_the_up_ramp_cannot_reach_is_not_sold() -> None:
    units = [unit("slow", initial_mw=20, ramp_mw_per_h=30), unit("fast")]
    core = Core(world(generators=units), codecs=ON_ORDER)
    outcomes = [play(core, slow=(1, 150), fast=(90, 150)), advance(core, slow=(1, 150), fast=(90, 150))]
    assert [seat(core, o, "slow")["output_mw"] for o in outcomes] == [near(50), near(80)]


def test_a_ramp_is_per_hour_whatever_the_interval() -> None:
    units = [unit("slow", initial_mw=20, ramp_mw_per_h=36), unit("fast")]
    core = Core(world(generators=units, interval_min=5), codecs=ON_ORDER)
    assert seat(core, play(core, slow=(1, 150), fast=(90, 150)), "slow")["output_mw"] == near(23)


# Availability, maintenance, starts.


def test_a_unit_in_maintenance_is_off_and_pays_its_start_once_when_it_comes_back() -> None:
    serviced = unit("serviced", maintenance_h=[(1, 3)], start_cost=700, minimum_mw=10)
    core = Core(world(generators=[serviced, unit("other")], intervals=6), codecs=ON_ORDER)
    orders = {"serviced": (10, 150), "other": (90, 150)}
    outcomes = [play(core, **orders), *(advance(core, **orders) for _ in range(5))]
    rows = [seat(core, outcome, "serviced") for outcome in outcomes]
    assert [row["output_mw"] for row in rows] == [near(100), 0, 0, near(100), near(100), near(100)]
    assert [row["start_cost"] for row in rows] == [0, 0, 0, 700, 0, 0]
    assert rows[3]["reward"] == near(100 * 10 - 100 * 50 - 700)
    assert [market(o)["start_cost"] for o in outcomes] == [0, 0, 0, 700, 0, 0]


def test_availability_bounds_what_is_sold_even_where_the_profile_passes_one() -> None:
    sun = {"values": (0.5, 1.4)}
    core = Core(world(profiles={"demand": FLAT, "sun": sun}, generators=[unit(availability="sun")]))
    assert seat(core, play(core), "unit")["available_mw"] == near(75)
    assert seat(core, advance(core), "unit")["available_mw"] == near(150)


# Carbon.


def test_a_carbon_adder_raises_offers_reorders_them_and_is_collected() -> None:
    """Coal at $40 and 1 t/MWh, gas at $60 and 0.4 t/MWh: at $40/t coal asks 80, gas 76 and sets the price."""
    units = [
        unit("coal", cost_per_mwh=40, co2_kg_per_mwh=1000),
        unit("gas", cost_per_mwh=60, co2_kg_per_mwh=400),
    ]
    core = Core(world(generators=units, operator={"carbon_step_per_t": 40}), codecs=ON_ORDER)
    orders = {"coal": (40, 150), "gas": (60, 150)}
    assert seat(core, play(core, **orders), "coal")["output_mw"] == near(100)
    outcome = play(core, **orders, operator=1)
    gas = seat(core, outcome, "gas")
    assert market(outcome)["carbon_adder_per_t"] == 40
    assert market(outcome)["price_per_mwh"] == near(76)
    assert gas["output_mw"] == near(100)
    assert gas["carbon_payment"] == near(100 * 0.4 * 40)
    assert gas["reward"] == near(0)
    assert seat(core, outcome, "operator")["account"] == near(1600)
    assert market(outcome)["emissions_kg"] == near(40_000)


@pytest.mark.parametrize("action, level, intervention", [(0, 0, 0), (1, 0, 1), (4, 0, 4), (5, 1, 0), (24, 4, 4)])
def test_the_operators_action_is_a_reserve_level_and_an_intervention(
    action: int, level: int, intervention: int
) -> None:
    core = Core(world(operator={"carbon_step_per_t": 30}))
    operator = seat(core, play(core, operator=action), "operator")
    assert (operator["reserve_level"], operator["intervention"]) == (level, intervention)
    assert operator["carbon_adder_per_t"] == (30 if intervention == 1 else 0)


# The grid connection.


def connected(wholesale: float, **settings: object) -> Scenario:
    profiles = {"demand": FLAT, "price": {"unit": "per_mwh", "scale": wholesale, "minimum": -100}}
    return world(profiles=profiles, connection=CONNECTION, **settings)


def test_imports_cost_wholesale_plus_fee_up_to_the_limit_and_congestion_leaves_a_rent() -> None:
    """Wholesale 40 + fee 3 < local 50: the line is full with 30 MW, the price is local, 30 x (50 - 40 - 3) remain."""
    core = Core(connected(40), codecs=ON_ORDER)
    outcome = play(core, unit=(50, 150))
    result = market(outcome)
    assert result["price_per_mwh"] == near(50)
    assert result["import_mw"] == near(30)
    assert result["congestion_rent"] == near(30 * 7)
    assert result["connection_payment"] == near(30 * 50)
    assert seat(core, outcome, "operator")["account"] == near(30 * 7)
    assert result["resource_cost"] == near(70 * 50 + 30 * 40)
    assert result["emissions_kg"] == near(30 * 350)


def test_an_uncongested_line_sets_the_price_and_leaves_no_rent() -> None:
    core = Core(connected(40), codecs=ON_ORDER)
    result = market(play(core, unit=(10, 90)))
    assert result["price_per_mwh"] == near(43)
    assert result["import_mw"] == near(10)
    assert result["congestion_rent"] == near(0)


def test_exports_earn_wholesale_less_fee_up_to_the_limit() -> None:
    """Wholesale 90 - fee 2 > local 50: 30 MW leave at 50, worth 88 outside, so 30 x 38 remain."""
    core = Core(connected(90), codecs=ON_ORDER)
    result = market(play(core, unit=(50, 150)))
    assert result["import_mw"] == near(-30)
    assert result["price_per_mwh"] == near(50)
    assert result["congestion_rent"] == near(30 * (90 - 2 - 50))
    assert result["emissions_kg"] == 0


def test_between_the_two_fees_nothing_flows() -> None:
    core = Core(connected(51), codecs=ON_ORDER)
    assert market(play(core, unit=(50, 150)))["import_mw"] == 0


def test_imports_pay_the_carbon_adder_for_their_own_rate() -> None:
    """40 + 3 + 0.35 x 20 = 50 ties with local 49.9, which is cheaper: no import until the adder is lower."""
    dear = Core(connected(40, operator={"carbon_step_per_t": 20}), codecs=ON_ORDER)
    assert market(play(dear, unit=(49.9, 150), operator=1))["import_mw"] == 0
    core = Core(connected(40, operator={"carbon_step_per_t": 10}), codecs=ON_ORDER)
    result = market(play(core, unit=(49.9, 150), operator=1))
    assert result["import_mw"] == near(30)
    assert result["carbon_collected"] == near(30 * 0.35 * 10)
    assert result["congestion_rent"] == near(30 * (49.9 - 43 - 3.5))


# Storage.


def test_stored_energy_pays_for_both_ways() -> None:
    """Charge 10 MW for an hour at 90 % in, discharge all of it at 80 % out: 7.2 of 10 MWh come back."""
    battery = {
        "name": "battery",
        "capacity_mwh": 100,
        "power_mw": 10,
        "charge_efficiency": 0.9,
        "discharge_efficiency": 0.8,
        "wear_per_mwh": 1,
    }
    core = Core(world(storage=[battery]), codecs=ON_ORDER)
    filled = seat(core, play(core, unit=(50, 150), battery=(60, -10)), "battery")
    assert filled["energy_mwh"] == near(50 + 9)
    assert filled["reward"] == near(-10 * 50 - 10)
    sold = seat(core, advance(core, unit=(50, 150), battery=(10, 7.2)), "battery")
    assert sold["energy_mwh"] == near(50)
    assert sold["throughput_mwh"] == near(7.2)


@pytest.mark.parametrize("order, energy", [((CAP, -50), 90.0), ((FLOOR, 50), 10.0)])
def test_the_window_bounds_what_a_battery_may_order(order: tuple[float, float], energy: float) -> None:
    battery = {"name": "battery", "capacity_mwh": 100, "power_mw": 50}
    core = Core(world(storage=[battery], intervals=3), codecs=ON_ORDER)
    play(core, unit=(50, 150), battery=order)
    outcome = advance(core, unit=(50, 150), battery=order)
    assert seat(core, outcome, "battery")["energy_mwh"] == near(energy)
    last = seat(core, advance(core, unit=(50, 150), battery=order), "battery")
    assert last["power_mw"] == near(0)


@pytest.mark.parametrize("pricing, price", [("lower", 50), ("upper", 90), ("midpoint", 70)])
def test_the_price_is_the_end_of_its_interval_that_the_world_names(pricing: str, price: float) -> None:
    units = [unit("a", capacity_mw=100), unit("b")]
    core = Core(world(generators=units, market={"pricing": pricing}), codecs=ON_ORDER)
    result = market(play(core, a=(50, 100), b=(90, 150)))
    assert (result["price_low_per_mwh"], result["price_high_per_mwh"]) == (50, 90)
    assert result["price_per_mwh"] == near(price)


def test_the_operator_is_rewarded_for_stability_cost_and_emissions_by_its_weights() -> None:
    weights = {"stability_weight": 2.0, "cost_weight": 0.5, "emissions_weight": 0.1}
    core = Core(world(generators=[unit(capacity_mw=90, co2_kg_per_mwh=500)], operator=weights))
    operator = seat(core, play(core), "operator")
    lost, fuel, emitted = VOLL * 10, 90 * 50, 90 * 500
    assert operator["stability_penalty"] == near(lost)
    assert operator["reward"] == near(-(2 * lost + 0.5 * fuel + 0.1 * emitted))


def test_a_world_without_trade_has_the_price_nearest_zero() -> None:
    core = Core(world(profiles={"demand": {"scale": 0.0}}, generators=[unit()]))
    result = market(play(core))
    assert (result["volume_mw"], result["price_per_mwh"], np.sign(result["unserved_mw"])) == (0, 0, 0)
