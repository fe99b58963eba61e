"""Opportunities as they are drawn, read and negotiated in turn."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from gridmarl.data.table import load_table
from gridmarl.errors import DataError, ScenarioError
from gridmarl.negotiation.cycle import devices
from gridmarl.negotiation.homes.capability import capability
from gridmarl.negotiation.homes.fleet import draw_fleet
from gridmarl.negotiation.homes.living import usual_day
from gridmarl.negotiation.opportunities import draw_opportunities, draw_week, read_opportunities, week_opportunities
from gridmarl.negotiation.sequence import negotiate_in_turn
from tests.negotiation.cases import opportunity

REAL = Path(__file__).parents[3] / "shared" / "data" / "caiso_2023-08_hourly.csv"


def test_requirements_are_drawn_as_the_study_says():
    fleet = draw_fleet(200, 1)
    day = usual_day(fleet)
    drawn = draw_opportunities(fleet, 2000, 5, day)
    shares = []
    for one in drawn:
        able = capability(fleet, day[int(one.local_hour)], one).most_kw.sum()
        shares.append(1000 * one.required_capacity_mw / able)
    assert 0.1 <= min(shares) < 0.15
    assert max(shares) <= 0.9 + 1e-9
    assert np.mean(np.array(shares) >= 0.81) >= 0.30
    assert {one.price_source for one in drawn} == {"synthetic"}
    assert {one.market_type for one in drawn} == {"energy", "spin", "nonspin"}


def test_other_seeds_draw_other_opportunities_and_the_same_seed_the_same():
    fleet = draw_fleet(20, 1)
    assert draw_opportunities(fleet, 30, 1) == draw_opportunities(fleet, 30, 1)
    names = [{o.opportunity_id for o in draw_opportunities(fleet, 30, seed)} for seed in (1, 2)]
    assert names[0].isdisjoint(names[1])


def test_a_week_has_three_events_a_day_with_reserve_prices_marked_synthetic():
    week = week_opportunities(draw_fleet(50, 1))
    assert len(week) == 21
    assert {o.timestamp.date().isoformat() for o in week} == {f"2023-08-{day}" for day in range(15, 22)}
    assert {o.price_source for o in week} == {"synthetic"}


@pytest.mark.skipif(not REAL.is_file(), reason="the shared Californian prices are not here")
def test_real_prices_of_the_week_are_those_of_the_table():
    week = week_opportunities(draw_fleet(50, 1), prices=load_table(REAL))
    evening = next(o for o in week if o.opportunity_id == "0816-19-energy")
    assert evening.price_source == "market"
    assert evening.market_price_mwh > 400.0  # the heat wave of 16 August
    assert all(o.price_source == "synthetic" for o in week if o.market_type != "energy")


def test_what_an_event_takes_is_missing_in_the_next():
    fleet = draw_fleet(30, 1)
    first = opportunity(18.0, 1.0, 0.040, price=1000.0)
    second = first.model_copy(update={"opportunity_id": "two", "timestamp": first.timestamp + timedelta(hours=1)})
    one, two = negotiate_in_turn(fleet, [second, first], "floor")
    assert one.opportunity.opportunity_id == "one"
    battery, _ = devices(one.able, one.kw)
    gave = battery > 0
    assert gave.any()
    np.testing.assert_allclose(two.stored.battery_kwh[gave], (one.stored.battery_kwh - battery / 0.95)[gave])
    assert two.able.most_kw.sum() < one.able.most_kw.sum()
    spin = first.model_copy(update={"market_type": "spin"})
    held, after = negotiate_in_turn(fleet, [spin, second], "floor")
    members = devices(held.able, held.kw)[0] > 0
    np.testing.assert_allclose(after.stored.battery_kwh[members], held.stored.battery_kwh[members])


def test_nothing_is_promised_twice():
    fleet = draw_fleet(20, 1)
    with pytest.raises(ScenarioError, match="after the one before"):
        negotiate_in_turn(fleet, [opportunity(18.0, 2.0), opportunity(19.0, 2.0)])
    with pytest.raises(ScenarioError, match="at least one"):
        negotiate_in_turn(fleet, [])
    assert len(negotiate_in_turn(fleet, draw_week(fleet, 12, 1))) == 12


def test_opportunities_come_from_a_file(tmp_path):
    path, wanted = tmp_path / "mine.json", [opportunity(18.0), opportunity(20.5, 1.0)]
    path.write_text(json.dumps([o.model_dump(mode="json") for o in wanted]))
    assert list(read_opportunities(path)) == wanted


@pytest.mark.parametrize(
    "content, complaint",
    [
        (None, "do not exist"),
        ("{", "no JSON"),
        ("{}", "a list of opportunities"),
        ("[]", "a list of opportunities"),
        ('[{"opportunity_id": "a"}]', "opportunity 0, market_type"),
    ],
)
def test_files_that_hold_no_opportunities_are_refused_by_name(tmp_path, content, complaint):
    path = tmp_path / "bad.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match=complaint):
        read_opportunities(path)


def test_a_table_without_the_week_is_refused(tmp_path):
    path = tmp_path / "prices.csv"
    path.write_text("time_utc,lmp_dlap_sce_usd_per_mwh\n2020-01-01T00:00:00Z,1\n2020-01-01T01:00:00Z,2\n")
    with pytest.raises(DataError, match="covers the week"):
        week_opportunities(draw_fleet(3), prices=load_table(path))
    path.write_text("time_utc,price_usd_per_mwh\n2020-01-01T00:00:00Z,1\n2020-01-01T01:00:00Z,2\n")
    with pytest.raises(DataError, match="lmp_dlap_sce"):
        week_opportunities(draw_fleet(3), prices=load_table(path))
