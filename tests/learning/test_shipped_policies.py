"""The weights that ship do what their cards say."""

from __future__ import annotations

import numpy as np
import pytest

from gridmarl.agents.cards import find_policy
from gridmarl.agents.load import policy_names
from gridmarl.agents.policies import StoredPolicy
from gridmarl.agents.team import load_team
from gridmarl.learning.front import hypervolume, read_front
from gridmarl.learning.recipe import load_recipe
from gridmarl.learning.returns import episode_objectives, episode_profits, with_player
from gridmarl.scenario.rules import Split
from gridmarl.scenario.scenario import Scenario

RETRAIN = "the world changed since the policy was trained; run `gridmarl train` with its recipe again"


def test_policies_of_batteries_bidders_and_operators_ship() -> None:
    expected = {
        "dqn-auction",
        "dqn-coal_1",
        "dqn-gas_1",
        "dqn-gas_2",
        "multi_objective-auction",
        "multi_objective-storm",
    }
    expected |= {"actor_critic-auction", "actor_critic-battery_1"}
    expected |= {"multi_objective-auction", "multi_objective-storm"}
    assert expected <= set(policy_names())


@pytest.mark.parametrize("name", policy_names())
def test_the_world_is_still_the_one_it_was_trained_in(name: str) -> None:
    card = StoredPolicy(name).card
    assert Scenario.load(card.scenario).digest == card.digest, RETRAIN


@pytest.mark.parametrize("split", ["select", "test"])
@pytest.mark.parametrize("name", policy_names())
def test_it_earns_again_what_the_card_says(name: str, split: Split) -> None:
    policy = StoredPolicy(name)
    card, standing = policy.card, policy.card.metrics[split]
    seeds = range(standing.first_seed, standing.first_seed + standing.episodes)
    team = with_player(load_team(card.others), policy, card.seats, name)
    earned = episode_profits(Scenario.load(card.scenario), team, card.seats, split, seeds).mean(0)
    expected = [standing.profit[seat] for seat in card.seats]
    assert earned.tolist() == pytest.approx(expected, rel=card.tolerance), RETRAIN


@pytest.mark.parametrize(
    "name, recipe",
    [
        ("dqn-auction", "dqn"),
        ("dqn-gas_1", "dqn-gas"),
        ("dqn-coal_1", "dqn-unit"),
        ("multi_objective-auction", "operator"),
        ("multi_objective-storm", "operator-storm"),
        ("actor_critic-auction", "storage"),
        ("actor_critic-battery_1", "storage-caiso"),
    ],
)
def test_it_was_trained_by_the_recipe_that_ships(name: str, recipe: str) -> None:
    assert StoredPolicy(name).card.recipe == load_recipe(recipe).model_dump(mode="json")


def test_another_gas_unit_was_trained_by_the_recipe_of_the_first() -> None:
    recipe = load_recipe("dqn-gas", {"seats": "gas_2"})
    assert StoredPolicy("dqn-gas_2").card.recipe == recipe.model_dump(mode="json")


@pytest.mark.parametrize("name", ["multi_objective-auction", "multi_objective-storm"])
def test_its_front_is_earned_again_preference_by_preference(name: str) -> None:
    card, front = StoredPolicy(name).card, read_front(find_policy(name))
    seeds, world = range(front.first_seed, front.first_seed + front.episodes), Scenario.load(card.scenario)
    for point in front.points:
        player = StoredPolicy(name, point.preference)
        team = with_player(load_team(card.others), player, card.seats, name)
        earned = episode_objectives(world, team, "select", seeds).mean(0)
        np.testing.assert_allclose(earned, point.returns, rtol=card.tolerance, atol=1.0, err_msg=RETRAIN)
    scaled = np.array([point.scaled for point in front.points if point.on_front])
    assert hypervolume(scaled, np.array(front.reference)) == pytest.approx(front.hypervolume, rel=1e-9)
