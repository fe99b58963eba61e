"""`clear` on tables: the worked example, a real auction hour, periods, demand and what the result says."""

# Amounts are floats or Series, as the table has periods or not; each test knows which it gave.
# pyright: reportGeneralTypeIssues=false

from __future__ import annotations

import json
from math import inf, isinf
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gridmarl.errors import OrderError
from gridmarl.market.auction import clear

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data"
EXACT = 1e-12  # relative: balances that are only sums
PUBLISHED_MWH = 0.05  # the exchange publishes volumes to 0.1 MWh


def worked_example() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "participant": ["solar", "wind", "coal", "battery", "gas_1", "gas_2", "dr_1", "dr_2", "charger"],
            "side": ["sell"] * 8 + ["buy"],
            "price": [25.0, 30.0, 45.0, 55.0, 65.0, 75.0, 80.0, 90.0, 40.0],
            "quantity": [30.0, 25.0, 50.0, 15.0, 40.0, 35.0, 8.0, 5.0, 10.0],
        }
    )


def two_periods() -> pd.DataFrame:
    orders = worked_example()
    return pd.concat([orders.assign(period=2), orders.assign(period=1)], ignore_index=True)


def omie(*kept: str) -> pd.DataFrame:
    file = SHARED / "omie_20090102_h01_curves.csv"
    if not file.exists():
        pytest.skip(f"the real auction hour is not at hand: {file.name}")
    curves = pd.read_csv(file)
    return curves.query(" or ".join(f"({rule})" for rule in kept))


@pytest.mark.parametrize(("demand", "price", "battery"), [(120, 55, 15), (150, 65, 15), (80, 45, 0)])
def test_the_worked_example_clears_at_its_known_price(demand, price, battery):
    clearing = clear(worked_example(), demand=demand)
    assert clearing.price == price
    assert clearing.accepted[3] == battery
    assert clearing.volume == demand


def test_a_real_auction_hour_clears_as_the_exchange_published():
    buys, matched = "side == 'buy' and status == 'offered'", "side == 'sell' and status == 'matched'"
    beyond = "side == 'sell' and status == 'offered' and price_eur_per_mwh > 53.69"
    clearing = clear(omie(buys, matched, beyond).drop(columns="period"))
    assert clearing.price == 53.69
    assert clearing.volume == pytest.approx(25_312.1, abs=PUBLISHED_MWH)


def test_the_same_hour_without_its_complex_conditions_clears_elsewhere():
    assert clear(omie("status == 'offered'").drop(columns="period")).price == 49.94


def test_each_pricing_rule_picks_its_point_of_the_interval():
    found = [clear(worked_example(), demand=120, pricing=rule).price for rule in ("lower", "upper", "midpoint")]
    assert found == [55.0, 65.0, 60.0]


def test_the_marginal_order_is_named_by_its_index_label():
    orders = worked_example().set_index("participant", drop=False)
    assert clear(orders, demand=120).marginal == ("battery",)
    assert clear(orders, demand=120, pricing="midpoint").marginal == ()


def test_an_order_without_a_quantity_is_never_marginal():
    orders = pd.DataFrame({"side": "sell", "price": [55.0, 55.0], "quantity": [0.0, 9.0]})
    assert clear(orders, demand=5.0).marginal == (1,)


def test_accepted_quantities_stand_on_the_index_of_the_orders():
    orders = worked_example().sample(frac=1.0, random_state=3)
    accepted = clear(orders, demand=120).accepted
    assert accepted.index.equals(orders.index)
    assert accepted.sort_index().tolist() == [30, 25, 50, 15, 0, 0, 0, 0, 0]


def test_shortage_sheds_load_after_every_offer_and_is_priced_at_voll():
    clearing = clear(worked_example(), demand=250, voll=9000.0)
    assert (clearing.price, clearing.unserved, clearing.volume) == (9000.0, 42.0, 208.0)


def test_demand_and_buys_at_voll_share_a_shortage_pro_rata():
    orders = pd.DataFrame({"side": ["sell", "buy"], "price": [20.0, 10_000.0], "quantity": [60.0, 30.0]})
    clearing = clear(orders, demand=60.0, cap=500.0)
    assert clearing.accepted.tolist() == pytest.approx([60.0, 20.0], rel=EXACT)
    assert clearing.unserved == pytest.approx(30.0, rel=EXACT)


def test_surplus_at_the_floor_is_curtailed():
    orders = pd.DataFrame({"side": "sell", "price": [-100.0, 5.0], "quantity": [50.0, 5.0]})
    clearing = clear(orders, demand=20.0, floor=-100.0)
    assert (clearing.price, clearing.curtailed, clearing.unserved) == (-100.0, 30.0, 0.0)


def test_rounding_is_neither_unserved_nor_curtailed():
    orders = pd.DataFrame({"side": "sell", "price": -500.0, "quantity": [0.1, 0.2]})
    clearing = clear(orders, demand=0.3)
    assert (clearing.unserved, clearing.curtailed) == (0.0, 0.0)


def test_an_empty_table_without_demand_trades_nothing():
    clearing = clear(pd.DataFrame())
    assert (clearing.price, clearing.volume, len(clearing.accepted)) == (0.0, 0.0, 0)
    assert clearing.price_interval == (-inf, inf)
    assert clearing.merit_order().empty


def test_an_empty_table_with_demand_is_a_shortage():
    clearing = clear(pd.DataFrame(), demand=3.0)
    assert (clearing.price, clearing.unserved) == (10_000.0, 3.0)


def test_each_period_clears_on_its_own_and_results_come_sorted_by_period():
    clearing = clear(two_periods(), demand={2: 150.0, 1: 120.0})
    assert isinstance(clearing.price, pd.Series)
    assert clearing.price.to_dict() == {1: 55.0, 2: 65.0}
    assert clearing.price.index.tolist() == [1, 2]
    assert clearing.price.index.name == "period"
    assert isinstance(clearing.price_interval, pd.DataFrame)
    assert clearing.price_interval.loc[1].to_dict() == {"low": 55.0, "high": 65.0}
    assert clearing.accepted[4] == 30.0
    assert clearing.accepted[13] == 0.0
    assert clearing.marginal == (4, 12)


def test_one_demand_serves_every_period():
    price = clear(two_periods(), demand=120).price
    assert isinstance(price, pd.Series)
    assert price.tolist() == [55.0, 55.0]


def test_a_period_that_only_the_demand_knows_goes_unserved():
    unserved = clear(two_periods(), demand=pd.Series({1: 10.0, 2: 10.0, 3: 7.0})).unserved
    assert isinstance(unserved, pd.Series)
    assert unserved.to_dict() == {1: 0.0, 2: 0.0, 3: 7.0}


def test_periods_may_be_timestamps():
    hours = pd.date_range("2024-03-31", periods=2, freq="h", tz="UTC")
    orders = two_periods().assign(period=np.repeat(hours, 9))
    price = clear(orders, demand=pd.Series([120.0, 150.0], index=hours)).price
    assert isinstance(price, pd.Series)
    assert price[hours[1]] == 65.0


def test_a_period_in_a_table_of_many_clears_as_it_would_alone():
    rng = np.random.default_rng(7)
    orders = pd.DataFrame(
        {
            "side": rng.choice(["sell", "buy"], 600),
            "price": np.round(rng.normal(50.0, 20.0, 600)),
            "quantity": rng.uniform(0.0, 9.0, 600),
            "period": rng.integers(0, 24, 600),
        }
    )
    together = clear(orders, demand=20.0)
    assert isinstance(together.price, pd.Series)
    for period, rows in orders.groupby("period"):
        alone = clear(rows.drop(columns="period"), demand=20.0)
        assert together.price[period] == alone.price
        assert together.accepted.loc[rows.index].tolist() == alone.accepted.tolist()


def test_the_merit_order_is_a_step_chart_of_both_sides():
    steps = clear(worked_example().sample(frac=1.0, random_state=1), demand=120).merit_order()
    assert steps["side"].tolist() == ["sell"] * 8 + ["buy"] * 2
    for side, sign in (("sell", 1), ("buy", -1)):
        rows = steps[steps["side"] == side]
        assert (np.diff(sign * np.asarray(rows["price"])) >= 0.0).all()
        assert rows["from_mw"].tolist() == [0.0, *rows["to_mw"][:-1]]
        assert (rows["to_mw"] - rows["from_mw"]).tolist() == pytest.approx(rows["quantity"].tolist())
    assert steps["participant"].iloc[8] == "demand"
    assert steps["accepted"].sum() == pytest.approx(240.0)


def test_the_merit_order_starts_anew_in_each_period():
    steps = clear(two_periods(), demand=120).merit_order()
    assert steps["period"].tolist() == [1] * 10 + [2] * 10
    assert (steps.groupby(["period", "side"])["from_mw"].first() == 0.0).all()


@pytest.mark.parametrize("orders", [worked_example(), two_periods()], ids=["one", "many"])
def test_the_result_survives_json(orders):
    clearing = clear(orders, demand=120)
    plain = clearing.to_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    orders = plain["orders"]
    assert isinstance(orders, list)
    assert [row["accepted"] for row in orders if isinstance(row, dict)] == clearing.cleared_mw.tolist()


def test_an_open_end_of_the_interval_is_none_in_json():
    clearing = clear(pd.DataFrame({"side": ["sell"], "price": [20.0], "quantity": [5.0]}))
    assert isinstance(clearing.price_interval, tuple)
    assert isinf(clearing.price_interval[0])
    assert clearing.to_dict()["price_interval"] == [None, 20.0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pricing": "uper"}, "did you mean 'upper'"),
        ({"floor": 50.0, "cap": 40.0}, "floor <= cap <= voll"),
        ({"cap": 20_000.0}, "floor <= cap <= voll"),
        ({"demand": -1.0}, "demand: got -1.0; allowed: finite and >= 0 MW"),
        ({"demand": float("nan")}, "demand: got nan"),
        ({"demand": {1: 5.0}}, "give the orders a column 'period'"),
        ({"cap": 50.0}, r"row 3 \(participant 'battery'\): got 55.0"),
        ({"participants": ["solar", "wind"]}, "row 2 .*'coal'"),
    ],
)
def test_a_broken_rule_is_refused_by_name(options, message):
    with pytest.raises(OrderError, match=message):
        clear(worked_example(), **options)


@pytest.mark.parametrize(
    ("demand", "message"),
    [
        ({1: 5.0}, "demand of period 2"),
        ({1: 5.0, 2: -1.0}, "demand of period 2: got -1.0"),
        (pd.Series([1.0, 2.0, 3.0], index=[1, 2, 2]), "one number a period"),
        ({"1": 5.0, "2": 5.0}, "demand of period 2"),
    ],
)
def test_a_demand_that_does_not_fit_the_periods_is_refused(demand, message):
    with pytest.raises(OrderError, match=message):
        clear(two_periods(), demand=demand)


def test_periods_of_mixed_kinds_are_refused():
    with pytest.raises(OrderError, match=r"period: got \['int', 'str'\]"):
        clear(worked_example().assign(period=[1, "two", 1, 1, 1, 1, 1, 1, 1]))


def test_no_participant_may_bear_the_name_of_the_inelastic_demand():
    with pytest.raises(OrderError, match="any name but 'demand'"):
        clear(worked_example().replace({"participant": {"charger": "demand"}}), demand=5.0)


def test_clearing_leaves_the_orders_as_they_were():
    orders = two_periods()
    before = orders.copy(deep=True)
    clear(orders, demand=120)
    pd.testing.assert_frame_equal(orders, before)


@pytest.mark.parametrize("orders", [[("sell", 25, 30)], {"side": ["sell"], "price": [25], "quantity": [30]}, None])
def test_orders_that_are_no_table_are_refused(orders):
    with pytest.raises(OrderError, match=r"orders: got .*; allowed: a DataFrame"):
        clear(orders, demand=10)
