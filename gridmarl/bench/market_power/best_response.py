"""How much one seat could gain by another way to play while the others are held fixed: exploitability.

Two things are called a best response. A *clairvoyant* one knows how the episode will turn out; it is found by trying
all actions of a grid, interval by interval, and bounds from above what can be gained on the grid. A best response *in
policies* must choose without that knowledge; what a search finds bounds it from below. Where the two meet, as they do
where chance plays no part, the best response is exact; elsewhere what is reported is a lower bound.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal

import numpy as np

from gridmarl.agents.load import load_agent
from gridmarl.agents.team import Team, load_team
from gridmarl.bench.market_power.bidding import mean_of
from gridmarl.bench.market_power.enumeration import Alone, BestSequence
from gridmarl.bench.statistics import Estimate, estimate
from gridmarl.environment.compiled.codecs import GRID_PRICES
from gridmarl.learning.device import repeatable
from gridmarl.learning.fixed.returns import episode_profits, with_player
from gridmarl.learning.recipe import Recipe, load_recipe
from gridmarl.learning.tasks import MarketTask
from gridmarl.learning.trainer import Training
from gridmarl.scenario.rules import Split
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import Float

SEEDS: Final = range(64)
RESAMPLES: Final = 10_000
ENUMERATED: Final = 24
"""Episodes of at most so many intervals are enumerated, unless somebody asks for longer ones."""
DUST: Final = 1e-9
"""Share of a profit that is no gain, and by which the two bounds may differ where they meet."""
RECIPES: Final = {
    "generator": "dqn",
    "storage": "storage",
    "consumer": "maddpg",
    "prosumer": "maddpg-homes",
    "operator": "operator",
}
"""Recipe by which a role's best responses are learned, unless another is given."""
INCUMBENT: Final = "as now"

Kind = Literal["exact", "lower bound"]


@dataclass(frozen=True, slots=True)
class BestResponse:
    """The best way found for a seat to play against the others, beside how it plays now.

    Attributes
    ----------
    seat, role : str
    kind : {"exact", "lower bound"}
        Exact: nobody could gain more on the grid of actions, not even knowing the episode beforehand.
    player : str
        What was chosen: ``as now``, a constant action, a sequence of actions, or the number of a training.
    now, best : float
        Mean profit of an episode as it plays, and by what was chosen, on the test split, $.
    gain : Estimate
        The mean difference with its 95 % paired bootstrap interval, $ an episode.
    select_gain : float
        The same on the select split, on which it was chosen; never negative.
    clairvoyant : float or None
        Mean profit of knowing each test episode beforehand, $; none where it was not enumerated.
    seeds : int
        Test episodes.
    """

    seat: str
    role: str
    kind: Kind
    player: str
    now: float
    best: float
    gain: Estimate
    select_gain: float
    clairvoyant: float | None
    seeds: int

    @property
    def exploitability(self) -> float | None:
        """The gain as a share of the profit now; none where there is a gain and no profit."""
        if abs(self.gain.value) <= DUST * max(abs(self.now), abs(self.best), 1.0):
            return 0.0
        return self.gain.value / self.now if self.now > 0.0 else None


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A way to play a seat: its name, and what it earns in episodes of a split, (seed,) $."""

    name: str
    profits: Callable[[Split, Sequence[int]], Float]


def best_response(
    scenario: str | Path | Scenario,
    team: str | Path | Team,
    seat: str,
    *,
    trainings: int = 0,
    recipe: str | Path | Recipe | None = None,
    changes: Mapping[str, object] | None = None,
    select_seeds: Sequence[int] = SEEDS,
    test_seeds: Sequence[int] = SEEDS,
    enumerated: int = ENUMERATED,
) -> BestResponse:
    """Search for a better way to play a seat than the team's while its other agents go on as they do.

    Tried are every constant action of the seat's default codec (a grid of them where it is numbers), in short episodes
    the best sequence of actions, and policies learned anew. All of them, and the team's own agent, play the select
    split; the best of them there plays the test split, which is what counts.

    Parameters
    ----------
    scenario : str, Path or Scenario
    team : str, Path or Team
        Plays every seat.
    seat : str
    trainings : int
        How many policies are learned, with the recipe's seed and the ones after it.
    recipe : str, Path or Recipe, optional
        By default that of the seat's role, see :data:`RECIPES`.
    changes : mapping, optional
        Settings of the recipe to replace.
    select_seeds, test_seeds : sequence of int
    enumerated : int
        Longest episode, in intervals, that is enumerated.

    Returns
    -------
    BestResponse

    Raises
    ------
    ScenarioError, TrainingError, CatalogueError
        Where the seat, the team or the recipe is unknown or does not fit.
    """
    world, players = Scenario.load(scenario), load_team(team)
    alone = Alone(world, players, seat)
    enumerable = world.intervals <= enumerated and alone.side_by_side and not alone.draws
    with TemporaryDirectory() as folder:
        candidates = [_incumbent(world, players, seat), *_constant(alone)]
        if enumerable and world.intervals > 1:
            candidates.append(_sequence(alone, alone.best_sequence("select", select_seeds[0])))
        for number in range(trainings):
            settings = {**(changes or {}), "seats": seat}
            chosen = load_recipe(RECIPES[alone.role] if recipe is None else recipe, settings)
            candidates.append(_learned(world, players, chosen, number, Path(folder) / str(number)))
        selected = [float(candidate.profits("select", select_seeds).mean()) for candidate in candidates]
        best = candidates[int(np.argmax(selected))]
        now, earned = (c.profits("test", test_seeds) for c in (candidates[0], best))
    bound = _clairvoyant(alone, test_seeds, np.maximum(now, earned)) if enumerable else None
    return BestResponse(
        seat=seat,
        role=alone.role,
        kind="exact" if bound is not None and np.allclose(bound, earned, rtol=DUST, atol=DUST) else "lower bound",
        player=best.name,
        now=float(now.mean()),
        best=float(earned.mean()),
        gain=estimate((earned - now)[:, None], np.random.default_rng(0), mean_of, RESAMPLES),
        select_gain=max(selected) - selected[0],
        clairvoyant=None if bound is None else float(bound.mean()),
        seeds=len(test_seeds),
    )


def _incumbent(scenario: Scenario, team: Team, seat: str) -> _Candidate:
    return _Candidate(INCUMBENT, lambda split, seeds: episode_profits(scenario, team, (seat,), split, seeds)[:, 0])


def _constant(alone: Alone) -> list[_Candidate]:
    """Every action of the grid, always; all of them play a split at once, when the first is asked."""
    played: dict[tuple[Split, tuple[int, ...]], Float] = {}

    def profits(number: int, split: Split, seeds: Sequence[int]) -> Float:
        key = split, tuple(seeds)
        if key not in played:
            played[key] = alone.profits(alone.grid[:, None], split, seeds)
        return played[key][number]

    def always(number: int) -> _Candidate:
        name = "always " + _said(alone, number)
        return _Candidate(name, lambda split, seeds: profits(number, split, seeds))

    return [always(number) for number in range(len(alone.grid))]


def _said(alone: Alone, number: int) -> str:
    """An action in words."""
    if alone.role == "generator":
        market = alone.scenario.market
        return f"{np.clip(GRID_PRICES[number], market.floor_per_mwh, market.cap_per_mwh):.2f} $/MWh"
    return ", ".join(f"{value:g}" for value in alone.grid[number])


def _sequence(alone: Alone, found: BestSequence) -> _Candidate:
    """The actions that were best in one episode, in every one."""
    return _Candidate("a sequence", lambda split, seeds: alone.profits(found.actions[None], split, seeds)[0])


def _learned(scenario: Scenario, team: Team, recipe: Recipe, number: int, folder: Path) -> _Candidate:
    """A policy that learned in the seat against the team's other agents."""
    seed = recipe.seed + number
    chosen = load_recipe(recipe, {"seed": seed})
    task = MarketTask(chosen, scenario, state=chosen.needs_state, objectives=chosen.vector_rewards)
    task.others = team
    with repeatable(chosen):
        Training(chosen, task, folder).run()
    learned = with_player(team, load_agent(folder), task.seats, team.name)
    return _Candidate(
        f"training {seed}", lambda split, seeds: episode_profits(scenario, learned, task.seats, split, seeds)[:, 0]
    )


def _clairvoyant(alone: Alone, seeds: Sequence[int], known: Float) -> Float | None:
    """What knowing each episode beforehand would earn, (seed,) $, at least what is known to be possible.

    None where more states can be reached than are followed, since then it bounds nothing.
    """
    found = [alone.best_sequence("test", seed) for seed in seeds]
    if not all(sequence.complete for sequence in found):
        return None
    return np.maximum(known, [sequence.profit for sequence in found])
