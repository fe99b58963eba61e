"""What training changed: learned teams beside the same networks as they were before they learned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np

from gridmarl.agents.agent import Agent
from gridmarl.agents.learned import Learned
from gridmarl.agents.policies import StoredPolicy, untrained
from gridmarl.agents.team import Team, load_team
from gridmarl.bench.comparison import compare
from gridmarl.bench.results import BOOTSTRAP_SEED, Comparison
from gridmarl.bench.statistics import LEVEL, RESAMPLES, Estimate
from gridmarl.errors import ScenarioError
from gridmarl.scenario.rules import Split
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import Float

TEAMS: Final = ("learned", "learned-flexible")
"""All roles learned; and batteries, loads and homes alone, whose profit is not at the expense of the cost."""
BESIDE: Final = ("truthful", "zero-intelligence", "central-perfect")
INITIALISATIONS: Final = 10
SEEDS: Final = 10
OPTIMUM: Final = "optimum C*"
METRICS: Final = ("resource_cost", "regret", "frequency_in_band", "voltage_in_band", "renewable_share")


@dataclass(frozen=True, slots=True)
class Standing:
    """One line of the table: means over test seeds, and over initialisations where there are many.

    Attributes
    ----------
    team : str
    initialisations : int
        Of a team that did not learn, else 0.
    resource_cost, above_optimum : float
        $ an episode.
    less_untrained, less_untrained_share : Estimate or None
        Resource cost less that of the same networks untrained, $ and as a share of theirs; of learned teams.
    frequency_in_band, voltage_in_band : float or None
        Share of time, and of intervals, within the band; none where the world has none.
    renewable_share : float or None
    """

    team: str
    initialisations: int
    resource_cost: float
    above_optimum: float
    less_untrained: Estimate | None = None
    less_untrained_share: Estimate | None = None
    frequency_in_band: float | None = None
    voltage_in_band: float | None = None
    renewable_share: float | None = None

    def to_dict(self) -> dict[str, object]:
        """Plain values that JSON can say."""
        return asdict(self)


def untrained_table(
    scenario: str | Path | Scenario,
    teams: Sequence[str | Path | Team] = TEAMS,
    *,
    initialisations: int = INITIALISATIONS,
    beside: Sequence[str | Path | Team] = BESIDE,
    seeds: int | Sequence[int] = SEEDS,
    split: Split = "test",
    workers: int = 1,
    progress: bool = True,
) -> list[Standing]:
    """Play learned teams, their networks at fresh initialisations, and others, all on the same seeds.

    Everybody plays greedily. Untrained networks keep the normaliser, see :func:`gridmarl.agents.policies.untrained`.

    Parameters
    ----------
    scenario : str, Path or Scenario
    teams : sequence of str, Path or Team
        Those with networks that learned.
    initialisations : int
        How many (0, 1, ...), at least 2.
    beside : sequence of str, Path or Team
        Who else plays.
    seeds, split, workers, progress
        As for :func:`gridmarl.bench.comparison.compare`.

    Returns
    -------
    list of Standing
        Each learned team above its untrained networks, then the others, then the optimum.

    Raises
    ------
    ScenarioError
        Where a team has nothing that learned, there are too few initialisations, or somebody failed.
    """
    if initialisations < 2:
        raise ScenarioError("initialisations", initialisations, "at least 2", "one cannot say how much chance matters")
    learned = [load_team(team) for team in teams]
    blank = {team.name: [untrained_team(team, number) for number in range(initialisations)] for team in learned}
    lineup = [*learned, *(team for drawn in blank.values() for team in drawn), *map(load_team, beside)]
    found = compare(Scenario.load(scenario), lineup, seeds=seeds, split=split, progress=progress, workers=workers)
    if found.failures:
        failure = found.failures[0]
        raise ScenarioError(f"{failure.team} in {failure.scenario}: {failure.message}", allowed="a whole episode")
    return list(_standings(found, {name: [team.name for team in drawn] for name, drawn in blank.items()}))


def untrained_team(team: Team, initialisation: int) -> Team:
    """The same team with its networks as they were before they learned, drawn from this seed.

    Raises
    ------
    ScenarioError
        Where nothing in it learned.
    """
    agents = {pattern: _untrained(agent, initialisation) for pattern, agent in team.agents.items()}
    if all(agents[pattern] is team.agents[pattern] for pattern in agents):
        raise ScenarioError(f"team {team.name!r}", None, "a team with stored policies", f"try {TEAMS[0]}")
    return Team(agents, f"{team.name}, untrained {initialisation}", team.description)


def _untrained(agent: Agent, initialisation: int) -> Agent:
    """The agent before it learned; itself where it never did."""
    if isinstance(agent, Learned):
        return Learned(agent.algorithm, agent.elsewhere, initialisation)
    return StoredPolicy(untrained(agent.stored, initialisation)) if isinstance(agent, StoredPolicy) else agent


def pigeonhole_difference(scores: Float, others: Float, rng: np.random.Generator) -> tuple[Estimate, Estimate]:
    """Mean difference of runs from many others that met the same chance, and the difference as a share of the others.

    Both seeds and initialisations are chance, and every initialisation met every seed: rows and columns are drawn anew,
    each for themselves (Owen 2007, "The pigeonhole bootstrap", Annals of Applied Statistics 1(2)). Percentiles.

    Parameters
    ----------
    scores : (seed,) array
    others : (initialisation, seed) array
    rng : numpy Generator
    """
    count, seeds = others.shape
    rows, columns = rng.integers(0, count, (RESAMPLES, count)), rng.integers(0, seeds, (RESAMPLES, seeds))
    drawn = others[rows[:, :, None], columns[:, None, :]].mean((1, 2))
    gaps = scores[columns].mean(1) - drawn
    value = float(scores.mean() - others.mean())
    ends = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    low, high = np.quantile(gaps, ends).tolist()
    low_share, high_share = np.quantile(gaps / drawn, ends).tolist()
    return Estimate(value, low, high), Estimate(value / float(others.mean()), low_share, high_share)


def _standings(found: Comparison, blank: Mapping[str, Sequence[str]]) -> Iterator[Standing]:
    """Lines of the table, from all that was played."""
    world, drawn = found.worlds[0].name, {name for names in blank.values() for name in names}
    for team in found.teams:
        if team in blank:
            rng = np.random.default_rng(BOOTSTRAP_SEED)
            own, others = (_numbers(found, world, t)["resource_cost"] for t in ([team], blank[team]))
            yield _standing(found, team, [team], 0, *pigeonhole_difference(own[0], others, rng))
            yield _standing(found, f"{team}, untrained", blank[team], len(blank[team]))
        elif team not in drawn:
            yield _standing(found, team, [team])
    numbers = _numbers(found, world, [found.teams[0]])
    yield Standing(OPTIMUM, 0, float((numbers["resource_cost"] - numbers["regret"]).mean()), 0.0)


def _standing(
    found: Comparison,
    name: str,
    teams: Sequence[str],
    initialisations: int = 0,
    difference: Estimate | None = None,
    share: Estimate | None = None,
) -> Standing:
    means = {m: _mean(array) for m, array in _numbers(found, found.worlds[0].name, teams).items()}
    cost, regret, *rest = (means[metric] for metric in METRICS)
    assert cost is not None
    assert regret is not None
    return Standing(name, initialisations, cost, regret, difference, share, *rest)


def _numbers(found: Comparison, world: str, teams: Sequence[str]) -> dict[str, Float]:
    """Metric -> (team, seed), empty where it does not apply."""
    return {m: np.stack([found.scores(world, team, m).to_numpy(np.float64) for team in teams]) for m in METRICS}


def _mean(array: Float) -> float | None:
    return float(array.mean()) if array.size else None
