"""The choice from menus as an environment: PettingZoo's contract, masks, rewards, and its twin for our learners."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pettingzoo.test import parallel_api_test

import gridmarl
from gridmarl.errors import ActionError, CommitmentError, ScenarioError, TrainingError
from gridmarl.learning.worlds.negotiations import HOME, Negotiations
from gridmarl.negotiation.coalition.rounds import context_of
from gridmarl.negotiation.cycle import negotiate
from gridmarl.negotiation.environment import NegotiationEnv, parallel_env
from gridmarl.negotiation.game import OBSERVATION, Game, observe
from gridmarl.negotiation.menu import DECLINE, ENTRIES, Menus
from gridmarl.negotiation.strategies import Rule
from gridmarl.units import KW_PER_MW

RNG = np.random.default_rng(0)


def ended(env: NegotiationEnv, seed: int) -> tuple[dict[str, float], dict[str, dict[str, Any]]]:
    """Play the rule to the end; last rewards and infos."""
    env.reset(seed=seed)
    rewards, infos = {}, {}
    while env.agents:
        now = env._now
        assert now is not None
        picked = Rule().choose(now.menus, context_of(now.table, now.settings), RNG)
        _, rewards, _, _, infos = env.step(dict(zip(env.agents, picked.tolist(), strict=True)))
    return rewards, infos


def test_pettingzoo_accepts_it() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parallel_api_test(parallel_env(8), num_cycles=40)


def test_it_has_a_public_name() -> None:
    assert isinstance(gridmarl.negotiation_env(5), NegotiationEnv)


def test_observations_are_within_their_space_and_masks_say_what_is_on_the_menu() -> None:
    env = parallel_env(12)
    seen, infos = env.reset(seed=3)
    for number, agent in enumerate(env.agents):
        assert env.observation_space(agent).contains(seen[agent])
        assert seen[agent]["action_mask"][DECLINE] == 1
        assert np.array_equal(seen[agent]["action_mask"], infos[agent]["action_mask"])
        assert env._now is not None
        assert np.array_equal(seen[agent]["action_mask"].astype(bool), env._now.menus.valid[number])
    assert any(seen[agent]["action_mask"].sum() > 1 for agent in env.agents)


def test_an_entry_that_is_not_on_the_menu_is_refused_by_name() -> None:
    env = parallel_env(12)
    seen, _ = env.reset(seed=3)
    agent = next(a for a in env.agents if seen[a]["action_mask"].sum() < ENTRIES)
    wrong = int(np.flatnonzero(seen[agent]["action_mask"] == 0)[0])
    with pytest.raises(ActionError, match=agent):
        env.step({**dict.fromkeys(env.agents, DECLINE), agent: wrong})
    with pytest.raises(ActionError, match="reset"):
        parallel_env(12).step({})


def test_episodes_of_a_seed_are_the_same_and_differ_from_each_other() -> None:
    env = parallel_env(6)
    first, second = env.reset(seed=1)[0], env.reset()[0]
    again = env.reset(seed=1)[0]
    assert all(np.array_equal(first[a]["observation"], again[a]["observation"]) for a in env.possible_agents)
    assert any(not np.array_equal(first[a]["observation"], second[a]["observation"]) for a in env.possible_agents)


def test_rewards_are_what_the_negotiation_pays_above_cost() -> None:
    env, paid = parallel_env(30), 0
    for seed in range(12):
        rewards, infos = ended(env, seed)
        now = env._now
        assert now is not None
        stored = env.game._fleet(int(np.random.default_rng([seed, 0x6A]).integers(64)))[1]
        opportunity = now.table.opportunity
        same = negotiate(
            now.fleet, opportunity, "rule", settings=now.settings, stored=stored[int(opportunity.local_hour)]
        )
        assert np.allclose([infos[a]["payment"] for a in env.possible_agents], same.books.payments)
        gains = same.books.payments - same.costs
        assert np.allclose(list(rewards.values()), gains, atol=0.01)
        paid += int(same.table.selection.members.sum())
    assert paid > 0


def test_all_decline_and_nobody_earns() -> None:
    env = parallel_env(6)
    env.reset(seed=0)
    rewards = {}
    while env.agents:
        _, rewards, ended_, cut, _ = env.step(dict.fromkeys(env.agents, DECLINE))
        assert not any(cut.values())
        assert len(set(ended_.values())) == 1
    assert set(rewards.values()) == {0.0}


def test_max_cycles_bounds_the_rounds() -> None:
    env = parallel_env(6)
    env.max_cycles = 1
    env.reset(seed=0)
    env.step(dict.fromkeys(env.agents, DECLINE))
    assert env.agents == []


def test_what_one_sees_is_made_of_its_own_menu_and_what_all_are_told() -> None:
    now = Game(10).begin(4)
    context = context_of(now.table, now.settings)
    seen = observe(now.menus, context)
    assert seen.shape == (10, len(OBSERVATION))
    other = now.menus.price_per_mwh.copy()
    richest = int(now.menus.valid.sum(axis=1).argmax())
    other[richest] *= 0.5
    changed = observe(Menus(now.menus.kw, other, now.menus.valid), context)
    assert not np.array_equal(seen[richest], changed[richest])
    assert np.array_equal(np.delete(seen, richest, 0), np.delete(changed, richest, 0))


def test_a_table_needs_enough_prosumers() -> None:
    with pytest.raises(ScenarioError, match="prosumers"):
        Game(2)


def test_a_game_refuses_what_is_not_on_a_menu() -> None:
    game = Game(5)
    now = game.begin(0)
    with pytest.raises(CommitmentError):
        game.play(now, np.full(5, ENTRIES))


def test_the_twin_plays_the_same_game() -> None:
    size, seed = 10, 11
    env, twin = parallel_env(size), Negotiations(2 * size, size)
    seen, _ = env.reset(seed=seed)
    start = twin.reset(seed)
    rows = np.stack([seen[agent]["observation"] for agent in env.agents])
    assert np.array_equal(start.observations[HOME][:size, 0], rows)
    while env.agents:
        now = env._now
        assert now is not None
        picked = Rule().choose(now.menus, context_of(now.table, now.settings), RNG)
        most = now.able.most_kw * now.table.opportunity.market_price_mwh * now.table.opportunity.duration_hours
        _, rewards, over, _, _ = env.step(dict(zip(env.agents, picked.tolist(), strict=True)))
        both = np.concatenate([picked, np.zeros(size, np.int64)])
        step = twin.step({HOME: both[:, None]})
        assert bool(step.terminated[0]) == any(over.values())
        assert not step.truncated.any()
        scaled = np.divide(np.array([*rewards.values()]) * KW_PER_MW, most, out=np.zeros(size), where=most > 0)
        assert np.allclose(step.rewards[HOME][:size, 0], scaled, atol=1e-5)


def test_the_twin_takes_illegal_entries_for_declining_and_begins_anew_in_the_same_step() -> None:
    twin = Negotiations(20, 10)
    twin.reset(0)
    step = twin.step({HOME: np.full((20, 1), ENTRIES - 1)})
    while not step.terminated.any():
        step = twin.step({HOME: np.full((20, 1), ENTRIES - 1)})
    ends = step.terminated
    assert not np.array_equal(step.observations[HOME][ends], step.next_observations[HOME][ends])
    assert np.array_equal(step.observations[HOME][~ends], step.next_observations[HOME][~ends])


def test_rows_must_fill_tables() -> None:
    with pytest.raises(TrainingError, match="multiple of 10"):
        Negotiations(15, 10)


def test_stopping_early_still_settles() -> None:
    game = Game(12)
    now = game.begin(2)
    over = game.play(now, np.zeros(12, np.int64), most_rounds=1)
    assert over.over
    assert game.books(replace(over)).revenue == 0.0
