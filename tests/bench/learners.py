"""Our learners and Stable-Baselines3's in the same seat, with the same network and as many replayed samples a step.

The operator's network is the same up to its outputs: ours says three values of each action, theirs one. Both replays
are in memory before they are timed, as they are for all but the beginning of a training.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import gymnasium
import numpy as np

from gridmarl.learning.device import repeatable
from gridmarl.learning.recipe import Recipe, load_recipe
from gridmarl.learning.tasks import task_of
from gridmarl.learning.trainer import Training

LAPS, LAP_CPU_S = 10, 0.25
"""How often and how long each learner is watched, once it learns; the first time does not count."""
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
    note : str
        In what ours is not as theirs.
    no_worse : bool
        Whether it is shown that ours learns no worse in larger steps than theirs.
    """

    ours: str
    seat: str
    theirs: str
    batch: int
    every: int
    hidden: tuple[int, ...]
    changes: Mapping[str, Any]
    note: str = ""
    no_worse: bool = False

    @property
    def ratio(self) -> float:
        """Samples replayed for each transition."""
        return self.batch / self.every


@dataclass(frozen=True, slots=True)
class Race:
    """What came of a pair: agent-transitions a second of CPU time, medians of the laps."""

    pair: Pair
    kind: str  # our algorithm
    batch: int  # our samples of a gradient step
    environments: int  # of ours, side by side
    ours: float
    theirs: float
    times: float
    """How many times as fast ours is: the median of laps side by side, for a machine is slow now and then."""

    @property
    def note(self) -> str:
        """In what ours is not as theirs."""
        if self.merged:
            return "merged, learns no worse" if self.pair.no_worse else "merged: speed only"
        return self.pair.note

    @property
    def merged(self) -> bool:
        """Whether one of our gradient steps is several of theirs."""
        return self.batch > self.pair.batch

    @property
    def counts(self) -> bool:
        """Whether it says how much faster ours learns the same."""
        return self.pair.no_worse if self.merged else not self.pair.note


TD3: Final = {"kind": "td3"}
PLAIN: Final = {"double": False, "dueling": False}
"""As Stable-Baselines3's DQN is."""
BARE: Final = {**PLAIN, "less_untouched": False}
"""The operator's recipe without a twin world beside it."""
WIDE: Final = {"num_envs": 256, "learn_every": 256, "updates": 4}
"""As many gradient steps of as many samples, four after each step of 256 environments, not one after each of 64."""
MERGED: Final = {"batch_size": 1024, "learn_every": 256}
"""Four gradient steps of 256 samples as one."""
USUAL: Final = {"batch_size": 4096, "updates": 4}
"""As many samples for 64 transitions as 64 gradient steps of 256 would read."""
GAS: Final = ("dqn-gas", "gas_1", "DQN", 256, 64, (128, 64, 32))
TD3_STORE: Final = ("storage", "battery_1", "TD3", 256, 64, (64, 32))
SAC_STORE: Final = ("storage", "battery_1", "SAC", 256, 64, (64, 32))
HOME: Final = ("maddpg", "load_1", "TD3", 128, 128, (64, 32))
OPERATOR: Final = ("operator", "operator", "DQN", 256, 64, (128, 96, 64))
DOUBLE: Final = "double, which theirs is not"
PAIRS: Final = (
    Pair(*GAS, PLAIN),
    Pair(*GAS, {**PLAIN, **WIDE}),
    Pair(*TD3_STORE, TD3),
    Pair(*TD3_STORE, {**TD3, **WIDE}),
    Pair(*SAC_STORE, {}),
    Pair(*SAC_STORE, WIDE),
    Pair(*HOME, {}),
    Pair(*HOME, {**WIDE, "updates": 2}),
    Pair(*OPERATOR, BARE),
    Pair(*OPERATOR, {**BARE, **WIDE}),
    Pair(*GAS, {}, DOUBLE),
    Pair(*GAS, WIDE, DOUBLE),
    Pair(*TD3_STORE, {**TD3, **MERGED}),
    Pair(*SAC_STORE, MERGED),
    Pair(*OPERATOR, {**BARE, **WIDE, **MERGED, "updates": 1}),
    Pair("operator", "operator", "DQN", 32, 8, (128, 96, 64), BARE, no_worse=True),
    Pair("operator", "operator", "DQN", 32, 8, (128, 96, 64), {**BARE, **WIDE}, no_worse=True),
    Pair("dqn-gas", "gas_1", "DQN", 32, 4, (128, 64, 32), {"batch_size": 512}),
    Pair("storage", "battery_1", "TD3", 256, 1, (64, 32), {**TD3, **USUAL}),
    Pair("storage", "battery_1", "SAC", 256, 1, (64, 32), USUAL),
)
"""Like for like, with as many environments as shipped and with more; then as shipped where ours does more; then ours
with gradient steps merged, at last at the ratio that theirs has by default. That the operator learns no worse in steps
of 256 than in those of 32 that theirs takes by default is for `test_merged_steps` to show."""


@dataclass(frozen=True, slots=True)
class Runner:
    """A training that goes on for as long as one wants to watch it.

    Attributes
    ----------
    step : callable
        Of the training loop as it stands.
    transitions : int
        Of a step.
    rhythm : int
        Steps from one that learns to the next.
    """

    step: Callable[[], object]
    transitions: int
    rhythm: int

    def run(self, cpu_s: float) -> tuple[int, float]:
        """Transitions, and seconds of CPU time that they took; a whole number of rhythms."""
        done, began = 0, time.process_time()
        while time.process_time() - began < cpu_s:
            for _ in range(self.rhythm):
                self.step()
            done += self.rhythm * self.transitions
        return done, time.process_time() - began


def race(pair: Pair) -> Race:
    """Both by turns, so that a machine that is slow for a while is slow for both."""
    theirs = their_training(pair.ours, pair.seat, pair.theirs, pair.batch, pair.every, pair.hidden)
    with TemporaryDirectory() as folder:
        recipe, ours = our_training(pair, Path(folder))
        laps = np.array([(run(ours, recipe.threads), run(theirs, recipe.threads)) for _ in range(LAPS)][1:])
    kind = str(getattr(recipe, "kind", recipe.algorithm))
    mine, his = np.median(laps, axis=0)
    times = float(np.median(laps[:, 0] / laps[:, 1]))
    return Race(pair, kind, recipe.batch_size, recipe.num_envs, float(mine), float(his), times)


def run(runner: Runner, threads: int) -> float:
    """Transitions a second of CPU time in a lap, with so many threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        done, used = runner.run(LAP_CPU_S)
        return done / used
    finally:
        torch.set_num_threads(before)


def our_training(pair: Pair, folder: Path) -> tuple[Recipe, Runner]:
    """Ours, once it learns, and its recipe."""
    changes = {"learn_from": WARM, "random_steps": WARM, "epsilon_steps": WARM, "seats": pair.seat, **pair.changes}
    recipe = load_recipe(pair.ours)
    recipe = load_recipe(recipe, {name: value for name, value in changes.items() if hasattr(recipe, name)})
    ratio = recipe.batch_size * recipe.updates / recipe.learn_every
    assert ratio == pair.ratio, f"{pair.ours} replays {ratio:g} samples a transition, {pair.theirs} {pair.ratio:g}"
    with repeatable(recipe):
        training = Training(recipe, task_of(recipe, None), folder)
        while training.updates < recipe.updates:
            training._advance()
    return recipe, Runner(training._advance, recipe.num_envs, recipe.learn_every // recipe.num_envs)


@cache
def their_training(ours: str, seat: str, theirs: str, batch: int, every: int, hidden: tuple[int, ...]) -> Runner:
    """Stable-Baselines3's, from the single-seat view, once it learns."""
    import stable_baselines3

    recipe = load_recipe(ours)
    env = gymnasium.make("gridmarl/Seat-v0", scenario=recipe.scenario, seat=seat, others=recipe.others)
    network: dict[str, Any] = {"net_arch": [*hidden]}
    if seat == "operator":
        from tests.bench.their_networks import SlotFeatures

        network["features_extractor_class"] = SlotFeatures
    model = getattr(stable_baselines3, theirs)(
        "MlpPolicy",
        env,
        batch_size=batch,
        train_freq=every,
        gradient_steps=1,
        learning_starts=WARM // 4,
        buffer_size=recipe.replay_size,
        gamma=recipe.discount,
        policy_kwargs=network,
        device="cpu",
        seed=0,
    )
    for kept in (model.replay_buffer.observations, model.replay_buffer.next_observations):
        kept[:] = 0.0
    model.learn(WARM // 4 + 1)
    chunk = max(64, every)
    return Runner(lambda: model.learn(chunk, reset_num_timesteps=False), chunk, 1)
