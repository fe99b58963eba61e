"""Tasks from elsewhere, with seeds and scores named beforehand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from gridmarl import catalogue
from gridmarl.learning.keeping.results import read_report
from gridmarl.learning.recipe import load_recipe
from gridmarl.learning.trainer import train

SEEDS = range(5)
KNOWN = catalogue.shipped("training") / "known"
T_4 = 2.776
"""97.5 % of Student's distribution lie below, with five seeds."""


def scores(name: str, seeds: Sequence[int], folder: Path, say: Callable[[str], None]) -> list[float]:
    """What the final weights of each seed earn a seat, greedy, in 20 fresh episodes."""
    file = KNOWN / f"{name}.yaml"
    recipe = load_recipe(file)
    assert (recipe.choose, recipe.test_seeds) == ("last", 20)
    found: list[float] = []
    for seed in seeds:
        report = read_report(train(file, seed=seed, out=folder / str(seed), progress=False))
        found.append(float(np.mean([*report.metrics["test"].profit.values()])))
        about = f"{recipe.elsewhere}, {recipe.algorithm}, seed {seed}"
        say(f"{about}: {found[-1]:.1f} after {report.chosen_step} steps, {report.wall_s} s")
    mean, deviation = np.mean(found), np.std(found, ddof=1) / len(found) ** 0.5
    low, high = mean - T_4 * deviation, mean + T_4 * deviation
    say(f"median {np.median(found):.1f}, mean {mean:.1f}, 95 % interval {low:.1f} .. {high:.1f} over seeds {[*seeds]}")
    return found


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Prints past pytest."""

    def spoken(words: str) -> None:
        with capsys.disabled():
            print(words)

    return spoken


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_dqn_balances_the_pole_on_four_of_five_seeds(tmp_path: Path, say: Callable[[str], None]) -> None:
    """At least 475 of 500 after 50,000 steps."""
    assert load_recipe(KNOWN / "cartpole.yaml").steps == 50_000
    found = scores("cartpole", SEEDS, tmp_path, say)
    assert np.sum(np.array(found) >= 475) >= 4, found


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name, most_steps, least", [("speaker-listener", 125_000, -16.0), ("spread", 150_000, -18.0)])
def test_maddpg_cooperates_as_well_as_a_plain_re_implementation_of_the_paper(
    name: str, most_steps: int, least: float, tmp_path: Path, say: Callable[[str], None]
) -> None:
    """Returns of 25 steps per agent: speaker and listener random -38.8, a plain re-implementation -14.2, an oracle by
    hand -8.2; spread random -26.2, plain -14.8, oracle -9.8."""
    assert load_recipe(KNOWN / f"{name}.yaml").steps <= most_steps
    found = scores(name, SEEDS, tmp_path, say)
    assert np.median(found) >= least, found


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name, kind", [("pendulum", "td3"), ("pendulum-sac", "sac")])
def test_actor_critic_swings_the_pendulum_up(name: str, kind: str, tmp_path: Path, say: Callable[[str], None]) -> None:
    """A median of at least -180 after 20,000 steps."""
    recipe = load_recipe(KNOWN / f"{name}.yaml")
    assert recipe.steps == 20_000
    assert recipe.model_dump()["kind"] == kind
    assert np.median(scores(name, SEEDS, tmp_path, say)) >= -180
