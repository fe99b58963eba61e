"""A player that finds its policy by the world it sits in, and policies before they learned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from gridmarl.agents.agent import Agent, BatchAgent
from gridmarl.agents.learned import Learned, policy_of
from gridmarl.agents.load import load_agent
from gridmarl.agents.policies import StoredPolicy, read_policy, untrained
from gridmarl.agents.team import Team
from gridmarl.errors import PolicyError
from gridmarl.evaluation.rollout import rollout
from gridmarl.learning.fixed.returns import episode_profits
from gridmarl.scenario.scenario import Scenario

AUCTION = Scenario.load("auction")
BATTERIES = ("battery_1", "battery_2")


def batteries(**settings: object) -> Team:
    return Team({"storage": Learned("actor_critic", "actor_critic-auction", **settings)})  # pyright: ignore[reportArgumentType]


def test_it_is_an_agent_of_the_role_of_the_policy_it_falls_back_on() -> None:
    player = Learned("actor_critic", "actor_critic-auction")
    assert isinstance(player, Agent)
    assert isinstance(player, BatchAgent)
    assert player.codecs == {"storage": "power"}


@pytest.mark.parametrize(
    "algorithm, seats, found",
    [
        ("dqn", ("gas_1", "coal_1"), "dqn-auction"),
        ("actor_critic", BATTERIES, "actor_critic-auction"),
        ("actor_critic", ("battery_1", "battery_9"), None),
        ("maddpg", ("load_1", "load_2"), "maddpg-auction"),
        ("dqn", ("load_1",), None),
    ],
)
def test_the_policy_is_the_one_that_learned_these_seats_in_this_world(
    algorithm: str, seats: tuple[str, ...], found: str | None
) -> None:
    assert policy_of(algorithm, AUCTION.digest, seats) == found
    assert policy_of(algorithm, "another world", seats) is None


def test_in_its_world_it_plays_as_the_stored_policy_does() -> None:
    stored = Team({"storage": StoredPolicy("actor_critic-auction")})
    first, second = (rollout(AUCTION, team, seed=2).results for team in (batteries(), stored))
    np.testing.assert_array_equal(first, second)


def test_elsewhere_it_plays_the_policy_it_was_given() -> None:
    other = AUCTION.but(intervals=12, name="short")
    player = Learned("actor_critic", "actor_critic-auction")
    episode_profits(other, Team({"storage": player}), BATTERIES, "test", [0, 1])
    assert player.player is not None
    assert player.player.stored.name == "actor_critic-auction"


def test_a_policy_that_does_not_exist_is_refused_at_once() -> None:
    with pytest.raises(PolicyError, match="dqn-atlantis"):
        Learned("dqn", "dqn-atlantis")


def test_it_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    Learned("dqn", "dqn-auction", 3).save(tmp_path)
    back = load_agent(tmp_path)
    assert isinstance(back, Learned)
    assert (back.algorithm, back.elsewhere, back.initialisation) == ("dqn", "dqn-auction", 3)


@pytest.mark.parametrize("name", ["dqn-auction", "actor_critic-auction", "multi_objective-auction"])
def test_an_untrained_policy_has_new_weights_and_the_old_normaliser(name: str) -> None:
    stored = read_policy(name)
    before = torch.random.get_rng_state()
    fresh = safetensors.torch.load(untrained(stored, 0).weights)
    assert torch.equal(torch.random.get_rng_state(), before)
    learned = safetensors.torch.load(stored.weights)
    assert {key: t.shape for key, t in fresh.items()} == {key: t.shape for key, t in learned.items()}
    kept = {key for key in learned if torch.equal(fresh[key], learned[key])}
    assert {"normaliser.mean", "normaliser.deviation"} <= kept
    assert not any("layers" in key for key in kept)


def test_untrained_policies_are_drawn_by_their_number() -> None:
    stored = read_policy("dqn-auction")
    first, again, other = (untrained(stored, number) for number in (4, 4, 5))
    assert first.weights == again.weights != other.weights
    assert first.card.metrics == {}
    assert StoredPolicy(first).card.sizes == stored.card.sizes


def test_an_untrained_player_earns_what_its_drawn_network_earns() -> None:
    drawn = Team({"storage": StoredPolicy(untrained(read_policy("actor_critic-auction"), 1))})
    earned = [episode_profits(AUCTION, t, BATTERIES, "test", [0]) for t in (batteries(initialisation=1), drawn)]
    np.testing.assert_array_equal(earned[0], earned[1])
    assert not np.allclose(earned[0], episode_profits(AUCTION, batteries(), BATTERIES, "test", [0]))
