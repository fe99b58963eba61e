"""The strategy that learned: it picks what is on the menu, by shipped weights, and its table says what it is worth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gridmarl.bench.negotiation.strategies import compare_strategies, strategies_table
from gridmarl.catalogue import shipped
from gridmarl.errors import PolicyError
from gridmarl.learning.recipe import load_recipe, parse_recipe
from gridmarl.learning.tasks import task_of
from gridmarl.learning.trainer import train
from gridmarl.learning.worlds.negotiations import Negotiations
from gridmarl.negotiation.coalition.rounds import Private, context_of
from gridmarl.negotiation.cycle import negotiate
from gridmarl.negotiation.game import Game
from gridmarl.negotiation.homes.fleet import draw_fleet
from gridmarl.negotiation.learned import SHIPPED, WEIGHTS, Learned
from gridmarl.negotiation.opportunities import draw_opportunities
from gridmarl.negotiation.roster import strategy_of


def test_it_picks_what_is_on_the_menu_and_draws_nothing() -> None:
    player = strategy_of("learned")
    assert player.name == "learned"
    for seed in range(5):
        now = Game(20).begin(seed)
        context = context_of(now.table, now.settings)
        picked = [player.choose(now.menus, context, np.random.default_rng(s)) for s in (1, 2)]
        assert np.array_equal(picked[0], picked[1])
        now.menus.chosen(picked[0])


def test_a_negotiation_by_it_passes_every_check() -> None:
    fleet = draw_fleet(60, seed=3)
    found = [negotiate(fleet, one, "learned") for one in draw_opportunities(fleet, 10, seed=3)]
    assert any(one.table.selection.members.any() for one in found)


def test_households_that_answer_in_groups_pick_what_they_pick_together() -> None:
    graph = pytest.importorskip("gridmarl.negotiation.graph")
    game = Game(30)
    for seed in range(3):
        now = game.begin(seed)
        private = Private(now.menus, Learned())
        tables = list(graph.lead_in_graph(now.table.opportunity, private, now.settings, per_task=7))
        first = Learned().choose(now.menus, context_of(now.table, now.settings), np.random.default_rng(0))
        assert np.array_equal(tables[0].choices, first)


def test_households_earn_more_by_it_than_by_the_rule_and_the_aggregator_less() -> None:
    found = compare_strategies(("rule", "learned"), size=100, fleets=(1, 2), opportunities=60)
    gain, loss = found.gain("learned", "rule", "surplus"), found.gain("learned", "rule", "profit")
    print(f"\nsurplus {gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}], profit {loss.value:+.3f} $ an opportunity")
    assert gain.low is not None
    assert gain.low > 0.0
    assert loss.value < 0.0


def test_the_table_names_every_strategy_and_pairs_are_of_the_same_opportunities() -> None:
    found = compare_strategies(("rule", "random"), size=20, fleets=(1,), opportunities=6)
    table = strategies_table(found)
    assert [column.header for column in table.columns] == ["", "rule", "random"]
    same = compare_strategies(("random", "rule"), size=20, fleets=(1,), opportunities=6)
    assert found.gain("random", "rule", "both").value == pytest.approx(-same.gain("rule", "random", "both").value)
    assert np.array_equal(found.of("rule", "surplus"), same.of("rule", "surplus"))


def test_a_few_steps_of_the_recipe_leave_weights_that_it_can_play(tmp_path: Path) -> None:
    small: dict[str, Any] = {
        "num_envs": 80,
        "steps": 1600,
        "learn_from": 400,
        "learn_every": 80,
        "select_seeds": 40,
        "test_seeds": 40,
    }
    folder = train("negotiate", out=tmp_path / "policy", progress=False, **small)
    fleet = draw_fleet(30, seed=5)
    for one in draw_opportunities(fleet, 3, seed=5):
        negotiate(fleet, one, Learned(folder))


def test_the_recipe_learns_in_the_twin() -> None:
    recipe = load_recipe("negotiate")
    assert isinstance(task_of(recipe, None).make(recipe.num_envs, "train"), Negotiations)


def test_the_shipped_weights_are_the_shipped_recipes() -> None:
    report = json.loads((shipped("training") / "policies" / SHIPPED / "training.json").read_text("utf-8"))
    assert parse_recipe(report["recipe"], "report") == load_recipe("negotiate")
    assert report["metrics"]["test"]["scaled"] > 0.0


def test_it_strains_fewer_wishes_than_drawing_does() -> None:
    found = compare_strategies(("rule", "learned", "random"), size=100, fleets=(4,), opportunities=40)
    kept = {name: found.of(name, "soft_kept").sum() / found.of(name, "members").sum() for name in found.values}
    print(f"\nmembers whose soft wish is kept: { {name: round(float(share), 3) for name, share in kept.items()} }")
    assert kept["learned"] > kept["random"]


def test_weights_of_something_else_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="dqn-negotiate"):
        Learned("dqn-negociate")
    (tmp_path / WEIGHTS).write_bytes(b"nothing of the kind")
    with pytest.raises(PolicyError, match=r"home\.safetensors"):
        Learned(tmp_path)
