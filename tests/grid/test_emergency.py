"""Emergencies: every stage in its turn, at its threshold, and back; a new schedule takes over without a kick."""

from __future__ import annotations

import numpy as np
import pytest

from gridmarl.grid import emergency as em
from gridmarl.grid import frequency as fr

EXACT = 1e-9
M, K, LOAD, SUBSTEP = 30.0, 60.0, 120.0, 10.0
WORLD = np.array([50, 0.1, 2.4, 4.0, 2.0, 0.1, SUBSTEP, M, K])
THRESHOLDS = np.array([0.2, 0.4, 0.5, 0.8, 0.2, 5, 0.08, 60, 0.1, 30, 60])
LIMITS = np.array([40.0, 40, 20, 20, 60, 30, LOAD])
BLOCK_MW = 0.08 * LOAD
UNDER = (em.DETECTION, em.ALERT, em.STORAGE, em.SHEDDING, em.GENERATION)


def simulate(
    path: np.ndarray, grid: np.ndarray, limits: np.ndarray = LIMITS, thresholds: np.ndarray = THRESHOLDS
) -> np.ndarray:
    """What happened in one interval; the state is carried on in place."""
    result = np.full(fr.RESULT_COLUMNS, np.nan)
    table = np.zeros((fr.TRANSITION_ROWS, fr.TRANSITION_COLUMNS))
    fr.simulate_interval(WORLD, thresholds, table, M, K, limits, path, grid, result)
    flows = [
        fr.IMBALANCE_MWS,
        fr.RESPONSE_MWS,
        fr.STORAGE_MWS,
        fr.DAMPING_MWS,
        fr.SHED_MWS,
        fr.GENERATION_MWS,
    ]
    assert abs(result[flows].sum() - result[fr.KINETIC_MWS]) < EXACT * max(np.abs(result[flows]).max(), 1.0)
    return result


def follow(
    loss_mw: float, seconds: float, grid: np.ndarray | None = None, limits: np.ndarray = LIMITS
) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
    """Results and states of one substep after the other."""
    grid = np.zeros(fr.GRID_STATE) if grid is None else grid
    results: list[np.ndarray] = []
    states: list[np.ndarray] = []
    for _ in range(round(seconds / SUBSTEP)):
        results.append(simulate(np.array([-loss_mw]), grid, limits))
        states.append(grid.copy())
    return results, states, grid


def visited(result: np.ndarray) -> set[int]:
    return {stage for stage in range(7) if int(result[fr.STAGES]) >> stage & 1}


def at(deviation_hz: float, stage: int = em.NORMAL, limits: np.ndarray = LIMITS) -> tuple[np.ndarray, int]:
    """State and stages passed after one look at a frequency."""
    grid = np.zeros(fr.GRID_STATE)
    grid[fr.STAGE] = stage
    return grid, em.operate(THRESHOLDS, limits, deviation_hz, 0.0, 0.1, grid)


# --- thresholds


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("size_hz", "stage"), [(0.19, em.NORMAL), (0.2, em.DETECTION), (0.39, em.DETECTION), (0.4, em.ALERT)]
)
def test_detection_and_alert_heed_both_sides(sign: int, size_hz: float, stage: int) -> None:
    grid, _ = at(sign * size_hz)
    assert grid[fr.STAGE] == stage


@pytest.mark.parametrize(
    ("deviation_hz", "blocks"), [(-0.49, 0), (-0.79, 0), (-0.81, 1), (-1.01, 2), (-1.61, 5), (-5.0, 5), (5.0, 0)]
)
def test_each_block_is_shed_at_its_own_threshold_and_no_more_than_there_are(deviation_hz: float, blocks: int) -> None:
    grid, _ = at(deviation_hz)
    assert grid[fr.SHED_COUNT] == blocks
    assert grid[fr.SHED_MW] == pytest.approx(blocks * BLOCK_MW)
    assert (grid[fr.ARMED] > 0) == (deviation_hz <= -0.5)


def test_every_stage_that_one_look_passes_is_told() -> None:
    _, stages = at(-0.9)
    assert stages == sum(1 << stage for stage in (em.DETECTION, em.ALERT, em.STORAGE, em.SHEDDING))


def test_load_that_is_gone_cannot_be_shed() -> None:
    limits = LIMITS.copy()
    limits[fr.LOAD_MW] = 0.0
    assert at(-3.0, limits=limits)[0][fr.SHED_MW] == 0.0


def test_a_long_deviation_calls_generation_without_shedding() -> None:
    grid = np.zeros(fr.GRID_STATE)
    for second in range(30):
        em.operate(THRESHOLDS, LIMITS, -0.6, 0.0, 1.0, grid)
        if second < em.GENERATION_DELAY_S:
            assert grid[fr.STAGE] == em.STORAGE
    assert grid[fr.STAGE] == em.GENERATION
    assert grid[fr.SHED_COUNT] == 0


def test_a_deviation_that_does_not_last_calls_no_generation() -> None:
    grid = np.zeros(fr.GRID_STATE)
    for second in range(60):
        em.operate(THRESHOLDS, LIMITS, -0.6 if second % 5 else -0.45, 0.0, 1.0, grid)
    assert grid[fr.STAGE] == em.STORAGE


@pytest.mark.parametrize(
    ("stages", "worst"),
    [
        ((em.NORMAL,), em.NORMAL),
        ((em.NORMAL, em.DETECTION), em.DETECTION),
        ((em.NORMAL, em.ALERT, em.RECOVERY), em.RECOVERY),
        ((em.STORAGE, em.RECOVERY), em.STORAGE),
        ((em.SHEDDING, em.GENERATION, em.RECOVERY), em.GENERATION),
    ],
)
def test_recovery_is_graver_than_an_alert_only(stages: tuple[int, ...], worst: int) -> None:
    assert em.worst_stage(sum(1 << stage for stage in stages)) == worst


# --- a trip, from the first drop to the last block


def test_a_trip_passes_every_stage_and_ends_normal() -> None:
    results, states, grid = follow(70.0, 1500)
    assert visited(results[0]) >= set(UNDER)
    assert results[0][fr.WORST_STAGE] == em.GENERATION
    assert set.union(*map(visited, results)) == set(range(7))
    assert grid[fr.STAGE] == em.NORMAL
    assert grid[fr.SHED_MW] == grid[fr.SHED_COUNT] == grid[fr.ARMED] == 0.0
    assert abs(grid[fr.DEVIATION_HZ]) < 1e-3
    shed = [state[fr.SHED_MW] for state in states]
    returns = np.flatnonzero(np.diff(shed) < 0) * SUBSTEP
    assert len(returns) == states[2][fr.SHED_COUNT]
    assert (np.diff(returns) >= THRESHOLDS[em.RESTORE_S] - SUBSTEP).all()


def test_emergency_generation_reaches_its_limit_in_its_time_and_stays() -> None:
    limits = LIMITS.copy()
    limits[fr.UP_MW] = 0.0
    limits[fr.STORAGE_UP_MW] = 0.0
    _, states, grid = follow(110.0, 100, limits=limits)
    generation = np.array([state[fr.GENERATION_MW] for state in states])
    assert generation[2] == pytest.approx(30.0 * 30 / 60, rel=0.15)
    assert generation[6] == pytest.approx(30.0)
    assert grid[fr.STAGE] == em.GENERATION
    assert grid[fr.GENERATION_MW] <= 30.0


def test_load_does_not_return_while_nothing_can_carry_it() -> None:
    limits = LIMITS.copy()
    limits[[fr.UP_MW, fr.GENERATION_UP_MW]] = 45.0, 0.0
    _, states, grid = follow(70.0, 900, limits=limits)
    assert grid[fr.STAGE] == em.RECOVERY
    assert grid[fr.SHED_COUNT] == states[5][fr.SHED_COUNT] > 0


def test_a_second_trip_during_recovery_goes_back() -> None:
    _, _, grid = follow(70.0, 60)
    assert grid[fr.STAGE] == em.RECOVERY
    blocks = grid[fr.SHED_COUNT]
    results, _, _ = follow(150.0, 20, grid)
    assert visited(results[0]) >= {em.RECOVERY, em.STORAGE, em.SHEDDING}
    assert grid[fr.SHED_COUNT] > blocks


def test_a_surplus_alerts_and_neither_sheds_nor_generates() -> None:
    results, _, grid = follow(-40.0, 120)
    assert visited(results[0]) == {em.NORMAL, em.DETECTION, em.ALERT}
    assert all(result[fr.SHED_MWS] == result[fr.GENERATION_MWS] == 0 for result in results)
    assert results[0][fr.STORAGE_MWS] < 0
    assert grid[fr.STAGE] == em.NORMAL


def test_stages_do_not_chatter() -> None:
    """Each look from the trip on, at the step of the simulation: a handful of changes in ten minutes."""
    changes = 0
    grid = np.zeros(fr.GRID_STATE)
    table, result = np.zeros((fr.TRANSITION_ROWS, fr.TRANSITION_COLUMNS)), np.zeros(fr.RESULT_COLUMNS)
    world = WORLD.copy()
    world[fr.SUBSTEP_S] = 0.8  # a block of samples, 0.1 s, is a step
    for _ in range(750):
        stage = grid[fr.STAGE]
        fr.simulate_interval(world, THRESHOLDS, table, M, K, LIMITS, np.array([-70.0]), grid, result)
        changes += stage != grid[fr.STAGE]
    assert 1 <= changes <= 5


def test_storage_fades_out_in_recovery_without_a_step_in_power() -> None:
    _, states, _ = follow(70.0, 300)
    armed = np.array([state[fr.ARMED] for state in states])
    assert armed[0] > 0.5
    assert armed[-1] == 0.0
    assert (np.diff(armed) <= 0).all()
    assert np.abs(np.diff(armed)).max() <= SUBSTEP / THRESHOLDS[em.RECOVERY_S] + EXACT


# --- handing over


def test_a_state_in_equilibrium_stays_there_when_a_schedule_takes_over() -> None:
    limits = LIMITS.copy()
    thresholds = THRESHOLDS.copy()
    thresholds[em.RESTORE_S] = 1e9
    grid = np.zeros(fr.GRID_STATE)
    for _ in range(60):
        simulate(np.full(10, -70.0), grid, limits, thresholds)
    assert grid[fr.SHED_MW] > 0
    grid[fr.LOST_MW] = 70.0
    power_before = grid[fr.GOVERNOR_MW] + grid[fr.SECONDARY_MW] + grid[fr.SHED_MW] + grid[fr.GENERATION_MW] - 70.0
    deviation = grid[fr.DEVIATION_HZ]
    em.rebase(grid, em.unscheduled_mw(grid))
    assert grid[fr.GOVERNOR_MW] + grid[fr.SECONDARY_MW] == pytest.approx(power_before, abs=EXACT)
    assert (grid[[fr.LOST_MW, fr.SHED_MW, fr.GENERATION_MW, fr.SHED_COUNT]] == 0).all()
    result = simulate(np.zeros(10), grid, limits, thresholds)
    assert result[fr.NADIR_HZ] == pytest.approx(deviation, abs=1e-6)
    assert result[fr.ZENITH_HZ] == pytest.approx(deviation, abs=1e-6)


def test_without_the_hand_over_the_frequency_jumps() -> None:
    thresholds = THRESHOLDS.copy()
    thresholds[em.RESTORE_S] = 1e9
    grid = np.zeros(fr.GRID_STATE)
    for _ in range(20):
        simulate(np.full(10, -70.0), grid, LIMITS, thresholds)
    result = simulate(np.zeros(10), grid, LIMITS, thresholds)
    assert result[fr.ZENITH_HZ] > 0.3
