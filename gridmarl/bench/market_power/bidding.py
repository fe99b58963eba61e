"""What one generator can earn by constant offers and by what it learned, while the others play as given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from gridmarl.agents.agent import Agent
from gridmarl.agents.load import load_agent, policy_names
from gridmarl.agents.rules import Rule
from gridmarl.agents.team import Team, load_team, roles_of
from gridmarl.bench.statistics import estimate
from gridmarl.environment.compiled.codecs import GRID_PRICES
from gridmarl.errors import ScenarioError, nearest
from gridmarl.learning.fixed.returns import episode_profits
from gridmarl.learning.fixed.tuning import MARKUPS
from gridmarl.scenario.rules import Split
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import Float

if TYPE_CHECKING:
    import pandas as pd

SEEDS: Final = range(64)
RESAMPLES: Final = 10_000


@dataclass(frozen=True, slots=True)
class Bid:
    """A constant offer and what it earned while it was chosen."""

    label: str
    rule: Rule
    train_profit: float


def bidding_table(
    scenario: str | Path | Scenario,
    seat: str,
    players: Sequence[str | Path] | Mapping[str, Agent] | None = None,
    *,
    others: str | Path | Team = "truthful",
    train_seeds: Sequence[int] = SEEDS,
    test_seeds: Sequence[int] = SEEDS,
) -> pd.DataFrame:
    """Compare players of one generator's seat with the best constant offers.

    The best fixed price of the grid and the best fixed mark-up are chosen by mean profit on the train split; the better
    of the two is *the* best fixed bid. Everybody then plays the same seeds of the test split.

    Parameters
    ----------
    scenario : str, Path or Scenario
    seat : str
        A generator.
    players : sequence of names or folders of policies, or mapping of name to Agent, optional
        Who else plays the seat; by default the shipped policies called ``...-<seat>``.
    others : str, Path or Team
        Who plays the other seats.
    train_seeds, test_seeds : sequence of int

    Returns
    -------
    DataFrame
        One row a player: ``player``, ``offer``, mean ``profit`` ($ per episode, test), ``train_profit`` (of the chosen
        constant offers), and the paired differences ``less_best_fixed`` and ``less_best_price`` ($ per episode) with
        the ends of their 95 % bootstrap intervals (``_low``, ``_high``); then whether the row is the best fixed bid,
        information, sees, seat, others, scenario, digest, split and number of seeds.

    Raises
    ------
    ScenarioError
        Where the seat is not a generator.
    """
    import pandas as pd

    world, rest = Scenario.load(scenario), load_team(others)
    check_seat(world, seat)
    price, markup = best_bids(world, rest, seat, train_seeds)
    best = max((price, markup), key=lambda bid: bid.train_profit)
    agents, notes = _lineup(price, markup, players_of(players, seat))
    earned = {name: seat_profits(world, rest, seat, agent, "test", test_seeds) for name, agent in agents.items()}
    best_name = "best-fixed-price" if best is price else "best-fixed-markup"
    rows: list[dict[str, object]] = []
    for name, agent in agents.items():
        row: dict[str, object] = {"player": name, "offer": notes.get(name, (type(agent).__name__, None))[0]}
        row |= {"profit": float(earned[name].mean()), "train_profit": notes.get(name, ("", None))[1]}
        row |= difference("less_best_fixed", earned[name] - earned[best_name])
        row |= difference("less_best_price", earned[name] - earned["best-fixed-price"])
        row |= {"best_fixed": name == best_name, "information": agent.information, "sees": agent.sees}
        rows.append(row)
    about = {"seat": seat, "others": rest.name, "scenario": world.name, "digest": world.digest, "split": "test"}
    return pd.DataFrame(rows).assign(**about, seeds=len(test_seeds))


def best_bids(scenario: Scenario, others: Team, seat: str, seeds: Sequence[int]) -> tuple[Bid, Bid]:
    """The best of the grid's constant prices and the best constant mark-up, by mean profit on the train split."""
    cap = scenario.market.cap_per_mwh
    prices = [(f"{p:.2f} $/MWh", Rule("fixed", price_per_mwh=min(float(p), cap))) for p in GRID_PRICES]
    markups = [(f"{m:.2f} x true cost", Rule("markup", factor=float(m))) for m in MARKUPS]
    return _best(scenario, others, seat, seeds, prices), _best(scenario, others, seat, seeds, markups)


def _best(scenario: Scenario, others: Team, seat: str, seeds: Sequence[int], rules: Sequence[tuple[str, Rule]]) -> Bid:
    bids = [Bid(n, r, float(seat_profits(scenario, others, seat, r, "train", seeds).mean())) for n, r in rules]
    return max(bids, key=lambda bid: bid.train_profit)


def seat_profits(
    scenario: Scenario, others: Team, seat: str, agent: Agent, split: Split, seeds: Sequence[int]
) -> Float:
    """What an agent earns in a seat while a team plays the others, (seed,) $ per episode."""
    rest = {pattern: player for pattern, player in others.agents.items() if pattern != seat}
    team = Team({seat: agent, **rest}, others.name)  # the first match plays
    return episode_profits(scenario, team, (seat,), split, seeds)[:, 0]


def mean_of(scores: Float) -> Float:
    """Mean over runs and tasks, (..., run, task) to (...)."""
    return scores.mean((-2, -1))


def difference(name: str, values: Float) -> dict[str, float | None]:
    """Mean of (seed,) paired differences with its 95 % bootstrap interval; dollars add up, so the plain mean."""
    found = estimate(values[:, None], np.random.default_rng(0), mean_of, RESAMPLES)
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


def _lineup(
    price: Bid, markup: Bid, players: Mapping[str, Agent]
) -> tuple[dict[str, Agent], dict[str, tuple[str, float | None]]]:
    """Everybody who plays the test split, and what stands beside their names."""
    agents: dict[str, Agent] = {
        "truthful": Rule("truthful"),
        "maximum": Rule("maximum"),
        "best-fixed-price": price.rule,
        "best-fixed-markup": markup.rule,
        **players,
    }
    notes: dict[str, tuple[str, float | None]] = {
        "truthful": ("true cost", None),
        "maximum": ("the cap", None),
        "best-fixed-price": (price.label, price.train_profit),
        "best-fixed-markup": (markup.label, markup.train_profit),
    }
    return agents, notes


def players_of(players: Sequence[str | Path] | Mapping[str, Agent] | None, seat: str) -> Mapping[str, Agent]:
    """Those who play the seat beside the constants, by name; by default the shipped policies called ``...-<seat>``."""
    if isinstance(players, Mapping):
        return players
    wanted = [name for name in policy_names() if name.endswith(f"-{seat}")] if players is None else players
    return {Path(name).name: load_agent(name) for name in wanted}


def check_seat(scenario: Scenario, seat: str) -> None:
    """Refuse who is no generator."""
    generators = [name for name, role in roles_of(scenario).items() if role == "generator"]
    if seat not in generators:
        raise ScenarioError(
            f"seat that bids in {scenario.name!r}", seat, ", ".join(generators), nearest(seat, generators)
        )
