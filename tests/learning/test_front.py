from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from gridmarl.agents.networks import PreferenceNetwork
from gridmarl.learning.judging.front import (
    Front,
    FrontPoint,
    hypervolume,
    on_front,
    preferring,
    read_front,
    simplex_grid,
    write_front,
)


def test_the_grid_holds_every_preference_of_whole_parts_once() -> None:
    grid = simplex_grid(3, 4)
    assert grid.shape == (15, 3)
    np.testing.assert_allclose(grid.sum(1), 1.0)
    assert len({tuple(row) for row in grid.tolist()}) == 15
    assert set(grid.ravel().tolist()) == {0.0, 0.25, 0.5, 0.75, 1.0}
    assert simplex_grid(2, 2).tolist() == [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]
    assert simplex_grid(1, 3).tolist() == [[1.0]]


def test_points_on_the_front_are_those_that_nothing_dominates() -> None:
    points = np.array([[1.0, 5.0], [2.0, 4.0], [2.0, 3.0], [0.0, 0.0], [3.0, 1.0], [2.0, 4.0]])
    assert on_front(points).tolist() == [True, True, False, False, True, False]  # of equals the first


def test_the_hypervolume_by_hand() -> None:
    """Two rectangles of 3 x 1 and 1 x 3 above (0, 0) share 1 x 1; a box of 2 x 2 x 2 and one of 3 x 1 x 1 share 2."""
    assert hypervolume(np.array([[3.0, 1.0], [1.0, 3.0]]), np.zeros(2)) == pytest.approx(5.0)
    assert hypervolume(np.array([[2.0, 2, 2], [3.0, 1, 1]]), np.zeros(3)) == pytest.approx(9.0)
    assert hypervolume(np.array([[2.0, 2, 2], [2.0, 2, 2]]), np.ones(3)) == pytest.approx(1.0)
    assert hypervolume(np.array([[-1.0, 2.0]]), np.zeros(2)) == pytest.approx(0.0, abs=1e-12)  # beneath the reference


def test_the_hypervolume_is_the_share_of_random_points_that_the_front_dominates() -> None:
    rng = np.random.default_rng(0)
    points, thrown = rng.random((7, 3)), rng.random((200_000, 3))
    share = np.any((points[None] >= thrown[:, None]).all(-1), axis=1).mean()
    assert hypervolume(points, np.zeros(3)) == pytest.approx(share, abs=0.005)


def test_a_dominated_point_adds_nothing() -> None:
    points = np.random.default_rng(1).random((6, 3))
    worse = np.vstack([points, points[:1] * 0.9])
    assert hypervolume(worse, np.zeros(3)) == pytest.approx(hypervolume(points, np.zeros(3)))


def test_a_network_gets_its_own_preference_back() -> None:
    network = PreferenceNetwork((2, 4), 2)
    with preferring(network, np.array([0.9, 0.1])):
        assert network.preference.tolist() == pytest.approx([0.9, 0.1])
    assert network.preference.tolist() == [0.5, 0.5]


def test_what_is_written_is_read_again_and_the_table_has_a_row_for_each_preference(tmp_path: Path) -> None:
    points = tuple(
        FrontPoint(preference=(w, 1 - w), returns=(10 * w, -w), scaled=(w, -w / 10), on_front=w > 0) for w in (1.0, 0.0)
    )
    front = Front(
        objectives=("gain", "time"),
        split="select",
        first_seed=0,
        episodes=4,
        reference=(0.0, -1.0),
        hypervolume=0.9,
        utility=0.5,
        points=points,
    )
    write_front(tmp_path, front)
    assert read_front(tmp_path) == front
    rows = [*csv.DictReader((tmp_path / "front.csv").read_text("utf-8").splitlines())]
    assert [float(row["preference_gain"]) for row in rows] == [1.0, 0.0]
    assert [float(row["time_scaled"]) for row in rows] == [-0.1, 0.0]
    assert [row["on_front"] for row in rows] == ["True", "False"]
