"""Does a learned bidder beat the best fixed bid? Each unit alone, the others as given, all through the same codec.

The codec is ``price-grid``: twenty prices, for everybody. A constant mark-up of a unit with one marginal cost is then
one of the twenty constant prices, so the best of these is the best fixed bid; what a mark-up could earn that may name
any price is told beside it. The best response knows the whole episode (see `clairvoyant`); no bidder who sees forecasts
only can be expected to reach it, and how far one could come is told by `foresight`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from gridmarl.agents.agent import Agent
from gridmarl.agents.rules import Rule
from gridmarl.agents.team import Team, load_team
from gridmarl.bench.market_power.bidding import SEEDS, best_bids, check_seat, difference, players_of, seat_profits
from gridmarl.bench.market_power.clairvoyant import WIDTH, clairvoyant
from gridmarl.bench.progress import SILENT, Stage
from gridmarl.environment.compiled.codecs import GRID_PRICES
from gridmarl.errors import ScenarioError
from gridmarl.learning.fixed.returns import episode_profits
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import Float

if TYPE_CHECKING:
    import pandas as pd

HEADROOM: Final = 0.02
"""Where the best response earns more than the best fixed bid by more than this share, something is to be learned."""
GAP: Final = 0.5
"""Share of that which a learned bidder is to earn."""
WITHIN: Final = 0.01
"""Elsewhere a learned bidder may fall behind the best fixed bid by this share."""
Players = Sequence[str | Path] | Mapping[str, Agent] | None


def thermal_seats(scenario: Scenario) -> tuple[str, ...]:
    """Generators that burn something: all that are not renewable."""
    return tuple(unit.name for unit in scenario.all_generators if not unit.renewable)


def unilateral_table(
    scenario: str | Path | Scenario,
    seats: Sequence[str] | None = None,
    players: Players = None,
    *,
    others: str | Path | Team = "truthful",
    train_seeds: Sequence[int] = SEEDS,
    test_seeds: Sequence[int] = SEEDS,
    width: int = WIDTH,
    stage: Stage = SILENT,
) -> pd.DataFrame:
    """Compare players of each generator's seat, alone, with its best fixed bid and its best response.

    Parameters
    ----------
    scenario : str, Path or Scenario
    seats : sequence of str, optional
        Generators; by default all that are not renewable.
    players : sequence of names or folders of policies, or mapping of name to Agent, optional
        Who plays each seat; by default the shipped policies called ``...-<seat>``.
    others : str, Path or Team
        Who plays the other seats.
    train_seeds, test_seeds : sequence of int
        Fixed bids are chosen on the train split; everything that is told was earned on the test split.
    width : int
        See `gridmarl.bench.market_power.clairvoyant.clairvoyant`.
    stage : Stage
        Told of every interval of the best response.

    Returns
    -------
    DataFrame
        One row a seat and player, money in $ an episode: ``fixed_offer`` and ``fixed`` of the best fixed bid;
        ``profit``; ``best_response`` and whether it is ``exact`` or a lower bound; ``headroom`` of the best response
        over the best fixed bid, ``gap_closed``; ``gain`` over the best fixed bid with its paired 95 % interval
        (``_low``, ``_high``); ``markup_offer`` and ``markup``, of the best mark-up that may leave the grid; ``met``,
        see :func:`meets`; who the others are, scenario, digest, split and number of seeds.

    Raises
    ------
    ScenarioError
        Where a seat is not a generator, or nobody plays it.
    """
    import pandas as pd

    world, rest = Scenario.load(scenario), load_team(others)
    rows: list[dict[str, object]] = []
    for seat in thermal_seats(world) if seats is None else seats:
        stage.say(f"fixed bids of {seat}")
        check_seat(world, seat)
        price, markup = best_bids(world, rest, seat, train_seeds)
        agents = players_of(players, seat)
        if not agents:
            remedy = f"gridmarl train dqn-gas --seats {seat}, then --player with the folder that it names"
            raise ScenarioError(f"players of {seat!r}", "none", "a policy of its own that ships, or yours", remedy)
        fixed, free = (seat_profits(world, rest, seat, bid.rule, "test", test_seeds) for bid in (price, markup))
        earned = {name: seat_profits(world, rest, seat, agent, "test", test_seeds) for name, agent in agents.items()}
        stage.say(f"best response of {seat}")
        found = clairvoyant(world, rest, seat, "test", test_seeds, width=width, advance=stage.advance)
        best = best_known(world, rest, seat, test_seeds, [found.profits, *_on_the_grid(agents, earned)])
        about = {"seat": seat, "fixed_offer": price.label, "fixed": float(fixed.mean())}
        more = {"exact": found.exact, "markup_offer": markup.label, "markup": float(free.mean())}
        rows += [{**about, **_judged(name, profits, fixed, best), **more} for name, profits in earned.items()]
    table = pd.DataFrame(rows).assign(others=rest.name, scenario=world.name, digest=world.digest, split="test")
    return table.assign(seeds=len(test_seeds))


def best_known(scenario: Scenario, others: Team, seat: str, seeds: Sequence[int], found: Sequence[Float]) -> Float:
    """The most that anything earned in each episode of the test split, (seed,): no constant price does better."""
    cap = scenario.market.cap_per_mwh
    prices = [Rule("fixed", price_per_mwh=min(float(price), cap)) for price in GRID_PRICES]
    constant = [seat_profits(scenario, others, seat, rule, "test", seeds) for rule in prices]
    return np.max([*constant, *found], axis=0)


def meets(fixed: float, profit: float, best: float, gain_low: float | None) -> bool:
    """Whether a bidder learned what there was to learn.

    Where the best response beats the best fixed bid by more than 2 %, it is to beat it with certainty (the paired 95 %
    interval above 0) and to close half of the gap; elsewhere it is to stay within 1 % of the best fixed bid.
    """
    if best - fixed > HEADROOM * abs(fixed):
        return gain_low is not None and gain_low > 0.0 and profit - fixed >= GAP * (best - fixed)
    return profit >= fixed - WITHIN * abs(fixed)


def together_table(
    scenario: str | Path | Scenario,
    teams: Sequence[str | Path | Team] = ("truthful", "unilateral", "dqn"),
    *,
    seeds: Sequence[int] = SEEDS,
) -> pd.DataFrame:
    """What all generators earn when they learned: each for itself, and what comes of it when all play it.

    Returns
    -------
    DataFrame
        One row a team: mean profit of each generator on the test split, $ an episode, and their ``sum``.
    """
    import pandas as pd

    world = Scenario.load(scenario)
    seats = tuple(unit.name for unit in world.all_generators)
    rows: dict[str, dict[str, float]] = {}
    for team in map(load_team, teams):
        means = episode_profits(world, team, seats, "test", seeds).mean(axis=0)
        rows[team.name] = {**dict(zip(seats, means.tolist(), strict=True)), "sum": float(means.sum())}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("team")


def _judged(name: str, profits: Float, fixed: Float, best: Float) -> dict[str, object]:
    """One player's numbers from (seed,) profits."""
    floor, mean, ceiling = (float(values.mean()) for values in (fixed, profits, best))
    gain = difference("gain", profits - fixed)
    low = gain["gain_low"]
    return {
        "player": name,
        "profit": mean,
        "best_response": ceiling,
        "headroom": (ceiling - floor) / abs(floor) if floor else float("nan"),
        "gap_closed": (mean - floor) / (ceiling - floor) if ceiling > floor else float("nan"),
        **gain,
        "met": meets(floor, mean, ceiling, low),
    }


def _on_the_grid(agents: Mapping[str, Agent], earned: Mapping[str, Float]) -> list[Float]:
    """What those earned who chose from the same twenty prices."""
    return [earned[name] for name, agent in agents.items() if agent.codecs.get("generator") == "price-grid"]
