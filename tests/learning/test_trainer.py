from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gridmarl.agents.make import vector_env
from gridmarl.agents.policies import CARD, WEIGHTS, StoredPolicy, read_policy
from gridmarl.environment.fields import FIELDS
from gridmarl.errors import PolicyError, ScenarioError
from gridmarl.learning.recipe import Recipe
from gridmarl.learning.replay import Transitions
from gridmarl.learning.trainer import Training, learning_seats, reward_scale, train
from gridmarl.scenario.scenario import Scenario
from tests.learning.worlds import BEST_ACTION, BEST_PROFIT

MONEY = 1e-6
"""Relative tolerance of dollars summed over an episode."""
REMAINING = [field.name for field in FIELDS["generator"]].index("remaining")


def test_it_finds_the_price_that_trying_all_twenty_finds(duopoly: Scenario, trained: Path) -> None:
    markets = vector_env(duopoly, 20, seats="cheap")
    markets.reset(seed=0)
    _, rewards, *_ = markets.step({"generator": np.arange(20)[:, None]})
    assert rewards["generator"][:, 0].argmax() == BEST_ACTION
    card = StoredPolicy(trained).card
    assert card.metrics["test"].profit["cheap"] == pytest.approx(BEST_PROFIT, rel=MONEY)
    assert rewards["generator"].mean() * 8 < 0.5 * BEST_PROFIT  # what random bidding earns


def test_the_same_seed_gives_equal_weights_and_another_seed_others(
    duopoly: Scenario, quick: Recipe, tmp_path: Path
) -> None:
    folders = [
        train(quick, env=duopoly, seed=seed, out=tmp_path / name, progress=False, steps=80, evaluate_every=80)
        for seed, name in ((1, "one"), (1, "same"), (2, "other"))
    ]
    one, same, other = ((folder / WEIGHTS).read_bytes() for folder in folders)
    assert one == same
    assert one != other


def test_where_an_episode_is_cut_off_the_true_last_observation_is_remembered(
    duopoly: Scenario, quick: Recipe, tmp_path: Path
) -> None:
    training = Training(quick, duopoly, tmp_path)
    for step in range(duopoly.intervals + 1):
        training._step(step)
    kept = training.replay.take(np.arange((duopoly.intervals + 1) * quick.num_envs))
    remaining = kept.s[:, 0, REMAINING].reshape(-1, quick.num_envs)[:, 0]
    after = kept.s_next[:, 0, REMAINING].reshape(-1, quick.num_envs)[:, 0]
    assert remaining[0] == 1.0
    assert after[-2] == 0.0  # the end of the first episode ...
    assert remaining[-1] == 1.0  # ... and not the beginning of the second
    np.testing.assert_array_equal(after[:-2], remaining[1:-1])
    assert not kept.d.any()


def test_rewards_are_divided_by_what_capacity_earns_at_the_reference_price(
    duopoly: Scenario, quick: Recipe, tmp_path: Path
) -> None:
    assert reward_scale(duopoly, ("cheap", "rival")).tolist() == [40 * 50, 100 * 50]
    training = Training(quick, duopoly, tmp_path)
    training._step(0)
    price = 20 + training.replay.take(np.arange(16)).a[:, 0] * 180 / 19
    expected = np.where(price < 100, (price - 30) * 30, 0.0) / 2000
    np.testing.assert_allclose(training.replay.take(np.arange(16)).r[:, 0], expected, rtol=1e-5)


def test_the_card_says_what_was_trained_on_what_and_how_well(duopoly: Scenario, quick: Recipe, trained: Path) -> None:
    content = json.loads((trained / CARD).read_text("utf-8"))
    assert content["digest"] == duopoly.digest
    assert content["split"] == "train"
    assert set(content["metrics"]) == {"select", "test"}
    assert Recipe.parse(content["recipe"], "card") == quick
    assert [point["step"] for point in content["curve"]] == [200, 400, 600]
    best = max(content["curve"], key=lambda point: point["scaled"])
    assert content["metrics"]["select"]["scaled"] == best["scaled"]
    assert content["chosen_step"] == best["step"]


def test_a_training_that_diverges_names_the_update_and_keeps_what_was_good(
    duopoly: Scenario, quick: Recipe, tmp_path: Path
) -> None:
    training = Training(quick, duopoly, tmp_path / "diverged")
    learn = training.learner.learn

    def poisoned(batch: Transitions, progress: float = 0.0) -> float:
        fifth = training.learner.updates == 4
        return learn(batch._replace(r=np.full_like(batch.r, np.nan)) if fifth else batch, progress)

    training.learner.learn = poisoned
    with pytest.raises(PolicyError, match=r"loss of update 5.*diverged"):
        training.run()
    stored = read_policy(tmp_path / "diverged")
    StoredPolicy(stored)  # finite weights
    assert stored.card.metrics == {}


def test_seats_that_no_generator_has_are_refused(duopoly: Scenario) -> None:
    assert learning_seats(duopoly, "generator") == ("cheap", "rival")
    for pattern in ("town", "chaep", "*"):
        with pytest.raises(ScenarioError, match="cheap, rival"):
            learning_seats(duopoly, pattern)


def test_nothing_is_drawn_where_standard_error_is_no_terminal(
    duopoly: Scenario, quick: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(quick, env=duopoly, out=tmp_path, steps=60, evaluate_every=60, progress=True)
    assert capsys.readouterr() == ("", "")


def test_all_generators_share_one_network(duopoly: Scenario, quick: Recipe, tmp_path: Path) -> None:
    folder = train(quick, env=duopoly, out=tmp_path, progress=False, seats="generator", steps=60, evaluate_every=60)
    card = read_policy(folder).card
    assert card.seats == ("cheap", "rival")
    assert set(card.metrics["test"].profit) == {"cheap", "rival"}
