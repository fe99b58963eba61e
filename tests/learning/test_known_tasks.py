"""Tasks from elsewhere, with seeds and scores named beforehand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gridmarl import catalogue
from gridmarl.learning.recipe import load_recipe
from gridmarl.learning.results import read_report
from gridmarl.learning.trainer import train

SEEDS = range(5)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_dqn_balances_the_pole_on_four_of_five_seeds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The final weights, greedy, over 20 fresh episodes: at least 475 of 500 after 50,000 steps."""
    file = catalogue.shipped("training") / "known" / "cartpole.yaml"
    recipe = load_recipe(file)
    assert (recipe.steps, recipe.choose, recipe.test_seeds) == (50_000, "last", 20)
    scores: list[float] = []
    for seed in SEEDS:
        report = read_report(train(file, seed=seed, out=tmp_path / str(seed), progress=False))
        scores.append(report.metrics["test"].profit["agent"])
        with capsys.disabled():
            print(
                f"CartPole-v1, dqn, seed {seed}: {scores[-1]:.1f} after {report.chosen_step} steps, {report.wall_s} s"
            )
    assert np.sum(np.array(scores) >= 475) >= 4, scores


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name, kind", [("pendulum", "td3"), ("pendulum-sac", "sac")])
def test_actor_critic_swings_the_pendulum_up(
    name: str, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The final weights, greedy, over 20 fresh episodes: a median of at least -180 after 20,000 steps."""
    file = catalogue.shipped("training") / "known" / f"{name}.yaml"
    recipe = load_recipe(file)
    assert (recipe.steps, recipe.choose, recipe.test_seeds) == (20_000, "last", 20)
    assert recipe.model_dump()["kind"] == kind
    scores: list[float] = []
    for seed in SEEDS:
        report = read_report(train(file, seed=seed, out=tmp_path / str(seed), progress=False))
        scores.append(report.metrics["test"].profit["agent"])
        with capsys.disabled():
            print(f"Pendulum-v1, {kind}, seed {seed}: {scores[-1]:.1f}, {report.chosen_step} steps, {report.wall_s} s")
    assert np.median(scores) >= -180, scores
