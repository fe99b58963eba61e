"""Frequency of an island within one market interval: the swing equation of all its units together.

    M f' = d + r + b + n + c - D f        r = clip(g + s, -down, up)
    Tg g' = -g - K f                      s' = -Ks f, held where r is at its limit

for the deviation f from nominal, imbalance d, the generators' response r of governors g and secondary control s,
storage b beyond its dead band, emergency generation n and shed load c; damping D of the load (P. Kundur, *Power System
Stability and Control*, 1994, ch. 11; P. M. Anderson and M. Mirheydar, "A low-order system frequency response model",
IEEE Transactions on Power Systems 5(3), 1990). Where nothing but d, g and s is at work and none is at a limit, the
equation is linear and one exact step spans the whole substep (`gridmarl.grid.transition`). Else steps of at most 0.1 s
follow limits, storage and relays. Either way the integrals of all powers sum up to the change of kinetic energy.
"""

from __future__ import annotations

from gridmarl.grid.columns import (
    ARMED,
    BAND_HZ,
    DAMPING,
    DAMPING_MWS,
    DEAD_BAND_HZ,
    DEVIATION_HZ,
    DOWN_MW,
    DROOP,
    FREQUENCY_COLUMNS,
    GENERATION_MW,
    GENERATION_MWS,
    GENERATION_UP_MW,
    GOVERNOR_MW,
    GOVERNOR_S,
    GRID_STATE,
    IMBALANCE_MWS,
    IN_BAND_S,
    INERTIA,
    KINETIC_MWS,
    LIMIT_COLUMNS,
    LOAD_MW,
    LOST_MW,
    NADIR_HZ,
    NOMINAL_HZ,
    RESPONSE_MWS,
    RESULT_COLUMNS,
    ROCOF_HZ_PER_S,
    SECONDARY,
    SECONDARY_MW,
    SHED_COUNT,
    SHED_MW,
    SHED_MWS,
    STAGE,
    STAGE_S,
    STAGES,
    STORAGE_DOWN_MW,
    STORAGE_DROOP,
    STORAGE_MWS,
    STORAGE_UP_MW,
    SUBSTEP_S,
    UP_MW,
    WORST_STAGE,
    ZENITH_HZ,
)
from gridmarl.grid.emergency import DETECTION_HZ, NORMAL, worst_stage
from gridmarl.grid.small_steps import step_finely
from gridmarl.grid.transition import (
    BLOCK_STEP,
    BLOCKS,
    CADENCE,
    EXTREME_IMBALANCE,
    INTEGRAL,
    PART_S,
    PARTS,
    STEP,
    TRANSITION_COLUMNS,
    TRANSITION_ROWS,
    extreme_deviations,
    highest,
    lowest,
    solve_transition,
    steepest_slope,
    weigh,
)
from gridmarl.kernels import entry_kernel, kernel
from gridmarl.units import Float

__all__ = [
    "ARMED",
    "BAND_HZ",
    "DAMPING",
    "DAMPING_MWS",
    "DEAD_BAND_HZ",
    "DEVIATION_HZ",
    "DOWN_MW",
    "DROOP",
    "FREQUENCY_COLUMNS",
    "GENERATION_MW",
    "GENERATION_MWS",
    "GENERATION_UP_MW",
    "GOVERNOR_MW",
    "GOVERNOR_S",
    "GRID_STATE",
    "IMBALANCE_MWS",
    "INERTIA",
    "IN_BAND_S",
    "KINETIC_MWS",
    "LIMIT_COLUMNS",
    "LOAD_MW",
    "LOST_MW",
    "NADIR_HZ",
    "NOMINAL_HZ",
    "RESPONSE_MWS",
    "RESULT_COLUMNS",
    "ROCOF_HZ_PER_S",
    "SECONDARY",
    "SECONDARY_MW",
    "SHED_COUNT",
    "SHED_MW",
    "SHED_MWS",
    "STAGE",
    "STAGES",
    "STAGE_S",
    "STORAGE_DOWN_MW",
    "STORAGE_DROOP",
    "STORAGE_MWS",
    "STORAGE_UP_MW",
    "SUBSTEP_S",
    "TRANSITION_COLUMNS",
    "TRANSITION_ROWS",
    "UP_MW",
    "WORST_STAGE",
    "ZENITH_HZ",
    "run_interval",
    "simulate_interval",
    "solve_transition",
]


@kernel
def run_interval(
    frequency: Float,
    emergency: Float,
    transition: Float,
    inertia: float,
    droop: float,
    limits: Float,
    path: Float,
    count: int,
    grid: Float,
    result: Float,
) -> None:
    """Follow the frequency through the substeps of one interval.

    Parameters
    ----------
    frequency : (column,) float
        Parameters of the world.
    emergency : (column,) float
        Thresholds of `gridmarl.grid.emergency`.
    transition : (TRANSITION_ROWS, TRANSITION_COLUMNS) float
        From `solve_transition` with the same inertia and droop.
    inertia : float
        M of the units online, MW s/Hz. With 0 there is no frequency; see `balance_without_inertia`.
    droop : float
        K of the units online, MW/Hz.
    limits : (column,) float
        Of response, storage, emergency generation and load in this interval, MW.
    path : (substep,) float
        Imbalance, MW; + surplus.
    count : int
        Substeps in this interval.
    grid : (column,) float
        State at the start; left as at the end.
    result : (column,) float
        Filled with what happened.
    """
    for column in range(RESULT_COLUMNS):
        result[column] = 0.0
    if inertia <= 0.0:
        balance_without_inertia(frequency, limits, path, count, grid, result)
        return
    start_hz = grid[DEVIATION_HZ]
    result[NADIR_HZ] = result[ZENITH_HZ] = start_hz
    part_s = transition[CADENCE, PART_S]
    block_s = part_s / BLOCKS
    calm_hz, damping = calm_deviation(frequency, emergency, limits), frequency[DAMPING]
    visited = 1 << int(grid[STAGE])
    for substep in range(count):
        result[IMBALANCE_MWS] += path[substep] * frequency[SUBSTEP_S]
        d = path[substep]
        for _ in range(int(transition[CADENCE, PARTS])):
            if step_exactly(
                transition, STEP, BLOCKS, part_s, inertia, droop, damping, limits, calm_hz, d, grid, result
            ):
                continue
            for _ in range(BLOCKS):
                if not step_exactly(
                    transition, BLOCK_STEP, 1, block_s, inertia, droop, damping, limits, calm_hz, d, grid, result
                ):
                    visited |= step_finely(frequency, emergency, inertia, droop, limits, d, block_s, grid, result)
    result[KINETIC_MWS] = inertia * (grid[DEVIATION_HZ] - start_hz)
    result[STAGES] = visited
    result[WORST_STAGE] = worst_stage(visited)


@kernel
def calm_deviation(frequency: Float, emergency: Float, limits: Float) -> float:
    """Deviation up to which neither storage nor relays nor the count of time in the band take notice, Hz."""
    calm_hz = min(frequency[BAND_HZ], emergency[DETECTION_HZ])
    if limits[STORAGE_DROOP] > 0.0:
        calm_hz = min(calm_hz, frequency[DEAD_BAND_HZ])
    return calm_hz


@kernel
def step_exactly(
    transition: Float,
    rows: int,
    blocks: int,
    time_s: float,
    inertia: float,
    droop: float,
    damping: float,
    limits: Float,
    calm_hz: float,
    imbalance_mw: float,
    grid: Float,
    result: Float,
) -> bool:
    """Take one exact step, whole or of one block, if nothing else than the linear equation acts.

    Returns whether it did; else nothing has changed.
    """
    if grid[STAGE] != NORMAL or grid[SHED_MW] != 0.0 or grid[GENERATION_MW] != 0.0:
        return False
    f, g = grid[DEVIATION_HZ], grid[GOVERNOR_MW]
    u, v = imbalance_mw + g + grid[SECONDARY_MW], g + droop * f
    if highest(transition, EXTREME_IMBALANCE, f, u, v) - imbalance_mw > limits[UP_MW] or abs(f) > calm_hz:
        return False
    if lowest(transition, EXTREME_IMBALANCE, f, u, v) - imbalance_mw < -limits[DOWN_MW]:
        return False
    low_hz, high_hz = max(result[NADIR_HZ], -calm_hz), min(result[ZENITH_HZ], calm_hz)
    low_hz, high_hz = extreme_deviations(transition, blocks, f, u, v, low_hz, high_hz)
    if low_hz < -calm_hz or high_hz > calm_hz:
        return False
    result[NADIR_HZ], result[ZENITH_HZ] = min(result[NADIR_HZ], low_hz), max(result[ZENITH_HZ], high_hz)
    result[ROCOF_HZ_PER_S] = steepest_slope(transition, blocks, f, u, v, result[ROCOF_HZ_PER_S])
    after_f = weigh(transition, rows, f, u, v)
    after_g = weigh(transition, rows + 2, f, u, v) - droop * after_f
    grid[DEVIATION_HZ], grid[GOVERNOR_MW] = after_f, after_g
    grid[SECONDARY_MW] = weigh(transition, rows + 1, f, u, v) - after_g - imbalance_mw
    damped_mws = damping * weigh(transition, rows + INTEGRAL, f, u, v)
    result[DAMPING_MWS] -= damped_mws
    result[RESPONSE_MWS] += inertia * (after_f - f) + damped_mws - imbalance_mw * time_s
    result[IN_BAND_S] += time_s
    return True


@kernel
def balance_without_inertia(
    frequency: Float, limits: Float, path: Float, count: int, grid: Float, result: Float
) -> None:
    """Book an interval in which no synchronous unit turns: there is no frequency, its deviation counts as 0.

    The island holds together only if powers balance at every moment: response and storage give what they can, load goes
    dark for what is still missing, and a surplus beyond them is spilled, booked as response.
    """
    grid[DEVIATION_HZ] = grid[GOVERNOR_MW] = grid[SECONDARY_MW] = 0.0
    time_s = frequency[SUBSTEP_S]
    for substep in range(count):
        d = path[substep]
        r = min(max(-d, -limits[DOWN_MW]), limits[UP_MW])
        b = min(max(-d - r, -limits[STORAGE_DOWN_MW]), limits[STORAGE_UP_MW])
        rest = -d - r - b
        result[IMBALANCE_MWS] += d * time_s
        result[RESPONSE_MWS] += (r + min(rest, 0.0)) * time_s
        result[STORAGE_MWS] += b * time_s
        result[SHED_MWS] += max(rest, 0.0) * time_s
        result[IN_BAND_S] += time_s
    result[STAGES] = 1 << int(grid[STAGE])
    result[WORST_STAGE] = grid[STAGE]


@entry_kernel
def simulate_interval(
    frequency: Float,
    emergency: Float,
    transition: Float,
    inertia: float,
    droop: float,
    limits: Float,
    path: Float,
    grid: Float,
    result: Float,
) -> None:
    """As `run_interval` with all of `path`, for callers in Python; solves the transition as well."""
    solve_transition(frequency, inertia, droop, transition)
    run_interval(frequency, emergency, transition, inertia, droop, limits, path, len(path), grid, result)
