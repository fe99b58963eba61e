from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gridmarl.agents.make import vector_env
from gridmarl.errors import TrainingError
from gridmarl.learning.device import repeatable
from gridmarl.learning.interface import Start
from gridmarl.learning.recipe import load_recipe
from gridmarl.learning.tasks import task_of
from gridmarl.learning.trainer import Training
from gridmarl.learning.worlds.adapters import Markets
from gridmarl.learning.worlds.untouched import LessUntouched
from gridmarl.scenario.scenario import Scenario

ENVS = 2
SCALED = 1e-4
"""Tolerance of sums of scaled rewards in single precision."""


def markets(others: str = "markup") -> Markets:
    morning = Scenario.load("auction").but(intervals=12)
    return Markets(vector_env(morning, ENVS, seats="operator", others=others), objectives=True)


def doing(action: int) -> dict[str, np.ndarray]:
    return {"operator": np.full((ENVS, 1), action)}


def training(folder: Path) -> Training:
    quick = {"steps": 64, "num_envs": 4, "learn_every": 4, "learn_from": 16, "batch_size": 8, "less_untouched": True}
    recipe = load_recipe("operator", {**quick, "hold": 3, "select_seeds": 2, "test_seeds": 2})
    return Training(recipe, task_of(recipe, Scenario.load("auction").but(intervals=8)), folder)


def test_doing_nothing_is_worth_nothing_in_every_interval_and_episode() -> None:
    world = LessUntouched(markets(), markets())
    world.reset(5)
    rewards = [world.step(doing(0)).rewards["operator"] for _ in range(30)]  # into the third episode
    np.testing.assert_array_equal(np.array(rewards), 0.0)


def test_an_action_is_worth_what_it_changes() -> None:
    world, touched, untouched = LessUntouched(markets(), markets()), markets(), markets()
    starts = [each.reset(5).observations["operator"] for each in (world, touched, untouched)]
    np.testing.assert_array_equal(starts[0], starts[1])
    changed = 0.0
    for action in (1, 1, 3, 20, 0, 1):
        found, own, other = (each.step(doing(a)) for each, a in ((world, action), (touched, action), (untouched, 0)))
        expected = own.rewards["operator"] - other.rewards["operator"]
        np.testing.assert_allclose(found.rewards["operator"], expected, atol=SCALED)
        np.testing.assert_array_equal(found.next_observations["operator"], own.next_observations["operator"])
        changed += float(np.abs(expected).sum())
    assert changed > SCALED


def test_the_weather_that_both_meet_leaves_the_rewards() -> None:
    """Over seeds, what a carbon adder changes varies far less than what a day costs."""
    differences, days = LessUntouched(markets(), markets()), markets()
    sums = np.zeros((2, 6, 3))
    for number, world in enumerate((differences, days)):
        for seed in range(3):
            world.reset(ENVS * seed)
            total = sum(world.step(doing(1)).rewards["operator"][:, 0] for _ in range(12))
            sums[number, ENVS * seed : ENVS * seed + ENVS] = total
    spread = sums.std(1)
    assert (spread[0, 1:] < 0.5 * spread[1, 1:]).all()


def test_a_snapshot_holds_both_worlds() -> None:
    world = LessUntouched(markets(), markets())
    world.reset(0)
    world.step(doing(1))
    kept = world.snapshot()
    first = [world.step(doing(3)).rewards["operator"] for _ in range(3)]
    again = LessUntouched(markets(), markets())
    again.reset(9)
    assert isinstance(again.restore(kept), Start)
    np.testing.assert_array_equal(first, [again.step(doing(3)).rewards["operator"] for _ in range(3)])


def test_actions_that_are_no_choice_are_refused_with_the_setting_to_leave_out() -> None:
    homes = [Markets(vector_env("auction", ENVS, seats="storage", others="truthful")) for _ in range(2)]
    with pytest.raises(TrainingError, match=r"'storage'.*less_untouched"):
        LessUntouched(*homes)


def test_the_trainer_learns_in_such_a_world_judges_in_the_plain_one_and_resumes_to_equal_tensors(
    tmp_path: Path,
) -> None:
    first = training(tmp_path / "a")
    with repeatable(first.recipe):
        assert isinstance(first.world, LessUntouched)
        for _ in range(6):
            first._advance()
        first._evaluate()
        assert isinstance(first._judge, Markets)
        first._write_checkpoint()
        second = training(tmp_path / "a")
        second.resume()
        for each in (first, second):
            for _ in range(6):
                each._advance()
    states = [each.algorithm.state_dict() for each in (first, second)]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
