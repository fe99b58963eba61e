"""The folder of a training is a team: its policies where they learned, the others as they were then."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import gridmarl
from gridmarl import catalogue
from gridmarl.agents.policies import StoredPolicy
from gridmarl.agents.rules import Rule
from gridmarl.agents.team import load_team
from gridmarl.errors import PolicyError

POLICIES = catalogue.shipped("training") / "policies"


def test_a_policy_sits_in_its_seat_and_the_others_play_as_when_it_learned() -> None:
    team = load_team(POLICIES / "dqn-gas_1")
    assert team.name == "dqn-gas_1"
    assert team.description == "What dqn learned on auction, seed 0; the others as in truthful."
    player, rival = team.player_of("gas_1", "generator"), team.player_of("gas_2", "generator")
    assert isinstance(player, StoredPolicy)
    assert isinstance(rival, Rule)
    assert rival.settings.rule == "truthful"


def test_a_policy_of_a_role_sits_in_all_its_seats() -> None:
    team = load_team(str(POLICIES / "dqn-auction"))
    assert all(isinstance(team.player_of(seat, "generator"), StoredPolicy) for seat in ("coal_1", "solar_1"))
    assert not isinstance(team.player_of("battery_1", "storage"), StoredPolicy)


def test_roles_that_learned_together_play_together_as_the_shipped_team_does() -> None:
    mine, shipped = load_team(POLICIES / "market-auction"), load_team("market")
    world = gridmarl.Scenario.load("auction").but(intervals=6)
    one, other = (gridmarl.rollout(world, team, seed=3) for team in (mine, shipped))
    assert one.rewards("generator") == other.rewards("generator")
    assert one.rewards("storage") == other.rewards("storage")


def test_what_was_just_trained_is_compared_by_its_folder(tmp_path: Path) -> None:
    folder = gridmarl.train("dqn-gas", steps=2_000, learn_from=500, out=tmp_path / "mine", progress=False)
    found = gridmarl.compare("auction", ["truthful", folder], seeds=1, out=tmp_path / "compared")
    assert set(found.table["team"]) == {"truthful", "mine"}
    assert not found.failures


def test_a_folder_without_a_policy_is_no_team(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"team.*policy.json.*gridmarl train"):
        load_team(tmp_path)
    shutil.copytree(POLICIES / "dqn-gas_1", tmp_path / "broken")
    (tmp_path / "broken" / "policy.json").write_text("{")
    with pytest.raises(PolicyError, match="JSON"):
        load_team(tmp_path / "broken")


def test_a_folder_that_is_called_as_a_shipped_team_does_not_hide_it(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "truthful").mkdir()
    assert load_team("truthful").description
    with pytest.raises(PolicyError, match=r"policy\.json"):
        load_team(Path("truthful"))
