"""Rules of thumb: players whose action never changes within an episode, and one that draws at random."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
import yaml
from pydantic import Field

from gridmarl.agents.agent import Information, Sees
from gridmarl.agents.seats import GeneratorSeat, Seats
from gridmarl.environment.compiled.codecs import CODECS, INTERVENTIONS, RESERVE_LEVELS
from gridmarl.errors import ScenarioError, nearest
from gridmarl.files import write_atomically
from gridmarl.scenario.model import Model
from gridmarl.units import Float, Float32

ZERO_INTELLIGENCE: Final = "zero-intelligence"
"""A kind of its own: it draws, so it is not constant."""
RULE_CODECS: dict[str, dict[str, str]] = {
    "truthful": {"generator": "markup", "consumer": "markup"},
    "markup": {"generator": "markup", "consumer": "markup"},
    "maximum": {"generator": "order"},
    "fixed": {"generator": "order"},
    "idle": {"storage": "power", "consumer": "share", "prosumer": "assets"},
    "threshold": {"storage": "curve"},
    "peak-shaving": {"consumer": "order"},
    "passive": {"operator": "levels"},
    "steady": {"operator": "levels"},
    ZERO_INTELLIGENCE: {"generator": "order"},
}
"""Rule -> role it serves -> codec it speaks."""


class RuleSettings(Model):
    """One role's rule and its numbers."""

    rule: str
    factor: float = Field(default=1.3, ge=0, description="markup: offered over true marginal cost")
    price_per_mwh: float = Field(default=80.0, description="fixed and peak-shaving: the asked price")
    charge_below_per_mwh: float = Field(default=40.0, description="threshold: bids to charge at this price")
    discharge_above_per_mwh: float = Field(default=55.0, description="threshold: offers to discharge at this price")
    reserve_level: int = Field(default=0, ge=0, lt=RESERVE_LEVELS, description="steady: 0 is the least")
    intervention: int = Field(
        default=0,
        ge=0,
        lt=INTERVENTIONS,
        description="steady: none, carbon adder, no charging, all demand response, offers mitigated",
    )
    highest_per_mwh: float = Field(default=200.0, description="zero-intelligence: draws between true cost and this")


class Rule:
    """A rule of thumb for the seats of one role.

    Parameters
    ----------
    rule : str
        ``truthful``, ``markup``, ``maximum``, ``fixed`` for generators; ``idle``, ``threshold`` for storage;
        ``idle``, ``truthful``, ``peak-shaving`` for consumers; ``idle`` for prosumers; ``passive`` and
        ``steady`` for the operator.
    **numbers
        Fields of :class:`RuleSettings`.
    """

    information: Information = "public"
    sees: Sees = "own"
    constant: ClassVar[bool] = True

    def __init__(self, rule: str, **numbers: float) -> None:
        if rule not in RULE_CODECS:
            raise ScenarioError("rule", rule, ", ".join(RULE_CODECS), nearest(rule, RULE_CODECS))
        if rule == ZERO_INTELLIGENCE and type(self) is Rule:
            raise ScenarioError("rule", rule, "a rule whose actions are constant", f"write kind: {ZERO_INTELLIGENCE}")
        self.settings = RuleSettings.parse({"rule": rule, **numbers}, f"rule {rule!r}")
        self.codecs: Mapping[str, str] = RULE_CODECS[rule]
        self._actions: dict[str, Float] = {}

    def begin(self, seats: Seats, seed: int) -> None:
        """Look once at the played seats."""
        self._actions = {
            seat: self._action(seats.for_owner(owner), seat) for owner, s in seats.owners.items() for seat in s
        }

    def act(self, observations: Mapping[str, Float32]) -> dict[str, Float]:
        """The same actions every interval."""
        return {seat: self._actions[seat] for seat in observations}

    def _action(self, seats: Seats, seat: str) -> Float:
        rule, s, rules = self.settings.rule, self.settings, seats.facts.rules
        if seats.roles[seat] not in self.codecs:
            raise ScenarioError(
                f"rule {rule!r} for the {seats.roles[seat]} {seat!r}",
                None,
                ", ".join(self.codecs),
                "choose another rule",
            )
        match rule:
            case "truthful" | "markup":
                return np.array([1.0 if rule == "truthful" else s.factor])
            case "threshold":
                limit = _most_mw(seats, seat)
                return np.array(
                    [s.charge_below_per_mwh, -limit, s.discharge_above_per_mwh, limit, s.discharge_above_per_mwh, 0.0]
                )
            case "maximum":
                return np.array([rules.cap_per_mwh, _most_mw(seats, seat)])
            case "fixed" | "peak-shaving":
                return np.array([s.price_per_mwh, _most_mw(seats, seat)])
            case "passive":
                return np.array(0.0)
            case "steady":
                return np.array(float(s.reserve_level * INTERVENTIONS + s.intervention))
            case _:
                return np.zeros(CODECS[self.codecs[seats.roles[seat]]].width)

    def save(self, folder: Path) -> None:
        """Write the rule as YAML."""
        settings = {"kind": "rule", **self.settings.model_dump(exclude_unset=True)}
        write_atomically(folder / "agent.yaml", yaml.safe_dump(settings))


def _most_mw(seats: Seats, seat: str) -> float:
    """The seat's rating, MW."""
    parameters = seats.own(seat).parameters
    for name in ("capacity_mw", "power_mw", "load_mw"):
        if hasattr(parameters, name):
            return float(getattr(parameters, name))
    raise ScenarioError("seat", seat, "a generator, battery or load", "choose another rule")


class ZeroIntelligence(Rule):
    """Generators that offer everything at a price drawn between true cost and a limit (Gode & Sunder 1993, ZI-C)."""

    constant: ClassVar[bool] = False

    def __init__(self, highest_per_mwh: float = 200.0) -> None:
        super().__init__(ZERO_INTELLIGENCE, highest_per_mwh=highest_per_mwh)
        self._limits: dict[str, tuple[float, float, float]] = {}
        self._rng = np.random.default_rng(0)

    def begin(self, seats: Seats, seed: int) -> None:
        """Look once at the played seats and seed the stream."""
        self._rng = np.random.default_rng([seed, 0x21])
        self._limits = {}
        for owner, names in seats.owners.items():
            for seat in names:
                unit = seats.for_owner(owner).own(seat)
                if not isinstance(unit, GeneratorSeat):
                    raise ScenarioError("zero-intelligence for seat", seat, "a generator", "choose another rule")
                cost = unit.parameters.cost_per_mwh
                highest = max(min(self.settings.highest_per_mwh, seats.facts.rules.cap_per_mwh), cost)
                self._limits[seat] = (cost, highest, unit.parameters.capacity_mw)

    def act(self, observations: Mapping[str, Float32]) -> dict[str, Float]:
        """A fresh price for every seat."""
        return {
            seat: np.array([self._rng.uniform(self._limits[seat][0], self._limits[seat][1]), self._limits[seat][2]])
            for seat in observations
        }

    def save(self, folder: Path) -> None:
        """Write the limit as YAML."""
        settings = {"kind": ZERO_INTELLIGENCE, "highest_per_mwh": self.settings.highest_per_mwh}
        write_atomically(folder / "agent.yaml", yaml.safe_dump(settings))

    def act_batch(
        self, observations: Mapping[str, Float32], rng: np.random.Generator, explore: bool
    ) -> dict[str, Float | np.ndarray]:
        """A fresh price for every seat of every environment."""
        return {
            seat: np.stack(
                [rng.uniform(*self._limits[seat][:2], len(seen)), np.full(len(seen), self._limits[seat][2])], axis=1
            )
            for seat, seen in observations.items()
        }
