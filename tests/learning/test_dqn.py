from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch

from gridmarl.agents.networks import LEAST_DEVIATION, Normaliser, ValueNetwork
from gridmarl.errors import PolicyError
from gridmarl.learning.dqn import DQN, Samples, samples_of, td_loss, td_target
from gridmarl.learning.recipe import Recipe
from gridmarl.learning.replay import Transitions

FLOAT32 = 1e-6
"""Relative tolerance of sums in single precision."""


def recipe(**settings: float) -> Recipe:
    return Recipe.parse(settings, "test")


def linear(weights: list[list[float]]) -> ValueNetwork:
    """Q(s, a) = weights[a] · s, for states within the normaliser's clip."""
    network = ValueNetwork((len(weights[0]), len(weights)))
    network.state_dict()["layers.0.weight"].copy_(torch.tensor(weights))
    network.state_dict()["layers.0.bias"].zero_()
    return network


def random_batch(rows: int = 8, seats: int = 3) -> Transitions:
    rng = np.random.default_rng(3)
    s = rng.normal(size=(rows, seats, 64)).astype(np.float32)
    a = rng.integers(0, 20, (rows, seats)).astype(np.float32)
    r = rng.normal(size=(rows, seats)).astype(np.float32)
    return Transitions(s, a, r, s[::-1].copy(), np.zeros(rows, np.float32))


def test_a_generators_network_is_64_128_64_32_20() -> None:
    learner = DQN(recipe(), 64, 20)
    shapes = [tuple(p.shape) for name, p in learner.Q.named_parameters() if name.endswith("weight")]
    assert shapes == [(128, 64), (64, 128), (32, 64), (20, 32)]
    assert learner.Q(torch.zeros(7, 3, 64)).shape == (7, 3, 20)
    assert learner.act(np.zeros((7, 3, 64), np.float32), np.random.default_rng(0)).shape == (7, 3)


def test_the_target_by_hand() -> None:
    """Q prefers action 1 in s' = 2, where Q_target says 2 * 3 = 6; Q_target itself prefers action 0, 2 * 5 = 10."""
    Q, Q_target = linear([[1.0], [2.0]]), linear([[5.0], [3.0]])
    s = torch.tensor([[1.0]])
    batch = Samples(
        s=s, a=torch.tensor([0]), r=torch.tensor([0.5]), s_next=torch.tensor([[2.0]]), d=torch.tensor([0.0])
    )
    assert td_target(Q, Q_target, batch, 0.9, double=True).item() == pytest.approx(0.5 + 0.9 * 6, rel=FLOAT32)
    assert td_target(Q, Q_target, batch, 0.9, double=False).item() == pytest.approx(0.5 + 0.9 * 10, rel=FLOAT32)
    ended = batch._replace(d=torch.tensor([1.0]))
    assert td_target(Q, Q_target, ended, 0.9, double=True).item() == pytest.approx(0.5, rel=FLOAT32)
    # Huber: the error 1 - 5.9 counts linearly, |error| - 1/2
    loss = td_loss(Q, Q_target, batch, recipe(discount=0.9, huber=1.0))
    assert loss.item() == pytest.approx(4.9 - 0.5, rel=FLOAT32)


def test_the_target_network_gets_no_gradient_and_changes_only_when_copied() -> None:
    learner = DQN(recipe(target_every=3, learning_rate=0.01), 64, 20)
    batch = random_batch()
    loss = td_loss(learner.Q, learner.Q_target, samples_of(batch), learner.recipe)
    loss.backward()
    assert all(p.grad is None and not p.requires_grad for p in learner.Q_target.parameters())
    assert all(p.grad is not None for p in learner.Q.parameters())
    learner.learn(batch)
    before = deepcopy(learner.Q_target.state_dict())
    learner.learn(batch)
    learner.learn(batch)
    assert all(torch.equal(before[name], tensor) for name, tensor in learner.Q_target.state_dict().items())
    online = deepcopy(learner.Q.state_dict())
    learner.learn(batch)  # the fourth update begins with a copy
    assert all(torch.equal(online[name], tensor) for name, tensor in learner.Q_target.state_dict().items())


def test_seats_that_share_parameters_are_samples() -> None:
    batch = random_batch(rows=2, seats=3)._replace(d=np.array([0.0, 1.0], np.float32))
    samples = samples_of(batch)
    assert samples.s.shape == (6, 64)
    assert samples.d.tolist() == [0, 0, 0, 1, 1, 1]
    np.testing.assert_array_equal(samples.s[4].numpy(), batch.s[1, 1])
    assert samples.r[4].item() == batch.r[1, 1]


def test_a_loss_that_is_not_finite_names_the_update_and_leaves_the_weights() -> None:
    learner = DQN(recipe(), 64, 20)
    batch = random_batch()
    learner.learn(batch)
    before = deepcopy(learner.Q.state_dict())
    with pytest.raises(PolicyError, match="loss of update 2") as refusal:
        learner.learn(batch._replace(r=np.full_like(batch.r, np.nan)))
    assert "learning_rate" in str(refusal.value)
    assert all(torch.equal(before[name], tensor) for name, tensor in learner.Q.state_dict().items())


def test_epsilon_is_the_share_of_random_actions() -> None:
    learner = DQN(recipe(), 64, 20)
    s = np.zeros((2000, 2, 64), np.float32)
    greedy = learner.act(s, np.random.default_rng(0))
    assert len(np.unique(greedy)) == 1
    moved = (learner.act(s, np.random.default_rng(0), 0.4) != greedy).mean()
    assert moved == pytest.approx(0.4 * 19 / 20, abs=0.03)  # 4 standard deviations of 4,000 draws
    everything = np.bincount(learner.act(s, np.random.default_rng(0), 1.0).ravel(), minlength=20)
    assert everything.min() > 0


def test_the_first_weights_depend_on_the_seed_and_leave_torchs_own_stream_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one, same, other = (DQN(recipe(seed=seed), 64, 20).Q.state_dict()["layers.0.weight"] for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_the_running_mean_and_deviation_are_those_of_everything_seen() -> None:
    x = np.random.default_rng(0).normal(3.0, 2.0, (500, 4)).astype(np.float32)
    x[:, 3] = 7.0  # never varies
    normaliser = Normaliser(4)
    for part in np.split(x, [1, 20, 333]):
        normaliser.observe(torch.from_numpy(part))
    np.testing.assert_allclose(normaliser.mean.numpy(), x.mean(0), rtol=1e-5)
    np.testing.assert_allclose(normaliser.deviation.numpy()[:3], x[:, :3].std(0), rtol=1e-5)
    assert normaliser.deviation[3].item() == pytest.approx(LEAST_DEVIATION)
    scores = normaliser(torch.from_numpy(x))
    assert scores.mean().item() == pytest.approx(0.0, abs=1e-2)
