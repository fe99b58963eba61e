from __future__ import annotations

import math
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from gridmarl.errors import TrainingError
from gridmarl.learning.algorithms.actor_critic import ActorCritic, ActorCriticRecipe, Batch, GroupLearner, sample
from gridmarl.learning.device import repeatable
from gridmarl.learning.interface import ActionSpec, Algorithm, GroupSpec, HearsEpisodes
from gridmarl.learning.memory.replay import Transitions
from gridmarl.learning.recipe import parse_recipe
from gridmarl.learning.tasks import task_of
from gridmarl.learning.trainer import Training

FLOAT32 = 1e-5
"""Relative tolerance of sums in single precision."""
CPU = torch.device("cpu")
Kind = Literal["td3", "sac"]
KINDS: tuple[Kind, ...] = ("td3", "sac")
ROWS = 6
"""Environments, and rows of a batch."""
PENDULUM: Mapping[str, object] = {
    "algorithm": "actor_critic",
    "gymnasium": "Pendulum-v1",
    "num_envs": 2,
    "steps": 800,
    "n_step": 3,
    "hidden": [16],
    "batch_size": 16,
    "replay_size": 500,
    "learn_from": 100,
    "random_steps": 100,
    "learn_every": 4,
    "correlation": 0.5,
    "evaluate_every": 400,
    "checkpoint_every": 200,
    "select_seeds": 1,
    "test_seeds": 1,
}


def group(seats: int = 3, fields: int = 48, components: int = 1) -> GroupSpec:
    names = tuple(f"battery_{number}" for number in range(seats))
    spec = ActionSpec(low=-np.ones(components), high=np.ones(components))
    return GroupSpec("storage", names, fields, spec, np.ones(seats))


def recipe_of(kind: Kind = "td3", **settings: object) -> ActorCriticRecipe:
    recipe = parse_recipe(
        {
            "algorithm": "actor_critic",
            "kind": kind,
            "num_envs": ROWS,
            "random_steps": 0,
            "learning_rate_last": 1e-3,
            **settings,
        },
        "test",
    )
    assert isinstance(recipe, ActorCriticRecipe)
    return recipe


def learner(kind: Kind = "td3", seats: int = 3, components: int = 1, **settings: object) -> ActorCritic:
    return ActorCritic(recipe_of(kind, **settings), {"storage": group(seats, components=components)}, CPU)


def only(actor_critic: ActorCritic) -> GroupLearner:
    return actor_critic.learners["storage"]


def random_batch(seats: int = 3, components: int = 1, discount: float = 0.9, rows: int = ROWS) -> Transitions:
    rng = np.random.default_rng(3)
    s, s_next = rng.normal(size=(2, rows, seats, 48)).astype(np.float32)
    a = rng.uniform(-1, 1, (rows, seats, components)).astype(np.float32)
    r = rng.normal(size=(rows, seats)).astype(np.float32)
    nothing = np.zeros((rows, 0), np.float32)
    return Transitions(
        {"storage": s},
        {"storage": a},
        {"storage": r},
        {"storage": s_next},
        np.full(rows, discount, np.float32),
        nothing,
        nothing,
        np.arange(rows),
    )


def samples(mine: GroupLearner, batch: Transitions) -> Batch:
    """As the learner reads them, once its normaliser has seen them."""
    s = torch.from_numpy(batch.s["storage"])
    mine.pi.normaliser.observe(2.0 * s.reshape(-1, s.shape[-1]) + 1.0)
    return mine._samples(batch, "storage")


def observations(seats: int = 3) -> dict[str, np.ndarray]:
    return {"storage": np.random.default_rng(4).normal(size=(ROWS, seats, 48)).astype(np.float32)}


def same(before: dict[str, Tensor], after: dict[str, Tensor]) -> bool:
    return before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)


def part(state: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key: tensor for key, tensor in state.items() if key.startswith(f"{name}.")}


@pytest.mark.parametrize("kind, last", [("td3", 1), ("sac", 2)])
def test_storages_actor_is_48_64_32_1_and_its_twin_critics_49_64_32_1(kind: Kind, last: int) -> None:
    mine = only(learner(kind))
    assert mine.pi.layers.sizes == (48, 64, 32, last)
    assert mine.Q.layers.sizes == (49, 64, 32, 1)
    assert mine.Q.layers.copies == 2
    assert mine.Q(torch.zeros(7, 3, 48), torch.zeros(7, 3, 1)).shape == (2, 7, 3)


def test_the_log_density_is_that_of_a_gaussian_squashed_by_tanh() -> None:
    """Against the density from torch's own distributions, and it integrates to 1 over the actions."""
    y = torch.tensor([[0.3, -0.8, -0.5, 0.2]], dtype=torch.float64)
    epsilon = torch.tensor([[0.7, -1.1]], dtype=torch.float64)
    a, found = sample(y, epsilon)
    normal = torch.distributions.Normal(y[:, :2], y[:, 2:].exp())
    squashed = torch.distributions.TransformedDistribution(normal, torch.distributions.TanhTransform())
    torch.testing.assert_close(found, squashed.log_prob(a).sum(-1))
    u = torch.linspace(-8, 8, 200_001, dtype=torch.float64)
    mu, log_sigma = 0.4, -0.3
    one = torch.tensor([[mu, log_sigma]], dtype=torch.float64).expand(len(u), 2)
    a, log_density = sample(one, ((u - mu) / math.exp(log_sigma))[:, None])
    assert torch.trapezoid(log_density.exp(), a[:, 0]).item() == pytest.approx(1.0, abs=1e-4)


def test_the_log_density_stays_finite_where_tanh_has_become_one() -> None:
    y = torch.tensor([[30.0, 0.0], [-30.0, 0.0]], requires_grad=True)
    a, log_density = sample(y, torch.zeros(2, 1))
    assert a.abs().min().item() == 1.0
    assert log_density.isfinite().all()
    assert torch.autograd.grad(log_density.sum(), y)[0].isfinite().all()


def test_td3s_target_by_hand() -> None:
    """Smoothed with clipped noise, clipped to the actions, judged by the smaller critic."""
    actor_critic = learner("td3", target_noise=0.5, target_clip=0.3)
    mine = only(actor_critic)
    b = samples(mine, random_batch())
    with torch.no_grad():
        mine.Q_target.layers.biases[-1][0] += 0.01
        mine.pi_target.layers.biases[-1][:] = 0.4
    y = mine.target(b, np.random.default_rng(7))
    noise = np.random.default_rng(7).standard_normal((ROWS, 3, 1), np.float32)
    a_next = np.clip(mine.pi_target.greedy(b.s_next).numpy() + np.clip(0.5 * noise, -0.3, 0.3), -1, 1)
    values = mine.Q_target(mine.pi.normaliser(b.s_next), torch.from_numpy(a_next)).numpy()
    expected = b.r.numpy() + 0.9 * values.min(0)
    assert (values.argmin(0) == 0).any() and (values.argmin(0) == 1).any()  # noqa: PT018  # both critics are needed
    np.testing.assert_allclose(y.numpy(), expected, rtol=FLOAT32)


def test_sacs_target_by_hand() -> None:
    actor_critic = learner("sac", temperature=0.3)
    mine = only(actor_critic)
    b = samples(mine, random_batch())
    y = mine.target(b, np.random.default_rng(7))
    noise = torch.from_numpy(np.random.default_rng(7).standard_normal((ROWS, 3, 1), np.float32))
    a_next, log_density = sample(mine.pi(b.s_next), noise)
    value = mine.Q_target(mine.pi.normaliser(b.s_next), a_next).amin(0)
    torch.testing.assert_close(y, (b.r + 0.9 * (value - 0.3 * log_density)).detach())
    assert mine.recipe.kind == "sac" and not y.requires_grad  # noqa: PT018  # one idea


@pytest.mark.parametrize("kind", KINDS)
def test_where_the_world_ended_the_target_is_the_reward_and_where_it_was_cut_off_the_value_counts(kind: Kind) -> None:
    mine = only(learner(kind))
    ended, cut = (samples(mine, random_batch(discount=discount)) for discount in (0.0, 0.9))
    assert torch.equal(mine.target(ended, np.random.default_rng(0)), ended.r)
    assert (mine.target(cut, np.random.default_rng(0)) != cut.r).all()


def test_the_actors_losses_by_hand() -> None:
    td3, sac = only(learner("td3")), only(learner("sac", temperature=0.3))
    s, x = torch.from_numpy(random_batch().s["storage"]), samples(td3, random_batch()).x
    assert not torch.equal(s, x)
    loss, _ = td3.actor_loss(x, np.random.default_rng(0))
    assert loss.item() == pytest.approx(-td3.Q(x, td3.pi.greedy(s))[0].mean().item(), rel=FLOAT32)
    x = samples(sac, random_batch()).x
    loss, log_density = sac.actor_loss(x, np.random.default_rng(7))
    noise = torch.from_numpy(np.random.default_rng(7).standard_normal((ROWS, 3, 1), np.float32))
    a, expected = sample(sac.pi(s), noise)
    torch.testing.assert_close(log_density, expected.detach())
    assert loss.item() == pytest.approx((0.3 * expected - sac.Q(x, a).amin(0)).mean().item(), abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_each_loss_reaches_its_own_parameters_and_no_target_network(kind: Kind) -> None:
    actor_critic, batch = learner(kind, actor_every=2), random_batch()
    mine = only(actor_critic)
    b = samples(mine, batch)
    loss = mine.critic_loss(b, np.random.default_rng(0))
    assert all(
        g is None for g in torch.autograd.grad(loss, [*mine.pi.parameters()], allow_unused=True, retain_graph=True)
    )
    assert all(g is not None for g in torch.autograd.grad(loss, [*mine.Q.parameters()]))
    for _ in range(2):
        actor_critic.learn(batch, np.random.default_rng(0))
    for target in (mine.Q_target, mine.pi_target):
        assert all(p.grad is None and not p.requires_grad for p in target.parameters())


def test_td3s_actor_and_targets_move_only_every_second_update() -> None:
    actor_critic, batch, rng = (
        learner("td3", actor_every=2, tau=0.25, learning_rate=0.01),
        random_batch(),
        np.random.default_rng(0),
    )
    before = actor_critic.state_dict()
    actor_critic.learn(batch, rng)
    first = actor_critic.state_dict()
    for name in ("pi.storage", "pi_target.storage", "Q_target.storage"):
        assert same(part(before, name), part(first, name)), name
    assert not same(part(before, "Q.storage"), part(first, "Q.storage"))
    actor_critic.learn(batch, rng)
    second = actor_critic.state_dict()
    for name in ("pi.storage", "pi_target.storage", "Q_target.storage"):
        assert not same(part(first, name), part(second, name)), name


@pytest.mark.parametrize("kind", KINDS)
def test_target_networks_move_by_tau_towards_the_online_ones(kind: Kind) -> None:
    actor_critic = learner(kind, tau=0.25, learning_rate=0.01, actor_every=1)
    mine = only(actor_critic)
    for net, target in ((mine.Q, mine.Q_target), (mine.pi, mine.pi_target)):
        old = [p.clone() for p in target.parameters()]
        actor_critic.learn(random_batch(), np.random.default_rng(0))
        for was, now, online in zip(old, target.parameters(), net.parameters(), strict=True):
            torch.testing.assert_close(now, was + 0.25 * (online.detach() - was))


def test_the_temperature_rises_where_the_entropy_is_too_low_and_falls_where_it_is_too_high() -> None:
    mine = only(learner("sac", components=2))
    assert mine.entropy == -2.0  # minus one for each component of an action
    for log_density, sign in ((5.0, 1.0), (-5.0, -1.0)):
        loss = mine.temperature_loss(torch.full((ROWS, 3), log_density))
        (gradient,) = torch.autograd.grad(loss, mine.log_alpha)
        assert gradient.item() == pytest.approx(-(log_density - 2.0))
        assert np.sign(-gradient.item()) == sign  # what descending it does to log alpha


def test_the_temperature_learns_where_it_is_automatic_and_stays_where_it_is_not() -> None:
    for automatic in (True, False):
        actor_critic = learner("sac", automatic=automatic, temperature=0.5, learning_rate=0.01)
        found = actor_critic.learn(random_batch(), np.random.default_rng(0))
        alpha = only(actor_critic).log_alpha.exp().item()
        assert (alpha != pytest.approx(0.5)) == automatic
        assert ("alpha.storage" in found) == automatic


def one_step_task(a: np.ndarray) -> np.ndarray:
    """A reward that is highest at 0.3, whatever the state."""
    return -((a[..., 0] - 0.3) ** 2)


@pytest.mark.parametrize("kind", KINDS)
def test_the_best_action_of_a_one_step_task_is_found_and_sacs_entropy_is_the_wanted_one(kind: Kind) -> None:
    actor_critic = learner(kind, 1, learning_rate=2e-3, learning_rate_last=2e-3, entropy_each=-0.7, temperature=0.03)
    rng, batch = np.random.default_rng(0), random_batch(1, discount=0.0, rows=64)
    batch.s["storage"][:] = 0.1
    found: list[float] = []
    for _ in range(400):
        batch.a["storage"][:] = rng.uniform(-1, 1, batch.a["storage"].shape)
        batch.r["storage"][:] = one_step_task(batch.a["storage"])
        found.append(actor_critic.learn(batch, rng).get("entropy.storage", 0.0))
    action = actor_critic.act({"storage": batch.s["storage"]}, rng, explore=False)["storage"]
    assert action.mean() == pytest.approx(0.3, abs=0.1)
    assert np.mean(found[-100:]) == pytest.approx(-0.7 if kind == "sac" else 0.0, abs=0.25)


def test_gradients_are_clipped_at_their_norm() -> None:
    actor_critic, batch = learner(gradient_norm=0.01), random_batch()
    batch.r["storage"][:] = 1e6
    found = actor_critic.learn(batch, np.random.default_rng(0))
    norm = torch.cat([p.grad.flatten() for p in only(actor_critic).Q.parameters() if p.grad is not None]).norm()
    assert norm.item() == pytest.approx(0.01, rel=1e-3)
    assert found["norm_Q.storage"] > 1.0


@pytest.mark.parametrize("kind", KINDS)
def test_a_loss_that_is_not_finite_names_the_update_and_leaves_the_weights(kind: Kind) -> None:
    actor_critic, batch, rng = learner(kind, actor_every=1), random_batch(), np.random.default_rng(0)
    actor_critic.learn(batch, rng)
    before = actor_critic.state_dict()
    batch.r["storage"][0, 0] = np.nan
    with pytest.raises(TrainingError, match="loss of update 2") as refusal:
        actor_critic.learn(batch, rng)
    assert "learning_rate" in str(refusal.value)
    assert same(before, actor_critic.state_dict())


def test_td3_explores_with_gaussian_noise_around_its_action() -> None:
    actor_critic, rng = learner("td3", noise=0.05, num_envs=ROWS), np.random.default_rng(0)
    seen = observations()
    found = []
    for _ in range(400):
        noisy = actor_critic.act(seen, rng, explore=True)["storage"]
        found.append(noisy - actor_critic.act(seen, rng, explore=False)["storage"])
    assert np.std(found) == pytest.approx(0.05, rel=0.05)
    assert np.mean(found) == pytest.approx(0.0, abs=0.003)


def test_sac_explores_by_drawing_from_its_gaussian_and_plays_its_mean() -> None:
    actor_critic, rng = learner("sac", learning_rate=0.01), np.random.default_rng(0)
    seen, pi = observations(), only(actor_critic).pi
    greedy = actor_critic.act(seen, rng, explore=False)["storage"]
    torch.testing.assert_close(
        torch.from_numpy(greedy), torch.tanh(pi(torch.from_numpy(seen["storage"])))[..., :1].detach()
    )
    drawn = np.array([actor_critic.act(seen, rng, explore=True)["storage"] for _ in range(300)])
    sigma = pi(torch.from_numpy(seen["storage"]))[..., 1:].exp().detach().numpy()
    np.testing.assert_allclose(np.arctanh(drawn.clip(-0.999999, 0.999999)).std(0), sigma, rtol=0.25)


def test_the_first_steps_are_uniformly_random() -> None:
    actor_critic, rng = learner(random_steps=ROWS * 100), np.random.default_rng(0)
    drawn = np.array([actor_critic.act(observations(), rng, explore=True)["storage"] for _ in range(100)])
    assert np.histogram(drawn, 4, (-1, 1))[0] == pytest.approx(drawn.size / 4, rel=0.15)
    close = actor_critic.act(observations(), rng, explore=True)["storage"]
    assert np.abs(close - actor_critic.act(observations(), rng, explore=False)["storage"]).max() < 0.5


def test_noise_lasts_within_an_episode_and_begins_anew_in_the_environments_that_restart() -> None:
    actor_critic, rng = learner(correlation=0.99), np.random.default_rng(0)
    mine, seen = only(actor_critic), observations()
    actor_critic.act(seen, rng, explore=True)
    before = mine.epsilon.copy()
    restarted = np.array([True, False, True, False, False, False])
    actor_critic.begin(restarted, np.random.default_rng(0))
    actor_critic.act(seen, rng, explore=True)
    new = np.random.default_rng(0).standard_normal((2, *before.shape), np.float32)[1]
    np.testing.assert_array_equal(mine.epsilon[restarted], new[restarted])
    expected = 0.99 * before + np.sqrt(1 - 0.99**2) * new
    np.testing.assert_allclose(mine.epsilon[~restarted], expected[~restarted], rtol=1e-4, atol=1e-5)


def test_correlated_noise_keeps_a_variance_of_one() -> None:
    actor_critic, rng = learner(correlation=0.8), np.random.default_rng(0)
    drawn = []
    for _ in range(2000):
        actor_critic.act(observations(), rng, explore=True)
        drawn.append(only(actor_critic).epsilon)
    assert np.std(drawn) == pytest.approx(1.0, abs=0.05)
    steps = np.array(drawn)
    assert np.mean(steps[1:] * steps[:-1]) == pytest.approx(0.8, abs=0.08)


@pytest.mark.parametrize("share", [True, False])
def test_seats_that_share_parameters_differ_by_who_they_are_and_others_in_everything(share: bool) -> None:
    actor_critic = learner("sac", share=share, learning_rate=0.01)
    mine, s, a = only(actor_critic), torch.ones(1, 3, 48), torch.zeros(1, 3, 1)
    assert torch.equal(mine.Q(s, a)[:, 0, 0], mine.Q(s, a)[:, 0, 1]) == share
    for _ in range(3):
        actor_critic.learn(random_batch(), np.random.default_rng(0))
    values = mine.Q(s, a)
    assert not torch.equal(values[:, 0, 0], values[:, 0, 1])
    assert len(mine.log_alpha) == (1 if share else 3)


def test_critics_of_seats_that_share_nothing_are_in_the_right_order() -> None:
    mine, s = only(learner(share=False)), torch.randn(5, 3, 48, generator=torch.Generator().manual_seed(0))
    a = torch.zeros(5, 3, 1)
    weights = mine.Q.layers.weights[0]
    assert weights.shape[0] == 6
    (gradient,) = torch.autograd.grad(mine.Q(s, a)[1, :, 2].sum(), weights)  # the second critic of the third seat
    assert [copy for copy in range(6) if gradient[copy].abs().sum() > 0] == [5]


@pytest.mark.parametrize("kind", KINDS)
def test_greedy_play_changes_nothing(kind: Kind) -> None:
    actor_critic, rng = learner(kind), np.random.default_rng(0)
    actor_critic.act(observations(), rng, explore=True)
    before = actor_critic.state_dict()
    actor_critic.act({"storage": observations()["storage"] * 100}, rng, explore=False)
    assert same(before, actor_critic.state_dict())


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_that_is_taken_up_goes_on_to_equal_tensors(kind: Kind) -> None:
    batch, rng, seen = random_batch(), np.random.default_rng(0), observations()
    first, second = (learner(kind, seed=seed, correlation=0.9) for seed in (1, 2))
    for _ in range(3):
        first.act(seen, rng, explore=True)
        first.learn(batch, rng)
    second.load_state_dict(first.state_dict())
    assert same(first.state_dict(), second.state_dict())
    for actor_critic in (first, second):
        again = np.random.default_rng(1)
        actor_critic.begin(np.arange(ROWS) == 2, np.random.default_rng(0))
        actor_critic.act(seen, again, explore=True)
        actor_critic.learn(batch, again)
    assert same(first.state_dict(), second.state_dict())
    held = {name.partition(".")[0] for name in first.state_dict()}
    assert {"pi", "pi_target", "Q", "Q_target", "log_alpha", "adam_pi", "adam_Q", "noise", "fresh"} <= held
    assert ("adam_alpha" in held) == (kind == "sac")


def test_a_state_of_another_network_is_refused_by_the_tensors_name() -> None:
    actor_critic = learner()
    with pytest.raises(TrainingError, match=r"identity.*\(4, 64\)"):
        actor_critic.load_state_dict(learner(seats=2).state_dict())
    state = actor_critic.state_dict()
    del state["log_alpha.storage"]
    with pytest.raises(TrainingError, match=r"log_alpha\.storage.*got 'none'"):
        actor_critic.load_state_dict(state)


def test_a_potential_adds_what_energy_is_worth_and_takes_what_it_was_worth() -> None:
    """Field 0 of a battery is its state of charge; over n steps the discount is that of the state they end in."""
    spec = group()
    storage = GroupSpec("storage", spec.seats, 48, spec.actions, spec.scale, role="storage")
    shaped = ActorCritic(recipe_of(potential={"soc": 5.0}), {"storage": storage}, CPU)
    batch = random_batch(discount=0.5)
    found = only(shaped)._samples(batch, "storage").r.numpy()
    s, s_next = batch.s["storage"][..., 0], batch.s_next["storage"][..., 0]
    np.testing.assert_allclose(found, batch.r["storage"] + 0.5 * 5.0 * s_next - 5.0 * s, rtol=1e-4, atol=1e-5)
    with pytest.raises(TrainingError, match=r"potential.*'charge'.*storage"):
        ActorCritic(recipe_of(potential={"charge": 1.0}), {"storage": storage}, CPU)


def test_actions_to_choose_from_and_vector_rewards_are_refused_with_who_can_learn_them() -> None:
    recipe = learner().recipe
    choice = GroupSpec("generator", ("g",), 64, ActionSpec(choices=20), np.ones(1))
    with pytest.raises(TrainingError, match=r"generator.*dqn"):
        ActorCritic(recipe, {"generator": choice}, CPU)
    spec = ActionSpec(low=-np.ones(1), high=np.ones(1))
    vector = GroupSpec("operator", ("o",), 80, spec, np.ones((1, 3)), ("a", "b", "c"))
    with pytest.raises(TrainingError, match=r"operator.*multi_objective"):
        ActorCritic(recipe, {"operator": vector}, CPU)


def test_the_first_weights_depend_on_the_seed_and_the_two_critics_differ() -> None:
    one, again, other = (only(learner(seed=seed)) for seed in (1, 1, 2))
    for net in ("pi", "Q"):
        weights = [getattr(mine, net).layers.weights[0] for mine in (one, again, other)]
        assert torch.equal(weights[0], weights[1])
        assert not torch.equal(weights[0], weights[2])
    assert not torch.equal(one.Q.layers.weights[0][0], one.Q.layers.weights[0][1])
    assert same(dict(one.Q.named_parameters()), dict(deepcopy(one.Q_target).named_parameters()))


def test_actor_critic_is_an_algorithm_that_is_told_where_episodes_begin() -> None:
    algorithm: Algorithm = learner()  # type checkers look, too
    assert set(algorithm.policies) == {"storage"}
    assert isinstance(algorithm, HearsEpisodes)


@pytest.mark.parametrize("kind", KINDS)
def test_a_training_stopped_between_checkpoints_goes_on_to_equal_tensors(kind: Kind, tmp_path: Path) -> None:
    class StoppedError(Exception):
        """Stands for whatever stops a training."""

    recipe = parse_recipe({**PENDULUM, "kind": kind}, "pendulum")
    with repeatable(recipe):
        whole, first, second = (
            Training(recipe, task_of(recipe, None), tmp_path / name) for name in ("whole", "part", "part")
        )
        whole.run()
        advance = first._advance

        def stop() -> None:
            advance()
            if first.step > 550:
                raise StoppedError

        first._advance = stop
        with pytest.raises(StoppedError):
            first.run()
        second.resume()
        assert second.step == 400
        second.run()
    assert same(whole.algorithm.state_dict(), second.algorithm.state_dict())
    assert whole.updates == second.updates > 100
