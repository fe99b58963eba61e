"""Every shipped planner keeps every contract, and planners that break one are caught by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from gridmarl.agents.seats import Seats
from gridmarl.agents.team import load_team
from gridmarl.errors import ContractError, GridmarlError, ScenarioError
from gridmarl.planning.admm import AdmmPlanner
from gridmarl.planning.admm.rounds import AdmmRounds
from gridmarl.planning.model.problem import Problem
from gridmarl.planning.planner import Planner
from gridmarl.planning.promises.check import CONTRACTS, Case, check_planner
from gridmarl.planning.promises.promise import Planning
from gridmarl.planning.promises.replay import Replay
from gridmarl.planning.promises.secrets import other_secrets
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import Float, Float32

SHIPPED = ("central", "central-perfect", "admm", "aladin", "dantzig-wolfe", "selfish")
WORLD = ("auction", 18, "storage")  # name, intervals of two plans or more, seats
LONGER = (
    ("auction", 18, "*"),
    ("bess-fleet", 3, "*"),
    ("three-homes", 24, "*"),
    ("three-homes", 24, "school.*"),
    ("auction", 18, "gas_1"),
    ("duck-curve", 6, "storage"),
    ("renewable-heavy", 6, "*"),
)


def planner_of(team: str) -> Callable[[], Planning]:
    return lambda: cast(Planning, next(iter(load_team(team).agents.values())))


def world(name: str, intervals: int, straight: bool = False) -> Scenario:
    scenario = Scenario.load(name).but(intervals=intervals)
    if straight:  # without the quadratic part of wear
        storage = tuple(unit.model_copy(update={"wear_per_mw2h": 0.0}) for unit in scenario.storage)
        return scenario.model_copy(update={"storage": storage})
    return scenario


@pytest.mark.parametrize("team", SHIPPED)
def test_shipped_planners_keep_every_contract(team: str):
    name, intervals, seats = WORLD
    check_planner(planner_of(team), world(name, intervals), seats=seats)


@pytest.mark.parametrize(
    "team",
    ["central", *(pytest.param(team, marks=pytest.mark.slow) for team in ("central-perfect", "admm", "selfish"))],
)
def test_shipped_planners_keep_every_contract_where_owners_weigh_risk(team: str):
    check_planner(planner_of(team), "three-homes")


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name, intervals, seats", LONGER)
@pytest.mark.parametrize("team", SHIPPED)
def test_shipped_planners_keep_every_contract_in_more_worlds(team: str, name: str, intervals: int, seats: str):
    if team == "dantzig-wolfe" and name == "duck-curve":
        pytest.skip("the homes' wear is quadratic, which dantzig-wolfe refuses by name")
    check_planner(planner_of(team), world(name, intervals, team == "dantzig-wolfe"), seats=seats)


def test_dantzig_wolfe_refuses_quadratic_wear_by_name():
    with pytest.raises(ScenarioError, match="dantzig-wolfe plans linear costs only"):
        check_planner(planner_of("dantzig-wolfe"), "three-homes")


class Absent(Planner):
    """Leaves a seat out."""

    def act(self, observations: Mapping[str, Float32]) -> dict[str, Float]:
        actions = super().act(observations)
        return dict(list(actions.items())[1:])


class Scribbler(Planner):
    """Scales its inputs in place."""

    def act(self, observations: Mapping[str, Float32]) -> dict[str, Float]:
        for seen in observations.values():
            seen[:] = 2.0 * seen
        return super().act(observations)


class Greedy(Planner):
    """Asks for prices without end."""

    def act(self, observations: Mapping[str, Float32]) -> dict[str, Float]:
        return {seat: 1e6 * action for seat, action in super().act(observations).items()}


class Stubborn(Planner):
    """Plans once and keeps to it."""

    def _plan(self, seats: Seats) -> None:
        super()._plan(seats)
        self._replan_at = seats.facts.intervals


class Endless(Planner):
    """Plans beyond the end."""

    def _plan(self, seats: Seats) -> None:
        super()._plan(seats)
        self.plan = replace(self.plan, step_h=self.plan.step_h + 1.0)


class Moody(Planner):
    """Rolls dice that nobody seeded."""

    def act(self, observations: Mapping[str, Float32]) -> dict[str, Float]:
        dice = np.random.default_rng()
        return {seat: action * dice.uniform(0.9, 1.0) for seat, action in super().act(observations).items()}


class Nostalgic(Planner):
    """Starts from what an earlier episode agreed on."""

    def begin(self, seats: Seats, seed: int) -> None:
        agreed = self._method
        super().begin(seats, seed)
        self._method = agreed


class Impostor(Planner):
    """Saves somebody else."""

    def save(self, folder: Path) -> None:
        Planner(method="selfish").save(folder)


class Clairvoyant(Planner):
    """Declares forecasts and reads the truth."""

    def begin(self, seats: Seats, seed: int) -> None:
        super().begin(Seats(seats._core, 0, seats.played, "perfect", seats.sees), seed)


class Peeper(Planner):
    """Declares to see one owner at a time and plans with all of them at once."""

    def __init__(self, **settings: object) -> None:
        super().__init__(**settings)
        self.sees = "own"


class Gossips(AdmmPlanner):
    """Their coordinator chooses its penalty by what it was never told."""

    def open(self, problem: Problem, **named: Any) -> AdmmRounds:
        costs = sum(float(np.sum(getattr(a, "wear_per_mwh", 0.0))) for owner in problem.owners for a in owner.assets)
        self._settings = replace(self._settings, rho=1000.0 + costs)
        return super().open(problem, **named)


class Gossip(Planner):
    """Negotiates through Gossips."""

    def _make_method(self) -> Any:
        return Gossips(audit=self._audit)


class Silent(Planner):
    """Answers with nothing where there is no plan, and does not say so."""

    def act(self, observations: Mapping[str, Float32]) -> dict[str, Float]:
        try:
            return super().act(observations)
        except GridmarlError:
            self.plan = cast(Any, SimpleNamespace(step_h=np.ones(1)))
            return {seat: np.zeros(6) for seat in observations}


class Crashing(Planner):
    """Falls over where there is no plan."""

    def act(self, observations: Mapping[str, Float32]) -> dict[str, Float]:
        try:
            return super().act(observations)
        except GridmarlError:
            raise KeyError("plan") from None


BROKEN: list[tuple[type[Planner], dict[str, object], str, str]] = [
    (Absent, {}, "plays_its_seats", "contract 'seats'"),
    (Scribbler, {}, "leaves_observations_alone", "contract 'observations'"),
    (Greedy, {}, "acts_within_bounds", "contract 'actions'"),
    (Stubborn, {}, "plans_again_when_due", "contract 'receding horizon'"),
    (Endless, {}, "plans_again_when_due", "contract 'receding horizon'"),
    (Moody, {}, "repeats_itself", "contract 'determinism'"),
    (Nostalgic, {"method": "admm", "tolerance": 1e-3}, "forgets", r"contract 'begin\(\) resets'"),
    (Impostor, {}, "survives_storage", "contract 'save and load'"),
    (Clairvoyant, {}, "knows_no_more_of_the_future", "contract 'information'"),
    (Peeper, {}, "sees_no_more_of_others", "contract 'sight'"),
    (Gossip, {"method": "admm"}, "sees_no_more_of_others", "contract 'sight', messages replayed"),
    (Silent, {}, "refuses_the_unsolvable", "contract 'typed refusal'"),
    (Crashing, {}, "refuses_the_unsolvable", "KeyError"),
]


@pytest.mark.parametrize("broken, settings, contract, says", BROKEN)
def test_a_planner_that_breaks_a_contract_is_told_which(
    broken: type[Planner], settings: dict[str, object], contract: str, says: str
):
    scenario = world("three-homes", 24) if "method" in settings else world("auction", 18)
    case = Case(lambda: broken(**settings), scenario)
    with pytest.raises(ContractError, match=says):
        CONTRACTS[contract](case)


def test_every_contract_has_a_planner_that_breaks_it():
    assert {contract for _, _, contract, _ in BROKEN} == set(CONTRACTS)


@pytest.mark.parametrize("team", ["admm", "aladin"])
def test_a_replay_reaches_owners_whose_secrets_did_change(team: str):
    """Otherwise equal bytes would prove nothing."""
    scenario = world("three-homes", 24)
    case, replay, told = Case(planner_of(team), scenario), Replay(), 0
    case.table(audit=replay).turn()
    for owner, changed in other_secrets(scenario):
        replay.rewind(owner)
        table = case.table(audit=replay)
        table.core.compiled = replace(table.core.compiled, scenario=changed)
        table.turn()
        assert replay.answered_otherwise, f"{owner} answers as before"
        told += 1
    assert told == 3


def test_seats_that_nobody_has_are_refused():
    with pytest.raises(ScenarioError, match="stroage"):
        check_planner(planner_of("central"), world("auction", 12), seats="stroage")
