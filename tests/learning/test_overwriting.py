"""What was learned is written over only where somebody says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gridmarl.agents.policies import CARD, WEIGHTS, StoredPolicy
from gridmarl.errors import TrainingError
from gridmarl.learning.judging.front import Front, read_front, write_front
from gridmarl.learning.keeping.results import REPORT, read_report
from gridmarl.learning.recipe import Recipe, parse_recipe
from gridmarl.learning.trainer import Training, train
from gridmarl.scenario.scenario import Scenario

POLE: dict[str, Any] = {
    "gymnasium": "CartPole-v1",
    "num_envs": 2,
    "steps": 40,
    "evaluate_every": 40,
    "select_seeds": 1,
    "test_seeds": 1,
}


def learned(recipe: Recipe, world: Scenario, folder: Path, **settings: Any) -> Path:
    """What is trained in a moment, and knows nothing."""
    short: dict[str, Any] = {"steps": 320, "evaluate_every": 160, "learn_from": 10**6, **settings}
    return train(recipe, env=world, out=folder, progress=False, **short)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("resume", [False, True])
def test_a_finished_policy_stays_unless_it_is_to_be_replaced(
    resume: bool, duopoly: Scenario, quick: Recipe, tmp_path: Path
) -> None:
    folder = learned(quick, duopoly, tmp_path / "mine", seed=3)
    before = files(folder)
    with pytest.raises(
        TrainingError, match=r"mine: got 'dqn, seed 3, which has finished'.*--out .*--replace"
    ) as refused:
        learned(quick, duopoly, folder, seed=4, resume=resume)
    assert ("resume" in str(refused.value)) == resume
    assert files(folder) == before
    learned(quick, duopoly, folder, seed=4, resume=resume, replace=True)
    assert StoredPolicy(folder).card.seed == 4
    assert files(folder).keys() == {CARD, WEIGHTS}
    fresh = learned(quick, duopoly, tmp_path / "fresh", seed=4, replace=True)
    assert (folder / WEIGHTS).read_bytes() == (fresh / WEIGHTS).read_bytes()


def test_the_old_policy_plays_until_the_first_evaluation_of_the_new(
    duopoly: Scenario, quick: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = learned(quick, duopoly, tmp_path / "mine", seed=3)
    before = files(folder)

    class StoppedError(Exception): ...

    def stop(training: Training) -> None:
        raise StoppedError

    with monkeypatch.context() as patch:
        patch.setattr(Training, "_evaluate", stop)
        with pytest.raises(StoppedError):
            learned(quick, duopoly, folder, seed=4, replace=True)
    assert before.items() <= files(folder).items()
    with pytest.raises(TrainingError, match=r"unfinished training.*--resume"):
        learned(quick, duopoly, folder, seed=4, replace=True)
    learned(quick, duopoly, folder, seed=4, resume=True)  # that it replaces was said at its beginning
    assert StoredPolicy(folder).card.seed == 4


def test_a_policy_whose_training_stopped_and_lost_its_checkpoint_is_kept_too(
    duopoly: Scenario, quick: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_test(training: Training) -> None: ...

    with monkeypatch.context() as patch:
        patch.setattr(Training, "_report", without_test)
        folder = learned(quick, duopoly, tmp_path / "mine")
    assert set(StoredPolicy(folder).card.metrics) == {"select"}
    with pytest.raises(TrainingError, match="dqn, seed 0, which stopped and has no checkpoint"):
        learned(quick, duopoly, folder, resume=True)


def test_policies_of_several_groups_are_kept_and_replaced_by_the_same_groups_alone(
    duopoly: Scenario, quick: Recipe, tmp_path: Path
) -> None:
    both = {"seats": ["generator", "operator"]}
    folder = learned(quick, duopoly, tmp_path / "both", **both)
    before = files(folder)
    with pytest.raises(TrainingError, match="both: got 'dqn, seed 0 in generator, operator, which has finished'"):
        learned(quick, duopoly, folder, **both)
    with pytest.raises(TrainingError, match=r"generator.policy\.json, which would stay beside the new.*--out ANOTHER"):
        learned(quick, duopoly, folder, replace=True)
    assert files(folder) == before
    learned(quick, duopoly, folder, seed=1, replace=True, **both)
    assert [StoredPolicy(folder / role).card.seed for role in ("generator", "operator")] == [1, 1]
    alone = learned(quick, duopoly, tmp_path / "alone")
    with pytest.raises(TrainingError, match=r"alone.policy\.json, which would stay.*generator/policy\.json"):
        learned(quick, duopoly, alone, replace=True, **both)


def test_the_report_of_a_training_elsewhere_is_kept_and_replaced_by_the_same_groups_alone(tmp_path: Path) -> None:
    folder = train(parse_recipe(POLE, "pole"), out=tmp_path / "pole", progress=False)
    before = files(folder)
    assert REPORT in before
    with pytest.raises(TrainingError, match="pole: got 'dqn, seed 0, which has finished'"):
        train(parse_recipe(POLE, "pole"), out=folder, seed=1, progress=False)
    assert files(folder) == before
    train(parse_recipe(POLE, "pole"), out=folder, seed=1, progress=False, replace=True)
    assert read_report(folder).recipe["seed"] == 1
    (folder / "agent.safetensors").rename(folder / "home.safetensors")
    with pytest.raises(TrainingError, match=r"home\.safetensors, which would stay"):
        train(parse_recipe(POLE, "pole"), out=folder, progress=False, replace=True)


@pytest.mark.parametrize("name", [CARD, REPORT, "sb3.json"])
@pytest.mark.parametrize("content", ["", "[]", "{}"])
def test_what_cannot_be_read_is_not_written_over_either(
    name: str, content: str, duopoly: Scenario, quick: Recipe, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(TrainingError, match=f"{name}, which does not say by what it was trained"):
        learned(quick, duopoly, tmp_path)
    assert files(tmp_path) == {name: content.encode()}


def test_a_policy_that_knows_no_preferences_leaves_no_front_of_the_one_before(
    duopoly: Scenario, quick: Recipe, tmp_path: Path
) -> None:
    folder = learned(quick, duopoly, tmp_path / "mine")
    about: dict[str, Any] = {"split": "select", "first_seed": 0, "episodes": 1, "reference": (), "hypervolume": None}
    front = Front(objectives=("cost",), utility=0.0, points=(), **about)
    write_front(folder, front)
    (folder / "front.png").write_bytes(b"picture")
    (folder / "notes.txt").write_text("mine")
    assert read_front(folder) == front
    learned(quick, duopoly, folder, replace=True)
    assert files(folder).keys() == {CARD, WEIGHTS, "notes.txt"}
