from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
import safetensors.torch
import torch
from gymnasium.spaces import Discrete

from gridmarl.agents.agent import Agent, BatchAgent
from gridmarl.agents.load import load_agent
from gridmarl.agents.networks import SeatNetwork
from gridmarl.agents.policies import CARD, WEIGHTS, StoredPolicy, digest_of, weights_of
from gridmarl.agents.rules import Rule
from gridmarl.agents.team import Team
from gridmarl.environment.compiled.codecs import GRID_PRICES
from gridmarl.errors import PolicyError, ScenarioError
from gridmarl.evaluation.rollout import rollout
from gridmarl.learning.trainer import train
from gridmarl.scenario.scenario import Scenario
from tests.learning.worlds import duopoly_world, quick_recipe


@pytest.fixture(scope="module")
def duopoly() -> Scenario:
    return duopoly_world()


@pytest.fixture(scope="module")
def folder(duopoly: Scenario, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("policies") / "quick"
    return train(quick_recipe(), env=duopoly, out=out, progress=False, steps=1_920, evaluate_every=1_920)


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return copytree(folder, tmp_path / "copy")


def spoil(copy: Path, changes: Mapping[str, object]) -> Path:
    card = json.loads((copy / CARD).read_text("utf-8"))
    (copy / CARD).write_text(json.dumps({**card, **changes}), "utf-8")
    return copy


def replace_weights(copy: Path, weights: bytes) -> Path:
    (copy / WEIGHTS).write_bytes(weights)
    return spoil(copy, {"weights_sha256": digest_of(weights)})


def observations(rows: int) -> np.ndarray:
    return np.random.default_rng(1).uniform(-1, 1, (rows, 64)).astype(np.float32)


def test_a_stored_policy_is_an_agent_with_declared_information(folder: Path) -> None:
    policy = StoredPolicy(folder)
    assert isinstance(policy, Agent)
    assert isinstance(policy, BatchAgent)
    assert (policy.information, policy.sees, policy.codecs) == ("forecast", "own", {"generator": "price-grid"})


def test_what_is_saved_plays_the_same(folder: Path, tmp_path: Path) -> None:
    policy = StoredPolicy(folder)
    policy.save(tmp_path / "again")
    again = StoredPolicy.load(tmp_path / "again")
    for file in (WEIGHTS, CARD):
        assert (tmp_path / "again" / file).read_bytes() == (folder / file).read_bytes()
    seen = {"cheap": observations(50), "rival": observations(50)[::-1]}
    one, other = (p.act_batch(seen, np.random.default_rng(0), explore=False) for p in (policy, again))
    assert all(np.array_equal(one[seat], other[seat]) for seat in seen)


def test_actions_are_the_argmax_and_lie_in_the_space(folder: Path) -> None:
    policy, seen = StoredPolicy(folder), observations(30)
    values = policy.network(torch.from_numpy(seen)[:, None])[:, 0]
    batch = policy.act_batch({"cheap": seen}, np.random.default_rng(0), explore=True)["cheap"]
    assert batch.tolist() == values.argmax(1).tolist()
    action = policy.act({"cheap": seen[3]})["cheap"]
    assert Discrete(len(GRID_PRICES)).contains(action)
    assert policy.act({}) == {}


def test_playing_leaves_the_weights_and_the_normaliser_as_they_were(folder: Path, duopoly: Scenario) -> None:
    policy = StoredPolicy(folder)
    before = {name: tensor.clone() for name, tensor in policy.network.state_dict().items()}
    rollout(duopoly, Team({"cheap": policy, "generator": Rule("truthful")}), seed=1)
    policy.act_batch({"cheap": observations(9) * 100}, np.random.default_rng(0), explore=True)
    assert all(torch.equal(before[name], tensor) for name, tensor in policy.network.state_dict().items())
    assert not torch.equal(before["normaliser.mean"], torch.zeros(64))


def test_a_team_file_names_the_policy(folder: Path, duopoly: Scenario) -> None:
    team = Team.from_mapping({"seats": {"cheap": {"kind": "policy", "policy": str(folder)}}})
    rolled = rollout(duopoly, team, seed=0)
    assert rolled.information == "forecast"
    assert np.isin(np.round(rolled.of_seat("cheap", "offer_price_per_mwh"), 6), np.round(GRID_PRICES, 6)).all()
    with pytest.raises(ScenarioError, match="polciy"):
        Team.from_mapping({"seats": {"cheap": {"kind": "policy", "polciy": "x"}}})


def test_the_folder_that_was_saved_is_an_agent_by_its_path(folder: Path) -> None:
    assert isinstance(load_agent(folder), StoredPolicy)


def test_a_policy_that_does_not_exist_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(PolicyError, match=r"policy: got 'dqn-autcion'.*did you mean 'dqn-auction'"):
        StoredPolicy("dqn-autcion")


def test_missing_weights_are_named(copy: Path) -> None:
    (copy / WEIGHTS).unlink()
    with pytest.raises(PolicyError, match=WEIGHTS):
        StoredPolicy(copy)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"format": 99}', '{"weights": 1}'])
def test_a_card_that_is_not_ours_is_refused(copy: Path, content: str) -> None:
    (copy / CARD).write_text(content, "utf-8")
    with pytest.raises(PolicyError, match=CARD):
        StoredPolicy(copy)


@pytest.mark.parametrize(
    "changes, named",
    [
        ({"format": 1}, "format: got 1; allowed: 2"),
        ({"observation_version": 0}, "version of the observations: got 0"),
        ({"role": "pirate"}, "role: got 'pirate'; allowed: generator"),
        ({"role": "storage"}, "48 fields of a storage"),
        ({"codec": "price-grit"}, "did you mean 'price-grid'"),
        ({"sizes": [64, 8, 19]}, "20 for 20 actions"),
        ({"head": "dueling"}, "21 for 20 actions"),
        ({"head": "heads"}, "allowed: values, dueling, tanh, gaussian"),
        ({"sizes": [63, 8, 20]}, "64 fields"),
        ({"sizes": [64]}, "64 fields"),
        ({"sizes": [64, 32, 20]}, "the tensors of a network of sizes"),
        ({"colour": "red"}, "colour"),
        ({"weights_sha256": "00"}, "sha256 of"),
    ],
)
def test_a_card_that_does_not_fit_is_refused_by_what_is_wrong(
    copy: Path, changes: dict[str, object], named: str
) -> None:
    with pytest.raises(PolicyError, match=named):
        StoredPolicy(spoil(copy, changes))


def test_weights_that_were_cut_short_are_refused(copy: Path) -> None:
    (copy / WEIGHTS).write_bytes((copy / WEIGHTS).read_bytes()[:-10])
    with pytest.raises(PolicyError, match="sha256 of"):
        StoredPolicy(copy)


def test_a_file_that_is_not_safetensors_is_refused(copy: Path) -> None:
    with pytest.raises(PolicyError, match="weights of policy 'copy'"):
        StoredPolicy(replace_weights(copy, b"\x80\x04 a pickle, say"))


def test_tensors_of_another_network_are_refused(copy: Path) -> None:
    with pytest.raises(PolicyError, match="the tensors of a network of sizes"):
        StoredPolicy(replace_weights(copy, weights_of(SeatNetwork((64, 5, 20)))))
    with pytest.raises(PolicyError, match="the tensors of a network of sizes"):
        StoredPolicy(replace_weights(copy, safetensors.torch.save({"x": torch.zeros(2)})))


def test_weights_that_are_not_finite_are_refused(copy: Path) -> None:
    network = StoredPolicy(copy).network
    network.state_dict()["layers.weights.0"][0, 0, 0] = float("nan")
    with pytest.raises(PolicyError, match="NaN"):
        StoredPolicy(replace_weights(copy, weights_of(network)))


def test_a_generators_policy_refuses_other_seats_and_other_observations(folder: Path, duopoly: Scenario) -> None:
    policy = StoredPolicy(folder)
    with pytest.raises(ScenarioError, match="town"):
        rollout(duopoly, Team({"cheap": policy, "consumer": policy}))
    with pytest.raises(PolicyError, match=r"observation of 'battery_1'.*64 fields of a generator"):
        policy.act({"battery_1": np.zeros(48, np.float32)})
