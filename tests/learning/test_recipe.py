from __future__ import annotations

import pytest

from gridmarl import catalogue
from gridmarl.errors import CatalogueError, ScenarioError
from gridmarl.learning.recipe import Recipe, load_recipe


@pytest.mark.parametrize("name", catalogue.names("training"))
def test_shipped_recipes_load_and_survive_a_round_trip(name: str) -> None:
    recipe = load_recipe(name)
    assert Recipe.parse(recipe.model_dump(mode="json"), name) == recipe
    assert recipe.description


def test_an_unknown_setting_is_refused_with_a_suggestion() -> None:
    with pytest.raises(ScenarioError, match=r"learning_rte.*did you mean 'learning_rate'"):
        load_recipe("dqn", {"learning_rte": 1e-3})


def test_an_unknown_recipe_is_refused_with_a_suggestion() -> None:
    with pytest.raises(CatalogueError, match="did you mean 'dqn-gas'"):
        load_recipe("dqn-gass")


@pytest.mark.parametrize(
    "setting, value", [("discount", 1.0), ("steps", 0), ("epsilon_last", 1.5), ("learn_from", 10**7)]
)
def test_an_impossible_value_is_refused_by_name(setting: str, value: float) -> None:
    with pytest.raises(ScenarioError, match=setting):
        load_recipe("dqn", {setting: value})


def test_epsilon_falls_linearly_and_stays() -> None:
    recipe = load_recipe("dqn", {"epsilon_first": 1.0, "epsilon_last": 0.1, "epsilon_steps": 100})
    assert [recipe.epsilon(step) for step in (0, 50, 100, 5000)] == pytest.approx([1.0, 0.55, 0.1, 0.1])
    assert load_recipe(recipe, {"epsilon_steps": 0}).epsilon(0) == pytest.approx(0.1)


def test_a_policy_is_named_after_the_world_or_the_seat() -> None:
    assert load_recipe("dqn").policy_name("auction") == "dqn-auction"
    assert load_recipe("dqn-gas").policy_name("auction") == "dqn-gas_1"
