from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import Tensor

from gridmarl.agents.networks import LEAST_DEVIATION, Normaliser, SeatNetwork
from gridmarl.errors import TrainingError
from gridmarl.learning.algorithms.dqn import DQN, DQNRecipe, td_target
from gridmarl.learning.interface import ActionSpec, Algorithm, GroupSpec
from gridmarl.learning.recipe import parse_recipe
from tests.learning.worlds import group, random_batch

FLOAT32 = 1e-6
"""Relative tolerance of sums in single precision."""
CPU = torch.device("cpu")


def recipe(**settings: object) -> DQNRecipe:
    found = parse_recipe(settings, "test")
    assert isinstance(found, DQNRecipe)
    return found


def learner(seats: int = 3, **settings: object) -> DQN:
    return DQN(recipe(**settings), {"generator": group(seats)}, CPU)


def linear(weights: list[list[float]]) -> SeatNetwork:
    """Q(s, a) = weights[a] · s, for states within the normaliser's clip."""
    network = SeatNetwork((len(weights[0]), len(weights)))
    network.state_dict()["layers.weights.0"].copy_(torch.tensor(weights).T[None])
    network.state_dict()["layers.biases.0"].zero_()
    return network


def one(value: float) -> Tensor:
    return torch.tensor([[value]])


def same(before: dict[str, Tensor], after: dict[str, Tensor]) -> bool:
    return before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)


def test_a_generators_network_is_64_128_64_32_20() -> None:
    dqn = learner()
    weights = [tuple(w.shape[1:]) for w in dqn.Q["generator"].layers.weights]
    assert weights == [(64, 128), (128, 64), (64, 32), (32, 20)]
    assert dqn.Q["generator"](torch.zeros(7, 3, 64)).shape == (7, 3, 20)
    seen = {"generator": np.zeros((7, 3, 64), np.float32)}
    assert dqn.act(seen, np.random.default_rng(0), explore=False)["generator"].shape == (7, 3)


def test_the_target_by_hand() -> None:
    """Q prefers action 1 in s' = 2, where Q_target says 2 * 3 = 6; Q_target itself prefers action 0, 2 * 5 = 10."""
    Q, Q_target = linear([[1.0], [2.0]]), linear([[5.0], [3.0]])
    r, s_next = one(0.5), torch.tensor([[[2.0]]])
    assert td_target(Q, Q_target, r, s_next, one(0.9), double=True).item() == pytest.approx(0.5 + 0.9 * 6, rel=FLOAT32)
    assert td_target(Q, Q_target, r, s_next, one(0.9), double=False).item() == pytest.approx(9.5, rel=FLOAT32)
    assert td_target(Q, Q_target, r, s_next, one(0.0), double=True).item() == pytest.approx(0.5, rel=FLOAT32)


def test_the_loss_by_hand() -> None:
    """Huber: the error 1 - 5.9 counts linearly beyond 1, |error| - 1/2."""
    dqn = DQN(recipe(hidden=[]), {"generator": group(1, 1, 2)}, CPU)
    dqn.Q["generator"], dqn.Q_target["generator"] = linear([[1.0], [2.0]]), linear([[5.0], [3.0]])
    batch = random_batch(1, 1, 1, 2)
    batch.s["generator"][:], batch.a["generator"][:] = 1.0, 0.0
    batch.r["generator"][:], batch.s_next["generator"][:] = 0.5, 2.0
    assert dqn.loss("generator", batch).item() == pytest.approx(4.9 - 0.5, rel=FLOAT32)


def test_dueling_values_average_to_the_states_value() -> None:
    dqn = learner(dueling=True)
    Q, s = dqn.Q["generator"], torch.randn(5, 3, 64, generator=torch.Generator().manual_seed(0))
    values = Q(s)
    assert values.shape == (5, 3, 20)
    assert Q.sizes[-1] == 21
    raw = deepcopy(Q)
    raw.head = "values"
    torch.testing.assert_close(values.mean(-1), raw(s)[..., 0])
    torch.testing.assert_close(values - values.mean(-1, keepdim=True), raw(s)[..., 1:] - raw(s)[..., 1:].mean(-1, True))


def test_the_target_network_gets_no_gradient_and_changes_only_when_it_follows() -> None:
    dqn = learner(target_every=3, learning_rate=0.01)
    batch, rng = random_batch(), np.random.default_rng(0)
    Q, Q_target = dqn.Q["generator"], dqn.Q_target["generator"]
    dqn.loss("generator", batch).backward()
    assert all(p.grad is None and not p.requires_grad for p in Q_target.parameters())
    assert all(p.grad is not None for p in Q.parameters())
    dqn.learn(batch, rng)
    before = deepcopy(Q_target.state_dict())
    dqn.learn(batch, rng)
    dqn.learn(batch, rng)
    assert same(before, Q_target.state_dict())
    online = deepcopy(Q.state_dict())
    dqn.learn(batch, rng)  # the fourth step begins with a copy
    assert same(online, Q_target.state_dict())


def test_a_target_network_that_follows_slowly_moves_by_tau() -> None:
    dqn = learner(target_every=1, tau=0.25, learning_rate=0.01)
    batch, rng = random_batch(), np.random.default_rng(0)
    dqn.learn(batch, rng)
    old = dqn.Q_target["generator"].layers.weights[0].clone()
    online = dqn.Q["generator"].layers.weights[0].detach().clone()
    dqn.learn(batch, rng)
    torch.testing.assert_close(dqn.Q_target["generator"].layers.weights[0], old + 0.25 * (online - old))


def test_seats_that_share_parameters_differ_by_who_they_are_alone() -> None:
    dqn = learner(learning_rate=0.01)
    Q, s = dqn.Q["generator"], torch.ones(1, 3, 64)
    assert torch.equal(Q(s)[0, 0], Q(s)[0, 1])  # nothing is known of anybody yet
    for _ in range(3):
        dqn.learn(random_batch(), np.random.default_rng(0))
    assert not torch.equal(Q(s)[0, 0], Q(s)[0, 1])
    torch.testing.assert_close(Q(s[:, :1], torch.tensor([1]))[0, 0], Q(s)[0, 1])
    assert Q.identity is not None
    assert torch.equal(Q.identity[-1], torch.zeros(128))  # a stranger's row is never learned
    assert Q(s[:, :1], torch.tensor([-1])).shape == (1, 1, 20)


def test_seats_that_share_nothing_learn_nothing_from_each_other() -> None:
    dqn = learner(share=False, gradient_norm=1e9)
    batch = random_batch()
    weights = dqn.Q["generator"].layers.weights[0]
    assert weights.shape[0] == 3
    s = torch.from_numpy(batch.s["generator"])
    torch.testing.assert_close(dqn.Q["generator"](s)[:, 1:2], dqn.Q["generator"](s[:, 1:2], torch.tensor([1])))
    chosen = dqn.Q["generator"](s)[:, 1].sum()  # of one seat
    (gradient,) = torch.autograd.grad(chosen, weights)
    assert gradient[1].abs().sum() > 0
    assert gradient[[0, 2]].abs().sum() == 0


def test_a_loss_that_is_not_finite_names_the_update_and_leaves_the_weights() -> None:
    dqn, batch, rng = learner(), random_batch(), np.random.default_rng(0)
    dqn.learn(batch, rng)
    before = dqn.state_dict()
    batch.r["generator"][0, 0] = np.nan
    with pytest.raises(TrainingError, match="loss of update 2") as refusal:
        dqn.learn(batch, rng)
    assert "learning_rate" in str(refusal.value)
    assert same(before, dqn.state_dict())


def test_gradients_are_clipped_at_their_norm() -> None:
    dqn, batch = learner(gradient_norm=0.01), random_batch()
    batch.r["generator"][:] = 1e6
    dqn.learn(batch, np.random.default_rng(0))
    norm = torch.cat([p.grad.flatten() for p in dqn.Q["generator"].parameters() if p.grad is not None]).norm()
    assert norm.item() == pytest.approx(0.01, rel=1e-3)


def test_epsilon_is_the_share_of_random_actions_and_falls_with_the_steps_explored() -> None:
    dqn = learner(2, epsilon_first=0.4, epsilon_last=0.4)
    s = {"generator": np.zeros((2000, 2, 64), np.float32)}
    greedy = dqn.act(s, np.random.default_rng(0), explore=False)["generator"]
    assert len(np.unique(greedy)) == 1
    moved = (dqn.act(s, np.random.default_rng(0), explore=True)["generator"] != greedy).mean()
    assert moved == pytest.approx(0.4 * 19 / 20, abs=0.03)  # 4 standard deviations of 4,000 draws
    assert dqn.steps == 2000
    falling = learner(2, epsilon_first=1.0, epsilon_last=0.0, epsilon_steps=2000)
    everything = np.bincount(falling.act(s, np.random.default_rng(0), explore=True)["generator"].ravel(), minlength=20)
    assert everything.min() > 0
    late = falling.act(s, np.random.default_rng(0), explore=True)["generator"]
    assert len(np.unique(late)) == 1


def test_the_normaliser_learns_while_it_explores_and_is_frozen_in_evaluation_and_learning() -> None:
    dqn, rng = learner(), np.random.default_rng(0)
    seen = {"generator": rng.normal(3.0, 2.0, (50, 3, 64)).astype(np.float32)}
    dqn.act(seen, rng, explore=True)
    mean = dqn.Q["generator"].normaliser.mean.clone()
    torch.testing.assert_close(mean, torch.from_numpy(seen["generator"]).mean((0, 1)))
    before = dqn.state_dict()
    dqn.act({"generator": seen["generator"] * 100}, rng, explore=False)
    assert same(before, dqn.state_dict())
    dqn.learn(random_batch(), rng)
    assert torch.equal(dqn.Q["generator"].normaliser.mean, mean)


def test_a_state_that_is_taken_up_goes_on_to_equal_tensors() -> None:
    batch, rng = random_batch(), np.random.default_rng(0)
    first, second = learner(seed=1), learner(seed=2)
    seen = {"generator": rng.normal(size=(9, 3, 64)).astype(np.float32)}
    for _ in range(3):
        first.act(seen, rng, explore=True)
        first.learn(batch, rng)
    second.load_state_dict(first.state_dict())
    assert same(first.state_dict(), second.state_dict())
    for dqn in (first, second):
        dqn.act(seen, np.random.default_rng(1), explore=True)
        dqn.learn(batch, rng)
    assert same(first.state_dict(), second.state_dict())


def test_a_state_of_another_network_is_refused_by_the_tensors_name() -> None:
    dqn = learner()
    with pytest.raises(TrainingError, match=r"Q\.generator\.identity.*\(3, 128\)"):
        dqn.load_state_dict(learner(2).state_dict())
    state = dqn.state_dict()
    del state["Q_target.generator.layers.weights.1"]
    with pytest.raises(TrainingError, match=r"Q_target\.generator\.layers\.weights\.1.*got 'none'"):
        dqn.load_state_dict(state)


def test_actions_of_numbers_and_vector_rewards_are_refused_with_who_can_learn_them() -> None:
    numbers = GroupSpec("storage", ("b",), 48, ActionSpec(low=-np.ones(1), high=np.ones(1)), np.ones(1))
    with pytest.raises(TrainingError, match=r"storage.*actor_critic"):
        DQN(recipe(), {"storage": numbers}, CPU)
    vector = GroupSpec("operator", ("o",), 80, ActionSpec(choices=25), np.ones((1, 3)), ("a", "b", "c"))
    with pytest.raises(TrainingError, match=r"operator.*multi_objective"):
        DQN(recipe(), {"operator": vector}, CPU)


def test_the_first_weights_depend_on_the_seed_and_leave_torchs_own_stream_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one, again, other = (learner(seed=seed).Q["generator"].layers.weights[0] for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_dqn_is_an_algorithm() -> None:
    algorithm: Algorithm = learner()  # type checkers look, too
    assert set(algorithm.policies) == {"generator"}


def test_the_running_mean_and_deviation_are_those_of_everything_seen() -> None:
    x = np.random.default_rng(0).normal(3.0, 2.0, (500, 4)).astype(np.float32)
    x[:, 3] = 7.0
    normaliser = Normaliser(4)
    for part in np.array_split(x, 7):
        normaliser.observe(torch.from_numpy(part))
    np.testing.assert_allclose(normaliser.mean.numpy(), x.mean(0), rtol=1e-5)
    np.testing.assert_allclose(normaliser.deviation.numpy()[:3], x.std(0)[:3], rtol=1e-5)
    assert normaliser.deviation[3].item() == pytest.approx(LEAST_DEVIATION)
