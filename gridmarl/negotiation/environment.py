"""The choice from menus as a PettingZoo environment: an agent is a prosumer, a step is a round of the negotiation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

from gridmarl.errors import ActionError
from gridmarl.negotiation.coalition.payments import SettlementRule
from gridmarl.negotiation.coalition.rounds import Settings
from gridmarl.negotiation.game import HIGHEST, OBSERVATION, Game, Round
from gridmarl.negotiation.menu import ENTRIES

METADATA: dict[str, Any] = {"name": "gridmarl_negotiation_v0", "render_modes": [], "is_parallelizable": True}


class NegotiationEnv(ParallelEnv[str, dict[str, np.ndarray], Any]):
    """Prosumers that answer a market opportunity.

    Each episode draws a fleet, an opportunity and an opening price. An action is an entry of one's own menu; 0
    declines. ``action_mask`` says which entries there are; it stands beside the ``observation``
    (:data:`gridmarl.negotiation.game.OBSERVATION`) and in the infos. All leave together when the negotiation ends, with
    their surplus in dollars as reward; before, it is 0.

    Parameters
    ----------
    size : int
        Prosumers.
    rule : str
        How members are paid: uniform, margin-share, pay-as-bid, vcg or shapley.
    wish : float
        What strain costs beside the money, see :class:`gridmarl.negotiation.game.Game`.
    settings : Settings, optional
    """

    metadata = METADATA

    def __init__(
        self, size: int = 24, rule: SettlementRule = "uniform", wish: float = 0.0, settings: Settings | None = None
    ) -> None:
        self.game = Game(size, rule, wish, settings)
        width = len(str(size))
        self.possible_agents: list[str] = [f"home_{number:0{width}d}" for number in range(1, size + 1)]
        self.agents: list[str] = []
        self.max_cycles = self.game.settings.most_rounds
        self.render_mode: str | None = None
        seen: dict[str, spaces.Space[Any]] = {
            "observation": spaces.Box(-HIGHEST, HIGHEST, (len(OBSERVATION),), np.float32),
            "action_mask": spaces.Box(0, 1, (ENTRIES,), np.int8),
        }
        self.observation_spaces: dict[str, Any] = {agent: spaces.Dict(seen) for agent in self.possible_agents}
        self.action_spaces: dict[str, Any] = {agent: spaces.Discrete(ENTRIES) for agent in self.possible_agents}
        self._seed, self._episode = 0, -1
        self._now: Round | None = None

    @property
    def unwrapped(self) -> NegotiationEnv:
        """This environment itself."""
        return self

    def observation_space(self, agent: str) -> Any:
        """Space of an agent's observations, the same object at every call."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Any:
        """Space of an agent's actions, the same object at every call."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, dict[str, np.ndarray]], dict[str, dict[str, Any]]]:
        """Begin a negotiation: the first one of a seed, or the next."""
        self._seed, self._episode = (self._seed, self._episode + 1) if seed is None else (seed, 0)
        self._now = self.game.begin(self._seed + 1_000_003 * self._episode)
        self.agents = self.possible_agents[:]
        return self._seen(self._now), self._infos(self._now)

    def step(self, actions: Mapping[str, int]) -> tuple[dict[str, Any], dict[str, float], Any, Any, dict[str, Any]]:
        """One round.

        Raises
        ------
        ActionError
            Where the negotiation is over, or an agent names no entry, or one that is not on its menu.
        """
        if self._now is None or not self.agents:
            raise ActionError("step", "no negotiation", "one that goes on", "call reset() first")
        choices = np.array([self._choice(number, agent, actions) for number, agent in enumerate(self.agents)])
        now = self._now = self.game.play(self._now, choices, self.max_cycles)
        rewards = dict.fromkeys(self.agents, 0.0)
        infos = self._infos(now)
        if now.over:
            books = self.game.books(now)
            for agent, gain, paid, kw in zip(
                self.agents, self.game.reward(now, books), books.payments, now.table.selection.kw, strict=True
            ):
                rewards[agent] = float(gain)
                infos[agent] |= {"payment": float(paid), "committed_kw": float(kw)}
        ended = dict.fromkeys(self.agents, now.over)
        cut = dict.fromkeys(self.agents, False)
        seen = self._seen(now)
        if now.over:
            self.agents = []
        return seen, rewards, ended, cut, infos

    def _choice(self, number: int, agent: str, actions: Mapping[str, int]) -> int:
        assert self._now is not None
        legal = np.flatnonzero(self._now.menus.valid[number])
        if agent not in actions or int(actions[agent]) not in legal:
            allowed = ", ".join(map(str, legal))
            raise ActionError(
                f"action of {agent!r}", actions.get(agent), allowed, "look at its action_mask; 0 declines"
            )
        return int(actions[agent])

    def _seen(self, now: Round) -> dict[str, dict[str, np.ndarray]]:
        masks = now.menus.valid.astype(np.int8)
        pairs = zip(self.agents, now.seen, masks, strict=True)
        return {agent: {"observation": seen, "action_mask": mask} for agent, seen, mask in pairs}

    def _infos(self, now: Round) -> dict[str, dict[str, Any]]:
        masks = now.menus.valid.astype(np.int8)
        return {agent: {"action_mask": mask} for agent, mask in zip(self.agents, masks, strict=True)}

    def render(self) -> None:
        """Nothing to draw: ``gridmarl negotiate`` prints the rounds."""

    def close(self) -> None:
        """Nothing to close."""


def negotiation_env(
    size: int = 24, rule: SettlementRule = "uniform", wish: float = 0.0, settings: Settings | None = None
) -> NegotiationEnv:
    """A negotiation among prosumers as a PettingZoo ``ParallelEnv``; see :class:`NegotiationEnv`.

    Examples
    --------
    >>> env = negotiation_env(5)
    >>> observations, infos = env.reset(seed=0)
    >>> env.agents[0], int(observations["home_1"]["action_mask"][0])
    ('home_1', 1)
    """
    return NegotiationEnv(size, rule, wish, settings)


parallel_env = negotiation_env
"""PettingZoo's name for it, which recipes look for."""
