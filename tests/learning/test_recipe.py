from __future__ import annotations

from pathlib import Path

import pytest

from gridmarl import catalogue
from gridmarl.errors import CatalogueError, ScenarioError
from gridmarl.learning.algorithms.dqn import DQNRecipe
from gridmarl.learning.recipe import load_recipe, parse_recipe


@pytest.mark.parametrize("name", catalogue.names("training"))
def test_shipped_recipes_load_and_survive_a_round_trip(name: str) -> None:
    recipe = load_recipe(name)
    assert parse_recipe(recipe.model_dump(mode="json"), name) == recipe
    assert recipe.description


def test_an_unknown_setting_is_refused_with_a_suggestion() -> None:
    with pytest.raises(ScenarioError, match=r"learning_rte.*did you mean 'learning_rate'"):
        load_recipe("dqn", {"learning_rte": 1e-3})


def test_an_unknown_recipe_is_refused_with_a_suggestion() -> None:
    with pytest.raises(CatalogueError, match="did you mean 'dqn-gas'"):
        load_recipe("dqn-gass")


@pytest.mark.parametrize(
    "setting, value", [("discount", 1.0), ("steps", 0), ("epsilon_last", 1.5), ("learn_every", 10), ("tau", 0.0)]
)
def test_an_impossible_value_is_refused_by_name(setting: str, value: float) -> None:
    with pytest.raises(ScenarioError, match=setting):
        load_recipe("dqn", {setting: value})


def test_epsilon_falls_linearly_and_stays() -> None:
    recipe = load_recipe("dqn", {"epsilon_first": 1.0, "epsilon_last": 0.1, "epsilon_steps": 100})
    assert isinstance(recipe, DQNRecipe)
    assert [recipe.epsilon(step) for step in (0, 50, 100, 5000)] == pytest.approx([1.0, 0.55, 0.1, 0.1])
    at_once = load_recipe(recipe, {"epsilon_steps": 0})
    assert isinstance(at_once, DQNRecipe)
    assert at_once.epsilon(0) == pytest.approx(0.1)


def test_a_policy_is_named_after_the_world_or_the_seat() -> None:
    assert load_recipe("dqn").policy_name("auction") == "dqn-auction"
    assert load_recipe("dqn-gas").policy_name("auction") == "dqn-gas_1"
    assert load_recipe("dqn", {"seats": ["generator", "operator"]}).policy_name("city") == "dqn-city"
    assert load_recipe("dqn", {"seats": "gas_*"}).policy_name("city") == "dqn-city"


def test_an_algorithm_that_does_not_exist_is_refused_with_the_nearest() -> None:
    with pytest.raises(ScenarioError, match=r"algorithm: got 'dqm'.*did you mean 'dqn'"):
        load_recipe("dqn", {"algorithm": "dqm"})


def test_a_setting_of_another_kind_of_world_is_refused() -> None:
    with pytest.raises(ScenarioError, match="scenario belong to a scenario, not to CartPole-v1"):
        parse_recipe({"gymnasium": "CartPole-v1", "scenario": "city"}, "mine")
    with pytest.raises(ScenarioError, match="keep one"):
        parse_recipe({"gymnasium": "CartPole-v1", "pettingzoo": "mpe2.simple_v3"}, "mine")
    with pytest.raises(ScenarioError, match="arguments"):
        parse_recipe({"arguments": {"max_cycles": 5}}, "mine")


@pytest.mark.parametrize(
    "content, named", [("- dqn", "top level"), ("steps: 1\nsteps: 2", "stands twice"), ("a: [", "YAML")]
)
def test_a_file_that_is_no_recipe_is_refused_by_its_line(tmp_path: Path, content: str, named: str) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(content, "utf-8")
    with pytest.raises(ScenarioError, match=named):
        load_recipe(file)


def test_recipes_of_known_tasks_are_found_by_their_path_and_survive_a_round_trip() -> None:
    for file in sorted((catalogue.shipped("training") / "known").glob("*.yaml")):
        recipe = load_recipe(file)
        assert recipe.elsewhere
        assert recipe.choose == "last"  # the final checkpoint is scored
        assert parse_recipe(recipe.model_dump(mode="json"), file.name) == recipe
