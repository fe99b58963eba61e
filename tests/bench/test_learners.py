"""How fast our learners learn beside Stable-Baselines3's, and how long a useful policy takes from nothing.

Run by ``make bench``, which prints the tables. As in `test_speed`, a missed target is printed; a test fails only where
a number is hopelessly off, or where the policy is of no use.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from gridmarl.agents.cards import CARD, read_card
from gridmarl.learning.device import repeatable
from gridmarl.learning.judging.standing import greedy_returns, standing_of
from gridmarl.learning.recipe import load_recipe
from gridmarl.learning.tasks import task_of
from gridmarl.learning.trainer import Training, train
from tests.bench import tables
from tests.bench.findings import Judged, show
from tests.bench.learners import PAIRS, Pair, Race, race

FASTER, MINUTES = 10.0, 5.0
RECIPE: Final = "dqn"


@dataclass(slots=True)
class Findings(Judged):
    """What the tests of this file measured."""

    races: list[Race] = field(default_factory=list)
    words: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def findings() -> Iterator[Findings]:
    """Print what was measured, once all of it is."""
    found = Findings()
    yield found
    show(tables.races_table(found.races), tables.target_table(found.targets), *found.words)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair.ours}-{pair.theirs}")
def test_learning_beside_stable_baselines3(benchmark: Any, findings: Findings, pair: Pair) -> None:
    pytest.importorskip("stable_baselines3", reason="the learners to compare with are Stable-Baselines3's")
    found = benchmark.pedantic(lambda: race(pair), rounds=1)
    findings.races.append(found)
    if not found.counts:
        assert found.times > 1.0, f"{found.kind} ({found.note}) is slower than {pair.theirs}"
        return
    what = f"{found.kind} / {pair.theirs} in {pair.seat}, {pair.ratio:g} replayed, {found.environments} environments"
    what += f", steps of {found.batch} / {pair.batch}" if found.merged else ""
    findings.judge(what, found.times, FASTER, "times", at_least=True)


def test_a_useful_policy_from_nothing(benchmark: Any, findings: Findings, tmp_path: Path) -> None:
    recipe = load_recipe(RECIPE)
    with repeatable(recipe):
        untrained = Training(recipe, task_of(recipe, None), tmp_path / "untrained")
        judge = untrained.task.make(recipe.select_seeds, "test")
        first = untrained.task.first_seed("test", recipe.seed)
        before = standing_of(greedy_returns(untrained.algorithm, judge, first), judge.groups, first).scaled
    began = time.process_time()
    folder = benchmark.pedantic(lambda: train(recipe, out=tmp_path / "policy", progress=False), rounds=1)
    cpu_min, wall_min = (time.process_time() - began) / 60, benchmark.stats.stats.min / 60
    after = read_card(folder / CARD).metrics["test"].scaled
    rate = recipe.steps * sum(len(group.seats) for group in judge.groups.values()) / cpu_min / 60
    findings.words.append(
        f"gridmarl train {RECIPE}: {wall_min:.2f} min, {cpu_min:.2f} CPU-min, {rate:,.0f} agent-transitions/CPU-s;"
        f" a seat and episode of the test split earns {after:.4g}, untrained {before:.4g}."
    )
    findings.judge(f"gridmarl train {RECIPE}, from nothing", wall_min, MINUTES, "min")
    assert after > before + 0.1 * abs(before), "training has come to nothing"
