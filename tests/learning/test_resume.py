"""A training that was killed goes on to the tensors that it would have come to."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
import torch
import yaml

from gridmarl.errors import TrainingError
from gridmarl.learning.device import repeatable
from gridmarl.learning.keeping import results
from gridmarl.learning.keeping.checkpoints import MANIFEST, read_manifest, read_state
from gridmarl.learning.memory import segments
from gridmarl.learning.recipe import Recipe, load_recipe, parse_recipe
from gridmarl.learning.tasks import task_of
from gridmarl.learning.trainer import Training, train
from gridmarl.scenario.scenario import Scenario
from tests.learning.worlds import MARKET_ROLES, duopoly_world, market_settings, quick_recipe

KILLS = 10
MARKET: Mapping[str, object] = {
    "seats": "generator",
    "n_step": 3,
    "discount": 0.5,
    "steps": 4_000,
    "replay_size": 900,
    "learn_from": 300,
    "evaluate_every": 800,
    "checkpoint_every": 400,
}
POLE: Mapping[str, object] = {
    "gymnasium": "CartPole-v1",
    "num_envs": 4,
    "steps": 2_400,
    "n_step": 3,
    "discount": 0.99,
    "hidden": [16],
    "learn_from": 100,
    "learn_every": 4,
    "replay_size": 700,
    "evaluate_every": 600,
    "checkpoint_every": 200,
    "select_seeds": 2,
    "test_seeds": 2,
    "epsilon_steps": 1_000,
    "target_every": 20,
}

ROLE_OF: Mapping[str, str] = {
    "actor_critic": "storage",
    "maddpg": "consumer",
    "multi_objective": "operator",
}
KINDS = ("dqn", "pole", *ROLE_OF, "market")
"""What is killed: DQN in a duopoly and on a pole, the others in a short auction."""

RUN = """
import sys
from pathlib import Path
from gridmarl.learning.recipe import load_recipe
from gridmarl.learning.tasks import task_of
from gridmarl.learning.device import repeatable
from gridmarl.learning.trainer import Training
from gridmarl.learning.keeping.checkpoints import MANIFEST
from gridmarl.scenario.scenario import Scenario

recipe, folder = load_recipe(Path(sys.argv[1])), Path(sys.argv[2])
world = Scenario.load(Path(sys.argv[3])) if len(sys.argv) > 3 else None
with repeatable(recipe):
    training = Training(recipe, task_of(recipe, world), folder)
    if (training.checkpoint / MANIFEST).is_file():
        training.resume()
    print("begun", training.step, flush=True)
    training.run()
    print("done", flush=True)
"""


def market_recipe(**changes: object) -> Recipe:
    return load_recipe(quick_recipe(), {**MARKET, **changes})


def short_recipe(kind: str, steps: int) -> Recipe:
    """A training of this algorithm, or of all roles, in the short auction."""
    common = {**market_settings(), "steps": steps, "n_step": 2, "checkpoint_every": 40}
    if kind == "market":
        return parse_recipe({**common, "past_share": 0.5}, kind)
    common = {name: value for name, value in common.items() if name in Recipe.model_fields}
    return parse_recipe({**common, "seats": ROLE_OF[kind], **MARKET_ROLES[ROLE_OF[kind]]}, kind)


def case(kind: str, steps: int) -> tuple[Recipe, Scenario | None]:
    """Recipe and world of a kind."""
    if kind == "dqn":
        return market_recipe(), duopoly_world()
    if kind == "pole":
        return parse_recipe(POLE, "pole"), None
    return short_recipe(kind, steps), Scenario.load("auction").but(intervals=6)


def begun(recipe: Recipe, folder: Path, world: Scenario | None = None) -> Training:
    return Training(recipe, task_of(recipe, world), folder)


def ran(recipe: Recipe, folder: Path, world: Scenario | None = None) -> Training:
    with repeatable(recipe):
        training = begun(recipe, folder, world)
        training.run()
    return training


def everything(checkpoint: Path) -> dict[str, np.ndarray]:
    """All that a checkpoint holds but how long it took."""
    manifest = read_manifest(checkpoint)
    parts = read_state(checkpoint, manifest.state)
    found = {f"{part}/{name}": array for part, arrays in parts.items() for name, array in arrays.items()}
    for segment in manifest.replay:
        for name, column in segments.read_arrays(checkpoint, segment).items():
            found[f"replay/{segment.first}/{name}"] = column
    progress = manifest.progress.model_dump(mode="json", exclude={"wall_s"})
    return {**found, "progress": np.array(json.dumps(progress)), "added": np.array(manifest.replay_added)}


def assert_equal(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> None:
    assert one.keys() == other.keys()
    assert {name for name in one if not np.array_equal(one[name], other[name])} == set()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a training in the duopoly that was never stopped."""
    folder = tmp_path_factory.mktemp("whole")
    ran(market_recipe(), folder, duopoly_world())
    return folder


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return copytree(whole, tmp_path / "copy")


def kill_and_resume(arguments: list[str], folder: Path, moments: np.ndarray) -> Path:
    """Run, kill after so many seconds, run again, ..., and let the last one end; the folder where it did.

    A run that ends before it could be killed is followed by one in a new folder with less time: every kill hits.
    """
    recipe, *world = arguments
    kills, number = 0, 0
    while True:
        command = [sys.executable, "-c", RUN, recipe, str(folder / str(number)), *world]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline().startswith("begun")
        if kills < len(moments):
            time.sleep(moments[kills] / 2**number)
            process.send_signal(signal.SIGKILL)
        rest = process.stdout.read()
        code = process.wait()
        kills += code == -signal.SIGKILL
        if "done" in rest:
            if kills == len(moments):
                return folder / str(number)
            number += 1


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="the system has no kill -9")
@pytest.mark.parametrize(
    "kind, kills",
    [
        ("dqn", 2),
        ("market", 1),
        *(pytest.param(kind, KILLS, marks=[pytest.mark.slow, pytest.mark.timeout(1800)]) for kind in KINDS),
    ],
)
def test_killed_at_random_moments_it_comes_to_equal_tensors(kind: str, kills: int, tmp_path: Path) -> None:
    recipe, world = case(kind, 600 if kills == KILLS else 240)
    file = tmp_path / "recipe.yaml"
    file.write_text(yaml.safe_dump(recipe.model_dump(mode="json")))
    arguments = [str(file)]
    if world is not None:
        written = tmp_path / "world.yaml"
        written.write_text(yaml.safe_dump(world.model_dump(mode="json", exclude_unset=True)))
        arguments.append(str(written))
    started = time.perf_counter()
    reference = ran(recipe, tmp_path / "reference", world)
    seconds = time.perf_counter() - started
    moments = np.random.default_rng(kills).uniform(0.0, min(2.0 / kills, 0.6) * seconds, kills)
    killed = kill_and_resume(arguments, tmp_path / "killed", moments)
    assert_equal(everything(reference.checkpoint), everything(killed / "checkpoint"))
    kept = [path.relative_to(reference.folder) for path in sorted(reference.folder.rglob("policy.safetensors"))]
    assert kept or kind == "pole"
    for weights in kept or [Path("agent.safetensors")]:
        assert (killed / weights).read_bytes() == (reference.folder / weights).read_bytes()


class StoppedError(Exception):
    """Stands for whatever stops a training."""


def stopped_and_resumed(recipe: Recipe, world: Scenario, folder: Path, stop_at: int) -> tuple[int, Path]:
    """Stop half way from this checkpoint to the next; the step that was resumed, and where the checkpoint ends."""
    with repeatable(recipe):
        first = begun(recipe, folder, world)
        advance = first._advance

        def stop() -> None:
            advance()
            if first.step >= stop_at + recipe.checkpoint_every // 2:
                raise StoppedError

        first._advance = stop
        with pytest.raises(StoppedError):
            first.run()
        second = begun(recipe, folder, world)
        second.resume()
        resumed = second.step
        second.run()
    return resumed, second.checkpoint


@pytest.mark.parametrize("stop_at", [0, 400, 1_600, 2_800])
def test_stopped_after_any_checkpoint_it_comes_to_equal_tensors(stop_at: int, whole: Path, tmp_path: Path) -> None:
    resumed, checkpoint = stopped_and_resumed(market_recipe(), duopoly_world(), tmp_path, stop_at)
    assert resumed == stop_at
    assert_equal(everything(whole / "checkpoint"), everything(checkpoint))


@pytest.mark.parametrize("kind", [*ROLE_OF, "market"])
def test_every_algorithm_goes_on_to_equal_tensors_in_the_middle_of_an_episode(kind: str, tmp_path: Path) -> None:
    recipe, world = short_recipe(kind, 240), Scenario.load("auction").but(intervals=6)
    reference = ran(recipe, tmp_path / "reference", world)
    resumed, checkpoint = stopped_and_resumed(recipe, world, tmp_path / "stopped", 160)
    assert resumed == 160  # 40 intervals: neither the first nor the last of an episode of 6
    assert_equal(everything(reference.checkpoint), everything(checkpoint))
    if kind == "market":
        names = everything(checkpoint)
        assert {"algorithm/pool.0.storage.layers.weights.0", "algorithm/opponents"} <= names.keys()
        assert names["algorithm/pool.seen"] == 3


def test_a_checkpoint_holds_weights_targets_moments_normalisers_streams_world_and_waiting_steps(whole: Path) -> None:
    manifest = read_manifest(whole / "checkpoint")
    parts = read_state(whole / "checkpoint", manifest.state)
    algorithm = parts["algorithm"]
    for name in ("Q", "Q_target"):
        assert np.abs(algorithm[f"{name}.generator.layers.weights.0"]).max() > 0
        assert algorithm[f"{name}.generator.normaliser.count"] > 0
    assert algorithm["adam.generator.exp_avg_sq"].max() > 0
    assert algorithm["adam.generator.step"] == manifest.progress.updates
    assert {"rows.t", "clocks.episode"} <= set(parts["world"])
    assert (parts["window"]["pending"] > 0).any()
    assert parts["torch"]["rng"].dtype == np.uint8
    assert manifest.progress.rng["bit_generator"] == "PCG64"
    assert [point.step for point in manifest.progress.curve] == [800, 1600, 2400, 3200, 4000]
    assert manifest.setting.threads == 1
    assert manifest.setting.torch == torch.__version__


def test_only_files_that_the_manifest_names_stay_and_none_is_a_pickle(whole: Path) -> None:
    manifest = read_manifest(whole / "checkpoint")
    named = {MANIFEST, manifest.state.file, *(segment.file for segment in manifest.replay)}
    assert {file.name for file in (whole / "checkpoint").iterdir()} == named
    assert {name.rpartition(".")[2] for name in named} == {"json", "safetensors"}


@pytest.mark.parametrize(
    "changed, named",
    [
        ({"threads": 2}, "threads"),
        ({"torch": "1.0"}, "torch: got '2"),
        ({"device": "cuda"}, "device: got 'cpu'; allowed: 'cuda'"),
        ({"world": "another"}, "world"),
    ],
)
def test_another_thread_count_device_torch_or_world_is_refused(
    copy: Path, changed: dict[str, object], named: str
) -> None:
    manifest = json.loads((copy / "checkpoint" / MANIFEST).read_text())
    manifest["setting"] |= changed
    (copy / "checkpoint" / MANIFEST).write_text(json.dumps(manifest))
    recipe = market_recipe()
    with repeatable(recipe), pytest.raises(TrainingError, match=f"resume with another {named}"):
        begun(recipe, copy, duopoly_world()).resume()


def test_another_recipe_is_refused_by_the_setting_that_differs(copy: Path) -> None:
    recipe = market_recipe(learning_rate=0.5)
    with pytest.raises(TrainingError, match=r"resume with learning_rate: got 0\.5; allowed: 0\.001"):
        begun(recipe, copy, duopoly_world()).resume()


@pytest.mark.parametrize("content", ["", "[]", "{", '{"format": 99}', '{"format": 1, "colour": "red"}'])
def test_a_manifest_that_is_not_ours_is_refused(copy: Path, content: str) -> None:
    (copy / "checkpoint" / MANIFEST).write_text(content)
    with pytest.raises(TrainingError, match=MANIFEST):
        begun(market_recipe(), copy, duopoly_world()).resume()


@pytest.mark.parametrize("kind", ["state", "replay"])
@pytest.mark.parametrize("spoil", ["cut", "flipped", "gone"])
def test_a_corrupted_checkpoint_is_refused_by_the_files_name(copy: Path, kind: str, spoil: str) -> None:
    file = sorted((copy / "checkpoint").glob(f"{kind}-*"))[0]
    content = file.read_bytes()
    if spoil == "gone":
        file.unlink()
    else:
        file.write_bytes(content[:-1] if spoil == "cut" else content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(TrainingError, match=file.name):
        begun(market_recipe(), copy, duopoly_world()).resume()


def test_a_full_disk_is_named_and_the_checkpoint_before_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, world = market_recipe(), duopoly_world()
    training = begun(recipe, tmp_path, world)
    training._write_checkpoint()
    before = everything(training.checkpoint)

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(segments, "write_atomically", full)
    training._advance()
    with pytest.raises(TrainingError, match=r"No space left on device.*a disk with room"):
        training._write_checkpoint()
    assert_equal(before, everything(training.checkpoint))


def test_a_disk_that_is_full_for_the_policy_is_named_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, stored: object) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(results, "write_policy", full)
    with pytest.raises(TrainingError, match=r"No space left on device.*make room and resume"):
        train(market_recipe(steps=800), env=duopoly_world(), out=tmp_path, progress=False)
    monkeypatch.undo()
    train(market_recipe(steps=800), env=duopoly_world(), out=tmp_path, progress=False, resume=True)


def test_an_unfinished_training_is_neither_overwritten_nor_resumed_unasked(tmp_path: Path) -> None:
    recipe, world = market_recipe(steps=800), duopoly_world()
    begun(recipe, tmp_path, world)._write_checkpoint()
    with pytest.raises(TrainingError, match="--resume"):
        train(recipe, env=world, out=tmp_path, progress=False)
    train(recipe, env=world, out=tmp_path, progress=False, resume=True)
    assert not (tmp_path / "checkpoint").exists()
    train(recipe, env=world, out=tmp_path / "new", progress=False, resume=True)  # nothing there: from the beginning
    weights = [(folder / "policy.safetensors").read_bytes() for folder in (tmp_path, tmp_path / "new")]
    assert weights[0] == weights[1]


def test_the_number_of_threads_and_the_strictness_are_restored_afterwards() -> None:
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with repeatable(load_recipe(quick_recipe(), {"threads": 2})):
        assert torch.get_num_threads() == 2
        assert torch.are_deterministic_algorithms_enabled()
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == (threads, strict)
