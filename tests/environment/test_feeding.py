"""Voltage in the step: the feeder of the world, fed with what was really delivered."""

from __future__ import annotations

import numpy as np

from gridmarl.environment.core import Core
from gridmarl.scenario.feeder import Feeder
from gridmarl.scenario.scenario import Scenario
from tests.environment.worlds import market, seat, world

LOAD = {"name": "load", "load_mw": 100, "bus": "bus_7", "power_factor": 0.95}
UNIT = {"name": "unit", "capacity_mw": 150, "cost_per_mwh": 50}
SUN = {"name": "sun", "capacity_mw": 60, "renewable": True, "technology": "solar", "bus": "bus_6"}


def low_and_high(scenario: Scenario) -> tuple[float, float]:
    core = Core(scenario, codecs={"generator": "markup"})
    core.reset()
    outcome = core.step(np.ones((1, core.width)) * [[1.0] * (core.width - 1) + [0.0]])
    return market(outcome)["voltage_low_pu"], market(outcome)["voltage_high_pu"]


def test_without_a_feeder_the_voltage_is_nominal() -> None:
    assert low_and_high(world(generators=[UNIT], consumers=[LOAD | {"bus": None}])) == (1.0, 1.0)


def test_the_far_load_pulls_the_voltage_down_as_the_feeders_impedance_says() -> None:
    """v_7² = v_0² - 2 sum over the branches to bus 7 of (r P + x Q) / V²."""
    feeder = Feeder.load("small")
    low, high = low_and_high(world(generators=[UNIT], consumers=[LOAD], voltage={"feeder": "small"}))
    base, q = feeder.nominal_kv**2, 100 * np.tan(np.arccos(0.95))
    parents = {branch.to_bus: branch for branch in feeder.branches}
    bus, squared = "bus_7", feeder.source_pu**2
    while bus in parents:
        squared -= 2 * (parents[bus].r_ohm * 100 + parents[bus].x_ohm * q) / base
        bus = parents[bus].from_bus
    assert abs(low - np.sqrt(squared)) < 1e-12
    assert abs(high - feeder.source_pu) < 1e-12


def test_inverters_that_support_the_voltage_narrow_its_range() -> None:
    settings = {"generators": [UNIT, SUN], "consumers": [LOAD]}
    without = low_and_high(world(**settings, voltage={"feeder": "small"}))
    supported = low_and_high(world(**settings, voltage={"feeder": "small", "reactive_support": True}))
    assert supported[0] > without[0] + 1e-3
    assert supported[1] <= without[1] + 1e-12


def test_a_load_without_a_named_bus_stands_at_the_source_and_moves_nothing() -> None:
    scenario = world(generators=[UNIT], consumers=[LOAD | {"bus": None}], voltage={"feeder": "small"})
    assert low_and_high(scenario) == (Feeder.load("small").source_pu,) * 2


def test_voltage_follows_delivery_not_the_schedule() -> None:
    """Demand strays from its schedule, and so does the voltage."""
    straying = {"demand": {"realtime_relative": 0.05}}
    scenario = world(
        generators=[UNIT | {"inertia_s": 5, "droop": 0.05}],
        consumers=[LOAD],
        voltage={"feeder": "small"},
        frequency={},
        profiles=straying,
    )
    core = Core(scenario, codecs={"generator": "markup"})
    core.reset()
    outcome = core.step(np.array([[1.0, 0.0, 0.0]])[:, : core.width])
    low = market(outcome)["voltage_low_pu"]
    still = low_and_high(world(generators=[UNIT], consumers=[LOAD], voltage={"feeder": "small"}))[0]
    deviation = seat(core, outcome, "load")["deviation_mw"]
    assert deviation != 0.0
    assert np.sign(low - still) == np.sign(deviation)
