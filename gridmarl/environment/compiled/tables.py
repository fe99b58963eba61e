"""The scenario's participants and series as tables, a row each."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np

from gridmarl.assets import battery, generator, load
from gridmarl.data.series import Series
from gridmarl.data.straying import STRAYING_COLUMNS
from gridmarl.environment.compiled import grid
from gridmarl.environment.compiled.homes import (
    vehicle_columns,
)
from gridmarl.scenario.scenario import MINUTES_PER_HOUR, Scenario
from gridmarl.units import HOURS_PER_DAY, Float, Float32, Int


def _table(rows: list[list[float]], width: int) -> Float:
    return np.array(rows, np.float64).reshape(len(rows), width)


def _ramp(ramp_mw_per_h: float | None, interval_h: float) -> float:
    return generator.UNLIMITED if ramp_mw_per_h is None else ramp_mw_per_h * interval_h


def generator_table(scenario: Scenario, series: Series) -> Float:
    """Constants of the generators (generator, column): powers in MW, costs in $/MWh, ramps in MW an interval."""
    nominal_hz = grid.nominal_hz(scenario)
    return _table(
        [
            [
                g.capacity_mw,
                g.minimum_mw,
                g.cost_per_mwh,
                g.cost_per_mw2h,
                g.co2_kg_per_mwh,
                _ramp(g.ramp_mw_per_h, scenario.interval_h),
                g.start_cost,
                g.initial_mw,
                series.names.index(g.availability) if g.availability else -1,
                float(g.renewable),
                generator.UNLIMITED if g.ramp_mw_per_h is None else g.ramp_mw_per_h / MINUTES_PER_HOUR,
                2.0 * g.inertia_s * g.capacity_mw / nominal_hz,
                g.capacity_mw / (g.droop * nominal_hz) if g.droop else 0.0,
            ]
            for g in scenario.all_generators
        ],
        generator.GENERATOR_COLUMNS,
    )


def battery_table(scenario: Scenario) -> Float:
    """Constants of the batteries and vehicles (battery, column): MWh, MW, efficiencies, $/MWh of wear."""
    nominal_hz = grid.nominal_hz(scenario)
    return _table(
        [
            [
                b.capacity_mwh,
                b.power_mw,
                b.charge_efficiency,
                b.discharge_efficiency,
                b.soc_min * b.capacity_mwh,
                b.soc_max * b.capacity_mwh,
                b.soc_initial * b.capacity_mwh,
                b.wear_per_mwh,
                b.wear_per_mw2h,
                _ramp(b.ramp_mw_per_h, scenario.interval_h),
                b.cycle_cost_per_mwh,
                b.cycle_exponent,
                b.power_mw / (b.droop * nominal_hz) if b.droop else 0.0,
                *vehicle_columns(b),
            ]
            for b in scenario.all_storage
        ],
        battery.BATTERY_COLUMNS,
    )


def load_table(scenario: Scenario, series: Series) -> Float:
    """Constants of the loads (load, column): MW, profile, flexible share and what reducing it costs, $/MWh."""
    return _table(
        [
            [
                c.load_mw,
                series.names.index(c.profile),
                c.flexible_share,
                c.dr_price_per_mwh,
                c.true_cost_per_mwh,
                c.rebound_share,
                c.rebound_h,
            ]
            for c in scenario.all_consumers
        ],
        load.LOAD_COLUMNS,
    )


def straying_table(scenario: Scenario, series: Series) -> Float:
    """How far profiles stray within an interval; correlation from substep to substep."""
    minutes = scenario.interval_min / scenario.substeps
    rows: list[list[float]] = []
    for name in series.names:
        profile = scenario.profiles[name]
        decay = float(np.exp(-minutes / profile.realtime_correlation_min))
        rows.append([profile.realtime_relative, profile.realtime_absolute, decay, float(np.sqrt(1.0 - decay**2))])
    return _table(rows, STRAYING_COLUMNS)


def clock_table(scenario: Scenario, series: Series) -> Float32:
    """Sine and cosine of the local time of day and of the week, (index, 4)."""
    first = series.start_utc.astimezone(ZoneInfo(scenario.timezone)).weekday()
    day = 2 * np.pi * series.local_h / HOURS_PER_DAY
    week = 2 * np.pi * (series.local_h / HOURS_PER_DAY + first) / 7.0
    return np.stack([np.sin(day), np.cos(day), np.sin(week), np.cos(week)], axis=1).astype(np.float32)


def maintenance_table(scenario: Scenario) -> Int:
    """When which unit is out (window, 3): generator, first interval, first interval after."""
    windows = [
        [g, round(start / scenario.interval_h), round(end / scenario.interval_h)]
        for g, unit in enumerate(scenario.all_generators)
        for start, end in unit.maintenance_h
    ]
    windows += grid.repairs(scenario)
    return np.array(windows, np.int64).reshape(len(windows), 3)


def reference_stack(scenario: Scenario) -> Float:
    """The public reference: class-average cost and cumulative MW, cheapest first; renewables below any net demand."""
    renewable = [g.cost_per_mwh for g in scenario.all_generators if g.renewable]
    classes: dict[str, list[tuple[float, float]]] = {}
    for g in scenario.all_generators:
        if not g.renewable:
            cost = g.cost_per_mwh + g.cost_per_mw2h * g.capacity_mw
            classes.setdefault(g.technology, []).append((cost, g.capacity_mw))
    for c in scenario.all_consumers:
        if c.flexible_share > 0:
            classes.setdefault("demand response", []).append((c.dr_price_per_mwh, c.flexible_share * c.load_mw))
    rows = sorted((_average(units), sum(mw for _, mw in units)) for units in classes.values())
    stack = [[max(renewable, default=0.0), 0.0]] + [[cost, mw] for cost, mw in rows]
    table = np.array(stack)
    table[:, 1] = np.cumsum(table[:, 1])
    return table


def _average(units: list[tuple[float, float]]) -> float:
    return sum(cost * mw for cost, mw in units) / sum(mw for _, mw in units)
