"""What counts as a reward of 1: frozen constants per seat, so that large units do not drown small ones.

A running normaliser of rewards would change what a remembered reward means; these never change.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from gridmarl.scenario.scenario import OPERATOR, Scenario
from gridmarl.units import Float

REFERENCE_CO2_KG_PER_MWH: Final = 500.0
"""Emissions that count as much as the reference price: between gas (about 400) and coal (about 900)."""
OBJECTIVES: Final = ("stability", "cost", "emissions")
"""Components of the operator's vector reward; higher is better in each."""


def reward_scale(scenario: Scenario, seats: Sequence[str]) -> Float:
    """Dollars that each seat's capacity earns in an interval at the reference price, (seat,).

    Capacity is a generator's rating, a battery's power, a load's size, the sum of a home's parts, and for the operator
    the sum of all loads, MW.
    """
    capacity = capacities_mw(scenario)
    return np.array([capacity[seat] for seat in seats]) * scenario.reference_price_per_mwh * scenario.interval_h


def objective_scale(scenario: Scenario) -> Float:
    """Dollars, dollars and kg CO2 that count as 1 in the operator's vector reward, (1, objective)."""
    load_mwh = capacities_mw(scenario)[OPERATOR] * scenario.interval_h
    dollars = load_mwh * scenario.reference_price_per_mwh
    return np.array([[dollars, dollars, load_mwh * REFERENCE_CO2_KG_PER_MWH]])


def objective_weights(scenario: Scenario) -> tuple[float, float, float]:
    """What a dollar, a dollar and a kg CO2 count in the operator's own reward."""
    settings = scenario.operator
    return settings.stability_weight, settings.cost_weight, settings.emissions_weight


def capacities_mw(scenario: Scenario) -> dict[str, float]:
    """Seat -> what scales its rewards."""
    found = {unit.name: unit.capacity_mw for unit in scenario.all_generators}
    found |= {unit.name: unit.power_mw for unit in scenario.all_storage}
    found |= {unit.name: unit.load_mw for unit in scenario.all_consumers}
    for home in scenario.all_prosumers:
        found[home.name] = sum(found[part.name] for part in home.parts)
    loads = sum(unit.load_mw for unit in scenario.all_consumers)
    return {**found, OPERATOR: loads or sum(unit.capacity_mw for unit in scenario.all_generators) or 1.0}
