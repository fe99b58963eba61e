"""Energy and reserve in one programme: the auction it contains, who shares with whom, and other people's optimum."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import numpy as np
import pytest
from highspy import Highs
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize

from gridmarl.errors import SolverError
from gridmarl.market.clearing import LOWER, MIDPOINT, UPPER, clear_periods
from gridmarl.market.joint import JointMarket, Requirement, Sellers, clear_together
from gridmarl.market.linear import LinearProgram
from gridmarl.market.ties import nearest_point

VOLL, FLOOR, PENALTY = 10_000.0, -100.0, 250.0
EXACT = 1e-9
"""Relative to the largest quantity: what the even optimum keeps of every limit."""
NOBODY = 9
"""Stands for an owner who sells no reserve, until the sellers are counted."""


def market_of(orders, sellers=(), spin=0.0, nonspin=0.0, duration_h=1.0, hours=1.0) -> JointMarket:
    """Orders (price, quantity, sign, rank, seller) and sellers (high, spin reach, nonspin reach, stored, asked)."""
    price, quantity, sign, rank, seller = (np.array(column) for column in zip(*orders, strict=True))
    high, spin_reach, nonspin_reach, stored, asked = np.array(sellers, np.float64).reshape(len(sellers), 5).T
    return JointMarket(
        price=price.astype(np.float64),
        quantity=quantity.astype(np.float64),
        sign=sign.astype(np.float64),
        rank=rank.astype(np.int64),
        seller=np.minimum(seller, len(sellers)).astype(np.int64),
        sellers=Sellers(high, spin_reach, nonspin_reach, stored, asked),
        requirement=Requirement(spin, nonspin, duration_h, hours),
        penalty_per_mwh=PENALTY,
        floor_per_mwh=FLOOR,
        voll_per_mwh=VOLL,
    )


@st.composite
def markets(draw, reserve: bool = True) -> JointMarket:
    """Some plants, batteries that offer or bid, and others of every rank; often of equal prices, in MW or in W."""
    rng = np.random.default_rng(draw(st.integers(0, 1_000_000)))
    whole, scale = draw(st.booleans()), draw(st.sampled_from([1e-6, 1.0, 1e3]))
    duration_h, hours = draw(st.sampled_from([(1.0, 1.0), (0.5, 1.0), (1.0, 0.25)]))

    def number(low, high):
        return float(rng.integers(low, high + 1)) if whole else float(rng.uniform(low, high))

    orders, sellers = [], []
    for i in range(int(rng.integers(1, 6))):
        if rng.random() < 0.3:
            rating, stored = number(5, 20) * scale, number(0, 20) * scale
            sells = bool(rng.random() < 0.5)
            most = min(rating, stored / hours) if sells else rating
            orders.append((number(0, 60), most, 1 if sells else -1, 2, i))
            sellers.append((rating, 2 * rating, 2 * rating, stored, number(0, 10)))
            continue
        sizes = [number(0, 30) * scale for _ in range(int(rng.integers(1, 4)))]
        orders += [(number(0, 60), size, 1, 1, i) for size in sizes]
        reach = number(0, 30) * scale
        sellers.append((sum(sizes), reach, reach + number(0, 20) * scale, inf, number(0, 10)))
    orders += [(FLOOR, number(0, 30) * scale, 1, 0, NOBODY), (number(-20, 60), number(0, 20) * scale, 1, 3, NOBODY)]
    orders += [(VOLL, number(0, 60) * scale, -1, rank, NOBODY) for rank in (0, 1)]
    orders.append((number(0, 60), number(0, 20) * scale, -1, 3, NOBODY))
    spin, nonspin = (number(0, 30) * scale if reserve else 0.0 for _ in range(2))
    return market_of(orders, sellers, spin, nonspin, duration_h, hours)


def largest(market: JointMarket) -> float:
    return max(market.quantity.max(), market.sellers.high_mw.max(initial=0.0))


def auction(market: JointMarket, pricing: int):
    """The same orders in the energy auction: accepted quantities and (price, low, high, volume)."""
    accepted, outcome, sells = np.zeros_like(market.price), np.zeros((1, 4)), market.sign > 0
    sold, bought = np.zeros(int(sells.sum())), np.zeros(int((~sells).sum()))
    clear_periods(
        market.price[sells],
        market.quantity[sells],
        market.rank[sells],
        sold,
        np.array([0, len(sold)]),
        market.price[~sells],
        market.quantity[~sells],
        market.rank[~sells],
        bought,
        np.array([0, len(bought)]),
        pricing,
        outcome,
    )
    accepted[sells], accepted[~sells] = sold, bought
    return accepted, outcome[0]


@settings(max_examples=150)
@given(market=markets(reserve=False), pricing=st.sampled_from([LOWER, UPPER, MIDPOINT]))
def test_without_a_requirement_it_is_the_auction_with_its_ranks_and_shares(market, pricing):
    awards, (accepted, outcome) = clear_together(market, pricing), auction(market, pricing)
    np.testing.assert_allclose(awards.accepted_mw, accepted, rtol=0, atol=EXACT * largest(market))
    ends = (awards.energy_low, awards.energy_high)
    assert (awards.energy_price, *ends) == pytest.approx(tuple(outcome[:3].clip(FLOOR, VOLL)), abs=1e-7)
    assert (awards.spin_price, awards.nonspin_price) == (0, 0)


@settings(max_examples=150)
@given(market=markets())
def test_awards_keep_every_limit_and_balance(market):
    awards, sellers, need = clear_together(market, LOWER), market.sellers, market.requirement
    dust = EXACT * largest(market)
    accepted, held = awards.accepted_mw, awards.spin_mw + awards.nonspin_mw
    power = market.power(accepted)
    assert (accepted >= 0.0).all()
    assert (accepted <= market.quantity).all()
    assert abs(market.sign @ accepted) <= 1e-6 * dust
    assert (power + held <= sellers.high_mw + dust).all()
    assert (awards.spin_mw <= sellers.spin_reach_mw + dust).all()
    assert (held <= sellers.nonspin_reach_mw + dust).all()
    lasts = np.where(power > 0, need.hours, need.duration_h)
    assert (power * lasts + held * need.duration_h <= sellers.stored_mwh + dust).all()
    assert awards.spin_mw.sum() + awards.spin_short_mw >= need.spin_mw - 10 * dust
    assert awards.nonspin_mw.sum() + awards.nonspin_short_mw >= need.nonspin_mw - 10 * dust


@settings(max_examples=100)
@given(market=markets())
def test_no_award_costs_less(market):
    """The optimum that scipy finds, by rows written down once more."""
    awards, sellers, need = clear_together(market, LOWER), market.sellers, market.requirement
    m, n, unit = len(market.price), len(sellers.high_mw), largest(market)
    held = np.hstack([np.eye(n), np.eye(n), np.zeros((n, 2))])
    power = np.zeros((n, m))
    for k, i in enumerate(market.seller):
        if i < n:
            power[i, k] = market.sign[k]
    charges = np.array([bool(((market.seller == i) & (market.sign < 0)).any()) for i in range(n)])
    lasts = np.where(charges, need.duration_h, need.hours)[:, None]
    stores = np.isfinite(sellers.stored_mwh)
    rows = np.vstack(
        [
            np.hstack([power, held]),
            np.hstack([0 * power, held]),
            np.hstack([lasts * power, need.duration_h * held])[stores],
            np.concatenate([np.zeros(m), -np.ones(n), np.zeros(n), [-1, 0]])[None],
            np.concatenate([np.zeros(m + n), -np.ones(n), [0, -1]])[None],
        ]
    )
    sides = [sellers.high_mw, sellers.nonspin_reach_mw, sellers.stored_mwh[stores], [-need.spin_mw, -need.nonspin_mw]]
    upper = np.concatenate([market.quantity, sellers.spin_reach_mw, np.full(n, inf), [inf, inf]]) / unit
    cost = np.concatenate([market.sign * market.price, *[sellers.asked_per_mwh] * 2, [PENALTY] * 2])
    balance = np.concatenate([market.sign, np.zeros(2 * n + 2)])[None]
    bounds = np.column_stack([np.zeros_like(upper), upper])
    best = linprog(cost, rows, np.concatenate(sides) / unit, balance, [0.0], bounds, method="highs")
    assert best.status == 0
    short = [awards.spin_short_mw, awards.nonspin_short_mw]
    found = cost @ np.concatenate([awards.accepted_mw, awards.spin_mw, awards.nonspin_mw, short])
    assert found == pytest.approx(best.fun * unit, abs=1e-6 * unit)


@settings(max_examples=50)
@given(market=markets(), seed=st.integers(0, 1000))
def test_the_order_in_which_orders_come_changes_nothing(market, seed):
    """Neither who is accepted nor the prices; so equals share whatever the solver meets first."""
    order = np.random.default_rng(seed).permutation(len(market.price))
    columns = ("price", "quantity", "sign", "rank", "seller")
    shuffled = replace(market, **{name: getattr(market, name)[order] for name in columns})
    one, other = clear_together(market, LOWER), clear_together(shuffled, LOWER)
    atol = 1e-7 * largest(market)
    np.testing.assert_allclose(other.accepted_mw, one.accepted_mw[order], rtol=0, atol=atol)
    np.testing.assert_allclose(other.spin_mw, one.spin_mw, rtol=0, atol=atol)
    np.testing.assert_allclose(other.nonspin_mw, one.nonspin_mw, rtol=0, atol=atol)
    assert (other.energy_price, other.energy_low) == pytest.approx((one.energy_price, one.energy_low), abs=1e-7)


def test_the_same_market_has_the_same_awards_to_the_bit():
    market = market_of(
        [(20, 100, 1, 1, 0), (20, 80, 1, 1, 1), (VOLL, 90, -1, 0, NOBODY)], [(100, 30, 30, inf, 2)] * 2, 20
    )
    one, other = clear_together(market, LOWER), clear_together(market, LOWER)
    assert np.array_equal(one.accepted_mw, other.accepted_mw)
    assert np.array_equal(one.spin_mw, other.spin_mw)
    assert (one.energy_price, one.spin_price) == (other.energy_price, other.spin_price)


def test_equal_sellers_share_energy_and_reserve_pro_rata():
    twins = [(20, 60, 1, 1, 0), (20, 30, 1, 1, 1), (VOLL, 30, -1, 0, NOBODY)]
    awards = clear_together(market_of(twins, [(60, 40, 40, inf, 2), (30, 20, 20, inf, 2)], spin=12), LOWER)
    np.testing.assert_allclose(awards.accepted_mw, [20, 10, 30], rtol=EXACT)
    np.testing.assert_allclose(awards.spin_mw, [8, 4], rtol=EXACT)
    assert (awards.energy_price, awards.spin_price) == pytest.approx((20, 2))


def test_who_cannot_hold_reserve_sells_the_energy_of_who_can():
    twins = [(20, 50, 1, 1, 0), (20, 50, 1, 1, 1), (VOLL, 60, -1, 0, NOBODY)]
    awards = clear_together(market_of(twins, [(50, 50, 50, inf, 2), (50, 0, 0, inf, 2)], spin=40), LOWER)
    np.testing.assert_allclose(awards.accepted_mw, [10, 50, 60], rtol=EXACT)
    np.testing.assert_allclose(awards.spin_mw, [40, 0], atol=EXACT * 50)


@pytest.mark.parametrize(("pricing", "price"), [(LOWER, 40), (UPPER, 70), (MIDPOINT, 55)])
def test_the_rule_picks_the_price_and_the_reserve_price_goes_along(pricing, price):
    """The plant holds 10 MW of its 60: whatever energy is worth above its 40, reserve is worth that and its asked 2."""
    orders = [(40, 60, 1, 1, 0), (70, 50, 1, 1, NOBODY), (VOLL, 50, -1, 0, NOBODY)]
    awards = clear_together(market_of(orders, [(60, 60, 60, inf, 2)], spin=10), pricing)
    np.testing.assert_allclose(awards.accepted_mw, [50, 0, 50], atol=EXACT * 60)
    assert (awards.energy_low, awards.energy_high) == pytest.approx((40, 70))
    assert (awards.energy_price, awards.spin_price) == pytest.approx((price, 2 + price - 40))


@pytest.mark.parametrize("threads", [1, 2])
def test_other_solvers_of_the_process_may_use_any_number_of_threads(threads):
    other = Highs()
    other.resetGlobalScheduler(True)
    other.setOptionValue("output_flag", False)
    other.setOptionValue("threads", threads)
    x = other.addVariable(lb=1.0, ub=2.0)
    other.minimize(x)
    ours = LinearProgram(np.ones((1, 2)), np.array([1.0]), np.array([9.0]), np.zeros(2), np.ones(2))
    assert ours.minimise(np.array([1.0, 2.0])).tolist() == [1.0, 0.0]


def test_a_programme_without_an_answer_says_so():
    impossible = LinearProgram(np.ones((1, 1)), np.array([2.0]), np.array([inf]), np.zeros(1), np.ones(1))
    with pytest.raises(SolverError, match="Infeasible"):
        impossible.minimise(np.ones(1))


@settings(max_examples=60)
@given(seed=st.integers(0, 100_000), free=st.integers(1, 6), rows=st.integers(0, 4), equations=st.integers(0, 2))
def test_the_nearest_point_is_the_one_that_general_minimisation_finds(seed, free, rows, equations):
    rng = np.random.default_rng(seed)
    start, upper = rng.uniform(0, 1, free), rng.uniform(1, 2, free)
    left, equal = rng.normal(size=(rows, free)), rng.normal(size=(min(equations, free - 1), free))
    sides, totals = left @ start + rng.uniform(0, 0.5, rows), equal @ start
    wish, weight = rng.uniform(-1, 3, free), rng.uniform(0.5, 2, free)
    found = nearest_point(equal, totals, left, sides, upper, start, wish, weight)
    assert (found >= -1e-9).all()
    assert (found <= upper + 1e-9).all()
    assert (left @ found <= sides + 1e-9).all()
    np.testing.assert_allclose(equal @ found, totals, atol=1e-9)
    other = minimize(
        lambda x: float(np.sum((weight * (x - wish)) ** 2)),
        start,
        bounds=list(zip(np.zeros(free), upper, strict=True)),
        constraints=[
            {"type": "ineq", "fun": lambda x: sides - left @ x},
            {"type": "eq", "fun": lambda x: equal @ x - totals},
        ],
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert np.sum((weight * (found - wish)) ** 2) <= other.fun + 1e-7
