"""The linear frequency of an island in closed form: one exact step, bounds on what happens within, and samples of it.

Without limits the swing equation with governors and secondary control (P. Kundur, *Power System Stability and Control*,
1994, ch. 11) is linear. With the imbalance u = d + g + s as a state in the place of s it has no input left:

    M f' = u - D f,    u' = -(K / Tg + Ks) f - g / Tg,    g' = -(K f + g) / Tg

A step of the imbalance d only moves u. The state after t seconds is exp(A t) times the state at first. The table holds
the exponential for one step, the rows of exponentials that give f and f' at 32 moments in between, at most one radian
of the fastest motion apart, and the largest coefficients of these, so that a handful of products proves for most steps
that nothing remarkable happens within.
"""

from __future__ import annotations

from math import ceil, sqrt
from typing import Final

from gridmarl.grid.columns import DAMPING, GOVERNOR_S, SECONDARY, SUBSTEP_S
from gridmarl.kernels import kernel
from gridmarl.units import Float

SAMPLES = 32
BLOCK = 4
"""Samples that are looked at, or passed over, together."""
BLOCKS = SAMPLES // BLOCK
SAMPLE_DOUBLINGS, BLOCK_DOUBLINGS = 2, 3
"""From the time between samples to a block, 2 ** 2 of them, and on to the step, 2 ** 3 blocks."""
OVERSHOOT: Final = 1.0 / 0.877
"""A sinusoid with samples a radian apart rises at most to 1 / cos(1/2) of its largest sample."""
TAYLOR_TERMS = 8
TAYLOR_REACH: Final = 0.03
"""With radians of the fastest motion up to this, 8 terms of the exponential series are exact to rounding."""

# Rows of ``transition``; columns are the coefficients of f, u and g at the start of the step.
STEP = 0  # f, u, g at its end, and the integral of f
BLOCK_STEP = 4  # likewise for the time of one block of samples
INTEGRAL = 3  # from the first of these rows
CADENCE = 8  # not coefficients: steps a substep, seconds a step, seconds between samples
START_SLOPE = 9  # f' at the start
HIGHEST_IMBALANCE = 10  # bounds |u| throughout the step
HIGHEST_DEVIATION = 11  # bounds |f| from each block on
HIGHEST_SLOPE = HIGHEST_DEVIATION + BLOCKS  # bounds |f'| at the samples from each block on
# Here a block has three rows, the coefficients of f, u and g, and a column for each of its samples.
DEVIATION = HIGHEST_SLOPE + BLOCKS  # f at the samples
SLOPE = DEVIATION + 3 * BLOCKS  # f' likewise
TRANSITION_ROWS = SLOPE + 3 * BLOCKS
TRANSITION_COLUMNS = BLOCK
PARTS, PART_S, SPACING_S = range(3)  # columns of CADENCE


@kernel
def solve_transition(frequency: Float, inertia: float, droop: float, transition: Float) -> None:
    """Fill the table for the units that are online.

    Parameters
    ----------
    frequency : (column,) float
        Parameters of the world.
    inertia : float
        M, MW s/Hz; with 0 there is nothing to solve.
    droop : float
        K, MW/Hz.
    transition : (TRANSITION_ROWS, 4) float
        Filled.
    """
    if inertia <= 0.0:
        transition[CADENCE, PARTS] = 1.0
        return
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
        f = u = g = total = 0.0
        for term in range(TAYLOR_TERMS, -1, -1):
            if term < TAYLOR_TERMS:
                share = time_s / (term + 1)
                rise_g = -(droop * f + g) / lag_s
                total = share * f
                f, u, g = share * (u - damping * f) / inertia, share * (rise_g - secondary * f), share * rise_g
            f += 1.0 if column == 0 else 0.0
            u += 1.0 if column == 1 else 0.0
            g += 1.0 if column == 2 else 0.0
        transition[STEP, column], transition[STEP + 1, column] = f, u
        transition[STEP + 2, column], transition[INTEGRAL, column] = g, total


@kernel
def double(transition: Float) -> None:
    """From the step rows of some time to those of twice that time."""
    f0, f1, f2 = transition[0, 0], transition[0, 1], transition[0, 2]
    u0, u1, u2 = transition[1, 0], transition[1, 1], transition[1, 2]
    g0, g1, g2 = transition[2, 0], transition[2, 1], transition[2, 2]
    for row in range(4):
        f, u, g = transition[row, 0], transition[row, 1], transition[row, 2]
        before = 1.0 if row == INTEGRAL else 0.0
        transition[row, 0] = before * f + f * f0 + u * u0 + g * g0
        transition[row, 1] = before * u + f * f1 + u * u1 + g * g1
        transition[row, 2] = before * g + f * f2 + u * u2 + g * g2


@kernel
def sample(damping: float, inertia: float, transition: Float) -> None:
    """Fill samples and bounds, with the step rows for the time between samples."""
    transition[START_SLOPE, 0], transition[START_SLOPE, 1] = -damping / inertia, 1.0 / inertia
    transition[START_SLOPE, 2] = 0.0
    repeat(transition, 1.0, 0.0, DEVIATION)
    repeat(transition, 0.0, 1.0, SLOPE)  # u, until `bound` turns it into f'
    for coefficient in range(3):
        bound(damping, inertia, coefficient, transition)


@kernel
def repeat(transition: Float, f: float, u: float, first_row: int) -> None:
    """Coefficients of one state, f or u, after 1, 2, 3, ... times the time between samples."""
    g = 0.0
    for k in range(SAMPLES):
        f, u, g = (
            f * transition[0, 0] + u * transition[1, 0] + g * transition[2, 0],
            f * transition[0, 1] + u * transition[1, 1] + g * transition[2, 1],
            f * transition[0, 2] + u * transition[1, 2] + g * transition[2, 2],
        )
        row, column = first_row + 3 * (k // BLOCK), k % BLOCK
        transition[row, column], transition[row + 1, column], transition[row + 2, column] = f, u, g


@kernel
def bound(damping: float, inertia: float, coefficient: int, transition: Float) -> None:
    """Largest coefficients of one state at first, from the last block back; its samples of u become those of f'."""
    highest_f = highest_u = highest_slope = 0.0
    for block in range(BLOCKS - 1, -1, -1):
        row = 3 * block + coefficient
        for column in range(BLOCK):
            f, u = transition[DEVIATION + row, column], transition[SLOPE + row, column]
            slope = (u - damping * f) / inertia
            transition[SLOPE + row, column] = slope
            highest_f, highest_u = max(highest_f, abs(f)), max(highest_u, abs(u))
            highest_slope = max(highest_slope, abs(slope))
        starts = 1.0 if coefficient == 0 else 0.0
        if block > 0:
            starts = abs(transition[DEVIATION + row - 3, BLOCK - 1])
        transition[HIGHEST_DEVIATION + block, coefficient] = OVERSHOOT * max(highest_f, starts)
        transition[HIGHEST_SLOPE + block, coefficient] = highest_slope
    transition[HIGHEST_IMBALANCE, coefficient] = OVERSHOOT * max(highest_u, 1.0 if coefficient == 1 else 0.0)


@kernel
def weigh(transition: Float, row: int, f: float, u: float, g: float) -> float:
    """A row of coefficients times a state."""
    return transition[row, 0] * f + transition[row, 1] * u + transition[row, 2] * g


@kernel
def at_sample(transition: Float, rows: int, column: int, f: float, u: float, g: float) -> float:
    """One sample of a block, whose coefficients stand below each other."""
    return transition[rows, column] * f + transition[rows + 1, column] * u + transition[rows + 2, column] * g


@kernel
def block_samples(transition: Float, rows: int, f: float, u: float, g: float) -> tuple[float, float, float, float]:
    """All samples of a block."""
    return (
        at_sample(transition, rows, 0, f, u, g),
        at_sample(transition, rows, 1, f, u, g),
        at_sample(transition, rows, 2, f, u, g),
        at_sample(transition, rows, 3, f, u, g),
    )


@kernel
def extreme_deviations(
    transition: Float, blocks: int, f: float, u: float, g: float, low_hz: float, high_hz: float
) -> tuple[float, float]:
    """Lowest and highest deviation within the first blocks where they lie beyond those that are known already.

    Parameters
    ----------
    transition : (TRANSITION_ROWS, 4) float
        From `solve_transition`.
    blocks : int
        Blocks to look at.
    f, u, g : float
        Deviation, imbalance and governors' power at the start.
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
        reach = weigh(transition, HIGHEST_DEVIATION + block, abs(f), abs(u), abs(g))
        if reach <= high_hz and -reach >= low_hz:
            break
        a, b, c, d = block_samples(transition, DEVIATION + 3 * block, f, u, g)
        lowest, highest = min(a, b, c, d), max(a, b, c, d)
        if lowest < least:
            least, least_block = lowest, block
        if highest > most:
            most, most_block = highest, block
    margin = (OVERSHOOT - 1.0) * (most - least)
    if least - margin < low_hz:
        low_hz = min(low_hz, -peak(transition, least_block, blocks, -f, -u, -g, -least))
    if most + margin > high_hz:
        high_hz = max(high_hz, peak(transition, most_block, blocks, f, u, g, most))
    return low_hz, high_hz


@kernel
def peak(transition: Float, block: int, blocks: int, f: float, u: float, g: float, highest: float) -> float:
    """The top of the cubic through the highest sample and its higher neighbour, with their slopes (Hermite)."""
    k = 0  # samples from the start, which is sample 0
    if highest != f:
        a, b, c, _ = block_samples(transition, DEVIATION + 3 * block, f, u, g)
        k = BLOCK * block + (1 if highest == a else 2 if highest == b else 3 if highest == c else 4)
    left = k if slope_at(transition, k, f, u, g) > 0.0 else k - 1
    if left < 0 or left >= BLOCK * blocks:
        return highest
    spacing_s = transition[CADENCE, SPACING_S]
    first, second = deviation_at(transition, left, f, u, g), deviation_at(transition, left + 1, f, u, g)
    rise, fall = spacing_s * slope_at(transition, left, f, u, g), spacing_s * slope_at(transition, left + 1, f, u, g)
    square, cube = 3.0 * (second - first) - 2.0 * rise - fall, 2.0 * (first - second) + rise + fall
    discriminant = square * square - 3.0 * cube * rise
    if rise <= 0.0 or discriminant <= 0.0:
        return highest
    x = rise / (sqrt(discriminant) - square)
    if not 0.0 <= x <= 1.0:
        return highest
    return max(highest, first + x * (rise + x * (square + x * cube)))


@kernel
def deviation_at(transition: Float, k: int, f: float, u: float, g: float) -> float:
    """Deviation at a sample, Hz; sample 0 is the start."""
    if k == 0:
        return f
    return at_sample(transition, DEVIATION + 3 * ((k - 1) // BLOCK), (k - 1) % BLOCK, f, u, g)


@kernel
def slope_at(transition: Float, k: int, f: float, u: float, g: float) -> float:
    """Slope at a sample, Hz/s; sample 0 is the start."""
    if k == 0:
        return weigh(transition, START_SLOPE, f, u, g)
    return at_sample(transition, SLOPE + 3 * ((k - 1) // BLOCK), (k - 1) % BLOCK, f, u, g)


@kernel
def steepest_slope(transition: Float, blocks: int, f: float, u: float, g: float, known: float) -> float:
    """Largest |df/dt| at the start and the samples of the first blocks, or the larger one known already, Hz/s."""
    known = max(known, abs(weigh(transition, START_SLOPE, f, u, g)))
    for block in range(blocks):
        if weigh(transition, HIGHEST_SLOPE + block, abs(f), abs(u), abs(g)) <= known:
            break
        a, b, c, d = block_samples(transition, SLOPE + 3 * block, f, u, g)
        known = max(known, abs(a), abs(b), abs(c), abs(d))
    return known
