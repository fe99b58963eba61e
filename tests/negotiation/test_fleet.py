"""Fleets are seeded, follow the documented rates, and are fast."""

from __future__ import annotations

import time
from dataclasses import fields

import numpy as np
import pytest
import yaml

from gridmarl.errors import DataError, ScenarioError
from gridmarl.negotiation.homes.adoption import ALL_HOMES, CAR_SHARE_UNDER_ROOF, JOINING, Adoption
from gridmarl.negotiation.homes.fleet import ProsumerFleet, draw_fleet, fleet_of
from gridmarl.negotiation.homes.fleet_files import read_fleet, write_fleet
from gridmarl.negotiation.homes.living import overnight, simulate

DRAW_LIMIT_S = 0.2
STEP_LIMIT_S = 1e-6
"""For a prosumer and an interval."""


def same(one: ProsumerFleet, other: ProsumerFleet) -> bool:
    return one.names == other.names and all(
        np.array_equal(getattr(one, f.name), getattr(other, f.name), equal_nan=True) for f in fields(one)[1:]
    )


def quickest(function, repeats: int = 5) -> float:
    """CPU seconds of the fastest of some calls."""
    spent = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        spent.append(time.process_time() - start)
    return min(spent)


def test_the_same_seed_draws_the_same_fleet_and_another_seed_another():
    assert same(draw_fleet(50, 3), draw_fleet(50, 3))
    assert not same(draw_fleet(50, 3), draw_fleet(50, 4))


def test_shares_of_owners_are_those_of_the_sources():
    fleet = draw_fleet(20_000, 1)
    assert pytest.approx(0.39 * 1.9 * 0.052 * 6) == CAR_SHARE_UNDER_ROOF
    assert (fleet.battery_kwh > 0).mean() == pytest.approx(0.60, abs=0.015)
    assert (fleet.ev_kwh > 0).mean() == pytest.approx(0.231, abs=0.015)
    assert (fleet.pv_kw > 0).all()
    everyone = draw_fleet(20_000, 1, ALL_HOMES)
    assert (everyone.pv_kw > 0).mean() == pytest.approx(1 / 6, abs=0.015)
    assert (everyone.battery_kwh > 0).mean() == pytest.approx(1 / 60, abs=0.005)
    assert JOINING != ALL_HOMES


def test_sizes_of_what_nobody_owns_are_zero():
    fleet = draw_fleet(500, 2)
    assert (fleet.battery_kw[fleet.battery_kwh == 0] == 0).all()
    assert (fleet.ev_kw[fleet.ev_kwh == 0] == 0).all()
    assert not fleet.ev_discharges[fleet.ev_kwh == 0].any()


def test_a_thousand_prosumers_are_drawn_in_a_fifth_of_a_second():
    assert quickest(lambda: draw_fleet(1000, 1)) < DRAW_LIMIT_S


@pytest.mark.parametrize("size", [200, 1000])
def test_a_prosumer_lives_through_an_interval_in_less_than_a_microsecond(size):
    fleet = draw_fleet(size, 1)
    stored = overnight(fleet)
    assert quickest(lambda: simulate(fleet, stored, 96)) / (size * 96) < STEP_LIMIT_S


@pytest.mark.parametrize("ending", ["yaml", "parquet"])
def test_a_fleet_comes_back_from_its_file(tmp_path, ending):
    fleet, path = draw_fleet(40, 5), tmp_path / f"fleet.{ending}"
    write_fleet(fleet, path)
    assert same(fleet, read_fleet(path))


def test_a_person_may_write_only_what_matters(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("- {name: ours, assets: {battery_kwh: 13.5, battery_kw: 5}, preferences: {backup_share: 0.3}}\n")
    home = read_fleet(path).household(0)
    assert (home.assets.battery_kwh, home.preferences.backup_share, home.preferences.comfort) == (13.5, 0.3, 1.0)


def test_households_survive_being_a_fleet():
    fleet = draw_fleet(30, 7)
    assert same(fleet, fleet_of(fleet.households()))


def test_a_misspelt_wish_is_named_with_its_household(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text(yaml.safe_dump([{"name": "a"}, {"name": "b", "preferences": {"backup": 0.3}}]))
    with pytest.raises(ScenarioError, match=r"household 2.*preferences\.backup.*did you mean 'backup_share'"):
        read_fleet(path)


@pytest.mark.parametrize(
    "name, content, complaint",
    [
        ("none.yaml", None, "does not exist"),
        ("words.yaml", "hello", "a list of households"),
        ("broken.yaml", "- {", "no YAML"),
        ("broken.parquet", "x", "no Parquet"),
        ("fleet.csv", "x", r"\.yaml or \.parquet"),
    ],
)
def test_files_that_are_no_fleets_are_refused_by_name(tmp_path, name, content, complaint):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=complaint):
        read_fleet(tmp_path / name)


def test_impossible_fleets_are_refused():
    with pytest.raises(ScenarioError, match="at least 1"):
        draw_fleet(0)
    with pytest.raises(ScenarioError, match="battery_under_roof"):
        Adoption(battery_under_roof=1.2)
    with pytest.raises(ScenarioError, match="each name once"):
        fleet_of([draw_fleet(1).household(0)] * 2)
    with pytest.raises(ScenarioError, match="at least one household"):
        fleet_of([])
