"""A row of a batch is the single run, bit for bit; a seed is a trajectory, in any process, whoever plays."""

from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gridmarl.environment.core import Core
from gridmarl.errors import ActionError
from gridmarl.evaluation.rollout import rollout
from gridmarl.evaluation.trajectory import Trajectory
from gridmarl.scenario.rules import Split
from gridmarl.scenario.scenario import Scenario
from tests.environment.worlds import random_actions

ROOT = Path(__file__).parents[2]
SEEDS = (0, 7, 2**40, 2**64 - 1)
MIXED = {"generator": "markup", "storage": "curve", "consumer": "order"}
TEAMS = ("truthful", "maximum", "reference", "zero-intelligence")


def steps(core: Core, seeds: np.ndarray, actions: np.ndarray) -> list[tuple[np.ndarray, ...]]:
    """Everything that a reset and these (interval, env, component) actions return."""
    taken = [tuple(np.array(a) for a in core.reset(seeds)[2:7])]
    return [*taken, *(tuple(np.array(part) for part in core.step(action)) for action in actions)]


@pytest.mark.parametrize(
    "name, codecs",
    [("auction", {}), ("auction", MIXED), ("caiso-week", {}), ("three-homes", MIXED), ("duck-curve", {})],
)
def test_a_row_equals_the_single_run_bit_for_bit(name: str, codecs: dict[str, str]) -> None:
    scenario = Scenario.load(name)
    many = Core(scenario, len(SEEDS), codecs, record=True)
    rng = np.random.default_rng(5)
    actions = np.stack([random_actions(many, rng) for _ in range(scenario.intervals)])
    together = steps(many, np.array(SEEDS, np.uint64), actions)
    single = Core(scenario, 1, codecs, record=True)
    for row, seed in enumerate(SEEDS):
        alone = steps(single, np.array([seed], np.uint64), actions[:, row : row + 1])
        for t, (batch, one) in enumerate(zip(together, alone, strict=True)):
            for part, (ours, theirs) in enumerate(zip(batch, one, strict=True)):
                assert np.array_equal(ours[row], theirs[0]), f"row {row} differs at interval {t}, array {part}"


def test_what_other_rows_do_changes_nothing_in_a_row() -> None:
    core = Core(Scenario.load("auction"), 2)
    seeds = np.array([3, 3], np.uint64)
    rng = np.random.default_rng(1)
    core.reset(seeds)
    for _ in range(50):
        actions = random_actions(core, rng)
        outcome = core.step(actions)
        assert not np.array_equal(outcome.seats[0], outcome.seats[1])
    core.reset(seeds)
    rng = np.random.default_rng(1)
    for _ in range(50):
        actions = random_actions(core, rng)
        actions[1] = actions[0]
        outcome = core.step(actions)
        assert np.array_equal(outcome.seats[0], outcome.seats[1])


def test_actions_of_another_type_or_layout_are_the_same_actions_and_misshapen_ones_are_refused() -> None:
    core = Core(Scenario.load("auction"), 2)
    core.reset(np.arange(2, dtype=np.uint64))
    state = core.snapshot()
    actions = random_actions(core, np.random.default_rng(1)).astype(np.float32).astype(np.float64)
    expected = core.step(actions).seats.copy()
    narrow: Any = actions.astype(np.float32)
    for same in (narrow, np.asfortranarray(actions), np.repeat(actions, 2, axis=1)[:, ::2]):
        core.restore(state)
        np.testing.assert_array_equal(core.step(same).seats, expected)
    for wrong in (actions[:1], actions[:, 1:], actions.ravel(), actions[None]):
        with pytest.raises(ActionError, match=r"array of actions, shape.*give a row per environment"):
            core.step(wrong)


def test_a_core_that_has_stepped_goes_on_as_its_copies_do() -> None:
    core = Core(Scenario.load("three-homes"))
    core.reset(np.zeros(1, np.uint64))
    actions = [random_actions(core, np.random.default_rng(k)) for k in range(3)]
    core.step(actions[0])
    twins = pickle.loads(pickle.dumps(core)), deepcopy(core)  # noqa: S301  # our own bytes
    for action in actions[1:]:
        expected = core.step(action).seats
        assert all(np.array_equal(twin.step(action).seats, expected) for twin in twins)


def test_reset_begins_the_next_episode_and_a_seed_begins_its_first() -> None:
    core = Core(Scenario.load("auction"), 1)
    core.reset(np.array([4], np.uint64))
    first = core.realised()
    core.reset()
    assert not np.array_equal(core.realised(), first)
    core.reset(np.array([4], np.uint64))
    assert np.array_equal(core.realised(), first)


@pytest.mark.parametrize("other", ["train", "select"])
def test_each_split_draws_its_own_randomness(other: Split) -> None:
    paths = []
    splits: tuple[Split, Split] = ("test", other)
    for split in splits:
        core = Core(Scenario.load("auction"), 1, split=split)
        core.reset(np.array([0], np.uint64))
        paths.append(core.realised())
    assert not np.array_equal(paths[0], paths[1])


def test_rows_of_a_batch_face_different_worlds() -> None:
    core = Core(Scenario.load("auction"), 8)
    core.reset(np.arange(8, dtype=np.uint64))
    assert len({core.realised(row).tobytes() for row in range(8)}) == 8


def test_a_snapshot_is_all_that_changes() -> None:
    core = Core(Scenario.load("auction"), 2)
    core.reset(np.array([1, 2], np.uint64))
    rng = np.random.default_rng(0)
    actions = [random_actions(core, rng) for _ in range(20)]
    for action in actions[:10]:
        core.step(action)
    kept = core.snapshot()
    first = [core.step(action) for action in actions[10:]]
    core.restore(kept)
    again = [core.step(action) for action in actions[10:]]
    for ours, theirs in zip(first, again, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("name", ["auction", "three-homes"])
def test_every_team_faces_the_same_world(name: str) -> None:
    worlds = [rollout(name, team, seed=11) for team in TEAMS]
    assert len({world.realised.tobytes() for world in worlds}) == 1
    assert len({world.market.tobytes() for world in worlds}) > 1, "the teams must differ in what they do"


def fingerprint(trajectory: Trajectory) -> str:
    """Digest of every number of a trajectory."""
    digest = hashlib.sha256()
    for array in (trajectory.market, trajectory.results, trajectory.book, trajectory.realised):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


RUN = """
from gridmarl.evaluation.rollout import rollout
from tests.environment.test_rows import fingerprint
for name in ("auction", "caiso-week"):
    print(fingerprint(rollout(name, "zero-intelligence" if name == "auction" else "truthful", seed=3)))
"""


def test_the_same_seed_is_the_same_trajectory_in_another_process() -> None:
    done = subprocess.run([sys.executable, "-c", RUN], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    here = [
        fingerprint(rollout("auction", "zero-intelligence", seed=3)),
        fingerprint(rollout("caiso-week", "truthful", seed=3)),
    ]
    assert done.stdout.split() == here
    assert fingerprint(rollout("auction", "zero-intelligence", seed=4)) != here[0]
