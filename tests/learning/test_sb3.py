from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import gymnasium
import numpy as np
import pytest
import safetensors.torch
import torch

import gridmarl
from gridmarl.agents.agent import Agent, BatchAgent
from gridmarl.agents.load import load_agent
from gridmarl.agents.policies import digest_of
from gridmarl.agents.rules import Rule
from gridmarl.agents.team import Team
from gridmarl.errors import PolicyError
from gridmarl.evaluation.rollout import rollout
from gridmarl.learning.sb3 import SB3Agent
from gridmarl.learning.sb3_card import CARD, WEIGHTS
from gridmarl.scenario.scenario import Scenario

sb3 = pytest.importorskip("stable_baselines3", reason="other people's learners need Stable-Baselines3")

SHORT = Scenario.load("auction").but(intervals=12)
SMALL = {"net_arch": [16, 8]}
SEATS = {"DQN": "gas_1", "PPO": "gas_1", "A2C": "battery_1", "TD3": "battery_1", "SAC": "battery_1"}
SETTINGS: dict[str, dict[str, Any]] = {
    "DQN": {"learning_starts": 20},
    "PPO": {"n_steps": 32, "batch_size": 32, "n_epochs": 1},
    "A2C": {},
    "TD3": {"learning_starts": 20},
    "SAC": {"learning_starts": 20},
}


def seat(name: str, **arguments: Any) -> gymnasium.Env[Any, Any]:
    return gymnasium.make("gridmarl/Seat-v0", scenario="auction", seat=name, others="truthful", **arguments)


def learned(algorithm: str, **settings: Any) -> Any:
    chosen = {"policy_kwargs": {**SMALL}, "seed": 1, "device": "cpu", **SETTINGS[algorithm], **settings}
    model = getattr(sb3, algorithm)("MlpPolicy", seat(SEATS[algorithm]), **chosen)
    return model.learn(64)


@pytest.fixture(scope="module", params=sorted(SEATS))
def model(request: pytest.FixtureRequest) -> Any:
    return learned(request.param)


@pytest.fixture(scope="module")
def dqn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sb3") / "dqn"
    SB3Agent.of(learned("DQN")).save(folder)
    return folder


@pytest.fixture
def copy(dqn: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return copytree(dqn, tmp_path / "copy")


def seen(model: Any, rows: int = 20) -> np.ndarray:
    return np.random.default_rng(2).uniform(-1, 1, (rows, *model.observation_space.shape)).astype(np.float32)


def test_what_was_saved_plays_as_the_model_did(model: Any, tmp_path: Path) -> None:
    SB3Agent.of(model).save(tmp_path / "kept")
    again, observations = load_agent(tmp_path / "kept"), seen(model)
    assert isinstance(again, SB3Agent)
    wanted = model.predict(observations, deterministic=True)[0]
    np.testing.assert_array_equal(again.play(observations), wanted)
    name = SEATS[type(model).__name__]
    one = again.act({name: observations[3]})[name]
    np.testing.assert_allclose(one, wanted[3], atol=1e-6)
    assert model.action_space.contains(one if one.shape else np.int64(one))


def test_it_is_an_agent_that_plays_a_market_alone_and_in_many_rows(model: Any) -> None:
    agent, name = SB3Agent.of(model), SEATS[type(model).__name__]
    assert isinstance(agent, Agent)
    assert isinstance(agent, BatchAgent)
    team = Team({name: agent, "generator": Rule("truthful")})
    rolled = rollout(SHORT, team, seed=0)
    assert (rolled.information, rolled.sees) == ("forecast", "own")
    markets = gridmarl.vector_env("auction", 3, seats="coal_1", others=team, intervals=12)
    markets.reset(seed=0)
    rows = [markets.step({"generator": np.full((3, 1), 5)})[1]["generator"][:, 0] for _ in range(12)]
    assert np.isfinite(rows).all()


def test_nothing_that_was_saved_is_pickled(dqn: Path) -> None:
    assert sorted(path.name for path in dqn.iterdir()) == [CARD, WEIGHTS]
    assert json.loads((dqn / CARD).read_text("utf-8"))["algorithm"] == "DQN"
    assert all(isinstance(t, torch.Tensor) for t in safetensors.torch.load((dqn / WEIGHTS).read_bytes()).values())


def test_a_team_file_names_it_by_its_kind(dqn: Path) -> None:
    team = Team.from_mapping({"seats": {"gas_1": {"kind": "sb3", "policy": str(dqn)}}})
    agent = team.agents["gas_1"]
    assert isinstance(agent, SB3Agent)
    assert agent.card.settings == {"net_arch": [16, 8]}


def test_training_on_leaves_the_player_as_it_was() -> None:
    model = learned("SAC")
    agent, observations = SB3Agent.of(model), seen(model)
    before = agent.play(observations)
    model.learn(64)
    np.testing.assert_array_equal(agent.play(observations), before)
    assert not np.array_equal(model.predict(observations, deterministic=True)[0], before)


def test_scores_of_the_observations_are_taken_along(tmp_path: Path) -> None:
    from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

    env = VecNormalize(DummyVecEnv([lambda: seat("gas_1")]), clip_obs=3.0)
    model = sb3.DQN("MlpPolicy", env, learning_starts=20, policy_kwargs={**SMALL}, seed=0, device="cpu").learn(200)
    SB3Agent.of(model).save(tmp_path)
    agent, raw = SB3Agent.load(tmp_path), 5 * seen(model, 200)
    wanted = model.predict(env.normalize_obs(raw), deterministic=True)[0]
    np.testing.assert_array_equal(agent.play(raw), wanted)
    assert not np.array_equal(model.predict(raw, deterministic=True)[0], wanted)


def test_other_activations_and_actors_that_differ_from_critics_are_built_anew(tmp_path: Path) -> None:
    kwargs = {"net_arch": {"pi": [8], "qf": [16, 16]}, "activation_fn": torch.nn.Tanh, "n_critics": 1}
    model = learned("TD3", policy_kwargs=kwargs)
    SB3Agent.of(model).save(tmp_path)
    wanted = model.predict(seen(model), deterministic=True)[0]
    np.testing.assert_array_equal(SB3Agent.load(tmp_path).play(seen(model)), wanted)


def test_one_role_learns_through_supersuit_and_sits_in_all_its_seats(tmp_path: Path) -> None:
    ss = pytest.importorskip("supersuit", reason="seats of a role are made rows by SuperSuit")
    market = gridmarl.parallel_env("auction", seats="generator", others="truthful")
    rows = ss.concat_vec_envs_v1(ss.pettingzoo_env_to_vec_env_v1(market), 1, base_class="stable_baselines3")
    model = sb3.PPO("MlpPolicy", rows, n_steps=16, batch_size=32, n_epochs=1, policy_kwargs={**SMALL}, device="cpu")
    SB3Agent.of(model.learn(100)).save(tmp_path)
    rolled = rollout(SHORT, Team({"generator": SB3Agent.load(tmp_path)}), seed=0)
    grid = np.linspace(20, 200, 20)
    prices = np.concatenate([rolled.of_seat(name, "offer_price_per_mwh") for name in market.possible_agents])
    offered = prices[prices > 0]  # at night the sun offers nothing
    assert len(offered) > 24
    assert np.abs(offered[:, None] - grid).min(1).max() < 1e-6


def code(path: Path) -> None:
    (path / CARD).unlink()


def other_weights(path: Path) -> None:
    (path / WEIGHTS).write_bytes((path / WEIGHTS).read_bytes()[:-4] + b"\0\0\0\1")


def change(**values: Any) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        card = json.loads((path / CARD).read_text("utf-8"))
        (path / CARD).write_text(json.dumps({**card, **values}), "utf-8")

    return spoil


def replace(weights: bytes) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        (path / WEIGHTS).write_bytes(weights)
        change(weights_sha256=digest_of(weights))(path)

    return spoil


@pytest.mark.parametrize(
    "spoil, named",
    [
        (code, r"sb3\.json of a policy"),
        (other_weights, "sha256"),
        (lambda path: (path / CARD).write_text("[]"), "format"),
        (lambda path: (path / CARD).write_text("{"), "allowed: JSON"),
        (change(format=9), "format"),
        (change(algorithm="QRDQN"), "algorithm"),
        (change(settigns=1), "settigns"),
        (change(role="trader"), "role: got 'trader'"),
        (change(codec="price-gird"), "did you mean 'price-grid'"),
        (change(observation_version=0), "version of the observations"),
        (change(settings={"net_arch": [99]}), "size mismatch"),
        (change(settings={"activation_fn": "Module"}), "activation_fn"),
        (change(settings={"net_arhc": [16]}), "net_arhc"),
        (replace(b"\x80\x05pickled"), "weights of policy 'copy'"),
        (replace(safetensors.torch.save({"policy.x": torch.zeros(2)})), "Missing key"),
        (replace(safetensors.torch.save({"policy.x": torch.tensor([np.nan])})), "NaN"),
    ],
)
def test_a_foreign_or_corrupted_file_is_refused_by_name(copy: Path, spoil: Callable[[Path], None], named: str) -> None:
    spoil(copy)
    with pytest.raises(PolicyError, match=named):
        SB3Agent(copy)


def test_an_archive_of_stable_baselines3_is_refused_because_it_may_hold_code(tmp_path: Path) -> None:
    learned("DQN").save(tmp_path / "model.zip")
    with pytest.raises(PolicyError, match=r"may hold code.*SB3Agent\.of"):
        SB3Agent(tmp_path / "model.zip")


def test_models_that_a_card_cannot_describe_are_refused() -> None:
    from stable_baselines3.common.torch_layers import FlattenExtractor

    class Own(FlattenExtractor): ...

    with pytest.raises(PolicyError, match="features_extractor_class"):
        SB3Agent.of(learned("DQN", policy_kwargs={**SMALL, "features_extractor_class": Own}))
    with pytest.raises(PolicyError, match="activation_fn"):
        SB3Agent.of(learned("DQN", policy_kwargs={**SMALL, "activation_fn": torch.nn.Hardswish}))
    with pytest.raises(PolicyError, match="shape: got"):
        SB3Agent.of(sb3.DQN("MlpPolicy", gymnasium.make("CartPole-v1"), device="cpu"))
    with pytest.raises(PolicyError, match="DDPG"):
        SB3Agent.of(sb3.DDPG("MlpPolicy", seat("battery_1"), device="cpu"))
    with pytest.raises(PolicyError, match="actions of the model for codec 'order'"):
        SB3Agent.of(learned("DQN"), codec="order")


def test_another_codec_is_kept_in_its_own_units(tmp_path: Path) -> None:
    env = seat("gas_1", codecs={"gas_1": "order"})
    model = sb3.SAC("MlpPolicy", env, policy_kwargs={**SMALL}, seed=0, device="cpu")
    SB3Agent.of(model, codec="order").save(tmp_path)
    agent = SB3Agent.load(tmp_path)
    assert agent.codecs == {"generator": "order"}
    np.testing.assert_array_equal(agent.play(seen(model)), model.predict(seen(model), deterministic=True)[0])
    assert agent.card.action_space == env.action_space


def test_it_sits_only_where_it_learned(dqn: Path) -> None:
    agent = SB3Agent(dqn)
    with pytest.raises(PolicyError, match="64 fields of a generator"):
        agent.act({"battery_1": np.zeros(48, np.float32)})


def test_without_the_library_the_remedy_is_named(dqn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "stable_baselines3", None)
    with pytest.raises(PolicyError, match=r"gridmarl\[sb3\]"):
        SB3Agent(dqn)
