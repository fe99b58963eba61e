"""The fifth player: promises are kept, wishes hold, and nothing private of one home reaches another but by its bids."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmarl.agents.load import load_agent
from gridmarl.agents.rules import Rule as IdleRule
from gridmarl.agents.seats import Seats
from gridmarl.agents.team import Team, load_team
from gridmarl.environment.core import Core
from gridmarl.errors import PrivacyError, ScenarioError
from gridmarl.evaluation.metrics import resource_cost
from gridmarl.evaluation.rollout import rollout
from gridmarl.evaluation.trajectory import Trajectory
from gridmarl.negotiation.homes.home_desk import HomeDesk, cheapest
from gridmarl.negotiation.homes.preferences import Preferences
from gridmarl.negotiation.menu import DECLINE
from gridmarl.negotiation.negotiator import NegotiatorAgent
from gridmarl.negotiation.strategies import Rule
from gridmarl.scenario.scenario import Scenario
from tests.environment.homes import HOME, street, streets
from tests.environment.worlds import Settings

TOLERANCE_MWH = 1e-9
PEAK = {
    "demand": {},
    "sun": {"shape": "solar", "maximum": 1},
    "price": {"unit": "per_mwh", "shape": "price", "scale": 4},
}


def with_agent(agent: NegotiatorAgent) -> Team:
    return Team({**load_team("negotiate").agents, "prosumer": agent}, "negotiate")


def played(agent: NegotiatorAgent, world: Scenario | str, seed: int = 0) -> Trajectory:
    return rollout(world, with_agent(agent), seed=seed)


def homes(count: int, **changed: object) -> list[Settings]:
    """Homes of one make; the first one's battery may be another."""
    found: list[Settings] = [{**HOME, "name": f"home_{number}"} for number in range(count)]
    found[0] = {**found[0], "battery": {**HOME["battery"], **changed}}
    return found


class FirstDeclines(Rule):
    """The rule, but the first home never joins."""

    def choose(self, menus, context, rng):
        chosen = super().choose(menus, context, rng)
        chosen[0] = DECLINE
        return chosen


@pytest.fixture(scope="module")
def day() -> tuple[NegotiatorAgent, Trajectory]:
    agent = NegotiatorAgent()
    return agent, played(agent, "duck-curve", seed=1)


def test_a_day_of_negotiations_forms_coalitions_and_delivers_what_they_promise(
    day: tuple[NegotiatorAgent, Trajectory],
) -> None:
    agent, _ = day
    formed = [one for one in agent.led if one.table.selection.members.any()]
    assert formed
    assert all(int(one.table.selection.members.sum()) >= 3 for one in formed)
    promised = sum(float(desk.promised_mw[:-1].sum()) * desk.seats.facts.interval_h for desk in agent.desks.values())
    delivered = sum(desk.delivered_mwh for desk in agent.desks.values())
    assert promised > 0.0
    assert delivered == pytest.approx(promised, rel=0.02)


def test_states_of_charge_backups_and_deadlines_hold_over_the_whole_day(
    day: tuple[NegotiatorAgent, Trajectory],
) -> None:
    agent, trajectory = day
    for name, desk in agent.desks.items():
        if desk.battery:
            soc, power = trajectory.of_seat(f"{name}.battery", "soc"), trajectory.of_seat(f"{name}.battery", "power_mw")
            assert soc.min() >= desk.battery.soc_min - TOLERANCE_MWH
            assert soc.max() <= desk.battery.soc_max + TOLERANCE_MWH
            below = soc < desk.wishes.backup_share - 1e-6
            assert (power[below] <= 1e-9).all(), f"{name} discharges into its backup"
        if desk.car:
            assert trajectory.of_seat(f"{name}.ev", "missing_cost").sum() == pytest.approx(0.0, abs=1e-9)


def test_nobody_discharges_in_its_blocked_hours(day: tuple[NegotiatorAgent, Trajectory]) -> None:
    agent, trajectory = day
    hours = 0.25 * np.arange(96)
    blocked = 0
    for name, desk in agent.desks.items():
        for start, end in desk.wishes.blocked_hours:
            inside = (start <= hours) & (hours < end) if start < end else (hours >= start) | (hours < end)
            if desk.battery:
                blocked += 1
                assert (trajectory.of_seat(f"{name}.battery", "power_mw")[inside] <= 1e-9).all()
    assert blocked, "some home has such hours"


def test_it_costs_the_neighbourhood_less_than_self_consumption() -> None:
    ours, alone, rule = [], [], []
    for seed in range(3):
        ours.append(resource_cost(played(NegotiatorAgent(), "duck-curve", seed)))
        alone.append(resource_cost(played(NegotiatorAgent(events=0), "duck-curve", seed)))
        rule.append(resource_cost(rollout("duck-curve", "self-consumption", seed=seed)))
    print(
        f"\nresource cost, $ a day: negotiate {np.round(ours, 2)}, the same homes alone {np.round(alone, 2)}, "
        f"self-consumption {np.round(rule, 2)}"
    )
    assert np.mean(ours) < np.mean(rule)


def test_the_same_seed_negotiates_the_same() -> None:
    world = street(prosumers=homes(4), profiles=PEAK)
    first, second, other = NegotiatorAgent(), NegotiatorAgent(), NegotiatorAgent()
    a, b, c = played(first, world), played(second, world), played(other, world, seed=5)
    assert np.array_equal(a.results, b.results)
    assert [one.to_dict() for one in first.led] == [one.to_dict() for one in second.led]
    assert not np.array_equal(a.results, c.results)


def test_what_is_private_to_a_home_that_declines_changes_nothing_for_the_others() -> None:
    before, after = FirstDeclines(), FirstDeclines()
    worlds = [street(prosumers=homes(4, **change), profiles=PEAK) for change in ({}, {"wear_per_kwh": 0.5})]
    days = []
    for world, strategy in zip(worlds, (before, after), strict=True):
        agent = NegotiatorAgent()
        agent.strategy = strategy
        days.append((agent, played(agent, world)))
    for number in range(1, 4):
        powers = [d.of_seat(f"home_{number}", "battery_mw") for _, d in days]
        assert np.array_equal(*powers)
    (one, _), (two, _) = days
    assert any(found.table.selection.members[1:].any() for found in one.led), "others did form coalitions"
    assert len(one.led) == len(two.led) > 0
    for a, b in zip(one.led, two.led, strict=True):
        assert np.array_equal(a.books.payments, b.books.payments)
        assert np.array_equal(a.able.unit_cost_per_mwh[1:], b.able.unit_cost_per_mwh[1:])
    assert any(
        a.able.unit_cost_per_mwh[0] != b.able.unit_cost_per_mwh[0] for a, b in zip(one.led, two.led, strict=True)
    )


def test_what_is_private_to_a_home_reaches_others_by_its_bids() -> None:
    payments = []
    for change in ({}, {"wear_per_kwh": 0.5}):
        agent = NegotiatorAgent(wishes="drawn")
        played(agent, street(prosumers=homes(4, **change), profiles=PEAK))
        payments.append([one.table.bids.last.kw.tolist() for one in agent.led])
    assert payments[0] != payments[1], "otherwise the test above could not fail"


def test_fewer_homes_than_a_coalition_needs_live_alone() -> None:
    agent = NegotiatorAgent()
    played(agent, street(profiles=PEAK))
    assert agent.led
    assert not any(one.table.selection.members.any() for one in agent.led)


def test_conservative_homes_keep_half_of_their_batteries() -> None:
    agent = NegotiatorAgent(wishes="conservative")
    trajectory = played(agent, street(prosumers=homes(4), profiles=PEAK))
    assert min(trajectory.of_seat("home_1.battery", "soc")) >= Preferences().backup_share - 1e-6


def test_cars_that_discharge_leave_in_time() -> None:
    agent = NegotiatorAgent(cars_discharge=True)
    trajectory = played(agent, street(prosumers=homes(4), profiles=PEAK, intervals=48))
    assert any(desk.promised_car_mw.any() for desk in agent.desks.values())
    assert sum(trajectory.of_seat(f"home_{n}", "missing_cost").sum() for n in range(4)) == pytest.approx(0.0, abs=1e-9)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(world=streets(), cars=st.booleans())
def test_on_any_street_batteries_stay_in_their_windows_and_deadlines_are_kept_as_idle_cars_keep_them(
    world: Scenario, cars: bool
) -> None:
    agent = NegotiatorAgent(cars_discharge=cars)
    ours = played(agent, world)
    idle = rollout(world, Team({**load_team("negotiate").agents, "prosumer": IdleRule("idle")}, "idle"), seed=0)
    for name, desk in agent.desks.items():
        if desk.battery:
            soc = ours.of_seat(f"{name}.battery", "soc")
            assert soc.min() >= desk.battery.soc_min - TOLERANCE_MWH
            assert soc.max() <= desk.battery.soc_max + TOLERANCE_MWH
        if desk.car:
            missing = [one.of_seat(f"{name}.ev", "missing_cost").sum() for one in (ours, idle)]
            assert missing[0] <= missing[1] + 1e-6


def test_a_desk_holds_one_home_alone() -> None:
    core = Core(street(prosumers=homes(2)))
    core.reset(np.zeros(1, np.uint64))
    seats = Seats(core, 0, ("home_0", "home_1"), "forecast", "own")
    with pytest.raises(PrivacyError, match="home_0"):
        HomeDesk(seats, "home_0", Preferences(), cars_discharge=False)


def test_settings_survive_being_saved_and_misspelt_ones_are_named(tmp_path: Path) -> None:
    NegotiatorAgent(wishes="conservative", wanted_kw=2.0).save(tmp_path)
    assert yaml.safe_load((tmp_path / "agent.yaml").read_text("utf-8"))["wanted_kw"] == 2.0
    back = load_agent(tmp_path)
    assert isinstance(back, NegotiatorAgent)
    assert back.settings.wishes == "conservative"
    with pytest.raises(ScenarioError, match="wanted_kw"):
        NegotiatorAgent(wanted_kww=2.0)


def test_charging_fills_the_cheapest_intervals_first() -> None:
    found = cheapest(np.array([30.0, 10.0, 20.0]), np.ones(3), 1.5, 0.0)
    assert found == pytest.approx([0.0, 1.0, 0.5], abs=1e-3)


def test_charging_that_wears_spreads_until_marginal_costs_are_equal() -> None:
    # 10 + 2 k x = 20 + 2 k y, x + y = 2 with k = 10: x = 1.25, y = 0.75
    assert cheapest(np.array([10.0, 20.0]), np.full(2, 2.0), 2.0, 10.0) == pytest.approx([1.25, 0.75], abs=1e-6)


@settings(max_examples=50, deadline=None)
@given(
    prices=st.lists(st.floats(-100, 300), min_size=1, max_size=30),
    total=st.floats(0.0, 20.0),
    wear=st.floats(0.0, 50.0),
)
def test_charging_stays_within_its_bounds_and_meets_the_total(prices: list[float], total: float, wear: float) -> None:
    most = np.ones(len(prices))
    found = cheapest(np.array(prices), most, total, wear)
    assert (found >= 0.0).all()
    assert (found <= most).all()
    assert found.sum() == pytest.approx(min(total, len(prices)), rel=1e-6, abs=1e-4)
