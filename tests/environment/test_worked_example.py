"""The worked example, spoken through the environment: 120 MW at $55, 150 MW at $65, 80 MW at $45."""

from __future__ import annotations

import numpy as np
import pytest

import gridmarl
from gridmarl.environment.parallel import MarketEnv
from gridmarl.scenario.scenario import Scenario
from tests.environment.worlds import ON_ORDER

EXACT = 1e-12

# Seat -> price in $/MWh, signed MW: generators and discharge, demand response, and a bid to charge.
ORDERS = {
    "solar_1": (25, 30),
    "wind_1": (30, 25),
    "coal_1": (45, 50),
    "gas_1": (65, 40),
    "gas_2": (75, 35),
    "battery_1": (55, 15),
    "battery_2": (40, -10),
    "load_1": (80, 8),
    "load_2": (90, 5),
}


def example(demand_mw: float) -> MarketEnv:
    """The auction's seats in one hour of this demand; nothing ramps, nothing must run."""
    capacity = {"solar_1": 30, "wind_1": 25, "coal_1": 50, "gas_1": 40, "gas_2": 35}
    scenario = Scenario.load("auction").but(
        interval_min=60,
        intervals=1,
        profiles={"demand": {"shape": "constant", "scale": demand_mw / 120}},
        generators=[{"name": name, "capacity_mw": mw, "cost_per_mwh": 20} for name, mw in capacity.items()],
        storage=[{"name": f"battery_{k}", "capacity_mwh": 80, "power_mw": 15} for k in (1, 2)],
        consumers=[
            {"name": "load_1", "load_mw": 80, "flexible_share": 0.2},
            {"name": "load_2", "load_mw": 40, "flexible_share": 0.2},
        ],
    )
    return gridmarl.parallel_env(scenario, codecs=ON_ORDER)


def cleared(env: MarketEnv) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    env.reset(seed=0)
    actions: dict[str, object] = {seat: np.array(order, np.float64) for seat, order in ORDERS.items()}
    infos = env.step({**actions, "operator": 0})[4]
    return env.market(), infos


@pytest.mark.parametrize("demand_mw, price", [(120, 55), (150, 65), (80, 45)])
def test_the_price_of_the_worked_example(demand_mw: float, price: float) -> None:
    results, _ = cleared(example(demand_mw))
    assert results["demand_mw"] == pytest.approx(demand_mw, abs=EXACT)
    assert results["price_per_mwh"] == price


@pytest.mark.parametrize("demand_mw, battery_mw, gas_mw", [(120, 15, 0), (150, 15, 30), (80, 0, 0)])
def test_who_is_dispatched_in_the_worked_example(demand_mw: float, battery_mw: float, gas_mw: float) -> None:
    _, infos = cleared(example(demand_mw))
    assert infos["battery_1"]["power_mw"] == pytest.approx(battery_mw, abs=EXACT)
    assert infos["gas_1"]["output_mw"] == pytest.approx(gas_mw, abs=EXACT)
    assert infos["coal_1"]["output_mw"] == pytest.approx(25 if demand_mw == 80 else 50, abs=EXACT)
    assert infos["gas_2"]["output_mw"] == infos["battery_2"]["power_mw"] == infos["load_1"]["reduction_mw"] == 0.0


def test_demand_response_sets_the_price_where_only_it_is_left() -> None:
    results, infos = cleared(example(199))
    assert results["price_per_mwh"] == 80
    assert infos["load_1"]["reduction_mw"] == pytest.approx(4, abs=EXACT)
    assert infos["load_2"]["reduction_mw"] == results["unserved_mw"] == 0


def test_what_nobody_can_serve_is_shed_at_the_value_of_lost_load() -> None:
    results, _ = cleared(example(220))
    assert results["price_per_mwh"] == 10_000
    assert results["unserved_mw"] == pytest.approx(220 - 195 - 13, abs=1e-9)
