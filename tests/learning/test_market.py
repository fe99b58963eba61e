"""All roles at once: each learns as its algorithm does alone, the past plays too, the least exploitable stay."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from gridmarl.agents.cards import CurvePoint
from gridmarl.agents.policies import StoredPolicy
from gridmarl.agents.team import Team
from gridmarl.cli import app
from gridmarl.errors import ScenarioError, TrainingError
from gridmarl.evaluation.rollout import rollout
from gridmarl.learning.algorithms.market import MarketLearner, MarketRecipe, part_of_state
from gridmarl.learning.device import repeatable
from gridmarl.learning.judging.pool import CURRENT
from gridmarl.learning.judging.standing import greedy_returns, own_scaled
from gridmarl.learning.recipe import Recipe, load_recipe, parse_recipe
from gridmarl.learning.tasks import task_of
from gridmarl.learning.trainer import Training, train
from gridmarl.scenario.scenario import Scenario
from tests.learning.worlds import MARKET_ROLES, all_roles, market_settings

ROUNDING = 1e-5
"""Matrix products of another number of rows round differently."""
ROLES = ("generator", "storage", "consumer", "operator")


@pytest.fixture(scope="module")
def morning() -> Scenario:
    return Scenario.load("auction").but(intervals=6)


def trained(recipe: Recipe, world: Scenario, folder: Path, steps: int) -> Training:
    with repeatable(recipe):
        training = Training(recipe, task_of(recipe, world), folder)
        while training.step < steps:
            training._advance()
    return training


@pytest.mark.parametrize("n_step", [1, 3])
@pytest.mark.parametrize("role", ROLES)
def test_a_role_that_learns_alone_comes_to_the_tensors_of_its_algorithm(
    role: str, n_step: int, morning: Scenario, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"seats": role, "n_step": n_step, "num_envs": 4, "learn_from": 40, "learn_every": 4}
    settings |= {"batch_size": 8, "replay_size": 60, "steps": 400}
    part = {"discount": 0.7, **MARKET_ROLES[role]}
    alone = trained(parse_recipe({**settings, **part}, "alone"), morning, tmp_path, 160)
    market = {**settings, "algorithm": "market", "pool_size": 0, "roles": {role: part}}
    together = trained(parse_recipe(market, "market"), morning, tmp_path, 160)
    expected = alone.algorithm.state_dict()
    found = part_of_state(together.algorithm.state_dict(), f"{role}.")
    assert alone.updates == together.updates == 31
    assert found.keys() == expected.keys()
    assert {name for name in found if not torch.equal(found[name], expected[name])} == set()
    assert alone.rng.bit_generator.state == together.rng.bit_generator.state


def test_each_role_reads_its_own_groups_by_its_own_patience(morning: Scenario, tmp_path: Path) -> None:
    recipe = all_roles(n_step=2)
    training = trained(recipe, morning, tmp_path, 160)
    learner, batch = training.algorithm, training.replay.take(np.arange(60))
    assert isinstance(learner, MarketLearner)
    for role, patience in (("generator", 0.5), ("storage", 0.99), ("operator", 0.9)):
        part = learner.part_of(batch, role)
        assert set(part.s) == set(part.a) == set(part.r) == set(part.s_next) == {role}
        spans = np.round(np.log(batch.discount) / np.log(0.9))
        assert set(spans) == {1, 2}  # the last step of an episode has no second reward
        np.testing.assert_allclose(part.discount, patience**spans, rtol=1e-6)
    ended = learner.part_of(batch._replace(discount=np.zeros(60, np.float32)), "storage")
    assert not ended.discount.any()


def test_rewards_over_several_steps_are_summed_by_each_roles_patience(morning: Scenario, tmp_path: Path) -> None:
    """The same seed and no learning: two-step rewards follow from the one-step rewards of the same run."""
    one = trained(all_roles(n_step=1, learn_from=10_000), morning, tmp_path, 20).replay.take(np.arange(20))
    two = trained(all_roles(n_step=2, learn_from=10_000), morning, tmp_path, 20).replay.take(np.arange(16))
    for role, patience in (("generator", 0.5), ("storage", 0.99)):
        np.testing.assert_allclose(two.r[role], one.r[role][:16] + patience * one.r[role][4:], rtol=1e-5, atol=1e-6)


def test_in_the_past_rows_all_roles_but_one_play_as_the_pool_did(morning: Scenario, tmp_path: Path) -> None:
    recipe = all_roles(num_envs=8, past_share=0.75, learn_every=8)
    training = trained(recipe, morning, tmp_path, 400)
    learner = training.algorithm
    assert isinstance(learner, MarketLearner)
    learner.begin(np.ones(8, np.bool_), np.random.default_rng(0))
    past = learner.opponents
    assert (past[:6] >= 0).all()
    assert (past[6:] == CURRENT).all()
    seen = training.now.observations
    played = learner.act(seen, np.random.default_rng(1), explore=True)
    for place, role in enumerate(learner.roles):
        frozen = learner.pool.actions(int(past[0]), role, seen[role])
        others = [row for row in range(6) if row % 4 != place]
        np.testing.assert_allclose(played[role][others], frozen[others], rtol=ROUNDING)
        assert (played[role] != frozen).any()  # where the role learns, and where nobody is past


def test_an_opponent_stays_for_an_episode_and_the_pool_never_learns(morning: Scenario, tmp_path: Path) -> None:
    recipe = all_roles(pool_size=2, snapshot_every=80)
    training = trained(recipe, morning, tmp_path, 240)
    learner = training.algorithm
    assert isinstance(learner, MarketLearner)
    kept, steps = learner.pool.state_dict(), list(learner.pool.steps)
    assert (learner.pool.seen, len(learner.pool)) == (3, 2)
    before = learner.opponents.copy()
    while training.step < 312:  # episodes of 6 intervals end every 24 steps of 4 environments
        training._advance()
    assert learner.pool.steps == steps
    assert all(torch.equal(kept[name], tensor) for name, tensor in learner.pool.state_dict().items())
    assert (before[1:] == CURRENT).all()  # one of four environments is past


def test_a_full_pool_keeps_each_snapshot_with_the_same_chance(morning: Scenario, tmp_path: Path) -> None:
    recipe = all_roles(pool_size=2)
    training = Training(recipe, task_of(recipe, morning), tmp_path)
    learner = training.algorithm
    assert isinstance(learner, MarketLearner)
    learner.pool._copies = dict  # only who is kept matters
    counts = np.zeros(6)
    for seed in range(600):
        learner.pool.members, learner.pool.steps, learner.pool.seen = [], [], 0
        rng = np.random.default_rng(seed)
        for step in range(6):
            learner.pool.add(step, rng)
        counts[learner.pool.steps] += 1
    np.testing.assert_allclose(counts / 600, 2 / 6, atol=0.08)  # four standard errors


def test_the_least_exploitable_policies_are_kept_not_those_that_earn_most() -> None:
    recipe = all_roles()
    early = CurvePoint(step=1, updates=1, metrics={"exploitability": 0.1, "pool": 1}, profit={}, scaled=1.0)
    meek = CurvePoint(step=2, updates=2, metrics={"exploitability": 0.2, "pool": 2}, profit={}, scaled=1.0)
    rich = CurvePoint(step=3, updates=3, metrics={"exploitability": 0.9, "pool": 2}, profit={}, scaled=9.0)
    assert recipe.merit(meek) > recipe.merit(rich)
    assert recipe.merit(rich) > recipe.merit(early)  # which tried fewer deviations
    assert load_recipe("dqn").merit(rich) > load_recipe("dqn").merit(meek)


def test_a_training_chooses_by_exploitability_and_leaves_a_team(morning: Scenario, tmp_path: Path) -> None:
    recipe = all_roles(evaluate_every=80)
    train(recipe, env=morning, out=tmp_path, progress=False)
    policies = {role: StoredPolicy(tmp_path / role) for role in ROLES}
    card = policies["storage"].card
    exploitable = {p.step: p.metrics["exploitability"] for p in card.curve if p.metrics["pool"] == 2}
    assert list(exploitable) == [160, 240]  # at 80 the pool had one member
    assert exploitable[card.chosen_step] == min(exploitable.values())
    assert {"cross.worst", "cross.generator.now", "cross.operator.80"} <= set(card.curve[-1].metrics)
    assert rollout(morning, Team(policies), seed=0).market.shape[0] == 6
    earned = card.metrics["test"].profit["battery_1"]
    replayed = [rollout(morning, Team(policies), seed=s, split="test").of_seat("battery_1", "reward") for s in (0, 1)]
    assert earned == pytest.approx(np.mean([each.sum() for each in replayed]), rel=1e-6)


def test_evaluations_repeat_and_change_nothing(morning: Scenario, tmp_path: Path) -> None:
    recipe = all_roles()
    training = trained(recipe, morning, tmp_path, 200)
    before = training.algorithm.state_dict()
    one, two = (recipe.rivals(training.algorithm, training.task, 0) for _ in range(2))
    assert one == two
    after = training.algorithm.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    world = training.task.make(2, "select")
    now = greedy_returns(training.algorithm, world, 0)["storage"]
    expected = own_scaled(now, world.groups["storage"]).mean()
    assert one["cross.storage.now"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "roles, named",
    [
        ({"generator": {"algorithm": "dqn", "learning_rte": 1}}, "learning_rte"),
        ({"generator": {"algorithm": "dqn", "batch_size": 1}}, r"roles\.generator\.batch_size.*set it for all"),
        ({"generator": {"algorithm": "dqm"}}, "dqm"),
        ({}, "names nobody"),
    ],
)
def test_a_wrong_role_is_refused_by_name(roles: Mapping[str, object], named: str) -> None:
    with pytest.raises(ScenarioError, match=named):
        parse_recipe({**market_settings(), "roles": roles}, "market")
    with pytest.raises(ScenarioError, match="belong to a market"):
        parse_recipe({"algorithm": "market", "gymnasium": "CartPole-v1", "roles": MARKET_ROLES}, "pole")


def test_a_learner_without_an_algorithm_or_with_one_that_does_not_fit_is_refused(
    morning: Scenario, tmp_path: Path
) -> None:
    lonely = all_roles(roles={"generator": MARKET_ROLES["generator"]})
    with pytest.raises(TrainingError, match=r"role that learns: got 'storage'; allowed: generator; .*others"):
        Training(lonely, task_of(lonely, morning), tmp_path)
    wrong = all_roles(roles={**MARKET_ROLES, "storage": MARKET_ROLES["generator"]})
    with pytest.raises(TrainingError, match="dqn for group 'storage'"):
        Training(wrong, task_of(wrong, morning), tmp_path)


def test_the_shipped_recipe_teaches_every_role_from_little_and_recent_memory() -> None:
    recipe = load_recipe("market")
    assert isinstance(recipe, MarketRecipe)
    kinds = {role: recipe.part(role).algorithm for role in recipe.roles}
    assert kinds == {
        "generator": "dqn",
        "storage": "actor_critic",
        "consumer": "maddpg",
        "prosumer": "maddpg",
        "operator": "multi_objective",
    }
    assert recipe.replay_size <= recipe.steps / 4
    assert recipe.needs_state
    assert recipe.vector_rewards


def test_a_market_is_trained_from_the_command_line(tmp_path: Path) -> None:
    world = tmp_path / "morning.yaml"
    import yaml

    settings = Scenario.load("auction").but(intervals=4).model_dump(mode="json", exclude_unset=True)
    world.write_text(yaml.safe_dump({key: value for key, value in settings.items() if key != "name"}))
    recipe = tmp_path / "small.yaml"
    recipe.write_text(yaml.safe_dump({**market_settings(), "scenario": str(world)}))
    out = tmp_path / "out"
    found = CliRunner().invoke(app, ["train", str(recipe), "--steps", "160", "--out", str(out)])
    assert found.exit_code == 0, found.output
    assert "select:" in found.output
    assert "generator" in found.output
    assert {folder.name for folder in out.iterdir() if folder.is_dir()} >= set(ROLES)
    for role in ROLES:
        assert StoredPolicy(out / role).card.curve[-1].step == 160
