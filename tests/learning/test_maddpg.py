from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gridmarl.errors import ScenarioError, TrainingError
from gridmarl.learning.algorithms.central_critics import AttentionCritic
from gridmarl.learning.algorithms.maddpg import MADDPG, MADDPGRecipe, gumbel_softmax
from gridmarl.learning.device import repeatable
from gridmarl.learning.interface import ActionSpec, Algorithm, GroupSpec, HearsEpisodes
from gridmarl.learning.keeping.checkpoints import MANIFEST, read_manifest, read_state
from gridmarl.learning.memory.replay import Transitions
from gridmarl.learning.memory.segments import read_arrays
from gridmarl.learning.recipe import parse_recipe
from gridmarl.learning.tasks import task_of
from gridmarl.learning.trainer import Training
from gridmarl.scenario.scenario import Scenario

FLOAT32 = 1e-5
"""Relative tolerance of sums in single precision."""
CPU = torch.device("cpu")
STATE = 7
HOMES = GroupSpec("home", ("home_1", "home_2"), 5, ActionSpec(low=-np.ones(3), high=np.ones(3)), np.ones(2))
UNITS = GroupSpec("unit", ("unit_1", "unit_2", "unit_3"), 4, ActionSpec(choices=6), np.ones(3))
GROUPS = {"home": HOMES, "unit": UNITS}
KINDS = pytest.mark.parametrize("attention", [False, True], ids=["central", "attention"])


def recipe(**settings: object) -> MADDPGRecipe:
    small = {"algorithm": "maddpg", "num_envs": 4, "learn_every": 4, "embedding": 8, "heads": 2}
    found = parse_recipe({**small, "hidden": [16], "critic_hidden": [16], **settings}, "test")
    assert isinstance(found, MADDPGRecipe)
    return found


def learner(groups: Mapping[str, GroupSpec] = GROUPS, state: int = STATE, **settings: object) -> MADDPG:
    return MADDPG(recipe(**settings), groups, state, CPU)


def random_batch(rows: int = 8, groups: Mapping[str, GroupSpec] = GROUPS, state: int = STATE) -> Transitions:
    rng = np.random.default_rng(3)

    def noise(*shape: int) -> Any:
        return rng.normal(size=shape).astype(np.float32)

    def action(g: GroupSpec) -> Any:
        shape = rows, len(g.seats), *g.actions.shape
        whole = g.actions.discrete
        return (rng.integers(0, g.actions.choices, shape) if whole else rng.uniform(-1, 1, shape)).astype(np.float32)

    return Transitions(
        {name: noise(rows, len(g.seats), g.fields) for name, g in groups.items()},
        {name: action(g) for name, g in groups.items()},
        {name: noise(rows, len(g.seats)) for name, g in groups.items()},
        {name: noise(rows, len(g.seats), g.fields) for name, g in groups.items()},
        np.full(rows, 0.9, np.float32),
        noise(rows, state),
        noise(rows, state),
        np.arange(rows),
    )


def observations(rows: int = 4, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {n: rng.normal(size=(rows, len(g.seats), g.fields)).astype(np.float32) for n, g in GROUPS.items()}


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def same(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> bool:
    return before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)


class Told(nn.Module):
    """A critic that says what it is told, and remembers what it was asked."""

    def __init__(self, *twins: float) -> None:
        super().__init__()
        self.twins = torch.tensor(twins)
        self.asked: list[tuple[Tensor, Mapping[str, Tensor], Mapping[str, Tensor], Tensor]] = []

    def forward(self, x: Tensor, o: Mapping[str, Tensor], a: Mapping[str, Tensor], own: Tensor) -> Tensor:
        self.asked.append((x, o, a, own))
        return self.twins[:, None, None].expand(-1, *own.shape[:2]) + 0.0 * own.sum()


def tell(maddpg: MADDPG, where: str, name: str, *twins: float) -> Told:
    told: Any = Told(*twins)
    getattr(maddpg, where)[name] = told
    return told


def critic_loss(maddpg: MADDPG, batch: Transitions, name: str) -> float:
    return maddpg.critic_losses(maddpg._samples(batch), rng())[name].item()


def test_the_targets_of_cut_off_and_of_ended_episodes_by_hand() -> None:
    """Twins say 3 and 5 of s', so y = 1 + 0.9 * 3 where the episode was cut off and 1 where its world ended."""
    maddpg, batch = learner(), random_batch(2)
    tell(maddpg, "Q_target", "unit", 5.0, 3.0)
    tell(maddpg, "Q", "unit", 2.0, 4.0)
    batch.r["unit"][:] = 1.0
    batch.discount[:] = [0.9, 0.0]
    cut, over = 1.0 + 0.9 * 3.0, 1.0
    expected = sum(((q - cut) ** 2 + (q - over) ** 2) / 2 for q in (2.0, 4.0))
    assert critic_loss(maddpg, batch, "unit") == pytest.approx(expected, rel=FLOAT32)


def test_a_target_reads_the_next_state_and_what_the_target_actors_would_do_there() -> None:
    maddpg, batch = learner(smoothing=False), random_batch()
    told = tell(maddpg, "Q_target", "home", 0.0, 0.0)
    critic_loss(maddpg, batch, "home")
    x, o, a, own = told.asked[0]
    assert np.array_equal(x.numpy(), batch.state_next)
    assert np.array_equal(o["unit"].numpy(), batch.s_next["unit"])
    o_home, o_unit = (torch.from_numpy(batch.s_next[name]) for name in ("home", "unit"))
    torch.testing.assert_close(a["home"], torch.tanh(maddpg.mu_target["home"](o_home)))
    assert torch.equal(a["unit"].argmax(-1), maddpg.mu_target["unit"](o_unit).argmax(-1))
    assert own is a["home"]


def test_in_the_actors_loss_only_the_own_action_is_the_policys_and_the_others_stay_as_replayed() -> None:
    maddpg, batch = learner(), random_batch()
    told = {name: tell(maddpg, "Q", name, 0.0, 0.0) for name in GROUPS}
    maddpg.actor_losses(maddpg._samples(batch), rng())
    for name in GROUPS:
        x, o, a, own = told[name].asked[0]
        assert np.array_equal(x.numpy(), batch.state)
        assert np.array_equal(o[name].numpy(), batch.s[name])
        assert np.array_equal(a["home"].numpy(), batch.a["home"])
        assert np.array_equal(a["unit"].argmax(-1).numpy(), batch.a["unit"])
        assert not any(replayed.requires_grad for replayed in a.values())
        assert own.requires_grad
    policy = torch.tanh(maddpg.mu["home"](torch.from_numpy(batch.s["home"])))
    torch.testing.assert_close(told["home"].asked[0][3], policy)


@KINDS
@pytest.mark.parametrize("share", [True, False])
def test_a_seats_value_reads_its_own_action_once_and_the_replayed_ones_of_all_others(
    attention: bool, share: bool
) -> None:
    maddpg = learner(attention=attention, share=share)
    now = maddpg._samples(random_batch())
    a = {name: found.clone().requires_grad_() for name, found in now.a.items()}
    own = now.a["unit"].clone().requires_grad_()
    value = maddpg.Q["unit"](now.x, now.o, a, own)[0, :, 1].sum()  # of unit_2
    by_own, by_home, by_unit = torch.autograd.grad(value, (own, a["home"], a["unit"]))
    assert by_own[:, 1].abs().sum() > 0
    assert by_own[:, [0, 2]].abs().sum() == 0
    assert by_unit[:, 1].abs().sum() == 0  # what it did then is not what it would do
    assert (by_unit[:, [0, 2]].abs().sum((0, 2)) > 0).all()
    assert (by_home.abs().sum((0, 2)) > 0).all()


@KINDS
def test_an_actors_loss_descends_when_its_value_rises_and_its_gradient_reaches_its_group_alone(attention: bool) -> None:
    maddpg = learner(attention=attention, logit_cost=0.0)
    now = maddpg._samples(random_batch())
    loss = maddpg.actor_losses(now, rng())["home"]
    own = torch.tanh(maddpg.mu["home"](now.o["home"]))
    assert loss.item() == pytest.approx(-maddpg.Q["home"](now.x, now.o, now.a, own)[0].mean().item(), rel=FLOAT32)
    mine, theirs = list(maddpg.mu["home"].parameters()), list(maddpg.mu["unit"].parameters())
    found = torch.autograd.grad(loss, [*mine, *theirs], allow_unused=True)
    assert sum(g.abs().sum().item() for g in found[: len(mine)] if g is not None) > 0
    assert all(g is None for g in found[len(mine) :])


def test_actors_see_their_own_seat_alone() -> None:
    maddpg, seen = learner(), observations()
    before = maddpg.act(seen, rng(), explore=False)
    seen["home"][:, 1] += 1.0
    after = maddpg.act(seen, rng(), explore=False)
    assert np.array_equal(before["home"][:, 0], after["home"][:, 0])
    assert not np.array_equal(before["home"][:, 1], after["home"][:, 1])
    assert np.array_equal(before["unit"], after["unit"])


@KINDS
def test_targets_get_no_gradient_and_move_by_tau_with_the_late_actors(attention: bool) -> None:
    maddpg, batch = learner(attention=attention, tau=0.25, delay=2, learning_rate=0.01), random_batch()
    losses = maddpg.critic_losses(maddpg._samples(batch), rng())
    sum(losses.values(), torch.zeros(())).backward()
    for networks in (maddpg.mu_target, maddpg.Q_target):
        for network in networks.values():
            assert all(p.grad is None and not p.requires_grad for p in network.parameters())
    assert all(p.grad is None for mu in maddpg.mu.values() for p in mu.parameters())
    first = {name: deepcopy(module) for name, module in maddpg._modules().items()}
    assert "loss.actor.home" in maddpg.learn(batch, rng())
    for kind in ("mu", "Q"):
        old, online, target = (next(iter(m.parameters())) for m in _three(first, maddpg, kind))
        torch.testing.assert_close(target, old + 0.25 * (online - old))
    before = maddpg.state_dict()
    assert "loss.actor.home" not in maddpg.learn(batch, rng())
    after = maddpg.state_dict()
    moved = {n.partition(".")[0] for n in before if n.endswith("weights.0") and not torch.equal(before[n], after[n])}
    assert moved == {"Q"}


def _three(first: Mapping[str, nn.Module], maddpg: MADDPG, kind: str) -> tuple[nn.Module, nn.Module, nn.Module]:
    return first[f"{kind}_target.home"], getattr(maddpg, kind)["home"], getattr(maddpg, f"{kind}_target")["home"]


def test_without_twins_there_is_one_critic() -> None:
    now = learner()._samples(random_batch())
    for twins, count in ((True, 2), (False, 1)):
        assert learner(twins=twins).Q["home"](now.x, now.o, now.a, now.a["home"]).shape == (count, 8, 2)


def test_smoothing_noise_is_clipped_and_actions_stay_in_bounds() -> None:
    maddpg, o = learner(smoothing_noise=10.0, smoothing_clip=0.1), torch.randn(500, 2, 5)
    plain = torch.tanh(maddpg.mu_target["home"](o))
    smooth = maddpg._target_action("home", o, rng())
    assert (smooth - plain).abs().max().item() == pytest.approx(0.1, rel=FLOAT32)
    maddpg = learner(smoothing_noise=10.0, smoothing_clip=5.0)
    assert maddpg._target_action("home", o, rng()).abs().max().item() == 1.0


def test_a_smoothed_choice_is_drawn_and_a_plain_one_is_the_best() -> None:
    o = torch.zeros(3000, 3, 4)
    for smoothing, distinct in ((True, 6), (False, 1)):
        chosen = learner(smoothing=smoothing)._target_action("unit", o, rng())
        assert chosen.shape == (3000, 3, 6)
        assert torch.equal(chosen.sum(-1), torch.ones(3000, 3))
        assert len(chosen[:, 0].argmax(-1).unique()) == distinct


def test_gumbel_softmax_draws_in_proportion_and_passes_the_soft_gradient() -> None:
    y = torch.tensor([1.0, 0.0, -1.0]).expand(40_000, 3).clone().requires_grad_()
    gumbel = torch.from_numpy(rng().gumbel(size=(40_000, 3)).astype(np.float32))
    drawn = gumbel_softmax(y, gumbel, 0.7)
    assert set(drawn.detach().round(decimals=5).unique().tolist()) == {0.0, 1.0}
    torch.testing.assert_close(drawn.detach().mean(0), torch.softmax(y[0].detach(), -1), atol=0.01, rtol=0)
    value = torch.tensor([3.0, -2.0, 0.5])
    (hard,) = torch.autograd.grad((drawn * value).sum(), y)
    (soft,) = torch.autograd.grad((torch.softmax((y + gumbel) / 0.7, -1) * value).sum(), y)
    torch.testing.assert_close(hard, soft)


def test_exploring_draws_choices_in_proportion_and_adds_noise_to_numbers_that_falls_with_the_steps() -> None:
    maddpg = learner(num_envs=2000, learn_every=2000, steps=20_000, learn_from=1, noise_first=0.4, noise_last=0.0)
    seen = {name: np.zeros((2000, *o.shape[1:]), np.float32) for name, o in observations().items()}
    greedy = maddpg.act(seen, rng(), explore=False)
    maddpg.steps = 1
    chosen = maddpg.act(seen, rng(), explore=True)
    with torch.inference_mode():
        expected = torch.softmax(maddpg.mu["unit"](torch.zeros(1, 3, 4)), -1)[0, 0].numpy()
    np.testing.assert_allclose(np.bincount(chosen["unit"][:, 0], minlength=6) / 2000, expected, atol=0.04)
    assert np.std(chosen["home"][:, 0, 0] - greedy["home"][:, 0, 0]) == pytest.approx(0.4, rel=0.1)
    maddpg.steps = 20_000
    np.testing.assert_allclose(maddpg.act(seen, rng(), explore=True)["home"], greedy["home"], atol=1e-6)


def test_before_learning_begins_numbers_are_uniform() -> None:
    maddpg = learner(num_envs=2000, learn_every=2000, learn_from=10)
    seen = {name: np.zeros((2000, *o.shape[1:]), np.float32) for name, o in observations().items()}
    drawn = maddpg.act(seen, rng(), explore=True)["home"]
    np.testing.assert_allclose(np.histogram(drawn, 4, (-1, 1))[0] / drawn.size, 0.25, atol=0.02)


def test_noise_remembers_within_an_episode_and_is_reset_where_one_ended() -> None:
    maddpg = learner(num_envs=3000, learn_every=3000, learn_from=1, noise_memory=0.9)
    maddpg.steps = 1
    seen, stream = {n: np.zeros((3000, *o.shape[1:]), np.float32) for n, o in observations().items()}, rng()
    maddpg.act(seen, stream, explore=True)
    first = maddpg.noise["home"].copy()
    ended = np.arange(3000) < 1500
    maddpg.begin(ended, rng())
    maddpg.act(seen, stream, explore=True)
    second = maddpg.noise["home"]
    correlation = [np.corrcoef(first[rows].ravel(), second[rows].ravel())[0, 1] for rows in (ended, ~ended)]
    assert correlation == pytest.approx([0.0, 0.9], abs=0.05)
    assert second.std() == pytest.approx(1.0, abs=0.03)  # remembering changes no deviation
    assert isinstance(maddpg, HearsEpisodes)


def test_where_the_world_has_no_state_critics_read_all_observations() -> None:
    batch = random_batch(state=0)
    for maddpg in (learner(state=0), learner(state=False)):
        x = maddpg._samples(batch).x
        assert x.shape == (8, 2 * 5 + 3 * 4)
        expected = np.concatenate([batch.s["home"].reshape(8, -1), batch.s["unit"].reshape(8, -1)], 1)
        assert np.array_equal(x.numpy(), expected)
        maddpg.learn(batch, rng())
    assert recipe().needs_state
    assert not recipe(state=False).needs_state
    assert not recipe(attention=True).needs_state


@KINDS
def test_a_single_seat_alone_learns_too(attention: bool) -> None:
    groups = {"home": GroupSpec("home", ("only",), 5, HOMES.actions, np.ones(1))}
    maddpg = learner(groups, attention=attention)
    found = maddpg.learn(random_batch(groups=groups), rng())
    assert np.isfinite([*found.values()]).all()


@KINDS
def test_seats_that_share_parameters_differ_by_who_they_are_alone(attention: bool) -> None:
    maddpg = learner(attention=attention, learning_rate=0.01, critic_learning_rate=0.01)
    o = {name: torch.ones(1, len(g.seats), g.fields) for name, g in GROUPS.items()}
    a = {name: torch.zeros(1, len(g.seats), g.actions.size) for name, g in GROUPS.items()}

    def values() -> Tensor:
        return maddpg.Q["unit"](torch.ones(1, STATE), o, a, a["unit"])[0, 0]

    torch.testing.assert_close(values()[0], values()[1], rtol=FLOAT32, atol=0)  # nothing is known of anybody yet
    for _ in range(3):
        maddpg.learn(random_batch(), rng())
    assert abs((values()[0] - values()[1]).item()) > 1e-3
    mu = maddpg.mu["unit"](o["unit"])[0]
    assert not torch.equal(mu[0], mu[1])


@KINDS
def test_seats_that_share_nothing_have_networks_of_their_own(attention: bool) -> None:
    maddpg = learner(attention=attention, share=False)
    now = maddpg._samples(random_batch())
    value = maddpg.Q["unit"](now.x, now.o, now.a, now.a["unit"])[0, :, 1].sum()
    (gradient,) = torch.autograd.grad(value, maddpg.Q["unit"].layers.layers.weights[0])
    touched = gradient.abs().sum((1, 2)) > 0
    assert touched.tolist() == [
        False,
        True,
        False,
        False,
        False,
        False,
    ]  # of both twins' three seats, the first's second
    (gradient,) = torch.autograd.grad(maddpg.mu["unit"](now.o["unit"])[:, 1].sum(), maddpg.mu["unit"].layers.weights[0])
    assert (gradient.abs().sum((1, 2)) > 0).tolist() == [False, True, False]


def test_attention_weighs_the_others_by_hand() -> None:
    """Two others with scores 0 and log 3 count 1/4 and 3/4; a seat does not hear itself."""
    groups = {"unit": GroupSpec("unit", UNITS.seats, 1, ActionSpec(low=-np.ones(1), high=np.ones(1)), np.ones(3))}
    maddpg = learner(groups, attention=True, embedding=1, heads=1, twins=False)
    critic = maddpg.Q["unit"]
    assert isinstance(critic, AttentionCritic)
    with torch.no_grad():
        for p in critic.parameters():
            p.zero_()
        critic.encoders[0].layers.weights[0][0, 1, 0] = 1.0  # pyright: ignore  # e = relu(a)
        for layer in (critic.queries, critic.keys, critic.values):
            layer.weights[0].fill_(1.0)
    heard: list[Tensor] = []
    critic.layers.register_forward_pre_hook(lambda _, inputs: heard.append(inputs[0]))
    a = torch.tensor([[[0.7], [0.0], [float(np.log(3.0))]]])
    own = torch.tensor([[[1.0], [1.0], [1.0]]])
    critic(torch.zeros(1, 0), {"unit": torch.zeros(1, 3, 1)}, {"unit": a}, own)
    e_own, x = heard[0][0, 0, 0].tolist()
    assert e_own == pytest.approx(1.0)
    assert x == pytest.approx(0.75 * np.log(3.0), rel=FLOAT32)


@KINDS
def test_losses_that_are_not_finite_name_the_update_and_leave_every_tensor(attention: bool) -> None:
    maddpg, batch = learner(attention=attention), random_batch()
    maddpg.learn(batch, rng())
    maddpg.learn(batch, rng())
    before = maddpg.state_dict()
    for spoilt in (batch.r["home"], batch.s["unit"]):
        kept = spoilt.copy()
        spoilt.flat[0] = np.nan
        with pytest.raises(TrainingError, match="loss of update 3"):
            maddpg.learn(batch, rng())
        assert same(before, maddpg.state_dict())
        spoilt[...] = kept


def test_gradients_are_clipped_at_their_norm() -> None:
    maddpg, batch = learner(gradient_norm=0.01), random_batch()
    batch.r["home"][:] = 1e6
    maddpg.learn(batch, rng())
    for network in (maddpg.Q["home"], maddpg.mu["home"]):
        norm = torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None]).norm().item()
        assert norm <= 0.01 * 1.001
    assert torch.cat([p.grad.flatten() for p in maddpg.Q["home"].parameters() if p.grad is not None]).norm() > 0.0099


def test_the_actors_normaliser_learns_while_it_explores_and_the_critics_while_it_learns() -> None:
    maddpg, seen = learner(), observations()
    maddpg.act(seen, rng(), explore=True)
    mean = maddpg.mu["home"].normaliser.mean.clone()
    torch.testing.assert_close(mean, torch.from_numpy(seen["home"]).mean((0, 1)))
    before = maddpg.state_dict()
    maddpg.act({name: o * 100 for name, o in seen.items()}, rng(), explore=False)
    assert same(before, maddpg.state_dict())
    batch = random_batch()
    maddpg.learn(batch, rng())
    assert torch.equal(maddpg.mu["home"].normaliser.mean, mean)
    critic: Any = maddpg.Q["home"]
    torch.testing.assert_close(critic.x_normaliser.mean, torch.from_numpy(batch.state).mean(0))
    torch.testing.assert_close(maddpg.Q_target["home"].x_normaliser.mean, critic.x_normaliser.mean)  # pyright: ignore


@KINDS
def test_a_state_that_is_taken_up_goes_on_to_equal_tensors(attention: bool) -> None:
    batch, stream = random_batch(), rng()
    first, second = (learner(attention=attention, seed=seed, noise_memory=0.5, learn_from=1) for seed in (1, 2))
    for number in range(3):
        first.act(observations(seed=number), stream, explore=True)
        first.learn(batch, stream)
    first.begin(np.array([True, False, True, False]), rng())
    second.load_state_dict(first.state_dict())
    assert same(first.state_dict(), second.state_dict())
    for maddpg in (first, second):
        maddpg.act(observations(seed=9), np.random.default_rng(1), explore=True)
        maddpg.learn(batch, np.random.default_rng(1))
    assert same(first.state_dict(), second.state_dict())


def test_a_state_of_another_recipe_is_refused_by_the_tensors_name() -> None:
    with pytest.raises(TrainingError, match=r"mu\.home\.identity.*\(3, 16\)"):
        learner().load_state_dict(learner(hidden=[9]).state_dict())
    with pytest.raises(TrainingError, match=r"noise\.home.*\(4, 2, 3\)"):
        learner().load_state_dict(learner(num_envs=3).state_dict())


def test_the_first_weights_depend_on_the_seed_and_the_same_seed_learns_equal_tensors() -> None:
    def learned(seed: int) -> dict[str, Tensor]:
        maddpg = learner(seed=seed)
        maddpg.learn(random_batch(), rng())
        return maddpg.state_dict()

    one, again, other = learned(1), learned(1), learned(2)
    assert same(one, again)
    for name in ("mu.home.layers.weights.0", "Q.unit.layers.layers.weights.0"):
        assert not torch.equal(one[name], other[name])


def test_a_potential_adds_what_energy_is_worth_and_takes_what_it_was_worth() -> None:
    """Field 0 of a battery is its state of charge; a group without a potential keeps its rewards."""
    storage = GroupSpec(
        "storage", ("b", "c"), 48, ActionSpec(low=-np.ones(1), high=np.ones(1)), np.ones(2), role="storage"
    )
    groups = {"storage": storage}
    batch = random_batch(groups=groups)
    batch.discount[:] = 0.5
    found = learner(groups, potential={"soc": 5.0})._samples(batch).r["storage"].numpy()
    plain = learner(groups)._samples(batch).r["storage"].numpy()
    s, s_next = batch.s["storage"][..., 0], batch.s_next["storage"][..., 0]
    np.testing.assert_allclose(found, batch.r["storage"] + 0.5 * 5.0 * s_next - 5.0 * s, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(plain, batch.r["storage"])
    with pytest.raises(TrainingError, match=r"potential.*'charge'.*storage"):
        learner(groups, potential={"charge": 1.0})


def test_a_vector_reward_and_heads_that_do_not_divide_the_embedding_are_refused() -> None:
    vector = GroupSpec("operator", ("o",), 80, ActionSpec(choices=25), np.ones((1, 3)), ("a", "b", "c"))
    with pytest.raises(TrainingError, match=r"operator.*multi_objective"):
        learner({"operator": vector})
    with pytest.raises(ScenarioError, match="embedding 9 is no multiple of heads 2"):
        recipe(embedding=9)


def test_maddpg_is_an_algorithm() -> None:
    algorithm: Algorithm = learner()  # type checkers look, too
    assert set(algorithm.policies) == {"home", "unit"}


def played(groups: Mapping[str, GroupSpec], reward: Callable[[dict[str, Any]], Any], **settings: object) -> Any:
    """What the seats do after learning a game of one step from random play."""
    maddpg = learner(groups, STATE, learning_rate=0.01, critic_learning_rate=0.01, delay=1, **settings)
    batch = random_batch(256, groups)
    common = reward(batch.a).astype(np.float32)
    for name in groups:
        batch.r[name][:] = common[:, None]
    for observed in batch.s.values():
        observed[:] = 0.0
    batch.discount[:] = 0.0
    stream = rng()
    for _ in range(250):
        maddpg.learn(batch, stream)
    seen = {name: np.zeros((1, len(g.seats), g.fields), np.float32) for name, g in groups.items()}
    return maddpg.act(seen, stream, explore=False)


@KINDS
def test_two_seats_learn_numbers_that_pay_both(attention: bool) -> None:
    """The first at 0.5, the second at -0.5: 0 to pay, where random play pays 2 / 3 + 1 / 2 on average."""
    spec = {"home": GroupSpec("home", HOMES.seats, 1, ActionSpec(low=-np.ones(1), high=np.ones(1)), np.ones(2))}

    def reward(a: Mapping[str, Any]) -> Any:
        return -((a["home"][:, 0, 0] - 0.5) ** 2) - (a["home"][:, 1, 0] + 0.5) ** 2

    found = played(spec, reward, attention=attention)
    assert -reward(found)[0] < 0.1


@KINDS
def test_three_seats_learn_choices_that_pay_all(attention: bool) -> None:
    def reward(a: Mapping[str, Any]) -> Any:
        return (a["unit"] == np.array([4.0, 1.0, 2.0])).sum(1)

    found = played({"unit": UNITS}, reward, attention=attention)
    assert found["unit"].tolist() == [[4, 1, 2]]


VILLAGE: Mapping[str, object] = {
    "name": "village",
    "interval_min": 60,
    "intervals": 8,
    "profiles": {"demand": {"shape": "constant"}},
    "generators": [
        {"name": "cheap", "capacity_mw": 40, "cost_per_mwh": 30},
        {"name": "dear", "capacity_mw": 100, "cost_per_mwh": 100},
    ],
    "consumers": [{"name": "town", "load_mw": 60, "flexible_share": 0.3, "dr_price_per_mwh": 50}],
}
RUN: Mapping[str, object] = {
    "seats": ["cheap", "town"],
    "n_step": 2,
    "discount": 0.5,
    "steps": 480,
    "learn_from": 40,
    "replay_size": 300,
    "evaluate_every": 240,
    "checkpoint_every": 120,
    "select_seeds": 2,
    "test_seeds": 2,
    "noise_memory": 0.5,
}


def training(folder: Path) -> Training:
    settings = recipe(**RUN)
    return Training(settings, task_of(settings, Scenario.parse(VILLAGE, "village")), folder)


def kept(folder: Path) -> dict[str, Any]:
    """Arrays of a checkpoint."""
    manifest = read_manifest(folder / "checkpoint")
    parts = read_state(folder / "checkpoint", manifest.state)
    found = {f"{part}/{name}": array for part, arrays in parts.items() for name, array in arrays.items()}
    for segment in manifest.replay:
        found |= {f"{segment.first}/{n}": a for n, a in read_arrays(folder / "checkpoint", segment).items()}
    return found


def test_generators_that_choose_and_consumers_with_numbers_learn_together_and_resume_to_equal_tensors(
    tmp_path: Path,
) -> None:
    class StoppedError(Exception):
        """Stands for whatever stops a training."""

    with repeatable(recipe(**RUN)):
        whole = training(tmp_path / "whole")
        report = whole.run()
        broken = training(tmp_path / "broken")
        advance = broken._advance

        def stop() -> None:
            advance()
            if broken.step > 300:  # not at a checkpoint
                raise StoppedError

        broken._advance = stop
        with pytest.raises(StoppedError):
            broken.run()
        resumed = training(tmp_path / "broken")
        resumed.resume()
        assert resumed.step == 240
        resumed.run()
    one, other = kept(tmp_path / "whole"), kept(tmp_path / "broken")
    assert one.keys() == other.keys()
    assert {name for name in one if not np.array_equal(one[name], other[name])} == set()
    assert {"algorithm/noise.consumer", "algorithm/fresh", "algorithm/Q_target.consumer.others"} <= set(one)
    assert (tmp_path / "whole" / "checkpoint" / MANIFEST).is_file()
    assert set(report.metrics["test"].profit) == {"cheap", "town"}


def test_the_trainer_tells_when_episodes_end(tmp_path: Path) -> None:
    run = training(tmp_path)
    algorithm = run.algorithm
    assert isinstance(algorithm, MADDPG)
    fresh: list[bool] = []
    for _ in range(16):
        run._advance()
        fresh.append(bool(algorithm.fresh.all()))
    assert np.flatnonzero(fresh).tolist() == [7, 15]  # every eighth step is an episode's last
