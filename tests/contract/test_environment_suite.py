"""The contract can fail: each broken market is caught by the check that is there for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from gridmarl.environment.parallel import Infos, MarketEnv, Observations
from gridmarl.environment.seating import global_state
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import Float32
from tests.contract import environment_suite as suite

WORLD = Scenario.load("auction").but(intervals=8)
"""Any world in which seeds matter."""
Returned = tuple[Observations, dict[str, float], dict[str, bool], dict[str, bool], Infos]


class Edited(MarketEnv):
    """A market whose steps are edited before they are returned."""

    def step(self, actions: Mapping[str, Any]) -> Returned:
        returned = super().step(actions)
        self.edit(*returned)
        return returned

    def edit(self, seen: Observations, paid: Any, ended: Any, cut: Any, infos: Infos) -> None:
        """What is broken."""


class Terminates(Edited):
    def edit(self, seen: Observations, paid: Any, ended: Any, cut: Any, infos: Infos) -> None:
        ended.update(cut)


class ForgetsTimeLimit(Edited):
    def edit(self, seen: Observations, paid: Any, ended: Any, cut: Any, infos: Infos) -> None:
        for info in infos.values():
            info.pop("TimeLimit.truncated", None)


class LeavesItsSpace(Edited):
    def edit(self, seen: Observations, paid: Any, ended: Any, cut: Any, infos: Infos) -> None:
        seen["operator"][0] = 1.5


class IsNotANumber(Edited):
    def edit(self, seen: Observations, paid: Any, ended: Any, cut: Any, infos: Infos) -> None:
        seen["operator"][0] = np.nan


class PaysArrays(Edited):
    def edit(self, seen: Observations, paid: Any, ended: Any, cut: Any, infos: Infos) -> None:
        paid["operator"] = np.float64(paid["operator"])


class SharesOneInfo(Edited):
    def step(self, actions: Mapping[str, Any]) -> Returned:
        seen, paid, ended, cut, infos = super().step(actions)
        return seen, paid, ended, cut, dict.fromkeys(infos, infos["operator"])


class DrawsElsewhere(Edited):
    def edit(self, seen: Observations, paid: Any, ended: Any, cut: Any, infos: Infos) -> None:
        if self.core.rows.t[0] == 5:
            seen["operator"][0] = np.random.default_rng().uniform()


class ReusesItsBuffer(MarketEnv):
    kept: np.ndarray | None = None

    def _observations(self, outcome: Any) -> Observations:
        seen = super()._observations(outcome)
        if self.kept is None:
            self.kept = seen["operator"]
        self.kept[:] = seen["operator"]
        return {**seen, "operator": self.kept}


class GivesAwayItsState(MarketEnv):
    def state(self) -> Float32:
        return global_state(self.latest)[0]  # the arrays whose rows were handed out


class BuildsSpacesAnew(MarketEnv):
    def action_space(self, agent: str) -> spaces.Space[Any]:
        return deepcopy(super().action_space(agent))


class ForgetsItsSeed(MarketEnv):
    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observations, Infos]:
        return super().reset(None if options else seed, options)


class CannotBePickled(MarketEnv):
    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario)
        self.hook = lambda: None


@pytest.mark.parametrize(
    "broken, check, rule",
    [
        (Terminates, suite.check_whole_episode, "never terminates"),
        (ForgetsTimeLimit, suite.check_whole_episode, "TimeLimit.truncated"),
        (LeavesItsSpace, suite.check_whole_episode, "outside its space"),
        (IsNotANumber, suite.check_whole_episode, "not finite"),
        (PaysArrays, suite.check_whole_episode, "is a float"),
        (SharesOneInfo, suite.check_whole_episode, "infos name"),
        (DrawsElsewhere, suite.check_determinism, "differ at step 5"),
        (ReusesItsBuffer, suite.check_returned_values_are_the_callers, "changed|overwritten"),
        (GivesAwayItsState, suite.check_returned_values_are_the_callers, r"state\(\)"),
        (BuildsSpacesAnew, suite.check_spaces, "one action space object"),
        (ForgetsItsSeed, suite.check_pettingzoo_traps, "options are ignored"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_broken_market_is_caught(broken: type[MarketEnv], check: Callable[[suite.Factory], None], rule: str) -> None:
    with pytest.raises(AssertionError, match=rule):
        check(lambda: broken(WORLD))


def test_a_market_that_cannot_be_pickled_is_caught() -> None:
    with pytest.raises(Exception, match=r"pickle|Can't get"):
        suite.check_copies(lambda: CannotBePickled(WORLD))


@pytest.mark.filterwarnings("ignore::UserWarning")  # PettingZoo's taste in names and spaces
def test_the_same_market_unbroken_passes() -> None:
    suite.check_all(lambda: MarketEnv(WORLD))
