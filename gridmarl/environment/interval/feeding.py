"""Voltage: what every seat injects at its bus, and the lowest and highest voltage on the feeder.

Runs between the response and the delivery, while schedule and deviation still stand apart.
"""

from __future__ import annotations

from gridmarl.environment.compiled.arrays import Book, World
from gridmarl.environment.compiled.columns import (
    DEVIATION_MW,
    EIGHTH,
    FIFTH,
    POWER_MW,
    SEVENTH,
    SOURCE_PU,
    SUPPORT_DEAD_BAND,
    VOLTAGE_HIGH,
    VOLTAGE_LOW,
)
from gridmarl.grid import voltage
from gridmarl.kernels import inner_kernel
from gridmarl.units import Float, Int


@inner_kernel
def inject(world: World, seats: Float, flow: Float) -> None:
    """Active and reactive power of every bus, MW and MVAr; only loads take reactive power."""
    first = world.generator.shape[0] + world.battery.shape[0]
    for k in range(flow.shape[1]):
        flow[0, k], flow[1, k] = 0.0, 0.0
    for k in range(first):
        flow[0, world.bus[k]] += seats[k, POWER_MW] + seats[k, DEVIATION_MW]
    for c in range(first, first + world.load.shape[0]):
        scheduled = seats[c, SEVENTH] - seats[c, POWER_MW] - seats[c, EIGHTH]
        taken = scheduled - seats[c, DEVIATION_MW] - seats[c, FIFTH]
        flow[0, world.bus[c]] -= taken
        flow[1, world.bus[c]] -= taken * world.reactive[c]


@inner_kernel
def leave_headroom(inverter_mva: Float, places: Int, seats: Float, headroom: Float) -> None:
    """Reactive power that the inverters of each bus have left beside what they deliver, MVAr."""
    for k in range(headroom.shape[0]):
        headroom[k] = 0.0
    for k in range(inverter_mva.shape[0]):
        if inverter_mva[k] > 0.0:
            delivered = seats[k, POWER_MW] + seats[k, DEVIATION_MW]
            headroom[places[k]] += voltage.reactive_headroom(inverter_mva[k], delivered)


@inner_kernel
def feed(world: World, book: Book, seats: Float, market: Float) -> None:
    """Voltage of one row; nominal where there is no feeder."""
    if world.feeder.shape[0] == 0:
        market[VOLTAGE_LOW] = market[VOLTAGE_HIGH] = 1.0
        return
    inject(world, seats, book.flow)
    source, flow = world.rules[SOURCE_PU], book.flow
    if world.support.shape[0] == 0:
        low, high = voltage.solve_voltage(world.feeder, source, flow[0], flow[1], flow[2])
    else:
        leave_headroom(world.inverter_mva, world.bus, seats, flow[3])
        dead_band = world.rules[SUPPORT_DEAD_BAND]
        low, high = voltage.support_voltage(
            world.feeder, world.support, source, flow[0], flow[1], flow[3], dead_band, flow[2], flow[4]
        )
    market[VOLTAGE_LOW], market[VOLTAGE_HIGH] = low, high
