"""What a generator could have earned by its 20 prices, had it known everything: its clairvoyant best response.

Others play as given, and chance does not depend on actions, so an episode that is known is a deterministic programme:
what one interval leaves to the next is the units' outputs (ramps), stored energy, what loads are owed and frequency.
Forward dynamic programming (Bellman 1957) goes through it with all twenty prices from every kept state. States are
real ones, reached by a copy of the market; of those that are nearly alike only the one that has earned most is kept.
What is found was therefore really earned by some sequence of prices. It is the optimum where no two states that
differed were ever taken for alike and none was dropped (``exact``), and a lower bound of it elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gridmarl.agents.agent import Agent, Information, Sees
from gridmarl.agents.rules import ZeroIntelligence
from gridmarl.agents.seats import Seats
from gridmarl.agents.team import SeatedTeam, Team
from gridmarl.assets import battery, generator, load
from gridmarl.environment.arrays import Outcome, Rows
from gridmarl.environment.codecs import GRID_PRICES
from gridmarl.environment.columns import ACTION_AT, REWARD
from gridmarl.environment.core import Core
from gridmarl.errors import ScenarioError
from gridmarl.learning.returns import with_player
from gridmarl.scenario.rules import Split
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import Float, Float32, Int

OUTPUT_BINS: Final = 32
ENERGY_BINS: Final = 16
"""States are alike where the own output and all batteries' energy fall in the same of these equal parts."""
WIDTH: Final = 48
"""States of an episode that are kept from one interval to the next."""
ROWS: Final = 15_360
"""Copies of the market that are advanced together, at most."""
ALIKE: Final = 1e-9
"""Numbers of a state that differ by less than this, in MW, MWh or Hz, are the same."""
CHOICES: Final = len(GRID_PRICES)


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


class GridPrice:
    """Offers everything at one of the twenty prices: the default codec's constant player."""

    information: Information = "public"
    sees: Sees = "own"
    constant: bool = True

    def __init__(self, action: int) -> None:
        self.action = action
        self.codecs: Mapping[str, str] = {"generator": "price-grid"}

    def begin(self, seats: Seats, seed: int) -> None:
        """Look at nothing."""

    def act(self, observations: Mapping[str, Float32]) -> dict[str, Float]:
        """The same price every interval."""
        return {seat: np.array(float(self.action)) for seat in observations}

    def save(self, folder: Path) -> None:
        """Not kept: a constant price is a rule, ``fixed``."""
        raise NotImplementedError("keep Rule('fixed', price_per_mwh=...) instead")


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
    at_once = max(ROWS // (width * CHOICES), 1)
    parts = [list(seeds)[first : first + at_once] for first in range(0, len(seeds), at_once)]
    found = [_Programme(scenario, others, seat, split, part, width).solve(advance) for part in parts]
    return BestResponse(np.concatenate([one.profits for one in found]), all(one.exact for one in found))


class _Programme:
    """Forward dynamic programming through the episodes of a few seeds side by side.

    Rows of the core are (seed, kept state, price).
    """

    def __init__(
        self, scenario: Scenario, others: Team, seat: str, split: Split, seeds: Sequence[int], width: int
    ) -> None:
        self.seated = SeatedTeam(with_player(others, GridPrice(0), (seat,), others.name), scenario)
        _check([agent for agent, _ in self.seated.players])
        self.constant = all(bool(getattr(agent, "constant", False)) for agent, _ in self.seated.players)
        self.seeds, self.width = seeds, width
        self.core = Core(scenario, len(seeds) * width * CHOICES, self.seated.codecs, split)
        self.own = self.core.compiled.layout.index(seat)
        world = self.core.compiled.world
        self.at = int(world.seat[self.own, ACTION_AT])
        self.capacity_mw = float(world.generator[self.own, generator.CAPACITY])
        self.capacity_mwh = float(world.battery[:, battery.CAPACITY].sum())
        self.exact = self.constant

    def solve(self, advance: Callable[[int], object] | None) -> BestResponse:
        """Go through the episodes once."""
        core, each = self.core, self.width * CHOICES
        outcome = core.reset(np.repeat(np.array(self.seeds, np.uint64), each))
        self.seated.begin(core)
        actions = np.zeros((core.count, core.width))
        prices = np.tile(np.arange(CHOICES, dtype=np.float64), len(self.seeds) * self.width)
        earned = np.full((len(self.seeds), self.width), -np.inf)  # of kept states; none there: minus infinity
        earned[:, 0] = 0.0
        for _ in range(core.intervals):
            self.seated.fill(outcome, actions)
            actions[:, self.at] = prices
            outcome = core.step(actions)
            profits = outcome.seats[:, self.own, REWARD].reshape(len(self.seeds), each)
            earned, chosen = self._keep(np.repeat(earned, CHOICES, axis=1) + profits)
            outcome = self._go_on_from(chosen, outcome)
            if advance is not None:
                advance(len(self.seeds))
        return BestResponse(earned.max(axis=1), self.exact)

    def _keep(self, earned: Float) -> tuple[Float, Int]:
        """Of (seed, state and price) reached states the best of each bin, the best bins first: earnings, and which."""
        bins, seed = self._bins().reshape(earned.shape), np.arange(len(earned))[:, None]
        ascending = np.argsort(earned, axis=1, kind="stable")
        best = np.full((len(earned), OUTPUT_BINS * ENERGY_BINS), -np.inf)
        which = np.zeros(best.shape, np.int64)
        sorted_bins = np.take_along_axis(bins, ascending, axis=1)
        which[seed, sorted_bins] = ascending  # the last that is written stays: the one that earned most
        best[seed, sorted_bins] = np.take_along_axis(earned, ascending, axis=1)
        if self.exact:
            self.exact = self._lost_nothing(earned, bins, best, which)
        order = np.argsort(-best, axis=1, kind="stable")[:, : self.width]
        return np.take_along_axis(best, order, axis=1), np.take_along_axis(which, order, axis=1)

    def _bins(self) -> Int:
        """Which bin each row's state falls in, (row,)."""
        rows = self.core.rows
        output = rows.generator[:, self.own, generator.OUTPUT] / self.capacity_mw
        energy = rows.battery[:, :, battery.ENERGY].sum(axis=1) / max(self.capacity_mwh, ALIKE)
        places = [
            np.clip((share * count).astype(np.int64), 0, count - 1)
            for share, count in ((output, OUTPUT_BINS), (energy, ENERGY_BINS))
        ]
        return places[0] * ENERGY_BINS + places[1]

    def _lost_nothing(self, earned: Float, bins: Int, best: Float, which: Int) -> bool:
        """Whether every reached state is alike with the one kept of its bin, and there is room for all bins."""
        if (np.isfinite(best).sum(axis=1) > self.width).any():
            return False
        state = _carried(self.core.rows).reshape(*earned.shape, -1)
        kept = np.take_along_axis(which, bins, axis=1)  # of each reached state's bin
        apart = np.abs(state - np.take_along_axis(state, kept[..., None], axis=1)).max(axis=-1)
        return bool((apart[np.isfinite(earned)] < ALIKE).all())

    def _go_on_from(self, chosen: Int, outcome: Outcome) -> Outcome:
        """Every kept state once for each price; what players see goes with it, where anybody looks."""
        rows = np.repeat(chosen + np.arange(len(chosen))[:, None] * self.width * CHOICES, CHOICES)
        self.core.restore((Rows._make(array[rows] for array in self.core.rows), self.core.clocks))
        if self.constant:
            return outcome
        return Outcome._make(array[rows] if len(array) else array for array in outcome)


def _carried(rows: Rows) -> Float:
    """What decides about the intervals that follow, (row, number); the rest is chance, or only looked at."""
    parts: list[NDArray[np.float64]] = [
        rows.generator[:, :, generator.OUTPUT],
        rows.battery[:, :, battery.ENERGY],
        rows.battery[:, :, battery.POWER],
        rows.load[:, :, load.DEBT],
        rows.grid,
    ]
    return np.concatenate(parts, axis=1)


def _check(agents: Sequence[Agent]) -> None:
    for agent in agents:
        if isinstance(agent, ZeroIntelligence):
            allowed, remedy = "rules of thumb and stored policies", "seat somebody who does not draw"
            raise ScenarioError("others in a clairvoyant best response", type(agent).__name__, allowed, remedy)
