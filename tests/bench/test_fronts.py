from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gridmarl.agents.policies import StoredPolicy
from gridmarl.agents.rules import Rule
from gridmarl.agents.team import load_team
from gridmarl.bench.fronts import draw_front, front_picture, preference_table
from gridmarl.errors import PolicyError, ScenarioError
from gridmarl.learning.fixed.returns import episode_objectives, episode_profits, with_player
from gridmarl.learning.judging.front import Front, FrontPoint, write_front
from gridmarl.scenario.scenario import OPERATOR, Scenario

POLICY = "multi_objective-storm"
SEEDS = range(3)
WHOLE = b"\x89PNG"


def front(*scaled: tuple[float, float, float]) -> Front:
    points = tuple(FrontPoint(preference=(1, 0, 0), returns=row, scaled=row, on_front=True) for row in scaled)
    return Front(
        objectives=("stability", "cost", "emissions"),
        split="select",
        first_seed=0,
        episodes=2,
        reference=(),
        hypervolume=None,
        utility=0.0,
        points=points,
    )


def test_each_row_compares_the_policy_under_its_preference_with_doing_nothing_and_the_best_fixed_action() -> None:
    table = preference_table(POLICY, parts=1, train_seeds=SEEDS, test_seeds=SEEDS)
    assert len(table) == 3
    row = table[table.preference_stability == 1.0].iloc[0]
    world, team = Scenario.load("storm"), load_team(StoredPolicy(POLICY).card.others)
    player = StoredPolicy(POLICY, {"stability": 1})
    own = episode_objectives(world, with_player(team, player, (OPERATOR,), "own"), "test", SEEDS)
    nothing = episode_objectives(world, with_player(team, Rule("passive"), (OPERATOR,), "nothing"), "test", SEEDS)
    np.testing.assert_allclose(row[["stability", "cost", "emissions"]].to_numpy(float), own.mean(0), rtol=1e-6)
    scale = 100 * 60 * 0.25  # MW of load, reference price, hours
    assert row.less_untouched == pytest.approx((own - nothing)[:, 0].mean() / scale, rel=1e-6)
    assert row.less_untouched_low <= row.less_untouched <= row.less_untouched_high
    level, chosen = int(row.reserve_level), int(row.intervention)
    rule = Rule("steady", reserve_level=level, intervention=chosen)
    fixed = episode_objectives(world, with_player(team, rule, (OPERATOR,), "fixed"), "test", SEEDS)
    assert row.less_fixed == pytest.approx((own - fixed)[:, 0].mean() / scale, rel=1e-6)


def test_the_objectives_weigh_up_to_the_operators_reward() -> None:
    world, team = Scenario.load("storm"), load_team("truthful")
    objectives = episode_objectives(world, team, "test", SEEDS)
    profits = episode_profits(world, team, (OPERATOR,), "test", SEEDS)
    np.testing.assert_allclose(objectives @ [1.0, 1.0, 0.05], profits[:, 0], rtol=1e-9)


def test_a_steady_operator_holds_its_level_and_intervention() -> None:
    world, team = Scenario.load("storm"), load_team("truthful")
    passive, none, more = (
        episode_objectives(world, with_player(team, rule, (OPERATOR,), "steady"), "test", SEEDS).mean(0)
        for rule in (Rule("passive"), Rule("steady"), Rule("steady", reserve_level=4, intervention=1))
    )
    np.testing.assert_array_equal(passive, none)
    assert more[0] > none[0]  # reserve holds the frequency,
    assert more[1] < none[1]  # costs money,
    assert more[2] > none[2]  # and the carbon adder saves emissions
    with pytest.raises(ScenarioError, match="reserve_level"):
        Rule("steady", reserve_level=5)


def test_a_policy_without_preferences_is_refused() -> None:
    with pytest.raises(PolicyError, match="takes a preference"):
        preference_table("dqn-gas_1")


def test_the_picture_shows_the_objectives_that_vary(tmp_path: Path) -> None:
    write_front(tmp_path, front((-1.0, -2.0, -3.0), (-2.0, -1.0, -3.0)))
    assert draw_front(tmp_path).read_bytes().startswith(WHOLE)
    flat = front((0.0, -2.0, -3.0), (0.0, -2.0, -3.0))
    assert front_picture(flat, "flat").startswith(WHOLE)
    assert front_picture(front((0.0, -2.0, -3.0), (0.0, -1.0, -3.0)), "one").startswith(WHOLE)
