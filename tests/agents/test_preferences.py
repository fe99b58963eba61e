"""Stored policies that learned objectives play any preference they are given."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

from gridmarl.agents.load import load_agent
from gridmarl.agents.policies import CARD, Preference, StoredPolicy
from gridmarl.agents.rules import Rule
from gridmarl.agents.team import Team
from gridmarl.errors import PolicyError
from gridmarl.evaluation.rollout import rollout
from gridmarl.learning.judging.front import read_front
from gridmarl.learning.recipe import parse_recipe
from gridmarl.learning.trainer import train
from gridmarl.scenario.scenario import Scenario


def dirty_and_clean() -> Scenario:
    """A carbon adder of 25 $/t puts gas, 42 $/MWh and 0.4 t, before coal, 30 $/MWh and 0.9 t."""
    units = [
        {"name": "coal", "capacity_mw": 40, "cost_per_mwh": 30, "co2_kg_per_mwh": 900},
        {"name": "gas", "capacity_mw": 40, "cost_per_mwh": 42, "co2_kg_per_mwh": 400},
    ]
    return Scenario.parse(
        {
            "name": "dirty-and-clean",
            "interval_min": 60,
            "intervals": 8,
            "profiles": {"demand": {"shape": "constant"}},
            "generators": units,
            "consumers": [{"name": "town", "load_mw": 30}],
        },
        "dirty-and-clean",
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An operator that learned when carbon is worth its adder."""
    recipe = parse_recipe(
        {
            "algorithm": "multi_objective",
            "num_envs": 16,
            "steps": 19_200,
            "hidden": [32, 32],
            "discount": 0.0,
            "learn_from": 1_000,
            "learn_every": 16,
            "epsilon_steps": 9_600,
            "target_every": 50,
            "evaluate_every": 19_200,
            "checkpoint_every": 19_200,
            "select_seeds": 2,
            "test_seeds": 2,
            "reference": [-1.0, -10.0, -20.0],
        },
        "operator",
    )
    out = tmp_path_factory.mktemp("policies") / "operator"
    return train(recipe, env=dirty_and_clean(), out=out, progress=False)


def emissions(policy: StoredPolicy) -> float:
    played = rollout(dirty_and_clean(), Team({"generator": Rule("truthful"), "operator": policy}))
    return float(played.of_market("emissions_kg").sum())


def test_the_preference_decides_whether_coal_or_gas_runs(folder: Path) -> None:
    """30 MW for 8 h: 0.9 t/MWh from coal, 0.4 from gas."""
    assert emissions(StoredPolicy(folder, {"cost": 1})) == pytest.approx(30 * 8 * 900)
    assert emissions(StoredPolicy(folder, {"emissions": 1})) == pytest.approx(30 * 8 * 400)


def test_a_preference_is_a_mapping_or_a_sequence_of_parts(folder: Path) -> None:
    """Parts count relative to each other, and what a mapping leaves out counts nothing."""
    mapping, sequence = StoredPolicy(folder, {"emissions": 3, "cost": 1}), StoredPolicy(folder, [0.0, 0.5, 1.5])
    assert mapping.card.preference == sequence.card.preference == (0.0, 0.25, 0.75)
    own = StoredPolicy(folder).card
    assert own.objectives == ("stability", "cost", "emissions")
    assert own.preference == pytest.approx((0.4, 0.4, 0.2))  # what the scenario's operator weighs, scaled


@pytest.mark.parametrize("preference", [{"carbon": 1}, [1, 1], [-1, 1, 1], [0, 0, 0], [float("nan"), 1, 1]])
def test_a_preference_that_is_none_is_refused_with_the_objectives(folder: Path, preference: Preference) -> None:
    with pytest.raises(PolicyError, match=r"preference of policy 'operator'.*stability, cost, emissions"):
        StoredPolicy(folder, preference)


def test_a_policy_without_objectives_takes_no_preference() -> None:
    with pytest.raises(PolicyError, match=r"preference of policy 'dqn-gas_1'.*one number"):
        StoredPolicy("dqn-gas_1", {"cost": 1})


def test_a_team_file_says_the_preference(folder: Path) -> None:
    entry = {"kind": "policy", "policy": str(folder), "preference": {"emissions": 1}}
    team = Team.from_mapping({"seats": {"generator": {"kind": "rule", "rule": "truthful"}, "operator": entry}})
    played = rollout(dirty_and_clean(), team)
    assert played.of_market("emissions_kg").sum() == pytest.approx(30 * 8 * 400)


def test_what_is_saved_keeps_its_preference(folder: Path, tmp_path: Path) -> None:
    StoredPolicy(folder, {"emissions": 1}).save(tmp_path / "green")
    again = load_agent(tmp_path / "green")
    assert isinstance(again, StoredPolicy)
    assert again.card.preference == (0.0, 0.0, 1.0)
    assert emissions(again) == pytest.approx(30 * 8 * 400)


def test_the_ends_of_the_front_in_its_folder_are_all_gas_and_all_coal(folder: Path) -> None:
    front = read_front(folder)
    assert (front.split, front.episodes, front.objectives) == ("select", 2, ("stability", "cost", "emissions"))
    assert len(front.points) == 15
    kept = sorted(point.returns[1:] for point in front.points if point.on_front)
    expected = [(-30.0 * 8 * 42, -30.0 * 8 * 400), (-30.0 * 8 * 30, -30.0 * 8 * 900)]
    np.testing.assert_allclose([kept[0], kept[-1]], expected, rtol=1e-5)
    card = StoredPolicy(folder).card
    assert card.metrics["select"].scaled == pytest.approx(front.utility)


def test_a_card_with_half_a_preference_is_refused(folder: Path, tmp_path: Path) -> None:
    copy = copytree(folder, tmp_path / "copy")
    card = json.loads((copy / CARD).read_text("utf-8"))
    (copy / CARD).write_text(json.dumps({**card, "preference": [0.5, 0.5]}), "utf-8")
    with pytest.raises(PolicyError, match="preference"):
        StoredPolicy(copy)
