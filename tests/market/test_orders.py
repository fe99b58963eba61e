"""Every name a column may have, and every order that is refused by name."""

from __future__ import annotations

import subprocess
import sys
from math import inf, nan

import pandas as pd
import pytest

from gridmarl.errors import OrderError
from gridmarl.market.orders import Limits, read_orders

WIDE = Limits(floor=-500.0, cap=3000.0, voll=10_000.0)


def table(**columns) -> pd.DataFrame:
    """Two good orders, with some columns replaced or added."""
    good = {
        "side": ["sell", "buy"],
        "price": [20.0, 90.0],
        "quantity": [5.0, 3.0],
        "participant": ["gas_1", "city"],
    }
    return pd.DataFrame(good | columns, index=["first", "second"])


@pytest.mark.parametrize("word", ["sell", "offer", "ask", "supply", "s", "SELL", " Offer "])
def test_every_word_for_selling_sells(word):
    assert read_orders(table(side=[word, "buy"])).sells.tolist() == [True, False]


@pytest.mark.parametrize("word", ["buy", "bid", "demand", "b", "BUY", "Bid"])
def test_every_word_for_buying_buys(word):
    assert read_orders(table(side=["sell", word])).sells.tolist() == [True, False]


@pytest.mark.parametrize(
    "name", ["price", "Price", "price_per_mwh", "price_eur_per_mwh", "price_usd_per_mwh", "price_gbp_per_mwh"]
)
def test_every_name_of_the_price_is_understood(name):
    assert read_orders(table().rename(columns={"price": name})).price.tolist() == [20.0, 90.0]


@pytest.mark.parametrize(
    "name", ["quantity", "quantity_mw", "quantity_mwh", "volume", "MW", "mwh", "quantity_offered_mw"]
)
def test_every_name_of_the_quantity_is_understood(name):
    assert read_orders(table().rename(columns={"quantity": name})).quantity.tolist() == [5.0, 3.0]


def test_kilowatts_become_megawatts():
    orders = read_orders(table().rename(columns={"quantity": "quantity_kw"}))
    assert orders.quantity.tolist() == [0.005, 0.003]


def test_a_price_per_kilowatt_hour_becomes_one_per_megawatt_hour():
    orders = read_orders(table(price=[0.25, 0.5]).rename(columns={"price": "price_per_kwh"}))
    assert orders.price.tolist() == [250.0, 500.0]


def test_an_exact_name_wins_over_columns_that_merely_begin_alike():
    assert read_orders(table(price_area=["ES", "PT"])).price.tolist() == [20.0, 90.0]


@pytest.mark.parametrize("column", ["side", "price", "quantity"])
def test_a_missing_column_is_named(column):
    with pytest.raises(OrderError, match=f"orders without a {column}.*add a column '{column}'"):
        read_orders(table().drop(columns=column))


def test_a_misspelt_column_is_suggested():
    with pytest.raises(OrderError, match="did you mean 'quantty'"):
        read_orders(table().rename(columns={"quantity": "quantty"}))


@pytest.mark.parametrize("extra", ["price_per_mwh", "PRICE"])
def test_two_columns_for_one_thing_are_refused(extra):
    with pytest.raises(OrderError, match=rf"orders.price: got \['price', '{extra}'\]"):
        read_orders(table(**{extra: [1.0, 2.0]}))


def test_two_columns_that_begin_alike_are_refused():
    with pytest.raises(OrderError, match=r"price_day.*price_night"):
        read_orders(table(price_night=[1.0, 2.0]).rename(columns={"price": "price_day"}))


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("side", "hold", "sell"),
        ("side", None, "sell"),
        ("price", nan, "finite"),
        ("price", inf, "finite"),
        ("price", "cheap", "finite"),
        ("price", None, "finite"),
        ("price", -501.0, "within [-500, 3000]"),
        ("price", 3001.0, "within [-500, 3000]"),
        ("quantity", nan, "finite"),
        ("quantity", -inf, "finite"),
        ("quantity", -1.0, ">= 0"),
    ],
)
def test_a_bad_value_is_refused_with_its_row_participant_value_and_rule(column, value, rule):
    good = table()[column].tolist()
    with pytest.raises(OrderError) as refusal:
        read_orders(table(**{column: pd.Series([good[0], value], ["first", "second"], dtype=object)}), limits=WIDE)
    error = refusal.value
    assert error.thing == f"orders.{column}, row second (participant 'city')"
    assert str(error.value) == str(value)
    assert error.remedy
    assert rule in error.allowed


def test_load_may_bid_the_value_of_lost_load_above_the_cap_but_an_offer_may_not():
    assert read_orders(table(price=[20.0, 10_000.0]), limits=WIDE).price[1] == 10_000.0
    with pytest.raises(OrderError, match="row first"):
        read_orders(table(price=[10_000.0, 90.0]), limits=WIDE)


def test_an_unknown_participant_is_refused_with_the_nearest_name():
    with pytest.raises(OrderError, match=r"row first \(participant 'gas_1'\).*did you mean 'gas_2'"):
        read_orders(table(), participants=["gas_2", "city"])


def test_participants_must_be_named_where_they_are_checked():
    with pytest.raises(OrderError, match="orders without a participant"):
        read_orders(table().drop(columns="participant"), participants=["city"])


@pytest.mark.parametrize("column", ["participant", "period"])
def test_a_half_filled_column_is_refused(column):
    with pytest.raises(OrderError, match=rf"orders\.{column}, row second"):
        read_orders(table(**{column: ["one", None]}))


def test_a_table_without_rows_is_legal_with_or_without_columns():
    assert len(read_orders(pd.DataFrame()).price) == 0
    assert len(read_orders(table().iloc[:0]).price) == 0


def test_reading_leaves_the_table_as_it_was():
    frame = table()
    before = frame.copy(deep=True)
    read_orders(frame).quantity[:] = 7.0
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize("dtype", ["int64", "Int64", "Float64", "float32", "object", "string", "double[pyarrow]"])
def test_numbers_may_come_in_any_column_type(dtype):
    assert read_orders(table(quantity=pd.Series([5, 3], ["first", "second"]).astype(dtype))).quantity.tolist() == [5, 3]


@pytest.mark.parametrize("limits", [(0.0, -1.0, 10.0), (0.0, 11.0, 10.0), (nan, 1.0, 2.0), (0.0, 1.0, inf)])
def test_limits_out_of_order_are_refused(limits):
    with pytest.raises(OrderError, match="floor <= cap <= voll"):
        Limits(*limits)


def test_importing_the_market_loads_no_pandas():
    script = (
        "import sys, gridmarl.market.auction, gridmarl.market.orders, gridmarl.market.settlement\n"
        "sys.exit('pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=120).returncode == 0
