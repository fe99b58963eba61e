"""What a generator could have earned by its 20 prices, had it known everything: its clairvoyant best response.

Others play as given, and chance does not depend on actions, so an episode that is known is a deterministic programme:
what one interval leaves to the next is the units' outputs (ramps), stored energy, what loads are owed and frequency.
Forward dynamic programming goes through it (`enumeration`). Of states that are nearly alike only the one that has
earned most is followed, so that a day of 288 intervals can be gone through. What is found was really earned by some
sequence of prices. It is the optimum where no two states that differed were ever taken for alike and none was dropped
(``exact``), and a lower bound of it elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from gridmarl.agents.team import Team
from gridmarl.assets import battery, generator
from gridmarl.bench.market_power.enumeration import Alone
from gridmarl.environment.compiled.arrays import Rows
from gridmarl.errors import ScenarioError
from gridmarl.scenario.rules import Split
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import Float, Int

OUTPUT_BINS: Final = 32
ENERGY_BINS: Final = 16
"""States are alike where the own output and all batteries' energy fall in the same of these equal parts."""
WIDTH: Final = 48
"""States of an episode that are kept from one interval to the next."""


@dataclass(frozen=True, slots=True)
class BestResponse:
    """What was found.

    Attributes
    ----------
    profits : (seed,) array
        $ per episode.
    exact : bool
        Whether this is proved to be the most; otherwise more may be possible.
    """

    profits: Float
    exact: bool


def clairvoyant(
    scenario: Scenario,
    others: Team,
    seat: str,
    split: Split,
    seeds: Sequence[int],
    *,
    width: int = WIDTH,
    advance: Callable[[int], object] | None = None,
) -> BestResponse:
    """The most that prices of the grid earn a generator in episodes that are known beforehand.

    Parameters
    ----------
    scenario : Scenario
    others : Team
        Who plays the other seats: rules of thumb and stored policies.
    seat : str
        A generator.
    split : {"train", "select", "test"}
    seeds : sequence of int
        One episode each.
    width : int
        States that are kept; more take longer and find more.
    advance : callable, optional
        Told how many intervals of episodes are done.

    Raises
    ------
    ScenarioError
        Where somebody else draws at random or needs memory, so that a copy of the market would not go on as it does.
    """
    alone = Alone(scenario, others, seat)
    if alone.draws:
        remedy = "seat somebody who does not draw"
        raise ScenarioError("others in a clairvoyant best response", others.name, "teams without chance", remedy)
    own = [unit.name for unit in scenario.all_generators].index(seat)
    capacity_mw = scenario.all_generators[own].capacity_mw
    capacity_mwh = max(sum(store.capacity_mwh for store in scenario.all_storage), 1e-9)

    def bins(states: Rows) -> Int:
        output = states.generator[:, own, generator.OUTPUT] / capacity_mw
        energy = states.battery[:, :, battery.ENERGY].sum(axis=1) / capacity_mwh
        return part(output, OUTPUT_BINS) * ENERGY_BINS + part(energy, ENERGY_BINS)

    found = [alone.best_sequence(split, seed, width, alike=bins, advance=advance) for seed in seeds]
    return BestResponse(np.array([one.profit for one in found]), all(one.complete for one in found))


def part(share: Float, count: int) -> Int:
    """Which of so many equal parts of 0 .. 1 a share falls in."""
    return np.clip((share * count).astype(np.int64), 0, count - 1)
