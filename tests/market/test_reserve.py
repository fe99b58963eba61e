"""Reserve auctions against hand-computed cases, the linear programme they claim to solve, and its dual."""

from __future__ import annotations

import os
import subprocess
import sys
from math import inf, nan

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from gridmarl.assets.battery import stored_energy
from gridmarl.errors import OrderError
from gridmarl.market.reserve import Reserve, clear_reserve, generator_room, procure, storage_room

PENALTY = 500.0
EXACT = 1e-9  # relative: sums, and dust within the quantity tolerance
SOLVER = 1e-6  # relative: what HiGHS promises


def least_cost(rooms, spin_mw, nonspin_mw, penalty):
    """Cost of the linear programme; columns are s, n, and the two shorts."""
    rooms = np.asarray(rooms, dtype=float).reshape(-1, 3)
    n = len(rooms)
    ones, none = np.ones((1, n)), np.zeros((1, n))
    within = np.hstack([np.eye(n), np.eye(n), np.zeros((n, 2))])
    required = np.vstack([np.hstack([ones, none, [[1, 0]]]), np.hstack([none, ones, [[0, 1]]])])
    cost = np.concatenate([rooms[:, 2], rooms[:, 2], [penalty, penalty]])
    bounds = [(0, room) for room in rooms[:, 0]] + [(0, None)] * (n + 2)
    answer = linprog(cost, within, rooms[:, 1], required, [spin_mw, nonspin_mw], bounds, method="highs")
    assert answer.status == 0
    return answer.fun


def cost(reserve: Reserve, penalty):
    return reserve.asked_per_h + penalty * (reserve.spin_short_mw + reserve.nonspin_short_mw)


def dual_value(rooms, reserve: Reserve, spin_mw, nonspin_mw):
    """What the requirements are worth at the prices, less what the rooms can earn: no awards cost less."""
    spin_room, room, asked = np.asarray(rooms, dtype=float).reshape(-1, 3).T
    spin_margin = np.maximum(reserve.spin_price - asked, 0.0)
    nonspin_margin = np.maximum(reserve.nonspin_price - asked, 0.0)
    best = spin_room * np.maximum(spin_margin, nonspin_margin) + (room - spin_room) * nonspin_margin
    return reserve.spin_price * spin_mw + reserve.nonspin_price * nonspin_mw - best.sum()


amounts = st.one_of(st.sampled_from([0.0, 1.0, 10.0, 0.1, 0.3]), st.floats(0.01, 100.0), st.integers(1, 30).map(float))
asked_prices = st.one_of(st.integers(0, 6).map(lambda k: 5.0 * k), st.floats(0.0, 60.0), st.just(2 * PENALTY))
sellers = st.tuples(amounts, amounts, asked_prices).map(lambda s: (s[0], s[0] + s[1], s[2]))
books = st.lists(sellers, max_size=7)
penalties = st.sampled_from([PENALTY, 20.0, 0.0])


def test_the_cheapest_room_serves_spin_and_the_cheapest_left_serves_nonspin():
    reserve = procure([[10, 20, 4], [30, 30, 9], [0, 40, 6]], 15, 12, PENALTY)
    assert reserve.spin_mw.tolist() == [10, 5, 0]
    assert reserve.nonspin_mw.tolist() == [10, 0, 2]
    assert (reserve.spin_price, reserve.nonspin_price) == (9, 6)


def test_dear_nonspin_lifts_the_price_of_spin_that_could_replace_it():
    reserve = procure([[10, 10, 1], [10, 10, 5]], 10, 10, PENALTY)
    assert reserve.spin_mw.tolist() == [10, 0]
    assert (reserve.spin_price, reserve.nonspin_price) == (5, 5)


def test_capacity_that_is_not_spinning_never_serves_spin():
    reserve = procure([[0, 100, 1]], 10, 20, PENALTY)
    assert (reserve.spin_short_mw, reserve.nonspin_short_mw) == (10, 0)
    assert (reserve.spin_price, reserve.nonspin_price) == (PENALTY, 1)


def test_spare_spin_serves_nonspin():
    reserve = procure([[50, 50, 3]], 10, 20, PENALTY)
    assert (reserve.spin_mw.tolist(), reserve.nonspin_mw.tolist()) == ([10], [20])


def test_equal_asked_prices_share_pro_rata():
    reserve = procure([[30, 30, 5], [10, 20, 5]], 20, 15, PENALTY)
    np.testing.assert_allclose(reserve.spin_mw, [15, 5], rtol=EXACT)
    np.testing.assert_allclose(reserve.nonspin_mw, [7.5, 7.5], rtol=EXACT)


def test_a_product_without_a_requirement_costs_nothing():
    reserve = procure([[10, 20, 4]], 0, 5, PENALTY)
    assert (reserve.spin_price, reserve.nonspin_price) == (0, 4)
    reserve = procure([[10, 20, 4]], 5, 0, PENALTY)
    assert (reserve.spin_price, reserve.nonspin_price) == (4, 0)


def test_who_asks_more_than_the_penalty_is_not_bought():
    reserve = procure([[10, 10, 600]], 5, 5, PENALTY)
    assert (reserve.spin_short_mw, reserve.nonspin_short_mw, reserve.asked_per_h) == (5, 5, 0)
    assert reserve.spin_price == PENALTY


def test_no_seller_leaves_both_requirements_short():
    reserve = procure(np.zeros((0, 3)), 5, 7, PENALTY)
    assert (reserve.spin_short_mw, reserve.nonspin_short_mw) == (5, 7)


def test_dust_sets_no_price():
    third = 0.1 + 0.2  # 0.30000000000000004 MW: the requirement of 0.3 is met before the dear seller
    reserve = procure([[0.1, 0.1, 4], [0.2 - 1e-16, 0.2 - 1e-16, 5], [10, 10, 90]], third, 0, PENALTY)
    assert reserve.spin_price == 5
    assert procure([[third, third, 5]], third * (1 + 1e-15), 0, PENALTY).spin_short_mw == 0


@settings(max_examples=150, deadline=None)
@given(book=books, spin_mw=amounts, nonspin_mw=amounts, penalty=penalties)
def test_greedy_costs_what_the_linear_programme_costs(book, spin_mw, nonspin_mw, penalty):
    best = least_cost(book, spin_mw, nonspin_mw, penalty)
    size = 1.0 + PENALTY * (spin_mw + nonspin_mw)
    assert abs(cost(procure(book, spin_mw, nonspin_mw, penalty), penalty) - best) <= SOLVER * size


@settings(max_examples=300, deadline=None)
@given(book=books, spin_mw=amounts, nonspin_mw=amounts, penalty=penalties)
def test_prices_are_duals_so_the_awards_are_optimal(book, spin_mw, nonspin_mw, penalty):
    """Strong duality proves both without a solver: 0 <= prices <= penalty bound any cost from below."""
    reserve = procure(book, spin_mw, nonspin_mw, penalty)
    assert 0 <= reserve.nonspin_price <= penalty
    assert 0 <= reserve.spin_price <= penalty
    bound = dual_value(book, reserve, spin_mw, nonspin_mw)
    size = 1.0 + PENALTY * (spin_mw + nonspin_mw + sum(room for _, room, _ in book))
    assert abs(cost(reserve, penalty) - bound) <= EXACT * size


@settings(max_examples=200, deadline=None)
@given(book=books, spin_mw=amounts, nonspin_mw=amounts, penalty=penalties)
def test_awards_fit_the_rooms_and_meet_the_requirements(book, spin_mw, nonspin_mw, penalty):
    reserve = procure(book, spin_mw, nonspin_mw, penalty)
    spin_room, room, _ = np.array(book).reshape(-1, 3).T
    dust = EXACT * (1 + spin_mw + nonspin_mw)
    assert np.all(reserve.spin_mw >= 0)
    assert np.all(reserve.nonspin_mw >= 0)
    assert np.all(reserve.spin_mw <= spin_room + dust)
    assert np.all(reserve.spin_mw + reserve.nonspin_mw <= room + dust)
    assert reserve.spin_mw.sum() + reserve.spin_short_mw == pytest.approx(spin_mw, abs=dust)
    assert reserve.nonspin_mw.sum() + reserve.nonspin_short_mw == pytest.approx(nonspin_mw, abs=dust)
    if spin_mw > 0:
        assert reserve.spin_price >= reserve.nonspin_price


@settings(max_examples=100, deadline=None)
@given(book=books, spin_mw=amounts, nonspin_mw=amounts)
def test_awards_do_not_depend_on_the_order_of_the_table(book, spin_mw, nonspin_mw):
    forth, back = procure(book, spin_mw, nonspin_mw, PENALTY), procure(book[::-1], spin_mw, nonspin_mw, PENALTY)
    np.testing.assert_allclose(back.spin_mw[::-1], forth.spin_mw, rtol=EXACT, atol=EXACT)
    np.testing.assert_allclose(back.nonspin_mw[::-1], forth.nonspin_mw, rtol=EXACT, atol=EXACT)


def test_a_second_clearing_overwrites_the_first():
    offers = np.array([[10.0, 20, 4, nan, nan], [30, 30, 9, nan, nan], [7, 7, 1, 8, 8]])
    outcome = np.full(4, nan)
    clear_reserve(offers, np.array([0, 1]), 2, 15.0, 10.0, PENALTY, outcome)
    clear_reserve(offers, np.array([0, 1]), 2, 0.0, 0.0, PENALTY, outcome)
    assert not outcome.any()
    assert not offers[:2, 3:].any()
    assert offers[2, 3:].tolist() == [8, 8]  # beyond count


def test_the_auction_needs_no_compiler():
    script = (
        "from gridmarl.market.reserve import clear_reserve, procure\n"
        "r = procure([[10, 20, 4], [30, 30, 9]], 15, 10, 500)\n"
        "print(r.spin_price, r.nonspin_price, hasattr(clear_reserve, 'py_func'))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert run.stdout.split() == ["9.0", "4.0", "False"]


@pytest.mark.parametrize(("ramp", "room"), [(2.0, 20.0), (9.0, 60.0), (0.0, 0.0)])
def test_a_generator_sells_what_it_reaches_in_time(ramp, room):
    assert generator_room(100.0, 40.0, ramp, 10.0) == room


def test_a_generator_above_its_limit_has_no_room():
    assert generator_room(100.0, 100.5, 2.0, 10.0) == 0.0


@pytest.mark.parametrize(
    ("power", "energy", "hours", "room"),
    [
        (0.0, 4.0, 1.0, 3.6),  # what 4 MWh at 90 % give for an hour
        (2.0, 4.0, 1.0, 1.6),  # after an hour at 2 MW
        (2.0, 40.0, 1.0, 8.0),  # the rating
        (-5.0, 0.0, 1.0, 5.0),  # an empty battery that charges stops charging
        (-5.0, 4.0, 1.0, 8.6),  # and discharges what it has
        (2.0, 4.0, 0.25, 3.1),  # after a quarter of an hour at 2 MW
        (4.0, 4.0, 1.0, 0.0),  # the schedule needs it all
    ],
)
def test_storage_sells_what_its_energy_sustains(power, energy, hours, room):
    assert storage_room(10.0, power, energy, 0.9, 1.0, hours) == pytest.approx(room, rel=1e-12)


@settings(max_examples=300, deadline=None)
@given(
    share=st.floats(-1, 1),
    fill=st.floats(0, 1),
    efficiency=st.floats(0.8, 1),
    duration_h=st.sampled_from([0.25, 0.5, 1.0, 4.0]),
    hours=st.sampled_from([1 / 12, 0.25, 1.0]),
    limit=st.floats(1, 50),
)
def test_an_activated_award_never_leaves_the_window(share, fill, efficiency, duration_h, hours, limit):
    low, high = 10.0, 90.0
    unit = np.array([100.0, limit, efficiency, efficiency, low, high, 50, 0, 0, inf])
    energy = low + fill * (high - low)
    charge, discharge = (high - energy) / (efficiency * hours), (energy - low) * efficiency / hours
    power = share * min(limit, discharge if share > 0 else charge)
    award = storage_room(limit, power, energy - low, efficiency, duration_h, hours)
    assert power + award <= limit + 1e-9
    if award == 0.0:
        return  # nothing sold, nothing activated
    # From the interval's start, on top of its schedule.
    delivered_mwh = power * hours + award * duration_h if power > 0 else (power + award) * duration_h
    assert energy - max(delivered_mwh, 0.0) / efficiency >= low - 1e-9
    # After the interval: a discharge has ended, a charge would have gone on.
    later = stored_energy(unit, energy, power, hours)
    delivered_mwh = (min(power, 0.0) + award) * duration_h
    assert later - max(delivered_mwh, 0.0) / efficiency >= low - 1e-9


def test_a_storage_award_is_tight():
    award = storage_room(50.0, 5.0, 40.0, 0.9, 2.0, 1.0)
    assert 40.0 - (5.0 * 1.0 + award * 2.0) / 0.9 == pytest.approx(0.0, abs=1e-9)


def test_a_table_and_an_array_say_the_same():
    table = pd.DataFrame({"asked_per_mwh": [4, 9], "spin_room_mw": [10, 30], "nonspin_room_mw": [20, 30], "name": "x"})
    assert procure(table, 15, 10, PENALTY).spin_mw.tolist() == [10, 5]
    assert procure(dict(table), 15, 10, PENALTY).revenue_per_h.tolist() == [130, 45]


@pytest.mark.parametrize(
    ("offers", "thing"),
    [
        ([[-1, 5, 4]], "offers.spin_room_mw, seller 0"),
        ([[1, 5, 4], [1, nan, 4]], "offers.nonspin_room_mw, seller 1"),
        ([[1, 5, inf]], "offers.asked_per_mwh, seller 0"),
        ([[6, 5, 4]], "offers.spin_room_mw, seller 0"),
        ({"spin_room_mw": [1], "asked_per_mwh": [1]}, "offers without nonspin_room_mw"),
    ],
)
def test_a_bad_offer_is_refused_by_name(offers, thing):
    with pytest.raises(OrderError) as error:
        procure(offers, 1, 1, PENALTY)
    assert error.value.thing == thing


@pytest.mark.parametrize("name", ["spin_mw", "nonspin_mw", "penalty_per_mwh"])
@pytest.mark.parametrize("value", [-1.0, nan, inf])
def test_a_bad_requirement_is_refused_by_name(name, value):
    amounts = {"spin_mw": 1.0, "nonspin_mw": 1.0, "penalty_per_mwh": PENALTY} | {name: value}
    with pytest.raises(OrderError, match=name):
        procure([[1, 1, 1]], **amounts)
