"""Wishes are strict, frozen, and conservative where nothing is said."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from gridmarl.errors import ScenarioError
from gridmarl.negotiation.homes.preferences import Assets, Preferences


def test_wishes_survive_json_and_yaml_shaped_lists():
    wishes = Preferences(blocked_hours=((22.0, 6.0),), minimum_price_per_mwh=80.0, ev_deadline_hour=None)
    assert Preferences.model_validate_json(wishes.model_dump_json()) == wishes
    assert Preferences.parse({"blocked_hours": [[22, 6]]}, "x").blocked_hours == ((22.0, 6.0),)


@pytest.mark.parametrize(
    "field, value",
    [
        ("comfort", "0.5"),
        ("comfort", True),
        ("comfort", 1.5),
        ("backup_share", -0.1),
        ("minimum_price_per_mwh", float("inf")),
        ("minimum_price_per_mwh", -1.0),
        ("ev_deadline_hour", 25.0),
        ("blocked_hours", [[7.0, 7.0]]),
        ("blocked_hours", [[24.0, 0.0]]),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(field, value):
    with pytest.raises(ScenarioError, match=field):
        Preferences.parse({field: value}, "a test")


def test_unknown_keys_suggest_the_nearest():
    with pytest.raises(ScenarioError, match="did you mean 'battery_kwh'"):
        Assets.parse({"batery_kwh": 3.0}, "a test")


def test_wishes_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        Preferences().comfort = 0.0  # pyright: ignore[reportAttributeAccessIssue]


def test_nothing_said_is_the_conservative_side():
    unsaid = Preferences()
    assert unsaid.backup_share >= 0.5
    assert unsaid.comfort == 1.0
    assert unsaid.ev_target_share >= 0.9
    assert Assets() == Assets(battery_kwh=0, battery_kw=0, ev_kwh=0, ev_kw=0, pv_kw=0)
