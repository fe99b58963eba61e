"""Voltage along a radial feeder: one sweep gathers the flows, the next follows the voltage down from the source.

This is LinDistFlow: the branch equations of M. E. Baran and F. F. Wu, "Optimal capacitor placement on radial
distribution systems", IEEE Transactions on Power Delivery 4(1), 1989, without their loss terms. With injections
positive and P_j, Q_j the sums of what is injected at bus j and beyond, the squared voltage of bus j, fed from bus i
over a line r + jx, is

    v_j² = v_i² + 2 (r P_j + x Q_j)

in per unit of 1 MVA. Losses are of second order in |z S| and are left out, so voltages come out slightly high.
"""

from __future__ import annotations

from math import sqrt
from typing import Final

import numpy as np

from gridmarl.kernels import kernel
from gridmarl.units import Float

# Columns of the feeder table (bus, column), parents before children. Row 0 is the source; its parent is -1.
PARENT, RESISTANCE_PU, REACTANCE_PU = range(3)
FEEDER_COLUMNS = 3
# Columns of the table of reactive support (bus, column): MVAr per pu of deviation, and pu by which the answers of all
# inverters to one pu of deviation would move the voltage.
DROOP, GAIN = range(2)
SUPPORT_COLUMNS = 2

SUPPORT_PASSES: Final = 2
"""Answers of the inverters to the voltage of their previous answers; see `support_voltage`."""


@kernel
def solve_voltage(feeder: Float, source_pu: float, p_mw: Float, q_mvar: Float, squared: Float) -> tuple[float, float]:
    """Squared voltage of every bus, and the lowest and highest voltage.

    Parameters
    ----------
    feeder : (bus, column) float
        Parent, resistance and reactance of the line towards it, pu of 1 MVA; parents before children.
    source_pu : float
        Voltage at the source.
    p_mw, q_mvar : (bus,) float
        Net injections. Overwritten with what is injected at each bus and beyond it.
    squared : (bus,) float
        Filled with squared voltages, pu².

    Returns
    -------
    tuple of float
        Lowest and highest voltage, pu.
    """
    buses = feeder.shape[0]
    p = q = 0.0  # what the bus before this one hands on, in registers: most feeders are mostly chains
    for bus in range(buses - 1, 0, -1):
        p, q = p + p_mw[bus], q + q_mvar[bus]
        p_mw[bus], q_mvar[bus] = p, q
        parent = int(feeder[bus, PARENT])
        if parent != bus - 1:
            p_mw[parent] += p
            q_mvar[parent] += q
            p = q = 0.0
    p_mw[0], q_mvar[0] = p_mw[0] + p, q_mvar[0] + q
    low = high = square = squared[0] = source_pu * source_pu
    for bus in range(1, buses):
        rise = 2.0 * (feeder[bus, RESISTANCE_PU] * p_mw[bus] + feeder[bus, REACTANCE_PU] * q_mvar[bus])
        parent = int(feeder[bus, PARENT])
        square = (square if parent == bus - 1 else squared[parent]) + rise
        squared[bus] = square
        low, high = min(low, square), max(high, square)
    return sqrt(max(low, 0.0)), sqrt(max(high, 0.0))


@kernel
def support_voltage(
    feeder: Float,
    support: Float,
    source_pu: float,
    p_mw: Float,
    q_mvar: Float,
    headroom_mvar: Float,
    dead_band_pu: float,
    squared: Float,
    support_mvar: Float,
) -> tuple[float, float]:
    """As `solve_voltage`, with inverters that inject reactive power where voltage is low and absorb it where high.

    All inverters follow the Volt-VAR curve of IEEE Std 1547-2018: nothing within the dead band, beyond it ``-droop``
    MVAr for each pu, up to what their ratings leave. What they inject changes the voltage that they answer to, so the
    curve is a fixed point. `inverter_answer` steps towards it from no support; an inverter alone on a feeder reaches it
    at the first pass, and with many of them two passes leave voltages about 0.001 pu from it.

    Parameters
    ----------
    feeder : (bus, column) float
        As in `solve_voltage`.
    support : (bus, column) float
        The table of `support_table`; rows of zeros have no inverter.
    source_pu : float
        Voltage at the source.
    p_mw, q_mvar : (bus,) float
        Net injections without the support. Both are overwritten with intermediate results.
    headroom_mvar : (bus,) float
        Reactive power that the inverters of a bus have left, the sum of `reactive_headroom`.
    dead_band_pu : float
        Half the width of the dead band around 1 pu.
    squared : (bus,) float
        Filled with squared voltages, pu².
    support_mvar : (bus,) float
        Filled with the reactive power that the inverters inject.

    Returns
    -------
    tuple of float
        Lowest and highest voltage, pu.
    """
    low, high = solve_voltage(feeder, source_pu, p_mw, q_mvar, squared)
    for bus in range(feeder.shape[0]):
        p_mw[bus] = squared[bus]
        support_mvar[bus] = 0.0
    for _ in range(SUPPORT_PASSES):
        for bus in range(feeder.shape[0]):
            deviation_pu = sqrt(max(squared[bus], 0.0)) - 1.0
            support_mvar[bus] = inverter_answer(
                support[bus, DROOP],
                support[bus, GAIN],
                deviation_pu,
                support_mvar[bus],
                headroom_mvar[bus],
                dead_band_pu,
            )
            q_mvar[bus] = support_mvar[bus]
        low, high = add_reactive(feeder, p_mw, q_mvar, squared)
    return low, high


@kernel
def inverter_answer(
    droop: float, gain: float, deviation_pu: float, now_mvar: float, headroom_mvar: float, dead_band_pu: float
) -> float:
    """Reactive power that the inverters of a bus inject next, MVAr.

    The fixed point of all curves is the optimum of a convex problem (M. Farivar, L. Chen and S. Low, "Equilibrium and
    dynamics of local voltage control in distribution systems", CDC 2013), and this is a step of proximal gradient on it
    (A. Beck and M. Teboulle, 2009). It takes off the part of the deviation that the present support explains, `gain` /
    `droop` pu for each MVAr, and lets the answer move the voltage by as much. That is what all inverters would do to it
    together, an upper bound of what one does, so that steps do not overshoot however steep the droop.
    """
    if droop <= 0.0:
        return 0.0
    unsupported_pu = deviation_pu - gain / droop * now_mvar
    beyond_pu = max(unsupported_pu - dead_band_pu, 0.0) + min(unsupported_pu + dead_band_pu, 0.0)
    return min(max(-droop * beyond_pu / (1.0 + gain), -headroom_mvar), headroom_mvar)


@kernel
def reactive_headroom(rating_mva: float, power_mw: float) -> float:
    """Reactive power an inverter can inject or absorb beside its active power, MVAr (>= 0)."""
    return sqrt(max(rating_mva * rating_mva - power_mw * power_mw, 0.0))


@kernel
def add_reactive(feeder: Float, base: Float, q_mvar: Float, squared: Float) -> tuple[float, float]:
    """Squared voltages when reactive power is added to a solved feeder; the equations are linear.

    Parameters
    ----------
    feeder : (bus, column) float
        As in `solve_voltage`.
    base : (bus,) float
        Squared voltages without the addition, pu².
    q_mvar : (bus,) float
        Reactive power to add. Overwritten with the rise of the squared voltage.
    squared : (bus,) float
        Filled with squared voltages, pu².

    Returns
    -------
    tuple of float
        Lowest and highest voltage, pu.
    """
    buses = feeder.shape[0]
    for bus in range(buses - 1, 0, -1):
        q_mvar[int(feeder[bus, PARENT])] += q_mvar[bus]
    q_mvar[0] = 0.0
    low = high = squared[0] = base[0]
    for bus in range(1, buses):
        q_mvar[bus] = q_mvar[int(feeder[bus, PARENT])] + 2.0 * feeder[bus, REACTANCE_PU] * q_mvar[bus]
        square = base[bus] + q_mvar[bus]
        squared[bus] = square
        low, high = min(low, square), max(high, square)
    return sqrt(max(low, 0.0)), sqrt(max(high, 0.0))


def support_table(feeder: Float, rating_mva: Float, slope_pu: float) -> Float:
    """Table of reactive support for `support_voltage`.

    Parameters
    ----------
    feeder : (bus, column) float
        As in `solve_voltage`.
    rating_mva : (bus,) float
        Rating of the inverters that support the voltage at each bus.
    slope_pu : float
        MVAr for each MVA of rating and pu of deviation beyond the dead band.

    Returns
    -------
    (bus, column) float
        Droop, MVAr/pu, and the voltage that this droop at all buses moves for each pu of deviation.
    """
    table = np.zeros((len(feeder), SUPPORT_COLUMNS))
    table[:, DROOP] = slope_pu * rating_mva
    beyond_mvar = table[:, DROOP].copy()
    nothing, rise = np.zeros(len(feeder)), np.zeros(len(feeder))
    add_reactive(feeder, nothing, beyond_mvar, rise)
    table[:, GAIN] = rise / 2.0  # near 1 pu, v moves by half of what v² does
    return table
