"""The best constants for rules of thumb, found by trying them all on the train split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final, Literal

import numpy as np

from gridmarl.agents.rules import Rule
from gridmarl.agents.seats import Seats
from gridmarl.agents.team import SeatedTeam, Team, load_team, roles_of
from gridmarl.assets import battery
from gridmarl.environment.compiled.columns import PRICE, REWARD
from gridmarl.environment.core import Core
from gridmarl.environment.seating import Seating
from gridmarl.learning.fixed.returns import with_player
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import Float

Tunable = Literal["markup", "threshold"]
ROLE_OF: Final[Mapping[str, str]] = {"markup": "generator", "threshold": "storage"}
MARKUPS: Final[Float] = np.round(np.arange(1.0, 2.501, 0.05), 2)
"""Multiples of true cost that are tried as constant offers."""
SHARES: Final = (0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95)
"""Quantiles of prices that are tried as thresholds."""
SEEDS: Final = range(8)
SINGLY: Final = 12
"""Where more seats than this play a rule, those of one technology share their constants."""


def tuned_rules(scenario: Scenario, rule: Tunable, against: str) -> Mapping[str, Rule]:
    """Seat -> the rule with the constants that earn it most, alone, on the train split.

    Each seat (of many seats: each technology) is tuned while all others play ``against``; nobody's test days are seen.
    Mark-ups are multiples of true cost; thresholds are quantiles of the prices that ``against`` leads to, beside the
    rule's own default. A battery's gain in energy counts at the world's declared price.

    Parameters
    ----------
    scenario : Scenario
    rule : {"markup", "threshold"}
    against : str
        A team, by name or path.
    """
    return _tuned(scenario.digest, rule, against, _Hidden(scenario))


class _Hidden:
    """A scenario that a cache's key leaves out: the digest stands for it."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Hidden)

    def __hash__(self) -> int:
        return 0


@cache
def _tuned(_: str, rule: Tunable, against: str, hidden: _Hidden) -> Mapping[str, Rule]:
    scenario, others = hidden.scenario, load_team(against)
    candidates = _markups() if rule == "markup" else _thresholds(scenario, others)
    found: dict[str, Rule] = {}
    for seats in _groups(scenario, ROLE_OF[rule]):
        earned = profits_of(scenario, others, seats, candidates)
        best = candidates[int(earned.mean(axis=1).argmax())]
        found |= dict.fromkeys(seats, best)
    return found


def profits_of(
    scenario: Scenario, others: Team, seats: Sequence[str], candidates: Sequence[Rule], seeds: Sequence[int] = SEEDS
) -> Float:
    """What seats earn together by each of some rules on the train split, (candidate, seed) $ per episode.

    Parameters
    ----------
    scenario : Scenario
    others : Team
        Who plays the other seats.
    seats : sequence of str
        All play the same rule.
    candidates : sequence of Rule
        Of one codec; all are played side by side.
    seeds : sequence of int
    """
    seated = SeatedTeam(with_player(others, candidates[0], seats, others.name), scenario)
    core = Core(scenario, len(candidates) * len(seeds), seated.codecs, "train")
    outcome = core.reset(np.tile(np.array(seeds, np.uint64), len(candidates)))
    seated.begin(core)
    overlay = _actions(core, seats, candidates, len(seeds))
    rows = [core.compiled.layout.index(seat) for seat in seats]
    stored = [i - len(core.compiled.world.generator) for i in rows]
    worth = scenario.stored_energy_price_per_mwh if _are_batteries(core, seats) else 0.0
    actions, sums = np.zeros((core.count, core.width)), np.zeros(core.count)
    if worth:
        sums -= worth * core.rows.battery[:, stored, battery.ENERGY].sum(axis=1)
    for _ in range(core.intervals):
        seated.fill(outcome, actions)
        for places, values in overlay:
            actions[:, places] = values
        outcome = core.step(actions)
        sums += outcome.seats[:, rows, REWARD].sum(axis=1)
    if worth:
        sums += worth * core.rows.battery[:, stored, battery.ENERGY].sum(axis=1)
    return sums.reshape(len(candidates), len(seeds))


def _are_batteries(core: Core, seats: Sequence[str]) -> bool:
    layout = core.compiled.layout
    return all(layout.roles[layout.index(seat)] == "storage" for seat in seats)


def _actions(core: Core, seats: Sequence[str], candidates: Sequence[Rule], seeds: int) -> list[tuple[slice, Float]]:
    """Where each seat's action stands in a packed row, and its values in every row."""
    places, found = Seating(core.compiled).places, list[tuple[slice, Float]]()
    chosen: list[dict[str, Float]] = []
    for rule in candidates:
        rule.begin(Seats(core, 0, tuple(seats), rule.information, rule.sees), 0)
        chosen.append(rule.act(dict.fromkeys(seats, np.zeros(0, np.float32))))
    for seat in seats:
        values = np.repeat(np.stack([action[seat] for action in chosen]), seeds, axis=0)
        found.append((slice(places[seat].start, places[seat].stop), values))
    return found


def _markups() -> list[Rule]:
    return [Rule("markup", factor=float(factor)) for factor in MARKUPS]


def _thresholds(scenario: Scenario, others: Team) -> list[Rule]:
    """Pairs of quantiles of the train split's prices, and the rule's default."""
    seated = SeatedTeam(others, scenario)
    core = Core(scenario, len(SEEDS), seated.codecs, "train")
    outcome = core.reset(np.array(SEEDS, np.uint64))
    seated.begin(core)
    actions = np.zeros((core.count, core.width))
    prices = np.zeros((core.intervals, core.count))
    for t in range(core.intervals):
        seated.fill(outcome, actions)
        outcome = core.step(actions)
        prices[t] = outcome.market[:, PRICE]
    most = scenario.market.cap_per_mwh
    levels = np.unique(np.clip(np.quantile(prices, SHARES), scenario.market.floor_per_mwh, most).round(2)).tolist()
    pairs = [(low, high) for low in levels for high in levels if low < high]
    return [Rule("threshold")] + [
        Rule("threshold", charge_below_per_mwh=low, discharge_above_per_mwh=high) for low, high in pairs
    ]


def _groups(scenario: Scenario, role: str) -> list[tuple[str, ...]]:
    """Seats of a role that are tuned together."""
    seats = [seat for seat, its in roles_of(scenario).items() if its == role]
    if len(seats) <= SINGLY:
        return [(seat,) for seat in seats]
    kinds = {unit.name: unit.technology for unit in (*scenario.all_generators, *scenario.all_storage)}
    by_kind: dict[str, list[str]] = {}
    for seat in seats:
        by_kind.setdefault(kinds[seat], []).append(seat)
    return [tuple(names) for names in by_kind.values()]
