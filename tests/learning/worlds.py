"""A market whose best price is known by trying all twenty, and a recipe that learns it in a second."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gridmarl.learning.interface import ActionSpec, GroupSpec
from gridmarl.learning.memory.replay import Transitions
from gridmarl.learning.recipe import Recipe, parse_recipe
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
    return parse_recipe(
        {
            "seats": "cheap",
            "num_envs": 16,
            "steps": 9_600,
            "hidden": [32, 32],
            "discount": 0.0,
            "learn_from": 500,
            "learn_every": 16,
            "epsilon_steps": 4_800,
            "target_every": 50,
            "evaluate_every": 3_200,
            "checkpoint_every": 3_200,
            "select_seeds": 4,
            "test_seeds": 4,
        },
        "quick",
    )


def group(seats: int = 3, fields: int = 64, choices: int = 20) -> GroupSpec:
    """Seats that choose among actions."""
    names = tuple(f"seat_{number}" for number in range(seats))
    return GroupSpec("generator", names, fields, ActionSpec(choices=choices), np.ones(seats))


def random_batch(rows: int = 8, seats: int = 3, fields: int = 64, choices: int = 20) -> Transitions:
    """Transitions of :func:`group`, of noise."""
    rng = np.random.default_rng(3)
    s = rng.normal(size=(rows, seats, fields)).astype(np.float32)
    a = rng.integers(0, choices, (rows, seats)).astype(np.float32)
    r = rng.normal(size=(rows, seats)).astype(np.float32)
    nothing = np.zeros((rows, 0), np.float32)
    return Transitions(
        {"generator": s},
        {"generator": a},
        {"generator": r},
        {"generator": s[::-1].copy()},
        np.full(rows, 0.9, np.float32),
        nothing,
        nothing,
        np.arange(rows),
    )


MARKET_ROLES: Mapping[str, Mapping[str, object]] = {
    "generator": {"algorithm": "dqn", "discount": 0.5, "hidden": [16], "target_every": 5, "epsilon_steps": 200},
    "storage": {"algorithm": "actor_critic", "kind": "sac", "discount": 0.99, "hidden": [16], "random_steps": 40},
    "consumer": {"algorithm": "maddpg", "discount": 0.8, "hidden": [16], "critic_hidden": [16]},
    "operator": {"algorithm": "multi_objective", "hidden": [16], "target_every": 5, "epsilon_steps": 200},
}
"""A small learner for each role of the auction."""


def market_settings() -> dict[str, object]:
    """A market of all roles that learns for a moment."""
    return {
        "algorithm": "market",
        "roles": {role: {**settings} for role, settings in MARKET_ROLES.items()},
        "num_envs": 4,
        "steps": 240,
        "learn_from": 40,
        "learn_every": 4,
        "batch_size": 8,
        "replay_size": 100,
        "evaluate_every": 120,
        "checkpoint_every": 80,
        "select_seeds": 2,
        "test_seeds": 2,
        "pool_size": 2,
        "snapshot_every": 80,
        "rival_episodes": 2,
        "rival_seats": 1,
    }


def all_roles(**changes: object) -> Recipe:
    """The same as a recipe."""
    return parse_recipe({**market_settings(), **changes}, "market")
