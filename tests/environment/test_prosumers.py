"""A home as one seat: the same as its parts, number for number; absent parts are zeros; nothing is counted twice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gridmarl
from gridmarl.assets import battery
from gridmarl.environment.compiled import arrays, columns, fields
from gridmarl.environment.compiled.homes import PART_CODECS
from gridmarl.environment.core import Core
from gridmarl.errors import ActionError, ScenarioError
from gridmarl.scenario.prosumers import PARTS
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import Float
from tests.environment.homes import HOME, street, streets
from tests.environment.worlds import Settings, advance, market, play, random_actions, seat

SEPARATE = {"prosumer": "separate", "storage": "power", "consumer": "share"}
TOLERANCE = 1e-12


def apart(scenario: Scenario) -> Core:
    """The same world with a seat for each part, which speak what a home says for them."""
    roofs = {home.solar.name: PART_CODECS["solar"] for home in scenario.all_prosumers if home.solar}
    return Core(scenario, 2, {**SEPARATE, **roofs}, record=True)


def as_parts(whole: Core, parts: Core, actions: Float) -> Float:
    """A packed row of the whole world's actions, written for the separate seats."""
    packed = np.zeros((len(actions), parts.width))
    for name in parts.compiled.layout.seats:
        packed[:, place(parts, name)] = actions[:, place(whole, name)]
    for home in whole.compiled.scenario.all_prosumers:
        own = actions[:, place(whole, home.name)]
        for key, value in (("solar", 1.0), ("battery", own[:, :1]), ("ev", own[:, 1:2]), ("load", own[:, 2:])):
            part = getattr(home, key)
            if part:
                packed[:, place(parts, part.name)] = value
    return packed


def place(core: Core, name: str) -> slice:
    row = core.compiled.layout.index(name)
    return slice(*core.compiled.world.seat[row : row + 2, columns.ACTION_AT])


@settings(max_examples=30, deadline=None)
@given(streets(), st.integers(0, 1000))
def test_a_home_that_plays_as_one_equals_its_parts_number_for_number(scenario: Scenario, seed: int) -> None:
    whole, parts = Core(scenario, 2, record=True), apart(scenario)
    rng, seeds = np.random.default_rng(seed), np.array([seed, seed + 7], np.uint64)
    traders = len(scenario.seats)
    whole.reset(seeds)
    parts.reset(seeds)
    for _ in range(scenario.intervals):
        actions = random_actions(whole, rng)
        one, many = whole.step(actions), parts.step(as_parts(whole, parts, actions))
        assert np.array_equal(one.market, many.market)
        assert np.array_equal(one.book, many.book)
        assert np.array_equal(one.seats[:, :traders], many.seats[:, :traders])
        assert np.array_equal(one.seats[:, -1], many.seats[:, -1]), "the operator"
        assert np.array_equal(one.generator, many.generator)
        assert np.array_equal(one.storage, many.storage)


@settings(max_examples=30, deadline=None)
@given(streets(), st.integers(0, 1000))
def test_a_homes_results_are_the_sums_of_its_parts(scenario: Scenario, seed: int) -> None:
    core, rng = Core(scenario, 1, record=True), np.random.default_rng(seed)
    core.reset(np.array([seed], np.uint64))
    for _ in range(scenario.intervals):
        outcome = core.step(random_actions(core, rng))
        for home in scenario.all_prosumers:
            check_home(core, outcome, home.name)


def check_home(core: Core, outcome: arrays.Outcome, name: str) -> None:
    own = seat(core, outcome, name)
    home = next(h for h in core.compiled.scenario.all_prosumers if h.name == name)
    parts = {k: seat(core, outcome, getattr(home, k).name) for k in PARTS if getattr(home, k)}
    nothing: Settings = dict.fromkeys(("output_mw", "power_mw"), 0.0)
    solar, cell, car = parts.get("solar", nothing), parts.get("battery", nothing), parts.get("ev", nothing)
    consumed = 0.0
    if "load" in parts:
        consumed = parts["load"]["baseline_mw"] - parts["load"]["unserved_mw"] - parts["load"]["reduction_mw"]
        assert own["bill"] == parts["load"]["bill"]
    assert own["solar_mw"] == pytest.approx(solar["output_mw"], abs=TOLERANCE)
    assert own["battery_mw"] == pytest.approx(cell["power_mw"], abs=TOLERANCE)
    assert own["vehicle_mw"] == pytest.approx(car["power_mw"], abs=TOLERANCE)
    assert own["load_mw"] == pytest.approx(consumed, abs=TOLERANCE)
    net = solar["output_mw"] + cell["power_mw"] + car["power_mw"] - consumed
    assert own["net_mw"] == pytest.approx(net, abs=TOLERANCE)
    assert own["reward"] == pytest.approx(sum(p["reward"] for p in parts.values()), abs=1e-9)
    assert own["offered_mw"] == pytest.approx(sum(p["offered_mw"] for p in parts.values()), abs=TOLERANCE)
    money = ("revenue", "arbitrage", "saving")
    paid = sum(part.get(name, 0.0) for part in parts.values() for name in money)
    assert own["payment"] == pytest.approx(paid, abs=1e-9)
    cost = ("fuel_cost", "degradation", "comfort")
    assert own["true_cost"] == pytest.approx(sum(p.get(n, 0.0) for p in parts.values() for n in cost), abs=1e-9)
    assert own["missing_cost"] == car.get("missing_cost", 0.0)


def test_all_power_of_a_street_is_its_homes_and_its_connection() -> None:
    core = Core(street())
    outcome = play(core, home=[0.7, -0.5, 1.0])
    for _ in range(20):
        found = market(outcome)
        assert seat(core, outcome, "home")["net_mw"] + found["import_mw"] == pytest.approx(0.0, abs=1e-12)
        outcome = advance(core, home=[-0.2, -1.0, 0.5])


def test_a_homes_day_by_hand() -> None:
    scenario = street(
        profiles={"demand": {}, "sun": {}, "price": {"unit": "per_mwh", "scale": 50, "maximum": 900}},
        start="2025-04-01T20:00:00",
    )
    core = Core(scenario)
    own = seat(core, play(core, home=[1.0, -0.4, 0.5]), "home")
    # roof 6 kW; battery 5 h at 0.5 of 10 kWh: 4 kWh above its window's end, 3.8 of them delivered; vehicle 4 kW;
    # demand response asks 200 $/MWh and is not called
    assert own["solar_mw"] == pytest.approx(0.006)
    assert own["battery_mw"] == pytest.approx(0.0038)
    assert own["vehicle_mw"] == pytest.approx(-0.004)
    assert own["load_mw"] == pytest.approx(0.004)
    assert own["net_mw"] == pytest.approx(0.0018)
    price = 49.0  # it exports: wholesale less the fee
    assert own["payment"] == pytest.approx(price * (0.006 + 0.0038 - 0.004))
    assert own["bill"] == pytest.approx(price * 0.004)
    assert own["true_cost"] == pytest.approx(10 * 0.0038)


def test_only_homes_and_the_operator_are_agents() -> None:
    env = gridmarl.parallel_env(street())
    assert env.possible_agents == ["home", "operator"]
    observed, _ = env.reset(seed=0)
    assert observed["home"].shape == (56,)
    assert env.action_space("home").shape == (3,)
    assert len(env.fields("home")) == 56
    _, rewards, _, _, infos = env.step({"home": np.zeros(3, np.float32), "operator": 0})
    assert infos["home"]["reward"] == rewards["home"]
    assert env.state().shape == env.state_space.shape


def test_with_separate_seats_the_parts_are_agents_and_the_home_is_none() -> None:
    env = gridmarl.parallel_env(street(), codecs={"home": "separate"})
    assert env.possible_agents == ["home.pv", "home.battery", "home.ev", "home.load", "operator"]


def test_a_home_splits_where_somebody_plays_a_part_of_it() -> None:
    env = gridmarl.parallel_env(street(), seats="home.battery")
    assert env.possible_agents == ["home.battery"]
    env.reset(seed=0)
    env.step({"home.battery": np.ones(1, np.float32)})
    assert env.latest.seats[0, 1, columns.POWER_MW] > 0


def test_the_scenario_can_seat_homes_apart() -> None:
    scenario = street(codecs={"prosumer": "separate"})
    assert "home" not in gridmarl.parallel_env(scenario).possible_agents
    assert "home" in gridmarl.parallel_env(scenario, codecs={"home": "assets"}).possible_agents


def test_a_codec_for_a_part_of_a_whole_home_is_refused_with_the_remedy() -> None:
    with pytest.raises(ScenarioError, match=r"home\.battery.*separate"):
        Core(street(), codecs={"home.battery": "order"})
    with pytest.raises(ScenarioError, match="assets, separate"):
        Core(street(), codecs={"home": "power"})


@pytest.mark.parametrize("action", [[1.1, 0, 0], [0, -1.1, 0], [0, 0, -0.1], [0, np.nan, 0]])
def test_an_action_outside_its_box_is_refused(action: list[float]) -> None:
    with pytest.raises(ActionError, match="home"):
        play(Core(street()), home=action)


def test_the_callers_actions_are_left_as_they_are() -> None:
    core = Core(street())
    core.reset(np.zeros(1, np.uint64))
    actions = random_actions(core, np.random.default_rng(0))
    before = actions.copy()
    core.step(actions)
    assert np.array_equal(actions, before)


def named(core: Core, home: int = 0) -> Settings:
    names = [field.name for field in fields.FIELDS["prosumer"]]
    return dict(zip(names, core.observe().prosumer[0, home].tolist(), strict=True))


def test_a_home_observes_its_parts() -> None:
    core = Core(street(start="2025-04-01T20:00:00", transformers=[{"name": "t", "limit_kw": 40, "members": ["home"]}]))
    outcome = play(core, home=[0.5, -0.5, 0.0])
    own, seen = seat(core, outcome, "home"), named(core)
    assert seen["size"] == 2.0, "the vehicle's 10 kW over a peak of 4, clipped"
    assert seen["net_power_last"] == pytest.approx(own["net_mw"] / 0.010, rel=1e-5)
    assert seen["profit_last"] == pytest.approx(own["reward"] / (0.010 * 50), rel=1e-5)
    assert seen["transformer_loading"] == pytest.approx(own["net_mw"] / 0.040, rel=1e-5)
    assert seen["battery_soc"] == pytest.approx(core.rows.battery[0, 0, battery.ENERGY] / 0.010, rel=1e-6)
    energy = float(core.rows.battery[0, 1, battery.ENERGY])
    assert seen["vehicle_soc"] == pytest.approx(energy / 0.050, rel=1e-6)
    assert seen["vehicle_needed"] == pytest.approx((0.040 - energy) / 0.050, rel=1e-5)
    assert seen["vehicle_hours"] == pytest.approx(10 / 24), "it is 21 h and it leaves at 7"
    assert seen["vehicle_plugged_in"] == seen["solar_present"] == seen["load_present"] == 1.0
    for _ in range(11):
        advance(core)
    seen = named(core)
    assert seen["vehicle_plugged_in"] == 0.0
    assert seen["vehicle_hours"] == pytest.approx(-10 / 24), "8 h; it is back at 18"


def test_what_a_home_does_not_have_is_zero() -> None:
    core = Core(street(prosumers=[HOME, {"name": "flat", "load": HOME["load"]}]))
    play(core)
    whole, flat = named(core, 0), named(core, 1)
    absent = [name for name in flat if name.startswith(("solar", "battery", "vehicle"))]
    assert len(absent) == 17
    assert all(flat[name] == 0.0 for name in absent)
    assert flat["load"] == whole["load"]
    assert (core.observe().prosumer[0, :, 30:] == core.observe().consumer[0, :, 14:]).all(), "one public block"
