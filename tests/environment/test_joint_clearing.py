"""Energy and reserve cleared together: what no seller would rather do, and all that does not depend on the clearing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from gridmarl.agents.make import parallel_env, vector_env
from gridmarl.assets import battery, generator
from gridmarl.environment.compiled import arrays, columns
from gridmarl.environment.core import Core
from gridmarl.environment.messages.announce import interval_messages
from gridmarl.environment.messages.records import DispatchInstruction, Reason
from gridmarl.errors import OrderError, ScenarioError
from gridmarl.evaluation.rollout import rollout
from gridmarl.scenario.participants import Battery, Generator
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import Float
from tests.environment.accounts import Interval
from tests.environment.worlds import (
    ON_ORDER,
    POWER_TOLERANCE,
    Settings,
    advance,
    market,
    play,
    random_actions,
    scenarios,
    seat,
    world,
)

PREFERENCE = 1e-6
"""How much more a seller may wish to earn, $/h for each MW of the volume."""
RESERVE: Settings = {"spin_share": 0.08, "nonspin_share": 0.06}


def jointly(scenario: Scenario, **reserve: object) -> Scenario:
    """The same world with joint clearing and these settings of its reserve."""
    bought = {**RESERVE, **(scenario.reserve.model_dump() if scenario.reserve else {}), **reserve}
    return scenario.but(market={"clearing": "joint"}, reserve=bought)


class JointInterval(Interval):
    """An interval whose book is checked seller by seller instead of order by order."""

    def check_book(self) -> None:
        """Both sides trade the volume within their orders; at the prices nobody prefers anything else."""
        book = self.outcome.book[self.row]
        mw, accepted = book[:, 1], book[:, 2]
        assert (accepted >= 0.0).all(), "no acceptance is negative"
        assert (accepted <= mw * (1 + 1e-12)).all(), "no more is accepted than ordered"
        for side in (self.sign > 0, self.sign < 0):
            self.near(accepted[side].sum() - self.market["volume_mw"], "a side and the volume", self.scale)
        assert self.market["price_low_per_mwh"] <= self.price + 1e-9
        assert self.price <= self.market["price_high_per_mwh"] + 1e-9
        self.check_preferences()

    @property
    def sign(self) -> Float:
        """+1 for the slots of offers, -1 for those of bids."""
        offers, bids = arrays.book_sizes(self.core.compiled.world)
        return np.repeat([1.0, -1.0], [offers, bids])

    @property
    def sellers(self) -> tuple[Generator | Battery, ...]:
        """Who may hold reserve."""
        return (*self.scenario.all_generators, *self.scenario.all_storage)

    def check_preferences(self) -> None:
        """Sellers of reserve choose between energy and reserve; everybody else trades what pays."""
        free = np.ones(len(self.sign), np.bool_)
        for unit in self.sellers:
            if not getattr(unit, "renewable", False):
                slots = self.slots(unit.name)
                free[slots] = False
                assert self.regret(unit.name) <= PREFERENCE * self.scale, f"{unit.name} prefers another award"
        rows, marginal = self.outcome.book[self.row], 1e-6
        gain = self.sign * (self.price - rows[:, 0])
        dust = POWER_TOLERANCE * self.scale * 10
        assert (rows[free & (gain > marginal), 1] - rows[free & (gain > marginal), 2] <= dust).all(), "left idle"
        assert (rows[free & (gain < -marginal), 2] <= dust).all(), "accepted at a loss"

    def slots(self, name: str) -> list[int]:
        """A seat's orders in the book, without must-run output."""
        row = self.core.compiled.world.seat[self.core.compiled.layout.index(name)]
        first = arrays.book_sizes(self.core.compiled.world)[0] + int(row[columns.BID_AT])
        offers = range(int(row[columns.OFFER_AT]), int(row[columns.OFFER_AT] + row[columns.OFFERS]))
        must_run = 1 if name in {unit.name for unit in self.scenario.all_generators} else 0
        return [*offers[must_run:], *range(first, first + int(row[columns.BIDS]))]

    def regret(self, name: str) -> float:
        """How much more a seller's own best choice of energy and reserve earns at the prices, $/h."""
        slots, own = self.slots(name), self.seats[name]
        price, mw, accepted = self.outcome.book[self.row, slots, :3].T
        sign = self.sign[slots]
        asked = next(p for p in self.sellers if p.name == name).reserve_price_per_mwh
        margins = [self.market["spin_price_per_mwh"] - asked, self.market["nonspin_price_per_mwh"] - asked]
        energy = sign * (self.price - price)
        earned = energy @ accepted + margins[0] * own["spin_mw"] + margins[1] * own["nonspin_mw"]
        rows, rhs, spin = self.limits(name, sign, mw)
        bounds = [*zip(np.zeros(len(mw)), mw, strict=True), (0, spin), (0, None)]
        best = linprog(-np.concatenate([energy, margins]), rows, rhs, bounds=bounds, method="highs")
        assert best.status == 0, best.message
        return float(-best.fun - earned)

    def limits(self, name: str, sign: Float, mw: Float) -> tuple[list[list[float]], list[float], float]:
        """Rows over its orders, spin and nonspin, their right sides, and the most spin."""
        reserve = self.scenario.reserve
        assert reserve is not None
        for g, unit in enumerate(self.scenario.all_generators):
            if unit.name == name:
                online = self.before.generator[self.row, g, generator.ONLINE]
                room = unit.capacity_mw * online - self.seats[name]["must_run_mw"]
                ramp = np.inf if unit.ramp_mw_per_h is None else unit.ramp_mw_per_h / 60
                spin, nonspin = (min(ramp * t, room) for t in (reserve.spin_response_min, reserve.nonspin_response_min))
                return [[*sign, 1, 1], [*(0 * sign), 1, 1]], [room, nonspin], spin
        s, unit = next((s, u) for s, u in enumerate(self.scenario.all_storage) if u.name == name)
        state = self.before.battery[self.row, s]
        stored = (state[battery.ENERGY] - unit.soc_min * unit.capacity_mwh) * unit.discharge_efficiency
        sells = bool((mw[sign > 0] > 0).any())
        assert not (sells and (mw[sign < 0] > 0).any()), "with both kinds of orders the limit is not linear"
        lasts = self.hours if sells else reserve.reserve_duration_h
        lasting = [*(sign * lasts), reserve.reserve_duration_h, reserve.reserve_duration_h]
        stored *= 1.0 - state[battery.AWAY]
        return [[*sign, 1, 1], lasting], [unit.power_mw, max(stored, 0.0)], 2 * unit.power_mw


def check_jointly(core: Core, seed: int, choose: np.random.Generator, intervals: int, whole: bool = True) -> Float:
    """Play at random and check every interval of every row; the markets' results, (interval, env, column)."""
    core.reset(np.arange(seed, seed + core.count, dtype=np.uint64))
    found = []
    for _ in range(intervals):
        before = core.snapshot()[0]
        outcome = core.step(random_actions(core, choose))
        found.append(outcome.market)
        for row in range(core.count):
            interval = JointInterval(core, before, outcome, row)
            if not whole:
                interval.check_preferences = lambda: None  # type: ignore[method-assign]
            interval.check()
    return np.stack(found)


PLANTS: Settings = {
    "generators": [
        {"name": "agile", "capacity_mw": 100, "cost_per_mwh": 20},
        {"name": "stiff", "capacity_mw": 100, "cost_per_mwh": 50, "renewable": True},
    ],
    "consumers": [{"name": "load", "load_mw": 120}],
    "reserve": {"spin_share": 0.25, "nonspin_share": 0.0, "penalty_per_mwh": 500},
}
"""A cheap plant that can hold reserve, a dear one that cannot."""


def both(**settings: object) -> list[Core]:
    """A world cleared in turn and jointly."""
    return [
        Core(world(**{**settings, "market": {"clearing": clearing}}), 1, ON_ORDER, record=True)
        for clearing in ("in-turn", "joint")
    ]


def test_in_turn_a_seller_regrets_its_energy_and_jointly_nobody_regrets_anything() -> None:
    regrets, prices = [], []
    for core in both(**PLANTS):
        core.reset(np.zeros(1, np.uint64))
        before = core.snapshot()[0]
        outcome = advance(core, agile=(20, 100), stiff=(50, 100))
        regrets.append(JointInterval(core, before, outcome).regret("agile"))
        prices.append((market(outcome)["price_per_mwh"], market(outcome)["spin_price_per_mwh"]))
    assert prices == [(50, 500), (50, pytest.approx(30))]  # jointly, reserve is worth the margin that it costs
    assert regrets == pytest.approx([100 * (500 - 30), 0], abs=1e-6)


def test_the_cheap_plant_makes_room_for_reserve_and_is_paid_for_it() -> None:
    core = both(**PLANTS)[1]
    outcome = play(core, agile=(20, 100), stiff=(50, 100))
    agile, stiff = seat(core, outcome, "agile"), seat(core, outcome, "stiff")
    assert (agile["output_mw"], agile["spin_mw"], stiff["output_mw"]) == pytest.approx((70, 30, 50))
    assert agile["reserve_payment"] == pytest.approx(30 * 30)
    assert seat(core, outcome, "load")["reserve_payment"] == pytest.approx(-30 * 30)
    assert agile["reward"] == pytest.approx(100 * 30)


def test_an_idle_offer_below_the_price_is_told_that_it_holds_reserve() -> None:
    core = both(**PLANTS)[1]
    messages = interval_messages(core.compiled, play(core, agile=(20, 100), stiff=(50, 100)), 0, 0, 1)
    told = {m.receiver: m for m in messages if isinstance(m, DispatchInstruction)}
    assert (told["agile"].reason, told["agile"].accepted_mw) == (Reason.HOLDS_RESERVE, pytest.approx(70))
    assert told["stiff"].reason == Reason.PARTIALLY_CLEARED


def test_must_run_output_makes_no_room_for_reserve() -> None:
    units = [{"name": "agile", "capacity_mw": 100, "cost_per_mwh": 20, "minimum_mw": 90}, PLANTS["generators"][1]]
    core = both(**{**PLANTS, "generators": units})[1]
    outcome = play(core, agile=(20, 100), stiff=(50, 100))
    agile, public = seat(core, outcome, "agile"), market(outcome)
    assert (agile["output_mw"], agile["spin_mw"]) == pytest.approx((90, 10))
    assert public["spin_price_per_mwh"] == 500


def test_equal_sellers_get_equal_awards() -> None:
    twins = [{"name": name, "capacity_mw": 80, "cost_per_mwh": 20, "reserve_price_per_mwh": 4} for name in "abc"]
    core = both(**{**PLANTS, "generators": [*twins, PLANTS["generators"][1]]})[1]
    outcome = play(core, a=(20, 80), b=(20, 80), c=(20, 80), stiff=(50, 100))
    awards = np.array([[seat(core, outcome, n)[k] for k in ("output_mw", "spin_mw")] for n in "abc"])
    np.testing.assert_allclose(awards, [[40, 10]] * 3, rtol=1e-9)


def test_a_battery_charges_to_sell_reserve() -> None:
    store = {"name": "battery", "capacity_mwh": 20, "power_mw": 10, "soc_min": 0.0, "soc_initial": 0.2}
    store |= {"round_trip_efficiency": 1.0}
    plants = [{"name": "stiff", "capacity_mw": 200, "cost_per_mwh": 30, "renewable": True}]
    reserve = {**PLANTS["reserve"], "spin_share": 0.05}
    core = both(**{**PLANTS, "generators": plants, "storage": [store], "reserve": reserve})[1]
    outcome = play(core, stiff=(30, 200), battery=(20, -5))
    battery_1, public = seat(core, outcome, "battery"), market(outcome)
    assert (battery_1["power_mw"], battery_1["spin_mw"]) == pytest.approx((-2, 6))  # it holds 4 MWh for an hour
    assert (public["price_per_mwh"], public["spin_price_per_mwh"]) == pytest.approx(
        (30, 10)
    )  # which pays what it loses


@settings(max_examples=30)
@given(
    scenario=scenarios(),
    seed=st.integers(0, 2**63),
    choices=st.integers(0, 1000),
    hours=st.sampled_from([0.25, 1.0]),
    penalty=st.sampled_from([30.0, 250.0]),
)
def test_nobody_prefers_anything_else_and_nothing_is_lost_in_any_small_world(
    scenario: Scenario, seed: int, choices: int, hours: float, penalty: float
) -> None:
    chosen = jointly(scenario, reserve_duration_h=hours, penalty_per_mwh=penalty)
    core = Core(chosen, 2, ON_ORDER, record=True)
    check_jointly(core, seed, np.random.default_rng(choices), 4)


@pytest.mark.parametrize("name", ["auction", "storm", "renewable-heavy", "three-homes"])
def test_nothing_is_lost_in_a_shipped_world(name: str) -> None:
    core = Core(jointly(Scenario.load(name)), 2, ON_ORDER, record=True)
    found = check_jointly(core, 3, np.random.default_rng(5), 12)
    assert (found[:, :, columns.SPIN] > 0.0).any()


def test_nothing_is_lost_where_batteries_both_offer_and_bid() -> None:
    core = Core(jointly(Scenario.load("auction")), 2, dict.fromkeys(ON_ORDER, "curve"), record=True)
    check_jointly(core, 3, np.random.default_rng(5), 24, whole=False)


def test_homes_sell_the_reserve_of_their_parts() -> None:
    scenario = jointly(Scenario.load("duck-curve").but(intervals=12))
    core = Core(scenario, 1, record=True)
    found = check_jointly(core, 3, np.random.default_rng(5), 12, whole=False)
    assert (found[:, 0, columns.SPIN] > 0.0).any()


@pytest.mark.parametrize(
    "name, codecs", [("auction", ON_ORDER), ("auction", {}), ("caiso-week", {}), ("storm", ON_ORDER)]
)
def test_without_a_requirement_it_is_clearing_in_turn(name: str, codecs: dict[str, str]) -> None:
    nothing: Settings = {**RESERVE, "levels": [0.0] * 5}
    cores = [
        Core(Scenario.load(name).but(market={"clearing": clearing}, reserve=nothing), 2, codecs, record=True)
        for clearing in ("in-turn", "joint")
    ]
    assert [len(core._given) for core in cores] == [0, 2]
    rng = np.random.default_rng(2)
    for core in cores:
        core.reset(np.array([1, 2], np.uint64))
    for _ in range(24):
        actions = random_actions(cores[0], rng)
        turn, joint = (core.step(actions) for core in cores)
        np.testing.assert_allclose(joint.market[:, columns.PRICE], turn.market[:, columns.PRICE], rtol=1e-9, atol=1e-9)
        assert (joint.market[:, columns.LOW] <= joint.market[:, columns.PRICE]).all()
        assert (joint.market[:, columns.PRICE] <= joint.market[:, columns.HIGH]).all()
        np.testing.assert_allclose(joint.book, turn.book, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(joint.seats, turn.seats, rtol=1e-7, atol=1e-6)


def test_where_no_reserve_is_bought_nothing_is_solved() -> None:
    assert len(Core(world(market={"clearing": "joint"}))._given) == 0


def test_a_row_equals_the_single_run_bit_for_bit() -> None:
    scenario, seeds = jointly(Scenario.load("auction")), (0, 7, 2**40)
    many, rng = Core(scenario, len(seeds), ON_ORDER, record=True), np.random.default_rng(5)
    actions = [random_actions(many, rng) for _ in range(40)]
    many.reset(np.array(seeds, np.uint64))
    together = [many.step(action) for action in actions]
    for row, seed_of_row in enumerate(seeds):
        single = Core(scenario, 1, ON_ORDER, record=True)
        single.reset(np.array([seed_of_row], np.uint64))
        for action, batch in zip(actions, together, strict=True):
            alone = single.step(action[row : row + 1])
            assert all(np.array_equal(ours[row], theirs[0]) for ours, theirs in zip(batch, alone, strict=True))


def test_a_snapshot_is_all_that_changes() -> None:
    core, rng = Core(jointly(Scenario.load("auction")), 2, ON_ORDER), np.random.default_rng(0)
    core.reset(np.array([1, 2], np.uint64))
    actions = [random_actions(core, rng) for _ in range(20)]
    for action in actions[:10]:
        core.step(action)
    kept = core.snapshot()
    first = [core.step(action) for action in actions[10:]]
    core.restore(kept)
    for action, before in zip(actions[10:], first, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(core.step(action), before, strict=True))


def test_a_refused_action_changes_nothing() -> None:
    core = Core(jointly(Scenario.load("auction")), 2, ON_ORDER)
    core.reset(np.array([1, 2], np.uint64))
    actions = random_actions(core, np.random.default_rng(0))
    actions[1, 0] = 1e9
    before = core.snapshot()[0]
    with pytest.raises(OrderError, match="solar_1"):
        core.step(actions)
    assert all(np.array_equal(a, b) for a, b in zip(before, core.rows, strict=True))


def test_every_view_plays_the_same_market() -> None:
    scenario = jointly(Scenario.load("storm").but(intervals=12))
    played = rollout(scenario, "truthful", seed=3).market[:, columns.PRICE]
    env = parallel_env(scenario, seats="operator", others="truthful", split="test")
    env.reset(seed=3)
    alone = []
    for _ in range(12):
        env.step({"operator": 0})
        alone.append(env.market()["price_per_mwh"])
    many = vector_env(scenario, 2, seats="operator", others="truthful", split="test")
    many.reset(seed=[9, 3])
    batch = [many.step({"operator": np.zeros((2, 1))})[4]["market"][1, columns.PRICE] for _ in range(12)]
    np.testing.assert_array_equal(alone, played)
    np.testing.assert_array_equal(batch, played)


def test_a_reserve_that_would_come_before_load_is_refused() -> None:
    dear = {"spin_share": 0.1, "penalty_per_mwh": 9000}
    assert world(reserve=dear).reserve is not None
    with pytest.raises(ScenarioError, match="would shed load to hold reserve"):
        world(market={"clearing": "joint"}, reserve=dear)
