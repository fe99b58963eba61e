"""What the numbers of an episode need to know of its world: the grid's bands, the batteries, sun and wind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gridmarl.environment.compiled.columns import SEAT_NAMES
from gridmarl.environment.compiled.grid import nominal_hz
from gridmarl.environment.core import Core
from gridmarl.scenario.grid import FrequencySettings
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import Float

AVAILABLE = SEAT_NAMES["generator"].index("available_mw")
OUTPUT = SEAT_NAMES["generator"].index("output_mw")


@dataclass(frozen=True, slots=True)
class GridFacts:
    """Bands of a world's grid, and what of it the world models.

    Attributes
    ----------
    nominal_hz, band_hz : float
        Nominal frequency and half the width of its band.
    band_pu : float
        Half the width of the voltage's band around 1.
    has_frequency, has_voltage, buys_reserve : bool
        Frequency by a swing equation or by the connection's profile; voltage by a feeder; reserve by an auction.
    """

    nominal_hz: float
    band_hz: float
    band_pu: float
    has_frequency: bool
    has_voltage: bool
    buys_reserve: bool

    @classmethod
    def of(cls, scenario: Scenario) -> GridFacts:
        """Those of a scenario."""
        frequency, voltage, connection = scenario.frequency, scenario.voltage, scenario.connection
        return cls(
            nominal_hz=nominal_hz(scenario),
            band_hz=(frequency or FrequencySettings()).band_hz,
            band_pu=voltage.band_pu if voltage else 0.0,
            has_frequency=frequency is not None or (connection is not None and connection.frequency is not None),
            has_voltage=voltage is not None,
            buys_reserve=scenario.reserve is not None,
        )


@dataclass(frozen=True, slots=True)
class BatteryFacts:
    """What wears a battery out; costs as in the scenario."""

    name: str
    capacity_mwh: float
    soc_initial: float
    wear_per_mwh: float
    wear_per_mw2h: float
    cycle_cost_per_mwh: float
    cycle_exponent: float


def battery_facts(scenario: Scenario) -> tuple[BatteryFacts, ...]:
    """Of every battery and vehicle, in the order of their seats."""
    return tuple(
        BatteryFacts(
            name=unit.name,
            capacity_mwh=unit.capacity_mwh,
            soc_initial=unit.soc_initial,
            wear_per_mwh=unit.wear_per_mwh,
            wear_per_mw2h=unit.wear_per_mw2h,
            cycle_cost_per_mwh=unit.cycle_cost_per_mwh,
            cycle_exponent=unit.cycle_exponent,
        )
        for unit in scenario.all_storage
    )


def untaken_mw(core: Core, results: Float) -> Float:
    """What sun and wind could have delivered in real time and did not, (interval,) MW.

    Sun and wind are the renewables whose availability is a profile. In real time they could deliver their capacity
    times the profile and how it strays; nothing while they are off.

    Parameters
    ----------
    core : Core
        After the episode, of one row.
    results : (interval, seat, column) array
        Of the episode.
    """
    delivered, names = core.delivered(0), core.compiled.series.names
    untaken = np.zeros(len(results))
    for row, unit in enumerate(core.compiled.scenario.all_generators):
        if unit.renewable and unit.availability:
            possible = unit.capacity_mw * delivered[:, names.index(unit.availability)]
            possible = np.where(results[:, row, AVAILABLE] > 0.0, possible, 0.0)
            untaken += np.maximum(possible - results[:, row, OUTPUT], 0.0)
    return untaken


def held_back_mw(core: Core, results: Float) -> Float:
    """Must-run output of all other units that nobody took, (interval,) MW; of sun and wind it is part of the above."""
    names = SEAT_NAMES["generator"]
    must_run, deviation = names.index("must_run_mw"), names.index("deviation_mw")
    back = np.zeros(len(results))
    for row, unit in enumerate(core.compiled.scenario.all_generators):
        if not (unit.renewable and unit.availability):
            scheduled = results[:, row, OUTPUT] - results[:, row, deviation]
            back += np.maximum(results[:, row, must_run] - scheduled, 0.0)
    return back
