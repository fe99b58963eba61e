"""The loop around a learner: act, remember, learn, look now and then how good it is, and keep the best."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from gridmarl.agents.cards import ACTIONS, CurvePoint, PolicyCard, Standing
from gridmarl.agents.make import vector_env
from gridmarl.agents.policies import Stored, StoredPolicy, digest_of, weights_of, write_policy
from gridmarl.agents.team import Team, load_team, roles_of
from gridmarl.environment import fields
from gridmarl.environment.others import matches
from gridmarl.errors import PolicyError, ScenarioError
from gridmarl.learning.dqn import DQN
from gridmarl.learning.progress import DRAW_EVERY, progress_bar
from gridmarl.learning.recipe import Recipe, load_recipe
from gridmarl.learning.replay import Replay, Transitions
from gridmarl.learning.returns import episode_profits
from gridmarl.scenario.rules import Split
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import Float, Float32

log = logging.getLogger(__name__)

CODEC = "price-grid"
ROLE = "generator"


def train(
    recipe: str | Path | Recipe = "dqn",
    *,
    env: str | Path | Scenario | None = None,
    seed: int | None = None,
    out: str | Path | None = None,
    progress: bool = True,
    **overrides: object,
) -> Path:
    """Learn a policy and write it.

    It learns on the scenario's train split, is chosen among periodic greedy evaluations by what it earns on the select
    split, and only then plays the test split, for the record.

    Parameters
    ----------
    recipe : str, Path or Recipe
        A shipped recipe by name, your own YAML by path, or an object.
    env : str, Path or Scenario, optional
        Another world than the recipe's.
    seed : int, optional
        Another seed than the recipe's.
    out : path, optional
        The policy's folder; by default ``training/policies/<algorithm>-<scenario or seat>`` where you are.
    progress : bool
        Draw a bar, if standard error is a terminal.
    **overrides
        Settings of the recipe to replace, e.g. ``steps=5000``.

    Returns
    -------
    Path
        The folder that holds the best policy found.

    Raises
    ------
    CatalogueError, ScenarioError
        Where the recipe or the world is unknown or does not fit.
    PolicyError
        Where the loss stops being finite; names the update. What was best until then stands in the folder.
    """
    changes = {**overrides, **({} if seed is None else {"seed": seed})}
    if isinstance(env, (str, Path)):
        changes["scenario"] = str(env)
    chosen = load_recipe(recipe, changes)
    scenario = Scenario.load(chosen.scenario if env is None else env)
    folder = Path(out) if out is not None else Path("training", "policies", chosen.policy_name(scenario.name))
    with _threads(chosen.threads):
        training = Training(chosen, scenario, folder)
        training.run(progress)
    return folder


class Training:
    """One training: a market, a learner, its memory, and the best policy so far.

    Parameters
    ----------
    recipe : Recipe
    scenario : Scenario
    folder : Path
        Where the best policy is kept.

    Raises
    ------
    ScenarioError
        Where the recipe's seats are not all generators.
    """

    def __init__(self, recipe: Recipe, scenario: Scenario, folder: Path) -> None:
        self.recipe, self.scenario, self.folder = recipe, scenario, folder
        self.seats = learning_seats(scenario, recipe.seats)
        self.scale = reward_scale(scenario, self.seats)
        self.others = load_team(recipe.others)
        codecs = dict.fromkeys(self.seats, CODEC)
        self.markets = vector_env(
            scenario, recipe.num_envs, seats=self.seats, others=self.others, codecs=codecs, split="train"
        )
        (self.group,) = self.markets.groups
        count = len(self.seats)
        self.learner = DQN(recipe, fields.SIZES[ROLE], ACTIONS[CODEC])
        self.replay = Replay(max(recipe.replay_size // count, recipe.num_envs), count, fields.SIZES[ROLE])
        self.rng = np.random.default_rng([recipe.seed, 0xD9])
        self.curve: list[CurvePoint] = []
        self.best: Stored | None = None
        self._s: Float32 = self.markets.reset(seed=recipe.seed * recipe.num_envs)[0][self.group]
        self._losses: list[float] = []
        self._began = time.perf_counter()

    def run(self, progress: bool = False) -> Stored:
        """All steps, the evaluations between them, and the test at the end; returns the best policy."""
        with progress_bar(progress, self.recipe) as advance:
            for step in range(self.recipe.steps):
                self._step(step)
                if (step + 1) % self.recipe.evaluate_every == 0 or step + 1 == self.recipe.steps:
                    self._evaluate(step + 1)
                if (step + 1) % DRAW_EVERY == 0:
                    advance(DRAW_EVERY, self.curve[-1].scaled if self.curve else None)
        assert self.best is not None
        return self._report(self.best)

    def _step(self, step: int) -> None:
        recipe, learner = self.recipe, self.learner
        s = self._s
        learner.observe(s)
        a = learner.act(s, self.rng, recipe.epsilon(step))
        observations, rewards, d, _, infos = self.markets.step({self.group: a})
        self._s = observations[self.group]
        s_next = infos["final_obs"][self.group] if "final_obs" in infos else self._s
        self.replay.add(s, a, (rewards[self.group] / self.scale).astype(np.float32), s_next, d)
        seats = len(self.seats)
        if self.replay.size * seats >= recipe.learn_from and step % recipe.learn_every == 0:
            batch = self.replay.sample(-(-recipe.batch_size // seats), self.rng)
            self._losses.append(self._learn(batch, step))

    def _learn(self, batch: Transitions, step: int) -> float:
        """One update; where it fails, what was good until then is in the folder."""
        try:
            return self.learner.learn(batch, step / self.recipe.steps)
        except PolicyError as error:
            if self.best is None:
                write_policy(self.folder, self._stored(step, {}))
            remedy = f"{error.remedy}; the last good weights are in {self.folder}"
            raise PolicyError(error.thing, error.value, error.allowed, remedy) from None

    def _evaluate(self, step: int) -> None:
        """Greedy on the select split; the first policy, and every better one, is written at once."""
        standing = self._standing(self._stored(step, {}), "select", self.recipe.select_seeds)
        loss = float(np.mean(self._losses)) if self._losses else None
        self._losses.clear()
        self.curve.append(
            CurvePoint(
                step=step,
                updates=self.learner.updates,
                epsilon=self.recipe.epsilon(step),
                loss=loss,
                profit=standing.profit,
                scaled=standing.scaled,
            )
        )
        log.info("step %d: %.4f scaled on the select split, loss %s", step, standing.scaled, loss)
        if self.best is None or standing.scaled > self.best.card.metrics["select"].scaled:
            self.best = self._stored(step, {"select": standing})
            write_policy(self.folder, self.best)

    def _report(self, best: Stored) -> Stored:
        """Play the test split with the chosen weights and write everything."""
        metrics = {**best.card.metrics, "test": self._standing(best, "test", self.recipe.test_seeds)}
        wall_s = round(time.perf_counter() - self._began, 1)
        card = best.card.model_copy(update={"metrics": metrics, "curve": tuple(self.curve), "wall_s": wall_s})
        self.best = Stored(best.name, card, best.weights)
        write_policy(self.folder, self.best)
        return self.best

    def _standing(self, stored: Stored, split: Split, count: int) -> Standing:
        team = with_player(self.others, StoredPolicy(stored), self.seats)
        return standing_of(
            episode_profits(self.scenario, team, self.seats, split, range(count)), self.seats, self.scale
        )

    def _stored(self, step: int, metrics: dict[str, Standing]) -> Stored:
        recipe, weights = self.recipe, weights_of(self.learner.Q)
        card = PolicyCard(
            algorithm=recipe.algorithm,
            observation_version=fields.VERSION,
            role=ROLE,
            codec=CODEC,
            sizes=self.learner.Q.sizes,
            weights_sha256=digest_of(weights),
            seats=self.seats,
            others=recipe.others,
            reward_scale=dict(zip(self.seats, self.scale.tolist(), strict=True)),
            recipe=recipe.model_dump(mode="json"),
            seed=recipe.seed,
            scenario=self.scenario.name,
            digest=self.scenario.digest,
            split=self.markets.core.split,
            torch=torch.__version__,
            threads=torch.get_num_threads(),
            tolerance=recipe.tolerance,
            chosen_step=step,
            wall_s=round(time.perf_counter() - self._began, 1),
            curve=tuple(self.curve),
            metrics=metrics,
        )
        return Stored(self.folder.name, card, weights)


def learning_seats(scenario: Scenario, pattern: str) -> tuple[str, ...]:
    """The generators that a recipe's pattern means.

    Raises
    ------
    ScenarioError
        Where it means none, or seats of another role too.
    """
    roles = roles_of(scenario)
    seats = tuple(seat for seat, role in roles.items() if matches(pattern, seat, role))
    strangers = [seat for seat in seats if roles[seat] != ROLE]
    if not seats or strangers:
        generators = ", ".join(unit.name for unit in scenario.all_generators)
        raise ScenarioError(
            f"seats that learn in {scenario.name!r}", pattern, f"{ROLE}, {generators}", "name generators"
        )
    return seats


def reward_scale(scenario: Scenario, seats: tuple[str, ...]) -> Float:
    """Dollars that count as 1: what each generator's capacity earns an interval at the reference price, (seat,)."""
    capacity = {unit.name: unit.capacity_mw for unit in scenario.all_generators}
    return np.array([capacity[seat] * scenario.reference_price_per_mwh * scenario.interval_h for seat in seats])


def with_player(others: Team, player: StoredPolicy, seats: tuple[str, ...]) -> Team:
    """A team in which the player has these seats and the others the rest."""
    rest = {pattern: agent for pattern, agent in others.agents.items() if pattern not in seats}
    return Team({**dict.fromkeys(seats, player), **rest}, player.stored.name)  # the first match plays


def standing_of(profits: Float, seats: tuple[str, ...], scale: Float) -> Standing:
    """Means over (seed, seat) profits of the seeds 0, 1, ..., played side by side."""
    return Standing(
        first_seed=0,
        episodes=len(profits),
        batch_size=len(profits),
        profit=dict(zip(seats, profits.mean(0).tolist(), strict=True)),
        scaled=float((profits / scale).mean()),
    )


@contextmanager
def _threads(count: int) -> Generator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
