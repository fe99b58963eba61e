"""Menus: decline first, everything else deliverable and priced between floor and market."""

from __future__ import annotations

import numpy as np
import pytest

from gridmarl.errors import CommitmentError
from gridmarl.negotiation.homes.capability import blocked_within, capability
from gridmarl.negotiation.homes.fleet import Household, draw_fleet, fleet_of
from gridmarl.negotiation.homes.living import Stored, at_hour
from gridmarl.negotiation.homes.preferences import Assets, Preferences
from gridmarl.negotiation.menu import DECLINE, DEPTHS, ENTRIES, FULL_DEPTH, MARKS, PREFERRED_DEPTH, build_menus, entry
from gridmarl.negotiation.validation import Commitment, check_devices, check_prices
from tests.negotiation.cases import full, home, opportunity, wild_fleet, wild_opportunity, wild_state


def test_what_a_battery_holds_is_limited_by_power_and_by_energy_above_the_backup():
    fleet = fleet_of([home("a", kwh=10.0, kw=5.0)])
    able = [capability(fleet, full(fleet), opportunity(hours=hours)).most_kw[0] for hours in (1.0, 2.0, 4.0)]
    assert able == pytest.approx([5.0, 8.0 * 0.95 / 2.0, 8.0 * 0.95 / 4.0])


def test_floors_rise_with_strain_only():
    fleet = fleet_of([home("a", kwh=100.0, kw=10.0, price=40.0, comfort=0.5)])
    able = capability(fleet, full(fleet), opportunity())
    assert able.preferred_kw[0] == 7.5
    floors = [able.floor_per_mwh(np.array([kw]))[0] for kw in (1.0, 7.5, 10.0)]
    assert floors == pytest.approx([40.0, 40.0, 40.0 * (1 + 0.5 * 2.5 / 10)])
    assert able.cost(np.array([10.0]))[0] == pytest.approx(2.0 * (7.5 * 40 + 2.5 * 60) / 1000)
    assert capability(fleet, full(fleet), opportunity(market="spin")).unit_cost_per_mwh[0] == pytest.approx(8.0)


def test_the_most_that_is_affordable_has_its_floor_at_the_price():
    fleet = fleet_of([home(f"h{c}", kwh=100.0, kw=10.0, price=40.0, comfort=c / 10) for c in range(11)])
    able = capability(fleet, full(fleet), opportunity())
    for price in (39.0, 40.0, 42.0, 50.0, 60.0, 90.0):
        kw = able.affordable_kw(price)
        inside = (kw > 0) & (kw < able.most_kw - 1e-9)
        np.testing.assert_allclose(able.floor_per_mwh(kw)[inside], price)
        assert (able.floor_per_mwh(kw) <= price + 1e-9)[kw > 0].all()
    assert (able.affordable_kw(39.0) == 0).all()
    assert (able.affordable_kw(90.0) == able.most_kw).all()


def car(deadline: float | None, target: float = 0.8, discharges: bool = True) -> Household:
    wishes = Preferences(ev_deadline_hour=deadline, ev_target_share=target, minimum_price_per_mwh=10.0, comfort=0.0)
    return Household("c", Assets(ev_kwh=60.0, ev_kw=7.0), wishes, discharges, ev_arrival_hour=17.0)


@pytest.mark.parametrize(
    "household, hour, hours, kept_kwh",
    [
        (car(7.0), 18.0, 2.0, 12.0),  # eleven hours are left to charge: only a fifth is kept
        (car(22.0), 18.0, 2.0, 48.0 - 7.0 * 0.95 * 2.0),
        (car(20.0), 18.0, 2.0, 48.0),
        (car(None), 18.0, 2.0, 48.0),
        (car(19.0), 18.0, 2.0, 60.0),  # leaves meanwhile
        (car(7.0), 16.0, 2.0, 60.0),  # comes home meanwhile
        (car(7.0, discharges=False), 18.0, 2.0, 60.0),
    ],
)
def test_a_car_gives_what_it_can_charge_again_before_it_leaves(household, hour, hours, kept_kwh):
    fleet = fleet_of([household])
    able = capability(fleet, Stored(np.zeros(1), np.array([60.0]), hour), opportunity(hour, hours))
    assert able.most_kw[0] == pytest.approx(min(7.0, (60.0 - kept_kwh) * 0.95 / hours))


@pytest.mark.parametrize(
    "span, hour, hours, overlaps",
    [
        ((22.0, 6.0), 20.0, 2.0, False),
        ((22.0, 6.0), 20.0, 2.25, True),
        ((22.0, 6.0), 5.75, 1.0, True),
        ((22.0, 6.0), 6.0, 16.0, False),
        ((1.0, 2.0), 23.0, 2.0, False),
        ((1.0, 2.0), 23.0, 2.5, True),
        ((0.0, 24.0), 12.0, 0.25, True),
    ],
)
def test_an_event_overlaps_blocked_hours_where_any_of_it_does(span, hour, hours, overlaps):
    assert blocked_within(fleet_of([home("a", blocked_hours=[span])]), hour, hours)[0] == overlaps


def test_declining_comes_first_and_is_always_valid():
    fleet = draw_fleet(50, 1)
    menus = build_menus(capability(fleet, at_hour(fleet, 3.0), opportunity(3.0, price=1.0)), 1.0)
    assert menus.valid[:, DECLINE].all()
    assert (menus.kw[:, DECLINE] == 0).all()
    assert not menus.valid[:, 1:].any()  # nobody sells at a dollar


def test_entries_go_from_little_to_all_and_from_the_floor_to_the_market():
    fleet = fleet_of([home("a", kwh=100.0, kw=10.0, price=40.0, comfort=0.5)])
    menus = build_menus(capability(fleet, full(fleet), opportunity()), 100.0)
    assert menus.kw.shape == (1, ENTRIES) == (1, 1 + len(DEPTHS) * len(MARKS))
    assert menus.kw[0, 1 :: len(MARKS)].tolist() == [3.75, 7.5, 8.75, 10.0]
    marks = range(len(MARKS))
    assert [menus.price_per_mwh[0, entry(PREFERRED_DEPTH, m)] for m in marks] == [40.0, 55.0, 70.0, 100.0]
    assert menus.price_per_mwh[0, entry(FULL_DEPTH, 0)] == 45.0


def test_every_entry_of_every_wild_menu_passes_the_independent_check():
    """One prosumer and entry at a time would be slow: the check is told of one entry of everybody at once."""
    for seed in range(60):
        rng = np.random.default_rng([seed, 7])
        fleet = wild_fleet(rng)
        stored = wild_state(rng, fleet, int(rng.integers(0, 96)) / 4.0)
        wanted = wild_opportunity(rng, fleet, stored)
        able = capability(fleet, stored, wanted)
        menus = build_menus(able, wanted.market_price_mwh)
        for place in range(1, ENTRIES):
            kw, asks = menus.kw[:, place], menus.price_per_mwh[:, place]
            car_kw = np.where(kw > able.battery_kw + 1e-9, kw - able.battery_kw, 0.0)
            check_devices(fleet, stored, wanted, kw - car_kw, car_kw)
            due = np.ceil(100 * asks * kw * wanted.duration_hours / 1000 - 1e-6) / 100
            check_prices(fleet, stored, wanted, Commitment(kw - car_kw, car_kw, asks, due, 0.0, 0.0, 0.0))


def test_an_index_that_is_not_on_the_menu_is_refused():
    fleet = fleet_of([home("a"), home("b", price=500.0)])
    menus = build_menus(capability(fleet, full(fleet), opportunity()), 100.0)
    for wrong in ([0, 1], [-1, 0], [ENTRIES, 0]):
        with pytest.raises(CommitmentError, match="0 declines"):
            menus.chosen(np.array(wrong))
    with pytest.raises(CommitmentError, match="one index a prosumer"):
        menus.chosen(np.array([0]))
    with pytest.raises(CommitmentError, match="whole numbers"):
        menus.chosen(np.array([0.0, 0.0]))  # pyright: ignore[reportArgumentType]
