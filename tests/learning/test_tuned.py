"""Rules of thumb whose constants are tuned on the train split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import gridmarl
from gridmarl.agents.load import load_agent
from gridmarl.agents.rules import Rule
from gridmarl.agents.team import Team, load_team
from gridmarl.bench.comparison import OPPONENTS, _lineup
from gridmarl.bench.market_power.bidding import best_bids
from gridmarl.environment.core import Core
from gridmarl.errors import ScenarioError
from gridmarl.evaluation.rollout import rollout
from gridmarl.learning.fixed import tuning
from gridmarl.learning.fixed.tuned import TunedRule
from gridmarl.learning.fixed.tuning import profits_of, tuned_rules
from gridmarl.scenario.scenario import Scenario
from tests.learning.worlds import duopoly_world


def short(intervals: int = 36) -> Scenario:
    return Scenario.load("auction").but(intervals=intervals)


def test_a_markup_is_the_one_that_enumeration_finds() -> None:
    found = tuned_rules(duopoly_world(), "markup", "truthful")
    assert found["cheap"].settings.factor == 2.5  # 75 $/MWh, the closest to the rival's 100
    assert found["rival"].settings.factor == 1.0  # sells nothing whatever it asks; the lowest of equals


def test_it_agrees_with_the_table_of_bidders() -> None:
    world, truthful = short(), load_team("truthful")
    _, markup = best_bids(world, truthful, "gas_1", tuning.SEEDS)
    assert markup.label == f"{tuned_rules(world, 'markup', 'truthful')['gas_1'].settings.factor:.2f} x true cost"


def test_tuned_thresholds_earn_at_least_what_the_default_earns() -> None:
    world, truthful = short(288), load_team("truthful")
    best = tuned_rules(world, "threshold", "truthful")["battery_1"]
    default, tuned = profits_of(world, truthful, ("battery_1",), [Rule("threshold"), best]).mean(axis=1)
    assert tuned >= default
    assert best.settings.charge_below_per_mwh < best.settings.discharge_above_per_mwh


def test_only_the_train_split_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def watched(scenario: Scenario, rows: int, codecs: Any, split: Any) -> Core:
        seen.append(split)
        return Core(scenario, rows, codecs, split)

    monkeypatch.setattr(tuning, "Core", watched)
    for rule in ("markup", "threshold"):
        tuned_rules(short(35), rule, "truthful")
    assert set(seen) == {"train"}


def test_a_world_is_tuned_for_once_and_always_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    first = tuned_rules(short(34), "markup", "truthful")
    tuning._tuned.cache_clear()
    again = tuned_rules(short(34), "markup", "truthful")
    assert {s: r.settings for s, r in first.items()} == {s: r.settings for s, r in again.items()}
    monkeypatch.setattr(tuning, "profits_of", None)  # nothing is played a third time
    assert tuned_rules(short(34), "markup", "truthful") is again


def test_of_many_seats_those_of_a_technology_share_their_constants(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "SINGLY", 2)
    found = tuned_rules(short(33), "markup", "truthful")
    assert found["gas_1"] is found["gas_2"]
    assert set(found) == {"solar_1", "wind_1", "coal_1", "gas_1", "gas_2"}


def test_one_agent_sits_in_two_worlds_and_in_many_rows() -> None:
    agent = TunedRule("markup")
    team = Team({"generator": agent}, "tuned")
    rollout(duopoly_world(), team, seed=0)
    assert agent.rules["cheap"].settings.factor == 2.5
    env = gridmarl.vector_env(short(12), 3, seats="battery_1", others=team, split="train")
    env.reset(seed=0)
    assert set(agent.rules) == {"solar_1", "wind_1", "coal_1", "gas_1", "gas_2"}


def test_a_saved_one_tunes_anew(tmp_path: Path) -> None:
    TunedRule("threshold", against="maximum").save(tmp_path)
    back = load_agent(tmp_path)
    assert isinstance(back, TunedRule)
    assert (back.rule, back.against) == ("threshold", "maximum")


def test_what_cannot_be_tuned_is_named() -> None:
    with pytest.raises(ScenarioError, match=r"markpu.*did you mean 'markup'"):
        TunedRule("markpu")  # type: ignore[arg-type]


def test_opponents_are_a_name_of_their_own() -> None:
    assert list(_lineup(["dqn", "opponents", "truthful"])) == ["dqn", *OPPONENTS[1:], "truthful"]
