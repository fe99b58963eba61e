"""Five settlement rules against hand-computed, re-solved and enumerated payments; the books close to the cent."""

from __future__ import annotations

import itertools
from math import factorial

import numpy as np
import pytest

from gridmarl.errors import CatalogueError
from gridmarl.negotiation.coalition.offers import Bids, CoalitionRules, Offers
from gridmarl.negotiation.coalition.payments import (
    RULES,
    Deal,
    presence,
    settle,
    shapley_values,
    welfare,
    welfare_without,
)
from gridmarl.negotiation.coalition.selection import select
from gridmarl.negotiation.cycle import negotiate
from gridmarl.negotiation.homes.fleet import draw_fleet
from tests.negotiation.cases import opportunity

ANYONE = CoalitionRules(least_members=1, least_kw=0.01)
THREE = ([4.0, 4.0, 4.0], [30.0, 50.0, 70.0])


def deal(kw, asks, required=8.0, price=100.0, opening=0.0, rules=ANYONE, hours=1000.0 / 24) -> Deal:
    """24 such events make a kW a MWh: hours as a float that is easy to divide by."""
    offers = Offers(np.array(kw, np.float64), np.array(asks, np.float64))
    wanted = opportunity(hours=min(hours, 24.0), mw=required / 1000.0, price=price)
    return Deal(Bids(offers, offers), offers, select(offers, required, rules), wanted, opening, rules)


def unit(one: Deal) -> float:
    """Money of one kW at one dollar per MWh."""
    return one.opportunity.duration_hours / 1000.0


@pytest.mark.parametrize(
    "rule, opening, prices",
    [
        ("uniform", 0.0, [50.0, 50.0]),
        ("uniform", 65.0, [65.0, 65.0]),
        ("margin-share", 0.0, [65.0, 75.0]),
        ("pay-as-bid", 0.0, [30.0, 50.0]),
        ("vcg", 0.0, [70.0, 70.0]),  # the third would have come in at 70 for either
    ],
)
def test_prices_of_the_known_three(rule, opening, prices):
    one = deal(*THREE, opening=opening)
    books = settle(one, rule)
    np.testing.assert_allclose(books.agreed_per_mwh, [*prices, 0.0])
    np.testing.assert_allclose(books.payments[:2], 4.0 * unit(one) * np.array(prices), atol=0.01)
    assert books.revenue == pytest.approx(8.0 * 100.0 * unit(one), abs=0.005)


def test_an_opening_price_above_the_market_pays_the_market():
    assert settle(deal(*THREE, price=60.0, opening=90.0)).agreed_per_mwh.tolist() == [60.0, 60.0, 0.0]


def test_vcg_may_cost_the_aggregator_money_and_says_so():
    one = deal([4.0, 4.0], [30.0, 50.0])  # without either the bid would fail
    books = settle(one, "vcg")
    np.testing.assert_allclose(presence(one), welfare(one, one.selection))
    assert books.profit < 0.0
    assert books.profit == pytest.approx(books.revenue - books.payments.sum())


def test_vcg_from_one_curve_is_vcg_from_selecting_anew():
    fast = 0
    for seed in range(16):
        rng = np.random.default_rng(seed)
        size = int(rng.integers(4, 30))
        kw, asks = rng.uniform(0.05, 6.0, size), rng.uniform(10.0, 99.0, size).round(2)
        rules = CoalitionRules(3, 0.5)
        one = deal(kw, asks, float(rng.uniform(0.1, 1.0) * kw.sum()), rules=rules)
        anew = np.zeros(size)
        for member in np.flatnonzero(one.selection.members):
            anew[member] = welfare(one, one.selection) - welfare_without(one, int(member))
        np.testing.assert_allclose(presence(one), anew, atol=1e-9)
        fast += one.selection.solver == "merit order"
    assert 4 < fast < 16


def test_who_asks_its_cost_gains_nothing_from_asking_anything_else_under_vcg():
    rng = np.random.default_rng(3)
    kw, costs = rng.uniform(1.0, 4.0, 8), rng.uniform(20.0, 80.0, 8)

    def gain(member: int, ask: float) -> float:
        asks = costs.copy()
        asks[member] = ask
        one = deal(kw, asks, 0.5 * kw.sum())
        paid = settle(one, "vcg").agreed_per_mwh[member]
        return float((paid - costs[member]) * one.selection.kw[member])

    for member in range(8):
        honest = gain(member, costs[member])
        assert honest >= -1e-9
        assert all(gain(member, other) <= honest + 1e-9 for other in np.linspace(10.0, 99.0, 30))


def test_sampled_shapley_values_are_the_enumerated_ones_within_their_error():
    one = deal([4.0, 3.0, 2.0, 2.0], [30.0, 50.0, 70.0, 20.0], required=11.0)
    margins, powers, least = one.margins, one.selection.kw, 0.8 * 11.0
    players, exact = range(5), np.zeros(5)  # the last is the aggregator

    def worth(members: tuple[int, ...]) -> float:
        inside = [m for m in members if m < 4]
        enough = 4 in members and sum(powers[inside]) >= least - 1e-6
        return float(sum(margins[inside])) if enough else 0.0

    for order in itertools.permutations(players):
        for place, player in enumerate(order):
            exact[player] += worth(order[: place + 1]) - worth(order[:place])
    exact /= factorial(5)
    values, errors = shapley_values(one, 1, 20_000)
    assert (np.abs(values - exact[:4]) <= 5 * errors + 1e-12).all()
    assert (errors < 0.01 * margins.sum()).all()
    assert values.sum() + exact[4] == pytest.approx(margins.sum(), rel=0.02)


def test_shapley_values_are_seeded_and_sharper_with_more_orders():
    one = deal([4.0, 3.0, 2.0, 2.0], [30.0, 50.0, 70.0, 20.0], required=11.0)
    np.testing.assert_array_equal(shapley_values(one, 1, 100)[0], shapley_values(one, 1, 100)[0])
    assert shapley_values(one, 1, 10_000)[1].max() < 0.3 * shapley_values(one, 1, 400)[1].max()
    assert settle(one, "shapley").standard_error > 0.0


@pytest.mark.parametrize("rule", RULES)
def test_books_close_to_the_cent_and_nobody_is_paid_below_its_cost(rule):
    fleet = draw_fleet(120, 1)
    found = negotiate(fleet, opportunity(mw=0.2), rule=rule)
    payments = [round(100 * p) for p in found.books.payments]
    assert all(abs(100 * p - c) < 1e-6 for p, c in zip(found.books.payments, payments, strict=True))
    assert round(100 * found.books.revenue) - sum(payments) == round(100 * found.books.profit)
    assert (found.books.payments >= found.costs - 0.01).all()
    assert found.surplus + found.books.profit == pytest.approx(found.books.revenue - found.costs.sum())


def test_an_empty_coalition_is_paid_nothing():
    one = deal([1.0], [30.0], required=8.0)
    for rule in RULES:
        books = settle(one, rule)
        assert (books.payments.sum(), books.revenue, books.profit) == (0.0, 0.0, 0.0)


def test_an_unknown_rule_suggests_the_nearest():
    with pytest.raises(CatalogueError, match="did you mean 'shapley'"):
        settle(deal(*THREE), "shaply")  # pyright: ignore[reportArgumentType]
