"""Multi-objective DQN on a task whose Pareto front is known exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gridmarl.learning.device import repeatable
from gridmarl.learning.judging.front import Front, read_front, simplex_grid
from gridmarl.learning.recipe import parse_recipe
from gridmarl.learning.trainer import Training
from gridmarl.units import Float, Int
from tests.learning.treasure import CONCAVE, CONVEX, DIVES, SETTINGS, SeaTask, front

CLEAR = 0.04
"""Scaled return by which a preference must tell the best dive from the second best to be asked for it."""


def learned(treasures: Float, folder: Path, **settings: object) -> Front:
    recipe = parse_recipe({"algorithm": "multi_objective", **SETTINGS, **settings}, "treasure")
    with repeatable(recipe):
        Training(recipe, SeaTask(treasures), folder).run()
    return read_front(folder)


def weighed(treasures: Float, preferences: Float, discount: float) -> Float:
    """What each dive is worth to each preference, scaled, (preference, column)."""
    return preferences @ (front(treasures, discount) / [treasures.max(), DIVES.max()]).T


def hull(treasures: Float, discount: float = 1.0) -> list[int]:
    """Columns whose treasure is the best for some preference: the corners of the front's convex hull."""
    best = weighed(treasures, simplex_grid(2, 10_000), discount).argmax(1)
    return np.unique(best).tolist()


def asked(treasures: Float, found: Front, discount: float) -> tuple[Int, Int]:
    """Numbers of the points whose preference says clearly what it wants, and which column that is."""
    preferences = np.array([point.preference for point in found.points])
    worth = np.sort(weighed(treasures, preferences, discount), axis=1)
    clear = (worth[:, -1] - worth[:, -2] >= CLEAR) & (preferences[:, 1] > 0)  # where time is free, nobody need hurry
    which = np.flatnonzero(clear)
    return which, weighed(treasures, preferences, discount).argmax(1)[which]


def test_weighted_sums_see_the_two_ends_of_the_concave_front_and_every_corner_of_the_convex_one() -> None:
    """In the convex sea 20.3 after 14 steps lies on the edge from 19.6 after 13 to 22.4 after 17: 0.7 a step."""
    assert hull(CONCAVE) == hull(CONCAVE, 0.98) == [0, 9]  # (1, -1) and (124, -19)
    assert hull(CONVEX) == [0, 1, 2, 3, 4, 5, 6, 8, 9]


def test_nobody_gets_a_treasure_sooner_than_the_front_says() -> None:
    """Right along the surface and straight down takes as many steps as the front says; no way is shorter."""
    sea = SeaTask().make(1, "train")
    for column, steps in enumerate(DIVES.tolist()):
        sea.reset(0)
        moves = [3] * column + [1] * (steps - column)
        ends = [sea.step({"diver": np.array([[move]])}) for move in moves]
        assert [bool(end.terminated[0]) for end in ends] == [False] * (steps - 1) + [True]
        total = sum(end.rewards["diver"][0, 0] * sea.groups["diver"].scale[0] for end in ends)
        np.testing.assert_allclose(total, front(CONCAVE)[column], rtol=1e-5)


def test_one_network_reaches_both_ends_of_the_concave_front_as_the_preference_asks(tmp_path: Path) -> None:
    found = learned(CONCAVE, tmp_path)
    which, column = asked(CONCAVE, found, 0.98)
    assert set(column.tolist()) == {0, 9}
    assert len(which) >= 18  # of 21 preferences
    returns = np.array([found.points[i].returns for i in which])
    np.testing.assert_allclose(returns, front(CONCAVE)[column], rtol=1e-5)
    kept = [point for point in found.points if point.on_front]
    assert {tuple(np.round(point.returns, 3).tolist()) for point in kept} == {(1.0, -1.0), (124.0, -19.0)}
    by_hand = 1.0 * 6 / 19 + 1 / 124 * 18 / 19  # above (0, -25): the deep dive's rectangle and the strip of the first
    assert found.hypervolume == pytest.approx(by_hand, rel=1e-4)
