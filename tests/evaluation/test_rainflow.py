"""Rainflow counting against the published example, cases by hand and a second way of counting."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridmarl.errors import DataError
from gridmarl.evaluation.rainflow import battery_wear, count_cycles, cycle_damage, turning_points

EXACT = 1e-12
PRICE, CAPACITY = 30.0, 100.0
PATHS = st.lists(st.integers(0, 20), min_size=1, max_size=60)


def counted(soc: list[float]) -> dict[float, float]:
    """Cycles by depth."""
    depth, _, count = count_cycles(np.array(soc, dtype=float))
    total: defaultdict[float, float] = defaultdict(float)
    for d, n in zip(depth.tolist(), count.tolist(), strict=True):
        total[d] += n
    return dict(total)


def four_point(soc: list[int]) -> dict[float, float]:
    """The four-point method (Amzallag et al. 1994): take out inner swings, then count the residue as half cycles."""
    total: defaultdict[float, float] = defaultdict(float)
    turns: list[float] = []
    for point in turning_points(np.array(soc, dtype=float)).tolist():
        turns.append(point)
        while len(turns) > 3:
            before, inner, after = np.abs(np.diff(turns[-4:])).tolist()
            if inner > before or inner > after:
                break
            total[inner] += 1.0
            del turns[-3:-1]
    for swing in np.abs(np.diff(turns)).tolist():
        total[swing] += 0.5
    return dict(total)


def damage(soc: list[float], exponent: float = 2.0) -> float:
    return cycle_damage(np.array(soc, dtype=float), CAPACITY, PRICE, exponent)


def test_the_standards_example_counts_as_published() -> None:
    # ASTM E1049-85, figure 6: path A to I and the table of its cycles.
    path = [-2.0, 1.0, -3.0, 5.0, -1.0, 3.0, -4.0, 4.0, -2.0]
    assert counted(path) == {3: 0.5, 4: 1.5, 6: 0.5, 8: 1.0, 9: 0.5}
    depth, mean, count = count_cycles(np.array(path))
    full = count == 1.0
    assert (depth[full].tolist(), mean[full].tolist()) == ([4.0], [1.0])  # the pair E-F between -1 and 3


@pytest.mark.parametrize(
    "path, cycles",
    [
        ([0.5], {}),
        ([0.5, 0.5, 0.5], {}),
        ([0, 4], {4: 0.5}),
        ([0, 4, 0], {4: 1.0}),
        ([0, 4, 0, 4, 0], {4: 2.0}),
        ([0, 8, 4, 6, 0], {8: 1.0, 2: 1.0}),
        ([0, 8, 2, 4, 3], {8: 0.5, 6: 0.5, 2: 0.5, 1: 0.5}),
    ],
    ids=["a point", "a rest", "a half", "one", "two", "one nested", "all open"],
)
def test_cycles_by_hand(path: list[float], cycles: dict[float, float]) -> None:
    assert counted(path) == cycles


@given(PATHS)
def test_two_methods_of_counting_agree(path: list[int]) -> None:
    assert counted([float(p) for p in path]) == four_point(path)


@given(PATHS)
def test_the_ranges_of_all_half_cycles_add_up_to_the_way_travelled(path: list[int]) -> None:
    depth, _, count = count_cycles(np.array(path, dtype=float))
    assert 2 * float(depth @ count) == np.abs(np.diff(path)).sum()


@given(PATHS, st.data())
def test_rests_and_points_on_the_way_change_nothing(path: list[int], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(path) - 1))
    rested = [*path[: at + 1], path[at], *path[at + 1 :]]
    halfway = [*path[: at + 1], *((path[at] + p) / 2 for p in path[at + 1 : at + 2]), *path[at + 1 :]]
    assert counted([float(p) for p in path]) == counted([float(p) for p in rested]) == counted(halfway)


@given(PATHS, st.integers(0, 20), st.floats(1, 4))
def test_a_longer_path_never_wears_less(path: list[int], point: int, exponent: float) -> None:
    soc = [p / 20 for p in path]
    assert damage([*soc, point / 20], exponent) >= damage(soc, exponent) - EXACT


def test_a_full_depth_cycle_costs_its_price_and_a_shallow_one_less_than_its_share() -> None:
    assert damage([0, 1, 0]) == pytest.approx(PRICE * CAPACITY, abs=EXACT)
    assert damage([0, 1]) == pytest.approx(PRICE * CAPACITY / 2, abs=EXACT)
    assert damage([0, 0.5, 0], 2.0) == pytest.approx(PRICE * CAPACITY / 4, abs=EXACT)
    assert damage([0, 0.5, 0], 1.0) == pytest.approx(PRICE * CAPACITY / 2, abs=EXACT)


def test_the_report_holds_throughput_damage_depths_and_the_deepest() -> None:
    wear = battery_wear(np.array([0.5, 0.2, 0.9, 0.6, 0.8, 0.1]), CAPACITY, PRICE, 2.0)
    assert wear.equivalent_cycles == pytest.approx((0.3 + 0.7 + 0.3 + 0.2 + 0.7) / 2, abs=EXACT)
    # Half cycles 0.5-0.2 and 0.2-0.9, one full 0.6-0.8 within the half cycle 0.9-0.1.
    assert wear.damage == pytest.approx(PRICE * CAPACITY * (0.09 / 2 + 0.49 / 2 + 0.04 + 0.64 / 2), abs=1e-9)
    assert wear.deepest == pytest.approx(0.8, abs=EXACT)
    assert wear.cycles.tolist() == [0, 0, 1.0, 0.5, 0, 0, 0, 0.5, 0.5, 0]
    assert len(wear.edges) == len(wear.cycles) + 1


def test_a_battery_at_rest_wears_nothing() -> None:
    wear = battery_wear(np.full(96, 0.5), CAPACITY, PRICE, 2.0)
    assert (wear.equivalent_cycles, wear.damage, wear.deepest, wear.cycles.sum()) == (0, 0, 0, 0)


@pytest.mark.parametrize("path", [np.array([0.5, np.nan, 0.2]), np.ones((2, 3))], ids=["a gap", "two rows"])
def test_a_path_with_gaps_or_two_rows_is_refused(path: np.ndarray) -> None:
    with pytest.raises(DataError, match="path to count cycles of"):
        count_cycles(path)
