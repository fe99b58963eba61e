"""A whole negotiation: fast, told, and the same at the front door of the package."""

from __future__ import annotations

import json
import time

import numpy as np
import pandas as pd
import pytest

import gridmarl
from gridmarl.errors import CommitmentError
from gridmarl.negotiation import cycle
from gridmarl.negotiation.coalition.offers import CoalitionRules, Offers
from gridmarl.negotiation.coalition.payments import RULES
from gridmarl.negotiation.coalition.selection import select
from gridmarl.negotiation.cycle import negotiate, reliability
from gridmarl.negotiation.homes.fleet import draw_fleet, fleet_of
from gridmarl.negotiation.homes.living import at_hour
from gridmarl.negotiation.transcript import told, transcript
from tests.negotiation.cases import full, home, opportunity, three


def quickest(function) -> float:
    """CPU seconds of the faster of two calls."""
    spent = []
    for _ in range(2):
        start = time.process_time()
        function()
        spent.append(time.process_time() - start)
    return min(spent)


@pytest.mark.parametrize("size, limit_s", [(200, 1.0), (1000, 5.0)])
@pytest.mark.parametrize("rule", RULES)
def test_a_cycle_keeps_its_time(size, limit_s, rule):
    fleet = draw_fleet(size, 1)
    assert quickest(lambda: negotiate(fleet, opportunity(mw=0.0025 * size), rule=rule)) < limit_s


def test_the_optimisation_of_two_hundred_takes_less_than_a_tenth_of_a_second_even_with_whole_numbers():
    rng = np.random.default_rng(1)
    found = Offers(rng.uniform(1.0, 9.0, 200), rng.uniform(20.0, 90.0, 200))
    rules = CoalitionRules(least_members=120, least_kw=1.0)
    assert select(found, 500.0, rules).solver == "mixed-integer program"
    assert quickest(lambda: select(found, 500.0, rules)) < 0.1


def test_the_front_door_draws_a_fleet():
    wanted = opportunity(mw=0.02)
    assert gridmarl.negotiate(30, wanted).result() == negotiate(draw_fleet(30), wanted).result()


def test_the_same_seed_gives_the_same_negotiation():
    fleet, wanted = draw_fleet(60, 2), opportunity(mw=0.05)
    one, other = (negotiate(fleet, wanted, "random", rule="shapley", seed=5).to_dict() for _ in range(2))
    assert one == other
    assert negotiate(fleet, wanted, "random", seed=6).to_dict() != one


def test_messages_add_up():
    found = negotiate(draw_fleet(100, 1), opportunity(mw=0.2))
    result, plan, bid = found.result(), found.optimization(), found.bid()
    assert bid is not None
    assert sum(m.committed_capacity_kw for m in result.coalition_members) == pytest.approx(200.0)
    assert (
        set(plan.dispatch_schedule) == set(plan.prosumer_payments) == {m.prosumer_id for m in result.coalition_members}
    )
    assert all(len(row) == 8 for row in plan.dispatch_schedule.values())
    assert plan.interval_hours == 0.25
    assert plan.expected_profit == pytest.approx(plan.revenue - sum(plan.prosumer_payments.values()))
    energy = 0.2 * 2.0
    assert bid.price_per_mwh == pytest.approx(sum(plan.prosumer_payments.values()) / energy)
    assert bid.profit_margin == pytest.approx(plan.expected_profit / plan.revenue)
    assert bid.coalition_size == len(result.coalition_members)
    assert json.dumps(found.to_dict(), allow_nan=False)


def test_the_bid_is_an_offer_in_the_same_auction_as_everyone_elses():
    bid = negotiate(draw_fleet(100, 1), opportunity(mw=0.2)).bid()
    assert bid is not None
    orders = pd.DataFrame(
        {
            "participant": ["gas", bid.bid_id],
            "side": ["sell", "sell"],
            "price": [100.0, bid.price_per_mwh],
            "quantity": [5.0, bid.capacity_mw],
        }
    )
    cleared = gridmarl.clear(orders, demand=1.0)
    assert np.asarray(cleared.price) == 100.0
    assert cleared.cleared_mw[:2].tolist() == pytest.approx([0.8, 0.2])  # the third is the demand


def test_satisfaction_counts_floor_comfort_and_gain():
    """One at ease and paid well, one strained; 4 + 3 for floor and comfort, and a share of three points of gain."""
    fleet = fleet_of(
        [
            home(n, kwh=100.0, kw=10.0, price=p, comfort=c)
            for n, p, c in (("easy", 40.0, 0.0), ("strained", 40.0, 1.0), ("third", 50.0, 0.0))
        ]
    )
    found = negotiate(fleet, opportunity(mw=0.030), "floor", rule="uniform", stored=full(fleet))
    paid = found.books.agreed_per_mwh[0]
    assert found.kw.tolist() == [10.0, 10.0, 10.0]
    gain = (paid - 40.0) / (100.0 - 40.0)
    assert found.satisfaction[0] == pytest.approx(7.0 + 3.0 * gain, abs=0.05)
    assert found.satisfaction[1] == pytest.approx(4.0 + 3.0 * (paid - 60.0) / (100.0 - 60.0), abs=0.05)


def test_reliability_grows_with_the_number_of_members():
    few, many = reliability(np.full(3, 10.0)), reliability(np.full(300, 0.1))
    assert 0.5 < few < many < 1.0
    assert reliability(np.zeros(3)) == 0.0


def test_nothing_is_committed_that_the_check_refuses(monkeypatch):
    """Menus that promise twice what a battery holds are caught by the check, which shares no code with them."""
    honest = cycle.build_menus

    def doubled(able, price):
        menus = honest(able, price)
        return type(menus)(2.0 * menus.kw, menus.price_per_mwh, menus.valid)

    monkeypatch.setattr(cycle, "build_menus", doubled)
    with pytest.raises(CommitmentError, match="nothing was committed"):
        negotiate(three(), opportunity(mw=0.02), stored=full(three()))


def test_a_transcript_tells_rounds_and_money():
    fleet = draw_fleet(80, 1)
    found = negotiate(fleet, opportunity(mw=0.1), stored=at_hour(fleet, 18.0))
    story = told(found)
    assert "18:00 for 2 h: 100.0 kW at 100.00 $/MWh" in story
    assert "The requirement is met." in story
    assert story.count("prosumers offer") == found.table.round
    failed = negotiate(fleet, opportunity(mw=9.0))
    assert "nothing is bid" in transcript([found, failed])
