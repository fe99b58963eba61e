"""A market whose best price is known by trying all twenty, and a recipe that learns it in seconds."""

from __future__ import annotations

import pytest

from gridmarl.learning.recipe import Recipe
from gridmarl.scenario.scenario import Scenario


@pytest.fixture(scope="session")
def duopoly() -> Scenario:
    """60 MW of flat demand; a cheap unit of 40 MW that learns, and a rival of 100 MW at $100/MWh.

    The rival is always marginal or just below it, so the cheap unit sells 40 MW at any price under $100 and 0 MW above:
    its best price of the grid is the highest below the rival's, yet all below earn the same, for the rival sets the price.
    With 30 MW of demand it would set the price itself; so demand is 30 MW.
    """
    return Scenario.parse(
        {
            "name": "duopoly",
            "interval_min": 60,
            "intervals": 8,
            "profiles": {"demand": {"shape": "constant"}},
            "generators": [
                {"name": "cheap", "capacity_mw": 40, "cost_per_mwh": 30},
                {"name": "rival", "capacity_mw": 100, "cost_per_mwh": 100},
            ],
            "consumers": [{"name": "town", "load_mw": 30}],
        },
        "duopoly",
    )


@pytest.fixture(scope="session")
def quick() -> Recipe:
    """Learns `duopoly` in a few seconds."""
    return Recipe.parse(
        {
            "seats": "cheap",
            "num_envs": 16,
            "steps": 600,
            "hidden": [32, 32],
            "discount": 0.0,
            "batch_size": 64,
            "learn_from": 500,
            "epsilon_steps": 300,
            "target_every": 50,
            "evaluate_every": 200,
            "select_seeds": 4,
            "test_seeds": 4,
        },
        "quick",
    )
