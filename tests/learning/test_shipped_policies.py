"""The weights that ship do what their cards say."""

from __future__ import annotations

import pytest

from gridmarl.agents.load import policy_names
from gridmarl.agents.policies import StoredPolicy
from gridmarl.agents.team import load_team
from gridmarl.learning.recipe import load_recipe
from gridmarl.learning.returns import episode_profits, with_player
from gridmarl.scenario.rules import Split
from gridmarl.scenario.scenario import Scenario

RETRAIN = "the world changed since the policy was trained; run `gridmarl train` with its recipe again"


def test_policies_of_the_auction_and_of_a_battery_on_its_own_ship() -> None:
    assert {"dqn-auction", "dqn-gas_1", "actor_critic-auction", "actor_critic-battery_1"} <= set(policy_names())


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
        ("actor_critic-auction", "storage"),
        ("actor_critic-battery_1", "storage-caiso"),
    ],
)
def test_it_was_trained_by_the_recipe_that_ships(name: str, recipe: str) -> None:
    assert StoredPolicy(name).card.recipe == load_recipe(recipe).model_dump(mode="json")
