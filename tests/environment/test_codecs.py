"""Each codec becomes exactly the orders it says, read off the recorded book."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium import spaces

from gridmarl.environment.compiled import arrays, columns
from gridmarl.environment.compiled.arrays import Outcome
from gridmarl.environment.compiled.codecs import CODECS, DEFAULTS, GRID_PRICES, MAXIMUM_MARKUP, action_space, codec_of
from gridmarl.environment.core import Core
from gridmarl.environment.parallel import MarketEnv
from gridmarl.errors import ScenarioError
from tests.environment.worlds import Settings, play, seat, world

FLOOR, CAP = -100.0, 1000.0
Orders = list[tuple[float, float]]

UNIT: Settings = {"name": "unit", "capacity_mw": 90, "cost_per_mwh": 30}
BATTERY: Settings = {"name": "battery", "capacity_mwh": 1000, "power_mw": 40}
LOAD: Settings = {
    "name": "load",
    "load_mw": 80,
    "flexible_share": 0.25,
    "dr_price_per_mwh": 120,
    "comfort_cost_per_mwh": 60,
}


def orders(core: Core, outcome: Outcome, name: str) -> tuple[Orders, Orders]:
    """A seat's offers and bids of more than nothing, (price, MW), from the recorded book."""
    row = core.compiled.world.seat[core.compiled.layout.index(name)]
    split = arrays.book_sizes(core.compiled.world)[0]
    offers = outcome.book[0, row[columns.OFFER_AT] : row[columns.OFFER_AT] + row[columns.OFFERS]]
    bids = outcome.book[0, split + row[columns.BID_AT] : split + row[columns.BID_AT] + row[columns.BIDS]]
    return [(p, q) for p, q, *_ in offers.tolist() if q > 0], [(p, q) for p, q, *_ in bids.tolist() if q > 0]


def spoken(name: str, codec: str, action: object, **settings: object) -> tuple[Orders, Orders]:
    base: Settings = {
        "generators": [UNIT, {"name": "rest", "capacity_mw": 200}],
        "storage": [BATTERY],
        "consumers": [LOAD],
    }
    core = Core(world(**{**base, **settings}), codecs={name: codec}, record=True)
    outcome = play(core, **{name: action})
    return orders(core, outcome, name)


@pytest.mark.parametrize("action", [0, 1, 10, 19])
def test_price_grid_offers_all_capacity_at_one_of_twenty_prices(action: int) -> None:
    price = pytest.approx(20 + 180 * action / 19, rel=1e-14)
    assert GRID_PRICES[action] == price
    assert spoken("unit", "price-grid", action)[0] == [(price, 90)]


@pytest.mark.parametrize("action, price", [(0, 25), (1, pytest.approx(20 + 180 / 19)), (19, 150)])
def test_price_grid_stays_within_floor_and_cap(action: int, price: float) -> None:
    narrow = {"market": {"floor_per_mwh": 25, "cap_per_mwh": 150}}
    assert spoken("unit", "price-grid", action, **narrow)[0] == [(price, 90)]


def test_an_order_is_heard_to_the_last_bit() -> None:
    price, mw = 0.1 + 0.2, 1 / 3
    assert spoken("unit", "order", (price, mw))[0] == [(price, mw)]
    assert spoken("battery", "order", (price, mw))[0] == [(price, mw)]
    assert spoken("battery", "order", (price, -mw))[1] == [(price, mw)]
    assert spoken("load", "order", (price, mw))[0] == [(price, mw)]


def test_an_order_beyond_what_a_seat_can_deliver_is_cut() -> None:
    assert spoken("unit", "order", (10, 500))[0] == [(10, 90)]
    assert spoken("battery", "order", (10, 500))[0] == [(10, 40)]
    assert spoken("battery", "order", (10, -500))[1] == [(10, 40)]
    assert spoken("load", "order", (10, 500))[0] == [(10, pytest.approx(20))]


@pytest.mark.parametrize("name", ["unit", "load"])
def test_who_only_sells_has_no_negative_quantity(name: str) -> None:
    assert spoken(name, "order", (10, -5))[0] == []


def test_a_curve_is_three_orders_and_the_first_are_served_first() -> None:
    curve = (10, 50, 20, 30, 30, 20)
    assert spoken("unit", "curve", curve)[0] == [(10, 50), (20, 30), (30, 10)]
    assert spoken("battery", "curve", (5, -30, 90, 25, 95, 25)) == ([(90, 25), (95, 15)], [(5, 30)])
    assert spoken("load", "curve", (70, 15, 80, 15, 90, 15))[0] == [(70, 15), (80, pytest.approx(5))]


def test_must_run_is_offered_at_the_floor_and_taken_from_the_first_steps() -> None:
    must_run = {"generators": [{**UNIT, "minimum_mw": 35}]}
    assert spoken("unit", "curve", (10, 30, 20, 30, 30, 30), **must_run)[0] == [(FLOOR, 35), (20, 25), (30, 30)]
    assert spoken("unit", "order", (40, 90), **must_run)[0] == [(FLOOR, 35), (40, 55)]


def test_markup_multiplies_the_true_cost() -> None:
    assert spoken("unit", "markup", 1.5)[0] == [(45, 90)]
    assert spoken("load", "markup", 1.5)[0] == [(90, pytest.approx(20))]
    assert spoken("unit", "markup", MAXIMUM_MARKUP)[0] == [(600, 90)]


def test_markup_offers_a_rising_cost_in_three_steps_of_their_mean_marginal_cost() -> None:
    """Cost 30 + 2 x 0.5 p: means over 0-30, 30-60, 60-90 MW are 45, 75, 105 $/MWh."""
    offers, _ = spoken("unit", "markup", 1.0, generators=[{**UNIT, "cost_per_mw2h": 0.5}])
    assert offers == [(pytest.approx(45), 30), (pytest.approx(75), 30), (pytest.approx(105), 30)]


def test_markup_stays_within_floor_and_cap() -> None:
    assert spoken("unit", "markup", 15.0, generators=[{**UNIT, "cost_per_mwh": 80}])[0] == [(CAP, 90)]
    assert spoken("unit", "markup", 15.0, generators=[{**UNIT, "cost_per_mwh": -20}])[0] == [(FLOOR, 90)]


def test_power_schedules_itself_at_the_floor_or_the_cap() -> None:
    assert spoken("battery", "power", 0.5) == ([(FLOOR, 20)], [])
    assert spoken("battery", "power", -0.25) == ([], [(CAP, 10)])
    assert spoken("battery", "power", 0.0) == ([], [])


def test_share_offers_a_part_of_the_flexible_load_at_the_loads_price() -> None:
    assert spoken("load", "share", 0.4)[0] == [(120, pytest.approx(8))]
    assert spoken("load", "share", 0.0)[0] == []


def test_a_load_bids_its_whole_baseline_at_the_value_of_lost_load_whatever_it_offers() -> None:
    for codec, action in (("share", 0.4), ("order", (10, 500)), ("markup", 1.0), ("curve", (10, 5, 20, 5, 30, 5))):
        bids = spoken("load", codec, action)[1]
        assert {price for price, _ in bids} == {10_000.0}
        assert sum(mw for _, mw in bids) == pytest.approx(80, abs=1e-12)


@pytest.mark.parametrize("codec", CODECS)
def test_what_a_space_samples_the_market_accepts(codec: str) -> None:
    for role in CODECS[codec].roles:
        scenario = world(generators=[UNIT], storage=[BATTERY], consumers=[LOAD])
        env = MarketEnv(scenario, codecs={role: codec})
        env.reset(seed=0)
        for _ in range(scenario.intervals):
            env.step({agent: env.action_space(agent).sample() for agent in env.agents})


@pytest.mark.parametrize("codec", ["order", "curve", "power", "share", "markup"])
def test_the_corners_of_a_space_are_legal_actions(codec: str) -> None:
    for corner in ("low", "high"):
        for role in CODECS[codec].roles:
            env = MarketEnv(world(generators=[UNIT], storage=[BATTERY], consumers=[LOAD]), codecs={role: codec})
            env.reset(seed=0)
            actions = {agent: env.action_space(agent).sample() for agent in env.agents}
            chosen = {"generator": "unit", "storage": "battery", "consumer": "load"}[role]
            actions[chosen] = getattr(env.action_space(chosen), corner)
            env.step(actions)


def test_orders_are_float64_and_the_other_boxes_float32() -> None:
    for codec in CODECS.values():
        space = action_space(codec, FLOOR, CAP, 10.0)
        if isinstance(space, spaces.Box):
            assert space.dtype == (np.float64 if codec.name in ("order", "curve") else np.float32)
        else:
            assert isinstance(space, spaces.Discrete)


def test_the_default_codecs_have_the_spaces_that_the_design_fixes() -> None:
    fixed = {role: action_space(codec_of(name, role), FLOOR, CAP, 1.0) for role, name in DEFAULTS.items()}
    assert fixed["generator"] == spaces.Discrete(20)
    assert fixed["storage"] == spaces.Box(-1.0, 1.0, (1,), np.float32)
    assert fixed["consumer"] == spaces.Box(0.0, 1.0, (1,), np.float32)
    assert fixed["operator"] == spaces.Discrete(25)


@pytest.mark.parametrize(
    "codecs, said",
    [
        ({"generator": "oder"}, "did you mean 'order'"),
        ({"storage": "price-grid"}, "order, curve, power"),
        ({"operator": "order"}, "levels"),
        ({"batery": "order"}, "did you mean 'battery'"),
    ],
)
def test_a_codec_that_does_not_exist_or_is_not_for_the_role_is_refused(codecs: dict[str, str], said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        Core(world(storage=[BATTERY]), codecs=codecs)


def test_a_seats_own_codec_wins_over_its_roles() -> None:
    scenario = world(generators=[UNIT, {**UNIT, "name": "other"}], codecs={"generator": "markup"})
    core = Core(scenario, codecs={"unit": "order"})
    assert [codec.name for codec in core.compiled.layout.codecs[:2]] == ["order", "markup"]


def test_what_a_seat_was_asked_for_is_in_its_results() -> None:
    core = Core(world(generators=[UNIT], storage=[BATTERY], consumers=[LOAD]), codecs={"unit": "order"})
    outcome = play(core, unit=(25, 60), battery=0.5, load=0.5)
    assert seat(core, outcome, "unit")["offer_price_per_mwh"] == pytest.approx(25)
    assert seat(core, outcome, "unit")["offered_mw"] == pytest.approx(60)
    assert seat(core, outcome, "battery")["offered_mw"] == pytest.approx(20)
    assert seat(core, outcome, "load")["offered_mw"] == pytest.approx(10)
