"""A store, a plant and a town on an island, for four steps: few enough numbers to follow each of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from gridmarl.planning.model.assets import Asset, Battery, Coupling, FlexibleLoad, Generator, Owner
from gridmarl.planning.model.problem import Problem
from gridmarl.planning.model.risk import Prices

STEPS: Final = np.ones(4)
PRICES: Final = Prices.certain(np.array([20.0, 60.0, 30.0, 80.0]))
BALANCE: Final = Coupling(0.0, 0.0, 1000.0, 400.0)
CELL: Final = Battery("cell", 1.0, 1.0, 0.9, 0.9, 0.0, 4.0, 2.0, wear_per_mwh=1.0)
GAS: Final = Generator("gas", 3.0, 0.0, 40.0)
CITY: Final = FlexibleLoad("city", np.array([1.0, 2.0, 2.5, 1.5]), 0.2, 70.0)
CURVED_CELL: Final = replace(CELL, wear_per_mw2h=2.0)
CURVED_GAS: Final = replace(GAS, cost_per_mw2h=3.0)


def owners(cell: Battery = CELL, gas: Generator = GAS, city: Asset = CITY) -> tuple[Owner, ...]:
    """The three; by default all costs are linear."""
    return Owner("store", (cell,)), Owner("plant", (gas,)), Owner("town", (city,))


def curved_owners(cell: Battery = CURVED_CELL) -> tuple[Owner, ...]:
    """The three with quadratic costs."""
    return owners(cell, CURVED_GAS)


def island(parties: tuple[Owner, ...]) -> Problem:
    """These parties on the island, at its prices."""
    return Problem(parties, STEPS, BALANCE, PRICES)
