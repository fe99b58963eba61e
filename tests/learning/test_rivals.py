"""What a deviation gains, by hand and in the duopoly; who meets whom in cross-play."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from gridmarl.agents.cards import CurvePoint, read_card
from gridmarl.environment.compiled.codecs import GRID_PRICES
from gridmarl.environment.compiled.world import compile_world
from gridmarl.errors import ScenarioError
from gridmarl.learning.algorithms.market import MarketLearner
from gridmarl.learning.device import repeatable
from gridmarl.learning.interface import ActionSpec, Algorithm, ByGroup, GroupSpec, VectorWorld
from gridmarl.learning.judging import rivals
from gridmarl.learning.judging.pool import CURRENT, Cast, Pool
from gridmarl.learning.judging.rivals import (
    LEVELS,
    CrossPlay,
    Deviation,
    cast_of,
    constants,
    crossed,
    deviations,
    exploitability,
    rivalry,
)
from gridmarl.learning.judging.standing import greedy_returns, own_scaled
from gridmarl.learning.recipe import load_recipe, parse_recipe
from gridmarl.learning.tasks import task_of
from gridmarl.learning.trainer import Training, train
from gridmarl.scenario.rules import Split
from gridmarl.scenario.scenario import Scenario
from tests.learning.worlds import BEST_ACTION, BEST_PROFIT, MARKET_ROLES, all_roles, market_settings

NUMBERS = ActionSpec(low=np.zeros(1), high=np.ones(1))
GROUPS = {
    "generator": GroupSpec(
        "generator", ("small", "large"), 2, ActionSpec(choices=3), np.array([1.0, 9.0]), role="generator"
    ),
    "storage": GroupSpec("storage", ("battery",), 2, NUMBERS, np.ones(1), role="storage"),
}


def test_the_best_deviation_is_chosen_on_one_half_and_scored_on_the_other() -> None:
    matches = [None, Deviation("generator", 0, np.array(0)), Deviation("generator", 0, np.array(1))]
    scaled = np.array([[1.0, 1.0, 1.0, 1.0], [5.0, 2.0, 5.0, 4.0], [0.0, 90.0, 0.0, 90.0]])[:, :, None]
    found = exploitability(matches, {"generator": scaled})
    assert found == {"exploitability": 2.0, "exploitability.generator": 2.0}  # (2 + 4) / 2 - 1, though 90 was possible
    falls = np.array([[1.0, 1.0], [3.0, 0.0], [0.0, 0.0]])[:, :, None]
    assert exploitability(matches, {"generator": falls})["exploitability"] == 0.0  # who loses by it stays


def test_exploitability_is_a_mean_over_seats() -> None:
    matches = [None, Deviation("generator", 1, member=0), Deviation("storage", 0, member=0)]
    generators = np.zeros((3, 2, 2))
    generators[1, :, 1] = 4.0
    generators[2, :, 1] = 100.0  # somebody else's deviation is none of its own
    found = exploitability(matches, {"generator": generators, "storage": np.zeros((3, 2, 1))})
    assert found["exploitability"] == 2.0
    assert (found["exploitability.generator"], found["exploitability.storage"]) == (4.0, 0.0)


def test_every_seat_tries_all_choices_a_grid_of_numbers_and_the_past() -> None:
    found = deviations(GROUPS, members=2, seats=1)
    tried = [(d.group, d.seat) for d in found if isinstance(d, Deviation)]
    assert tried == [("generator", 1)] * 5 + [("storage", 0)] * (len(LEVELS) + 2)  # of generators, the largest
    everybody = [(d.group, d.seat) for d in deviations(GROUPS, members=0) if isinstance(d, Deviation)]
    assert everybody == [("generator", 1)] * 3 + [("generator", 0)] * 3 + [("storage", 0)] * len(LEVELS)
    two = GroupSpec("order", ("a",), 2, ActionSpec(low=np.zeros(2), high=np.ones(2)), np.ones(1))
    assert np.unique(constants(two), axis=0).tolist() == [[p, q] for p in (-1, 0, 1) for q in (-1, 0, 1)]


def test_a_cast_puts_each_player_in_its_rows_and_seats() -> None:
    matches = [None, Deviation("generator", 1, np.array(2)), Deviation("storage", 0, member=1), CrossPlay("storage", 0)]
    cast = cast_of(matches, GROUPS, episodes=2)
    assert cast.who["generator"].tolist() == [[CURRENT, CURRENT]] * 6 + [[0, 0]] * 2
    assert cast.who["storage"][:, 0].tolist() == [CURRENT] * 4 + [1, 1] + [CURRENT] * 2
    assert np.argwhere(cast.fixed["generator"]).tolist() == [[2, 1], [3, 1]]
    assert not cast.fixed["storage"].any()

    class Shelf(Pool):
        """Members that do what their number says."""

        def actions(self, member: int, name: str, s: np.ndarray) -> np.ndarray:
            return np.full((*s.shape[:2], *GROUPS[name].actions.shape), member + 10)

    pool = Shelf(2, {}, torch.device("cpu"))
    seen = {name: np.zeros((8, len(g.seats), 2), np.float32) for name, g in GROUPS.items()}
    current = {"generator": np.zeros((8, 2), np.int64), "storage": np.full((8, 1, 1), 0.5, np.float32)}
    played = cast.play(pool, seen, current)
    assert played["generator"].tolist() == [[0, 0]] * 2 + [[0, 2]] * 2 + [[0, 0]] * 2 + [[10, 10]] * 2
    assert played["storage"][:, 0, 0].tolist() == [0.5] * 4 + [11.0] * 2 + [0.5] * 2
    assert not current["generator"].any()  # inputs are not edited


def test_cross_play_names_when_the_opponents_were_taken_and_finds_the_worst() -> None:
    matches = [None, CrossPlay("generator", 0), CrossPlay("generator", 1), CrossPlay("storage", 0)]
    scaled = {"generator": np.array([4.0, 2.0, 6.0, 0.0])[:, None, None] * np.ones((4, 2, 2))}
    scaled["storage"] = np.array([1.0, 0.0, 0.0, 3.0])[:, None, None] * np.ones((4, 2, 1))
    assert crossed(matches, scaled, GROUPS, [70, 90]) == {
        "cross.generator.now": 4.0,
        "cross.generator.70": 2.0,
        "cross.generator.90": 6.0,
        "cross.storage.now": 1.0,
        "cross.storage.70": 3.0,
        "cross.worst": 1.5,
    }


@pytest.mark.parametrize("action", [BEST_ACTION, 2, 15])
def test_in_the_duopoly_a_seat_can_gain_what_it_leaves_to_the_best_price(
    action: int, duopoly: Scenario, tmp_path: Path
) -> None:
    changes = {"seats": "cheap", "roles": {"generator": MARKET_ROLES["generator"]}}
    recipe = parse_recipe({**market_settings(), **changes}, "market")
    with repeatable(recipe):
        training = Training(recipe, task_of(recipe, duopoly), tmp_path)
        learner = training.algorithm
        assert isinstance(learner, MarketLearner)
        bias = learner.policies["generator"].layers.biases[-1]
        bias.data[..., action] = 100.0  # now it always asks this price
        found = recipe.rivals(learner, training.task, 0)
    earned = {BEST_ACTION: BEST_PROFIT, 2: (20 + 2 * 180 / 19 - 30) * 30 * 8, 15: 0.0}[action]
    assert found["exploitability"] == pytest.approx((BEST_PROFIT - earned) / (40 * 50), abs=1e-4)
    assert found["cross.generator.now"] == pytest.approx(earned / (40 * 50), abs=1e-4)


def test_a_cast_of_nobody_changes_nothing() -> None:
    actions = {"generator": np.arange(4).reshape(2, 2)}
    who = {"generator": np.full((2, 2), CURRENT)}
    seen = {"generator": np.zeros((2, 2, 3), np.float32)}
    played = Cast(who).play(Pool(0, {}, torch.device("cpu")), seen, actions)
    np.testing.assert_array_equal(played["generator"], actions["generator"])


NOBODY = Pool(0, {})


class Stubborn:
    """Always does the same, one action for each seat of a group."""

    def __init__(self, *actions: int, **others: np.ndarray) -> None:
        self.policies: dict[str, Any] = {}
        self.actions = {"generator": np.array(actions), **others}

    def act(self, observations: ByGroup, rng: np.random.Generator, explore: bool) -> dict[str, Any]:
        return {name: np.repeat(self.actions[name][None], len(seen), 0) for name, seen in observations.items()}


def played(*actions: int, world: str = "duopoly-low", seats: int | None = None) -> dict[str, float]:
    """What the pair of units would gain, scaled, and what it earns now."""
    task = task_of(parse_recipe({"scenario": world}, "pair"), None)
    return rivalry(Stubborn(*actions), NOBODY, task, 0, 2, seats)


def test_a_seat_below_its_rival_gains_by_asking_almost_as_much() -> None:
    """The cheap unit sells 60 MW below the other's offer; the dear one would sell at a loss below the cheap one's."""
    scale = 100 * 100  # $, a reward of 1
    both, cheap_alone = played(3, 12), played(3, 12, seats=1)
    assert cheap_alone["exploitability"] == pytest.approx((GRID_PRICES[11] - GRID_PRICES[3]) * 60 / scale, rel=1e-5)
    assert both["exploitability"] == pytest.approx(cheap_alone["exploitability"] / 2, rel=1e-12), "the dear one stays"
    assert both["cross.generator.now"] == pytest.approx((GRID_PRICES[3] - 30) * 60 / scale / 2, rel=1e-5)
    assert both["pool"] == 0


def test_in_an_equilibrium_nobody_gains_anything() -> None:
    assert played(8, 9)["exploitability"] == 0.0
    assert played(9, 9)["exploitability"] > 0.0  # who shares the demand undercuts
    assert played(2, 19, world="duopoly-pivotal")["exploitability"] == 0.0
    assert played(18, 19, world="duopoly-pivotal")["exploitability"] > 0.0  # the dear one undercuts


def test_a_seat_whose_action_is_a_number_gains_what_its_best_constant_earns_in_other_episodes() -> None:
    """Each constant played by itself, by all the other players' own code: chosen on even episodes, scored on odd."""
    recipe = parse_recipe({"scenario": "auction", "seats": "battery_1", "select_seeds": 4}, "battery")
    task = task_of(recipe, Scenario.load("auction").but(intervals=24))
    world = task.make(4, "select")

    def earned(level: float) -> np.ndarray:
        returns = greedy_returns(Stubborn(storage=np.full((1, 1), level, np.float32)), world, 0)
        return own_scaled(returns["storage"], world.groups["storage"])[:, 0]

    now = earned(0.25)
    best = max((earned(level) for level in LEVELS), key=lambda each: each[::2].mean())
    found = rivalry(Stubborn(storage=np.full((1, 1), 0.25, np.float32)), NOBODY, task, 0, 4)
    assert found["exploitability"] == pytest.approx((best - now)[1::2].mean(), rel=1e-6)
    assert found["exploitability"] > 0.0


def test_an_odd_number_of_select_seeds_plays_one_more_episode() -> None:
    world = Scenario.load("auction").but(intervals=4)

    def found(count: int) -> dict[str, float]:
        changes = {"scenario": "auction", "choose": "least-exploitable", "select_seeds": count, "seats": "coal_1"}
        recipe, stubborn = parse_recipe(changes, "odd"), Stubborn(5)
        return recipe.rivals(cast(Algorithm, stubborn), task_of(recipe, world), 0)

    assert found(3) == found(4) != found(2)
    assert found(1) == found(2)


@pytest.mark.parametrize("where", [{"gymnasium": "CartPole-v1"}, {"pettingzoo": "mpe2.simple_spread_v3"}])
def test_the_least_exploitable_are_sought_in_our_markets_alone(where: dict[str, str]) -> None:
    (name,) = where.values()
    with pytest.raises(ScenarioError, match=rf"^mine: choose: .*best or last.*{name} is none; correct it") as refused:
        parse_recipe({**where, "choose": "least-exploitable"}, "mine")
    assert refused.value.value == "least-exploitable"
    assert parse_recipe({**where, "choose": "last"}, "mine").choose == "last"


def test_of_equally_exploitable_policies_the_last_is_best_whatever_it_earns() -> None:
    recipe = load_recipe("duopoly")

    def merit(step: int, gain: float, scaled: float) -> tuple[float, ...]:
        point = CurvePoint(step=step, updates=1, metrics={"exploitability": gain}, profit={}, scaled=scaled)
        return recipe.merit(point)

    assert merit(1, 0.1, scaled=0.0) > merit(2, 0.2, scaled=9.0)
    assert merit(2, 0.1, scaled=0.0) > merit(1, 0.1, scaled=9.0)


@pytest.mark.parametrize("world", ["duopoly-low", "duopoly-pivotal"])
def test_the_last_of_the_least_exploitable_is_kept(world: str, tmp_path: Path) -> None:
    """In the first world the middle of the training was the best, in the second several evaluations are tied."""
    changes: dict[str, Any] = {"steps": 3_200, "epsilon_steps": 3_200, "evaluate_every": 640, "checkpoint_every": 3_200}
    recipe = load_recipe("duopoly", changes)
    card = read_card(train(recipe, env=world, out=tmp_path / "pair", progress=False) / "policy.json")
    gains = {point.step: point.metrics["exploitability"] for point in card.curve}
    assert len(gains) == 5
    assert card.chosen_step == max(step for step, gain in gains.items() if gain == min(gains.values()))
    assert all(gain >= 0.0 for gain in gains.values())


@pytest.mark.parametrize("matches", [1, 7])
@pytest.mark.parametrize("seats", ["generator", "*"])
def test_matches_played_in_parts_come_to_the_numbers_of_one_batch(
    seats: str, matches: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the bit; where actions are numbers, but for how a matrix product rounds in batches of few rows."""
    recipe, world = all_roles(seats=seats), Scenario.load("auction").but(intervals=4)
    with repeatable(recipe):
        training = Training(recipe, task_of(recipe, world), tmp_path)
        learner, task = training.algorithm, training.task
        assert isinstance(learner, MarketLearner)
        learner.pool.add(0, training.rng)
        made, make = list[int](), task.make

        def counted(num_envs: int, split: Split) -> VectorWorld:
            made.append(num_envs)
            return make(num_envs, split)

        monkeypatch.setattr(task, "make", counted)
        whole = recipe.rivals(learner, task, 5)
        _, rows = made  # the first is a look at who plays
        made.clear()
        in_a_market = len(compile_world(world).layout.seats)
        monkeypatch.setattr(rivals, "TOGETHER", (matches * 2 + 1) * in_a_market)  # two episodes each
        parts = recipe.rivals(learner, task, 5)
    assert parts == (whole if seats == "generator" else pytest.approx(whole, rel=1e-6, abs=1e-9))
    assert whole["exploitability"] > 0.0
    assert made[1:-1] == [matches * 2] * (len(made) - 2)
    assert sum(made[1:]) == rows > made[1]
