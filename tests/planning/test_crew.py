"""Owners solved side by side: the same plans as one by one, whatever the owners, the neighbours and the threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csc_matrix

from gridmarl.errors import InfeasiblePlanError, ScenarioError
from gridmarl.planning.admm.planner import AdmmPlanner, AdmmSettings
from gridmarl.planning.aladin.planner import AladinPlanner, AladinSettings
from gridmarl.planning.central.planner import CentralPlanner
from gridmarl.planning.model.assets import Battery, Coupling, FlexibleLoad, Generator, Group, Owner, Terminal
from gridmarl.planning.model.plan import Plan
from gridmarl.planning.model.problem import Problem
from gridmarl.planning.model.risk import Prices
from gridmarl.planning.owners import crew
from gridmarl.planning.owners.crew import WORTH_IT
from gridmarl.planning.owners.worker import Message, Worker
from gridmarl.planning.programs.batched.batch import Batch
from gridmarl.planning.programs.batched.elimination import structure_of
from gridmarl.planning.programs.local import LocalProblem, local_problem, steady_base
from gridmarl.planning.programs.qp import QuadraticSolver
from gridmarl.planning.selfish import SelfishPlanner
from gridmarl.planning.wire.channel import Audit
from gridmarl.units import Float
from tests.bench.fleets import CERTIFIED, fleet

STEPS = np.array([0.25, 0.25, 0.5, 1.0, 1.0, 1.0])
PRICES = Prices.certain(np.array([30.0, -5.0, 80.0, 20.0, 0.0, 60.0]))
LIMIT = Coupling(-0.1, 0.1, 500.0, 100.0)
SAME_COST = 1e-9
"""Of units near 1: both solvers are asked for 1e-10."""
HOMES = 24
GROUPED = [
    (AdmmPlanner, AdmmSettings(tolerance=1e-5, gap_tolerance=1e-5)),
    (AladinPlanner, AladinSettings(tolerance=1e-6, gap_tolerance=1e-6)),
]


def home(number: int, rng: np.random.Generator) -> Owner:
    """A home with a load, and by chance a roof, a battery, a vehicle and a small engine that ramps."""
    has, k = rng.random(4) < 0.5, len(STEPS)
    power = float(rng.uniform(0.002, 0.008))
    battery = Battery("battery", power, power, 0.95, 0.9, 0.0, 4 * power, float(rng.uniform(0, 4)) * power, 5.0, 300.0)
    ready = np.where(np.arange(k) == rng.integers(1, k), 2 * power, 0.0)
    vehicle = replace(battery, name="vehicle", wear_per_mw2h=0.0, ready_mwh=ready, missing_per_mwh=900.0)
    roof = Generator("roof", power * np.maximum(np.sin(np.linspace(0, np.pi, k)), 0.0))
    engine = Generator("engine", power, cost_per_mwh=40.0, ramp_up_mw_per_h=power, ramp_down_mw_per_h=power)
    load = FlexibleLoad("load", power, 0.2 * power, 50.0, 0.5, 2.0)
    extra = [asset for asset, there in zip((roof, battery, vehicle, engine), has, strict=True) if there]
    return Owner(f"home_{number}", (load, *extra))


def homes(seed: int, count: int = HOMES) -> tuple[Owner, ...]:
    """Homes by chance."""
    rng = np.random.default_rng(seed)
    return tuple(home(number, rng) for number in range(count))


def problem_of(owner: Owner) -> LocalProblem:
    return local_problem(owner, STEPS, PRICES, Terminal(), steady_base((owner,), PRICES))


def alone(problem: LocalProblem, net_linear: Float, extra: Float) -> float:
    """The least value by PIQP."""
    program, steps = problem.program, len(STEPS)
    bent, linear = np.zeros(len(program.linear)), program.linear.copy()
    bent[:steps], linear[:steps] = extra, net_linear
    answer = QuadraticSolver(program, bent).solve(linear)
    assert answer.solved
    return float(0.5 * (program.quadratic + bent) @ answer.y**2 + linear @ answer.y)


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), weight=st.sampled_from([0.0, 1e-3, 1.0, 100.0]))
def test_a_lane_finds_the_optimum_that_piqp_finds(seed: int, weight: float) -> None:
    rng = np.random.default_rng(seed)
    problem = problem_of(home(0, rng))
    structure, program, steps = structure_of(problem.program, len(STEPS)), problem.program, len(STEPS)
    assert structure is not None
    batch = Batch(structure, [program], steps)
    for _ in range(3):  # the second and third start near the last answer
        net_linear, extra = rng.normal(size=steps), np.full(steps, weight)
        (answer,) = batch.solve(net_linear[None], extra[None])
        assert answer.solved
        y, linear, bent = answer.y, program.linear.copy(), program.quadratic.copy()
        linear[:steps], bent[:steps] = net_linear, extra
        np.testing.assert_allclose(program.equality @ y, program.equality_rhs, atol=SAME_COST)
        assert np.all(program.inequality @ y <= program.inequality_rhs + SAME_COST)
        assert np.all((y >= program.lower - SAME_COST) & (y <= program.upper + SAME_COST))
        value = 0.5 * bent @ y**2 + linear @ y
        assert value == pytest.approx(alone(problem, net_linear, extra), rel=SAME_COST, abs=SAME_COST)
        # stationary: the multipliers of bounds and rows balance the gradient that the equalities leave
        press = answer.pressure
        rows, limits = csc_matrix(program.equality).toarray(), csc_matrix(program.inequality).toarray()
        left = bent * y + linear - press.lower + press.upper + limits.T @ press.rows
        multiplier = np.linalg.lstsq(rows.T, -left, rcond=None)[0]
        np.testing.assert_allclose(left + rows.T @ multiplier, 0.0, atol=1e-7)


def test_what_a_lane_finds_does_not_depend_on_its_neighbours() -> None:
    problems = [problem_of(owner) for owner in homes(3, 60)]
    structure = structure_of(problems[0].program, len(STEPS))
    assert structure is not None
    same = [p.program for p in problems if structure_of(p.program, len(STEPS)) is structure]
    assert len(same) > 2
    linear = np.random.default_rng(0).normal(size=(len(same), len(STEPS)))
    together = Batch(structure, same, len(STEPS)).solve(linear, np.ones_like(linear))
    for program, row, found in zip(same, linear, together, strict=True):
        (lonely,) = Batch(structure, [program], len(STEPS)).solve(row[None], np.ones((1, len(STEPS))))
        assert np.array_equal(lonely.y, found.y)


def solved(fleet_: tuple[Owner, ...], **settings_: object) -> Plan:
    settings_ = {"tolerance": 1e-5, **settings_}
    return AdmmPlanner(AdmmSettings(**settings_)).solve(Problem(fleet_, STEPS, LIMIT, PRICES))  # pyright: ignore[reportArgumentType]


def test_a_crew_negotiates_what_owners_negotiate_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    together = solved(homes(1))
    monkeypatch.setattr("gridmarl.planning.admm.planner.WORTH_IT", HOMES + 1)
    one_by_one = solved(homes(1))
    assert together.converged
    assert together.rounds == one_by_one.rounds
    assert together.objective == pytest.approx(one_by_one.objective, rel=1e-7)
    np.testing.assert_allclose(together.price_per_mwh, one_by_one.price_per_mwh, atol=1e-3)


def in_groups(owners: tuple[Owner, ...], *sizes: int) -> Coupling:
    """The first owners behind transformers for two thirds of what so many would peak at, the rest behind none."""
    alone, at, groups = SelfishPlanner().solve(Problem(owners, STEPS, LIMIT, PRICES)).injection_mw, 0, list[Group]()
    for size in sizes:
        most = 2 / 3 * float(np.abs(alone[at : at + size].sum(axis=0)).max())
        members = tuple(owner.name for owner in owners[at : at + size])
        groups.append(Group(f"street_{len(groups)}", members, -most, most, 500.0, 100.0))
        at += size
    return replace(LIMIT, groups=tuple(groups))


@pytest.mark.parametrize("planner, settings_", GROUPED)
def test_crews_of_two_groups_agree_as_their_owners_do_one_by_one_and_on_the_central_plan(
    monkeypatch: pytest.MonkeyPatch,
    planner: Callable[..., AdmmPlanner | AladinPlanner],
    settings_: AdmmSettings | AladinSettings,
) -> None:
    owners, crews = homes(7), list[int]()
    problem = Problem(owners, STEPS, in_groups(owners, WORTH_IT, WORTH_IT + 2), PRICES)
    made = crew.Crew

    def counted(workers: Sequence[Worker], threads: int = 1) -> crew.Crew:
        crews.append(len(workers))
        return made(workers, threads)

    monkeypatch.setattr("gridmarl.planning.admm.planner.Crew", counted)
    together = planner(settings_).solve(problem)
    assert crews == [WORTH_IT, WORTH_IT + 2]
    monkeypatch.setattr("gridmarl.planning.admm.planner.WORTH_IT", HOMES + 1)
    one_by_one = planner(settings_).solve(problem)
    assert len(crews) == 2
    central = CentralPlanner().solve(problem)
    assert any(np.abs(group.multiplier_per_mwh).max() > 1.0 for group in central.groups), "some limit binds"
    for plan in (together, one_by_one):
        assert plan.converged
        assert abs(plan.objective - central.objective) <= max(plan.gap, SAME_COST * abs(plan.objective))
        assert plan.gap <= (settings_.gap_tolerance or 0.0) * abs(plan.objective) + SAME_COST
    np.testing.assert_allclose(together.injection_mw, one_by_one.injection_mw, atol=1e-5)
    np.testing.assert_allclose(together.multipliers_per_mwh, one_by_one.multipliers_per_mwh, atol=0.05)


def test_a_crew_prepares_the_very_aim_that_a_member_mixes_by_itself() -> None:
    rng, owners = np.random.default_rng(8), homes(8, 10)
    apart, members = ([Worker(owner, STEPS, PRICES, Terminal(), 1.6) for owner in owners] for _ in range(2))
    crew.Crew(members)
    assert any(worker.crew is not None for worker in members)
    for mix in ([1.0], [1.0], [-0.5, 1.5], [0.3, -0.2, 0.9], [1.0, 0.0]):
        message = Message(0.001 * rng.normal(size=6), 0.001 * rng.normal(size=6), 1e5, mix=np.array(mix))
        for alone, member in zip(apart, members, strict=True):
            alone.respond(message)
            member.respond(message)
            assert alone.last is not None
            assert member.last is not None
            np.testing.assert_allclose(member.last.aim_mw, alone.last.aim_mw, atol=1e-8)
            assert np.array_equal(member.last.aim_mw, member.share_mw - message.dual_mw)


def test_plans_are_equal_bit_by_bit_with_any_number_of_workers() -> None:
    plans = [solved(homes(2), workers=workers) for workers in (1, 2, 5)]
    for plan in plans[1:]:
        assert np.array_equal(plan.injection_mw, plans[0].injection_mw)
        assert np.array_equal(plan.multiplier_per_mwh, plans[0].multiplier_per_mwh)
        assert plan.objective == plans[0].objective


def test_no_workers_at_all_are_refused() -> None:
    with pytest.raises(ScenarioError, match=r"admm\.workers.*at least 1"):
        AdmmSettings(workers=0)


def test_members_of_a_crew_answer_under_their_own_masks() -> None:
    opened, masked = solved(homes(4, 12)), solved(homes(4, 12), secure=True)
    assert masked.converged
    assert masked.objective == pytest.approx(opened.objective, rel=1e-6)


def test_what_crosses_the_channel_is_the_same_with_a_crew_and_without(monkeypatch: pytest.MonkeyPatch) -> None:
    def audited() -> Audit:
        audit = Audit()
        AdmmPlanner(AdmmSettings(), audit).solve(Problem(homes(1), STEPS, LIMIT, PRICES))
        return audit

    together = audited()
    monkeypatch.setattr("gridmarl.planning.admm.planner.WORTH_IT", HOMES + 1)
    assert together.entries == audited().entries


def test_owners_who_weigh_risk_stay_out_of_the_crew_and_still_agree() -> None:
    scenarios = Prices(PRICES.per_mwh * np.linspace(0.5, 1.5, 10)[:, None], np.full(10, 0.1), 0.8)
    mixed = tuple(replace(owner, beta=0.5 * (n % 2)) for n, owner in enumerate(homes(5, 10)))
    workers = [Worker(owner, STEPS, scenarios, Terminal(), 1.6) for owner in mixed]
    crew.Crew(workers)
    assert [worker.crew is None for worker in workers] == [owner.beta > 0 for owner in mixed]
    problem = Problem(mixed, STEPS, LIMIT, scenarios)
    found = AdmmPlanner(AdmmSettings(tolerance=1e-6)).solve(problem)
    assert found.objective == pytest.approx(CentralPlanner().solve(problem).objective, rel=1e-5)


def test_an_impossible_member_is_named() -> None:
    stuck = Battery("battery", 0.001, 0.001, 1.0, 1.0, 0.5, 1.0, 0.0)
    with pytest.raises(InfeasiblePlanError, match=r"stranded\.battery"):
        solved((*homes(6, 9), Owner("stranded", (stuck,))))


def test_sixty_homes_of_the_city_are_certified_at_the_cost_of_the_central_plan() -> None:
    problem = fleet(60)
    planner = AdmmPlanner(CERTIFIED)
    ours, theirs = planner.solve(problem), CentralPlanner().solve(problem)
    assert ours.converged
    assert ours.objective == pytest.approx(theirs.objective, rel=1e-6)
    again = planner.solve(problem)
    assert again.converged
    assert again.rounds < ours.rounds
