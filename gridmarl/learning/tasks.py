"""Where a recipe's seats learn, are chosen and are tested: a market of ours, or an environment from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

from gridmarl.agents.make import vector_env
from gridmarl.agents.team import Team, load_team, roles_of
from gridmarl.environment.others import matches
from gridmarl.errors import ScenarioError, TrainingError
from gridmarl.learning.interface import VectorWorld
from gridmarl.learning.recipe import Recipe
from gridmarl.learning.worlds.adapters import Gymnasium, Markets, PettingZoo
from gridmarl.scenario.rules import SPLITS, Split
from gridmarl.scenario.scenario import Scenario

APART: Final = 1_000_000_007
"""Between the seeds of train, select and test where an environment knows no splits."""
TWINS: Final[Mapping[str, str]] = {
    "gridmarl.negotiation.environment": "gridmarl.learning.worlds.negotiations:Negotiations"
}
"""Environments of PettingZoo that are ours -> the same for many at once, "module:class"."""


class MarketTask:
    """Some seats of one of our worlds, with a team in the others.

    Parameters
    ----------
    recipe : Recipe
    scenario : Scenario
    state, objectives : bool
        As for :class:`gridmarl.learning.worlds.adapters.Markets`.

    Raises
    ------
    ScenarioError
        Where the recipe's seats are nobody.
    """

    def __init__(self, recipe: Recipe, scenario: Scenario, *, state: bool = False, objectives: bool = False) -> None:
        self.scenario, self.name, self.digest = scenario, scenario.name, scenario.digest
        self.seats = learning_seats(scenario, recipe.seats, recipe.codecs)
        self.others: Team = load_team(recipe.others)
        self._state, self._objectives = state, objectives
        self.codecs = recipe.codecs

    def make(self, num_envs: int, split: Split) -> Markets:
        """Markets of the split."""
        env = vector_env(self.scenario, num_envs, seats=self.seats, others=self.others, codecs=self.codecs, split=split)
        return Markets(env, state=self._state, objectives=self._objectives)

    def first_seed(self, split: Split, seed: int) -> int:
        """Trainings with other seeds share no episode; all are judged by the same ones."""
        return seed * 1_000_003 if split == "train" else 0


class ForeignTask:
    """An environment of Gymnasium, by its id, or of PettingZoo, by the module that has its ``parallel_env``.

    Parameters
    ----------
    recipe : Recipe

    Raises
    ------
    TrainingError
        Where there is no such environment.
    """

    def __init__(self, recipe: Recipe) -> None:
        assert recipe.elsewhere is not None
        self.recipe, self.name = recipe, recipe.elsewhere
        self.digest = f"{recipe.elsewhere} {dict(recipe.arguments)}"
        self._zoo: Any = _module(recipe.pettingzoo) if recipe.pettingzoo else None

    def make(self, num_envs: int, split: Split) -> VectorWorld:
        """Copies; the splits differ by their seeds alone."""
        if self.name in TWINS:
            module, _, twin = TWINS[self.name].partition(":")
            return getattr(import_module(module), twin)(num_envs, **self.recipe.arguments)
        if self._zoo is not None:
            state = self.recipe.needs_state
            return PettingZoo(lambda: self._zoo.parallel_env(**self.recipe.arguments), num_envs, state=state)
        return Gymnasium(_gymnasium(self.name, num_envs, dict(self.recipe.arguments)))

    def first_seed(self, split: Split, seed: int) -> int:
        """Splits lie far apart, and so do trainings with other seeds."""
        return (SPLITS.index(split) * APART + seed * 1_000_003) % 2**31


def _gymnasium(name: str, num_envs: int, arguments: dict[str, Any]) -> Any:
    import gymnasium
    from gymnasium.vector import AutoresetMode

    kwargs = {"autoreset_mode": AutoresetMode.SAME_STEP}
    try:
        return gymnasium.make_vec(name, num_envs, vectorization_mode="sync", vector_kwargs=kwargs, **arguments)
    except (gymnasium.error.Error, TypeError) as error:
        remedy = "install what registers it, or correct gymnasium: and arguments: in the recipe"
        raise TrainingError(f"environment {name!r}: {error}", None, "an id that Gymnasium knows", remedy) from error


def _module(name: str) -> Any:
    try:
        module = import_module(name)
    except ImportError as error:
        raise TrainingError(f"environment {name!r}: {error}", None, "a module", "install its package") from error
    if not hasattr(module, "parallel_env"):
        raise TrainingError("environment", name, "a module with parallel_env()", "mpe2.simple_spread_v3, for instance")
    return module


def task_of(recipe: Recipe, scenario: Scenario | None) -> MarketTask | ForeignTask:
    """Where a recipe's seats learn; ``scenario`` is another world than the recipe's.

    Raises
    ------
    ScenarioError, CatalogueError, TrainingError
        Where that is unknown or does not fit.
    """
    if not recipe.elsewhere:
        world = scenario or Scenario.load(recipe.scenario)
        return MarketTask(recipe, world, state=recipe.needs_state, objectives=recipe.vector_rewards)
    if scenario is not None:
        raise ScenarioError("env", scenario.name, f"{recipe.elsewhere}, which is no market", "choose another recipe")
    return ForeignTask(recipe)


def learning_seats(
    scenario: Scenario, patterns: str | tuple[str, ...], codecs: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """Seats that a recipe's patterns mean; ``*`` is all that trade.

    Raises
    ------
    ScenarioError
        Where one means nobody.
    """
    roles = roles_of(scenario, codecs)
    found: dict[str, None] = {}
    for pattern in (patterns,) if isinstance(patterns, str) else patterns:
        trade = {s: r for s, r in roles.items() if pattern != "*" or r != "operator"}
        meant = dict.fromkeys(s for s, r in trade.items() if matches(pattern, s, r))
        if not meant:
            names = ", ".join(dict.fromkeys([*roles.values(), *roles]))
            raise ScenarioError(f"seats that learn in {scenario.name!r}", pattern, names, "name one of them")
        found |= meant
    return tuple(found)
