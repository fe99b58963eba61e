"""What each learning seat would gain by one other action, and the pair that a training keeps for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gridmarl.agents.cards import read_card
from gridmarl.agents.make import vector_env
from gridmarl.environment.codecs import GRID_PRICES
from gridmarl.errors import TrainingError
from gridmarl.learning.adapters import Markets
from gridmarl.learning.deviations import EXPLOITABILITY, best_deviations, mean_gain
from gridmarl.learning.interface import ByGroup
from gridmarl.learning.trainer import train
from gridmarl.units import Float32, Int


class Stubborn:
    """Always chooses the same actions, one for each seat."""

    def __init__(self, *actions: int) -> None:
        self.actions = np.array(actions)

    def act(self, observations: ByGroup, rng: np.random.Generator, explore: bool) -> dict[str, Float32 | Int]:
        return {name: np.tile(self.actions, (len(seen), 1)) for name, seen in observations.items()}


def markets(name: str = "duopoly-low", seats: str = "generator") -> Markets:
    return Markets(vector_env(name, 2, seats=seats, others="truthful", split="select"))


def test_a_seat_below_its_rival_gains_by_asking_almost_as_much() -> None:
    found = best_deviations(Stubborn(3, 12), markets(), 0)
    assert found["cheap"].action == 11
    assert found["cheap"].earned == pytest.approx((GRID_PRICES[3] - 30) * 60, rel=1e-5)
    assert found["cheap"].gain == pytest.approx((GRID_PRICES[11] - GRID_PRICES[3]) * 60, rel=1e-5)
    assert found["dear"].gain == 0.0, "below the other's offer it would sell at a loss"
    assert mean_gain(found) == pytest.approx(found["cheap"].gain / (100 * 100) / 2)


def test_in_an_equilibrium_nobody_gains_anything() -> None:
    assert mean_gain(best_deviations(Stubborn(8, 9), markets(), 0)) == 0.0
    assert mean_gain(best_deviations(Stubborn(2, 19), markets("duopoly-pivotal"), 0)) == 0.0


def test_only_choices_can_be_tried() -> None:
    with pytest.raises(TrainingError, match="choose: best"):
        best_deviations(Stubborn(0), markets(seats="consumer"), 0)


def test_the_last_of_the_least_exploitable_is_kept(tmp_path: Path) -> None:
    changes: dict[str, Any] = {"steps": 3_200, "epsilon_steps": 1_600, "evaluate_every": 640, "checkpoint_every": 3_200}
    card = read_card(train("duopoly", out=tmp_path / "pair", progress=False, **changes) / "policy.json")
    gains = {point.step: point.metrics[EXPLOITABILITY] for point in card.curve}
    assert len(gains) == 5
    assert card.chosen_step == max(step for step, gain in gains.items() if gain == min(gains.values()))
    assert all(gain >= 0.0 for gain in gains.values())
