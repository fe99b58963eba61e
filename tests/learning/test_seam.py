"""What the trainer promises to any algorithm: state, vector rewards, actions of numbers, and a policy at the end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from gridmarl.agents.cards import outputs
from gridmarl.agents.networks import SeatNetwork
from gridmarl.agents.policies import StoredPolicy
from gridmarl.agents.rules import Rule
from gridmarl.agents.team import Team
from gridmarl.evaluation.rollout import rollout
from gridmarl.learning import recipe as recipes
from gridmarl.learning.descent.tensors import load_module, module_tensors, seeded
from gridmarl.learning.interface import ByGroup, GroupSpec, Metrics
from gridmarl.learning.memory.replay import Transitions
from gridmarl.learning.recipe import Recipe, load_recipe
from gridmarl.learning.tasks import task_of
from gridmarl.learning.trainer import Training, train
from gridmarl.learning.worlds.scales import OBJECTIVES
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import Float32, Int


class DabblerRecipe(Recipe):
    """An algorithm that asks for everything and learns nothing."""

    algorithm: str = "dabbler"
    head: str = "tanh"

    @property
    def needs_state(self) -> bool:
        return True

    @property
    def vector_rewards(self) -> bool:
        return True

    def build(self, groups: Mapping[str, GroupSpec], state_size: int, device: torch.device) -> Dabbler:
        return Dabbler(self, groups, state_size)


class Dabbler:
    """Player at random, keeps the batches it is given."""

    def __init__(self, recipe: DabblerRecipe, groups: Mapping[str, GroupSpec], state_size: int) -> None:
        self.groups, self.state_size = groups, state_size
        self.batches: list[Transitions] = []
        self.policies = {name: self._policy(recipe, group) for name, group in groups.items()}

    def _policy(self, recipe: DabblerRecipe, group: GroupSpec) -> SeatNetwork:
        head = "values" if group.actions.discrete else recipe.head
        sizes = (group.fields, 8, outputs(head, group.actions.size))
        return seeded(recipe.seed, SeatNetwork, sizes, len(group.seats), True, head)

    def act(self, observations: ByGroup, rng: np.random.Generator, explore: bool) -> dict[str, Float32 | Int]:
        if not explore:
            return {n: self.policies[n].greedy(torch.from_numpy(s)).detach().numpy() for n, s in observations.items()}
        found: dict[str, Float32 | Int] = {}
        for name, s in observations.items():
            actions = self.groups[name].actions
            shape = (*s.shape[:2], *actions.shape)
            numbers = rng.uniform(-1, 1, shape).astype(np.float32)
            found[name] = rng.integers(0, actions.choices, shape) if actions.discrete else numbers
        return found

    def learn(self, batch: Transitions, rng: np.random.Generator) -> Metrics:
        self.batches.append(batch)
        return {"noise": float(rng.normal())}

    def state_dict(self) -> dict[str, Tensor]:
        return {k: t for name, policy in self.policies.items() for k, t in module_tensors(name, policy).items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        for name, policy in self.policies.items():
            load_module(name, policy, state)


SETTINGS: Mapping[str, object] = {
    "algorithm": "dabbler",
    "seats": ["*", "operator"],
    "num_envs": 4,
    "steps": 120,
    "learn_from": 40,
    "learn_every": 4,
    "batch_size": 5,
    "n_step": 2,
    "evaluate_every": 60,
    "checkpoint_every": 60,
    "select_seeds": 2,
    "test_seeds": 2,
}


@pytest.fixture(autouse=True)
def _announced(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {**recipes.ALGORITHMS, "dabbler": f"{__name__}:DabblerRecipe"}
    monkeypatch.setattr(recipes, "ALGORITHMS", table)
    monkeypatch.setattr(recipes, "import_module", lambda name: __import__("sys").modules[name])


@pytest.fixture(scope="module")
def morning() -> Scenario:
    return Scenario.load("auction").but(intervals=6)


def recipe(**changes: object) -> Recipe:
    return load_recipe(DabblerRecipe.parse({**SETTINGS, **changes}, "dabbler"))


def test_a_batch_holds_all_groups_the_state_and_vector_rewards(morning: Scenario, tmp_path: Path) -> None:
    chosen = recipe()
    training = Training(chosen, task_of(chosen, morning), tmp_path)
    training.run()
    dabbler = training.algorithm
    assert isinstance(dabbler, Dabbler)
    batch = dabbler.batches[-1]
    assert set(batch.s) == {"generator", "storage", "consumer", "operator"}
    for name, group in training.groups.items():
        seats = len(group.seats)
        assert batch.s[name].shape == batch.s_next[name].shape == (5, seats, group.fields)
        assert batch.a[name].shape == (5, seats, *group.actions.shape)
        assert batch.r[name].shape == ((5, seats, len(OBJECTIVES)) if name == "operator" else (5, seats))
    assert batch.state.shape == batch.state_next.shape == (5, dabbler.state_size)
    assert dabbler.state_size == training.world.state_size > 100
    assert np.abs(batch.a["storage"]).max() <= 1
    assert set(np.round(batch.discount, 6)) <= {np.float32(0.9), np.float32(0.81)}
    assert set(training.curve[-1].metrics) == {"noise"}


@pytest.mark.parametrize("head", ["tanh", "gaussian"])
def test_actions_of_numbers_are_stretched_when_the_policy_plays(morning: Scenario, tmp_path: Path, head: str) -> None:
    train(recipe(seats="storage", head=head), env=morning, out=tmp_path, progress=False)
    policy = StoredPolicy(tmp_path)
    assert (policy.card.codec, policy.card.low, policy.card.high) == ("power", (-1.0,), (1.0,))
    team = Team({"storage": policy, "generator": Rule("truthful")})
    assert np.isfinite(rollout(morning, team, seed=0).of_seat("battery_1", "reward")).all()
    train(recipe(seats="consumer", head=head), env=morning, out=tmp_path / "share", progress=False)
    share = StoredPolicy(tmp_path / "share")
    seen = np.random.default_rng(0).normal(size=(50, share.card.sizes[0])).astype(np.float32)
    played = share.act_batch({share.card.seats[0]: seen}, np.random.default_rng(0), explore=False)
    values = np.concatenate([*played.values()])
    with torch.inference_mode():
        raw = share.network.greedy(torch.from_numpy(seen)[:, None], torch.tensor([0]))[:, 0].numpy()
    np.testing.assert_allclose(values, (raw + 1) / 2, rtol=1e-6)
    assert values.shape == (50, 1)
    assert 0 <= values.min() < values.max() <= 1


def test_what_an_algorithm_draws_in_learning_goes_on_after_a_resume(morning: Scenario, tmp_path: Path) -> None:
    chosen = recipe()
    whole = Training(chosen, task_of(chosen, morning), tmp_path / "whole")
    whole.run()
    first = Training(chosen, task_of(chosen, morning), tmp_path / "part")
    first._write_checkpoint()
    while first.step < 60:
        first._advance()
    first._evaluate()
    first._write_checkpoint()
    second = Training(chosen, task_of(chosen, morning), tmp_path / "part")
    second.resume()
    second.run()
    assert second.curve == whole.curve
    assert second.rng.bit_generator.state == whole.rng.bit_generator.state
