"""Energy and reserve cleared together: hand-computed cases, what no seller would rather do, and clearing in turn."""

from __future__ import annotations

from math import inf, nan

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from gridmarl.errors import OrderError
from gridmarl.market.auction import clear
from gridmarl.market.joint import Requirement
from gridmarl.planning.capacity import ReserveSeller
from gridmarl.planning.cooptimise import clear_in_turn, clear_jointly, compare_clearings

VOLL = 10_000.0
PENALTY = 500.0
SOLVER = 1e-6  # relative: what HiGHS promises


def orders(*rows):
    return pd.DataFrame(list(rows), columns=["participant", "price", "quantity"])


def load(mw):
    return orders(("load", VOLL, mw))


def two_plants(a_reach=50.0, b_reach=0.0, b_asked=0.0):
    """A is cheap and agile, B is dear."""
    offers = orders(("a", 20, 100), ("b", 50, 100))
    sellers = [ReserveSeller("a", 100, a_reach, a_reach), ReserveSeller("b", 100, b_reach, b_reach, b_asked)]
    return offers, load(120), sellers


def best_profit(clearing, offers, bids, seller, requirement):
    """The most one seller could earn at the clearing's prices, $/h, free to choose its energy and reserve."""
    mine, wants = offers[offers.participant == seller.name], bids[bids.participant == seller.name]
    n, m = len(mine), len(wants)
    margin = np.concatenate([clearing.energy_price - mine.price, wants.price - clearing.energy_price])
    reserve = [clearing.spin_price - seller.asked_per_mwh, clearing.nonspin_price - seller.asked_per_mwh]
    power = np.concatenate([np.ones(n), -np.ones(m)])
    rows, rhs = [[*power, 1, 1], [*np.zeros(n + m), 1, 1]], [seller.high_mw, seller.nonspin_reach_mw]
    if seller.stored_mwh < inf:
        d, h = requirement.duration_h, requirement.hours
        rows += [[*(h * power), d, d], [*(d * power), d, d]]
        rhs += [seller.stored_mwh] * 2
    bounds = [(0, q) for q in [*mine.quantity, *wants.quantity]] + [(0, seller.spin_reach_mw), (0, None)]
    answer = linprog(-np.concatenate([margin, reserve]), rows, rhs, bounds=bounds, method="highs")
    assert answer.status == 0
    return -answer.fun


@st.composite
def markets(draw):
    """A few plants, perhaps a battery that both sells and buys, and load."""
    rng = np.random.default_rng(draw(st.integers(0, 100_000)))
    whole = draw(st.booleans())  # whole numbers make ties and degenerate optima

    def number(low, high):
        return float(rng.integers(int(low), int(high) + 1)) if whole else float(rng.uniform(low, high))

    offers, sellers = [], []
    for i in range(draw(st.integers(1, 4))):
        sizes = [number(5, 40) for _ in range(2)]
        offers += [(f"plant_{i}", number(0, 60), size) for size in sizes]
        reach = number(0, 40)
        sellers.append(ReserveSeller(f"plant_{i}", sum(sizes), reach, reach + number(0, 20), number(0, 10)))
    bids = [("load", VOLL, number(0, 120)), ("flexible", number(0, 60), number(0, 20))]
    duration_h, hours = draw(st.sampled_from([(1.0, 1.0), (0.5, 1.0), (0.25, 0.25)]))
    if draw(st.booleans()):
        rating, stored = number(5, 20), number(0, 20)
        offers.append(("battery", number(30, 60), min(rating, stored / hours)))
        bids.append(("battery", number(0, 30), rating))
        sellers.append(ReserveSeller("battery", rating, 2 * rating, 2 * rating, number(0, 5), stored))
    requirement = Requirement(number(0, 40), number(0, 40), duration_h, hours)
    return orders(*offers), orders(*bids), sellers, requirement, draw(st.sampled_from([PENALTY, 30.0]))


def test_the_reserve_price_covers_the_lost_energy_margin():
    offers, bids, sellers = two_plants()
    joint = clear_jointly(offers, bids, sellers, Requirement(30, 0), PENALTY)
    np.testing.assert_allclose(joint.offered_mw, [70, 50], rtol=SOLVER)
    np.testing.assert_allclose(joint.spin_mw, [30, 0], atol=SOLVER)
    assert joint.energy_price == pytest.approx(50)
    assert joint.spin_price == pytest.approx(30)  # 50 - 20: what A forgoes
    assert joint.profit_per_h[0] == pytest.approx(100 * 30)


def test_in_turn_reserve_is_short_that_joint_clearing_covers():
    offers, bids, sellers = two_plants()
    both = compare_clearings(offers, bids, sellers, Requirement(30, 0), PENALTY)
    assert (both.in_turn.spin_short_mw, both.in_turn.spin_price) == (30, PENALTY)
    assert both.jointly.spin_short_mw == pytest.approx(0, abs=SOLVER)
    saved = both.in_turn.cost_per_h - both.jointly.cost_per_h
    assert saved == pytest.approx(30 * (PENALTY - 30))


def test_in_turn_a_seller_would_rather_have_withheld_energy():
    offers, bids, sellers = two_plants(a_reach=20, b_reach=30, b_asked=40)
    need = Requirement(30, 0)
    both = compare_clearings(offers, bids, sellers, need, PENALTY)
    assert (both.in_turn.energy_price, both.in_turn.spin_price) == (50, 40)
    assert both.in_turn.profit_per_h[0] == pytest.approx(3000)
    assert best_profit(both.in_turn, offers, bids, sellers[0], need) == pytest.approx(3200)  # 20 MW earn 40, not 30
    assert both.jointly.profit_per_h[0] == pytest.approx(3200)
    assert best_profit(both.jointly, offers, bids, sellers[0], need) == pytest.approx(3200)


def test_a_battery_holds_no_more_than_it_can_sustain():
    offers, bids = orders(("plant", 30, 100), ("battery", 40, 4)), load(50)
    battery = ReserveSeller("battery", 10, 20, 20, stored_mwh=4)
    joint = clear_jointly(offers, bids, [battery], Requirement(12, 0), PENALTY)
    assert joint.spin_mw[0] == pytest.approx(4)
    assert joint.spin_short_mw == pytest.approx(8)


def test_a_battery_that_charges_can_stop_charging():
    offers, bids = orders(("plant", 10, 100), ("battery", 90, 0)), orders(("load", VOLL, 50), ("battery", 20, 5))
    battery = ReserveSeller("battery", 10, 20, 20, stored_mwh=4)
    joint = clear_jointly(offers, bids, [battery], Requirement(9, 0), PENALTY)
    assert joint.bid_mw[1] == pytest.approx(5)
    assert (joint.spin_mw[0], joint.spin_short_mw) == pytest.approx((9, 0), abs=SOLVER)


def test_a_battery_buys_to_sell_reserve():
    offers, bids = orders(("plant", 30, 100), ("battery", 90, 0)), orders(("load", VOLL, 50), ("battery", 20, 5))
    battery = ReserveSeller("battery", 10, 20, 20, stored_mwh=4)
    joint = clear_jointly(offers, bids, [battery], Requirement(6, 0), PENALTY)
    assert joint.bid_mw[1] == pytest.approx(2)  # at 30 for a value of 20: the spin price pays the 10
    assert joint.spin_price == pytest.approx(10)


def test_without_a_requirement_it_is_the_energy_auction():
    offers, bids = orders(("a", 20, 50), ("b", 60, 50)), orders(("load", 90, 50), ("shy", 30, 50))
    joint = clear_jointly(offers, bids, [ReserveSeller("a", 50, 10, 10)], Requirement(0, 0), PENALTY)
    assert (joint.energy_price, joint.spin_price, joint.nonspin_price) == (30, 0, 0)


@pytest.mark.parametrize(("asked", "bid", "price"), [(20, 15, 15), (20, -5, 0), (-10, -35, -10)])
def test_where_nothing_trades_the_price_is_nearest_to_zero(asked, bid, price):
    offers, bids = orders(("a", asked, 50)), orders(("load", bid, 50))
    joint = clear_jointly(offers, bids, [], Requirement(0, 0), PENALTY)
    assert joint.offered_mw.tolist() == [0]
    assert joint.energy_price == pytest.approx(price)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(market=markets())
def test_the_energy_auction_is_the_case_without_reserve(market):
    offers, bids, sellers, need, penalty = market
    none = Requirement(0, 0, need.duration_h, need.hours)
    joint, turn = (f(offers, bids, sellers, none, penalty) for f in (clear_jointly, clear_in_turn))
    assert joint.energy_price == pytest.approx(turn.energy_price, abs=1e-6)
    assert joint.cost_per_h == pytest.approx(turn.cost_per_h, rel=SOLVER, abs=1e-3)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(market=markets())
def test_no_seller_prefers_another_award_at_the_joint_prices(market):
    offers, bids, sellers, need, penalty = market
    joint = clear_jointly(offers, bids, sellers, need, penalty)
    for seller, profit in zip(sellers, joint.profit_per_h, strict=True):
        best = best_profit(joint, offers, bids, seller, need)
        assert abs(profit - best) <= SOLVER * (1 + VOLL * seller.high_mw)
        assert best >= -SOLVER


@settings(max_examples=100, deadline=None, derandomize=True)
@given(market=markets())
def test_nobody_without_reserve_prefers_another_amount(market):
    offers, bids, sellers, need, penalty = market
    joint = clear_jointly(offers, bids, sellers, need, penalty)
    assert 0 <= joint.nonspin_price <= penalty + SOLVER
    for (_, price, quantity), got in zip(bids[:2].itertuples(index=False), joint.bid_mw[:2], strict=True):
        margin = price - joint.energy_price
        assert max(margin, 0) * quantity - margin * got <= SOLVER * (1 + VOLL * quantity)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(market=markets())
def test_the_awards_balance_and_fit_every_limit(market):
    offers, bids, sellers, need, penalty = market
    joint = clear_jointly(offers, bids, sellers, need, penalty)
    assert joint.offered_mw.sum() == pytest.approx(joint.bid_mw.sum(), rel=SOLVER, abs=SOLVER)
    assert joint.spin_mw.sum() + joint.spin_short_mw >= need.spin_mw - SOLVER
    assert joint.nonspin_mw.sum() + joint.nonspin_short_mw >= need.nonspin_mw - SOLVER
    for i, seller in enumerate(sellers):
        sold = joint.offered_mw[offers.participant == seller.name].sum()
        power = sold - joint.bid_mw[bids.participant == seller.name].sum()
        held = joint.spin_mw[i] + joint.nonspin_mw[i]
        assert power + held <= seller.high_mw + SOLVER
        assert joint.spin_mw[i] <= seller.spin_reach_mw + SOLVER
        assert held <= seller.nonspin_reach_mw + SOLVER
        delivered_mwh = power * (need.hours if power > 0 else need.duration_h) + held * need.duration_h
        assert delivered_mwh <= seller.stored_mwh + SOLVER


@settings(max_examples=60, deadline=None, derandomize=True)
@given(market=markets())
def test_clearing_in_turn_never_costs_less(market):
    both = compare_clearings(*market)
    assert both.jointly.cost_per_h <= both.in_turn.cost_per_h + SOLVER * (1 + abs(both.in_turn.cost_per_h))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(market=markets())
def test_what_is_paid_is_what_is_earned(market):
    """Profit of sellers and buyers adds up to minus the cost, plus what the reserve was bought for."""
    offers, bids, sellers, need, penalty = market
    joint = clear_jointly(offers, bids, sellers, need, penalty)
    buyers = ((bids.price - joint.energy_price) * joint.bid_mw)[:2].sum()
    bought = joint.spin_price * joint.spin_mw.sum() + joint.nonspin_price * joint.nonspin_mw.sum()
    missing = penalty * (joint.spin_short_mw + joint.nonspin_short_mw)
    total = joint.profit_per_h.sum() + buyers - bought - missing
    assert total == pytest.approx(-joint.cost_per_h, rel=SOLVER, abs=1e-2)


@pytest.mark.parametrize(("offered", "jointly"), [(0, 4 + 5), (1, 4 + 5 * 0.25)])
def test_awards_longer_than_the_interval_credit_less_charging_of_who_also_offers(offered, jointly):
    offers = orders(("plant", 10, 100), ("battery", 90, offered))
    bids = orders(("load", VOLL, 50), ("battery", 20, 5))
    battery = ReserveSeller("battery", 10, 20, 20, stored_mwh=4)
    need = Requirement(20, 0, duration_h=1.0, hours=0.25)
    both = compare_clearings(offers, bids, [battery], need, PENALTY)
    assert both.jointly.spin_mw[0] == pytest.approx(jointly)
    assert both.in_turn.spin_mw[0] == pytest.approx(4 + 5)


def test_the_table_shows_both_side_by_side():
    offers, bids, sellers = two_plants()
    table = compare_clearings(offers, bids, sellers, Requirement(30, 0), PENALTY).table()
    assert list(table.columns) == ["jointly", "in turn"]
    assert table.loc["spin_short_mw"].tolist() == pytest.approx([0, 30], abs=SOLVER)
    assert table.loc["profit_per_h of a"].tolist() == pytest.approx([3000, 3000])


def test_the_tables_of_orders_are_left_as_they_were():
    offers, bids, sellers = two_plants()
    before = offers.copy(), bids.copy()
    compare_clearings(offers, bids, sellers, Requirement(30, 0), PENALTY)
    pd.testing.assert_frame_equal(offers, before[0])
    pd.testing.assert_frame_equal(bids, before[1])


def test_no_orders_and_no_sellers_leave_the_requirement_short():
    none = orders()
    both = compare_clearings(none, none, [], Requirement(3, 4), PENALTY)
    for clearing in (both.jointly, both.in_turn):
        assert (clearing.spin_short_mw, clearing.nonspin_short_mw) == pytest.approx((3, 4))
        assert (clearing.energy_price, clearing.spin_price, clearing.nonspin_price) == (0, PENALTY, PENALTY)


@pytest.mark.parametrize("field", ["high_mw", "spin_reach_mw", "nonspin_reach_mw", "asked_per_mwh", "stored_mwh"])
@pytest.mark.parametrize("value", [-1.0, nan])
def test_a_bad_seller_is_refused_by_name(field, value):
    numbers = {"high_mw": 9.0, "spin_reach_mw": 5.0, "nonspin_reach_mw": 5.0} | {field: value}
    with pytest.raises(OrderError, match=rf"coal\.{field}"):
        ReserveSeller("coal", **numbers)


def test_a_spin_reach_beyond_the_nonspin_reach_is_refused():
    with pytest.raises(OrderError, match="at most nonspin_reach_mw = 5"):
        ReserveSeller("coal", 9, 6, 5)


@pytest.mark.parametrize(
    ("field", "value"), [("spin_mw", -1), ("nonspin_mw", nan), ("duration_h", 0), ("hours", 0), ("hours", inf)]
)
def test_a_bad_requirement_is_refused_by_name(field, value):
    with pytest.raises(OrderError, match=rf"requirement\.{field}"):
        Requirement(**({"spin_mw": 1, "nonspin_mw": 1} | {field: value}))


@pytest.mark.parametrize("penalty", [-1.0, nan, inf])
def test_a_bad_penalty_is_refused(penalty):
    with pytest.raises(OrderError, match="penalty_per_mwh"):
        clear_jointly(*two_plants(), Requirement(1, 0), penalty)


def test_a_seller_without_an_order_is_refused_with_the_nearest_name():
    offers, bids, _ = two_plants()
    offers["participant"] = ["coal_1", "gas_1"]
    with pytest.raises(OrderError, match="did you mean 'coal_1'"):
        clear_jointly(offers, bids, [ReserveSeller("coal1", 1, 1, 1)], Requirement(1, 0), PENALTY)


def test_a_seller_named_twice_is_refused():
    offers, bids, sellers = two_plants()
    with pytest.raises(OrderError, match="one entry a seller"):
        clear_jointly(offers, bids, [*sellers, sellers[0]], Requirement(1, 0), PENALTY)


def test_offers_beyond_what_the_seller_can_deliver_are_refused():
    offers, bids, _ = two_plants()
    for seller in (ReserveSeller("a", 90, 5, 5), ReserveSeller("a", 200, 5, 5, stored_mwh=90)):
        with pytest.raises(OrderError, match="at most 90 MW"):
            clear_jointly(offers, bids, [seller], Requirement(1, 0), PENALTY)


def test_bad_orders_are_refused():
    offers, bids, sellers = two_plants()
    with pytest.raises(OrderError, match="participant"):
        clear_jointly(offers.drop(columns="participant"), bids, sellers, Requirement(1, 0), PENALTY)
    with pytest.raises(OrderError, match="period"):
        clear_jointly(offers.assign(period=1), bids, sellers, Requirement(1, 0), PENALTY)
    with pytest.raises(OrderError, match="finite"):
        clear_jointly(offers.assign(quantity=nan), bids, sellers, Requirement(1, 0), PENALTY)


def test_in_turn_energy_is_what_the_auction_clears():
    offers, bids, sellers = two_plants()
    turn = clear_in_turn(offers, bids, sellers, Requirement(30, 0), PENALTY)
    alone = clear(pd.concat([offers.assign(side="sell"), bids.assign(side="buy")], ignore_index=True))
    assert turn.energy_price == alone.price
    assert turn.offered_mw.tolist() == alone.accepted[:2].tolist()
