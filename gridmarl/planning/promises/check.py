"""What every planner promises, as a suite that anybody can run on a planner of their own.

```python
from gridmarl.planning.promises.check import check_planner

check_planner(lambda: MyPlanner(horizon_h=12), "three-homes")
```

Each promise is a function in `CONTRACTS`; a broken one raises `ContractError` whose message names it. Every planner is
seated among truthful players, in all seats or in those that ``seats`` names, and played as any team is.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np

from gridmarl.agents.load import load_agent
from gridmarl.agents.seats import Seats
from gridmarl.assets import battery, generator, load
from gridmarl.environment.seating import Seating
from gridmarl.errors import ContractError, GridmarlError
from gridmarl.planning.promises.promise import Planning, Table, Turn, differing, same
from gridmarl.planning.promises.replay import Replay
from gridmarl.planning.promises.secrets import other_secrets
from gridmarl.planning.wire.channel import Audit
from gridmarl.scenario.scenario import Scenario

HOURS = 1e-9
"""Lengths of time that differ by less are equal."""
FAR = 10.0
"""Capacities of energy in a battery from which no schedule leads back into its window."""


@dataclass(frozen=True)
class Case:
    """A planner in a world.

    Attributes
    ----------
    make : callable
        Returns a fresh planner at every call.
    scenario : Scenario
        The world; its episode is played to the end.
    seats : str
        Role, seat or pattern that the planner plays; the rest is truthful.
    seed : int
    """

    make: Callable[[], Planning]
    scenario: Scenario
    seats: str = "*"
    seed: int = 0

    def table(self, planner: Planning | None = None, seed: int | None = None, audit: Audit | None = None) -> Table:
        """The planner, by default a fresh one, seated at the beginning of an episode; its messages go to the audit."""
        player = planner or self.make()
        if audit and player.negotiates:
            player.listen(audit=audit)
        return Table(player, self.scenario, self.seats, self.seed if seed is None else seed)

    @cached_property
    def episode(self) -> tuple[Turn, ...]:
        """What a fresh planner does in an episode."""
        return self.table().play()


def plays_its_seats(case: Case) -> None:
    """act() answers for each seat the planner was given and for no other."""
    for turn in case.episode:
        if set(turn.actions) != set(turn.observations):
            raise _broken("seats", turn, sorted(turn.actions), f"one for each of {sorted(turn.observations)}")


def leaves_observations_alone(case: Case) -> None:
    """act() reads observations and does not write into them."""
    for turn in case.episode:
        if not same(turn.observations, turn.left):
            changed = differing(turn.observations, turn.left)
            raise _broken("observations", turn, changed, "inputs as they were: copy before you write")


def acts_within_bounds(case: Case) -> None:
    """Actions are finite and lie in the space of the codec that the planner speaks: prices, MW, and their shape."""
    table = case.table()
    spaces = Seating(table.core.compiled).action_spaces
    for turn in case.episode:
        for seat, action in turn.actions.items():
            if not (np.all(np.isfinite(action)) and spaces[seat].contains(action)):
                raise _broken("actions", turn, {seat: action}, f"in {spaces[seat]}", "clip prices and quantities")
    if len(case.episode) < case.scenario.intervals:
        raise _broken("actions", case.episode[-1], case.episode[-1].actions, "what the market takes")


def plans_again_when_due(case: Case) -> None:
    """A plan is made in the first interval and every ``replan_every_h``; each ends with the episode at the latest."""
    facts, turns = case.scenario, case.episode
    every = max(round(min(turns[0].replan_every_h / facts.interval_h, facts.intervals)), 1)
    longest = turns[0].planned_h
    for turn in turns:
        due = turn.interval // every + 1
        if turn.plans_made != due:
            raise _broken("receding horizon", turn, turn.plans_made, f"{due} plans made by now, one every {every}")
        remaining = (facts.intervals - turn.interval) * facts.interval_h
        wanted = min(longest, remaining)
        if turn.interval % every == 0 and abs(turn.planned_h - wanted) > HOURS:
            raise _broken("receding horizon", turn, turn.planned_h, f"{wanted} h: the horizon ends with the episode")


def repeats_itself(case: Case) -> None:
    """Two fresh planners with one seed act alike, bit for bit."""
    _compare("determinism", case.episode, case.table().play(), "the same actions for the same seed")


def forgets(case: Case) -> None:
    """begin() resets everything: an episode played before leaves no trace."""
    planner = case.make()
    case.table(planner, case.seed + 1).play()
    again = case.table(planner).play()
    _compare("begin() resets", case.episode, again, "what a fresh planner does", "forget in begin()")


def survives_storage(case: Case) -> None:
    """A planner saved to a folder and loaded again acts alike."""
    with tempfile.TemporaryDirectory() as folder:
        case.make().save(Path(folder))
        loaded = load_agent(Path(folder))
    played = case.table(cast(Planning, loaded)).play()
    _compare("save and load", case.episode, played, "the actions of the one saved")


def knows_no_more_of_the_future(case: Case) -> None:
    """Unless ``perfect`` is declared, changing what will happen leaves the first action as it is."""
    if case.make().information == "perfect":
        return
    acted: list[Turn] = []
    for shift in (0, 1):
        table = case.table()
        table.core.rows.key[0] += np.uint64(shift)  # all randomness from here on; what was forecast stays
        acted.append(table.turn())
    _compare(
        "information", acted[:1], acted[1:], "the same whatever is still to come", "declare 'perfect', or forecast"
    )


def sees_no_more_of_others(case: Case) -> None:
    """Changing the private parameters of an owner out of declared sight, all messages replayed, changes no answer."""
    whole = case.table()
    if whole.planner.sees == "all":
        return
    playing = Seats(whole.core, 0, whole.played, "forecast", "team").owners
    replay = Replay()
    before = case.table(audit=replay).turn()
    for owner, changed in other_secrets(case.scenario):
        if whole.planner.sees == "team" and owner in playing:
            continue
        replay.rewind(owner)
        table = case.table(audit=replay)
        table.core.compiled = replace(table.core.compiled, scenario=changed)
        after = table.turn()
        kept = [seat for seat in before.actions if seat not in playing.get(owner, ())]
        if not same({s: before.actions[s] for s in kept}, {s: after.actions[s] for s in kept}):
            secret = f"unchanged by the secrets of {owner!r}"
            raise _broken("sight", after, differing(before.actions, after.actions), secret, "declare what it sees")


def refuses_the_unsolvable(case: Case) -> None:
    """From a state without a schedule act() raises a typed error, and never answers with a plan."""
    table = case.table()
    seat = _spoil(table)
    try:
        turn = table.turn()
    except GridmarlError:
        return
    except Exception as error:
        raise ContractError(
            f"contract 'typed refusal' of {type(table.planner).__name__}",
            repr(error),
            "a GridmarlError such as InfeasiblePlanError",
            "name the thing, its value and what is allowed",
        ) from error
    raise _broken("typed refusal", turn, f"a plan from an impossible state of {seat!r}", "an error that names it")


CONTRACTS: dict[str, Callable[[Case], None]] = {
    contract.__name__: contract
    for contract in (
        plays_its_seats,
        leaves_observations_alone,
        acts_within_bounds,
        plans_again_when_due,
        repeats_itself,
        forgets,
        survives_storage,
        knows_no_more_of_the_future,
        sees_no_more_of_others,
        refuses_the_unsolvable,
    )
}
"""All that is promised, by name."""


def check_planner(
    make: Callable[[], Planning],
    scenario: str | Path | Scenario = "three-homes",
    *,
    seats: str = "*",
    seed: int = 0,
) -> None:
    """Check that a planner keeps every contract in a world.

    Parameters
    ----------
    make : callable
        Returns a fresh planner at every call. Besides the `Agent` protocol it has ``replan_every_h`` [h],
        ``plans_made``, ``plan`` and, where its owners speak through a channel, ``negotiates`` and ``listen``.
    scenario : str, Path or Scenario
        The world, played to its end four times; shorten a long one with ``Scenario.load(name).but(intervals=...)``.
    seats : str
        Role, seat or pattern that the planner plays among truthful players; ``"*"`` is all.
    seed : int
        Of the world's randomness and the planner's own.

    Raises
    ------
    ContractError
        For the first broken contract, by name.
    """
    case = Case(make, Scenario.load(scenario), seats, seed)
    for contract in CONTRACTS.values():
        contract(case)


def _broken(contract: str, turn: Turn, value: object, allowed: str, remedy: str = "") -> ContractError:
    return ContractError(f"contract {contract!r}, {turn.planner} in interval {turn.interval}", value, allowed, remedy)


def _compare(
    contract: str,
    turns: tuple[Turn, ...] | list[Turn],
    others: tuple[Turn, ...] | list[Turn],
    rule: str,
    remedy: str = "",
) -> None:
    for one, other in zip(turns, others, strict=True):
        if not same(one.actions, other.actions):
            raise _broken(contract, other, differing(one.actions, other.actions), rule, remedy)


def _spoil(table: Table) -> str:
    """Put a played seat into a state that no schedule leads out of; its name."""
    compiled, rows = table.core.compiled, table.core.rows
    generators, batteries = len(compiled.world.generator), len(compiled.world.battery)
    for seat in sorted(table.played, key=compiled.layout.index, reverse=True):
        index = compiled.layout.index(seat)
        if index < generators:
            rows.generator[0, index, generator.OUTPUT] = np.nan
        elif index < generators + batteries:
            unit = compiled.scenario.all_storage[index - generators]
            rows.battery[0, index - generators, battery.ENERGY] = FAR * unit.capacity_mwh
        else:
            continue
        return seat
    index = compiled.layout.index(table.played[0]) - generators - batteries
    rows.load[0, index, load.DEBT] = np.nan
    return table.played[0]
