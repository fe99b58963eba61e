"""The clearing kernel against hand-computed cases, a linear programme, and its own invariants."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from math import fsum, inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from gridmarl.market.clearing import LOWER, MIDPOINT, UPPER, clear_book, clear_periods
from gridmarl.market.merit import FEW_ORDERS, empty_curves, sort_orders
from gridmarl.units import QUANTITY_TOLERANCE

VOLL = 10_000.0
EXACT = 1e-12  # relative: balances that are only sums
SMALLEST = np.finfo(np.float64).tiny  # below it numbers lose digits
SOLVER = 1e-6  # relative: what HiGHS promises

STACK = [(25, 30), (30, 25), (45, 50), (55, 15), (65, 40), (75, 35), (80, 8), (90, 5)]  # $/MWh, MW
CHARGE = (40, 10)


@dataclass(frozen=True, slots=True)
class Result:
    price: float
    low: float
    high: float
    volume: float
    sold: np.ndarray
    bought: np.ndarray


def _columns(side):
    rows = [(*order, 0)[:3] for order in side]
    price = np.array([row[0] for row in rows], dtype=np.float64)
    quantity = np.array([row[1] for row in rows], dtype=np.float64)
    rank = np.array([row[2] for row in rows], dtype=np.int64)
    return price, quantity, rank


def clear(offers, bids, pricing=LOWER, order=None, crowd=0) -> Result:
    """Clear lists of (price, quantity[, rank]), from any permutation of the entries, among a crowd of empty orders."""
    asked, given = len(offers), len(bids)
    offers, bids = [*offers, *[(30.0, 0.0)] * crowd], [*bids, *[(30.0, 0.0)] * crowd]
    offer_price, offer_quantity, offer_rank = _columns(offers)
    bid_price, bid_quantity, bid_rank = _columns(bids)
    n, m = len(offers), len(bids)
    order = np.arange(n + m) if order is None else np.array(order, dtype=np.int64)
    sold, bought, outcome = np.full(n, np.nan), np.full(m, np.nan), np.full(4, np.nan)
    clear_book(
        offer_price,
        offer_quantity,
        offer_rank,
        sold,
        n,
        bid_price,
        bid_quantity,
        bid_rank,
        bought,
        m,
        pricing,
        order,
        empty_curves(n + m),
        outcome,
    )
    price, low, high, volume = outcome.tolist()
    assert not sold[asked:].any()
    assert not bought[given:].any()
    return Result(price, low, high, volume, sold[:asked], bought[:given])


prices = st.one_of(st.integers(-5, 8).map(lambda k: 10.0 * k), st.floats(-60.0, 90.0))
quantities = st.one_of(
    st.sampled_from([0.0, 1e-16, 1e-12, 1.0, 10.0, 0.1, 0.2, 0.3]),
    st.floats(0.01, 200.0),
    st.integers(1, 50).map(float),
)
orders = st.tuples(prices, quantities, st.integers(0, 1))
inelastic = st.tuples(st.just(VOLL), st.one_of(quantities, st.floats(0.0, 900.0)), st.just(0))
books = st.tuples(st.lists(orders, max_size=7), st.lists(st.one_of(orders, inelastic), max_size=6))


CROWDS = pytest.mark.parametrize("crowd", [0, FEW_ORDERS], ids=["few", "many"])


@pytest.mark.parametrize(("demand", "price", "battery"), [(120, 55, 15), (150, 65, 15), (80, 45, 0)])
def test_the_worked_example_clears_at_its_known_price(demand, price, battery):
    result = clear(STACK, [(VOLL, demand), CHARGE])
    assert result.price == price
    assert result.sold[3] == battery
    assert result.volume == demand


def test_the_worked_example_needs_no_compiler():
    script = (
        "import numpy as np\n"
        "from gridmarl.market.clearing import clear_book\n"
        "from gridmarl.market.merit import empty_curves\n"
        f"price, quantity = np.array({STACK!r}, dtype=float).T.copy()\n"
        "for demand in (120.0, 150.0, 80.0):\n"
        f"    bid, size = np.array([{VOLL}, {CHARGE[0]}]), np.array([demand, {CHARGE[1]}])\n"
        "    rank, order, sold, bought, out = np.zeros(8, int), np.arange(10), np.zeros(8), np.zeros(2), np.zeros(4)\n"
        "    clear_book(price, quantity, rank, sold, 8, bid, size, np.zeros(2, int), bought, 2, 0,\n"
        "               order, empty_curves(10), out)\n"
        "    print(out[0], sold[3], hasattr(clear_book, 'py_func'))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert run.stdout.split() == ["55.0", "15.0", "False", "65.0", "15.0", "False", "45.0", "0.0", "False"]


def test_each_pricing_rule_picks_its_point_of_the_interval():
    offers, bids = [(20, 50), (60, 50)], [(90, 50), (30, 50)]
    assert [clear(offers, bids, rule).price for rule in (LOWER, UPPER, MIDPOINT)] == [30.0, 60.0, 45.0]


def test_a_rejected_bid_above_the_last_offer_raises_the_price():
    result = clear([(20, 50)], [(90, 50), (30, 50)])
    assert (result.low, result.high) == (30.0, 90.0)


def test_shortage_is_priced_at_the_value_of_lost_load():
    result = clear(STACK, [(VOLL, 300)])
    assert (result.price, result.volume) == (VOLL, 208.0)


def test_surplus_of_must_run_output_is_priced_at_the_floor_and_curtailed_pro_rata():
    result = clear([(-500, 60, 0), (-500, 30, 0), (-500, 40, 1)], [(VOLL, 45)])
    assert result.price == -500.0
    np.testing.assert_allclose(result.sold, [30, 15, 0], rtol=EXACT)


def test_orders_of_equal_price_and_rank_share_pro_rata():
    result = clear([(50, 30), (50, 10), (20, 5)], [(VOLL, 25)])
    np.testing.assert_allclose(result.sold, [15, 5, 5], rtol=EXACT)


def test_equal_orders_share_even_if_the_volume_ends_exactly_between_them():
    result = clear([(50, 30), (50, 30)], [(VOLL, 30)])
    np.testing.assert_allclose(result.sold, [15, 15], rtol=EXACT)


def test_at_equal_price_the_lower_rank_goes_first_on_both_sides():
    sold = clear([(50, 30, 1), (50, 30, 0)], [(VOLL, 40)]).sold
    bought = clear([(10, 40)], [(50, 30, 1), (50, 30, 0)]).bought
    np.testing.assert_allclose(sold, [10, 30], rtol=EXACT)
    np.testing.assert_allclose(bought, [10, 30], rtol=EXACT)


def test_an_offer_that_only_equals_the_bid_trades():
    assert clear([(40, 10)], [(40, 7)]).volume == 7.0


@pytest.mark.parametrize(
    ("offers", "bids", "price"),
    [
        ([], [], 0.0),
        ([(20, 5)], [], 0.0),
        ([(-20, 5)], [], -20.0),
        ([], [(35, 5)], 35.0),
        ([], [(-35, 5)], 0.0),
        ([(50, 5)], [(30, 5)], 30.0),
        ([(-30, 5)], [(-50, 5)], -30.0),
        ([(20, 0)], [(90, 5)], 90.0),
    ],
)
def test_without_trade_the_price_is_the_point_of_the_interval_nearest_zero(offers, bids, price):
    result = clear(offers, bids, UPPER)
    assert (result.price, result.volume) == (price, 0.0)
    assert not result.sold.any()
    assert not result.bought.any()


@pytest.mark.parametrize("dust", [1e-16, 1e-12, 5e-10])
def test_dust_sets_no_price_from_any_side(dust):
    clean = clear([(20, 50), (60, 50)], [(90, 50), (30, 50)])
    dirty = clear([(20, 50), (35, dust), (60, 50)], [(90, 50), (55, dust), (30, 50)])
    assert (dirty.low, dirty.high) == (clean.low, clean.high)


def test_sums_that_differ_by_rounding_leave_no_remainder_to_set_the_price():
    result = clear([(10, 0.1), (20, 0.2), (70, 5)], [(VOLL, 0.3)])
    assert (result.low, result.high) == (20.0, 70.0)


def test_sixty_thousand_small_orders_still_add_up():
    rng = np.random.default_rng(2)
    offers = [(price, 0.1, 0) for price in rng.integers(0, 500, 40_000)]
    bids = [(price, 0.1, 0) for price in rng.integers(0, 500, 20_000)]
    result = clear(offers, bids)
    assert abs(fsum(result.sold) - result.volume) <= EXACT * result.volume
    assert abs(fsum(result.bought) - result.volume) <= EXACT * result.volume


def test_a_trade_of_dust_alone_is_no_trade():
    result = clear([(10, 1e-16), (60, 5)], [(VOLL, 1e-16), (30, 5)])
    assert (result.volume, result.low, result.high) == (0.0, 30.0, 60.0)


@given(books)
@settings(max_examples=150, deadline=None)
@CROWDS
def test_the_auction_reaches_the_welfare_of_the_linear_programme(crowd, book):
    offers, bids = book
    result = clear(offers, bids, crowd=crowd)
    cost = np.array([order[0] for order in offers] + [-order[0] for order in bids])
    balance = np.array([[1.0] * len(offers) + [-1.0] * len(bids)])
    bounds = [(0.0, order[1]) for order in (*offers, *bids)]
    best = linprog(cost, A_eq=balance, b_eq=[0.0], bounds=bounds).fun if len(cost) else 0.0
    own = float(cost @ np.concatenate([result.sold, result.bought]))
    scale = max(1.0, float(np.abs(cost) @ [high for _, high in bounds])) if len(cost) else 1.0
    assert abs(own - best) <= SOLVER * scale


@given(books)
@settings(max_examples=400, deadline=None)
@CROWDS
def test_every_price_of_the_interval_supports_the_outcome(crowd, book):
    offers, bids = book
    result = clear(offers, bids, crowd=crowd)
    dust = QUANTITY_TOLERANCE * max(1.0, result.volume)
    assert result.low <= result.price <= result.high
    for price in (result.low, result.price, result.high):
        for (offer, quantity, _), sold in zip(offers, result.sold, strict=True):
            assert offer <= price or sold <= dust, "sold below its offer"
            assert offer >= price or quantity - sold <= dust, "left out though it asked for less"
        for (bid, quantity, _), bought in zip(bids, result.bought, strict=True):
            assert bid >= price or bought <= dust, "bought above its bid"
            assert bid <= price or quantity - bought <= dust, "left out though it gave more"


@given(books)
@settings(max_examples=400, deadline=None)
@CROWDS
def test_both_sides_sum_to_the_volume_and_nobody_gets_more_than_asked(crowd, book):
    offers, bids = book
    result = clear(offers, bids, crowd=crowd)
    for side, accepted in ((offers, result.sold), (bids, result.bought)):
        assert abs(fsum(accepted) - result.volume) <= EXACT * result.volume
        assert all(0.0 <= got <= order[1] for order, got in zip(side, accepted, strict=True))


@given(books)
@settings(max_examples=200, deadline=None)
@CROWDS
def test_equal_orders_get_equal_shares(crowd, book):
    offers, bids = book
    result = clear(offers, bids, crowd=crowd)
    for side, accepted in ((offers, result.sold), (bids, result.bought)):
        for (price, quantity, rank), got in zip(side, accepted, strict=True):
            for (other_price, other_quantity, other_rank), other in zip(side, accepted, strict=True):
                if (price, rank) == (other_price, other_rank):
                    scale = quantity * other_quantity
                    assert abs(got * other_quantity - other * quantity) <= EXACT * scale + SMALLEST


@given(books, st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
@CROWDS
def test_the_outcome_does_not_depend_on_the_order_the_last_book_left_behind(crowd, book, random):
    offers, bids = book
    plain = clear(offers, bids, crowd=crowd)
    n = len(offers) + len(bids) + 2 * crowd
    shuffled = clear(offers, bids, LOWER, random.sample(range(n), n), crowd)
    np.testing.assert_array_equal(shuffled.sold, plain.sold)
    np.testing.assert_array_equal(shuffled.bought, plain.bought)
    assert (shuffled.price, shuffled.low, shuffled.high) == (plain.price, plain.low, plain.high)


@given(books, st.lists(st.tuples(st.integers(0, 6), prices, st.integers(0, 1)), max_size=5))
@settings(max_examples=150, deadline=None)
def test_orders_without_a_quantity_change_nothing(book, empties):
    offers, bids = book
    plain = clear(offers, bids)
    padded, kept = list(offers), list(range(len(offers)))
    for wish, price, rank in empties:
        place = min(wish, len(padded))
        padded.insert(place, (price, 0.0, rank))
        kept = [k + (k >= place) for k in kept]
    result = clear(padded, bids)
    np.testing.assert_array_equal(result.sold[kept], plain.sold)
    np.testing.assert_array_equal(result.bought, plain.bought)
    assert (result.price, result.low, result.high, result.volume) == (plain.price, plain.low, plain.high, plain.volume)


@CROWDS
def test_what_rounding_leaves_below_zero_is_no_quantity(crowd):
    result = clear([(20, 5), (10, -1e-17)], [(90, 3), (95, -1e-17)], crowd=crowd)
    assert (result.price, result.volume) == (20.0, 3.0)
    assert (result.sold.tolist(), result.bought.tolist()) == ([3.0, 0.0], [3.0, 0.0])


def test_entries_beyond_the_number_of_orders_are_left_alone():
    price, quantity = np.array([20.0, np.nan]), np.array([5.0, np.nan])
    rank, order, accepted, outcome = np.array([0, -1]), np.array([0, 1, 77]), np.array([0.0, -1.0]), np.zeros(4)
    bid, size, bought, one = np.array([90.0]), np.array([3.0]), np.zeros(1), np.zeros(1, np.int64)
    curves = empty_curves(2)
    clear_book(price, quantity, rank, accepted, 1, bid, size, one, bought, 1, LOWER, order, curves, outcome)
    np.testing.assert_array_equal(outcome, [20.0, 20.0, 20.0, 3.0])
    assert (order[2], accepted[1]) == (77, -1.0)


def sort(offers, bids, order):
    """Merit order of lists of (price, quantity, rank)."""
    curves, order = empty_curves(len(offers) + len(bids)), np.array(order, dtype=np.int64)
    return sort_orders(*_columns(offers), len(offers), *_columns(bids), len(bids), order, curves), order.tolist()


entries = st.tuples(st.one_of(st.integers(-3, 3), st.sampled_from([inf, -inf])), st.integers(0, 1), st.integers(0, 2))


@given(st.lists(entries, max_size=60), st.lists(entries, max_size=60), st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None)
def test_orders_stand_by_price_then_offers_before_bids_then_by_rank_and_those_without_a_quantity_last(
    offers, bids, random
):
    n = len(offers) + len(bids)

    def key(entry):
        price, _, rank = offers[entry] if entry < len(offers) else bids[n - 1 - entry]
        return (price, 0, rank, entry) if entry < len(offers) else (price, 1, -rank, entry)

    traded = [entry for entry in range(n) if (offers[entry] if entry < len(offers) else bids[n - 1 - entry])[1] > 0]
    count, order = sort(offers, bids, random.sample(range(n), n))
    assert count == len(traded)
    assert order[:count] == sorted(traded, key=key)
    assert sorted(order) == list(range(n))


@pytest.mark.skipif(not hasattr(sort_orders, "py_func"), reason="the time limit is one for compiled code")
@pytest.mark.parametrize("start", ["shuffled", "reversed"])
def test_sorting_a_large_unrelated_book_is_not_quadratic(start):
    n = 200_000  # an insertion sort would make 1e10 moves
    rng = np.random.default_rng(5)
    price, rank = np.round(rng.normal(50.0, 20.0, n), 1), rng.integers(0, 2, n)
    want = np.lexsort((np.arange(n), rank, price))
    order = rng.permutation(n) if start == "shuffled" else want[::-1].copy()
    nothing, nobody, curves = np.empty(0), np.empty(0, np.int64), empty_curves(n)
    sort_orders(price[:2], price[:2], rank[:2], 2, nothing, nothing, nobody, 0, np.arange(2), curves)
    began = time.perf_counter()
    sort_orders(price, np.ones(n), rank, n, nothing, nothing, nobody, 0, order, curves)
    assert time.perf_counter() - began < 3.0
    np.testing.assert_array_equal(order, want)


def _packed(sides) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Price, quantity, rank, accepted and start of one side of several periods."""
    price, quantity, rank = _columns([order for side in sides for order in side])
    start = np.cumsum([0, *map(len, sides)], dtype=np.int64)
    return price, quantity, rank, np.full(len(price), np.nan), start


@given(st.lists(books, min_size=1, max_size=4), st.sampled_from([LOWER, UPPER, MIDPOINT]))
@settings(max_examples=60, deadline=None)
def test_a_period_among_many_clears_as_it_would_alone(periods, pricing):
    offers, bids = _packed([period[0] for period in periods]), _packed([period[1] for period in periods])
    outcomes = np.full((len(periods), 4), np.nan)
    clear_periods(*offers, *bids, pricing, outcomes)
    alone = [clear(offers, bids, pricing) for offers, bids in periods]
    np.testing.assert_array_equal(outcomes, [[r.price, r.low, r.high, r.volume] for r in alone])
    np.testing.assert_array_equal(offers[3], np.concatenate([r.sold for r in alone]))
    np.testing.assert_array_equal(bids[3], np.concatenate([r.bought for r in alone]))
