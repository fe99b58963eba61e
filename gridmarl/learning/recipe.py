"""A recipe: who learns, where, with which numbers; one YAML of ``training/`` each.

What all algorithms share stands here; each algorithm's file adds its own settings in a subclass.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, cast

from pydantic import (
    Field,
    JsonValue,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationInfo,
    field_validator,
    model_validator,
)

from gridmarl import catalogue
from gridmarl.environment.compiled.fields import ROLES
from gridmarl.errors import ScenarioError, nearest
from gridmarl.scenario.model import Model

if TYPE_CHECKING:
    import torch

    from gridmarl.agents.cards import CurvePoint
    from gridmarl.learning.interface import Algorithm, GroupSpec, Metrics, Task, VectorWorld
    from gridmarl.learning.judging.front import Front
    from gridmarl.scenario.rules import Split

FOLDER: Final = "training"
ALGORITHMS: Final[Mapping[str, str]] = {
    "dqn": "gridmarl.learning.algorithms.dqn:DQNRecipe",
    "multi_objective": "gridmarl.learning.algorithms.multi_objective:MultiObjectiveRecipe",
    "actor_critic": "gridmarl.learning.algorithms.actor_critic:ActorCriticRecipe",
    "maddpg": "gridmarl.learning.algorithms.maddpg:MADDPGRecipe",
    "market": "gridmarl.learning.algorithms.market:MarketRecipe",
}
"""Algorithm -> "module:class" of its recipe."""


class Clone(Model):
    """A warm start: the policies imitate what a team does before they learn by themselves."""

    team: str = Field("central", description="who is imitated in the seats that learn; the others stay as they are")
    episodes: PositiveInt = Field(8, description="of the train split, one after the other")
    steps: PositiveInt = Field(2_000, description="gradient steps of imitation")
    batch_size: PositiveInt = 256
    learning_rate: PositiveFloat = 1e-3
    margin: NonNegativeFloat = Field(
        0.1, description="dqn: the value, in scaled rewards, by which the imitated action shall lead"
    )


class Recipe(Model):
    """Settings of one training. Steps are counted over all environments together; rows are joint transitions."""

    description: str = ""
    algorithm: str = "dqn"
    scenario: str = "auction"
    seats: str | tuple[str, ...] = Field("generator", description="roles, names or patterns of those who learn")
    others: str = Field("truthful", description="team in the other seats")
    codecs: Mapping[str, str] = Field({}, description="seat or role -> codec; by default the scenario's")
    gymnasium: str | None = Field(None, description="an environment of Gymnasium instead of a scenario")
    pettingzoo: str | None = Field(None, description="a module with parallel_env() instead of a scenario")
    arguments: Mapping[str, JsonValue] = Field({}, description="settings of an environment from elsewhere")
    seed: NonNegativeInt = 0
    threads: PositiveInt = Field(1, description="of torch")
    device: Literal["cpu", "cuda", "auto"] = Field("cpu", description="auto: a GPU where there is one")

    num_envs: PositiveInt = 64
    steps: PositiveInt = 1_280_000
    discount: float = Field(0.9, ge=0, lt=1)
    n_step: PositiveInt = Field(1, description="rewards that a transition sums")
    learning_rate: PositiveFloat = 1e-3
    learning_rate_last: PositiveFloat = Field(1e-5, description="reached linearly at the last step")
    batch_size: PositiveInt = Field(64, description="rows of a gradient step; each of their seats is a sample")
    replay_size: PositiveInt = Field(40_000, description="rows kept")
    learn_from: PositiveInt = Field(4_000, description="steps before the first gradient step")
    learn_every: PositiveInt = Field(64, description="steps between two rounds of gradient steps")
    updates: PositiveInt = Field(1, description="gradient steps of a round")
    gradient_norm: PositiveFloat = Field(10.0, description="gradients are clipped at this norm")
    share: bool = Field(True, description="seats of a role share parameters, and read who they are")
    clone: Clone | None = Field(None, description="imitate a team before learning")

    evaluate_every: PositiveInt = 128_000
    checkpoint_every: PositiveInt = 128_000
    choose: Literal["best", "last", "least-exploitable"] = Field(
        "best",
        description="the policy kept: the best on the select split, the last, or the last of those from which the "
        "seats that learn would gain least by constant deviations (where several learn, return is not progress; tried "
        "side by side, so an evaluation has seats x actions x select_seeds markets of ours)",
    )
    select_seeds: PositiveInt = 64
    test_seeds: PositiveInt = 64
    tolerance: NonNegativeFloat = Field(0.02, description="share by which a repeated evaluation may differ")

    @field_validator("choose")
    @classmethod
    def _check_choose(cls, choose: str, info: ValidationInfo) -> str:
        elsewhere = info.data.get("gymnasium") or info.data.get("pettingzoo")
        if choose == "least-exploitable" and elsewhere:
            raise ValueError(f"best or last: deviations are tried in our markets, and {elsewhere} is none")
        return choose

    @model_validator(mode="after")
    def _check(self) -> Recipe:
        if self.learn_every < self.num_envs:
            raise ValueError(f"learn_every {self.learn_every} is less than num_envs {self.num_envs}, one step of all")
        if self.gymnasium and self.pettingzoo:
            raise ValueError("gymnasium and pettingzoo are both given; keep one")
        given = self.model_fields_set & {"scenario", "seats", "others", "codecs"}
        if self.elsewhere and any(getattr(self, k) != type(self).model_fields[k].default for k in given):
            raise ValueError(f"{', '.join(sorted(given))} belong to a scenario, not to {self.elsewhere}")
        if self.clone and self.elsewhere:
            raise ValueError(f"clone imitates a team of our markets; {self.elsewhere} is none")
        if self.arguments and not self.elsewhere:
            raise ValueError("arguments belong to an environment of gymnasium or pettingzoo")
        return self

    @property
    def elsewhere(self) -> str | None:
        """The environment where it is not one of our worlds."""
        return self.gymnasium or self.pettingzoo

    @property
    def needs_state(self) -> bool:
        """Whether the algorithm reads the global state; subclasses say so."""
        return False

    @property
    def vector_rewards(self) -> bool:
        """Whether the algorithm learns from the operator's vector reward; subclasses say so."""
        return False

    @property
    def learns_differences(self) -> bool:
        """Whether rewards of training are less those of doing nothing; subclasses say so."""
        return False

    def policy_name(self, scenario: str) -> str:
        """``dqn-auction`` where whole roles learn, ``dqn-gas_1`` where a seat does, ``dqn-CartPole-v1`` elsewhere."""
        if self.elsewhere:
            return f"{self.algorithm}-{self.elsewhere.rpartition('/')[2]}"
        alone = isinstance(self.seats, str) and self.seats not in ROLES and self.seats.isidentifier()
        return f"{self.algorithm}-{self.seats if alone else scenario}"

    def build(self, groups: Mapping[str, GroupSpec], state_size: int, device: torch.device) -> Algorithm:
        """The algorithm that these settings describe, for these groups."""
        raise NotImplementedError

    def fronts(self, algorithm: Algorithm, world: VectorWorld, seed: int, split: Split) -> Mapping[str, Front]:
        """What it earns under many preferences, by group; nothing where it knows no preferences."""
        return {}

    def discount_of(self, group: GroupSpec) -> float:
        """By which a group's rewards are summed over n steps; where roles differ, subclasses say so."""
        return self.discount

    def rivals(self, algorithm: Algorithm, task: Task, seed: int) -> Metrics:
        """What else an evaluation measures where several learn against each other; ``seed`` is the first episode's."""
        if self.choose != "least-exploitable":
            return {}
        from gridmarl.learning.judging.pool import Pool
        from gridmarl.learning.judging.rivals import rivalry

        even = self.select_seeds + self.select_seeds % 2  # one half chooses the deviations, the other scores them
        return rivalry(algorithm, Pool(0, algorithm.policies), task, seed, even)

    def merit(self, point: CurvePoint) -> tuple[float, ...]:
        """What decides which policy is kept: the one where it is highest; later numbers count where earlier tie."""
        if self.choose == "least-exploitable":
            return -point.metrics["exploitability"], float(point.step)
        return (point.scaled,)


def recipe_class(algorithm: object) -> type[Recipe]:
    """Class of an algorithm's recipes, imported now.

    Raises
    ------
    ScenarioError
        Where there is no such algorithm.
    """
    if algorithm not in ALGORITHMS:
        hint = nearest(str(algorithm), ALGORITHMS) or "choose one of them"
        raise ScenarioError("algorithm", algorithm, ", ".join(ALGORITHMS), hint)
    module, _, name = ALGORITHMS[cast(str, algorithm)].partition(":")
    return cast("type[Recipe]", getattr(import_module(module), name))


def parse_recipe(settings: Mapping[str, object], source: str) -> Recipe:
    """Settings as the recipe of their algorithm.

    Raises
    ------
    ScenarioError
        Where a setting is unknown (suggests the nearest) or its value impossible.
    """
    return recipe_class(settings.get("algorithm", "dqn")).parse(settings, source)


def load_recipe(recipe: str | Path | Recipe, changes: Mapping[str, object] | None = None) -> Recipe:
    """A shipped recipe by name, your own file by path, or an object; with some settings replaced.

    Raises
    ------
    CatalogueError
        Where no recipe has that name (suggests the nearest).
    ScenarioError
        Where a setting is unknown (suggests the nearest) or its value impossible.
    """
    if isinstance(recipe, Recipe):
        return parse_recipe({**recipe.model_dump(), **(changes or {})}, "recipe")
    settings = {**catalogue.read(FOLDER, recipe), **(changes or {})}
    return parse_recipe(settings, f"recipe {catalogue.find(FOLDER, recipe).stem!r}")
