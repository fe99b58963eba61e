"""A warm start: what a planner did is told in the learner's words, and the learner then does it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gridmarl.agents.networks import SeatNetwork
from gridmarl.agents.rules import Rule
from gridmarl.agents.team import Team
from gridmarl.environment.compiled.codecs import GRID_PRICES
from gridmarl.errors import ScenarioError, TrainingError
from gridmarl.evaluation.rollout import rollout
from gridmarl.learning.device import repeatable
from gridmarl.learning.recipe import Clone, Recipe, load_recipe, parse_recipe
from gridmarl.learning.tasks import MarketTask, task_of
from gridmarl.learning.trainer import Training, train
from gridmarl.learning.warm_start import cloning, demonstrations
from gridmarl.learning.warm_start.cloning import imitation_loss
from gridmarl.learning.warm_start.demonstrations import demonstrate, prices, shares
from gridmarl.scenario.scenario import Scenario
from tests.environment.homes import street
from tests.learning.worlds import duopoly_world, quick_recipe

CLONE = {"episodes": 6, "steps": 600}
SHORT = {
    "seats": "battery_1",
    "num_envs": 4,
    "steps": 192,
    "learn_from": 96,
    "learn_every": 4,
    "random_steps": 96,
    "replay_size": 500,
    "evaluate_every": 96,
    "checkpoint_every": 96,
    "select_seeds": 8,
    "test_seeds": 2,
}


def one_battery() -> Scenario:
    """A day of one battery at a price that the sun presses at noon and the evening lifts."""
    return Scenario.load("caiso-battery").but(intervals=24)


def storage_recipe(**changes: object) -> Recipe:
    return load_recipe("storage", {**SHORT, **changes})


def market_task(recipe: Recipe, world: Scenario) -> MarketTask:
    task = task_of(recipe, world)
    assert isinstance(task, MarketTask)
    return task


def begun(recipe: Recipe, folder: Path, world: Scenario) -> Training:
    """A training that has imitated and written its first checkpoint."""
    with repeatable(recipe):
        training = Training(recipe, task_of(recipe, world), folder)
        training._begin()
        training._write_checkpoint()
    return training


@pytest.fixture(scope="module")
def cloned(tmp_path_factory: pytest.TempPathFactory) -> Training:
    return begun(storage_recipe(clone=CLONE), tmp_path_factory.mktemp("cloned"), one_battery())


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_before_its_first_step_a_clone_earns_more_than_the_untrained(
    seed: int, cloned: Training, tmp_path: Path
) -> None:
    recipe = storage_recipe(seed=seed)
    untrained = Training(recipe, task_of(recipe, one_battery()), tmp_path)._play("select", 8).scaled
    point = cloned.curve[0]
    assert (point.step, point.updates) == (0, 0)
    assert point.scaled > untrained + 0.2 * abs(point.metrics["demonstrated"])
    assert point.scaled > 0.5 * point.metrics["demonstrated"] > 0
    assert point.metrics["loss_clone.storage"] < 0.1


def test_the_same_seed_clones_to_equal_tensors_and_another_to_others(tmp_path: Path) -> None:
    clone = {"episodes": 1, "steps": 50}
    one, same, other = (
        begun(storage_recipe(clone=clone, seed=seed), tmp_path / name, one_battery()).algorithm.state_dict()
        for seed, name in ((3, "one"), (3, "same"), (4, "other"))
    )
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["pi.storage.layers.weights.0"], other["pi.storage.layers.weights.0"])


def test_targets_follow_the_clone_and_the_normaliser_has_seen_what_was_shown(cloned: Training) -> None:
    state = cloned.algorithm.state_dict()
    name = "storage.layers.weights.0"
    assert torch.equal(state[f"pi.{name}"], state[f"pi_target.{name}"])
    assert state["pi.storage.normaliser.count"] == 24 * CLONE["episodes"]


def test_a_clone_that_is_stopped_is_taken_up_without_cloning_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, world = storage_recipe(clone={"episodes": 2, "steps": 50}), one_battery()
    begun(recipe, tmp_path / "stopped", world)
    whole = train(recipe, env=world, out=tmp_path / "whole", progress=False)

    def never(*arguments: object) -> None:
        raise AssertionError("it imitated again")

    monkeypatch.setattr(cloning, "demonstrate", never)
    resumed = train(recipe, env=world, out=tmp_path / "stopped", progress=False, resume=True)
    weights = [(folder / "policy.safetensors").read_bytes() for folder in (whole, resumed)]
    assert weights[0] == weights[1]


def test_played_in_the_learners_words_a_battery_does_what_the_planner_did() -> None:
    task = market_task(storage_recipe(), one_battery())
    clone = Clone.parse({"episodes": 2}, "clone")
    shown = demonstrate(task, clone, 0)
    assert shown.s["storage"].shape == (48, 1, 48)
    team = Team({"battery_1": demonstrations.load_team("central").player_of("battery_1", "storage")})
    for episode in range(2):
        played = rollout(task.scenario, team, seed=0, split="train", episode=episode)
        said = shown.a["storage"][24 * episode : 24 * (episode + 1), 0, 0]
        np.testing.assert_allclose(10 * said, played.schedule("battery_1"), atol=1e-5)
    soc = shown.s["storage"][:, 0]
    assert (np.abs(soc[0] - soc[24]) < 1).all()  # each episode begins where episodes begin
    assert not np.array_equal(shown.a["storage"][:24], shown.a["storage"][24:])  # on another day


def test_a_generators_offer_becomes_the_nearest_price_of_the_grid() -> None:
    world = duopoly_world()
    group = market_task(load_recipe(quick_recipe(), {"seats": "generator"}), world).make(1, "train").groups["generator"]
    asked = {"cheap": Rule("fixed", price_per_mwh=51.0), "rival": Rule("truthful")}
    chosen = prices(rollout(world, Team(asked), seed=0, split="train"), world, group)
    assert chosen.shape == (8, 2)
    # 51 is between 48.4 and 57.9; the rival sells nothing and asks its cost, 100, between 95.8 and 105.3
    assert (chosen == [3, 8]).all()
    np.testing.assert_allclose(GRID_PRICES[[3, 8]], [48.421, 95.789], atol=1e-3)


def test_a_consumers_reduction_becomes_its_share_of_what_is_flexible() -> None:
    world = duopoly_world().but(
        consumers=[{"name": "town", "load_mw": 30, "flexible_share": 0.2, "dr_price_per_mwh": 10, "rebound_share": 0}]
    )
    recipe = load_recipe("maddpg", {"seats": "consumer", "num_envs": 1, "learn_every": 1})
    group = market_task(recipe, world).make(1, "train").groups["consumer"]
    half = Rule("peak-shaving", price_per_mwh=10.0)
    played = rollout(world, Team({"generator": Rule("truthful"), "town": half}), seed=0, split="train")
    assert played.schedule("town")[0] == pytest.approx(6.0)  # all that is flexible, for $10 against the unit's $30
    np.testing.assert_allclose(shares(played, world, group), 1.0, atol=1e-6)
    idle = rollout(world, Team({"generator": Rule("truthful")}), seed=0, split="train")
    np.testing.assert_allclose(shares(idle, world, group), -1.0, atol=1e-6)


def test_a_homes_battery_vehicle_and_load_become_one_action() -> None:
    world = street()
    recipe = load_recipe("maddpg-homes", {"num_envs": 1, "learn_every": 1})
    shown = demonstrate(market_task(recipe, world), Clone.parse({"episodes": 1}, "clone"), 0)
    (a,) = shown.a.values()
    (s,) = shown.s.values()
    assert (a.shape, s.shape) == ((24, 1, 3), (24, 1, 56))
    assert np.abs(a).max() <= 1
    assert np.ptp(a[:, 0, :2], axis=0).min() > 0.1  # battery and vehicle both move


@pytest.mark.parametrize("algorithm, seats", [("dqn", "generator"), ("maddpg", "generator")])
def test_choices_are_imitated_as_values_and_as_logits(algorithm: str, seats: str, tmp_path: Path) -> None:
    settings = {"algorithm": algorithm, "seats": seats, "num_envs": 4, "learn_every": 4, "select_seeds": 2}
    recipe = parse_recipe({**settings, "clone": {"team": "markup", "episodes": 2, "steps": 300}}, "it")
    training = begun(recipe, tmp_path, duopoly_world())
    shown = demonstrate(
        market_task(recipe, duopoly_world()), Clone.parse({"team": "markup", "episodes": 1}, "clone"), 0
    )
    greedy = training.algorithm.act(shown.s, np.random.default_rng(0), explore=False)["generator"]
    assert (greedy == shown.a["generator"]).mean() > 0.95


@torch.no_grad()
def test_losses_are_those_of_the_papers() -> None:
    network = SeatNetwork((2, 3))
    network.layers.weights[0].zero_()
    network.layers.biases[0].copy_(torch.tensor([[[1.0, 0.5, 0.95]]]))
    s, a = torch.zeros(1, 1, 2), torch.zeros(1, 1)
    assert float(imitation_loss(network, s, a, margin=0.1)) == pytest.approx(0.05)  # 0.95 + 0.1 - 1
    assert float(imitation_loss(network, s, a, margin=0.04)) == 0.0
    soft = np.exp([1.0, 0.5, 0.95])
    assert float(imitation_loss(network, s, a)) == pytest.approx(-np.log(soft[0] / soft.sum()), rel=1e-6)
    gaussian = SeatNetwork((2, 4), head="gaussian")
    gaussian.layers.weights[0].zero_()
    gaussian.layers.biases[0].copy_(torch.tensor([[[0.5, -0.5, 9.0, 9.0]]]))
    wanted = torch.tensor([[[0.0, 1.0]]])
    off = np.tanh(0.5) ** 2 + (np.tanh(-0.5) - 1.0) ** 2
    assert float(imitation_loss(gaussian, s, wanted)) == pytest.approx(off / 2, rel=1e-6)


def test_who_cannot_be_cloned_is_told_so(tmp_path: Path) -> None:
    operator = load_recipe("operator", {"clone": CLONE})
    with pytest.raises(TrainingError, match=r"clone for the algorithm.*multi_objective"):
        begun(operator, tmp_path / "operator", duopoly_world())
    levels = load_recipe("dqn", {"seats": "operator", "clone": CLONE})
    with pytest.raises(TrainingError, match=r"codec of group 'operator'.*levels.*price-grid"):
        begun(levels, tmp_path / "levels", duopoly_world())
    with pytest.raises(ScenarioError, match="clone imitates a team of our markets"):
        parse_recipe({"gymnasium": "CartPole-v1", "clone": {}}, "pole")
    with pytest.raises(ScenarioError, match="did you mean 'episodes'"):
        storage_recipe(clone={"episode": 3})
