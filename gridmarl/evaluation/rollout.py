"""Play one episode with a team and keep everything."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import numpy as np

from gridmarl.agents.team import SeatedTeam, Team, load_team
from gridmarl.assets import battery, load
from gridmarl.environment.compiled import arrays
from gridmarl.environment.core import Core, seed_array
from gridmarl.environment.render import order_seats
from gridmarl.evaluation.facts import GridFacts, battery_facts, held_back_mw, untaken_mw
from gridmarl.evaluation.trajectory import Negotiation, Trajectory
from gridmarl.scenario.rules import Split
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import Float

Progress = Callable[[int], None]


@dataclass(slots=True)
class _Recording:
    """What accumulates while the episode runs."""

    market: list[Float] = field(default_factory=list)
    results: list[Float] = field(default_factory=list)
    book: list[Float] = field(default_factory=list)


def rollout(
    scenario: str | Path | Scenario,
    team: str | Path | Team,
    *,
    seed: int = 0,
    split: Split = "test",
    episode: int = 0,
    progress: Progress | None = None,
) -> Trajectory:
    """Play one episode.

    Parameters
    ----------
    scenario : str, Path or Scenario
    team : str, Path or Team
    seed : int
        Of the world's randomness and of the agents' own.
    split : {"train", "select", "test"}
    episode : int
        Which of the seed's episodes; worlds with windows play these in order.
    progress : callable, optional
        Called with 1 after every interval.

    Returns
    -------
    Trajectory

    Raises
    ------
    ScenarioError
        Where the seed is negative or no whole number, or a player does not fit its seat.
    """
    chosen = Scenario.load(scenario)
    seated = SeatedTeam(load_team(team), chosen)
    core = Core(chosen, 1, seated.codecs, split, record=True)
    began = time.perf_counter()
    outcome = core.reset(seed_array([seed]))
    for _ in range(episode):
        outcome = core.reset()
    before = core.rows.battery[0, :, battery.ENERGY].sum()
    seated.begin(core)
    actions = np.zeros((1, core.width))
    kept = _Recording()
    for _ in range(core.intervals):
        seated.fill(outcome, actions)
        outcome = core.step(actions)
        kept.market.append(outcome.market[0])
        kept.results.append(outcome.seats[0])
        kept.book.append(outcome.book[0])
        if progress:
            progress(1)
    return _trajectory(core, seated, seed, kept, float(before), time.perf_counter() - began)


def _trajectory(
    core: Core, seated: SeatedTeam, seed: int, kept: _Recording, before: float, wall_s: float
) -> Trajectory:
    compiled, layout, scenario = core.compiled, core.compiled.layout, core.compiled.scenario
    origin, results = int(core.rows.origin[0]), np.stack(kept.results)
    return Trajectory(
        scenario=scenario.name,
        digest=scenario.digest,
        source=compiled.series.source,
        team=seated.team.name,
        information=seated.team.information,
        sees=seated.team.sees,
        split=core.split,
        seed=seed,
        start_utc=compiled.series.start_utc + timedelta(hours=origin * scenario.interval_h),
        interval_h=scenario.interval_h,
        seats=layout.seats,
        roles=layout.roles,
        technologies=layout.technologies,
        market=np.stack(kept.market),
        results=results,
        book=np.stack(kept.book),
        offers=arrays.book_sizes(compiled.world)[0],
        order_seats=order_seats(compiled),
        realised=core.realised(0),
        profiles=compiled.series.names,
        untaken_mw=untaken_mw(core, results),
        held_back_mw=held_back_mw(core, results),
        grid=GridFacts.of(scenario),
        batteries=battery_facts(scenario),
        stored_mwh=float(core.rows.battery[0, :, battery.ENERGY].sum()) - before,
        owed_mwh=float(core.rows.load[0, :, load.DEBT].sum()),
        stored_price_per_mwh=scenario.stored_energy_price_per_mwh,
        negotiations=_negotiations(seated),
        wall_s=wall_s,
    )


def _negotiations(seated: SeatedTeam) -> tuple[Negotiation, ...]:
    """Histories of the agents that keep any."""
    return tuple(n for agent, _ in seated.players for n in getattr(agent, "negotiations", ()))
