"""Resampling: hand-computed cases, energy conserved, round trips, refusals."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridmarl.data.columns import Kind
from gridmarl.data.resample import resample
from gridmarl.errors import DataError
from gridmarl.units import BALANCE_TOLERANCE

QUARTER_H, FIVE_MINUTES_H = 0.25, 5.0 / 60.0
# The last digits of a sum depend on its order: a few ulps of the largest value that occurs below (1e4 x 48 values).
ROUNDING = 1e-9

series = st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=48)
pieces = st.integers(1, 12)
kinds = st.sampled_from(get_args(Kind))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("price", [40.0, 40.0, -8.0, -8.0]),
        ("power", [40.0, 40.0, -8.0, -8.0]),
        ("energy", [20.0, 20.0, -4.0, -4.0]),
        ("state", [40.0, 40.0, -8.0, -8.0]),
    ],
)
def test_half_hours_of_two_hours_are_as_computed_by_hand(kind: Kind, expected: list[float]):
    assert resample(np.array([40.0, -8.0]), 1.0, 0.5, kind).tolist() == expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("price", [2.5, -3.0]), ("power", [2.5, -3.0]), ("energy", [10.0, -12.0]), ("state", [1.0, -6.0])],
)
def test_hours_of_eight_quarters_are_as_computed_by_hand(kind: Kind, expected: list[float]):
    quarters = np.array([1.0, 2.0, 3.0, 4.0, -6.0, -4.0, -2.0, 0.0])
    assert resample(quarters, QUARTER_H, 1.0, kind).tolist() == expected


@given(series, pieces)
def test_energy_is_conserved_when_it_is_split(values: list[float], ratio: int):
    split = resample(np.array(values), 1.0, 1.0 / ratio, "energy")
    assert split.size == len(values) * ratio
    assert split.sum() == pytest.approx(sum(values), abs=BALANCE_TOLERANCE * 1e4)


@given(series, pieces)
def test_energy_is_conserved_when_it_is_summed(values: list[float], ratio: int):
    whole = np.tile(values, ratio)
    assert resample(whole, 0.5, 0.5 * ratio, "energy").sum() == pytest.approx(whole.sum(), abs=BALANCE_TOLERANCE * 1e4)


@given(series, pieces)
def test_the_energy_under_a_power_is_conserved_both_ways(values: list[float], ratio: int):
    power_mw = np.tile(values, ratio)
    finer, coarser = resample(power_mw, 1.0, 1.0 / ratio, "power"), resample(power_mw, 1.0, float(ratio), "power")
    assert finer.sum() / ratio == pytest.approx(power_mw.sum(), abs=BALANCE_TOLERANCE * 1e4)
    assert coarser.sum() * ratio == pytest.approx(power_mw.sum(), abs=BALANCE_TOLERANCE * 1e4)


@given(series, pieces, kinds)
def test_splitting_and_joining_again_gives_the_series_back(values: list[float], ratio: int, kind: Kind):
    there = resample(np.array(values), 1.0, 1.0 / ratio, kind)
    np.testing.assert_allclose(resample(there, 1.0 / ratio, 1.0, kind), values, rtol=0.0, atol=ROUNDING)


@given(series, kinds)
def test_the_same_interval_copies(values: list[float], kind: Kind):
    before = np.array(values)
    after = resample(before, QUARTER_H, QUARTER_H, kind)
    assert after.tolist() == values
    assert not np.shares_memory(before, after)


@pytest.mark.parametrize(("from_h", "to_h"), [(1.0, 0.5), (0.5, 1.0), (1.0, 1.0)])
def test_the_input_is_not_mutated(from_h: float, to_h: float):
    values = np.array([3.0, 5.0])
    resample(values, from_h, to_h, "energy")[:] = -1.0
    assert values.tolist() == [3.0, 5.0]


def test_five_minutes_make_an_hour_although_a_twelfth_is_no_binary_fraction():
    assert resample(np.arange(24.0), FIVE_MINUTES_H, 1.0, "power").tolist() == [5.5, 17.5]
    assert resample(np.array([6.0]), 1.0, FIVE_MINUTES_H, "energy").tolist() == [0.5] * 12


@pytest.mark.parametrize(("from_h", "to_h"), [(1.0, 0.4), (0.4, 1.0), (1.0, 1.0 + 1e-6)])
def test_intervals_that_do_not_divide_are_refused(from_h: float, to_h: float):
    with pytest.raises(DataError, match=r"ratio of intervals .* whole number"):
        resample(np.ones(4), from_h, to_h, "power")


@pytest.mark.parametrize("length", [0.0, -1.0, float("nan"), float("inf")])
def test_lengths_that_are_no_lengths_are_refused(length: float):
    with pytest.raises(DataError, match=r"interval_h: got .* finite, > 0"):
        resample(np.ones(4), 1.0, length, "power")


def test_a_part_of_an_interval_is_refused_with_the_count():
    with pytest.raises(DataError, match="number of values to resample: got 5; allowed: a multiple of 4"):
        resample(np.ones(5), QUARTER_H, 1.0, "power")


def test_an_unknown_kind_is_refused_with_a_suggestion():
    with pytest.raises(DataError, match=r"kind: got 'prices'.*did you mean 'price'"):
        resample(np.ones(4), 1.0, 1.0, "prices")  # pyright: ignore[reportArgumentType]  # the mistake under test


def test_two_axes_are_refused():
    with pytest.raises(DataError, match=r"shape: got \(2, 2\)"):
        resample(np.ones((2, 2)), 1.0, 0.5, "power")
