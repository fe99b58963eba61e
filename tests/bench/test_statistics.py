"""Interquartile means and bootstrap intervals: by hand, by what they promise, and by what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import bootstrap

from gridmarl.bench.statistics import estimate, interquartile_mean, paired_difference, stratified_bootstrap
from gridmarl.errors import ScenarioError

EXACT = 1e-12


@pytest.mark.parametrize(
    ("runs", "mean"),
    [
        ([7.0], 7.0),
        ([1.0, 2.0, 9.0], 4.0),  # a quarter of three is less than one run: nothing is cut
        ([100.0, 1.0, 3.0, 2.0], 2.5),
        ([-50.0, 1.0, 2.0, 3.0, 50.0], 2.0),
        ([0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 9.0, 9.0], 2.5),
    ],
)
def test_the_interquartile_mean_is_the_mean_of_the_middle_half(runs, mean):
    assert interquartile_mean(np.array(runs)[:, None]) == pytest.approx(mean, abs=EXACT)


def test_runs_of_all_tasks_are_pooled_before_the_quarters_are_cut():
    scores = np.array([[0.0, 10.0], [1.0, 30.0]])
    assert interquartile_mean(scores) == pytest.approx((1.0 + 10.0) / 2, abs=EXACT)


def test_leading_axes_are_independent_samples():
    scores = np.arange(24.0).reshape(3, 4, 2)
    assert interquartile_mean(scores) == pytest.approx([float(interquartile_mean(part)) for part in scores], abs=EXACT)


def test_each_resample_keeps_every_run_in_its_own_task():
    scores = np.array([[0.0, 100.0], [1.0, 101.0], [2.0, 102.0]])
    samples = stratified_bootstrap(scores, np.random.default_rng(0), lambda drawn: drawn.mean(-2), resamples=200)
    assert samples.shape == (200, 2)
    assert samples[:, 0].max() <= 2.0
    assert samples[:, 1].min() >= 100.0


def test_the_interval_is_that_of_an_independent_implementation():
    runs = np.random.default_rng(1).normal(size=30)
    ours = estimate(runs[:, None], np.random.default_rng(2), lambda drawn: drawn.mean((-2, -1)), resamples=20_000)
    theirs = bootstrap((runs,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(3))
    width = theirs.confidence_interval.high - theirs.confidence_interval.low
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=0.05 * width)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=0.05 * width)


def test_a_95_percent_interval_of_normal_runs_covers_the_truth_about_as_often():
    rng = np.random.default_rng(4)
    found = [estimate(rng.normal(size=(20, 1)), rng, resamples=300) for _ in range(300)]
    covered = np.mean([e.low is not None and e.high is not None and e.low <= 0.0 <= e.high for e in found])
    assert 0.88 <= covered <= 0.98


def test_the_same_generator_gives_the_same_interval():
    scores = np.random.default_rng(5).normal(size=(6, 2))
    assert estimate(scores, np.random.default_rng(6)) == estimate(scores, np.random.default_rng(6))


def test_a_single_run_has_no_interval():
    found = estimate(np.array([[3.0]]), np.random.default_rng(0))
    assert (found.value, found.low, found.high) == (3.0, None, None)


def test_a_paired_difference_is_that_of_the_differences():
    scores, others = np.array([[3.0], [5.0], [100.0], [4.0]]), np.array([[2.0], [3.0], [10.0], [1.0]])
    assert paired_difference(scores, others, np.random.default_rng(0)).value == pytest.approx(2.5, abs=EXACT)


@pytest.mark.parametrize("scores", [np.zeros(3), np.zeros((0, 1)), np.array([[1.0], [np.nan]])])
def test_what_is_no_table_of_numbers_is_refused(scores):
    with pytest.raises(ScenarioError, match="finite numbers"):
        estimate(scores, np.random.default_rng(0))


def test_runs_that_have_no_partner_are_refused():
    with pytest.raises(ScenarioError, match="others' shape"):
        paired_difference(np.zeros((3, 1)), np.zeros((2, 1)), np.random.default_rng(0))
