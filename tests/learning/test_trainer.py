from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gridmarl.agents.make import vector_env
from gridmarl.agents.policies import CARD, WEIGHTS, StoredPolicy, read_policy
from gridmarl.agents.rules import Rule
from gridmarl.agents.team import Team
from gridmarl.environment.compiled.fields import FIELDS
from gridmarl.errors import CatalogueError, ScenarioError, TrainingError
from gridmarl.evaluation.rollout import rollout
from gridmarl.learning.device import device_of
from gridmarl.learning.interface import Metrics
from gridmarl.learning.keeping.results import read_report
from gridmarl.learning.memory.replay import Transitions
from gridmarl.learning.recipe import Recipe, load_recipe, parse_recipe
from gridmarl.learning.reporting import scalars
from gridmarl.learning.tasks import ForeignTask, learning_seats, task_of
from gridmarl.learning.trainer import FAILED, Training, train
from gridmarl.scenario.scenario import Scenario
from tests.learning.worlds import BEST_ACTION, BEST_PROFIT

MONEY = 1e-6
"""Relative tolerance of dollars summed over an episode."""
REMAINING = [field.name for field in FIELDS["generator"]].index("remaining")


def begun(recipe: Recipe, scenario: Scenario, folder: Path) -> Training:
    return Training(recipe, task_of(recipe, scenario), folder)


def test_it_finds_the_price_that_trying_all_twenty_finds(duopoly: Scenario, trained: Path) -> None:
    markets = vector_env(duopoly, 20, seats="cheap")
    markets.reset(seed=0)
    _, rewards, *_ = markets.step({"generator": np.arange(20)[:, None]})
    assert rewards["generator"][:, 0].argmax() == BEST_ACTION
    card = StoredPolicy(trained).card
    assert card.metrics["test"].profit["cheap"] == pytest.approx(BEST_PROFIT, rel=MONEY)
    assert rewards["generator"].mean() * 8 < 0.5 * BEST_PROFIT  # what random bidding earns


def test_the_same_seed_gives_equal_weights_and_another_seed_others(
    duopoly: Scenario, quick: Recipe, tmp_path: Path
) -> None:
    folders = [
        train(quick, env=duopoly, seed=seed, out=tmp_path / name, progress=False, steps=1_280, evaluate_every=1_280)
        for seed, name in ((1, "one"), (1, "same"), (2, "other"))
    ]
    one, same, other = ((folder / WEIGHTS).read_bytes() for folder in folders)
    assert one == same
    assert one != other


def test_where_an_episode_is_cut_off_the_true_last_observation_is_remembered(
    duopoly: Scenario, quick: Recipe, tmp_path: Path
) -> None:
    training = begun(load_recipe(quick, {"discount": 0.5}), duopoly, tmp_path)
    for _ in range(duopoly.intervals + 1):
        training._advance()
    kept = training.replay.take(np.arange((duopoly.intervals + 1) * quick.num_envs))
    remaining = kept.s["generator"][:, 0, REMAINING].reshape(-1, quick.num_envs)[:, 0]
    after = kept.s_next["generator"][:, 0, REMAINING].reshape(-1, quick.num_envs)[:, 0]
    assert remaining[0] == 1.0
    assert after[-2] == 0.0  # the end of the first episode ...
    assert remaining[-1] == 1.0  # ... and not the beginning of the second
    np.testing.assert_array_equal(after[:-2], remaining[1:-1])
    assert (kept.discount == 0.5).all()  # and its value counts: no market ends


def test_rewards_are_remembered_scaled(duopoly: Scenario, quick: Recipe, tmp_path: Path) -> None:
    training = begun(quick, duopoly, tmp_path)
    assert training.groups["generator"].scale.tolist() == [40 * 50]
    training._advance()
    kept = training.replay.take(np.arange(16))
    price = 20 + kept.a["generator"][:, 0] * 180 / 19
    expected = np.where(price < 100, (price - 30) * 30, 0.0) / 2000
    np.testing.assert_allclose(kept.r["generator"][:, 0], expected, rtol=1e-5)


def test_the_card_says_what_was_trained_on_what_and_how_well(duopoly: Scenario, quick: Recipe, trained: Path) -> None:
    content = json.loads((trained / CARD).read_text("utf-8"))
    assert content["digest"] == duopoly.digest
    assert content["split"] == "train"
    assert set(content["metrics"]) == {"select", "test"}
    assert parse_recipe(content["recipe"], "card") == quick
    assert [point["step"] for point in content["curve"]] == [3200, 6400, 9600]
    best = max(content["curve"], key=lambda point: point["scaled"])
    assert content["metrics"]["select"]["scaled"] == best["scaled"]
    assert content["chosen_step"] == best["step"]
    assert {"loss.generator", "epsilon"} == set(best["metrics"])


def test_a_finished_training_leaves_no_checkpoint(trained: Path) -> None:
    assert {file.name for file in trained.iterdir()} == {CARD, WEIGHTS}


def test_the_last_policy_is_kept_where_the_recipe_says_so(duopoly: Scenario, quick: Recipe, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"choose": "last", "steps": 960, "evaluate_every": 320, "learn_from": 10**6}
    card = read_policy(train(quick, env=duopoly, out=tmp_path, progress=False, **settings)).card
    assert card.chosen_step == 960
    settings["choose"] = "best"
    first = read_policy(train(quick, env=duopoly, out=tmp_path / "best", progress=False, **settings)).card
    assert first.chosen_step == 320  # nothing was learned, so nothing was better


def test_a_training_that_diverges_names_the_update_keeps_the_batch_and_what_was_good(
    duopoly: Scenario, quick: Recipe, tmp_path: Path
) -> None:
    training = begun(quick, duopoly, tmp_path / "diverged")
    learn = training.algorithm.learn

    def poisoned(batch: Transitions, rng: np.random.Generator) -> Metrics:
        if training.updates == 4:
            batch.r["generator"][0] = np.nan
        return learn(batch, rng)

    training.algorithm.learn = poisoned
    with pytest.raises(TrainingError, match=r"loss of update 5, of the batch in .*last good checkpoint") as stop:
        training.run()
    assert str(tmp_path / "diverged" / FAILED) in str(stop.value)
    from safetensors.numpy import load_file

    batch = load_file(tmp_path / "diverged" / FAILED)
    assert np.isnan(batch["r.generator"]).sum() == 1
    assert batch["place"].shape == (quick.batch_size,)
    again = begun(quick, duopoly, tmp_path / "diverged")
    again.resume()  # the checkpoint stands


def test_seats_that_nobody_has_are_refused(duopoly: Scenario) -> None:
    assert learning_seats(duopoly, "generator") == ("cheap", "rival")
    assert learning_seats(duopoly, "*") == ("cheap", "rival", "town")
    with pytest.raises(ScenarioError, match="cheap, rival"):
        learning_seats(duopoly, "chaep")


def test_nothing_is_drawn_where_standard_error_is_no_terminal(
    duopoly: Scenario, quick: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(quick, env=duopoly, out=tmp_path, steps=960, evaluate_every=960, progress=True)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("share", [True, False])
def test_all_generators_learn_with_shared_parameters_or_with_their_own(
    duopoly: Scenario, quick: Recipe, tmp_path: Path, share: bool
) -> None:
    settings: dict[str, Any] = {"seats": "generator", "steps": 960, "evaluate_every": 960, "share": share}
    card = read_policy(train(quick, env=duopoly, out=tmp_path, progress=False, **settings)).card
    assert (card.seats, card.shared) == (("cheap", "rival"), share)
    assert set(card.metrics["test"].profit) == {"cheap", "rival"}
    seen = {seat: np.ones(64, np.float32) for seat in ("rival", "cheap")}
    assert set(StoredPolicy(tmp_path).act(seen)) == {"cheap", "rival"}


def test_roles_that_learn_together_leave_a_policy_each(duopoly: Scenario, quick: Recipe, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"seats": ["generator", "operator"], "steps": 960, "evaluate_every": 960}
    train(quick, env=duopoly, out=tmp_path, progress=False, **settings)
    generator, operator = (StoredPolicy(tmp_path / role) for role in ("generator", "operator"))
    assert (generator.card.seats, operator.card.seats) == (("cheap", "rival"), ("operator",))
    assert operator.card.codec == "levels"
    both = Team({"generator": generator, "operator": operator, "*": Rule("idle")})
    assert np.isfinite(rollout(duopoly, both, seed=1).of_seat("cheap", "reward")).all()


def test_agents_of_a_pettingzoo_environment_learn_side_by_side(tmp_path: Path) -> None:
    recipe = parse_recipe(
        {
            "pettingzoo": "mpe2.simple_speaker_listener_v4",
            "arguments": {"max_cycles": 5},
            "num_envs": 4,
            "steps": 200,
            "learn_from": 40,
            "learn_every": 4,
            "evaluate_every": 100,
            "checkpoint_every": 100,
            "select_seeds": 2,
            "test_seeds": 2,
        },
        "talk",
    )
    report = read_report(train(recipe, out=tmp_path, progress=False))
    assert set(report.metrics["test"].profit) == {"speaker_0", "listener_0"}
    assert {"loss.speaker", "loss.listener"} <= set(report.curve[-1].metrics)
    assert {file.stem for file in tmp_path.glob("*.safetensors")} == {"speaker", "listener"}


def test_an_environment_from_elsewhere_leaves_a_report_and_weights(tmp_path: Path) -> None:
    recipe = parse_recipe(
        {
            "gymnasium": "CartPole-v1",
            "num_envs": 4,
            "steps": 400,
            "n_step": 3,
            "learn_from": 100,
            "learn_every": 4,
            "evaluate_every": 200,
            "checkpoint_every": 200,
            "choose": "last",
            "select_seeds": 2,
            "test_seeds": 2,
        },
        "short",
    )
    report = read_report(train(recipe, out=tmp_path, progress=False))
    assert [point.step for point in report.curve] == [200, 400]
    assert report.metrics["test"].profit["agent"] >= 1
    assert (tmp_path / "agent.safetensors").is_file()
    seeds = [ForeignTask(recipe).first_seed(split, 0) for split in ("train", "select", "test")]
    assert len(set(seeds)) == 3


@pytest.mark.parametrize(
    "settings", [{"gymnasium": "CartPool-v1"}, {"pettingzoo": "mpe2.nothing"}, {"pettingzoo": "json"}]
)
def test_an_environment_that_does_not_exist_is_refused(settings: Mapping[str, str], tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="environment"):
        train(parse_recipe(settings, "wrong"), out=tmp_path, progress=False)


def test_a_market_is_refused_where_the_recipe_belongs_elsewhere(duopoly: Scenario, tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="no market"):
        train(parse_recipe({"gymnasium": "CartPole-v1"}, "pole"), env=duopoly, out=tmp_path)
    with pytest.raises(CatalogueError, match="did you mean 'auction'"):
        train("dqn", env="acution", out=tmp_path)


def test_a_gpu_that_is_not_there_is_refused_and_auto_takes_what_there_is() -> None:
    import torch

    if torch.cuda.is_available():
        assert device_of(parse_recipe({"device": "auto"}, "it")).type == "cuda"
        return
    assert device_of(parse_recipe({"device": "auto"}, "it")).type == "cpu"
    with pytest.raises(TrainingError, match="device: got 'cuda'"):
        device_of(parse_recipe({"device": "cuda"}, "it"))


def test_curves_go_to_tensorboard_where_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    from types import ModuleType

    written: list[tuple[str, float, int]] = []

    class SummaryWriter:
        def __init__(self, folder: str, purge_step: int) -> None:
            assert (folder, purge_step) == (str(tmp_path), 7)

        def __enter__(self) -> SummaryWriter:
            return self

        def __exit__(self, *error: object) -> None: ...

        def add_scalar(self, name: str, value: float, step: int) -> None:
            written.append((name, value, step))

    stand_in = ModuleType("torch.utils.tensorboard")
    setattr(stand_in, "SummaryWriter", SummaryWriter)  # noqa: B010  # a module has no such attribute by type
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", stand_in)
    for installed in ("", "tensorboard"):
        monkeypatch.setattr(scalars, "find_spec", lambda name, installed=installed: name == installed or None)
        with scalars.scalar_writer(tmp_path, 7) as write:
            write(8, {"return": 1.5})
    assert written == [("return", 1.5, 8)]


@pytest.mark.parametrize("mode", [None, "online"])
def test_curves_go_to_weights_and_biases_but_not_off_the_machine_unasked(
    mode: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys
    from types import ModuleType, SimpleNamespace

    begun: list[dict[str, object]] = []
    written: list[tuple[dict[str, float], int]] = []
    ended: list[bool] = []

    def init(**settings: object) -> SimpleNamespace:
        begun.append(settings)
        return SimpleNamespace(
            log=lambda numbers, step: written.append((numbers, step)),  # pyright: ignore[reportUnknownLambdaType]
            finish=lambda: ended.append(True),
        )

    stand_in = ModuleType("wandb")
    setattr(stand_in, "init", init)  # noqa: B010  # a module has no such attribute by type
    monkeypatch.setitem(sys.modules, "wandb", stand_in)
    monkeypatch.setattr(scalars, "find_spec", lambda name: name == "wandb" or None)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    if mode:
        monkeypatch.setenv("WANDB_MODE", mode)
    with scalars.scalar_writer(tmp_path / "policy", 7) as write:
        write(8, {"return": 1.5})
    assert written == [({"return": 1.5}, 8)]
    assert ended == [True]
    assert begun == [
        {"project": "gridmarl", "name": "policy", "dir": str(tmp_path / "policy"), "mode": mode or "offline"}
    ]
