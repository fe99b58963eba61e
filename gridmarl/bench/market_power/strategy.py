"""How strategic a team is: what each seat could still gain, and how far its generators hold the price up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from gridmarl.agents.team import Team, load_team, roles_of
from gridmarl.bench.market_power.best_response import BestResponse, best_response
from gridmarl.environment.others import matches
from gridmarl.errors import ScenarioError, nearest
from gridmarl.evaluation.market_power import MarketPower, market_power
from gridmarl.evaluation.rollout import rollout
from gridmarl.learning.recipe import Recipe
from gridmarl.scenario.scenario import Scenario

if TYPE_CHECKING:
    import pandas as pd

SEEDS: Final = range(16)


def strategy_table(
    scenario: str | Path | Scenario,
    team: str | Path | Team,
    seats: Sequence[str] = ("generator",),
    *,
    seeds: Sequence[int] = SEEDS,
    trainings: int = 0,
    recipe: str | Path | Recipe | None = None,
    changes: Mapping[str, object] | None = None,
    done: Callable[[int], None] | None = None,
) -> pd.DataFrame:
    """Best response and market power of each seat while all others play as the team does.

    Parameters
    ----------
    scenario : str, Path or Scenario
    team : str, Path or Team
    seats : sequence of str
        Names, roles or patterns.
    seeds : sequence of int
        Episodes of the select split to choose a response on, and of the test split to score it.
    trainings : int
        Policies that are learned in each seat, among the responses to choose from.
    recipe, changes
        As for :func:`gridmarl.bench.market_power.best_response.best_response`.
    done : callable, optional
        Called with 1 after each seat, and once before the first.

    Returns
    -------
    DataFrame
        One row a seat: ``seat``, ``role``; ``profit``, ``best_profit`` and ``exploitability`` ($ an episode, test) with
        its 95 % interval (``_low``, ``_high``), ``exploitability_share`` of the profit, the ``response`` chosen and its
        ``kind``; of generators the Lerner indices, ``marginal_share`` and ``withheld_mwh`` (means over episodes); then
        scenario, digest, team, split and number of seeds.

    Raises
    ------
    ScenarioError
        Where one of the seats means nobody.
    """
    import pandas as pd

    world, players = Scenario.load(scenario), load_team(team)
    chosen = chosen_seats(world, seats)
    power = power_of(world, players, [seat for seat, role in chosen.items() if role == "generator"], seeds)
    if done:
        done(1)
    rows: list[dict[str, object]] = []
    for seat in chosen:
        found = best_response(
            world,
            players,
            seat,
            trainings=trainings,
            recipe=recipe,
            changes=changes,
            select_seeds=seeds,
            test_seeds=seeds,
        )
        rows.append({**_response(found), **power.get(seat, {})})
        if done:
            done(1)
    about = {"scenario": world.name, "digest": world.digest, "team": players.name, "split": "test"}
    return pd.DataFrame(rows).assign(**about, seeds=len(seeds))


def chosen_seats(scenario: Scenario, patterns: Sequence[str]) -> dict[str, str]:
    """Seat -> role of those that names, roles or patterns mean, in the order of the world.

    Raises
    ------
    ScenarioError
        Where one means nobody.
    """
    roles = roles_of(scenario)
    for pattern in patterns:
        if not any(matches(pattern, seat, role) for seat, role in roles.items()):
            known = tuple(dict.fromkeys([*roles.values(), *roles]))
            remedy = nearest(pattern, known) or "name one of them"
            raise ScenarioError(f"seat of {scenario.name!r}", pattern, ", ".join(known), remedy)
    return {s: r for s, r in roles.items() if any(matches(pattern, s, r) for pattern in patterns)}


def power_of(
    scenario: Scenario, team: Team, generators: Sequence[str], seeds: Sequence[int]
) -> dict[str, dict[str, float | None]]:
    """Generator -> means over test episodes of its measures; none where no episode has one."""
    played = [rollout(scenario, team, seed=seed) for seed in seeds] if generators else []
    return {name: _means([market_power(episode, scenario, name) for episode in played]) for name in generators}


def _means(found: Sequence[MarketPower]) -> dict[str, float | None]:
    names = [name for name in MarketPower.__slots__ if name != "generator"]
    values = {name: [v for v in (getattr(one, name) for one in found) if v is not None] for name in names}
    return {name: float(np.mean(kept)) if kept else None for name, kept in values.items()}


def _response(found: BestResponse) -> dict[str, object]:
    gain = found.gain
    return {
        "seat": found.seat,
        "role": found.role,
        "profit": found.now,
        "best_profit": found.best,
        "exploitability": gain.value,
        "exploitability_low": gain.low,
        "exploitability_high": gain.high,
        "exploitability_share": found.exploitability,
        "response": found.player,
        "kind": found.kind,
        "clairvoyant_profit": found.clairvoyant,
    }
