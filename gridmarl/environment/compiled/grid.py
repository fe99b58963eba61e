"""The grid of a scenario as arrays: swing equation, thresholds, reserve, trips, feeder."""

from __future__ import annotations

import math

import numpy as np

from gridmarl.environment.compiled import columns
from gridmarl.grid import emergency, frequency, voltage
from gridmarl.kernels import entry_kernel
from gridmarl.scenario.feeder import Feeder
from gridmarl.scenario.grid import EmergencySettings, FrequencySettings, ReserveSettings
from gridmarl.scenario.scenario import SECONDS_PER_MINUTE, Scenario
from gridmarl.units import Float, Int

DEFAULT = FrequencySettings()
INVERTER_OVER_POWER = 1.1
"""Inverters are rated a little above the active power behind them, so that some reactive power is always left."""


def nominal_hz(scenario: Scenario) -> float:
    """Nominal frequency, Hz."""
    return (scenario.frequency or DEFAULT).nominal_hz


def frequency_table(scenario: Scenario) -> Float:
    """Parameters of the swing equation with all units on line; no inertia where the world models no frequency."""
    settings, table = scenario.frequency or DEFAULT, np.zeros(frequency.FREQUENCY_COLUMNS)
    table[frequency.NOMINAL_HZ], table[frequency.BAND_HZ] = settings.nominal_hz, settings.band_hz
    dead_band = settings.dead_band_hz
    table[frequency.DEAD_BAND_HZ] = settings.band_hz if dead_band is None else dead_band
    table[frequency.GOVERNOR_S] = settings.governor_s
    table[frequency.SUBSTEP_S] = scenario.interval_min * SECONDS_PER_MINUTE / scenario.substeps
    if scenario.frequency is None:
        return table
    inertia = droop = 0.0  # summed in the kernel's order: equal sums tell it that all units are on line
    for unit in scenario.all_generators:
        inertia += 2.0 * unit.inertia_s * unit.capacity_mw / settings.nominal_hz
        droop += unit.capacity_mw / (unit.droop * settings.nominal_hz) if unit.droop else 0.0
    load_mw = sum(load.load_mw for load in scenario.all_consumers)
    table[frequency.INERTIA], table[frequency.DROOP] = inertia, droop
    table[frequency.DAMPING] = settings.damping * load_mw / settings.nominal_hz
    if settings.secondary_s is not None:
        table[frequency.SECONDARY] = (droop + table[frequency.DAMPING]) / settings.secondary_s
    return table


@entry_kernel
def fill_transition(parameters: Float, inertia: float, droop: float, rows: Float) -> None:
    """Solve the swing equation over a substep; see :func:`gridmarl.grid.transition.solve_transition`."""
    frequency.solve_transition(parameters, inertia, droop, rows)


def transition(table: Float) -> Float:
    """The solution over a substep, precomputed with all units on line."""
    rows = np.zeros((frequency.TRANSITION_ROWS, frequency.TRANSITION_COLUMNS))
    if table[frequency.INERTIA] > 0.0:
        fill_transition(table, table[frequency.INERTIA], table[frequency.DROOP], rows)
    return rows


def emergency_table(settings: EmergencySettings) -> Float:
    """Thresholds in the order of the kernel's columns."""
    table = np.zeros(emergency.EMERGENCY_COLUMNS)
    table[emergency.DETECTION_HZ], table[emergency.ALERT_HZ] = settings.detection_hz, settings.alert_hz
    table[emergency.STORAGE_HZ], table[emergency.SHED_HZ] = settings.storage_hz, settings.shed_hz
    table[emergency.SHED_STEP_HZ], table[emergency.SHED_BLOCKS] = settings.shed_step_hz, settings.shed_blocks
    table[emergency.SHED_SHARE], table[emergency.GENERATION_S] = settings.shed_share, settings.generation_s
    table[emergency.RECOVERY_HZ], table[emergency.RECOVERY_S] = settings.recovery_hz, settings.recovery_s
    table[emergency.RESTORE_S] = settings.restore_s
    return table


def reserve_rules(settings: ReserveSettings | None) -> Float:
    """Requirement, penalty, times and the operator's levels; nothing is required without settings."""
    chosen, rules = settings or ReserveSettings(spin_share=0.0, nonspin_share=0.0), np.zeros(columns.RESERVE_RULES)
    rules[columns.SPIN_SHARE], rules[columns.NONSPIN_SHARE] = chosen.spin_share, chosen.nonspin_share
    rules[columns.PENALTY], rules[columns.DURATION_H] = chosen.penalty_per_mwh, chosen.reserve_duration_h
    rules[columns.SPIN_MIN], rules[columns.NONSPIN_MIN] = chosen.spin_response_min, chosen.nonspin_response_min
    rules[columns.FIRST_LEVEL :] = chosen.levels
    return rules


def asked_for_reserve(scenario: Scenario) -> Float:
    """Asked price of every possible seller: generators, then batteries."""
    sellers = (*scenario.all_generators, *scenario.all_storage)
    return np.array([seller.reserve_price_per_mwh for seller in sellers], np.float64)


def trips(scenario: Scenario) -> Int:
    """Unit, interval and substep of each failure."""
    names = [unit.name for unit in scenario.all_generators]
    rows: list[list[int]] = []
    for failure in scenario.trips:
        interval, rest = divmod(failure.at_h, scenario.interval_h)
        substep = min(int(rest / scenario.interval_h * scenario.substeps + 1e-9), scenario.substeps - 1)
        rows.append([names.index(failure.generator), int(interval), substep])
    return np.array(rows, np.int64).reshape(len(rows), 3)


def repairs(scenario: Scenario) -> list[list[int]]:
    """From the interval after its failure until its repair a unit is off, as in maintenance."""
    names = [unit.name for unit in scenario.all_generators]
    windows: list[list[int]] = []
    for failure in scenario.trips:
        first = int(failure.at_h // scenario.interval_h) + 1
        last = first + max(1, round(failure.hours / scenario.interval_h))
        windows.append([names.index(failure.generator), first, last])
    return windows


def load_feeder(scenario: Scenario) -> Feeder | None:
    """The feeder that the scenario names."""
    return Feeder.load(scenario.voltage.feeder) if scenario.voltage else None


def feeder_table(feeder: Feeder | None) -> Float:
    """Branches for the kernel, parents before children; empty without a feeder."""
    return feeder.table() if feeder else np.zeros((0, voltage.FEEDER_COLUMNS))


def places(scenario: Scenario, feeder: Feeder | None) -> Int:
    """Row of the bus where each seat stands; the source where it names none.

    Raises
    ------
    ScenarioError
        Where a participant names a bus that the feeder does not have.
    """
    members = (*scenario.all_generators, *scenario.all_storage, *scenario.all_consumers)
    return np.array([feeder.row(m.bus) if feeder and m.bus else 0 for m in members], np.int64)


def inverter_ratings(scenario: Scenario) -> Float:
    """Rating of each generator's and battery's inverter that supports the voltage, MVA; none without the option."""
    supports = bool(scenario.voltage and scenario.voltage.reactive_support)
    units = [unit.capacity_mw if unit.renewable else 0.0 for unit in scenario.all_generators]
    return supports * INVERTER_OVER_POWER * np.array([*units, *(b.power_mw for b in scenario.all_storage)], np.float64)


def support_table(scenario: Scenario, feeder: Feeder | None) -> Float:
    """Droop of the inverters at each bus; empty without the option."""
    if not feeder or not scenario.voltage or not scenario.voltage.reactive_support:
        return np.zeros((0, voltage.SUPPORT_COLUMNS))
    table, ratings, rating_mva = feeder.table(), inverter_ratings(scenario), np.zeros(len(feeder.bus_names))
    np.add.at(rating_mva, places(scenario, feeder)[: len(ratings)], ratings)
    return voltage.support_table(table, rating_mva, scenario.voltage.support_slope_pu)


def reactive_shares(scenario: Scenario) -> Float:
    """MVAr that each seat takes with every MW it takes; only loads take any."""
    others = len(scenario.all_generators) + len(scenario.all_storage)
    shares = [math.tan(math.acos(load.power_factor)) for load in scenario.all_consumers]
    return np.array([0.0] * others + shares)
