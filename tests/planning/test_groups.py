"""Groups of owners with limits of their own: every method plans within them and finds their price."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gridmarl.agents.seats import Seats
from gridmarl.environment.core import Core
from gridmarl.errors import PrivacyError, ScenarioError
from gridmarl.planning.admm import AdmmSettings
from gridmarl.planning.admm.planner import AdmmPlanner
from gridmarl.planning.admm.totals_step import nearest_totals
from gridmarl.planning.aladin.planner import AladinPlanner, AladinSettings
from gridmarl.planning.central.planner import CentralPlanner
from gridmarl.planning.certify import certify
from gridmarl.planning.dantzig_wolfe.planner import DantzigWolfePlanner
from gridmarl.planning.model.assets import Asset, Battery, Coupling, FlexibleLoad, Generator, Group, Owner
from gridmarl.planning.model.gap import admissible, coupling_value
from gridmarl.planning.model.groups import Rows, by_class, classes, heard, multipliers, rows_of, totals
from gridmarl.planning.model.horizon import DEFAULT_GRID, make_horizon
from gridmarl.planning.model.outlook import Outlook, look_ahead
from gridmarl.planning.model.plan import Plan
from gridmarl.planning.model.problem import Problem
from gridmarl.planning.model.risk import Prices
from gridmarl.planning.optimum import optimum_cost, perfect_plan
from gridmarl.planning.selfish import SelfishPlanner
from gridmarl.planning.wire.channel import COORDINATOR, Audit
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import Float

DUST_MW = 1e-6
OBJECTIVE = 1e-5  # of the money that changes hands
ADMM = AdmmSettings(tolerance=1e-5, max_rounds=3000)
ALADIN = AladinSettings(tolerance=1e-6, gap_tolerance=1e-6, max_rounds=2000)
QUICK = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


@st.composite
def fleets(draw: st.DrawFn, *, curved: bool = True, beta: bool = True) -> Problem:
    """Four to six owners, of whom some share one transformer and some another."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    steps, count = draw(st.integers(4, 8)), draw(st.integers(4, 6))
    betas = [float(rng.choice([0.0, 0.3, 0.9])) if beta else 0.0 for _ in range(count)]
    owners = tuple(Owner(f"owner_{i}", _assets(rng, steps, curved), betas[i]) for i in range(count))
    split = draw(st.integers(2, count))  # where all are behind one of the two, nobody is in no group
    groups = (
        _group("east", owners[:2], draw(st.sampled_from([0.1, 0.4, 20.0]))),
        _group("west", owners[2:split] or owners[2:], draw(st.sampled_from([0.2, 0.6]))),
    )
    limit = draw(st.sampled_from([0.0, 0.5, np.inf]))
    prices = Prices(rng.uniform(10, 90, (8, steps)), rng.dirichlet(np.full(8, 50.0)), 0.7)
    coupling = Coupling(-limit, limit, 2000.0, 800.0, groups)
    return Problem(owners, rng.choice([0.25, 0.5, 1.0], steps), coupling, prices)


def _group(name: str, owners: tuple[Owner, ...], limit_mw: float) -> Group:
    return Group(name, tuple(owner.name for owner in owners), -limit_mw, limit_mw, 150.0, 120.0)


def _assets(rng: np.random.Generator, steps: int, curved: bool) -> tuple[Asset, ...]:
    power, energy = rng.uniform(0.2, 1.0), rng.uniform(0.5, 3.0)
    battery = Battery(
        name="battery",
        charge_limit_mw=power,
        discharge_limit_mw=power,
        charge_efficiency=rng.uniform(0.85, 1.0),
        discharge_efficiency=rng.uniform(0.85, 1.0),
        energy_min_mwh=0.0,
        energy_max_mwh=energy,
        energy_now_mwh=energy * rng.uniform(0.1, 0.9),
        wear_per_mwh=rng.uniform(1, 5),
        wear_per_mw2h=rng.uniform(1, 10) if curved else 0.0,
    )
    generator = Generator(
        name="generator",
        available_mw=1.0,
        cost_per_mwh=rng.uniform(10, 80),
        cost_per_mw2h=rng.uniform(2, 20) if curved else 0.0,
    )
    load = rng.uniform(0.2, 1.0, steps)
    demand = FlexibleLoad("load", load, 0.3 * load, rng.uniform(20, 90), rng.uniform(0, 1), rng.uniform(0.5, 4))
    some: tuple[Asset, ...] = (battery, generator, demand)
    return tuple(asset for asset in some if rng.random() < 0.75) or (battery,)


def turnover(fleet: Problem) -> float:
    return float(fleet.prices.per_mwh.max() * fleet.step_h.sum())


def beyond_mw(plan: Plan, coupling: Coupling) -> float:
    """Largest amount by which a group's sum misses its bounds beyond the slack that the plan states."""
    worst = 0.0
    for group, planned in zip(coupling.groups, plan.groups, strict=True):
        total = plan.injection_mw[[owner in group.members for owner in plan.owners]].sum(axis=0)
        net = total + (planned.shortage_mwh - planned.surplus_mwh) / plan.step_h
        worst = max(worst, float((net - group.upper_mw).max()), float((group.lower_mw - net).max()))
    return worst


@QUICK
@given(fleet=fleets())
def test_messages_agree_with_the_central_plan_and_stay_within_every_limit(fleet: Problem):
    central, admm = CentralPlanner().solve(fleet), AdmmPlanner(ADMM).solve(fleet)
    assert central.converged
    assert admm.converged
    assert abs(admm.objective - central.objective) <= OBJECTIVE * turnover(fleet)
    assert admm.lower_bound <= central.objective + OBJECTIVE * turnover(fleet)
    assert beyond_mw(central, fleet.coupling) < DUST_MW
    assert beyond_mw(admm, fleet.coupling) < 1e-4


@QUICK
@given(fleet=fleets())
def test_the_central_multipliers_certify_the_central_plan(fleet: Problem):
    plan = CentralPlanner().solve(fleet)
    found = certify(plan, fleet)
    assert found.lower <= plan.objective + OBJECTIVE * turnover(fleet)
    assert found.gap <= OBJECTIVE * turnover(fleet)
    admitted = admissible(fleet.coupling, plan.multipliers_per_mwh)
    assert np.abs(admitted - plan.multipliers_per_mwh).max() < 1e-3


@settings(QUICK, max_examples=5)
@given(fleet=fleets())
def test_aladin_agrees_with_the_central_plan(fleet: Problem):
    central, aladin = CentralPlanner().solve(fleet), AladinPlanner(ALADIN).solve(fleet)
    assert aladin.converged
    assert abs(aladin.objective - central.objective) <= OBJECTIVE * turnover(fleet)
    assert beyond_mw(aladin, fleet.coupling) < 1e-4


@QUICK
@given(fleet=fleets(curved=False))
def test_dantzig_wolfe_is_exact_with_linear_costs(fleet: Problem):
    central, mixed = CentralPlanner().solve(fleet), DantzigWolfePlanner().solve(fleet)
    assert mixed.converged
    assert abs(mixed.objective - central.objective) <= 1e-6 * turnover(fleet)
    assert mixed.lower_bound <= central.objective + 1e-6 * turnover(fleet)
    assert beyond_mw(mixed, fleet.coupling) < DUST_MW


@QUICK
@given(fleet=fleets(beta=False))
def test_selfish_plans_ignore_limits_and_never_cost_more_than_plans_within_them(fleet: Problem):
    alone, within = SelfishPlanner().solve(fleet), CentralPlanner().solve(fleet)
    assert alone.objective <= within.objective + OBJECTIVE * turnover(fleet)
    assert not np.any(alone.multipliers_per_mwh)
    missed = [group.shortage_mwh + group.surplus_mwh for group in alone.groups]
    rows = totals(by_class(alone.injection_mw, classes(fleet.coupling, alone.owners), 1 + len(missed)))[1:]
    for group, total, said in zip(fleet.coupling.groups, rows, missed, strict=True):
        beyond = np.maximum(group.lower_mw - total, 0.0) + np.maximum(total - group.upper_mw, 0.0)
        assert said == pytest.approx(beyond * fleet.step_h, abs=DUST_MW)
    found = certify(alone, fleet)
    assert found.lower <= within.objective + OBJECTIVE * turnover(fleet)
    assert found.upper >= within.objective - OBJECTIVE * turnover(fleet)


CHEAP = Owner("cheap", (Generator("gas", 10.0, cost_per_mwh=10.0, cost_per_mw2h=1e-3),))
DEAR = Owner("dear", (Generator("oil", 10.0, cost_per_mwh=30.0, cost_per_mw2h=1e-3),))
TOWN = Owner("town", (FlexibleLoad("load", 5.0),))
LINE = Group("line", ("cheap",), -2.0, 2.0, 1000.0, 900.0)
ISLAND = Coupling(0.0, 0.0, 1000.0, 500.0, (LINE,))
SPLIT = Problem((CHEAP, DEAR, TOWN), np.ones(1), ISLAND, Prices.certain(np.zeros(1)))


@pytest.mark.parametrize("solve", [CentralPlanner().solve, AdmmPlanner().solve, AladinPlanner().solve])
def test_a_line_that_is_full_splits_the_price(solve):
    plan = solve(SPLIT)
    assert plan.injection_mw[:, 0] == pytest.approx([2.0, 3.0, -5.0], abs=1e-3)
    assert plan.price_of("dear") == pytest.approx([30.0], abs=0.05)
    assert plan.price_of("cheap") == pytest.approx([10.0], abs=0.05)
    assert plan.groups[0].multiplier_per_mwh == pytest.approx([-20.0], abs=0.05)
    assert plan.groups[0].name == "line"


@pytest.mark.parametrize("solve", [CentralPlanner().solve, AdmmPlanner().solve, AladinPlanner().solve])
def test_a_limit_that_load_alone_breaks_is_reported_and_priced(solve):
    short = replace(ISLAND, groups=(Group("street", ("town",), -4.0, 4.0, 700.0, 900.0),))
    plan = solve(SPLIT._replace(coupling=short))
    assert plan.groups[0].shortage_mwh == pytest.approx([1.0], abs=1e-3)
    assert plan.groups[0].multiplier_per_mwh == pytest.approx([700.0], abs=1e-2)
    assert plan.shortage_mwh == pytest.approx([0.0], abs=1e-3)
    assert plan.objective == pytest.approx(10.0 * 5 + 700.0, rel=1e-3)


@st.composite
def steps_of_admm(draw: st.DrawFn) -> tuple[Rows, Float, Float]:
    """Rows of one to four groups, wishes and slopes; class 0 may be empty."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    groups, k = draw(st.integers(0, 4)), 3
    low = rng.uniform(-2, 1, (1 + groups, k)) * 10.0 ** rng.integers(-2, 2)
    high = low + rng.choice([0.0, 0.5, 2.0, np.inf], (1 + groups, k))
    rows = Rows(low, high, rng.uniform(1, 50, (1 + groups, k)), rng.uniform(1, 50, (1 + groups, k)))
    slope = rng.uniform(0.01, 3.0, 1 + groups)
    wish = rng.uniform(-5, 5, (1 + groups, k))
    if groups and draw(st.booleans()):
        slope[0], wish[0] = 0.0, 0.0
    return rows, wish, slope


@settings(QUICK, max_examples=200)
@given(step=steps_of_admm())
def test_the_closed_step_satisfies_the_optimality_conditions_of_every_row(step: tuple[Rows, Float, Float]):
    rows, wish, slope = step
    total, everybody = nearest_totals(rows, wish, slope)
    told = np.where(slope[:, None] > 0, (total - wish) / np.where(slope > 0, slope, 1.0)[:, None], everybody)
    assert told[0] == pytest.approx(everybody, abs=1e-7)
    row_totals, price = totals(total), multipliers(told)
    dust = 1e-6
    assert np.all(price <= rows.shortage_per_mwh + dust)
    assert np.all(price >= -rows.surplus_per_mwh - dust)
    below, above = row_totals < rows.lower_mw - dust, row_totals > rows.upper_mw + dust
    assert price[below] == pytest.approx(rows.shortage_per_mwh[below], abs=dust)
    assert price[above] == pytest.approx(-rows.surplus_per_mwh[above], abs=dust)
    assert np.all(price[row_totals > rows.lower_mw + dust] <= dust)
    assert np.all(price[row_totals < rows.upper_mw - dust] >= -dust)


@given(st.integers(0, 1000), st.integers(0, 5))
def test_what_classes_hear_is_worth_what_rows_are_priced_at(seed: int, groups: int):
    rng = np.random.default_rng(seed)
    price, injected = rng.normal(size=(2, 1 + groups, 4))
    assert np.sum(heard(price) * injected) == pytest.approx(np.sum(price * totals(injected)), abs=1e-9)
    assert multipliers(heard(price)) == pytest.approx(price, abs=1e-12)


def test_members_of_a_group_hear_the_same_and_others_do_not():
    audit = Audit(keep=True)
    names = ("a", "b", "c", "d")
    fleet = tuple(Owner(n, (Generator("unit", 1.0, cost_per_mwh=10.0, cost_per_mw2h=5.0),)) for n in names)
    bound = Coupling(-9.0, 9.0, 900.0, 900.0, (Group("pair", ("a", "b"), -0.5, 0.5, 900.0, 900.0),))
    AdmmPlanner(audit=audit).solve(Problem(fleet, np.ones(2), bound, Prices.certain(np.array([20.0, 30.0]))))
    said: dict[str, list[bytes]] = {name: [] for name in names}
    for entry, content in zip(audit.entries, audit.said, strict=True):
        if entry.sender == COORDINATOR and entry.kind == "Message":
            said[entry.receiver].append(content)
    assert said["a"] == said["b"]
    assert said["c"] == said["d"]
    assert said["a"] != said["c"]


def test_masks_hide_owners_within_their_own_group():
    rng = np.random.default_rng(4)
    owners = tuple(Owner(f"o{i}", _assets(rng, 4, curved=True)) for i in range(6))
    bound = Coupling(0.0, 0.0, 900.0, 900.0, (_group("east", owners[:3], 0.3),))
    problem = Problem(owners, np.ones(4), bound, Prices.certain(rng.uniform(10, 90, 4)))
    plain, secure = (AdmmPlanner(replace(ADMM, secure=masked)).solve(problem) for masked in (False, True))
    assert secure.converged
    assert secure.objective == pytest.approx(plain.objective, abs=1e-4 * abs(plain.objective))
    small = replace(bound, groups=(_group("east", owners[:2], 0.3),))
    with pytest.raises(PrivacyError, match="2 owners"):
        AdmmPlanner(replace(ADMM, secure=True)).solve(problem._replace(coupling=small))


def test_a_second_plan_starts_from_the_groups_prices():
    planner = AdmmPlanner(ADMM)
    first, again = planner.solve(SPLIT), planner.solve(SPLIT)
    assert again.rounds < first.rounds
    assert again.groups[0].multiplier_per_mwh == pytest.approx(first.groups[0].multiplier_per_mwh, abs=0.1)
    other = planner.solve(SPLIT._replace(coupling=replace(ISLAND, groups=())))
    assert other.converged
    assert other.groups == ()


def test_the_dual_function_with_groups_is_a_lower_bound_at_any_multiplier():
    rows = rows_of(ISLAND, 1)
    rng = np.random.default_rng(0)
    for _ in range(20):
        price = admissible(ISLAND, rng.uniform(-1500, 1500, (2, 1)))
        grid = np.linspace(-20, 20, 4001)
        least = 0.0
        for r in range(2):
            short = rows.shortage_per_mwh[r] * np.maximum(rows.lower_mw[r] - grid, 0)
            over = rows.surplus_per_mwh[r] * np.maximum(grid - rows.upper_mw[r], 0)
            least += float((short + over + price[r] * grid).min())
        assert coupling_value(ISLAND, np.ones(1), price) == pytest.approx(least, abs=1e-6)


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        ((LINE, LINE), "line"),
        ((LINE, replace(LINE, name="other")), "cheap"),
    ],
)
def test_groups_that_overlap_are_refused(groups, said):
    with pytest.raises(ScenarioError, match=said):
        Coupling(0.0, 0.0, 1000.0, 500.0, groups)


def test_groups_without_members_or_of_strangers_are_refused():
    with pytest.raises(ScenarioError, match="members"):
        replace(LINE, members=())
    with pytest.raises(ScenarioError, match=r"line\.surplus_per_mwh"):
        replace(LINE, surplus_per_mwh=0.0)
    with pytest.raises(ScenarioError, match="did you mean 'cheap'"):
        classes(replace(ISLAND, groups=(replace(LINE, members=("chaep",)),)), ["cheap", "dear"])


def outlook(world: Scenario, played: tuple[str, ...] | None = None) -> Outlook:
    core = Core(world, 1)
    core.reset(np.array([0], np.uint64))
    seats = Seats(core, 0, world.seats if played is None else played, "forecast", "all")
    return look_ahead(seats, make_horizon(DEFAULT_GRID, world.interval_h, 24.0, world.intervals))


def _street(limit_kw: float) -> list[dict[str, object]]:
    return [{"name": "street", "limit_kw": limit_kw, "members": ["home_*"]}]


def street(limit_kw: float) -> Scenario:
    return Scenario.load("duck-curve").but(transformers=_street(limit_kw))


@pytest.mark.parametrize("solve", [CentralPlanner().solve, AdmmPlanner().solve])
def test_a_duck_curve_plan_keeps_its_transformer_within_its_rating_and_prices_it(solve):
    problem = outlook(street(45.0)).problem
    alone, plan = SelfishPlanner().solve(problem), solve(problem)
    assert np.abs(alone.injection_mw.sum(axis=0)).max() > 0.05
    assert np.abs(plan.injection_mw.sum(axis=0)).max() < 0.045 + 1e-5
    assert plan.objective > alone.objective
    dual = plan.groups[0].multiplier_per_mwh
    binding = -plan.injection_mw.sum(axis=0) > 0.045 - 1e-5
    assert dual[binding].max() > 1.0
    assert dual.min() > -1e-3
    assert dual[-plan.injection_mw.sum(axis=0) < 0.04].max() < 1e-3


def test_the_shipped_transformer_is_in_the_outlook_of_whoever_plays_all_behind_it():
    world = Scenario.load("duck-curve")
    (group,) = outlook(world).coupling.groups
    assert (group.name, len(group.members), group.upper_mw) == ("street", 24, 0.09)
    some = tuple(seat for seat in world.seats if seat.startswith("home_01"))
    assert outlook(world, some).coupling.groups == ()


def test_an_owner_half_behind_a_transformer_is_refused_by_name():
    members = [{"name": "street", "limit_kw": 90, "members": ["*.load"]}]
    with pytest.raises(ScenarioError, match=r"partly behind transformer 'street'"):
        outlook(Scenario.load("duck-curve").but(transformers=members))


def test_what_load_alone_puts_on_a_transformer_costs_nothing_in_the_optimum():
    world = Scenario.load("duck-curve")
    assert world.neighbourhood is not None
    bare = {"solar_share": 0.0, "battery_share": 0.0, "vehicle_share": 0.0, "flexible_share": 0.0}
    homes = {**world.neighbourhood.model_dump(exclude_unset=True), **bare}
    wide, narrow = (world.but(neighbourhood=homes, transformers=_street(kw)) for kw in (90.0, 20.0))
    assert optimum_cost(narrow, 0) == pytest.approx(optimum_cost(wide, 0), rel=1e-6)
    assert perfect_plan(narrow, 0).groups[0].shortage_mwh.sum() > 0.01
