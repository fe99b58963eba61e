"""The GPU is an offer: ``auto`` does without, ``cuda`` says that there is none, before anything is written."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gridmarl.agents.policies import WEIGHTS
from gridmarl.errors import ScenarioError, TrainingError
from gridmarl.learning.recipe import Recipe, load_recipe, parse_recipe
from gridmarl.learning.tasks import task_of
from gridmarl.learning.trainer import Training, train
from gridmarl.scenario.scenario import Scenario

SHORT = {"steps": 960, "evaluate_every": 960, "checkpoint_every": 960}
SEATS = {"dqn": "generator", "actor_critic": "storage", "maddpg": "consumer", "multi_objective": "operator"}


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """What torch says where there is none; so it is tested on machines that have one, too."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("algorithm", SEATS)
def test_auto_learns_on_the_cpu_and_its_checkpoint_says_so(algorithm: str, tmp_path: Path) -> None:
    recipe = parse_recipe({"algorithm": algorithm, "seats": SEATS[algorithm], "device": "auto", "num_envs": 2}, "it")
    training = Training(recipe, task_of(recipe, None), tmp_path)
    assert training.setting.device == "cpu"
    parameters = [p for network in training.algorithm.policies.values() for p in network.parameters()]
    assert {parameter.device.type for parameter in parameters} == {"cpu"}


@pytest.mark.usefixtures("no_gpu")
def test_without_a_gpu_auto_learns_what_cpu_learns(duopoly: Scenario, quick: Recipe, tmp_path: Path) -> None:
    folders = [
        train(load_recipe(quick, {**SHORT, "device": device}), env=duopoly, out=tmp_path / device, progress=False)
        for device in ("auto", "cpu")
    ]
    one, other = ((folder / WEIGHTS).read_bytes() for folder in folders)
    assert one == other


@pytest.mark.usefixtures("no_gpu")
def test_cuda_is_refused_where_there_is_none_and_nothing_is_written(
    duopoly: Scenario, quick: Recipe, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match=r"device: got 'cuda'; allowed: cpu, or auto; torch sees no GPU here"):
        train(load_recipe(quick, {**SHORT, "device": "cuda"}), env=duopoly, out=tmp_path / "none", progress=False)
    assert not (tmp_path / "none").exists()


def test_devices_that_do_not_exist_are_refused_by_the_recipe() -> None:
    with pytest.raises(ScenarioError, match="device"):
        parse_recipe({"device": "gpu"}, "it")
