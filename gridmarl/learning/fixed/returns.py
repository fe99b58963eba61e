"""What seats earn over whole episodes, many seeds side by side: the yardstick of learning."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gridmarl.agents.agent import Agent, BatchAgent
from gridmarl.agents.team import SeatedTeam, Team
from gridmarl.environment.compiled.columns import COST_OBJECTIVE, FIFTH, NINTH, REWARD
from gridmarl.environment.core import Core
from gridmarl.scenario.rules import Split
from gridmarl.scenario.scenario import OPERATOR, Scenario
from gridmarl.units import Float


def episode_profits(scenario: Scenario, team: Team, seats: Sequence[str], split: Split, seeds: Sequence[int]) -> Float:
    """Sum of the rewards of each episode, (seed, seat) $.

    Parameters
    ----------
    scenario : Scenario
    team : Team
        Plays every seat. Seeds run side by side where all its agents can, else one after the other.
    seats : sequence of str
        Whose rewards.
    split : {"train", "select", "test"}
    seeds : sequence of int
        One episode each.
    """
    side_by_side = all(_can_batch(agent) for agent, _ in SeatedTeam(team, scenario).players)
    chunks = [seeds] if side_by_side else [[seed] for seed in seeds]
    return np.concatenate([_sums(scenario, team, seats, [REWARD], split, chunk)[..., 0] for chunk in chunks])


def episode_objectives(scenario: Scenario, team: Team, split: Split, seeds: Sequence[int]) -> Float:
    """Sum of the operator's vector rewards of each episode: stability $, cost $, emissions kg; (seed, objective).

    Parameters are those of :func:`episode_profits`; higher is better in each objective.
    """
    side_by_side = all(_can_batch(agent) for agent, _ in SeatedTeam(team, scenario).players)
    chunks = [seeds] if side_by_side else [[seed] for seed in seeds]
    columns = [NINTH, COST_OBJECTIVE, FIFTH]
    return -np.concatenate([_sums(scenario, team, [OPERATOR], columns, split, c)[:, 0] for c in chunks])


def with_player(others: Team, player: Agent, seats: Sequence[str], name: str) -> Team:
    """A team in which the player has these seats and the others the rest."""
    rest = {pattern: agent for pattern, agent in others.agents.items() if pattern not in seats}
    return Team({**dict.fromkeys(seats, player), **rest}, name)  # the first match plays


def _can_batch(agent: object) -> bool:
    return isinstance(agent, BatchAgent) or bool(getattr(agent, "constant", False))


def _sums(
    scenario: Scenario, team: Team, seats: Sequence[str], columns: list[int], split: Split, seeds: Sequence[int]
) -> Float:
    """Columns of the outcome, summed over each episode, (seed, seat, column)."""
    seated = SeatedTeam(team, scenario)
    core = Core(scenario, len(seeds), seated.codecs, split)
    rows = [core.compiled.layout.index(seat) for seat in seats]
    outcome = core.reset(np.array(seeds, np.uint64))
    seated.begin(core)
    actions = np.zeros((len(seeds), core.width))
    sums = np.zeros((len(seeds), len(seats), len(columns)))
    for _ in range(core.intervals):
        seated.fill(outcome, actions)
        outcome = core.step(actions)
        sums += outcome.seats[:, rows][..., columns]
    return sums
