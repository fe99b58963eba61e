"""Rules of thumb at their best: their constants are tuned on a world's train split before they play."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
import yaml

from gridmarl.agents.agent import Information, Sees
from gridmarl.agents.rules import RULE_CODECS, Rule
from gridmarl.agents.seats import Seats
from gridmarl.errors import ScenarioError, nearest
from gridmarl.files import write_atomically
from gridmarl.learning.fixed.tuning import ROLE_OF, Tunable, tuned_rules
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import Float, Float32

_NOTHING: Final[Float32] = np.zeros(0, np.float32)


class TunedRule:
    """A rule whose constants are the best of many tries in the world it is seated in; kind ``tuned``.

    The first episode in a world takes a second or so longer; the constants then hold for the whole process. The same
    world always gives the same constants.

    Parameters
    ----------
    rule : {"markup", "threshold"}
        For generators, or for batteries.
    against : str
        The team that all others play while a seat is tuned.

    Attributes
    ----------
    rules : mapping
        Seat -> the rule as it was tuned for the world last begun.
    """

    information: Information = "public"
    sees: Sees = "own"
    constant: ClassVar[bool] = True

    def __init__(self, rule: Tunable, against: str = "truthful") -> None:
        if rule not in ROLE_OF:
            raise ScenarioError("rule that can be tuned", rule, ", ".join(ROLE_OF), nearest(rule, ROLE_OF))
        self.rule: Tunable = rule
        self.against = against
        role = ROLE_OF[rule]
        self.codecs: Mapping[str, str] = {role: RULE_CODECS[rule][role]}
        self.rules: Mapping[str, Rule] = {}
        self._worlds: dict[str, Scenario] = {}
        self._actions: dict[str, Float] = {}

    def prepare(self, scenario: Scenario) -> None:
        """Remember a world it is seated in."""
        self._worlds[scenario.digest] = scenario

    def begin(self, seats: Seats, seed: int) -> None:
        """Tune, unless this world was tuned for before, and look once at the played seats."""
        tuned = tuned_rules(self._worlds[seats.facts.digest], self.rule, self.against)
        self.rules = {seat: tuned[seat] for seat in seats.played}
        self._actions = {}
        for rule in dict.fromkeys(self.rules.values()):
            rule.begin(seats, seed)
            mine = [seat for seat, its in self.rules.items() if its is rule]
            self._actions |= rule.act(dict.fromkeys(mine, _NOTHING))

    def act(self, observations: Mapping[str, Float32]) -> dict[str, Float]:
        """The same actions every interval."""
        return {seat: self._actions[seat] for seat in observations}

    def save(self, folder: Path) -> None:
        """Write what it tunes as YAML; the constants are found again."""
        settings = {"kind": "tuned", "rule": self.rule, "against": self.against}
        write_atomically(folder / "agent.yaml", yaml.safe_dump(settings))
