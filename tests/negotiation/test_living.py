"""Batteries and cars keep to their limits, and to what was promised."""

from __future__ import annotations

import numpy as np
import pytest

from gridmarl.errors import ScenarioError
from gridmarl.negotiation.homes.fleet import draw_fleet, fleet_of
from gridmarl.negotiation.homes.living import Stored, at_hour, blocked_at, live_until, overnight, simulate, usual_day
from tests.negotiation.cases import full, home, wild_fleet, wild_state


def test_a_promised_discharge_takes_its_energy_and_the_loss():
    fleet = fleet_of([home("a", kwh=10.0, kw=5.0)])
    after = simulate(fleet, full(fleet), 8, 0.25, np.array([3.8]))
    assert after.battery_kwh[0] == pytest.approx(10.0 - 3.8 * 2.0 / 0.95)
    assert after.hour == 20.0


def test_energy_stays_between_empty_and_full_in_any_fleet():
    for seed in range(30):
        rng = np.random.default_rng(seed)
        fleet = wild_fleet(rng)
        stored = wild_state(rng, fleet, 0.0)
        for _ in range(24):
            stored = simulate(fleet, stored, 4)
            for held, most in ((stored.battery_kwh, fleet.battery_kwh), (stored.ev_kwh, fleet.ev_kwh)):
                assert (held >= 0).all()
                assert (held <= most).all()


def test_a_battery_never_serves_its_home_below_its_backup():
    fleet = draw_fleet(300, 1)
    kept = fleet.backup_share * fleet.battery_kwh
    assert all((stored.battery_kwh >= kept - 1e-9).all() for stored in usual_day(fleet))


def test_every_car_is_ready_when_it_leaves():
    fleet = draw_fleet(400, 2)
    stored = simulate(fleet, overnight(fleet), 96)
    for quarter in range(96):
        hour = quarter / 4
        leaving = (fleet.ev_kwh > 0) & (fleet.ev_deadline_hour == hour)
        target = fleet.ev_target_share * fleet.ev_kwh
        assert (stored.ev_kwh[leaving] >= target[leaving] - 1e-6).all(), hour
        stored = simulate(fleet, stored, 1)


def test_blocked_hours_may_run_past_midnight():
    fleet = fleet_of([home("late", blocked_hours=[(22.0, 6.0)]), home("noon", blocked_hours=[(12.0, 13.0)])])
    asleep = {hour: blocked_at(fleet, hour).tolist() for hour in (5.9, 6.0, 12.0, 13.0, 22.0, 30.0, 46.0)}
    assert asleep[5.9] == asleep[22.0] == asleep[46.0] == [True, False]
    assert asleep[6.0] == asleep[13.0] == asleep[30.0] == [False, False]
    assert asleep[12.0] == [False, True]


def test_the_hours_of_a_usual_day_are_those_of_each_hour():
    fleet = draw_fleet(20, 3)
    day = usual_day(fleet)
    for hour in (0, 7, 19):
        np.testing.assert_allclose(day[hour].battery_kwh, at_hour(fleet, hour).battery_kwh, atol=1e-9)
        np.testing.assert_allclose(day[hour].ev_kwh, at_hour(fleet, hour).ev_kwh, atol=1e-9)


def test_living_until_now_changes_nothing():
    fleet = draw_fleet(5, 3)
    stored = overnight(fleet)
    assert live_until(fleet, stored, 0.0) is stored
    assert live_until(fleet, stored, 5.1).hour == pytest.approx(5.1)


def test_time_that_is_no_time_is_refused():
    fleet = draw_fleet(2)
    with pytest.raises(ScenarioError, match="interval_h > 0"):
        simulate(fleet, Stored(fleet.battery_kwh, fleet.ev_kwh, 0.0), 3, 0.0)
