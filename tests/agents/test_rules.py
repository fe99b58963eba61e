"""Rules of thumb: the orders each of them places, from its settings and its seat's own parameters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gridmarl.agents.load import load_agent
from gridmarl.agents.rules import RULE_CODECS, Rule, ZeroIntelligence
from gridmarl.agents.team import Team
from gridmarl.errors import ScenarioError
from gridmarl.evaluation.rollout import rollout
from gridmarl.evaluation.trajectory import Trajectory
from gridmarl.scenario.scenario import Scenario
from tests.environment.worlds import FLAT, world

FLOOR, CAP = -100.0, 1000.0
Orders = list[tuple[float, float]]


def small() -> Scenario:
    """90 of 100 MW are gas at $40; a battery; a load that gives up a tenth at $80."""
    return world(
        generators=[
            {"name": "gas", "capacity_mw": 90, "cost_per_mwh": 40, "minimum_mw": 10, "initial_mw": 50},
            {"name": "rest", "capacity_mw": 60, "cost_per_mwh": 60},
        ],
        storage=[{"name": "battery", "capacity_mwh": 100, "power_mw": 20}],
        consumers=[
            {"name": "load", "load_mw": 100, "flexible_share": 0.1, "dr_price_per_mwh": 80, "comfort_cost_per_mwh": 70}
        ],
    )


def played(**rules: Rule) -> Trajectory:
    return rollout(small(), Team(dict(rules), "test"))


def orders(trajectory: Trajectory, seat: str) -> tuple[Orders, Orders]:
    """A seat's offers and bids of more than nothing in the first interval."""
    both = [
        [
            (price, mw)
            for (price, mw, *_), name in zip(trajectory.book[0, part].tolist(), names, strict=True)
            if name == seat and mw > 0
        ]
        for part, names in (
            (slice(None, trajectory.offers), trajectory.order_seats[: trajectory.offers]),
            (slice(trajectory.offers, None), trajectory.order_seats[trajectory.offers :]),
        )
    ]
    return both[0], both[1]


@pytest.mark.parametrize(
    "rule, price",
    [
        (Rule("truthful"), 40),
        (Rule("markup", factor=1.5), 60),
        (Rule("maximum"), CAP),
        (Rule("fixed", price_per_mwh=71), 71),
    ],
    ids=["truthful", "markup", "maximum", "fixed"],
)
def test_a_generators_rule_asks_its_price_for_all_it_can_deliver(rule: Rule, price: float) -> None:
    offers, _ = orders(played(generator=rule), "gas")
    assert offers == [(FLOOR, 10), (price, 80)]


def test_thresholds_buy_below_and_sell_above() -> None:
    rule = Rule("threshold", charge_below_per_mwh=35, discharge_above_per_mwh=65)
    offers, bids = orders(played(storage=rule), "battery")
    assert offers == [(65, 20)]
    assert bids == [(35, 20)]


def test_peak_shaving_offers_all_flexible_load_at_its_price_and_truthful_at_its_cost() -> None:
    assert orders(played(consumer=Rule("peak-shaving", price_per_mwh=77)), "load")[0] == [(77, 10)]
    assert orders(played(consumer=Rule("truthful")), "load")[0] == [(70, 10)]


def test_who_idles_orders_nothing_but_its_load() -> None:
    trajectory = played(storage=Rule("idle"), consumer=Rule("idle"))
    assert orders(trajectory, "battery") == ([], [])
    assert orders(trajectory, "load") == ([], [(10_000, 100)])


def test_the_passive_operator_intervenes_in_nothing() -> None:
    trajectory = played(operator=Rule("passive"))
    assert not trajectory.of_seat("operator", "intervention").any()
    assert not trajectory.of_market("carbon_adder_per_t").any()


def test_zero_intelligence_draws_between_its_cost_and_its_limit_anew_for_every_unit_and_interval() -> None:
    scenario = small().but(intervals=400)
    trajectory = rollout(scenario, Team({"generator": ZeroIntelligence(150)}, "zi"), seed=5)
    asked = [trajectory.of_seat(name, "offer_price_per_mwh") for name in ("gas", "rest")]
    for prices, cost in zip(asked, (40, 60), strict=True):
        assert (prices >= cost).all()
        assert (prices <= 150).all()
        assert len(np.unique(prices)) == 400
        assert prices.mean() == pytest.approx((cost + 150) / 2, abs=4.5 * (150 - cost) / np.sqrt(12 * 400))
    assert abs(np.corrcoef(asked[0], asked[1])[0, 1]) < 4.5 / np.sqrt(400)


def test_zero_intelligence_follows_its_seed() -> None:
    team = Team({"generator": ZeroIntelligence()}, "zi")
    one, again, other = (rollout(small(), team, seed=seed).book for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("limit, highest", [(5000, CAP), (10, 60)])
def test_zero_intelligence_stays_within_the_cap_and_never_below_its_cost(limit: float, highest: float) -> None:
    trajectory = rollout(small().but(intervals=50), Team({"generator": ZeroIntelligence(limit)}, "zi"))
    prices = trajectory.of_seat("rest", "offer_price_per_mwh")
    assert prices.min() >= 60
    assert prices.max() <= highest


@pytest.mark.parametrize(
    "make, said",
    [
        (lambda: Rule("truthfull"), "'truthfull'.*did you mean 'truthful'"),
        (lambda: Rule("markup", facter=2), "'facter'.*did you mean 'factor'"),
        (lambda: Rule("markup", factor=-1), "factor: got -1"),
        (lambda: Rule("zero-intelligence"), "kind: zero-intelligence"),
    ],
)
def test_a_rule_that_does_not_exist_is_refused(make, said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        make()


@pytest.mark.parametrize("role, rule", [("storage", "truthful"), ("generator", "threshold"), ("operator", "markup")])
def test_a_rule_in_a_role_it_does_not_serve_is_refused(role: str, rule: str) -> None:
    with pytest.raises(ScenarioError, match=f"Rule for the {role}"):
        played(**{role: Rule(rule)})


@pytest.mark.parametrize("rule", [*(r for r in RULE_CODECS if r != "zero-intelligence"), None])
def test_a_saved_rule_is_the_same_rule(rule: str | None, tmp_path: Path) -> None:
    agent = ZeroIntelligence(99) if rule is None else Rule(rule, price_per_mwh=66.5)
    agent.save(tmp_path)
    back = load_agent(tmp_path)
    assert type(back) is type(agent)
    assert isinstance(back, Rule)
    assert back.settings == agent.settings


def test_a_rule_sees_only_its_own_and_needs_no_forecast() -> None:
    for rule in RULE_CODECS:
        agent = ZeroIntelligence() if rule == "zero-intelligence" else Rule(rule)
        assert (agent.information, agent.sees) == ("public", "own")


def test_renewables_ask_their_cost_whatever_the_sun() -> None:
    sunny = world(
        profiles={"demand": FLAT, "sun": {"values": (0.5, 0.0)}},
        generators=[
            {"name": "pv", "capacity_mw": 40, "cost_per_mwh": 3, "availability": "sun", "renewable": True},
            {"name": "rest", "capacity_mw": 120, "cost_per_mwh": 60},
        ],
    )
    trajectory = rollout(sunny, "truthful")
    assert trajectory.of_seat("pv", "output_mw").tolist() == [20, 0, 20, 0]
    assert trajectory.of_seat("pv", "offer_price_per_mwh")[0] == 3
