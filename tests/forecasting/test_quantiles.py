"""Quantile models do not cross, find what is there, and refuse what they cannot do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmarl.errors import DataError
from gridmarl.forecasting import quantiles as module
from gridmarl.forecasting.features import Design, Gate, build_design
from gridmarl.forecasting.naive import Naive, fit_naive
from gridmarl.forecasting.quantiles import check_levels, combine, fit_quantiles
from gridmarl.forecasting.scores import pinball

THREE = np.array([0.05, 0.5, 0.95])


def exponential(days: int, seed: int) -> Design:
    """A target 2 x + (1 + x) E with E exponential: its quantiles are 2 x - (1 + x) log(1 - τ). The feature is 4 x."""
    rng = np.random.default_rng(seed)
    x = rng.random((days, 2))
    target = 2 * x + (1 + x) * rng.exponential(size=(days, 2))
    return Design(
        4.0 * x[:, :, None], ("x",), target, np.zeros((days, 2)), np.ones((days, 2)), np.ones((days, 2), dtype=bool)
    )


@pytest.mark.parametrize("kind", ["linear", "boosted", "lightgbm"])
def test_each_kind_finds_quantiles_that_spread_with_a_feature(kind):
    if kind == "lightgbm":
        pytest.importorskip("lightgbm")
    model = fit_quantiles(kind, exponential(1500, 0), THREE)
    new = exponential(1500, 1)
    x = new.features[:, :, 0, None] / 4.0
    best = 2 * x - (1 + x) * np.log1p(-THREE)
    found = combine([model], new)
    lost = pinball(found, new.target, THREE).mean() / pinball(best, new.target, THREE).mean()
    assert lost < 1.05
    below = np.mean(new.target[:, :, None] < found, axis=(0, 1))
    np.testing.assert_allclose(below, THREE, atol=0.04)
    wide, narrow = (found[x[:, :, 0] > 0.8], found[x[:, :, 0] < 0.2])
    width = float(np.mean(wide[:, 2] - wide[:, 0]) / np.mean(narrow[:, 2] - narrow[:, 0]))
    assert width == pytest.approx(1.9 / 1.1, rel=0.2)


@settings(max_examples=10)
@given(st.integers(0, 1000))
def test_quantiles_do_not_cross(seed):
    design = exponential(30, seed)
    levels = np.array([0.3, 0.4, 0.5, 0.6, 0.7])
    models = [fit_quantiles("linear", design, levels), fit_quantiles("boosted", design, levels)]
    assert np.all(np.diff(combine(models, exponential(40, seed + 1)), axis=2) >= 0.0)


def test_what_is_not_measured_is_not_learned_from(made_up):
    design = build_design(made_up(80), Gate())
    gap = design.measured.copy()
    gap[20, 3] = False
    target = design.target.copy()
    target[20, 3] = 1e6
    spoilt = Design(design.features, design.names, target, design.level, design.spread, gap)
    whole = Design(design.features, design.names, design.target, design.level, design.spread, gap)
    for kind in ("linear", "boosted"):
        one, two = (fit_quantiles(kind, some, THREE).predict(design) for some in (spoilt, whole))
        assert np.array_equal(one, two)
    assert np.array_equal(fit_naive("yesterday", spoilt, THREE).error, fit_naive("yesterday", whole, THREE).error)


def test_naive_forecasts_are_lags_with_the_errors_they_made(made_up):
    series = made_up(60)
    design = build_design(series, Gate())
    lags: tuple[tuple[Naive, int], ...] = (("yesterday", 1), ("last week", 7))
    for name, days in lags:
        found = fit_naive(name, design, THREE).predict(design)
        lag = series.values[10 - days : 60 - days]
        np.testing.assert_allclose(design.level + design.spread * found[:, :, 1], lag, rtol=1e-9)
        inside = (design.target >= found[:, :, 0]) & (design.target <= found[:, :, 2])
        assert 0.8 < inside.mean() < 0.97


def test_a_kind_that_does_not_exist_or_is_not_installed_is_refused(monkeypatch, made_up):
    design = build_design(made_up(30), Gate())
    with pytest.raises(DataError, match="did you mean 'boosted'"):
        fit_quantiles("bosted", design)  # pyright: ignore[reportArgumentType]
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"gridmarl\[lightgbm\]"):
        fit_quantiles("lightgbm", design)
    with pytest.raises(DataError, match="naive forecast"):
        fit_naive("tomorrow", design)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    "levels", [[], [0.1, 0.9], [0.0, 0.5, 1.0], [0.5, 0.1, 0.9], [0.1, 0.5, 0.8], [0.1, np.nan, 0.9]]
)
def test_levels_out_of_order_are_refused(levels):
    with pytest.raises(DataError, match="quantile levels"):
        check_levels(np.array(levels))


def test_progress_is_told_once_a_level(made_up):
    told: list[int] = []
    fit_quantiles("linear", build_design(made_up(40), Gate()), THREE, progress=told.append)
    assert told == [1, 1, 1]
