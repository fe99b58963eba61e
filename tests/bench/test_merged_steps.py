"""Few gradient steps on large batches instead of many on small ones: what an operator then learns at equal transitions.

Its recipes take one step of 256 samples where a DQN usually takes eight of 32. Both have the better of the learning
rates that were tried for them (small steps 0.001 and 0.002, large ones 0.002 and 0.003), and a target network that
follows as fast. In the auction, where `make bench` races, large steps learn no worse; in the storm small ones come to a
little more, beyond chance, so there large steps are a choice for speed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from gridmarl.agents.cards import CARD, read_card
from gridmarl.learning.algorithms.multi_objective import MultiObjectiveRecipe
from gridmarl.learning.recipe import load_recipe
from gridmarl.learning.trainer import train
from gridmarl.units import Float

SEEDS: Final = range(8)
T_7 = 2.365
"""97.5 % of Student's distribution lie below, with eight seeds."""
EIGHT: Final = {"batch_size": 32, "updates": 8}
"""As many samples, in the steps that Stable-Baselines3's DQN takes by default."""
TASKS: Final[Mapping[str, Mapping[str, Any]]] = {
    "operator-storm": {**EIGHT, "target_every": 4_000, "learning_rate": 0.002},
    "operator": {**EIGHT, "tau": 0.00375, "learning_rate": 0.001},
}
NO_WORSE: Final = "operator"
"""Where the mean over seeds may lose nothing but what chance explains."""
LOSS: Final[Mapping[str, float]] = {"operator": 0.05, "operator-storm": 0.1}
"""Scaled utility that it may lose at most; 0.05 is 2 % of what is gained over doing nothing, which the storm misses."""
POINTS: Final = 8
"""Evaluations along the way."""


@dataclass(frozen=True, slots=True)
class Curves:
    """Utility on the select split along the way, (seed, point), and on the test split at the end, (seed,)."""

    select: Float
    test: Float


def curves(name: str, changes: Mapping[str, Any], folder: Path) -> Curves:
    """Of a training for each seed."""
    steps = load_recipe(name).steps
    select: list[list[float]] = []
    test: list[float] = []
    for seed in SEEDS:
        recipe = load_recipe(name, {"evaluate_every": steps // POINTS, "choose": "last", "seed": seed, **changes})
        card = read_card(train(recipe, out=folder / str(seed), progress=False) / CARD)
        select.append([point.scaled for point in card.curve])
        test.append(card.metrics["test"].scaled)
    return Curves(np.array(select), np.array(test))


@pytest.mark.parametrize("name", TASKS)
def test_small_steps_replay_as_many_samples_and_their_targets_follow_as_fast(name: str) -> None:
    large, small = load_recipe(name), load_recipe(name, dict(TASKS[name]))
    assert isinstance(large, MultiObjectiveRecipe)
    assert isinstance(small, MultiObjectiveRecipe)
    assert small.batch_size * small.updates == large.batch_size * large.updates
    assert small.tau / small.target_every * small.updates == large.tau / large.target_every * large.updates
    changed = {key for key, value in large if getattr(small, key) != value}
    assert changed <= {"batch_size", "updates", "learning_rate", "target_every", "tau"}


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", TASKS)
def test_the_operator_loses_nothing_or_little_in_large_steps(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    large, small = (curves(name, changes, tmp_path / f"{k}") for k, changes in enumerate(({}, TASKS[name])))
    gain = large.test - small.test
    half = T_7 * gain.std(ddof=1) / len(gain) ** 0.5
    later = (large.select - small.select)[:, POINTS // 2 :].mean()
    with capsys.disabled():
        for size, found in ((256, large), (32, small)):
            said = {"select": found.select.mean(0).round(3).tolist(), "test": found.test.round(3).tolist()}
            print(f"{name}, steps of {size}, utility, means over seeds {[*SEEDS]} and by seed: {json.dumps(said)}")
        print(f"{name}: test {gain.mean():+.3f} +- {half:.3f}, second half of the curves {later:+.3f}")
    assert gain.mean() > -LOSS[name]
    assert later > -LOSS[name]
    if name == NO_WORSE:
        assert gain.mean() + half > 0.0, "large steps are worse beyond chance"
