"""What goes wrong around a training is named, and costs nothing that was good."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
import safetensors.numpy
import yaml

from gridmarl.agents.policies import CARD, WEIGHTS, StoredPolicy, digest_of
from gridmarl.errors import PolicyError, ScenarioError, TrainingError
from gridmarl.learning.device import repeatable
from gridmarl.learning.interface import Metrics
from gridmarl.learning.keeping.checkpoints import MANIFEST
from gridmarl.learning.keeping.results import read_report
from gridmarl.learning.memory import segments
from gridmarl.learning.memory.replay import Transitions
from gridmarl.learning.recipe import Recipe, load_recipe
from gridmarl.learning.tasks import task_of
from gridmarl.learning.trainer import Training, train
from tests.learning.worlds import duopoly_world, quick_recipe

SMALL = {"steps": 1_200, "replay_size": 300, "learn_from": 200, "evaluate_every": 400, "checkpoint_every": 400}
CARD_SIZES = "the tensors of a network of sizes"

LIMITED = """
import resource, sys
from pathlib import Path
from gridmarl.errors import TrainingError
from gridmarl.learning.recipe import load_recipe
from gridmarl.learning.trainer import train
from gridmarl.scenario.scenario import Scenario

world = Scenario.load(Path(sys.argv[2]))
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]), int(sys.argv[4])))
try:
    train(load_recipe(Path(sys.argv[1])), env=world, out=sys.argv[3], progress=False)
except TrainingError as error:
    print(error)
"""
"""A process that no file may grow in beyond so many bytes: the system refuses, not a stand-in."""


def small(**changes: object) -> Recipe:
    return load_recipe(quick_recipe(), {**SMALL, **changes})


def weights(folder: Path) -> bytes:
    return (folder / WEIGHTS).read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training that nothing disturbed."""
    out = tmp_path_factory.mktemp("whole") / "policy"
    return train(small(), env=duopoly_world(), out=out, progress=False)


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return copytree(whole, tmp_path / "copy")


@pytest.mark.parametrize(
    "file, occurrence", [("state-", 1), *((file, 2) for file in ("state-", "replay-", MANIFEST, WEIGHTS, CARD))]
)
def test_a_disk_that_is_full_at_any_file_is_named_and_the_training_goes_on_to_equal_weights(
    file: str, occurrence: int, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, seen = Path.replace, [0]

    def full(draft: Path, target: Path) -> Path:
        seen[0] += target.name.startswith(file)
        if seen[0] == occurrence and target.name.startswith(file):
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        return replace(draft, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(TrainingError, match=r"No space left on device.*make room and resume"):
        train(small(), env=duopoly_world(), out=tmp_path / "it", progress=False)
    assert seen[0] == occurrence
    assert not list((tmp_path / "it").rglob(".*"))  # no drafts are left to fill the disk
    monkeypatch.undo()
    train(small(), env=duopoly_world(), out=tmp_path / "it", progress=False, resume=True)
    assert weights(tmp_path / "it") == weights(whole)


@pytest.mark.skipif(sys.platform == "win32", reason="the system knows no limit on a file's size")
def test_a_system_that_refuses_a_file_is_named_too(whole: Path, tmp_path: Path) -> None:
    recipe, world = tmp_path / "recipe.yaml", tmp_path / "world.yaml"
    recipe.write_text(yaml.safe_dump(small().model_dump(mode="json")))
    world.write_text(yaml.safe_dump(duopoly_world().model_dump(mode="json", exclude_unset=True)))
    out = tmp_path / "limited"
    command = [sys.executable, "-c", LIMITED, str(recipe), str(world), str(out), "100000"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "too large" in told
    assert "make room and resume" in told
    train(small(), env=duopoly_world(), out=out, progress=False, resume=True)
    assert weights(out) == weights(whole)


def test_a_loss_that_is_nan_is_named_even_where_its_batch_cannot_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, world = small(), duopoly_world()
    with repeatable(recipe):
        training = Training(recipe, task_of(recipe, world), tmp_path)
        learn = training.algorithm.learn

        def poisoned(batch: Transitions, rng: np.random.Generator) -> Metrics:
            monkeypatch.setattr(segments, "write_atomically", full)
            batch.r["generator"][0] = np.nan
            return learn(batch, rng)

        def full(path: Path, content: bytes) -> None:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))

        training.algorithm.learn = poisoned
        with pytest.raises(TrainingError, match=r"loss of update 1.*could not be kept.*No space.*checkpoint"):
            training.run()
    monkeypatch.undo()
    train(recipe, env=world, out=tmp_path, progress=False, resume=True)


def test_a_file_where_the_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(TrainingError, match=r"taken.*--out"):
        train(small(), env=duopoly_world(), out=tmp_path / "taken", progress=False)
    assert (tmp_path / "taken").read_text() == "mine"


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[]", b"{}", b"3"])
def test_a_report_that_is_not_ours_is_refused_by_its_name(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "training.json").write_bytes(content)
    with pytest.raises(TrainingError, match=r"training\.json"):
        read_report(tmp_path)


def test_a_report_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"training\.json"):
        read_report(tmp_path)


def test_a_state_without_an_algorithm_is_refused_though_its_digest_fits(tmp_path: Path) -> None:
    recipe, world = small(), duopoly_world()
    with repeatable(recipe):
        training = Training(recipe, task_of(recipe, world), tmp_path)
        training._write_checkpoint()
        manifest = json.loads((training.checkpoint / MANIFEST).read_text())
        stamp = segments.write_arrays(training.checkpoint, manifest["state"]["file"], {"other/x": np.zeros(3)})
        manifest["state"] = stamp.model_dump()
        (training.checkpoint / MANIFEST).write_text(json.dumps(manifest))
        with pytest.raises(TrainingError, match=r"parts of .*got \['other'\].*algorithm"):
            training.resume()


@pytest.mark.parametrize("place", [0, 9, 200, -1])
def test_a_policy_of_which_one_bit_is_flipped_is_refused(place: int, copy: Path) -> None:
    content = bytearray(weights(copy))
    content[place] ^= 1
    (copy / WEIGHTS).write_bytes(content)
    with pytest.raises(PolicyError, match=f"sha256 of .*{WEIGHTS}"):
        StoredPolicy(copy)


def foreign(copy: Path, content: bytes) -> Path:
    """Weights whose digest fits: somebody made them so."""
    (copy / WEIGHTS).write_bytes(content)
    card = json.loads((copy / CARD).read_text())
    (copy / CARD).write_text(json.dumps({**card, "weights_sha256": digest_of(content)}))
    return copy


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff" * 8, (10**12).to_bytes(8, "little") + b"{}", (2).to_bytes(8, "little") + b"[]"],
    ids=["empty", "endless header", "header beyond the file", "header of another kind"],
)
def test_weights_in_no_format_we_know_are_refused(content: bytes, copy: Path) -> None:
    with pytest.raises(PolicyError, match=CARD_SIZES):
        StoredPolicy(foreign(copy, content))


@pytest.mark.parametrize("tensor, value", [("normaliser.deviation", np.inf), ("layers.biases.0", np.nan)])
def test_weights_with_a_number_that_is_none_are_refused(tensor: str, value: float, copy: Path) -> None:
    arrays = safetensors.numpy.load(weights(copy))
    arrays[tensor] = arrays[tensor].copy()
    arrays[tensor].flat[0] = value
    with pytest.raises(PolicyError, match="NaN or infinity"):
        StoredPolicy(foreign(copy, safetensors.numpy.save(arrays)))


def test_a_card_in_another_encoding_is_refused(copy: Path) -> None:
    (copy / CARD).write_bytes((copy / CARD).read_text().encode("utf-16"))
    with pytest.raises(PolicyError, match=CARD):
        StoredPolicy(copy)


@pytest.mark.parametrize(
    "settings, named",
    [
        ({"clone": {"teem": "central"}}, r"clone.*teem.*did you mean 'team'"),
        ({"clone": {"episodes": 0}}, "episodes"),
        ({"clone": "central"}, "clone"),
        ({"clones": {}}, "did you mean 'clone'"),
    ],
)
def test_a_warm_start_that_does_not_exist_is_refused(settings: dict[str, object], named: str) -> None:
    with pytest.raises(ScenarioError, match=named):
        small(**settings)
