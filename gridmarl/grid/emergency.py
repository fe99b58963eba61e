"""Emergencies of an island: from detection through load shedding to recovery, looked at in every step of 0.1 s.

Under-frequency relays shed a block of load at each of their thresholds and storage discharges at its limit before;
once load was shed, or the deviation has lasted, emergency generation is started. Over-frequency is detected and alerted
to. What has been passed is left only at `RECOVERY_HZ`, which lies inside every threshold: stages do not chatter.
"""

from __future__ import annotations

from typing import Final

from gridmarl.grid.columns import (
    ARMED,
    GENERATION_MW,
    GENERATION_UP_MW,
    LOAD_MW,
    LOST_MW,
    SECONDARY_MW,
    SHED_COUNT,
    SHED_MW,
    STAGE,
    STAGE_S,
    UP_MW,
)
from gridmarl.kernels import kernel
from gridmarl.units import Float

# Columns of ``emergency``: thresholds of a world, deviations without sign.
DETECTION_HZ = 0
ALERT_HZ = 1
STORAGE_HZ = 2
SHED_HZ = 3
SHED_STEP_HZ = 4
SHED_BLOCKS = 5
SHED_SHARE = 6  # of the load, a block
GENERATION_S = 7  # in which emergency generation reaches its limit
RECOVERY_HZ = 8
RECOVERY_S = 9  # inside RECOVERY_HZ for this long: normal again
RESTORE_S = 10  # between two blocks that return
EMERGENCY_COLUMNS = 11

NORMAL, DETECTION, ALERT, STORAGE, SHEDDING, GENERATION, RECOVERY = range(7)

GENERATION_DELAY_S: Final = 10.0
"""Below `STORAGE_HZ` for this long: emergency generation is started even if no load was shed."""


@kernel
def operate(
    emergency: Float, limits: Float, deviation_hz: float, response_mw: float, step_s: float, grid: Float
) -> int:
    """Let relays and operators act on the frequency at the start of a step.

    The stage's clock counts seconds below `STORAGE_HZ` in the stage of storage, and in recovery the seconds since the
    last block returned or the frequency last left the band of recovery.

    Parameters
    ----------
    emergency : (column,) float
        Thresholds of the world.
    limits : (column,) float
        Limits of this interval.
    deviation_hz, response_mw : float
        Frequency and the generators' response now.
    step_s : float
        Time until the next look.
    grid : (column,) float
        State; stage, its clock, storage's share, shed load and emergency generation are updated.

    Returns
    -------
    int
        ``1 << stage`` for each stage passed or stayed in.
    """
    if grid[STAGE] == NORMAL and abs(deviation_hz) < emergency[DETECTION_HZ]:
        return 1 << NORMAL
    visited = warn(emergency, deviation_hz, grid)
    visited |= protect(emergency, limits, deviation_hz, grid)
    if STORAGE <= grid[STAGE] <= GENERATION:
        visited |= start_generation(emergency, limits, deviation_hz, step_s, grid)
        if deviation_hz > -emergency[RECOVERY_HZ]:
            enter(RECOVERY, grid)
    elif grid[STAGE] == RECOVERY:
        recover(emergency, limits, deviation_hz, response_mw, step_s, grid)
    return visited | (1 << int(grid[STAGE]))


@kernel
def enter(stage: int, grid: Float) -> None:
    """Begin a stage."""
    grid[STAGE] = stage
    grid[STAGE_S] = 0.0


@kernel
def warn(emergency: Float, deviation_hz: float, grid: Float) -> int:
    """Detect and alert, to either side."""
    stage, size_hz = grid[STAGE], abs(deviation_hz)
    visited = 0
    if size_hz >= emergency[DETECTION_HZ]:
        visited |= 1 << DETECTION
        if stage == NORMAL:
            enter(DETECTION, grid)
    if size_hz >= emergency[ALERT_HZ]:
        visited |= 1 << ALERT
        if stage <= DETECTION:
            enter(ALERT, grid)
    if stage <= ALERT and size_hz < emergency[RECOVERY_HZ]:
        enter(NORMAL, grid)
    return visited


@kernel
def protect(emergency: Float, limits: Float, deviation_hz: float, grid: Float) -> int:
    """Bring storage to its limit, and shed every block of load whose threshold is passed."""
    visited = 0
    if -deviation_hz >= emergency[STORAGE_HZ]:
        visited |= 1 << STORAGE
        grid[ARMED] = 1.0
        if grid[STAGE] < STORAGE or grid[STAGE] == RECOVERY:
            enter(STORAGE, grid)
    while grid[SHED_COUNT] < emergency[SHED_BLOCKS] and -deviation_hz >= shed_threshold(emergency, grid[SHED_COUNT]):
        visited |= 1 << SHEDDING
        block_mw = emergency[SHED_SHARE] * limits[LOAD_MW]
        grid[SHED_MW] = max(min(grid[SHED_MW] + block_mw, limits[LOAD_MW]), grid[SHED_MW])
        grid[SHED_COUNT] += 1.0
        if grid[STAGE] < SHEDDING:
            enter(SHEDDING, grid)
    return visited


@kernel
def shed_threshold(emergency: Float, blocks: float) -> float:
    """Deviation at which the next block is shed after so many, Hz."""
    return emergency[SHED_HZ] + blocks * emergency[SHED_STEP_HZ]


@kernel
def start_generation(emergency: Float, limits: Float, deviation_hz: float, step_s: float, grid: Float) -> int:
    """Start emergency generation in the step after load was shed, or when the deviation has lasted."""
    stage = grid[STAGE]
    started = 1 << int(stage)
    due = stage == SHEDDING and grid[STAGE_S] > 0.0
    if stage == STORAGE and grid[STAGE_S] >= GENERATION_DELAY_S:
        due = True
    if due and limits[GENERATION_UP_MW] > 0.0:
        enter(GENERATION, grid)
        started |= 1 << GENERATION
    waits = stage != STORAGE or -deviation_hz >= emergency[STORAGE_HZ]
    grid[STAGE_S] = grid[STAGE_S] + step_s if waits else 0.0
    return started


@kernel
def recover(
    emergency: Float, limits: Float, deviation_hz: float, response_mw: float, step_s: float, grid: Float
) -> None:
    """Let storage's emergency power fade, return load block by block, and end the emergency."""
    fade = step_s / emergency[RECOVERY_S] if emergency[RECOVERY_S] > 0.0 else 1.0
    grid[ARMED] = max(grid[ARMED] - fade, 0.0)
    shed = grid[SHED_COUNT] > 0.0
    outside = -deviation_hz if shed else abs(deviation_hz)  # load may return while the frequency is high
    if outside >= emergency[RECOVERY_HZ]:
        grid[STAGE_S] = 0.0
        return
    grid[STAGE_S] += step_s
    if shed:
        block_mw = grid[SHED_MW] / grid[SHED_COUNT]
        room_mw = limits[UP_MW] - response_mw + limits[GENERATION_UP_MW] - grid[GENERATION_MW]
        if grid[STAGE_S] >= emergency[RESTORE_S] and room_mw >= block_mw:
            grid[SHED_COUNT] -= 1.0
            grid[SHED_MW] = grid[SHED_MW] - block_mw if grid[SHED_COUNT] > 0.0 else 0.0
            grid[STAGE_S] = 0.0
    elif grid[STAGE_S] >= emergency[RECOVERY_S] and grid[ARMED] == 0.0:
        enter(NORMAL, grid)


@kernel
def next_generation(emergency: Float, limits: Float, deviation_hz: float, step_s: float, grid: Float) -> float:
    """Emergency generation at the end of a step, MW: it rises while it is called and stays afterwards.

    It is called in its stage, and in recovery when the frequency sags: load returns on account of it.
    """
    limit_mw = limits[GENERATION_UP_MW]
    called = grid[STAGE] == GENERATION
    if grid[STAGE] == RECOVERY:
        called = deviation_hz <= -emergency[RECOVERY_HZ]
    share = step_s / emergency[GENERATION_S] if emergency[GENERATION_S] > 0.0 else 1.0
    return min(grid[GENERATION_MW] + (share * limit_mw if called else 0.0), limit_mw)


@kernel
def worst_stage(visited: int) -> int:
    """The gravest of the stages visited. Recovery is graver than an alert: load may still be shed."""
    for stage in range(GENERATION, ALERT, -1):
        if visited >> stage & 1:
            return stage
    if visited >> RECOVERY & 1:
        return RECOVERY
    return ALERT if visited >> ALERT & 1 else visited >> DETECTION & 1


@kernel
def unscheduled_mw(grid: Float) -> float:
    """What the present schedule leaves to the frequency's control, MW: lost output, shed load, emergency generation."""
    return grid[SHED_MW] + grid[GENERATION_MW] - grid[LOST_MW]


@kernel
def rebase(grid: Float, change_mw: float) -> None:
    """Hand an emergency over to a new schedule without a kick.

    The schedule now covers the lost output, serves the load or not, and runs the emergency generation itself, so none
    of them is an imbalance any more. Generators that filled the gap stand where they are scheduled now: secondary
    control moves by as much, and the sum of all power, on which the frequency depends, stays.

    Parameters
    ----------
    grid : (column,) float
        State; updated.
    change_mw : float
        By how much the imbalance of the old schedule exceeds that of the new one: `unscheduled_mw` where the physical
        balance stays as it is.
    """
    grid[SECONDARY_MW] += change_mw
    grid[LOST_MW] = 0.0
    grid[SHED_MW] = 0.0
    grid[SHED_COUNT] = 0.0
    grid[GENERATION_MW] = 0.0
