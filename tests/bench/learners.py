"""Our learners and Stable-Baselines3's in the same seat, with the same network and as many replayed samples a step."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import gymnasium

from gridmarl.learning.device import repeatable
from gridmarl.learning.recipe import Recipe, load_recipe
from gridmarl.learning.tasks import task_of
from gridmarl.learning.trainer import Training

CPU_S: Final = 1.0
"""How long each learner is watched, once it learns."""
WARM: Final = 2_048
"""Transitions before it learns."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One of our recipes, narrowed to one seat, and the algorithm of theirs that is nearest.

    Attributes
    ----------
    ours : str
        A shipped recipe.
    seat : str
    theirs : str
        Its class.
    batch, every : int
        Theirs: samples of a gradient step, and transitions between two.
    hidden : tuple of int
        Layers of theirs, for actor and critic alike: those of the recipe's actor.
    changes : mapping
        Ours: what differs from the recipe.
    """

    ours: str
    seat: str
    theirs: str
    batch: int
    every: int
    hidden: tuple[int, ...]
    changes: Mapping[str, Any]

    @property
    def ratio(self) -> float:
        """Samples replayed for each transition."""
        return self.batch / self.every


@dataclass(frozen=True, slots=True)
class Race:
    """What came of a pair: agent-transitions a second of CPU time."""

    pair: Pair
    kind: str  # our algorithm
    batch: int  # our samples of a gradient step
    environments: int  # of ours, side by side
    ours: float
    theirs: float

    @property
    def times(self) -> float:
        """How many times as fast ours is."""
        return self.ours / self.theirs

    @property
    def merged(self) -> bool:
        """Whether a gradient step of ours reads what several of theirs do: what that does to learning is not shown."""
        return self.batch > self.pair.batch


TD3: Final = {"kind": "td3"}
ALIKE: Final = {"updates": 1, "less_untouched": False}
"""The operator's recipe with one gradient step a round and no twin world beside it, as theirs has none."""
WIDE: Final = {"num_envs": 256, "learn_every": 256, "updates": 4}
"""As many gradient steps of as many samples, four after each step of 256 environments, not one after each of 64."""
MERGED: Final = {"batch_size": 1024, "learn_every": 256}
"""Four gradient steps of 256 samples as one."""
USUAL: Final = {"batch_size": 4096, "updates": 4}
"""As many samples for 64 transitions as 64 gradient steps of 256 would read."""
PAIRS: Final = (
    Pair("dqn-gas", "gas_1", "DQN", 256, 64, (128, 64, 32), {}),
    Pair("dqn-gas", "gas_1", "DQN", 256, 64, (128, 64, 32), WIDE),
    Pair("storage", "battery_1", "TD3", 256, 64, (64, 32), TD3),
    Pair("storage", "battery_1", "TD3", 256, 64, (64, 32), {**TD3, **WIDE}),
    Pair("storage", "battery_1", "SAC", 256, 64, (64, 32), {}),
    Pair("storage", "battery_1", "SAC", 256, 64, (64, 32), WIDE),
    Pair("maddpg", "load_1", "TD3", 256, 256, (64, 32), {}),
    Pair("maddpg", "load_1", "TD3", 256, 256, (64, 32), {"batch_size": 256, "num_envs": 256, "learn_every": 256}),
    Pair("operator", "operator", "DQN", 256, 64, (128, 96, 64), ALIKE),
    Pair("operator", "operator", "DQN", 256, 64, (128, 96, 64), {**ALIKE, **WIDE}),
    Pair("dqn-gas", "gas_1", "DQN", 32, 8, (128, 64, 32), {}),
    Pair("storage", "battery_1", "TD3", 256, 64, (64, 32), {**TD3, **MERGED}),
    Pair("storage", "battery_1", "SAC", 256, 64, (64, 32), MERGED),
    Pair("operator", "operator", "DQN", 32, 8, (128, 96, 64), ALIKE),
    Pair("dqn-gas", "gas_1", "DQN", 32, 4, (128, 64, 32), {"batch_size": 512}),
    Pair("storage", "battery_1", "TD3", 256, 1, (64, 32), {**TD3, **USUAL}),
    Pair("storage", "battery_1", "SAC", 256, 1, (64, 32), USUAL),
)
"""Like for like, as shipped and with more environments; then ours with gradient steps merged, at last at the ratio that
theirs has by default."""


def race(pair: Pair) -> Race:
    """Theirs, then ours."""
    theirs = their_rate(pair.ours, pair.seat, pair.theirs, pair.batch, pair.every, pair.hidden)
    with TemporaryDirectory() as folder:
        recipe, ours = our_rate(pair, Path(folder))
    kind = str(getattr(recipe, "kind", recipe.algorithm))
    return Race(pair, kind, recipe.batch_size, recipe.num_envs, ours, theirs)


def our_rate(pair: Pair, folder: Path) -> tuple[Recipe, float]:
    """The recipe, and agent-transitions a second of CPU time, of the training loop as it stands."""
    changes = {"learn_from": WARM, "random_steps": WARM, "epsilon_steps": WARM, "seats": pair.seat, **pair.changes}
    recipe = load_recipe(pair.ours)
    recipe = load_recipe(recipe, {name: value for name, value in changes.items() if hasattr(recipe, name)})
    ratio = recipe.batch_size * recipe.updates / recipe.learn_every
    assert ratio == pair.ratio, f"{pair.ours} replays {ratio:g} samples a transition, {pair.theirs} {pair.ratio:g}"
    with repeatable(recipe):
        training = Training(recipe, task_of(recipe, None), folder)
        while training.updates < recipe.updates:
            training._advance()
        rate = transitions_per_cpu_s(training._advance, recipe.num_envs, recipe.learn_every // recipe.num_envs)
    return recipe, rate


@cache
def their_rate(ours: str, seat: str, theirs: str, batch: int, every: int, hidden: tuple[int, ...]) -> float:
    """The same of Stable-Baselines3, from the single-seat view."""
    import stable_baselines3
    import torch

    recipe = load_recipe(ours)
    env = gymnasium.make("gridmarl/Seat-v0", scenario=recipe.scenario, seat=seat, others=recipe.others)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    model = getattr(stable_baselines3, theirs)(
        "MlpPolicy",
        env,
        batch_size=batch,
        train_freq=every,
        gradient_steps=1,
        learning_starts=WARM // 4,
        buffer_size=recipe.replay_size,
        gamma=recipe.discount,
        policy_kwargs={"net_arch": [*hidden]},
        device="cpu",
        seed=0,
    )
    model.learn(WARM // 4 + 1)
    chunk = max(64, every)
    rate = transitions_per_cpu_s(lambda: model.learn(chunk, reset_num_timesteps=False), chunk, 1)
    torch.set_num_threads(before)
    return rate


def transitions_per_cpu_s(step: Callable[[], object], transitions: int, rhythm: int) -> float:
    """Transitions a second of CPU time; a whole number of rhythms, for not every step learns."""
    for _ in range(rhythm):
        step()
    done, began = 0, time.process_time()
    while time.process_time() - began < CPU_S:
        for _ in range(rhythm):
            step()
        done += rhythm * transitions
    return done / (time.process_time() - began)
