"""The PettingZoo view: one market, one action per seat and interval, dictionaries in and out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import logger, spaces
from pettingzoo import ParallelEnv

from gridmarl.environment.compiled import columns, fields
from gridmarl.environment.compiled.arrays import Outcome
from gridmarl.environment.compiled.columns import MARKET_NAMES, SEAT_NAMES
from gridmarl.environment.compiled.fields import Field
from gridmarl.environment.core import Core, seed_array
from gridmarl.environment.messages.announce import interval_messages
from gridmarl.environment.messages.mailbox import Router
from gridmarl.environment.others import Others, chosen_seats
from gridmarl.environment.seating import Seating, global_state, observations_of, reward_vector, state_space
from gridmarl.errors import ActionError, CatalogueError, ScenarioError, nearest
from gridmarl.scenario.rules import Split
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import Float32

Observations = dict[str, Float32]
Infos = dict[str, dict[str, Any]]  # PettingZoo's own type of an info
RENDER_MODES = ("rgb_array", "ansi")
METADATA: dict[str, Any] = {
    "name": "gridmarl_market_v0",
    "render_modes": list(RENDER_MODES),
    "is_parallelizable": True,
    "render_fps": 4,
}


class MarketEnv(ParallelEnv[str, Float32, Any]):
    """A market as a PettingZoo ``ParallelEnv``.

    Parameters
    ----------
    scenario : Scenario
    seats : str or sequence of str, optional
        Names, roles or patterns of the seats played from outside; by default all.
    others : Others, optional
        The team that plays the remaining seats inside. Needed where there are any.
    codecs : mapping, optional
        Seat or role -> codec.
    split : {"train", "select", "test"}
        Which randomness, or which days, the episodes draw.
    render_mode : {"rgb_array", "ansi"}, optional

    Notes
    -----
    Rewards are dollars of one interval. Infos hold the named components, all of the seat's own.
    """

    metadata = METADATA

    def __init__(
        self,
        scenario: Scenario,
        *,
        seats: str | tuple[str, ...] | list[str] | None = None,
        others: Others | None = None,
        codecs: Mapping[str, str] | None = None,
        split: Split = "train",
        render_mode: str | None = None,
    ) -> None:
        if render_mode is not None and render_mode not in RENDER_MODES:
            raise ScenarioError("render_mode", render_mode, ", ".join(RENDER_MODES), nearest(render_mode, RENDER_MODES))
        inside = dict(others.codecs) if others else {}
        self.core = Core(scenario, 1, {**inside, **(codecs or {})}, split, record=True)
        self.scenario = scenario
        self.render_mode = render_mode
        self.possible_agents: list[str] = list(chosen_seats(self.core.compiled.layout, seats))
        if others is None and len(self.possible_agents) < len(self.core.compiled.layout.played):
            raise ScenarioError("others", None, "a team for the seats not played", "pass others='truthful'")
        self.agents: list[str] = []
        self.max_cycles: int = scenario.intervals
        self._others = others
        self._seating = Seating(self.core.compiled)
        self._state_space = state_space(self.core.compiled)
        seen, done = self._seating.observation_spaces, self._seating.action_spaces
        self.observation_spaces: dict[str, spaces.Space[Any]] = {agent: seen[agent] for agent in self.possible_agents}
        self.action_spaces: dict[str, spaces.Space[Any]] = {agent: done[agent] for agent in self.possible_agents}
        self._places = [self._seating.places[agent] for agent in self.possible_agents]
        self._rows = [place.row for place in self._places]
        self._packed = np.zeros((1, self.core.width))
        self._outcome: Outcome | None = None
        self._others_acted = False  # once an interval, even where an action from outside is refused first
        self.messages = Router(self.core.compiled.layout.seats)

    @property
    def unwrapped(self) -> MarketEnv:
        """This environment itself."""
        return self

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """Space of a seat's observations, the same object at every call."""
        self._require_seat(agent)
        return self._seating.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """Space of a seat's actions, the same object at every call."""
        self._require_seat(agent)
        return self._seating.action_spaces[agent]

    def fields(self, agent: str) -> tuple[Field, ...]:
        """Name, unit, bounds and meaning of each number the seat observes."""
        self._require_seat(agent)
        return fields.FIELDS[self._seating.places[agent].role]

    def _require_seat(self, agent: str) -> None:
        known = self._seating.places
        if agent not in known:
            raise CatalogueError("agent", agent, ", ".join(known), nearest(str(agent), known))

    @property
    def state_space(self) -> spaces.Box:
        """Space of :meth:`state`."""
        return self._state_space

    def state(self) -> Float32:
        """Global state for central critics: every seat's own block, then the public block."""
        self._require_begun()
        return global_state(self.core.observe())[0]

    @property
    def latest(self) -> Outcome:
        """What the last reset or step returned, as arrays."""
        return self._require_begun()

    def _require_begun(self) -> Outcome:
        if self._outcome is None:
            raise ScenarioError("environment", "not yet begun", "a call after reset()", "call reset() first")
        return self._outcome

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observations, Infos]:
        """Begin episode 0 of a seed, or the next episode of the seed at hand. Unknown options are ignored."""
        seeds = None if seed is None else seed_array([seed])
        self._outcome = self.core.reset(seeds)
        self._others_acted = False
        if self._others:
            self._others.begin(self.core)
        self.agents = list(self.possible_agents)
        return self._observations(self._outcome), {agent: {} for agent in self.agents}

    def step(
        self, actions: Mapping[str, Any]
    ) -> tuple[Observations, dict[str, float], dict[str, bool], dict[str, bool], Infos]:
        """Advance the market by one interval.

        Parameters
        ----------
        actions : mapping
            One action for each of ``agents``.

        Raises
        ------
        ActionError, OrderError
            Where an action is missing, for an unknown seat, misshapen or against a rule; nothing has changed then.
        """
        self._pack(actions)
        outcome = self._outcome = self.core.step(self._packed)
        self._others_acted = False
        if self.messages:
            key, decided = int(self.core.rows.key[0]), int(self.core.rows.t[0]) - 1
            self.messages.deliver(interval_messages(self.core.compiled, outcome, 0, decided, key))
        last = bool(self.core.rows.t[0] >= min(self.max_cycles, self.core.intervals))
        results = outcome.seats[0].tolist()
        rewards = {p.seat: results[p.row][columns.REWARD] for p in self._places}
        infos = self._infos(results, outcome.market[0, columns.PRICE].item(), last)
        observations = self._observations(outcome)
        if last:
            self.agents = []
        return (
            observations,
            rewards,
            dict.fromkeys(self.possible_agents, False),
            dict.fromkeys(self.possible_agents, last),
            infos,
        )

    def _pack(self, actions: Mapping[str, Any]) -> None:
        row = self._packed[0]
        if not self.agents:
            when = "before the first reset()" if self._outcome is None else "after the end of the episode"
            raise ActionError(f"step() {when}", None, "a step of a running episode", "call reset() first")
        if not isinstance(actions, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers are untyped
            kind = type(actions).__name__
            raise ActionError("actions", kind, "a mapping of agent to action", "{agent: ... for agent in env.agents}")
        if len(actions) != len(self.agents) or any(agent not in actions for agent in self.agents):
            self._refuse_agents(actions)
        if self._others and not self._others_acted:
            self._others.fill(self.latest, self._packed)
            self._others_acted = True
        for place in self._places:
            place.write(actions[place.seat], row)

    def _refuse_agents(self, actions: Mapping[str, Any]) -> None:
        unknown = [str(agent) for agent in actions if agent not in self.agents]
        if unknown:
            allowed = ", ".join(self.agents)
            raise ActionError("action of an unknown agent", unknown[0], allowed, nearest(unknown[0], self.agents))
        missing = [agent for agent in self.agents if agent not in actions]
        raise ActionError("actions", f"none for {missing[0]!r}", "one for each of env.agents", "add it")

    def _observations(self, outcome: Outcome) -> Observations:
        parts = {role: list(observations_of(outcome, role)[0]) for role in fields.ROLES}
        return {p.seat: parts[p.role][p.among] for p in self._places}

    def _infos(self, results: list[list[float]], price: float, last: bool) -> Infos:
        infos: Infos = {}
        for place in self._places:
            row = results[place.row]
            info: dict[str, Any] = dict(zip(SEAT_NAMES[place.role], row, strict=False))
            info["price_per_mwh"] = price
            if place.role == "operator":
                info["reward_vector"] = reward_vector(row)
            if last:
                info["TimeLimit.truncated"] = True
            infos[place.seat] = info
        return infos

    def market(self) -> dict[str, float]:
        """Named results of the last interval's auction (price, interval, volume, import, emissions, ...)."""
        return dict(zip(MARKET_NAMES, self.latest.market[0].tolist(), strict=True))

    def render(self) -> Any:
        """The last interval's merit order: an (height, width, 3) image, or text."""
        if self.render_mode is None:
            logger.warn("render() draws nothing: make the environment with render_mode='rgb_array' or 'ansi'")
            return None
        from gridmarl.environment.render import draw_merit_order, write_merit_order

        stepped = bool(self.core.rows.t[0] > 0)  # a reset leaves the book unwritten
        draw = draw_merit_order if self.render_mode == "rgb_array" else write_merit_order
        return draw(self.core.compiled, self.latest, stepped=stepped)

    def close(self) -> None:
        """Nothing is held open."""
