"""Features know what was known at the gate closure, and nothing later."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridmarl.errors import DataError
from gridmarl.forecasting.days import days_of
from gridmarl.forecasting.features import HISTORY_DAYS, Gate, build_design
from tests.forecasting.conftest import MONDAY

DAYS, STEPS = 40, 8
GATES = (Gate(), Gate(10.0, published=False), Gate(24.0, published=False), Gate(1.0, published=False))


def series(seed: int = 1):
    return days_of(np.random.default_rng(seed).normal(50.0, 10.0, (DAYS, STEPS)), MONDAY)


def known_at(gate: Gate, day: int) -> np.ndarray:
    """Which values were known when the gate for this day closed, said in hours rather than in lags."""
    end_h = 24.0 * np.arange(DAYS)[:, None] + (np.arange(STEPS) + 1) * 24.0 / STEPS
    closes_h = 24.0 * (day - 1) + gate.closes_h
    return (np.arange(DAYS)[:, None] < day) & np.ones(STEPS, dtype=bool) if gate.published else end_h <= closes_h


@given(
    st.sampled_from(GATES),
    st.integers(HISTORY_DAYS, DAYS - 1),
    st.floats(-1e4, 1e4, allow_nan=False),
    st.integers(0, 2**32 - 1),
)
def test_nothing_after_the_gate_closure_is_seen(gate: Gate, day: int, wild: float, seed: int):
    before = series()
    later = ~known_at(gate, day)
    changed = before.values.copy()
    changed[later] = wild + np.random.default_rng(seed).normal(0.0, 100.0, int(later.sum()))
    one, two = build_design(before, gate), build_design(days_of(changed, MONDAY), gate)
    row = day - HISTORY_DAYS
    for name in ("features", "level", "spread"):
        assert np.array_equal(getattr(one, name)[: row + 1], getattr(two, name)[: row + 1]), name


@pytest.mark.parametrize("gate", GATES)
def test_the_last_known_value_is_seen(gate: Gate):
    before, day = series(), 20
    place = tuple(np.argwhere(known_at(gate, day))[-1])
    changed = before.values.copy()
    changed[place] += 30.0
    one, two = build_design(before, gate), build_design(days_of(changed, MONDAY), gate)
    assert not np.array_equal(one.features[day - HISTORY_DAYS], two.features[day - HISTORY_DAYS])


def test_forecasts_known_a_day_ahead_are_seen_for_the_day_itself_and_no_later():
    load, day = series(2), 25
    changed = load.values.copy()
    changed[day + 1 :] *= 3.0
    one, two = (build_design(series(), Gate(), [k]) for k in (load, days_of(changed, MONDAY)))
    row = day - HISTORY_DAYS
    assert np.array_equal(one.features[: row + 1], two.features[: row + 1])
    changed[day] *= 3.0
    three = build_design(series(), Gate(), [days_of(changed, MONDAY)])
    assert not np.array_equal(one.features[row], three.features[row])


def test_metered_values_after_the_gate_are_two_days_old():
    assert Gate(12.0, published=False).latest(4).tolist() == [1, 1, 2, 2]
    assert Gate(11.9, published=False).latest(4).tolist() == [1, 2, 2, 2]
    assert Gate(12.0).latest(4).tolist() == [1, 1, 1, 1]


def test_lags_are_the_values_of_their_days():
    shown = series()
    design = build_design(shown, Gate())
    for name, days in (("latest", 1), ("last_week", 7)):
        lag = design.level + design.spread * design.features[:, :, design.names.index(name)]
        np.testing.assert_allclose(lag, shown.values[HISTORY_DAYS - days : DAYS - days], rtol=1e-12)
    np.testing.assert_allclose(
        design.level + design.spread * design.target, shown.values[HISTORY_DAYS:], rtol=1e-12, atol=1e-9
    )


def test_the_calendar_names_the_weekday():
    design = build_design(series(), Gate())
    sundays = design.features[:, 0, design.names.index("sunday")]
    assert np.flatnonzero(sundays).tolist() == [i for i in range(DAYS - HISTORY_DAYS) if (i + HISTORY_DAYS) % 7 == 6]


def test_a_series_that_never_moves_has_finite_features():
    design = build_design(days_of(np.full((DAYS, STEPS), 5.0), MONDAY), Gate())
    assert np.isfinite(design.features).all()
    assert np.all(design.target == 0.0)


@pytest.mark.parametrize("closes_h", [0.0, -1.0, 25.0, np.nan])
def test_a_gate_closes_within_a_day(closes_h: float):
    with pytest.raises(DataError, match="closes_h"):
        Gate(closes_h)


def test_too_few_days_and_foreign_known_forecasts_are_refused():
    with pytest.raises(DataError, match="days of the series: got 10"):
        build_design(days_of(np.ones((10, 4)), MONDAY), Gate())
    with pytest.raises(DataError, match="known forecasts"):
        build_design(series(), Gate(), [days_of(np.ones((DAYS - 1, STEPS)), MONDAY)])
