"""Agents that together play every seat: who plays what, seated in one world's auction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gridmarl import catalogue
from gridmarl.agents.agent import Agent, BatchAgent, Prepares
from gridmarl.agents.rules import Rule
from gridmarl.agents.seats import Seats
from gridmarl.agents.trained import trained_team
from gridmarl.environment.compiled.arrays import Outcome
from gridmarl.environment.compiled.fields import ROLES
from gridmarl.environment.core import Core
from gridmarl.environment.others import matches
from gridmarl.environment.seating import Place, Seating, observations_of
from gridmarl.errors import ActionError, ScenarioError, nearest
from gridmarl.scenario.scenario import OPERATOR, PROSUMER, SEPARATE, Scenario
from gridmarl.units import Float, Float32

TEAM_KEYS = {"description", "seats"}
PROMISED = ("information", "sees", "codecs", "begin", "act")
"""What a team asks of its players, see :class:`gridmarl.agents.agent.Agent`."""


@dataclass(frozen=True, slots=True)
class Team:
    """Agents by role, seat or pattern; the first match plays. A seat nobody claims idles at its default action 0.

    Parameters
    ----------
    agents : mapping
        Role, seat or pattern -> agent. ``"*"`` is all seats that trade.
    name : str
    description : str
    """

    agents: Mapping[str, Agent]
    name: str = "team"
    description: str = ""

    def __post_init__(self) -> None:
        for pattern, agent in self.agents.items():
            missing = [name for name in PROMISED if not hasattr(agent, name)]
            if missing:
                promised = f"an agent, with {', '.join(PROMISED)}"
                remedy = f"it has no {', '.join(missing)}; load_team(NAME).agents and load_agent(NAME) give agents"
                raise ScenarioError(f"team {self.name!r}: player of {pattern!r}", agent, promised, remedy)

    @classmethod
    def from_mapping(cls, settings: Mapping[str, object], name: str = "team") -> Team:
        """Build a team from the content of a YAML file.

        Raises
        ------
        ScenarioError
            Where a key is unknown or an entry has no kind.
        CatalogueError
            Where a kind is unknown.
        """
        unknown = sorted(set(settings) - TEAM_KEYS)
        if unknown:
            raise ScenarioError(
                f"team {name!r}: key", unknown[0], ", ".join(sorted(TEAM_KEYS)), nearest(unknown[0], TEAM_KEYS)
            )
        seats = settings.get("seats")
        if not isinstance(seats, Mapping) or not seats:
            raise ScenarioError(
                f"team {name!r}: seats", seats, "role, seat or pattern -> {kind: ..., ...}", "add entries"
            )
        agents = {str(key): make_agent(entry, f"team {name!r}, seats.{key}") for key, entry in seats.items()}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]  # raw YAML
        return cls(agents, name, str(settings.get("description", "")))

    @property
    def information(self) -> str:
        """The best information any of the agents uses."""
        order = ("public", "forecast", "perfect")
        return max((agent.information for agent in self.agents.values()), key=order.index, default=order[0])

    @property
    def sees(self) -> str:
        """The widest sight any of the agents has."""
        order = ("own", "team", "all")
        return max((agent.sees for agent in self.agents.values()), key=order.index, default=order[0])

    def claimant(self, seat: str, role: str) -> Agent | None:
        """Who claims a seat, if anybody does."""
        for pattern, agent in self.agents.items():
            if matches(pattern, seat, role) and not (pattern == "*" and role == "operator"):
                return agent
        return None

    def player_of(self, seat: str, role: str) -> Agent:
        """Who plays a seat."""
        return self.claimant(seat, role) or (Rule("passive") if role == "operator" else Rule("idle"))

    def plays_home(self, home: str) -> bool:
        """Whether the agent that claims a home plays it as one seat; otherwise its parts are a seat each."""
        agent = self.claimant(home, PROSUMER)
        return agent is not None and PROSUMER in agent.codecs


def make_agent(entry: object, where: str) -> Agent:
    """One agent from its YAML entry: ``kind`` names the class, the rest are its settings.

    Raises
    ------
    ScenarioError
        Where there is no kind or the settings do not fit.
    """
    if not isinstance(entry, Mapping) or "kind" not in entry:
        raise ScenarioError(where, entry, "{kind: ..., ...}", "name a kind")
    settings: dict[str, Any] = {str(k): v for k, v in entry.items() if k != "kind"}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]  # raw YAML
    kind: Any = catalogue.resolve(str(entry["kind"]))  # pyright: ignore[reportUnknownArgumentType]
    try:
        return kind(**settings)
    except TypeError as error:
        raise ScenarioError(
            f"{where}: settings of kind {entry['kind']!r}", settings, str(error), "correct them"
        ) from error  # pyright: ignore[reportUnknownMemberType]


def load_team(name_or_path: str | Path | Team) -> Team:
    """A shipped team by name, your own file by path, or by its folder what ``gridmarl train`` wrote.

    Raises
    ------
    CatalogueError
        Where no team has that name (suggests the nearest).
    PolicyError
        Where a folder holds no policy.
    """
    if isinstance(name_or_path, Team):
        return name_or_path
    if name_or_path not in catalogue.names("baselines") and (folder := Path(name_or_path)).is_dir():
        return Team.from_mapping(trained_team(folder), folder.name)
    name = catalogue.find("baselines", name_or_path).stem
    return Team.from_mapping(catalogue.read("baselines", name_or_path), name)


def roles_of(scenario: Scenario, codecs: Mapping[str, str] | None = None) -> dict[str, str]:
    """Seat -> role of all seats that are played under these codecs: a one-seat home instead of its parts."""
    homes = scenario.bundled(codecs)
    parts = {part.name for home in homes for part in home.parts}
    groups = (scenario.all_generators, scenario.all_storage, scenario.all_consumers)
    roles = {p.name: role for role, group in zip(ROLES, groups, strict=False) for p in group if p.name not in parts}
    return {**roles, **{home.name: PROSUMER for home in homes}, OPERATOR: "operator"}


class SeatedTeam:
    """A team in the seats of one world, all of them or those nobody else plays.

    Parameters
    ----------
    team : Team
    scenario : Scenario
    seats : tuple of str, optional
        By default all.
    """

    def __init__(self, team: Team, scenario: Scenario, seats: tuple[str, ...] | None = None) -> None:
        self.team = team
        self.codecs: dict[str, str] = {}
        roles = self._seat_homes(scenario, tuple(roles_of(scenario)) if seats is None else seats)
        players: dict[int, tuple[Agent, list[str]]] = {}
        idle: dict[str, Agent] = {}
        for seat in roles:
            agent = team.player_of(seat, roles[seat])
            if isinstance(agent, Rule) and agent.settings.rule in ("idle", "passive"):
                agent = idle.setdefault(roles[seat], _idle(roles[seat]))
            if isinstance(agent, Prepares):
                agent.prepare(scenario)
            players.setdefault(id(agent), (agent, []))[1].append(seat)
        self.players = [(agent, tuple(names)) for agent, names in players.values()]
        self.codecs |= {s: _codec(agent, s, roles[s]) for agent, names in self.players for s in names}
        self._places: dict[str, Place] = {}
        # Kept here, not asked of the agent again: the same agents may sit in other markets meanwhile.
        self._constant: dict[str, Float] = {}

    def _seat_homes(self, scenario: Scenario, seats: tuple[str, ...]) -> dict[str, str]:
        """Seat -> role; homes become one seat where the team plays them so, else their parts do."""
        separate = roles_of(scenario, {home.name: SEPARATE for home in scenario.all_prosumers})
        homes = {home.name: tuple(part.name for part in home.parts) for home in scenario.all_prosumers}
        owner = {part: home for home, parts in homes.items() for part in parts}
        if set(seats) == set(roles_of(scenario)):  # all of them: the team decides also where a scenario says otherwise
            seats = tuple(dict.fromkeys(owner.get(seat, seat) for seat in seats))
        roles: dict[str, str] = {}
        for seat in seats:
            if seat in homes and self.team.plays_home(seat):
                roles[seat] = PROSUMER
                continue
            for part in homes.get(seat, (seat,)):
                roles[part] = separate[part]
                if part in owner:
                    self.codecs[owner[part]] = SEPARATE
        order = {seat: place for place, seat in enumerate([*separate, *homes])}
        return dict(sorted(roles.items(), key=lambda pair: order[pair[0]]))

    def begin(self, core: Core) -> None:
        """An episode begins; with many rows only players whose actions need no memory can follow."""
        if not self._places:
            self._places = Seating(core.compiled).places
        for number, (agent, names) in enumerate(self.players):
            constant = bool(getattr(agent, "constant", False))
            if constant and names[0] in self._constant:
                continue
            if core.count > 1 and not constant and not isinstance(agent, BatchAgent):
                raise ScenarioError(
                    f"team {self.team.name!r}: a {type(agent).__name__} in {core.count} environments at once",
                    None,
                    "rules of thumb and stored policies",
                    "use parallel_env, one market at a time",
                )
            seed = int(core.clocks.seed[0]) * 1009 + int(core.clocks.episode[0]) * 101 + number
            agent.begin(Seats(core, 0, names, agent.information, agent.sees), seed)
            if constant:
                self._constant |= agent.act(dict.fromkeys(names, _NOTHING))
        self.rng = np.random.default_rng([int(core.clocks.seed[0]), int(core.clocks.episode[0])])

    def fill(self, outcome: Outcome, actions: Float) -> None:
        """Write the next actions of the team's seats into the packed rows."""
        for seat, action in self._constant.items():
            actions[:, self._places[seat].start : self._places[seat].stop] = action
        for agent, names in self.players:
            if names[0] in self._constant:
                continue
            if len(actions) == 1:
                self._fill_row(agent, names, outcome, actions[0])
            else:
                self._fill_rows(agent, names, outcome, actions)

    def _fill_row(self, agent: Agent, names: tuple[str, ...], outcome: Outcome, row: Float) -> None:
        chosen = agent.act({s: observations_of(outcome, self._places[s].role)[0, self._places[s].among] for s in names})
        for seat in names:
            if seat not in chosen:
                raise ActionError(
                    f"{type(agent).__name__}.act()", f"no action for {seat!r}", "one for each seat", "add it"
                )
            self._places[seat].write(chosen[seat], row)

    def _fill_rows(self, agent: Agent, names: tuple[str, ...], outcome: Outcome, actions: Float) -> None:
        assert isinstance(agent, BatchAgent)
        seen = {s: observations_of(outcome, self._places[s].role)[:, self._places[s].among] for s in names}
        for seat, action in agent.act_batch(seen, self.rng, explore=False).items():
            place = self._places[seat]
            actions[:, place.start : place.stop] = np.reshape(action, (len(actions), -1))


_NOTHING: Float32 = np.zeros(0, np.float32)


def _idle(role: str) -> Rule:
    """The rule that does nothing in a role (a generator cannot idle: it is truthful)."""
    return Rule({"operator": "passive", "generator": "truthful"}.get(role, "idle"))


def _codec(agent: Agent, seat: str, role: str) -> str:
    if role not in agent.codecs:
        raise ScenarioError(
            f"{type(agent).__name__} for the {role} {seat!r}", None, ", ".join(agent.codecs), "seat it elsewhere"
        )
    return agent.codecs[role]
