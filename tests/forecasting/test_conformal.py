"""Conformal bands cover what they say, today and after the world has changed, without a look ahead."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridmarl.errors import DataError
from gridmarl.forecasting.conformal import Adaptation, adapt, conformalise, margin
from gridmarl.forecasting.scores import coverage

LEVELS = np.array([0.05, 0.5, 0.95])
STEPS = 24


def too_narrow(truth: np.ndarray) -> np.ndarray:
    """A forecast that calls everything -0.1, 0 and 0.1."""
    return np.broadcast_to(np.array([-0.1, 0.0, 0.1]), (*truth.shape, 3))


def noise(days: int, seed: int, size: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, size, (days, STEPS))


def test_the_margin_is_an_order_statistic():
    scores = np.arange(1.0, 20.0)  # 1 to 19
    assert margin(scores, 0.05) == 19.0  # ceil(0.95 x 20) = 19
    assert margin(scores, 0.5) == 10.0
    assert margin(scores, 0.04) == 19.0  # rank 20 of 19: the largest there is
    assert margin(scores, 1.2) == 1.0
    assert margin(scores, -0.3) == 19.0


@given(st.integers(20, 200), st.floats(0.05, 0.5), st.integers(0, 2**31))
def test_of_exchangeable_scores_one_more_exceeds_the_margin_as_rarely_as_asked(count, miss, seed):
    scores = np.random.default_rng(seed).normal(size=count + 1)
    left_out = [scores[i] > margin(np.delete(scores, i), miss) for i in range(count + 1)]
    assert np.mean(left_out) <= miss + 1e-12


def test_conformalised_bands_cover_what_they_say():
    known, new = noise(100, 1), noise(400, 2)
    found = conformalise(too_narrow(new), too_narrow(known), known, LEVELS)
    assert coverage(too_narrow(new)[..., 0], too_narrow(new)[..., 2], new) < 0.1
    assert coverage(found[..., 0], found[..., 2], new) == pytest.approx(0.9, abs=0.02)
    assert np.all(found[..., 1] == 0.0)


def test_adaptation_keeps_covering_when_the_noise_grows_fivefold():
    truth = np.concatenate([noise(60, 3), noise(60, 4), noise(150, 5, 5.0)])
    forecast, changed = too_narrow(truth), slice(60, None)
    static = conformalise(forecast[60:], forecast[:60], truth[:60], LEVELS)
    adapted = adapt(forecast, truth, LEVELS, 60, Adaptation())
    assert coverage(static[..., 0], static[..., 2], truth[changed]) < 0.6
    assert coverage(adapted[..., 0], adapted[..., 2], truth[changed]) == pytest.approx(0.9, abs=0.02)


def test_a_rate_repairs_what_a_window_alone_lags_behind():
    growing = np.random.default_rng(6).normal(size=(300, STEPS)) * 1.02 ** np.arange(300)[:, None]
    forecast = too_narrow(growing)
    found = {rate: adapt(forecast, growing, LEVELS, 60, Adaptation(rate=rate)) for rate in (0.0, 0.03)}
    missed = {rate: abs(0.9 - coverage(q[..., 0], q[..., 2], growing[60:])) for rate, q in found.items()}
    assert missed[0.03] < 0.5 * missed[0.0]


@given(st.integers(30, 59), st.integers(1, 3), st.floats(-50.0, 50.0))
def test_a_day_is_calibrated_without_its_own_truth_or_any_later_one(day, delay, wild):
    truth = noise(60, 7)
    changed = truth.copy()
    changed[day - delay + 1 :] = wild
    how = Adaptation(delay_days=delay)
    one, two = (adapt(too_narrow(t), t, LEVELS, 25, how) for t in (truth, changed))
    assert np.array_equal(one[: day - 25 + 1], two[: day - 25 + 1])


def test_the_newest_known_day_is_used():
    truth, changed = noise(60, 8), noise(60, 8)
    changed[48] = 50.0
    one, two = (adapt(too_narrow(t), t, LEVELS, 25, Adaptation(delay_days=2)) for t in (truth, changed))
    assert not np.array_equal(one[50 - 25], two[50 - 25])


def test_days_without_a_measured_value_change_nothing_but_the_window():
    truth = noise(60, 9)
    truth[40] = np.nan
    found = adapt(too_narrow(truth), truth, LEVELS, 25, Adaptation())
    assert np.isfinite(found).all()


def test_what_cannot_be_calibrated_is_refused():
    with pytest.raises(DataError, match="scores to calibrate with"):
        margin(np.array([]), 0.1)
    with pytest.raises(DataError, match="days to calibrate with"):
        adapt(too_narrow(noise(5, 1)), noise(5, 1), LEVELS, 0, Adaptation())
    for wrong in ({"window_days": 0}, {"delay_days": 0}, {"rate": -0.1}, {"rate": float("nan")}):
        with pytest.raises(DataError, match="adaptation"):
            Adaptation(**wrong)  # pyright: ignore[reportArgumentType]
