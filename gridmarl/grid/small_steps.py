"""The swing equation in short steps, where a limit bites, storage answers or a relay acts."""

from __future__ import annotations

from math import ceil, exp, sqrt
from typing import Final

from gridmarl.grid.columns import (
    ARMED,
    BAND_HZ,
    DAMPING,
    DAMPING_MWS,
    DEAD_BAND_HZ,
    DEVIATION_HZ,
    DOWN_MW,
    GENERATION_MW,
    GENERATION_MWS,
    GENERATION_UP_MW,
    GOVERNOR_MW,
    GOVERNOR_S,
    IN_BAND_S,
    NADIR_HZ,
    RESPONSE_MWS,
    ROCOF_HZ_PER_S,
    SECONDARY,
    SECONDARY_MW,
    SHED_MW,
    SHED_MWS,
    STORAGE_DOWN_MW,
    STORAGE_DROOP,
    STORAGE_MWS,
    STORAGE_UP_MW,
    UP_MW,
    ZENITH_HZ,
)
from gridmarl.grid.emergency import next_generation, operate
from gridmarl.kernels import kernel
from gridmarl.units import Float

STEP_S: Final = 0.1
SHORTEST_STEP_S: Final = 0.01
STEP_RADIANS: Final = 0.2
"""Steps are shorter than `STEP_S`, down to the shortest, where the fastest motion turns by more than this in one."""
SMALL_LAG: Final = 1e-4
"""Steps this small beside the governors' time constant use the series of their weights, which would cancel."""


@kernel
def step_finely(
    frequency: Float,
    emergency: Float,
    inertia: float,
    droop: float,
    limits: Float,
    imbalance_mw: float,
    time_s: float,
    grid: Float,
    result: Float,
) -> int:
    """Follow limits, storage and relays through some time in small steps; returns the stages visited.

    Steps use the trapezoidal rule, and for the governors the exact answer to a deviation that changes linearly. The
    response and storage at the end of a step come from one Newton step on the piecewise linear equation for the
    deviation there. The final deviation then follows from the powers that are booked, which closes the balance.
    """
    damping, secondary, dead_band_hz = frequency[DAMPING], frequency[SECONDARY], frequency[DEAD_BAND_HZ]
    steps = ceil(time_s / finest_step(frequency, inertia, droop, limits) - 1e-9)
    step_s = time_s / steps
    half_s = 0.5 * step_s
    keep, old, new = governor_weights(step_s / frequency[GOVERNOR_S])
    closing = 1.0 / (inertia + half_s * damping)
    f, g, s = grid[DEVIATION_HZ], grid[GOVERNOR_MW], grid[SECONDARY_MW]
    r = within(limits, g + s)
    visited, steepest_mw = 0, 0.0
    for _ in range(steps):
        visited |= operate(emergency, limits, f, r, step_s, grid)
        armed = grid[ARMED]
        b = storage_response(limits, dead_band_hz, armed, f)
        n = min(grid[GENERATION_MW], limits[GENERATION_UP_MW])
        later_n = next_generation(emergency, limits, f, step_s, grid)
        given_mw = imbalance_mw + grid[SHED_MW]
        power_mw = given_mw + r + b + n - damping * f

        later_g, later_s = keep * g - droop * (old + new) * f, s - secondary * step_s * f
        later_r = within(limits, later_g + later_s)
        stiffness = damping
        if later_r == later_g + later_s:
            stiffness += droop * new + secondary * half_s
        if -limits[STORAGE_DOWN_MW] < b < limits[STORAGE_UP_MW] and abs(f) > dead_band_hz:
            stiffness += limits[STORAGE_DROOP]
        rise = half_s * (power_mw + given_mw + later_r + b + later_n - damping * f) / (inertia + half_s * stiffness)

        g, later_s = later_g - droop * new * rise, later_s - secondary * half_s * rise
        later_r = within(limits, g + later_s)
        s = held_at_limits(limits, g, s, later_s)
        later_b = storage_response(limits, dead_band_hz, armed, f + rise)
        pushing_mw = given_mw + later_r + later_b + later_n
        before, f = f, (inertia * f + half_s * (power_mw + pushing_mw)) * closing

        steepest_mw = max(steepest_mw, abs(power_mw), abs(pushing_mw - damping * f))
        result[NADIR_HZ], result[ZENITH_HZ] = min(result[NADIR_HZ], f), max(result[ZENITH_HZ], f)
        result[IN_BAND_S] += step_s * share_inside(before, f, frequency[BAND_HZ])
        result[RESPONSE_MWS] += half_s * (r + later_r)
        result[STORAGE_MWS] += half_s * (b + later_b)
        result[DAMPING_MWS] -= half_s * damping * (before + f)
        result[GENERATION_MWS] += half_s * (n + later_n)
        result[SHED_MWS] += step_s * grid[SHED_MW]
        grid[GENERATION_MW] = later_n
        r = later_r
    result[ROCOF_HZ_PER_S] = max(result[ROCOF_HZ_PER_S], steepest_mw / inertia)
    grid[DEVIATION_HZ], grid[GOVERNOR_MW], grid[SECONDARY_MW] = f, g, s
    return visited


@kernel
def within(limits: Float, response_mw: float) -> float:
    """The generators' response within its limits, MW."""
    return min(max(response_mw, -limits[DOWN_MW]), limits[UP_MW])


@kernel
def finest_step(frequency: Float, inertia: float, droop: float, limits: Float) -> float:
    """Seconds in which neither the swing nor what damps it moves far."""
    swing = sqrt((droop / frequency[GOVERNOR_S] + frequency[SECONDARY]) / inertia)
    fastest = max(swing, (frequency[DAMPING] + limits[STORAGE_DROOP]) / inertia)
    return max(min(STEP_S, STEP_RADIANS / max(fastest, 1e-9)), SHORTEST_STEP_S)


@kernel
def governor_weights(lag: float) -> tuple[float, float, float]:
    """What the governors keep in a step, and how they weigh the deviations at its start and end.

    Parameters
    ----------
    lag : float
        The step, in governors' time constants.
    """
    keep = exp(-lag)
    if lag < SMALL_LAG:
        return keep, lag / 2.0 - lag * lag / 3.0, lag / 2.0 - lag * lag / 6.0
    moved = (1.0 - keep) / lag
    return keep, moved - keep, 1.0 - moved


@kernel
def storage_response(limits: Float, dead_band_hz: float, armed: float, deviation_hz: float) -> float:
    """Droop beyond the dead band on top of what storage gives outright, within its limits, MW."""
    beyond_hz = max(deviation_hz - dead_band_hz, 0.0) + min(deviation_hz + dead_band_hz, 0.0)
    wanted_mw = armed * limits[STORAGE_UP_MW] - limits[STORAGE_DROOP] * beyond_hz
    return min(max(wanted_mw, -limits[STORAGE_DOWN_MW]), limits[STORAGE_UP_MW])


@kernel
def held_at_limits(limits: Float, g: float, before_mw: float, after_mw: float) -> float:
    """Secondary control after a step: it does not push a response further that is at its limit (no wind-up)."""
    highest_mw = max(before_mw, limits[UP_MW] - g)
    lowest_mw = min(before_mw, -limits[DOWN_MW] - g)
    return min(max(after_mw, lowest_mw), highest_mw)


@kernel
def share_inside(first_hz: float, second_hz: float, band_hz: float) -> float:
    """Share of a step within the band when the deviation moves linearly from one value to the other."""
    low_hz, high_hz = min(first_hz, second_hz), max(first_hz, second_hz)
    if low_hz >= -band_hz and high_hz <= band_hz:
        return 1.0
    if high_hz <= low_hz:
        return 0.0
    return max(min(high_hz, band_hz) - max(low_hz, -band_hz), 0.0) / (high_hz - low_hz)
