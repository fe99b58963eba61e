"""The linear frequency of an island in closed form: one exact step, bounds on what happens within, and samples of it.

Without limits the swing equation with governors and secondary control (P. Kundur, *Power System Stability and Control*,
1994, ch. 11) is linear. With the imbalance u = d + g + s as a state in the place of s, and v = g + K f, what the
governors have yet to do, in the place of g, it has no input left, and f alone decays slowly::

    M f' = u - D f,    u' = -Ks f - v / Tg,    v' = K f' - v / Tg

A step of the imbalance d only moves u. The state after t seconds is exp(A t) times the state at first. The table holds
the exponential for one step, the rows of exponentials that give f and f' at 64 moments in between, at most one radian
of the fastest motion apart, and the extreme coefficients of these, so that a handful of products proves for most steps
that nothing remarkable happens within.
"""

from __future__ import annotations

from math import ceil, sqrt
from typing import Final

from gridmarl.grid.columns import DAMPING, GOVERNOR_S, SECONDARY, SUBSTEP_S
from gridmarl.kernels import kernel
from gridmarl.units import Float

SAMPLES = 64
BLOCK = 8
"""Samples that are looked at, or passed over, together."""
BLOCKS = SAMPLES // BLOCK
SAMPLE_DOUBLINGS, BLOCK_DOUBLINGS = 3, 3
"""From the time between samples to a block, 2 ** 3 of them, and on to the step, 2 ** 3 blocks."""
OVERSHOOT: Final = 1.0 / 0.877 - 1.0
"""A sinusoid with samples a radian apart rises at most to 1 / cos(1/2) of its largest sample."""
TAYLOR_TERMS = 8
TAYLOR_REACH: Final = 0.03
"""With radians of the fastest motion up to this, 8 terms of the exponential series are exact to rounding."""

# Rows of ``transition``; columns are the coefficients of f, u and v at the start of the step.
STEP = 0  # f, u, v at its end, and the integral of f
BLOCK_STEP = 4  # likewise for the time of one block of samples
INTEGRAL = 3  # from the first of these rows
CADENCE = 8  # not coefficients: steps a substep, seconds a step, seconds between samples, M and K
# Rows of bounds: largest coefficients, and from column LEAST on the smallest.
EXTREME_IMBALANCE = 9  # of u throughout the step
EXTREME_DEVIATION = 10  # of f from each block on
HIGHEST_SLOPE = EXTREME_DEVIATION + BLOCKS  # of |f'| at the samples from each block on, without smallest
# Here the coefficients of f, u and v have a row each, with a column for each sample; sample 0 is the start.
DEVIATION = HIGHEST_SLOPE + BLOCKS  # f at the samples
SLOPE = DEVIATION + 3  # f' likewise
TRANSITION_ROWS = SLOPE + 3
TRANSITION_COLUMNS = 1 + SAMPLES
PARTS, PART_S, SPACING_S, OF_INERTIA, OF_DROOP = range(5)  # columns of CADENCE
LEAST = 4


@kernel
def solve_transition(frequency: Float, inertia: float, droop: float, transition: Float) -> None:
    """Fill the table for the units that are online, unless it is theirs already.

    Parameters
    ----------
    frequency : (column,) float
        Parameters of the world.
    inertia : float
        M, MW s/Hz; with 0 there is nothing to solve.
    droop : float
        K, MW/Hz.
    transition : (TRANSITION_ROWS, TRANSITION_COLUMNS) float
        Filled; zeros at first.
    """
    if inertia <= 0.0:
        transition[CADENCE, PARTS] = 1.0
        return
    if transition[CADENCE, OF_INERTIA] == inertia and transition[CADENCE, OF_DROOP] == droop:
        return
    transition[CADENCE, OF_INERTIA], transition[CADENCE, OF_DROOP] = inertia, droop
    lag_s, damping = frequency[GOVERNOR_S], frequency[DAMPING] / inertia
    swing = sqrt((droop / lag_s + frequency[SECONDARY]) / inertia)
    fastest = max(swing, damping, 1.0 / lag_s)
    parts = max(ceil(frequency[SUBSTEP_S] * fastest / SAMPLES), 1)
    transition[CADENCE, PARTS] = parts
    transition[CADENCE, PART_S] = frequency[SUBSTEP_S] / parts
    spacing_s = frequency[SUBSTEP_S] / (parts * SAMPLES)
    transition[CADENCE, SPACING_S] = spacing_s
    halvings = 0
    while spacing_s * (swing + damping + 1.0 / lag_s) > TAYLOR_REACH:
        spacing_s *= 0.5
        halvings += 1
    expand(frequency, inertia, droop, spacing_s, transition)
    for _ in range(halvings):
        double(transition)
    sample(frequency[DAMPING], inertia, transition)
    for _ in range(SAMPLE_DOUBLINGS):
        double(transition)
    for row in range(4):
        for column in range(3):
            transition[BLOCK_STEP + row, column] = transition[STEP + row, column]
    for _ in range(BLOCK_DOUBLINGS):
        double(transition)


@kernel
def expand(frequency: Float, inertia: float, droop: float, time_s: float, transition: Float) -> None:
    """Set the step rows to the exponential of a short time: each column is where a unit of one state leads."""
    damping, lag_s, secondary = frequency[DAMPING], frequency[GOVERNOR_S], frequency[SECONDARY]
    for column in range(3):
        f = u = v = total = 0.0
        for term in range(TAYLOR_TERMS, -1, -1):
            if term < TAYLOR_TERMS:
                share = time_s / (term + 1)
                slope, eased = (u - damping * f) / inertia, v / lag_s
                total = share * f
                f, u, v = share * slope, -share * (secondary * f + eased), share * (droop * slope - eased)
            f += 1.0 if column == 0 else 0.0
            u += 1.0 if column == 1 else 0.0
            v += 1.0 if column == 2 else 0.0
        transition[STEP, column], transition[STEP + 1, column] = f, u
        transition[STEP + 2, column], transition[INTEGRAL, column] = v, total


@kernel
def double(transition: Float) -> None:
    """From the step rows of some time to those of twice that time."""
    f0, f1, f2 = transition[0, 0], transition[0, 1], transition[0, 2]
    u0, u1, u2 = transition[1, 0], transition[1, 1], transition[1, 2]
    v0, v1, v2 = transition[2, 0], transition[2, 1], transition[2, 2]
    for row in range(4):
        f, u, v = transition[row, 0], transition[row, 1], transition[row, 2]
        before = 1.0 if row == INTEGRAL else 0.0
        transition[row, 0] = before * f + f * f0 + u * u0 + v * v0
        transition[row, 1] = before * u + f * f1 + u * u1 + v * v1
        transition[row, 2] = before * v + f * f2 + u * u2 + v * v2


@kernel
def sample(damping: float, inertia: float, transition: Float) -> None:
    """Fill samples and bounds, with the step rows for the time between samples."""
    repeat(transition, 1.0, 0.0, DEVIATION)
    repeat(transition, 0.0, 1.0, SLOPE)  # u, until `bound` turns it into f'
    for coefficient in range(3):
        bound(damping, inertia, coefficient, transition)


@kernel
def repeat(transition: Float, f: float, u: float, row: int) -> None:
    """Coefficients of one state, f or u, after 0, 1, 2, ... times the time between samples."""
    v = 0.0
    for k in range(SAMPLES + 1):
        transition[row, k], transition[row + 1, k], transition[row + 2, k] = f, u, v
        f, u, v = (
            f * transition[0, 0] + u * transition[1, 0] + v * transition[2, 0],
            f * transition[0, 1] + u * transition[1, 1] + v * transition[2, 1],
            f * transition[0, 2] + u * transition[1, 2] + v * transition[2, 2],
        )


@kernel
def bound(damping: float, inertia: float, coefficient: int, transition: Float) -> None:
    """Extreme coefficients of one state at first, from the last block back; its samples of u become those of f'."""
    most_f = least_f = most_u = least_u = highest_slope = 0.0
    for k in range(SAMPLES, -1, -1):
        f, u = transition[DEVIATION + coefficient, k], transition[SLOPE + coefficient, k]
        slope = (u - damping * f) / inertia
        transition[SLOPE + coefficient, k] = slope
        most_f, least_f = max(most_f, f), min(least_f, f)
        most_u, least_u = max(most_u, u), min(least_u, u)
        if k % BLOCK == 0 and k < SAMPLES:
            spread(transition, EXTREME_DEVIATION + k // BLOCK, coefficient, least_f, most_f)
            transition[HIGHEST_SLOPE + k // BLOCK, coefficient] = highest_slope
        highest_slope = max(highest_slope, abs(slope))
    spread(transition, EXTREME_IMBALANCE, coefficient, least_u, most_u)


@kernel
def spread(transition: Float, row: int, coefficient: int, least: float, most: float) -> None:
    """Bounds of a coefficient, which may rise and fall a little further between its samples."""
    margin = OVERSHOOT * (most - least)
    transition[row, coefficient], transition[row, LEAST + coefficient] = most + margin, least - margin


@kernel
def weigh(transition: Float, row: int, f: float, u: float, v: float) -> float:
    """A row of coefficients times a state."""
    return transition[row, 0] * f + transition[row, 1] * u + transition[row, 2] * v


@kernel
def highest(transition: Float, row: int, f: float, u: float, v: float) -> float:
    """Upper bound from a row of extreme coefficients."""
    of_f = max(transition[row, 0] * f, transition[row, LEAST] * f)
    of_u = max(transition[row, 1] * u, transition[row, LEAST + 1] * u)
    return of_f + of_u + max(transition[row, 2] * v, transition[row, LEAST + 2] * v)


@kernel
def lowest(transition: Float, row: int, f: float, u: float, v: float) -> float:
    """Lower bound likewise."""
    of_f = min(transition[row, 0] * f, transition[row, LEAST] * f)
    of_u = min(transition[row, 1] * u, transition[row, LEAST + 1] * u)
    return of_f + of_u + min(transition[row, 2] * v, transition[row, LEAST + 2] * v)


@kernel
def at_sample(transition: Float, row: int, k: int, f: float, u: float, v: float) -> float:
    """One sample, from the rows of its coefficients."""
    return transition[row, k] * f + transition[row + 1, k] * u + transition[row + 2, k] * v


@kernel
def block_extremes(transition: Float, row: int, block: int, f: float, u: float, v: float) -> tuple[float, float]:
    """Smallest and largest sample of a block, in two lanes that do not wait for each other."""
    first = BLOCK * block + 1
    even, odd = at_sample(transition, row, first, f, u, v), at_sample(transition, row, first + 1, f, u, v)
    low_even, low_odd = even, odd
    for k in range(first + 2, first + BLOCK, 2):
        a, b = at_sample(transition, row, k, f, u, v), at_sample(transition, row, k + 1, f, u, v)
        low_even, even = min(low_even, a), max(even, a)
        low_odd, odd = min(low_odd, b), max(odd, b)
    return min(low_even, low_odd), max(even, odd)


@kernel
def extreme_deviations(
    transition: Float, blocks: int, f: float, u: float, v: float, low_hz: float, high_hz: float
) -> tuple[float, float]:
    """Lowest and highest deviation within the first blocks where they lie beyond those that are known already.

    Parameters
    ----------
    transition : (TRANSITION_ROWS, TRANSITION_COLUMNS) float
        From `solve_transition`.
    blocks : int
        Blocks to look at.
    f, u, v : float
        Deviation, imbalance and what the governors have yet to do, at the start.
    low_hz, high_hz : float
        What the caller knows; blocks of samples that cannot lie beyond are passed over.

    Returns
    -------
    tuple of float
        Lower and higher deviation, or what was known, Hz.
    """
    least = most = f
    least_block = most_block = 0
    for block in range(blocks):
        bounds = EXTREME_DEVIATION + block
        above = highest(transition, bounds, f, u, v) > max(high_hz, most)
        if not above and lowest(transition, bounds, f, u, v) >= min(low_hz, least):
            break
        low, high = block_extremes(transition, DEVIATION, block, f, u, v)
        if low < least:
            least, least_block = low, block
        if high > most:
            most, most_block = high, block
    margin = OVERSHOOT * (most - least)
    if least - margin < low_hz:
        low_hz = min(low_hz, -peak(transition, least_block, blocks, -f, -u, -v, -least))
    if most + margin > high_hz:
        high_hz = max(high_hz, peak(transition, most_block, blocks, f, u, v, most))
    return low_hz, high_hz


@kernel
def peak(transition: Float, block: int, blocks: int, f: float, u: float, v: float, highest_hz: float) -> float:
    """The cubic through the highest sample and its higher neighbour, with their slopes (Hermite), where these meet 0.

    A slope that changes linearly from the one to the other meets it so close to the top that the height is the same.
    """
    k = BLOCK * block
    while at_sample(transition, DEVIATION, k, f, u, v) != highest_hz:
        k += 1
    left = k if at_sample(transition, SLOPE, k, f, u, v) > 0.0 else k - 1
    if left < 0 or left >= BLOCK * blocks:
        return highest_hz
    spacing_s = transition[CADENCE, SPACING_S]
    first = at_sample(transition, DEVIATION, left, f, u, v)
    second = at_sample(transition, DEVIATION, left + 1, f, u, v)
    rise = spacing_s * at_sample(transition, SLOPE, left, f, u, v)
    fall = spacing_s * at_sample(transition, SLOPE, left + 1, f, u, v)
    if rise <= 0.0 or fall >= 0.0:
        return highest_hz
    x = rise / (rise - fall)
    square, cube = 3.0 * (second - first) - 2.0 * rise - fall, 2.0 * (first - second) + rise + fall
    return max(highest_hz, first + x * (rise + x * (square + x * cube)))


@kernel
def steepest_slope(transition: Float, blocks: int, f: float, u: float, v: float, known: float) -> float:
    """Largest |df/dt| at the start and the samples of the first blocks, or the larger one known already, Hz/s."""
    known = max(known, abs(at_sample(transition, SLOPE, 0, f, u, v)))
    for block in range(blocks):
        if weigh(transition, HIGHEST_SLOPE + block, abs(f), abs(u), abs(v)) <= known:
            break
        low, high = block_extremes(transition, SLOPE, block, f, u, v)
        known = max(known, -low, high)
    return known
