from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gridmarl.agents.agent import Agent, BatchAgent
from gridmarl.agents.function import FunctionAgent
from gridmarl.agents.make import vector_env
from gridmarl.agents.rules import Rule
from gridmarl.agents.team import Team
from gridmarl.environment.compiled.codecs import GRID_PRICES
from gridmarl.errors import ActionError, PolicyError
from gridmarl.evaluation.rollout import rollout
from gridmarl.units import Float32
from tests.learning.worlds import BEST_ACTION, BEST_PROFIT, duopoly_world

MONEY = 1e-6


def best(x: Float32) -> np.ndarray:
    return np.full(len(x), BEST_ACTION)


def test_a_function_bids_what_it_says_and_earns_what_that_earns() -> None:
    agent = FunctionAgent(best, {"generator": "price-grid"}, information="public")
    assert isinstance(agent, Agent)
    assert isinstance(agent, BatchAgent)
    rolled = rollout(duopoly_world(), Team({"cheap": agent, "generator": Rule("truthful")}), seed=0)
    assert rolled.information == "public"
    np.testing.assert_allclose(rolled.of_seat("cheap", "offer_price_per_mwh"), GRID_PRICES[BEST_ACTION])
    assert rolled.of_seat("cheap", "reward").sum() == pytest.approx(BEST_PROFIT, rel=MONEY)


def test_it_plays_many_rows_at_once_and_sees_each() -> None:
    shapes: list[tuple[int, ...]] = []

    def play(x: Float32) -> np.ndarray:
        shapes.append(x.shape)
        return np.full(len(x), BEST_ACTION)

    team = Team({"cheap": FunctionAgent(play, {"generator": "price-grid"})})
    markets = vector_env(duopoly_world(), 3, seats="rival", others=team)
    markets.reset(seed=0)
    markets.step({"generator": np.full((3, 1), 9)})
    assert set(shapes) == {(3, 64)}


def test_actions_that_are_not_one_a_row_are_refused() -> None:
    agent = FunctionAgent(lambda x: 3, {"generator": "price-grid"})
    with pytest.raises(ActionError, match=r"'gas_1', shape: got \(\)"):
        agent.act({"gas_1": np.zeros(64, np.float32)})


def test_it_speaks_for_the_roles_it_names_alone() -> None:
    agent = FunctionAgent(best, {"storage": "power"})
    with pytest.raises(Exception, match="generator 'cheap'"):
        rollout(duopoly_world(), Team({"cheap": agent}), seed=0)


def test_code_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="wrap them again"):
        FunctionAgent(best, {"generator": "price-grid"}).save(tmp_path)
    assert not list(tmp_path.iterdir())
