"""A plan's multipliers are the auction's prices, and its CVaR is the mean of the worst scenarios."""

from __future__ import annotations

from typing import cast

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gridmarl.agents.seats import StorageSeat
from gridmarl.market.auction import Clearing, clear
from gridmarl.planning.central.planner import CentralPlanner
from gridmarl.planning.curves import water_value
from gridmarl.planning.dantzig_wolfe.planner import DantzigWolfePlanner
from gridmarl.planning.model.assets import Asset, Battery, Coupling, FlexibleLoad, Generator, Owner, Terminal
from gridmarl.planning.model.plan import BatteryPlan, GeneratorPlan, LoadPlan, Plan
from gridmarl.planning.model.problem import Problem
from gridmarl.planning.model.risk import Prices, revenue
from gridmarl.planning.selfish import SelfishPlanner
from gridmarl.scenario import participants
from gridmarl.units import Float

VOLL = 3000.0
SURPLUS = 400.0
PRICE = 1e-4  # $/MWh: what the solvers' last digits are worth
QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


@st.composite
def markets(draw: st.DrawFn) -> tuple[tuple[Generator, ...], FlexibleLoad]:
    """Up to five plants, some equally dear, and a load that may outgrow them, some of which is flexible at a cost."""
    count = draw(st.integers(1, 5))
    costs = draw(st.lists(st.sampled_from([20.0, 35.0, 35.0, 50.0, 71.5]), min_size=count, max_size=count))
    sizes = draw(st.lists(st.floats(1.0, 40.0), min_size=count, max_size=count))
    plants = tuple(
        Generator(f"g{i}", size, cost_per_mwh=cost) for i, (size, cost) in enumerate(zip(sizes, costs, strict=True))
    )
    load = draw(st.one_of(st.floats(1.0, 1.2 * sum(sizes)), st.just(sizes[0])))
    flexible = draw(st.sampled_from([0.0, 0.3]))
    return plants, FlexibleLoad("load", load, flexible * load, draw(st.sampled_from([40.0, 90.0])))


def one_period(plants: tuple[Generator, ...], load: FlexibleLoad) -> Clearing:
    """The auction of true costs: demand response is an offer not to consume."""
    offers = [("sell", float(plant.cost_per_mwh), float(plant.available_mw)) for plant in plants]
    offers.append(("sell", float(load.comfort_cost_per_mwh), float(load.flexible_mw)))
    orders = pd.DataFrame([offer for offer in offers if offer[2] > 0], columns=["side", "price", "quantity"])
    return clear(orders, demand=float(load.baseline_mw), voll=VOLL)


@QUICK
@pytest.mark.parametrize("solve", [CentralPlanner().solve, DantzigWolfePlanner().solve])
@given(market=markets())
def test_a_periods_multiplier_is_the_auctions_price_where_that_is_unique(solve, market):
    plants, load = market
    owners = (*(Owner(plant.name, (plant,)) for plant in plants), Owner("town", (load,)))
    island = Coupling(0.0, 0.0, VOLL, SURPLUS)
    plan = solve(Problem(owners, np.ones(1), island, Prices.certain(np.zeros(1)), Terminal(keep_energy=False)))
    cleared = one_period(plants, load)
    low, high = cast("tuple[float, float]", cleared.price_interval)
    assert low - PRICE <= plan.price_per_mwh[0] <= min(high, VOLL) + PRICE
    if high - low < PRICE:
        assert plan.price_per_mwh[0] == pytest.approx(cleared.price, abs=PRICE)


@QUICK
@given(market=markets(), paid=st.sampled_from([0.0, 30.0, -15.0]))
def test_the_price_is_expectation_plus_multiplier_whatever_is_expected_on_an_island(market, paid: float):
    plants, load = market
    owners = (*(Owner(plant.name, (plant,)) for plant in plants), Owner("town", (load,)))
    island = Coupling(0.0, 0.0, VOLL - paid, SURPLUS + paid)
    plan = CentralPlanner().solve(Problem(owners, np.ones(1), island, Prices.certain(np.full(1, paid))))
    low, high = cast("tuple[float, float]", one_period(plants, load).price_interval)
    assert low - PRICE <= plan.price_per_mwh[0] <= min(high, VOLL) + PRICE


@st.composite
def days(draw: st.DrawFn) -> tuple[tuple[Generator, ...], tuple[participants.Battery, ...], Float, Float]:
    """Plants, stores, a load and price expectations for some hours."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    steps = draw(st.integers(3, 10))
    plants = tuple(Generator(f"g{i}", rng.uniform(5, 40), cost_per_mwh=rng.uniform(5, 90)) for i in range(4))
    stores = tuple(
        participants.Battery(
            name=f"b{i}",
            capacity_mwh=rng.uniform(5, 30),
            power_mw=rng.uniform(2, 15),
            charge_efficiency=rng.uniform(0.85, 0.99),
            discharge_efficiency=rng.uniform(0.85, 0.99),
            wear_per_mwh=rng.uniform(0.5, 4),
        )
        for i in range(draw(st.integers(1, 2)))
    )
    load = rng.uniform(10, 70, steps)
    return plants, stores, load, rng.uniform(-20, 60, steps)


@QUICK
@given(day=days())
def test_over_a_horizon_multipliers_lie_in_the_auctions_price_interval(day):
    plants, stores, load, paid = day
    assume(load.max() < sum(float(plant.available_mw) for plant in plants))
    owners = tuple(Owner(plant.name, (plant,)) for plant in plants)
    owners += tuple(Owner(store.name, (_battery(store),)) for store in stores)
    owners += (Owner("town", (FlexibleLoad("load", load),)),)
    island = Coupling(0.0, 0.0, VOLL - paid, SURPLUS + paid)
    plan = CentralPlanner().solve(
        Problem(owners, np.ones(len(load)), island, Prices.certain(paid), Terminal(False, 20.0))
    )
    for k, price in enumerate(plan.price_per_mwh):
        orders = [("sell", float(plant.cost_per_mwh), float(plant.available_mw)) for plant in plants]
        for store in stores:
            orders += _orders(store, plan, k)
        table = pd.DataFrame(orders, columns=["side", "price", "quantity"])
        cleared = clear(table, demand=float(load[k]), voll=VOLL)
        low, high = cast("tuple[float, float]", cleared.price_interval)
        assert low - 10 * PRICE <= price <= high + 10 * PRICE


def _battery(store: participants.Battery) -> Battery:
    return Battery(
        name=store.name,
        charge_limit_mw=store.power_mw,
        discharge_limit_mw=store.power_mw,
        charge_efficiency=store.charge_efficiency,
        discharge_efficiency=store.discharge_efficiency,
        energy_min_mwh=store.soc_min * store.capacity_mwh,
        energy_max_mwh=store.soc_max * store.capacity_mwh,
        energy_now_mwh=store.soc_initial * store.capacity_mwh,
        wear_per_mwh=store.wear_per_mwh,
    )


def _orders(store: participants.Battery, plan: Plan, step: int) -> list[tuple[str, float, float]]:
    """All its power at marginal cost plus water value."""
    planned = plan.asset(store.name, store.name)
    assert isinstance(planned, BatteryPlan)
    state = StorageSeat(store, float(planned.energy_mwh[step]), 0.0)
    value = water_value(planned, state, plan.price_per_mwh, step)
    sell, buy = value / store.discharge_efficiency + store.wear_per_mwh, value * store.charge_efficiency
    return [("sell", sell, store.power_mw), ("buy", buy - store.wear_per_mwh, store.power_mw)]


def worst_mean(gain: Float, probability: Float, alpha: float) -> float:
    """CVaR by its definition as a maximum over η, which lies at one of the gains."""
    return max(eta - probability @ np.maximum(eta - gain, 0.0) / (1 - alpha) for eta in gain)


@QUICK
@given(seed=st.integers(0, 10_000), beta=st.sampled_from([0.0, 0.2, 0.7, 1.0]), alpha=st.sampled_from([0.0, 0.5, 0.75]))
def test_cvar_in_a_plan_is_the_maximum_over_eta_on_its_scenarios(seed: int, beta: float, alpha: float):
    rng = np.random.default_rng(seed)
    steps, count = 6, 8
    battery = Battery("cell", 1.0, 1.0, 0.9, 0.9, 0.0, 3.0, 1.0, wear_per_mwh=2.0, wear_per_mw2h=1.0)
    plant = Generator("plant", 1.0, cost_per_mwh=rng.uniform(10, 70), cost_per_mw2h=3.0)
    assets: tuple[Asset, ...] = (battery, plant, FlexibleLoad("load", 0.5))
    prices = Prices(rng.uniform(-10, 90, (count, steps)), rng.dirichlet(np.full(count, 20.0)), alpha)
    hours = rng.choice([0.5, 1.0], steps)
    owners = tuple(Owner(f"o{i}", assets, b) for i, b in enumerate((beta, 0.0)))
    problem = Problem(owners, hours, Coupling(-0.7, 0.7, 900.0, 900.0), prices, Terminal(False, 25.0))
    for plan in (CentralPlanner().solve(problem), SelfishPlanner().solve(problem)):
        gain = revenue(plan.injection_mw[0], hours, prices)
        worth = (1 - beta) * prices.probability @ gain + beta * worst_mean(gain, prices.probability, alpha)
        assert plan.owner_objective[0] == pytest.approx(_cost(plan, assets, hours) - worth, abs=1e-4)


def _cost(plan: Plan, assets: tuple[Asset, ...], hours: Float) -> float:
    """Wear and fuel less the credit for stored energy, dollars."""
    total = 0.0
    for asset, planned in zip(assets, plan.assets[0], strict=True):
        match asset, planned:
            case Battery(), BatteryPlan():
                c, d = planned.charge_mw, planned.discharge_mw
                total += hours @ (asset.wear_per_mwh * (c + d) + asset.wear_per_mw2h * (c**2 + d**2))
                total -= 25.0 * (planned.energy_mwh[-1] - asset.energy_now_mwh)
            case Generator(), GeneratorPlan():
                g = planned.output_mw
                total += hours @ (asset.cost_per_mwh * g + asset.cost_per_mw2h * g**2)
            case FlexibleLoad(), LoadPlan():
                pass
            case _:
                raise AssertionError("a schedule of another kind than its asset")
    return float(total)


@QUICK
@given(seed=st.integers(0, 10_000))
def test_no_schedule_beats_the_risk_averse_plan_by_its_definition(seed: int):
    rng = np.random.default_rng(seed)
    plant = Generator("plant", 1.0, cost_per_mwh=40.0, cost_per_mw2h=2.0)
    prices = Prices(rng.uniform(10, 90, (8, 4)), rng.dirichlet(np.full(8, 20.0)), 0.5)
    plan = SelfishPlanner().solve(
        Problem((Owner("plant", (plant,), 0.6),), np.ones(4), Coupling(-9.0, 9.0, 900.0, 900.0), prices)
    )

    def cost(output_mw: Float) -> float:
        gain = revenue(output_mw, np.ones(4), prices)
        worth = 0.4 * prices.probability @ gain + 0.6 * worst_mean(gain, prices.probability, 0.5)
        return float((40.0 * output_mw + 2.0 * output_mw**2).sum() - worth)

    best = cost(plan.injection_mw[0])
    for other in rng.uniform(0, 1, (200, 4)):
        assert best <= cost(other) + 1e-6
