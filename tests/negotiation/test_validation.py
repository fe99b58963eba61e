"""Each thing that can be broken is broken once, and named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gridmarl.errors import (
    BackupError,
    BooksError,
    CapacityError,
    CommitmentError,
    DeadlineError,
    FloorError,
    ForbiddenHourError,
    StateOfChargeError,
)
from gridmarl.negotiation.homes.fleet import Household, fleet_of
from gridmarl.negotiation.homes.living import Stored
from gridmarl.negotiation.homes.preferences import Assets, Preferences
from gridmarl.negotiation.validation import Commitment, check_commitment
from tests.negotiation.cases import home, opportunity

WISHES = Preferences(ev_deadline_hour=22.0, ev_target_share=0.8, minimum_price_per_mwh=50.0, comfort=0.5)
FLEET = fleet_of(
    [
        home("battery", kwh=10.0, kw=5.0, price=50.0, blocked_hours=[(21.0, 23.0)]),
        Household("car", Assets(ev_kwh=60.0, ev_kw=7.0), WISHES, True, 17.0),
        Household("one-way", Assets(ev_kwh=60.0, ev_kw=7.0), WISHES, False, 17.0),
    ]
)
STORED = Stored(np.array([10.0, 0.0, 0.0]), np.array([0.0, 60.0, 60.0]), 18.0)
BATTERY, CAR = np.array([3.0, 0.0, 0.0]), np.array([0.0, 6.0, 0.0])
GOOD = Commitment(BATTERY, CAR, np.array([60.0, 60.0, 0.0]), np.array([0.36, 0.72, 0.0]), 0.009, 1.8, 0.72)


def check(promised: Commitment, hour: float = 18.0, hours: float = 2.0, stored: Stored = STORED) -> None:
    check_commitment(FLEET, stored, opportunity(hour, hours), promised)


def test_a_sound_commitment_passes():
    check(GOOD)


@pytest.mark.parametrize(
    "error, who, change",
    [
        (CapacityError, "battery", {"battery_kw": BATTERY * 2}),
        (CapacityError, "battery", {"battery_kw": -BATTERY}),
        (CapacityError, "car", {"ev_kw": CAR * np.nan}),
        (CapacityError, "one-way", {"ev_kw": np.array([0.0, 0.0, 1.0])}),
        (BackupError, "battery", {"battery_kw": BATTERY * 1.5}),
        (DeadlineError, "car", {"battery_kw": BATTERY * 0}),
        (CapacityError, "what is sold", {"sold_mw": 0.010}),
        (FloorError, "battery", {"agreed_per_mwh": np.array([49.9, 60.0, 0.0])}),
        (FloorError, "car", {"agreed_per_mwh": np.array([60.0, 50.5, 0.0])}),
        (FloorError, "battery", {"agreed_per_mwh": np.array([100.1, 60.0, 0.0])}),
        (FloorError, "battery", {"payments": np.array([0.28, 0.72, 0.0])}),
        (BooksError, "profit", {"profit": 0.71}),
        (BooksError, "payments", {"payments": np.array([0.365, 0.72, 0.0])}),
        (BooksError, "revenue", {"revenue": 1.9, "profit": 0.82}),
    ],
)
def test_what_is_broken_is_named_with_its_owner(error, who, change):
    promised = replace(GOOD, **change)
    hours = 4.5 if error is DeadlineError else 2.0
    with pytest.raises(error, match=who) as caught:
        check(promised, hours=hours)
    assert isinstance(caught.value, CommitmentError)


def test_an_event_that_runs_into_blocked_hours_is_refused():
    only = replace(GOOD, ev_kw=CAR * 0, battery_kw=BATTERY / 10)
    with pytest.raises(ForbiddenHourError, match="battery"):
        check(only, hour=20.0, hours=1.1)
    with pytest.raises(CapacityError, match="what is sold"):  # ends as they begin: the next rule speaks
        check(only, hour=20.0, hours=1.0)


@pytest.mark.parametrize("hour, hours", [(16.5, 1.0), (21.5, 1.0)])
def test_a_car_that_comes_late_or_leaves_early_is_refused(hour, hours):
    only = replace(GOOD, battery_kw=BATTERY * 0, ev_kw=CAR / 10)
    with pytest.raises(DeadlineError, match="away"):
        check(only, hour=hour, hours=hours)


def test_a_battery_that_would_run_empty_is_refused():
    nearly_empty = replace(STORED, battery_kwh=np.array([3.0, 0.0, 0.0]))
    with pytest.raises(StateOfChargeError, match="battery"):
        check(GOOD, stored=nearly_empty)


def test_prices_above_the_market_pass_where_the_rule_allows_them():
    dear = replace(GOOD, agreed_per_mwh=np.array([101.0, 60.0, 0.0]))
    with pytest.raises(FloorError):
        check(dear)
    check(replace(dear, within_market=False))
