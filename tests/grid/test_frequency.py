"""The frequency of an island by hand, in closed form, and against an integration of its own in steps of 0.01 s."""

from __future__ import annotations

import os
import subprocess
import sys
from math import atan2, cos, exp, sin, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gridmarl.grid import frequency as fr
from gridmarl.grid.emergency import RECOVERY

EXACT = 1e-9
CLOSED_FORM = 0.01
"""Of the closed form's nadir; the cubic between samples is good to about 0.003."""
REFERENCE, REFERENCE_HZ = 0.01, 1e-3
"""Relative, or absolute where the deviation is small."""
PHASE_HZ = 2e-3
"""At a given moment: a step in which storage leaves its dead band is only of first order."""
REFERENCE_STEP_S = 0.01
NOMINAL, BAND, LOAD_DAMPING, LAG_S, INTEGRAL, SUBSTEP = 50.0, 0.1, 2.4, 4.0, 2.0, 30.0
M, K = 30.0, 60.0
QUIET = np.array([9.0, 9.0, 9.0, 9.0, 0.2, 5, 0.08, 60, 0.1, 30, 60])
"""Thresholds that no deviation in these tests reaches."""
FLOWS = (fr.IMBALANCE_MWS, fr.RESPONSE_MWS, fr.STORAGE_MWS, fr.DAMPING_MWS, fr.SHED_MWS, fr.GENERATION_MWS)


def world(substep_s: float = SUBSTEP, secondary: float = INTEGRAL, **changes: float) -> np.ndarray:
    """Parameters of an island of about 120 MW."""
    columns = {"DAMPING": LOAD_DAMPING, "GOVERNOR_S": LAG_S, "BAND_HZ": BAND, "DEAD_BAND_HZ": BAND} | changes
    parameters = np.zeros(fr.FREQUENCY_COLUMNS)
    parameters[[fr.NOMINAL_HZ, fr.SECONDARY, fr.SUBSTEP_S, fr.INERTIA, fr.DROOP]] = (
        NOMINAL,
        secondary,
        substep_s,
        M,
        K,
    )
    for name, value in columns.items():
        parameters[getattr(fr, name)] = value
    return parameters


def bounds(up: float = 1e3, down: float = 1e3, storage: float = 0.0, storage_droop: float = 0.0) -> np.ndarray:
    limits = np.zeros(fr.LIMIT_COLUMNS)
    limits[[fr.UP_MW, fr.DOWN_MW, fr.STORAGE_UP_MW, fr.STORAGE_DOWN_MW, fr.STORAGE_DROOP]] = (
        up,
        down,
        storage,
        storage,
        storage_droop,
    )
    return limits


def simulate(
    parameters: np.ndarray,
    path: Any,
    *,
    limits: np.ndarray | None = None,
    thresholds: np.ndarray = QUIET,
    inertia: float = M,
    droop: float = K,
    grid: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """One interval: what happened, and the state after it. A state that is given is carried on in place."""
    grid = np.zeros(fr.GRID_STATE) if grid is None else grid
    result = np.full(fr.RESULT_COLUMNS, np.nan)
    table = np.full((fr.TRANSITION_ROWS, fr.TRANSITION_COLUMNS), np.nan)
    limits = bounds() if limits is None else limits
    path = np.asarray(path, dtype=float)
    fr.simulate_interval(parameters, thresholds, table, inertia, droop, limits, path, grid, result)
    return result, grid


def reference(parameters: np.ndarray, path: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Deviations in steps of 0.01 s by the classical Runge-Kutta method, from rest."""
    damping, lag, secondary = parameters[[fr.DAMPING, fr.GOVERNOR_S, fr.SECONDARY]]
    up, down, storage, _, storage_droop = limits[:5]
    dead = parameters[fr.DEAD_BAND_HZ]

    def slope(x: np.ndarray, d: float) -> np.ndarray:
        f, g, s = x
        response = min(max(g + s, -down), up)
        beyond = f - min(max(f, -dead), dead)
        b = min(max(-storage_droop * beyond, -storage), storage)
        held = (g + s >= up and f < 0) or (g + s <= -down and f > 0)
        return np.array([(d + response + b - damping * f) / M, -(g + K * f) / lag, 0.0 if held else -secondary * f])

    steps, h = round(parameters[fr.SUBSTEP_S] / REFERENCE_STEP_S), REFERENCE_STEP_S
    x, seen = np.zeros(3), [0.0]
    for d in path:
        for _ in range(steps):
            k1 = slope(x, d)
            k2 = slope(x + h / 2 * k1, d)
            k3 = slope(x + h / 2 * k2, d)
            x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + slope(x + h * k3, d))
            seen.append(x[0])
    return np.array(seen)


def balance(result: np.ndarray) -> float:
    """What the flows leave unexplained of the change of kinetic energy, of the largest of them."""
    flows = result[list(FLOWS)]
    return float(abs(flows.sum() - result[fr.KINETIC_MWS]) / max(np.abs(flows).max(), 1.0))


def closed_nadir(loss_mw: float, inertia: float, damping: float, droop: float, lag_s: float) -> float:
    """Lowest deviation after a loss, from rest and without secondary control.

    The second-order response of Anderson and Mirheydar (1990), f = f∞ (1 - e^{-σt} (cos ωt + c sin ωt)), starts at the
    slope -loss/M and is lowest where its slope (proportional to (s + 1/Tg) / (s² + 2σ s + σ² + ω²)) first vanishes.
    """
    sigma = (damping / inertia + 1 / lag_s) / 2
    omega = sqrt((droop + damping) / (inertia * lag_s) - sigma**2)
    settled = -loss_mw / (droop + damping)
    c = (sigma + loss_mw / inertia / settled) / omega
    turn = atan2(omega, sigma - 1 / lag_s)
    return settled * (1 - exp(-sigma * turn / omega) * (cos(turn) + c * sin(turn)))


# --- by hand and in closed form


def test_an_island_at_rest_stays_at_rest() -> None:
    grid = np.zeros(fr.GRID_STATE)
    for _ in range(50):
        result, _ = simulate(world(), np.zeros(10), grid=grid)
        assert np.abs(grid).max() < EXACT
        assert result[fr.IN_BAND_S] == pytest.approx(10 * SUBSTEP)


def test_a_schedule_that_is_off_for_good_ends_at_nominal_with_secondary_control() -> None:
    grid = np.zeros(fr.GRID_STATE)
    for _ in range(20):
        simulate(world(), np.full(10, -2.0), grid=grid)
    assert abs(grid[fr.DEVIATION_HZ]) < EXACT
    assert grid[fr.SECONDARY_MW] == pytest.approx(2.0, abs=1e-6)


@pytest.mark.parametrize("loss_mw", [2.0, 12.0])
def test_without_secondary_control_the_deviation_settles_at_loss_over_droop_and_damping(loss_mw: float) -> None:
    _, grid = simulate(world(secondary=0.0), np.full(10, -loss_mw))
    assert grid[fr.DEVIATION_HZ] == pytest.approx(-loss_mw / (LOAD_DAMPING + K), rel=1e-6)


@pytest.mark.parametrize("loss_mw", [2.0, 12.0])
def test_the_frequency_first_falls_at_loss_over_inertia(loss_mw: float) -> None:
    result, _ = simulate(world(), np.full(10, -loss_mw))
    assert result[fr.ROCOF_HZ_PER_S] == pytest.approx(loss_mw / M, rel=1e-6)


@settings(deadline=None, max_examples=60)
@given(
    st.floats(5, 100),
    st.floats(0, 10),
    st.floats(10, 300),
    st.floats(0.5, 12),
    st.sampled_from([0.02, 0.5]),
    st.sampled_from([5.0, 30.0, 120.0]),
)
def test_the_nadir_is_that_of_the_closed_form(
    inertia: float, damping: float, droop: float, lag_s: float, size: float, substep_s: float
) -> None:
    ratio = (damping * lag_s + inertia) / (2 * sqrt(inertia * lag_s * (droop + damping)))
    assume(ratio < 0.95)  # else overdamped: no nadir to speak of
    loss_mw = size * (droop + damping) * BAND
    parameters = world(substep_s, 0.0, DAMPING=damping, GOVERNOR_S=lag_s)
    count = max(2, round(60 / substep_s))
    result, _ = simulate(parameters, np.full(count, -loss_mw), inertia=inertia, droop=droop)
    nadir = closed_nadir(loss_mw, inertia, damping, droop, lag_s)
    assert result[fr.NADIR_HZ] == pytest.approx(nadir, rel=CLOSED_FORM)


@settings(deadline=None, max_examples=25)
@given(st.floats(5, 100), st.floats(0.5, 10), st.floats(0.5, 40))
def test_fifty_or_sixty_hertz_is_one_number(inertia_s: float, damping: float, loss_mw: float) -> None:
    """With the same inertia constants, per-unit damping and droop, deviations are the same share of nominal."""
    nadirs: list[float] = []
    for nominal in (50.0, 60.0):
        parameters = world(secondary=INTEGRAL * 50 / nominal, DAMPING=damping * 50 / nominal)
        parameters[[fr.NOMINAL_HZ, fr.BAND_HZ, fr.DEAD_BAND_HZ]] = nominal, BAND * nominal / 50, BAND * nominal / 50
        m, k = 2 * inertia_s * 150 / nominal, K * 50 / nominal
        result, _ = simulate(parameters, np.full(4, -loss_mw), inertia=m, droop=k)
        nadirs.append(result[fr.NADIR_HZ] / nominal)
    assert nadirs[1] == pytest.approx(nadirs[0], rel=2e-3)


# --- against the integration of its own

CASES = {
    "small": (0.6, bounds()),
    "beyond the band": (6.0, bounds()),
    "at the response's limits": (12.0, bounds(up=8.0, down=6.0)),
    "with storage": (12.0, bounds(storage=10.0, storage_droop=60.0)),
    "with weak storage at limits": (15.0, bounds(up=10.0, down=8.0, storage=3.0, storage_droop=200.0)),
}


@pytest.mark.parametrize("substep_s", [6.0, 20.0])
@pytest.mark.parametrize("case", CASES)
def test_random_paths_follow_the_reference(case: str, substep_s: float) -> None:
    size, limits = CASES[case]
    parameters = world(substep_s)
    for seed in range(3):
        path = np.random.default_rng(seed).normal(0, size, 5)
        seen = reference(parameters, path, limits)
        result, grid = simulate(parameters, path, limits=limits)
        assert result[fr.NADIR_HZ] == pytest.approx(seen.min(), rel=REFERENCE, abs=REFERENCE_HZ)
        assert result[fr.ZENITH_HZ] == pytest.approx(seen.max(), rel=REFERENCE, abs=REFERENCE_HZ)
        assert grid[fr.DEVIATION_HZ] == pytest.approx(seen[-1], abs=PHASE_HZ)
        inside = np.mean(np.abs(seen) <= BAND)
        assert result[fr.IN_BAND_S] / (5 * substep_s) == pytest.approx(inside, abs=0.01)
        slopes = np.abs(np.diff(seen)) / REFERENCE_STEP_S
        assert result[fr.ROCOF_HZ_PER_S] == pytest.approx(slopes.max(), rel=0.03)
        damped = -parameters[fr.DAMPING] * (seen[1:] + seen[:-1]).sum() / 2 * REFERENCE_STEP_S
        assert result[fr.DAMPING_MWS] == pytest.approx(damped, rel=0.02, abs=0.05)


def test_a_response_at_its_limit_does_not_wind_up() -> None:
    limits = bounds(up=5.0, down=5.0)
    _, grid = simulate(world(), np.full(10, -8.0), limits=limits)
    assert grid[fr.GOVERNOR_MW] + grid[fr.SECONDARY_MW] > 5.0 - EXACT
    assert grid[fr.SECONDARY_MW] <= 5.0 + EXACT
    assert grid[fr.DEVIATION_HZ] == pytest.approx(-3.0 / LOAD_DAMPING, rel=1e-3)


# --- laws


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.floats(-60, 60), min_size=1, max_size=6),
    st.floats(0, 40),
    st.floats(0, 40),
    st.floats(0, 30),
    st.floats(0, 300),
    st.floats(0, 1),
)
def test_the_flows_explain_the_kinetic_energy(
    path: list[float], up: float, down: float, storage: float, storage_droop: float, scale: float
) -> None:
    thresholds = QUIET.copy()
    thresholds[:4] = 0.2, 0.4, 0.5, 0.8
    limits = bounds(up, down, storage, storage_droop)
    limits[[fr.GENERATION_UP_MW, fr.LOAD_MW]] = 20.0, 120.0
    grid = np.zeros(fr.GRID_STATE)
    for part in (path, path[::-1]):
        before = grid.copy()
        result, _ = simulate(world(), scale * np.array(part), limits=limits, thresholds=thresholds, grid=grid)
        assert balance(result) < EXACT
        rise = grid[fr.DEVIATION_HZ] - before[fr.DEVIATION_HZ]
        assert result[fr.KINETIC_MWS] == pytest.approx(M * rise, abs=EXACT)
        assert result[fr.IMBALANCE_MWS] == pytest.approx(SUBSTEP * scale * sum(part), abs=1e-6)
        assert 0.0 <= result[fr.IN_BAND_S] <= len(part) * SUBSTEP + EXACT
        assert -storage * len(part) * SUBSTEP - 1e-6 <= result[fr.STORAGE_MWS] <= storage * len(part) * SUBSTEP + 1e-6


@pytest.mark.parametrize("size", [0.5, 5.0, 40.0])
def test_one_interval_of_ten_substeps_is_two_of_five(size: float) -> None:
    path, limits = np.random.default_rng(3).normal(0, size, 10), bounds(20.0, 20.0, 10.0, 50.0)
    whole, after = simulate(world(), path, limits=limits)
    first, grid = simulate(world(), path[:5], limits=limits)
    second, _ = simulate(world(), path[5:], limits=limits, grid=grid)
    assert grid == pytest.approx(after, abs=EXACT)
    sums = [*FLOWS, fr.KINETIC_MWS, fr.IN_BAND_S]
    assert (first + second)[sums] == pytest.approx(whole[sums], abs=1e-7)
    assert min(first[fr.NADIR_HZ], second[fr.NADIR_HZ]) == pytest.approx(whole[fr.NADIR_HZ], rel=REFERENCE)
    assert max(first[fr.ZENITH_HZ], second[fr.ZENITH_HZ]) == pytest.approx(whole[fr.ZENITH_HZ], rel=REFERENCE)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(-2.5, 2.5), min_size=2, max_size=6))
def test_small_steps_agree_with_exact_steps(path: list[float]) -> None:
    """A stage that is not normal keeps the exact step away; the frequency cannot tell."""
    exact, after = simulate(world(), path)
    grid = np.zeros(fr.GRID_STATE)
    grid[fr.STAGE] = RECOVERY
    patient = QUIET.copy()
    patient[9] = 1e9
    small, _ = simulate(world(), path, thresholds=patient, grid=grid)
    for column in (fr.NADIR_HZ, fr.ZENITH_HZ):
        assert small[column] == pytest.approx(exact[column], rel=REFERENCE, abs=REFERENCE_HZ / 2)
    assert grid[fr.DEVIATION_HZ] == pytest.approx(after[fr.DEVIATION_HZ], abs=REFERENCE_HZ / 10)
    assert small[fr.RESPONSE_MWS] == pytest.approx(exact[fr.RESPONSE_MWS], rel=1e-3, abs=0.1)


def test_over_frequency_mirrors_under_frequency() -> None:
    path = np.array([-1.5, 1.0, -20.0, 5.0])
    fell, _ = simulate(world(), path, limits=bounds(10.0, 10.0, 5.0, 80.0))
    rose, _ = simulate(world(), -path, limits=bounds(10.0, 10.0, 5.0, 80.0))
    assert rose[fr.ZENITH_HZ] == pytest.approx(-fell[fr.NADIR_HZ], abs=EXACT)
    assert rose[fr.NADIR_HZ] == pytest.approx(-fell[fr.ZENITH_HZ], abs=EXACT)
    assert rose[list(FLOWS)] == pytest.approx(-fell[list(FLOWS)], abs=1e-7)


# --- limits of the model


@pytest.mark.parametrize("lag_s", [0.01, 0.2, 50.0])
@pytest.mark.parametrize("inertia", [0.5, 5.0, 500.0])
def test_fast_and_slow_islands_stay_finite_and_settle(lag_s: float, inertia: float) -> None:
    parameters = world(secondary=0.0, GOVERNOR_S=lag_s)
    limits = bounds(storage=10.0, storage_droop=100.0)
    result, grid = simulate(parameters, np.full(60, -3.0), limits=limits, inertia=inertia)
    assert np.isfinite(result).all()
    assert balance(result) < EXACT
    assert grid[fr.DEVIATION_HZ] == pytest.approx(-3.0 / (LOAD_DAMPING + K), rel=0.02)


def test_without_inertia_nothing_swings_and_load_goes_dark_for_what_is_missing() -> None:
    path = np.array([-10.0, 4.0])
    result, grid = simulate(world(), path, limits=bounds(3.0, 1.0, 2.0), inertia=0.0)
    assert balance(result) < EXACT
    assert grid[fr.DEVIATION_HZ] == result[fr.NADIR_HZ] == result[fr.ZENITH_HZ] == 0.0
    assert result[fr.SHED_MWS] == pytest.approx((10 - 3 - 2) * SUBSTEP)
    assert result[fr.RESPONSE_MWS] == pytest.approx((3 - 1 - 1) * SUBSTEP)


def test_the_same_without_the_compiler() -> None:
    code = """
import numpy as np
from gridmarl.grid import frequency as fr
thresholds = np.array([0.2, 0.4, 0.5, 0.8, 0.2, 5, 0.08, 60, 0.1, 30, 60])
table, grid = np.zeros((fr.TRANSITION_ROWS, fr.TRANSITION_COLUMNS)), np.zeros(fr.GRID_STATE)
for scale in (0.1, 1.0):
    result = np.zeros(fr.RESULT_COLUMNS)
    limits, path = np.array([15.0, 10, 5, 5, 50, 20, 120]), scale * np.array([-10.0, -40.0, 5.0])
    world = np.array([50, 0.1, 2.4, 4.0, 2.0, 0.1, 20.0, 30, 60])
    fr.simulate_interval(world, thresholds, table, 30.0, 60.0, limits, path, grid, result)
    print(*result.tolist(), *grid.tolist())
"""
    seen = [
        np.array(
            subprocess.run(
                [sys.executable, "-c", code],
                env=os.environ | {"NUMBA_DISABLE_JIT": disabled},
                check=True,
                capture_output=True,
                text=True,
            ).stdout.split(),
            dtype=float,
        )
        for disabled in "01"
    ]
    assert seen[0] == pytest.approx(seen[1], rel=1e-9, abs=EXACT)
    assert np.abs(seen[0]).max() > 1.0
