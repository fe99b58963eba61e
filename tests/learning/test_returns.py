from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from gridmarl.agents.agent import Information, Sees
from gridmarl.agents.rules import Rule, ZeroIntelligence
from gridmarl.agents.seats import Seats
from gridmarl.agents.team import Team, load_team
from gridmarl.evaluation.rollout import rollout
from gridmarl.learning.fixed.returns import episode_profits
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import Float, Float32

MONEY = 1e-9
"""Relative tolerance: the same numbers added in another order."""


class OneAtATime:
    """A truthful player that cannot play several environments at once."""

    information: Information = "public"
    sees: Sees = "own"

    def __init__(self) -> None:
        self.codecs: Mapping[str, str] = {"generator": "markup"}

    def begin(self, seats: Seats, seed: int) -> None:
        pass

    def act(self, observations: Mapping[str, Float32]) -> dict[str, Float]:
        return {seat: np.ones(1) for seat in observations}

    def save(self, folder: Path) -> None:
        raise NotImplementedError


@pytest.fixture(scope="module")
def morning() -> Scenario:
    return Scenario.load("auction").but(intervals=24)


def test_episodes_side_by_side_earn_what_each_earns_alone(morning: Scenario) -> None:
    seats, seeds = ("coal_1", "gas_1"), (3, 11)
    together = episode_profits(morning, load_team("truthful"), seats, "test", seeds)
    for row, seed in enumerate(seeds):
        alone = rollout(morning, "truthful", seed=seed, split="test")
        expected = [alone.of_seat(seat, "reward").sum() for seat in seats]
        np.testing.assert_allclose(together[row], expected, rtol=MONEY)
    assert together[0, 0] != together[1, 0]


def test_players_that_cannot_play_side_by_side_play_one_after_the_other(morning: Scenario) -> None:
    rest = {"storage": Rule("threshold"), "consumer": Rule("truthful")}
    slow = episode_profits(morning, Team({"generator": OneAtATime(), **rest}), ("coal_1",), "select", (1, 2))
    fast = episode_profits(morning, Team({"generator": Rule("truthful"), **rest}), ("coal_1",), "select", (1, 2))
    np.testing.assert_allclose(slow, fast, rtol=MONEY)


def test_splits_draw_other_days(morning: Scenario) -> None:
    team = Team({"generator": ZeroIntelligence(), "storage": Rule("idle"), "consumer": Rule("idle")})
    earned = [episode_profits(morning, team, ("coal_1",), split, (1,))[0, 0] for split in ("train", "select", "test")]
    assert len(set(earned)) == 3
