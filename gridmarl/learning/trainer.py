"""The loop around a learner: act, remember, learn, look now and then how good it is, keep what it takes to go on."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import safetensors.torch
import torch

from gridmarl.agents.cards import CurvePoint, Standing
from gridmarl.agents.policies import weights_of
from gridmarl.errors import TrainingError
from gridmarl.learning.device import device_of, repeatable
from gridmarl.learning.interface import HearsEpisodes, Start, Task, VectorWorld
from gridmarl.learning.judging.front import Front, drop_front, write_front
from gridmarl.learning.judging.standing import greedy_returns, standing_of
from gridmarl.learning.keeping.checkpoints import (
    FOLDER,
    Manifest,
    Progress,
    Setting,
    check_setting,
    read_manifest,
    read_state,
    write_checkpoint,
    write_state,
)
from gridmarl.learning.keeping.overwriting import check_replaced, goes_on
from gridmarl.learning.keeping.results import Report, files_of, group_folder, write_policies, write_report
from gridmarl.learning.memory.replay import Replay, Transitions
from gridmarl.learning.memory.segments import FAILED, disk_refused, write_arrays
from gridmarl.learning.recipe import Recipe, load_recipe
from gridmarl.learning.reporting.progress import DRAW_EVERY, progress_bar
from gridmarl.learning.reporting.scalars import scalar_writer
from gridmarl.learning.tasks import MarketTask, task_of
from gridmarl.learning.warm_start.cloning import imitate
from gridmarl.learning.worlds.nstep import NStep, column_shapes
from gridmarl.learning.worlds.untouched import LessUntouched
from gridmarl.scenario.rules import Split
from gridmarl.scenario.scenario import Scenario

log = logging.getLogger(__name__)


def train(
    recipe: str | Path | Recipe = "dqn",
    *,
    env: str | Path | Scenario | None = None,
    seed: int | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    replace: bool = False,
    progress: bool = True,
    **overrides: object,
) -> Path:
    """Learn a policy and write it.

    It learns on the train split, is chosen among periodic greedy evaluations by what it earns on the select split, and
    only then plays the test split, for the record.

    Parameters
    ----------
    recipe : str, Path or Recipe
        A shipped recipe by name, your own YAML by path, or an object.
    env : str, Path or Scenario, optional
        Another world than the recipe's.
    seed : int, optional
        Another seed than the recipe's.
    out : path, optional
        The policy's folder; by default ``results/policies/<algorithm>-<scenario or seat>`` where you are.
    resume : bool
        Go on from the checkpoint in that folder, to the tensors that a run which never stopped would have; from the
        beginning where there is none.
    replace : bool
        Let the new policy take the place of a finished one in that folder, which stands until the first evaluation.
    progress : bool
        Draw a bar, if standard error is a terminal.
    **overrides
        Settings of the recipe to replace, e.g. ``steps=5000``.

    Returns
    -------
    Path
        The folder that holds the chosen policy.

    Raises
    ------
    CatalogueError, ScenarioError
        Where the recipe or the world is unknown or does not fit.
    TrainingError
        Where the loss stops being finite (names the update and the batch; the last checkpoint stands), where a
        checkpoint is corrupted or of another setting, where an unfinished training stands in the folder, or where a
        policy stands there that is not to be replaced.
    """
    changes = {**overrides, **({} if seed is None else {"seed": seed})}
    if isinstance(env, (str, Path)):
        changes["scenario"] = str(env)
    chosen = load_recipe(recipe, changes)
    task = task_of(chosen, Scenario.load(env) if env is not None else None)
    folder = Path(out) if out is not None else Path("results", "policies", chosen.policy_name(task.name))
    begun = goes_on(folder, resume, replace)
    with repeatable(chosen):
        training = Training(chosen, task, folder)
        if begun:
            training.resume()
        else:
            check_replaced(folder, files_of(folder, training.groups, isinstance(task, MarketTask)))
        training.run(progress)
    shutil.rmtree(training.checkpoint)
    return folder


class Training:
    """One training: a world, a learner, its memory, and the best policy so far.

    Parameters
    ----------
    recipe : Recipe
    task : Task
    folder : Path
        Where the chosen policy is kept, and the checkpoint in a folder of it.
    """

    def __init__(self, recipe: Recipe, task: Task, folder: Path) -> None:
        self.recipe, self.task, self.folder, self.checkpoint = recipe, task, folder, folder / FOLDER
        self.world = self._practice()
        self.groups = self.world.groups
        device = device_of(recipe)
        self.algorithm = recipe.build(self.groups, self.world.state_size, device)
        shapes = column_shapes(self.groups, self.world.state_size)
        self.replay = Replay(recipe.replay_size, shapes, expected=recipe.steps)
        own = {name: recipe.discount_of(group) for name, group in self.groups.items()}
        self.window = NStep(recipe.n_step, recipe.discount, shapes, recipe.num_envs, own)
        self.rng = np.random.default_rng([recipe.seed, 0xD9])
        self.setting = Setting(
            recipe=recipe.model_dump(mode="json"),
            world=task.digest,
            torch=torch.__version__,
            numpy=np.__version__,
            device=device.type,
            threads=torch.get_num_threads(),
        )
        self.step = 0  # of all environments together
        self.updates = 0
        self.curve: list[CurvePoint] = []
        self.chosen_step: int | None = None
        self.standing: Standing | None = None
        self.weights: dict[str, bytes] = {}  # of the best policy so far
        self.fronts: Mapping[str, Front] = {}  # of the latest evaluation
        self.now: Start = self.world.reset(task.first_seed("train", recipe.seed))
        self._judge: VectorWorld | None = None
        self._taken_up = False
        self._metrics: dict[str, tuple[float, int]] = {}
        self._began = time.perf_counter()

    def _practice(self) -> VectorWorld:
        """Where to learn, with a twin beside it where the recipe learns what its actions change."""
        first, *twin = (
            self.task.make(self.recipe.num_envs, "train") for _ in range(1 + self.recipe.learns_differences)
        )
        return LessUntouched(first, *twin) if twin else first

    def run(self, progress: bool = False) -> Report:
        """All steps that are left, the evaluations between them, and the test at the end."""
        if self.step == 0:
            self._begin()
            self._write_checkpoint()
        with progress_bar(progress, self.recipe, self.step) as advance, scalar_writer(self.folder, self.step) as write:
            while self.step < self.recipe.steps:
                self._advance()
                over = self.step >= self.recipe.steps
                if over or self._crossed(self.recipe.evaluate_every):
                    self._evaluate()
                    write(self.step, {**self.curve[-1].metrics, "return": self.curve[-1].scaled})
                if over or self._crossed(self.recipe.checkpoint_every):
                    self._write_checkpoint()
                if over or self._crossed(DRAW_EVERY * self.recipe.num_envs):
                    advance(self.step, self.curve[-1].scaled if self.curve else None)
        return self._report()

    def _begin(self) -> None:
        """Imitate, where the recipe asks for it; the result is the first policy that may be chosen."""
        if self.recipe.clone is None or self._taken_up:
            return
        if not isinstance(self.task, MarketTask):
            raise TrainingError("clone", self.task.name, "a market of ours", "leave clone: out")
        found = imitate(self.algorithm, self.task, self.recipe)
        self._metrics = {name: (value, 1) for name, value in found.items()}
        self._evaluate()

    def _crossed(self, every: int) -> bool:
        """Whether a multiple of so many steps was reached by the latest steps."""
        return self.step // every > (self.step - self.recipe.num_envs) // every

    def _advance(self) -> None:
        """One step of every environment, and the gradient steps that are due."""
        actions = self.algorithm.act(self.now.observations, self.rng, explore=True)
        step = self.world.step(actions)
        self.replay.add(self.window.push(self.now, actions, step))
        self.now = Start(step.observations, step.state)
        ended = step.terminated | step.truncated
        if ended.any() and isinstance(self.algorithm, HearsEpisodes):
            self.algorithm.begin(ended, self.rng)
        self.step += self.recipe.num_envs
        if self.step >= self.recipe.learn_from and self.replay.size and self._crossed(self.recipe.learn_every):
            for _ in range(self.recipe.updates):
                self._learn()

    def _learn(self) -> None:
        """One gradient step; where it fails, its batch is kept, and so is the checkpoint."""
        batch = self.replay.sample(self.recipe.batch_size, self.rng)
        try:
            found = self.algorithm.learn(batch, self.rng)
        except TrainingError as error:
            kept = self._keep_failed(batch)
            thing = f"{error.thing}, of the batch {kept} (replay rows {np.sort(batch.place)[:5]}...)"
            remedy = f"{error.remedy}; the last good checkpoint is {self.checkpoint}"
            raise TrainingError(thing, error.value, error.allowed, remedy) from None
        self.updates += 1
        for name, value in found.items():
            total, count = self._metrics.get(name, (0.0, 0))
            self._metrics[name] = total + value, count + 1

    def _keep_failed(self, batch: Transitions) -> str:
        """Write a batch that cannot be learned; where it is, or why it could not be kept."""
        try:
            write_arrays(self.folder, FAILED, batch.columns())
        except TrainingError as refused:
            return f"that could not be kept ({refused.thing})"
        return f"in {self.folder / FAILED}"

    def _play(self, split: Split, episodes: int) -> Standing:
        """Greedy episodes of a split; the fronts of algorithms that know preferences are kept."""
        if split == "select":
            self._judge = self._judge or self.task.make(episodes, split)
        world = self._judge if split == "select" and self._judge else self.task.make(episodes, split)
        seed = self.task.first_seed(split, self.recipe.seed)
        standing = standing_of(greedy_returns(self.algorithm, world, seed), self.groups, seed)
        self.fronts = self.recipe.fronts(self.algorithm, world, seed, split)
        if not self.fronts:
            return standing
        utility = float(np.mean([front.utility for front in self.fronts.values()]))
        return standing.model_copy(update={"scaled": utility})

    def _evaluate(self) -> None:
        """Greedy on the select split; the policy to be chosen is kept."""
        standing = self._play("select", self.recipe.select_seeds)
        means = {name: total / count for name, (total, count) in self._metrics.items()}
        self._metrics.clear()
        means |= self.recipe.rivals(self.algorithm, self.task, self.task.first_seed("select", self.recipe.seed))
        point = CurvePoint(
            step=self.step, updates=self.updates, metrics=means, profit=standing.profit, scaled=standing.scaled
        )
        before = [self.recipe.merit(earlier) for earlier in self.curve if earlier.step == self.chosen_step]
        self.curve.append(point)
        log.info("step %d: %.4f on the select split, %s", self.step, standing.scaled, means)
        if not before or self.recipe.choose == "last" or self.recipe.merit(point) > before[0]:
            self.standing, self.chosen_step = standing, self.step
            self.weights = {name: weights_of(policy) for name, policy in self.algorithm.policies.items()}
            self._write(self._summary({"select": standing}))

    def _summary(self, metrics: dict[str, Standing]) -> Report:
        assert self.chosen_step is not None
        return Report(
            recipe=self.setting.recipe,
            torch=self.setting.torch,
            chosen_step=self.chosen_step,
            wall_s=round(time.perf_counter() - self._began, 1),
            curve=tuple(self.curve),
            metrics=metrics,
        )

    def _write(self, report: Report) -> None:
        try:
            if isinstance(self.task, MarketTask):
                networks = self.algorithm.policies
                write_policies(self.folder, self.recipe, self.task, self.groups, networks, report, self.weights)
            else:
                write_report(self.folder, report, self.weights)
            for name in self.groups:
                place = group_folder(self.folder, name, self.groups)
                write_front(place, self.fronts[name]) if name in self.fronts else drop_front(place)
        except OSError as error:
            raise disk_refused(self.folder, error) from error

    def _report(self) -> Report:
        """Play the test split with the chosen weights and write everything."""
        assert self.standing is not None
        for name, policy in self.algorithm.policies.items():
            policy.load_state_dict(safetensors.torch.load(self.weights[name]))
        test = self._play("test", self.recipe.test_seeds)
        report = self._summary({"select": self.standing, "test": test})
        if self.fronts:
            self._play("select", self.recipe.select_seeds)  # the front that is kept is the chosen weights'
        self._write(report)
        return report

    def _write_checkpoint(self) -> None:
        """Keep everything; where the world cannot say what its state is, it begins new episodes here."""
        if not self.world.resumable and self.step:
            self._begin_anew()
        best = {name: np.frombuffer(content, np.uint8) for name, content in self.weights.items()}
        state = {name: tensor.numpy() for name, tensor in self.algorithm.state_dict().items()}
        parts = {
            "algorithm": state,
            "best": best,
            "torch": {"rng": torch.get_rng_state().numpy()},
            "window": self.window.snapshot(),
            "world": self.world.snapshot(),
        }
        stamp = write_state(self.checkpoint, self.step, parts)
        segments = self.replay.save(self.checkpoint)
        manifest = Manifest(
            setting=self.setting,
            progress=self._progress(),
            state=stamp,
            replay_added=self.replay.added,
            replay=tuple(segments),
        )
        write_checkpoint(self.checkpoint, manifest)

    def _begin_anew(self) -> None:
        self.now = self.world.reset((self.task.first_seed("train", self.recipe.seed) + self.step) % 2**31)
        self.window.clear()
        if isinstance(self.algorithm, HearsEpisodes):
            self.algorithm.begin(np.ones(self.world.num_envs, np.bool_), self.rng)

    def _progress(self) -> Progress:
        return Progress(
            step=self.step,
            updates=self.updates,
            rng=self.rng.bit_generator.state,  # pyright: ignore[reportArgumentType]  # plain numbers and words
            curve=tuple(self.curve),
            chosen_step=self.chosen_step,
            standing=self.standing,
            pending=self._metrics,
            wall_s=time.perf_counter() - self._began,
        )

    def resume(self) -> None:
        """Take up the checkpoint in the folder.

        Raises
        ------
        TrainingError
            Where a file is missing, corrupted or foreign, or anything that decides about equal tensors differs.
        """
        manifest, self._taken_up = read_manifest(self.checkpoint), True
        check_setting(manifest.setting, self.setting)
        parts, progress = read_state(self.checkpoint, manifest.state), manifest.progress
        self.algorithm.load_state_dict({n: torch.from_numpy(a) for n, a in parts["algorithm"].items()})
        self.replay.load(self.checkpoint, list(manifest.replay), manifest.replay_added)
        self.window.restore(parts["window"])
        torch.set_rng_state(torch.from_numpy(parts["torch"]["rng"]))
        self.rng.bit_generator.state = dict(progress.rng)
        self.step, self.updates = progress.step, progress.updates
        self.curve, self.chosen_step, self.standing = [*progress.curve], progress.chosen_step, progress.standing
        self.weights = {name: content.tobytes() for name, content in parts.get("best", {}).items()}
        self._metrics = dict(progress.pending)
        self._began = time.perf_counter() - progress.wall_s
        if self.world.resumable:
            self.now = self.world.restore(parts["world"])
        elif self.step:
            self._begin_anew()
