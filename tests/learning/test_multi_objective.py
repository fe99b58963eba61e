from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from gridmarl.agents.make import vector_env
from gridmarl.agents.networks import PreferenceNetwork
from gridmarl.agents.policies import slots_of
from gridmarl.environment.compiled.fields import FIELDS
from gridmarl.errors import TrainingError
from gridmarl.learning.algorithms.multi_objective import MultiObjective, MultiObjectiveRecipe, td_target
from gridmarl.learning.interface import ActionSpec, Algorithm, GroupSpec, HearsEpisodes
from gridmarl.learning.memory.replay import Transitions
from gridmarl.learning.recipe import parse_recipe
from gridmarl.learning.trainer import Training
from gridmarl.learning.worlds.adapters import Markets
from tests.learning.treasure import DIVER, SETTINGS, SeaTask

FLOAT32 = 1e-6
"""Relative tolerance of sums in single precision."""
CPU = torch.device("cpu")
OBJECTIVES = ("stability", "cost", "emissions")


def recipe(**settings: object) -> MultiObjectiveRecipe:
    found = parse_recipe({"algorithm": "multi_objective", "num_envs": 8, **settings}, "test")
    assert isinstance(found, MultiObjectiveRecipe)
    return found


def operator(fields: int = 80, role: str = "operator", choices: int = 25) -> GroupSpec:
    scale = np.array([[500.0, 500.0, 5000.0]])
    weights = (1.0, 1.0, 0.05)
    return GroupSpec(
        "operator",
        ("operator",),
        fields,
        ActionSpec(choices),
        scale=scale,
        objectives=OBJECTIVES,
        role=role,
        codec="levels",
        weights=weights,
    )


def learner(group: GroupSpec | None = None, **settings: object) -> MultiObjective:
    return MultiObjective(recipe(**settings), {"operator": group or operator()}, CPU)


def random_batch(rows: int = 8, fields: int = 80, choices: int = 25) -> Transitions:
    rng = np.random.default_rng(3)
    s = rng.normal(size=(rows, 1, fields)).astype(np.float32)
    a = rng.integers(0, choices, (rows, 1)).astype(np.float32)
    r = rng.normal(size=(rows, 1, 3)).astype(np.float32)
    nothing = np.zeros((rows, 0), np.float32)
    discount = np.full(rows, 0.9, np.float32)
    names = "operator"
    return Transitions(
        {names: s}, {names: a}, {names: r}, {names: s[::-1].copy()}, discount, nothing, nothing, np.arange(rows)
    )


def constant(values: list[list[float]], by_preference: Tensor | None = None) -> PreferenceNetwork:
    """Q(s, a, w) = values[a], plus by_preference[objective of w] for action 0 alone; s has one field."""
    count = len(values[0])
    network = PreferenceNetwork((1, len(values) * count), count)
    weight = torch.zeros(1, 1 + count, len(values) * count)
    if by_preference is not None:
        weight[0, 1:, :count] = by_preference
    network.state_dict()["layers.weights.0"].copy_(weight)
    network.state_dict()["layers.biases.0"].copy_(torch.tensor(values).reshape(1, 1, -1))
    return network


def sea_recipe(**settings: object) -> MultiObjectiveRecipe:
    """Enough to explore the sea down to its deepest treasure."""
    return recipe(**{**SETTINGS, **settings})


def same(before: dict[str, Tensor], after: dict[str, Tensor]) -> bool:
    return before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)


def shares(*numbers: float) -> Tensor:
    return torch.tensor([[numbers]])


def test_the_operators_network_is_80_and_3_to_128_96_64_to_25_times_3() -> None:
    Q = learner().Q["operator"]
    assert [tuple(w.shape[1:]) for w in Q.layers.weights] == [(83, 128), (128, 96), (96, 64), (64, 75)]
    assert Q(torch.zeros(7, 1, 80)).shape == (7, 1, 25, 3)
    assert Q.greedy(torch.zeros(7, 1, 80)).shape == (7, 1)


def test_its_slots_are_the_twelve_classes_that_the_operator_observes() -> None:
    slots = slots_of("operator")
    assert slots is not None
    assert slots == (20, 12, 5)
    names = [field.name for field in FIELDS["operator"]]
    firsts = [names[slots.first + slots.width * k] for k in range(slots.number)]
    assert firsts == [f"class_{number}_present" for number in range(1, 13)]
    assert slots.first + slots.number * slots.width == len(names)
    assert slots_of("generator") is None


def test_slots_attend_to_each_other_and_empty_ones_neither_ask_nor_answer() -> None:
    attention = learner().Q["operator"].attention
    assert attention is not None
    seen = torch.zeros(1, 1, 80)
    seen[..., [20, 25]] = 1.0  # two classes are there
    x, w = torch.randn(1, 1, 80, generator=torch.Generator().manual_seed(0)), torch.full((1, 1, 3), 1 / 3)
    before = attention(x, seen, w)
    assert torch.equal(before[..., :20], x[..., :20])
    assert torch.equal(before[..., 30:], torch.cat([torch.zeros(1, 1, 50), w], -1))
    elsewhere = x.clone()
    elsewhere[..., 30:] += 1.0  # what empty slots hold is nobody's business
    assert torch.equal(attention(elsewhere, seen, w), before)
    neighbour = x.clone()
    neighbour[..., 27] += 1.0
    after = attention(neighbour, seen, w)
    assert not torch.allclose(after[..., 20:25], before[..., 20:25])
    asked = attention(x, seen, shares(1.0, 0.0, 0.0))
    assert not torch.allclose(asked[..., 20:30], before[..., 20:30])  # the preference decides what is gathered
    assert torch.isfinite(attention(x, torch.zeros(1, 1, 80), w)).all()


def test_the_action_maximises_the_weighted_sum_of_the_vector_values() -> None:
    Q = constant([[3.0, 0.0], [0.0, 4.0], [2.0, 2.5]])
    s = torch.zeros(1, 1, 1)
    assert Q.greedy(s, w=shares(1.0, 0.0)).item() == 0
    assert Q.greedy(s, w=shares(0.0, 1.0)).item() == 1
    assert Q.greedy(s, w=shares(0.5, 0.5)).item() == 2
    Q.preference.copy_(torch.tensor([1.0, 0.0]))
    assert Q.greedy(s).item() == 0


def test_the_target_by_hand() -> None:
    """Under w = (3/4, 1/4) Q prefers action 0; under (1/4, 3/4) action 1. Q_target says what they are worth."""
    Q, Q_target = constant([[4.0, 0.0], [0.0, 4.0]]), constant([[10.0, 20.0], [30.0, 40.0]])
    r, s_next, discount = shares(1.0, 2.0), torch.zeros(1, 1, 1), torch.full((1, 1, 1), 0.5)
    none = torch.zeros(0, 1, 2)
    first, second = shares(0.75, 0.25), shares(0.25, 0.75)

    def y(w: Tensor, double: bool = True, discount: Tensor = discount) -> list[float]:
        return td_target(Q, Q_target, r, s_next, discount, w, none, double).flatten().tolist()

    assert y(first) == pytest.approx([6.0, 12.0], rel=FLOAT32)
    assert y(second) == pytest.approx([16.0, 22.0], rel=FLOAT32)
    assert y(first, double=False) == pytest.approx([16.0, 22.0], rel=FLOAT32)  # Q_target itself prefers action 1
    assert y(first, discount=torch.zeros(1, 1, 1)) == pytest.approx([1.0, 2.0], rel=FLOAT32)


def test_the_envelope_takes_what_another_preference_promises_where_that_is_better() -> None:
    """Asked with (0, 1), action 0 is worth (9, 9); with (1, 0) it is worth (1, 1): the envelope finds the former."""
    by_preference = torch.tensor([[0.0, 0.0], [8.0, 8.0]])
    Q = constant([[1.0, 1.0], [2.0, 2.0]], by_preference)
    r, s_next, discount, w = shares(0.0, 0.0), torch.zeros(1, 1, 1), torch.ones(1, 1, 1), shares(1.0, 0.0)
    alone = td_target(Q, Q, r, s_next, discount, w, torch.zeros(0, 1, 2), True)
    tried = td_target(Q, Q, r, s_next, discount, w, torch.tensor([[[0.0, 1.0]]]), True)
    assert alone.flatten().tolist() == pytest.approx([2.0, 2.0], rel=FLOAT32)
    assert tried.flatten().tolist() == pytest.approx([9.0, 9.0], rel=FLOAT32)


def test_the_target_network_gets_no_gradient_and_changes_only_when_it_follows() -> None:
    mo = learner(target_every=2, learning_rate=0.01, envelope=2)
    batch, rng = random_batch(), np.random.default_rng(0)
    Q, Q_target = mo.Q["operator"], mo.Q_target["operator"]
    mo.loss("operator", batch, rng).backward()
    assert all(p.grad is None and not p.requires_grad for p in Q_target.parameters())
    assert all(p.grad is not None for p in Q.parameters())
    mo.learn(batch, rng)
    before = deepcopy(Q_target.state_dict())
    mo.learn(batch, rng)
    assert same(before, Q_target.state_dict())
    online = deepcopy(Q.state_dict())
    mo.learn(batch, rng)
    assert same(online, Q_target.state_dict())


def test_each_replayed_row_gets_a_preference_of_its_own_anew() -> None:
    mo, batch = learner(), random_batch()
    seen: list[Tensor] = []
    Q = mo.Q["operator"]
    forward = Q.forward

    def listening(x: Tensor, who: Tensor | None = None, w: Tensor | None = None) -> Tensor:
        assert w is not None
        seen.append(w)
        return forward(x, who, w)

    Q.forward = listening  # pyright: ignore[reportAttributeAccessIssue]  # to overhear it
    rng = np.random.default_rng(0)
    mo.loss("operator", batch, rng)
    mo.loss("operator", batch, rng)
    first, second = seen[-3], seen[-1]  # double asks Q about s', then about s
    assert first.shape == (8, 1, 3)
    torch.testing.assert_close(first.sum(-1), torch.ones(8, 1))
    assert (first >= 0).all()
    assert len(torch.unique(first[:, 0, 0])) == 8
    assert not torch.equal(first, second)


@pytest.mark.parametrize("dueling", [False, True])
def test_values_can_begin_at_the_sum_of_the_first_mean_rewards(dueling: bool) -> None:
    """A reward of (-1, -2, 0) forever, discounted by 0.9, is (-10, -20, 0)."""
    mo, batch = (
        learner(begin_at_mean=True, dueling=dueling, learning_rate=1e-9, learning_rate_last=1e-9),
        random_batch(),
    )
    batch.r["operator"][:] = [-1.0, -2.0, 0.0]
    s = torch.from_numpy(batch.s["operator"])
    before = mo.Q["operator"](s)
    mo.learn(batch, np.random.default_rng(0))
    raised = torch.tensor([-10.0, -20.0, 0.0])
    torch.testing.assert_close(mo.Q["operator"](s), before + raised, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(mo.Q_target["operator"](s), before + raised, rtol=1e-4, atol=1e-4)


def test_dueling_values_average_to_the_states_values() -> None:
    mo = learner(dueling=True)
    Q, s = mo.Q["operator"], torch.randn(5, 1, 80, generator=torch.Generator().manual_seed(0))
    assert Q.sizes[-1] == 26 * 3
    raw = deepcopy(Q)
    raw.head = "vectors"
    torch.testing.assert_close(Q(s).mean(-2), raw(s)[..., 0, :])
    assert Q(s).shape == (5, 1, 25, 3)


def test_exploring_keeps_a_preference_for_an_episode_and_draws_another_for_the_next() -> None:
    mo, rng = learner(), np.random.default_rng(0)
    assert isinstance(mo, HearsEpisodes)
    before = mo.w["operator"].clone()
    assert before.shape == (8, 1, 3)
    assert len(torch.unique(before[:, 0, 0])) == 8
    mo.act({"operator": np.zeros((8, 1, 80), np.float32)}, rng, explore=True)
    assert torch.equal(mo.w["operator"], before)
    ended = np.arange(8) >= 6
    mo.begin(ended, rng)
    assert torch.equal(mo.w["operator"][:6], before[:6])
    assert not torch.isclose(mo.w["operator"][6:], before[6:]).any()


def test_the_trainer_says_when_an_episode_ends(tmp_path: Path) -> None:
    training = Training(sea_recipe(), SeaTask(), tmp_path)
    mo = training.algorithm
    assert isinstance(mo, MultiObjective)
    down = np.ones((training.recipe.num_envs, 1), np.int64)
    mo.act = lambda observations, rng, explore: {DIVER: down}  # pyright: ignore[reportAttributeAccessIssue]
    before = mo.w[DIVER].clone()
    training._advance()  # the first treasure lies one step below
    assert not torch.isclose(mo.w[DIVER], before).any()


def test_preferences_are_uniform_or_lean_to_the_extremes_as_the_recipe_concentrates_them() -> None:
    rng = np.random.default_rng(0)
    even, extreme = (learner(concentration=c)._drawn("operator", 2_000, rng)[:, 0] for c in (1.0, 0.2))
    for w in (even, extreme):
        torch.testing.assert_close(w.sum(-1), torch.ones(2_000))
        torch.testing.assert_close(w.mean(0), torch.full((3,), 1 / 3), atol=0.03, rtol=0.0)
    assert (even.max(-1).values > 0.9).float().mean().item() == pytest.approx(3 * 0.1**2, abs=0.02)
    assert (extreme.max(-1).values > 0.9).float().mean() > 0.4


def test_random_actions_last_as_long_as_the_recipe_holds_them_and_are_as_frequent_as_epsilon_says() -> None:
    mo = learner(operator(1, "", 2), epsilon_first=0.4, epsilon_last=0.4, hold=5, num_envs=64)
    mo.Q["operator"], mo.groups = constant([[0.0] * 3] * 2), {"operator": operator(1, "", 1_000)}
    rng, s = np.random.default_rng(0), {"operator": np.zeros((64, 1, 1), np.float32)}
    played = np.array([mo.act(s, rng, explore=True)["operator"][:, 0] for _ in range(200)])  # (step, env)
    random = played > 0  # greedy is 0
    assert random[20:].mean() == pytest.approx(0.4, abs=0.02)
    begins = random[1:] & (played[1:] != played[:-1])
    for before, env in np.argwhere(begins[:-5]):
        step = before + 1
        assert (played[step : step + 5, env] == played[step, env]).all()
    mo.left["operator"][:] = 3
    mo.begin(np.arange(64) < 5, rng)
    assert mo.left["operator"].sum() == 3 * 59  # a new episode begins greedily


def test_exploring_follows_the_episodes_preferences_and_evaluation_the_networks_own() -> None:
    mo = learner(operator(1, "", 2), epsilon_first=0.0, epsilon_last=0.0)
    mo.Q["operator"] = constant([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    mo.w["operator"][:4, 0], mo.w["operator"][4:, 0] = torch.tensor([0.9, 0.1, 0.0]), torch.tensor([0.1, 0.9, 0.0])
    s = {"operator": np.zeros((8, 1, 1), np.float32)}
    rng = np.random.default_rng(0)
    assert mo.act(s, rng, explore=True)["operator"][:, 0].tolist() == [0] * 4 + [1] * 4
    mo.Q["operator"].preference.copy_(torch.tensor([0.0, 1.0, 0.0]))
    assert mo.act(s, rng, explore=False)["operator"][:, 0].tolist() == [1] * 8


def test_the_operators_own_preference_is_what_its_scenario_weighs_in_scaled_units() -> None:
    """$500, $500 and 5,000 kg at weights 1, 1 and 0.05 $/kg: 500, 500 and 250 of 1,250."""
    group = operator()
    assert group.preference.tolist() == pytest.approx([0.4, 0.4, 0.2])
    assert learner().Q["operator"].preference.tolist() == pytest.approx([0.4, 0.4, 0.2])
    world = Markets(vector_env("auction", 2, seats="operator"), objectives=True)
    assert world.groups["operator"].preference.tolist() == pytest.approx([0.4, 0.4, 0.2])


def test_vector_rewards_weigh_up_to_the_operators_own_reward() -> None:
    plain = Markets(vector_env("auction", 2, seats="operator", others="markup"))
    vector = Markets(vector_env("auction", 2, seats="operator", others="markup"), objectives=True)
    plain.reset(0)
    vector.reset(0)
    for action in (0, 1, 13):
        chosen = {"operator": np.full((2, 1), action)}
        one, parts = plain.step(chosen).rewards["operator"], vector.step(chosen).rewards["operator"]
        group = vector.groups["operator"]
        dollars = (parts * group.scale) @ np.array(group.weights)
        np.testing.assert_allclose(dollars, one * plain.groups["operator"].scale, rtol=1e-5)


def test_a_state_that_is_taken_up_goes_on_to_equal_tensors() -> None:
    batch, rng = random_batch(), np.random.default_rng(0)
    first, second = learner(seed=1), learner(seed=2)
    seen = {"operator": rng.normal(size=(8, 1, 80)).astype(np.float32)}
    for _ in range(3):
        first.act(seen, rng, explore=True)
        first.learn(batch, rng)
    first.begin(np.arange(8) < 3, rng)
    second.load_state_dict(first.state_dict())
    assert same(first.state_dict(), second.state_dict())
    for mo in (first, second):
        again = np.random.default_rng(1)
        mo.act(seen, again, explore=True)
        mo.begin(np.arange(8) < 3, again)
        mo.learn(batch, again)
    assert same(first.state_dict(), second.state_dict())


def test_a_state_without_the_episodes_preferences_is_refused_by_name() -> None:
    mo = learner()
    state = mo.state_dict()
    del state["w.operator"]
    with pytest.raises(TrainingError, match=r"w\.operator.*\(8, 1, 3\)"):
        mo.load_state_dict(state)


def test_a_loss_that_is_not_finite_names_the_update_and_leaves_the_weights() -> None:
    mo, batch, rng = learner(), random_batch(), np.random.default_rng(0)
    mo.learn(batch, rng)
    before = mo.state_dict()
    batch.r["operator"][0, 0, 2] = np.nan
    with pytest.raises(TrainingError, match="loss of update 2"):
        mo.learn(batch, rng)
    assert same(before, mo.state_dict())


def test_gradients_are_clipped_at_their_norm() -> None:
    mo, batch = learner(gradient_norm=0.01), random_batch()
    batch.r["operator"][:] = 1e6
    mo.learn(batch, np.random.default_rng(0))
    norm = torch.cat([p.grad.flatten() for p in mo.Q["operator"].parameters() if p.grad is not None]).norm()
    assert norm.item() == pytest.approx(0.01, rel=1e-3)


def test_units_are_what_errors_are_measured_in_and_what_values_move_by() -> None:
    """In units of (1, 0.01, 1) a first step moves the second objective's values a hundredth as far."""
    fine, batch = learner(units=(1.0, 0.01, 1.0)), random_batch()
    Q = fine.Q["operator"]
    bias = Q.layers.biases[-1]
    before = bias.detach().clone().unflatten(-1, (25, 3))
    fine.learn(batch, np.random.default_rng(0))
    moved = (bias.detach().unflatten(-1, (25, 3)) - before).abs().amax((0, 1, 2))
    assert (moved / moved[0]).tolist() == pytest.approx(
        [1.0, 0.01, 1.0], rel=0.05
    )  # Adam's first step: all of a length
    plain = learner()
    for name, parameter in plain.Q["operator"].named_parameters():
        parameter.data.copy_(Q.get_parameter(name))
    plain.Q_target["operator"].load_state_dict(fine.Q_target["operator"].state_dict())
    losses = [float(mo.loss("operator", batch, np.random.default_rng(1)).detach()) for mo in (fine, plain)]
    assert losses[0] > 5.0 * losses[1]  # an error of a hundredth counts as 1
    with pytest.raises(TrainingError, match=r"units.*operator.*3 numbers.*stability"):
        learner(units=(1.0, 0.01))


def test_the_same_seed_gives_equal_tensors_and_another_seed_others() -> None:
    def after_a_step(seed: int) -> dict[str, Tensor]:
        mo, rng = learner(seed=seed), np.random.default_rng(seed)
        mo.act({"operator": np.ones((8, 1, 80), np.float32)}, rng, explore=True)
        mo.learn(random_batch(), rng)
        return mo.state_dict()

    assert same(after_a_step(1), after_a_step(1))
    assert not same(after_a_step(1), after_a_step(2))


def test_one_reward_and_actions_of_numbers_are_refused_with_who_can_learn_them() -> None:
    one = GroupSpec("generator", ("g",), 64, ActionSpec(choices=20), np.ones(1))
    with pytest.raises(TrainingError, match=r"generator.*dqn"):
        MultiObjective(recipe(), {"generator": one}, CPU)
    numbers = GroupSpec("b", ("b",), 4, ActionSpec(low=-np.ones(1), high=np.ones(1)), np.ones((1, 2)), ("x", "y"))
    with pytest.raises(TrainingError, match=r"'b'.*actor_critic"):
        MultiObjective(recipe(), {"b": numbers}, CPU)


def test_multi_objective_dqn_is_an_algorithm() -> None:
    algorithm: Algorithm = learner()  # type checkers look, too
    assert set(algorithm.policies) == {"operator"}
