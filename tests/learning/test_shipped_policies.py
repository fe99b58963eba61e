"""The weights that ship do what their cards say."""

from __future__ import annotations

import numpy as np
import pytest

from gridmarl.agents.cards import find_policy
from gridmarl.agents.load import policy_names
from gridmarl.agents.policies import StoredPolicy
from gridmarl.agents.team import load_team, roles_of
from gridmarl.learning.fixed.returns import episode_objectives, episode_profits, with_player
from gridmarl.learning.judging.front import hypervolume, read_front
from gridmarl.learning.recipe import Recipe, load_recipe, parse_recipe
from gridmarl.scenario.rules import Split
from gridmarl.scenario.scenario import Scenario

RETRAIN = "the world changed since the policy was trained; run `gridmarl train --replace` with its recipe again"
ALGORITHMS = {
    "generator": "dqn",
    "storage": "actor_critic",
    "consumer": "maddpg",
    "prosumer": "actor_critic",
    "operator": "multi_objective",
}
"""Of the shipped policy of a role, ``<algorithm>-<world>``."""


def recipe_of(policy: StoredPolicy) -> Recipe:
    """As its card keeps it; settings that came later have the values that leave a training as it was."""
    return parse_recipe(policy.card.recipe, "card")


def test_policies_of_single_seats_and_of_operators_ship() -> None:
    expected = {"dqn-coal_1", "dqn-gas_1", "dqn-gas_2", "actor_critic-battery_1", "multi_objective-storm"}
    assert expected <= set(policy_names())


@pytest.mark.parametrize("world", ["auction", "renewable-heavy", "duck-curve"])
def test_every_seat_has_a_policy_of_its_own_world(world: str) -> None:
    scenario = Scenario.load(world)
    roles = roles_of(scenario)
    for role in set(roles.values()):
        card = StoredPolicy(f"{ALGORITHMS[role]}-{world}").card
        assert (card.scenario, card.digest) == (world, scenario.digest)
        assert set(card.seats) == {seat for seat, played in roles.items() if played == role}


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
        ("maddpg-auction", "maddpg"),
        ("actor_critic-duck-curve", "homes"),
        ("maddpg-duck-curve", "maddpg-homes"),
        ("dqn-renewable-heavy", "dqn-renewable-heavy"),
        ("actor_critic-renewable-heavy", "storage-renewable-heavy"),
        ("maddpg-renewable-heavy", "maddpg-renewable-heavy"),
        ("multi_objective-renewable-heavy", "operator-renewable-heavy"),
        ("multi_objective-duck-curve", "operator-duck-curve"),
    ],
)
def test_it_was_trained_by_the_recipe_that_ships(name: str, recipe: str) -> None:
    assert recipe_of(StoredPolicy(name)) == load_recipe(recipe)


def test_another_gas_unit_was_trained_by_the_recipe_of_the_first() -> None:
    recipe = load_recipe("dqn-gas", {"seats": "gas_2"})
    assert recipe_of(StoredPolicy("dqn-gas_2")) == recipe


@pytest.mark.parametrize("name", [name for name in policy_names() if name.startswith("multi_objective-")])
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


@pytest.mark.parametrize("split", ["select", "test"])
def test_the_roles_that_learned_together_earn_again_what_their_cards_say(split: Split) -> None:
    team = load_team("market")
    policies = {role: StoredPolicy(f"market-auction/{role}") for role in team.agents}
    assert set(policies) == {"generator", "storage", "consumer", "operator"}
    for role, policy in policies.items():
        card, standing = policy.card, policy.card.metrics[split]
        assert (card.role, recipe_of(policy)) == (role, load_recipe("market"))
        world = Scenario.load(card.scenario)
        assert world.digest == card.digest, RETRAIN
        seeds = range(standing.first_seed, standing.first_seed + standing.episodes)
        earned = episode_profits(world, team, card.seats, split, seeds).mean(0)
        expected = [standing.profit[seat] for seat in card.seats]
        assert earned.tolist() == pytest.approx(expected, rel=card.tolerance), RETRAIN


def test_the_roles_that_learned_together_are_kept_where_they_were_least_exploitable() -> None:
    card = StoredPolicy("market-auction/generator").card
    full = {p.step: p.metrics["exploitability"] for p in card.curve if p.metrics.get("pool") == 4}
    assert card.chosen_step == min(full, key=lambda step: full[step])
