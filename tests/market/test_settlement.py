"""Payments: the worked example by hand, sums to zero, and cents that still add up."""

from __future__ import annotations

from math import fsum

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmarl.errors import OrderError
from gridmarl.market.auction import clear
from gridmarl.market.settlement import round_to_cents, settle
from gridmarl.units import BALANCE_TOLERANCE

CENT = 0.01
ULP = 1e-9  # a float of dollars shows its cents to this


def stack() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "participant": ["coal", "gas", "gas", "charger"],
            "side": ["sell", "sell", "sell", "buy"],
            "price": [45.0, 55.0, 65.0, 60.0],
            "quantity": [50.0, 15.0, 40.0, 10.0],
        }
    )


def cents(amounts) -> list[int]:
    return np.rint(np.asarray(amounts) * 100.0).astype(int).tolist()


@st.composite
def tables(draw):
    n = draw(st.integers(0, 12))
    column = lambda values: draw(st.lists(values, min_size=n, max_size=n))  # noqa: E731  # one line is clearer here
    return pd.DataFrame(
        {
            "participant": column(st.sampled_from("abc")),
            "side": column(st.sampled_from(["buy", "sell"])),
            "price": column(st.one_of(st.integers(-50, 90).map(float), st.floats(-400.0, 400.0))),
            "quantity": column(st.one_of(st.sampled_from([0.0, 1e-16]), st.floats(0.0, 500.0))),
            "period": column(st.integers(0, 2)),
        }
    )


def test_everyone_is_paid_the_uniform_price():
    statement = settle(clear(stack(), demand=50.0)).set_index("participant")
    assert statement["sold_mwh"].to_dict() == {"coal": 50.0, "gas": 10.0, "charger": 0.0, "demand": 0.0}
    assert statement["bought_mwh"].to_dict() == {"coal": 0.0, "gas": 0.0, "charger": 10.0, "demand": 50.0}
    assert statement["payment"].to_dict() == {"coal": 2750.0, "gas": 550.0, "charger": -550.0, "demand": -2750.0}


def test_a_quarter_of_an_hour_moves_a_quarter_of_the_energy():
    statement = settle(clear(stack(), demand=50.0), hours=0.25).set_index("participant")
    assert statement.loc["coal"].tolist() == [12.5, 0.0, 687.5]


def test_periods_settle_apart_at_their_own_prices():
    orders = pd.concat([stack().assign(period=1), stack().assign(period=2)])
    statement = settle(clear(orders, demand={1: 50.0, 2: 70.0})).set_index(["participant", "period"])
    assert statement.loc[("coal", 1), "payment"] == 50.0 * 55.0
    assert statement.loc[("coal", 2), "payment"] == 50.0 * 65.0


def test_orders_without_participants_settle_under_their_labels():
    statement = settle(clear(stack().drop(columns="participant"), demand=50.0))
    assert statement["participant"].tolist() == [0, 1, 2, 3, "demand"]


def test_an_empty_auction_has_an_empty_statement():
    assert settle(clear(pd.DataFrame())).empty


@pytest.mark.parametrize("hours", [0.0, -1.0, float("nan"), float("inf")])
def test_a_period_without_a_length_is_refused(hours):
    with pytest.raises(OrderError, match="hours"):
        settle(clear(stack()), hours=hours)


@given(tables(), st.floats(0.0, 900.0), st.sampled_from(["lower", "upper", "midpoint"]))
@settings(max_examples=60, deadline=None)
def test_payments_sum_to_zero_in_every_period_and_to_the_cent(orders, demand, pricing):
    statement = settle(clear(orders, demand=demand, pricing=pricing), hours=0.5)
    for _, rows in statement.groupby("period"):
        scale = max(1.0, float(np.abs(rows["payment"].to_numpy()).sum()))
        assert abs(fsum(rows["payment"])) <= BALANCE_TOLERANCE * scale
        assert sum(cents(round_to_cents(rows["payment"]))) == 0


def test_the_largest_remainders_get_the_missing_cents():
    assert cents(round_to_cents([1 / 3, 1 / 3, 1 / 3])) == [34, 33, 33]
    assert cents(round_to_cents([0.126, 0.137, 0.137])) == [12, 14, 14]


def test_balanced_amounts_stay_balanced():
    assert sum(cents(round_to_cents([100.0, -100 / 3, -100 / 3, -100 / 3]))) == 0


def test_whole_cents_are_left_alone_and_shapes_kept():
    amounts = np.array([[12.34, -0.07], [0.29, 1e6 + 0.01]])
    np.testing.assert_allclose(round_to_cents(amounts), amounts, rtol=0.0, atol=ULP)
    assert round_to_cents([]).shape == (0,)
    assert round_to_cents(1.005).shape == ()


@given(st.lists(st.floats(-1e7, 1e7), max_size=40))
@settings(max_examples=200, deadline=None)
def test_rounded_amounts_sum_to_the_rounded_sum_and_none_moves_by_more_than_a_cent(amounts):
    rounded = round_to_cents(amounts)
    assert abs(sum(cents(rounded)) - fsum(amounts) * 100.0) <= 0.5 + ULP * 100.0
    assert np.all(np.abs(rounded - np.array(amounts)) < CENT + ULP)
    np.testing.assert_allclose(rounded * 100.0, cents(rounded), rtol=0.0, atol=ULP * 1000.0)


@pytest.mark.parametrize("amount", [float("nan"), float("inf"), 1e15])
def test_amounts_that_hold_no_cent_are_refused(amount):
    with pytest.raises(OrderError, match="amount"):
        round_to_cents([1.0, amount])
