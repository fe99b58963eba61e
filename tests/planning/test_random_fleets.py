"""Random small fleets: messages agree with the central plan, and every balance rebuilt from the solution closes."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gridmarl.planning.admm import AdmmSettings
from gridmarl.planning.admm.planner import AdmmPlanner
from gridmarl.planning.central.planner import CentralPlanner
from gridmarl.planning.model.assets import Asset, Battery, Coupling, FlexibleLoad, Generator, Owner
from gridmarl.planning.model.plan import BatteryPlan, GeneratorPlan, LoadPlan, Plan
from gridmarl.planning.model.problem import Problem
from gridmarl.planning.model.risk import Prices, cvar, revenue
from gridmarl.planning.programs.local import steady_base
from gridmarl.units import Float

RESIDUAL = 1e-6  # of the size of the quantity
OBJECTIVE = 1e-5  # of the money that changes hands
ADMM = AdmmSettings(tolerance=1e-5, max_rounds=3000)


@st.composite
def fleets(draw: st.DrawFn) -> Problem:
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    size = draw(st.sampled_from([1e-3, 1.0, 100.0]))  # homes, feeders, plants
    steps = draw(st.integers(6, 12))
    betas = draw(st.lists(st.sampled_from([0.0, 0.3, 0.9]), min_size=3, max_size=5))
    owners = tuple(Owner(f"owner_{i}", _assets(rng, size, steps), beta) for i, beta in enumerate(betas))
    limit = draw(st.sampled_from([0.0, 0.5, 50.0])) * size
    prices = Prices(rng.uniform(10, 90, (8, steps)), rng.dirichlet(np.full(8, 50.0)), 0.7)
    return Problem(owners, rng.choice([0.25, 0.5, 1.0], steps), Coupling(-limit, limit, 2000.0, 800.0), prices)


def _assets(rng: np.random.Generator, size: float, steps: int) -> tuple[Asset, ...]:
    power, energy = size * rng.uniform(0.2, 1.0), size * rng.uniform(0.5, 4.0)
    battery = Battery(
        name="battery",
        charge_limit_mw=power,
        discharge_limit_mw=power,
        charge_efficiency=rng.uniform(0.85, 1.0),
        discharge_efficiency=rng.uniform(0.85, 1.0),
        energy_min_mwh=0.1 * energy,
        energy_max_mwh=0.9 * energy,
        energy_now_mwh=energy * rng.uniform(0.1, 0.9),
        wear_per_mwh=rng.uniform(1, 5),
        wear_per_mw2h=rng.uniform(1, 10) / size,
        ramp_mw_per_h=rng.choice([np.inf, 2 * power]),
    )
    now = size * rng.uniform(0, 1)
    generator = Generator(
        name="generator",
        available_mw=size,
        minimum_mw=0.0,
        cost_per_mwh=rng.uniform(10, 80),
        cost_per_mw2h=rng.uniform(2, 20) / size,
        ramp_up_mw_per_h=rng.choice([np.inf, size]),
        ramp_down_mw_per_h=size,
        output_now_mw=now,
    )
    load = size * rng.uniform(0.2, 1.2, steps)
    demand = FlexibleLoad("load", load, 0.3 * load, rng.uniform(20, 90), rng.uniform(0, 1), rng.uniform(0.5, 4))
    some: tuple[Asset, ...] = (battery, generator, demand)
    return tuple(asset for asset in some if rng.random() < 0.75) or (battery,)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(fleet=fleets())
def test_messages_agree_with_the_central_plan(fleet: Problem):
    central, admm = CentralPlanner().solve(fleet), AdmmPlanner(ADMM).solve(fleet)
    assert central.converged
    assert admm.converged
    assert abs(admm.objective - central.objective) <= OBJECTIVE * turnover(fleet)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(fleet=fleets())
def test_balances_rebuilt_from_the_plan_close(fleet: Problem):
    owners, step_h, coupling, prices, _ = fleet
    plan = CentralPlanner().solve(fleet)
    size = steady_base(owners, prices).power_mw  # of the largest asset: batteries alone may rest, and move nothing
    for i, owner in enumerate(owners):
        rebuilt = sum(asset.injection_mw for asset in plan.assets[i])
        assert np.abs(rebuilt - plan.injection_mw[i]).max() < RESIDUAL * size
        for asset, schedule in zip(owner.assets, plan.assets[i], strict=True):
            assert state_residual(asset, schedule, step_h) < RESIDUAL * size
    total = plan.injection_mw.sum(axis=0) + (plan.shortage_mwh - plan.surplus_mwh) / step_h
    assert total.max() < coupling.upper_mw + RESIDUAL * size
    assert total.min() > coupling.lower_mw - RESIDUAL * size


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(fleet=fleets())
def test_each_owners_objective_is_cost_less_expectation_and_cvar(fleet: Problem):
    owners, step_h, _, prices, _ = fleet
    for plan in (CentralPlanner().solve(fleet), AdmmPlanner(AdmmSettings(max_rounds=20)).solve(fleet)):
        for i, owner in enumerate(owners):
            gains = revenue(plan.injection_mw[i], step_h, prices)
            risk = cvar(gains, prices.probability, prices.alpha)
            worth = (1 - owner.beta) * prices.probability @ gains + owner.beta * risk
            rebuilt = direct_cost(owner, plan, i) - worth
            assert abs(rebuilt - plan.owner_objective[i]) <= OBJECTIVE * turnover(fleet)


def turnover(fleet: Problem) -> float:
    """Dollars that would change hands if the largest asset always sold at the highest price."""
    owners, step_h, _, prices, _ = fleet
    return float(prices.per_mwh.max() * step_h.sum() * steady_base(owners, prices).power_mw)


def state_residual(asset: Asset, schedule: object, step_h: Float) -> float:
    """Largest violation of an asset's state equation and limits."""
    match asset, schedule:
        case Battery(), BatteryPlan():
            gain = asset.charge_efficiency * schedule.charge_mw - schedule.discharge_mw / asset.discharge_efficiency
            stored = asset.energy_now_mwh + np.cumsum(gain * step_h)
            window = np.maximum(asset.energy_min_mwh - stored, stored - asset.energy_max_mwh)
            step = np.abs(np.diff(schedule.injection_mw, prepend=asset.power_now_mw)) - asset.ramp_mw_per_h * step_h
            kept = asset.energy_now_mwh - stored[-1]
            return float(max(np.abs(stored - schedule.energy_mwh).max(), window.max(), step.max(), kept))
        case Generator(), GeneratorPlan():
            change = np.diff(schedule.output_mw, prepend=asset.output_now_mw)
            up, down = change - asset.ramp_up_mw_per_h * step_h, -change - asset.ramp_down_mw_per_h * step_h
            return float(max(up.max(), down.max(), (schedule.output_mw - asset.available_mw).max()))
        case FlexibleLoad(), LoadPlan():
            debt, worst = asset.debt_now_mwh, 0.0
            for k, hours in enumerate(step_h):
                payback = debt / max(asset.rebound_h, hours)
                worst = max(worst, abs(payback - schedule.payback_mw[k]))
                debt += hours * (asset.rebound_share * schedule.reduction_mw[k] - payback)
                worst = max(worst, abs(debt - schedule.debt_mwh[k]))
            return float(max(worst, (schedule.reduction_mw - asset.flexible_mw).max()))
        case _:
            raise AssertionError("a schedule of another kind than its asset")


def direct_cost(owner: Owner, plan: Plan, index: int) -> float:
    """Wear, fuel and comfort in dollars."""
    total = 0.0
    for asset, schedule in zip(owner.assets, plan.assets[index], strict=True):
        match asset, schedule:
            case Battery(), BatteryPlan():
                charge, discharge = schedule.charge_mw, schedule.discharge_mw
                total += plan.step_h @ (
                    asset.wear_per_mwh * (charge + discharge) + asset.wear_per_mw2h * (charge**2 + discharge**2)
                )
            case Generator(), GeneratorPlan():
                total += plan.step_h @ (
                    asset.cost_per_mwh * schedule.output_mw + asset.cost_per_mw2h * schedule.output_mw**2
                )
            case FlexibleLoad(), LoadPlan():
                total += plan.step_h @ (asset.comfort_cost_per_mwh * schedule.reduction_mw)
            case _:
                raise AssertionError("a schedule of another kind than its asset")
    return float(total)
