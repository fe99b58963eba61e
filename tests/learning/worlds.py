"""A market whose best price is known by trying all twenty, and a recipe that learns it in a second."""

from __future__ import annotations

from gridmarl.learning.recipe import Recipe
from gridmarl.scenario.scenario import Scenario

BEST_ACTION = 8
"""95.79 $/MWh is the highest price of the grid below the rival's 100."""
BEST_PROFIT = (20 + BEST_ACTION * 180 / 19 - 30) * 30 * 8
"""Price less cost, times 30 MW, times 8 hours."""


def duopoly_world() -> Scenario:
    """30 MW of flat demand: the cheap unit sells them at its own price below 100 $/MWh, and nothing above."""
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


def quick_recipe() -> Recipe:
    """Enough to learn the duopoly: one interval has nothing to do with the next."""
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
