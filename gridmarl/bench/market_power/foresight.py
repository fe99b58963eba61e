"""Does it take the future to beat a fixed bid? A bidder who knows everything else looks for a better one.

The best response of `clairvoyant` knows the episode. What it earns beyond a fixed bid may be skill or foresight.
The bidder here knows the present to the last unit, which nobody in a market does, and the odds of what
comes, but not what comes: it tries plans in futures drawn afresh and takes the first price of the best, again in every
interval (rollout; Tesauro & Galperin 1996, Bertsekas 2013). Plans leave the fixed bid for once, for a while, or by
turns, as when others have run down before it is dear again: to just undercut a rival, or for the dearest price. Then
they return to it. All plans meet the same futures, and one is taken only where it earns more with some certainty.

What it gains shows what is to be had without foresight by such plans; other plans may find more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from gridmarl.agents.team import Team
from gridmarl.bench.market_power.enumeration import Alone
from gridmarl.environment.compiled.arrays import Outcome
from gridmarl.environment.compiled.codecs import GRID_PRICES
from gridmarl.environment.compiled.columns import REWARD
from gridmarl.scenario.rules import Split
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import Float, Int

SHAPES: Final = ((1,), (1, 1, 1), (1, 0, 1, 0, 1), (0, 1, 0, 1), (1, 1, 0, 1, 0, 1), (0, 1, 1, 0, 1))
"""When a plan asks another price (1) and when the fixed one (0); afterwards it asks that. Turns may begin with either:
who could only begin with the other price would put off the fixed one for ever."""
HORIZON: Final = 10
"""Intervals over which plans are compared."""
FUTURES: Final = 16
ROWS: Final = 15_360
"""Copies of the market that are advanced together, at most."""
CERTAINTY: Final = 2.0
"""Standard errors by which a plan is to earn more than the fixed bid."""


def without_foresight(
    scenario: Scenario,
    others: Team,
    seat: str,
    split: Split,
    seeds: Sequence[int],
    price: int,
    *,
    futures: int = FUTURES,
    advance: Callable[[int], object] | None = None,
) -> Float:
    """What a generator earns who knows everything but the future, (seed,) $ per episode.

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
    price : int
        The fixed bid, one of the twenty prices of the grid.
    futures : int
        Draws of chance, at least 2, in which plans are tried.
    advance : callable, optional
        Told how many intervals of episodes are done.
    """
    plans = plans_around(scenario, seat, price)
    at_once = max(ROWS // (futures * len(plans)), 1)
    parts = [list(seeds)[first : first + at_once] for first in range(0, len(seeds), at_once)]
    found = [_Bidder(scenario, others, seat, split, part, plans, futures).play(advance) for part in parts]
    return np.concatenate(found)


def plans_around(scenario: Scenario, seat: str, price: int) -> Int:
    """Prices of the grid by plan and interval, (plan, HORIZON); the first plan is the fixed bid."""
    plans = [(price,) * HORIZON]
    for other in undercutting(scenario, seat):
        for shape in SHAPES:
            steps = tuple(other if leaves else price for leaves in shape)
            plans.append(steps + (price,) * (HORIZON - len(steps)))
    return np.array(list(dict.fromkeys(plans)))


def undercutting(scenario: Scenario, seat: str) -> tuple[int, ...]:
    """For each cost of somebody else's MWh, the greatest price of the grid below it; and the grid's dearest."""
    costs = {unit.cost_per_mwh for unit in scenario.all_generators if unit.name != seat}
    costs |= {unit.dr_price_per_mwh for unit in scenario.all_consumers}
    below = {int(np.searchsorted(GRID_PRICES, cost)) - 1 for cost in costs}
    return tuple(sorted(place for place in {*below, len(GRID_PRICES) - 1} if place >= 0))


class _Bidder:
    """Plays the episodes of a few seeds side by side. Rows of the core are (seed, plan, future)."""

    def __init__(
        self, scenario: Scenario, others: Team, seat: str, split: Split, seeds: Sequence[int], plans: Int, futures: int
    ) -> None:
        self.alone = Alone(scenario, others, seat)
        self.seeds, self.plans, self.futures = seeds, plans, futures
        self.core, self.place = self.alone.begin(
            len(seeds) * len(plans) * futures, split, np.repeat(seeds, len(plans) * futures)
        )
        self.actions = np.zeros((self.core.count, self.core.width))
        self.rng = np.random.default_rng(list(seeds))

    def play(self, advance: Callable[[int], object] | None) -> Float:
        """Go through the episodes once."""
        core, each = self.core, len(self.plans) * self.futures
        outcome = core.observe()
        earned = np.zeros(len(self.seeds))
        for t in range(core.intervals):
            chosen = self.plans[self.best_plan(outcome, min(HORIZON, core.intervals - t)), 0]
            outcome = self._step(outcome, np.repeat(chosen, each))
            earned += outcome.seats[::each, self.place.row, REWARD]
            if advance is not None:
                advance(len(self.seeds))
        return earned

    def best_plan(self, outcome: Outcome, intervals: int) -> Int:
        """Which plan earns most in fresh futures, (seed,); the market is left as it was."""
        core, shape = self.core, (len(self.seeds), len(self.plans), self.futures)
        now = core.snapshot()
        futures = self.rng.integers(0, 2**64, (shape[0], 1, shape[2]), dtype=np.uint64)
        core.rows.key[:] = np.broadcast_to(futures, shape).ravel()
        earned = np.zeros(core.count)
        for h in range(intervals):
            outcome = self._step(outcome, np.tile(np.repeat(self.plans[:, h], self.futures), len(self.seeds)))
            earned += outcome.seats[:, self.place.row, REWARD]
        core.restore(now)
        more = earned.reshape(shape) - earned.reshape(shape)[:, :1]
        mean, error = more.mean(2), more.std(2, ddof=1) / np.sqrt(self.futures)
        return np.where(mean > CERTAINTY * error, mean, 0.0).argmax(1)

    def _step(self, outcome: Outcome, prices: Int) -> Outcome:
        self.alone.fill(outcome, self.actions)
        self.actions[:, self.place.start] = prices
        return self.core.step(self.actions)
