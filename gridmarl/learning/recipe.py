"""A recipe: who learns, where, with which numbers; one YAML of ``training/`` each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from gridmarl import catalogue
from gridmarl.environment.fields import ROLES
from gridmarl.scenario.model import Model

FOLDER = "training"


class Recipe(Model):
    """Settings of one training. Steps count intervals of all environments side by side."""

    description: str = ""
    algorithm: Literal["dqn"] = "dqn"
    scenario: str = "auction"
    seats: str = Field("generator", description="role, name or pattern; all of one role, sharing parameters")
    others: str = Field("truthful", description="team in the other seats")
    seed: NonNegativeInt = 0
    threads: PositiveInt = Field(1, description="of torch")

    num_envs: PositiveInt = 64
    steps: PositiveInt = 30_000
    hidden: tuple[PositiveInt, ...] = (128, 64, 32)
    discount: float = Field(0.9, ge=0, lt=1)
    double: bool = Field(True, description="van Hasselt 2016: the online network chooses, the target network judges")
    learning_rate: PositiveFloat = 1e-3
    learning_rate_last: PositiveFloat = Field(1e-5, description="reached linearly at the last step")
    batch_size: PositiveInt = Field(256, description="samples of an update: joint transitions times seats")
    replay_size: PositiveInt = Field(200_000, description="samples kept")
    learn_from: PositiveInt = Field(20_000, description="samples before the first update")
    learn_every: PositiveInt = Field(1, description="steps between updates")
    target_every: PositiveInt = Field(500, description="updates between copies into the target network")
    epsilon_first: float = Field(1.0, ge=0, le=1)
    epsilon_last: float = Field(0.05, ge=0, le=1)
    epsilon_steps: NonNegativeInt = Field(10_000, description="steps of the linear way between them")
    gradient_norm: PositiveFloat = Field(10.0, description="gradients are clipped at this norm")
    huber: PositiveFloat = Field(1.0, description="errors beyond this count linearly")

    evaluate_every: PositiveInt = 2_000
    select_seeds: PositiveInt = 64
    test_seeds: PositiveInt = 64
    tolerance: NonNegativeFloat = Field(0.02, description="share by which a repeated evaluation may differ")

    @model_validator(mode="after")
    def _check(self) -> Recipe:
        if self.learn_from > self.replay_size:
            raise ValueError(f"learn_from {self.learn_from} exceeds replay_size {self.replay_size}")
        return self

    def epsilon(self, step: int) -> float:
        """Share of random actions at a step."""
        done = min(step / self.epsilon_steps, 1.0) if self.epsilon_steps else 1.0
        return self.epsilon_first + done * (self.epsilon_last - self.epsilon_first)

    def policy_name(self, scenario: str) -> str:
        """``dqn-auction`` where a whole role learns, ``dqn-gas_1`` where a seat does."""
        return f"{self.algorithm}-{scenario if self.seats in ROLES else self.seats}"


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
        return Recipe.parse({**recipe.model_dump(), **(changes or {})}, "recipe")
    settings = {**catalogue.read(FOLDER, recipe), **(changes or {})}
    return Recipe.parse(settings, f"recipe {catalogue.find(FOLDER, recipe).stem!r}")
