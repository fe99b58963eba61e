"""A transformer's members can never leave its rating, whatever clears; what is least willing gives way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmarl.environment.compiled import arrays, columns
from gridmarl.environment.core import Core
from gridmarl.scenario.scenario import Scenario
from tests.environment.homes import street, streets
from tests.environment.worlds import Settings, codecs_of, market, play, random_actions, seat

STEADY: Settings = {"unit": "per_mwh", "scale": 50, "maximum": 900}
SHARP = 1e-9


def pair(**changed: object) -> Scenario:
    """Two batteries and a load of 4 kW behind 10 kW."""
    cell: Settings = {"capacity_kwh": 40, "power_kw": 10}
    base: Settings = {
        "prosumers": [],
        "profiles": {"price": STEADY, "demand": {}},
        "storage": [{"name": "east", **cell}, {"name": "west", **cell}],
        "consumers": [{"name": "load", "load_kw": 4}],
        "transformers": [{"name": "street", "limit_kw": 10, "members": ["*"]}],
    }
    return street(**{**base, **changed})


def test_charging_beside_a_load_gives_way_in_proportion() -> None:
    core = Core(pair())
    outcome = play(core, east=-1.0, west=-0.5)
    # 15 kW asked, 10 - 4 left: 4 and 2
    assert seat(core, outcome, "east")["power_mw"] == pytest.approx(-0.004)
    assert seat(core, outcome, "west")["power_mw"] == pytest.approx(-0.002)
    assert market(outcome)["transformer_loading"] == pytest.approx(1.0)


def test_selling_may_cover_the_load_and_fill_the_transformer() -> None:
    core = Core(pair())
    outcome = play(core, east=1.0, west=1.0)
    for name in ("east", "west"):
        assert seat(core, outcome, name)["power_mw"] == pytest.approx(0.007), "10 outwards and 4 for the load"
    assert market(outcome)["transformer_loading"] == pytest.approx(1.0)


def test_the_lower_bid_gives_way_first() -> None:
    core = Core(pair(), codecs={"storage": "order"})
    outcome = play(core, east=[90.0, -0.005], west=[80.0, -0.005])
    assert seat(core, outcome, "east")["power_mw"] == pytest.approx(-0.005)
    assert seat(core, outcome, "west")["power_mw"] == pytest.approx(-0.001)


def test_the_dearer_offer_gives_way_first() -> None:
    core = Core(pair(), codecs={"storage": "order"})
    outcome = play(core, east=[20.0, 0.010], west=[10.0, 0.010])
    assert seat(core, outcome, "west")["power_mw"] == pytest.approx(0.010)
    assert seat(core, outcome, "east")["power_mw"] == pytest.approx(0.004)


def test_a_load_beyond_the_rating_is_served_and_reported() -> None:
    core = Core(pair(consumers=[{"name": "load", "load_kw": 12}]))
    outcome = play(core, east=-1.0)
    assert seat(core, outcome, "east")["power_mw"] == 0.0
    assert market(outcome)["unserved_mw"] == 0.0
    assert market(outcome)["transformer_loading"] == pytest.approx(1.2)


def test_without_a_transformer_nothing_is_cut() -> None:
    core = Core(pair(transformers=[]))
    outcome = play(core, east=-1.0, west=-0.5)
    assert seat(core, outcome, "east")["power_mw"] == pytest.approx(-0.010)
    assert market(outcome)["transformer_loading"] == 0.0


def test_members_beyond_the_pattern_are_left_alone() -> None:
    core = Core(pair(transformers=[{"name": "t", "limit_kw": 1, "members": ["east"]}]))
    outcome = play(core, east=-1.0, west=-1.0)
    assert seat(core, outcome, "east")["power_mw"] == pytest.approx(-0.001)
    assert seat(core, outcome, "west")["power_mw"] == pytest.approx(-0.010)


@st.composite
def spoken(draw: st.DrawFn) -> tuple[Scenario, dict[str, str]]:
    scenario = draw(streets().filter(lambda s: bool(s.transformers)))
    return scenario, {**draw(codecs_of(scenario)), "prosumer": "separate"}


@settings(max_examples=60, deadline=None)
@given(spoken(), st.integers(0, 1000))
def test_nothing_that_clears_can_overload_it_but_the_load_itself(
    chosen: tuple[Scenario, dict[str, str]], seed: int
) -> None:
    scenario, codecs = chosen
    core, rng = Core(scenario, 1, codecs, record=True), np.random.default_rng(seed)
    core.reset(np.array([seed], np.uint64))
    limit = scenario.transformers[0].limit_mw
    for _ in range(scenario.intervals):
        outcome = core.step(random_actions(core, rng))
        members = [n for n in scenario.seats if n.startswith("home_")]
        found = {n: seat(core, outcome, n) for n in members}
        load = sum(own["baseline_mw"] for own in found.values() if "baseline_mw" in own)
        loading = market(outcome)["transformer_loading"]
        assert loading <= max(1.0, load / limit) + SHARP
        assert loading == pytest.approx(abs(net(found)) / limit, abs=SHARP)
        check_demand_response(core, outcome)


def net(found: dict[str, Settings]) -> float:
    """Net power of members, without shortage and without deviations."""
    injected = sum(own.get("output_mw", 0.0) + own.get("power_mw", 0.0) for own in found.values())
    taken = sum(own["baseline_mw"] - own["unserved_mw"] for own in found.values() if "baseline_mw" in own)
    return injected - taken + sum(own.get("reduction_mw", 0.0) for own in found.values())


def check_demand_response(core: Core, outcome: arrays.Outcome) -> None:
    """What is left of a reduction is what the load's covered part asks for."""
    world = core.compiled.world
    offers = arrays.book_sizes(world)[0]
    for row, role in enumerate(core.compiled.layout.roles):
        if role == "consumer":
            at, count, bid = (int(world.seat[row, c]) for c in (columns.OFFER_AT, columns.OFFERS, columns.BID_AT))
            offered = outcome.book[0, at : at + count, 1].sum()
            assert outcome.book[0, offers + bid, 1] == pytest.approx(offered, abs=1e-12)
            both = outcome.book[0, offers + bid : offers + bid + 2, 1].sum()
            assert both == pytest.approx(outcome.seats[0, row, columns.SEVENTH], abs=1e-12)
