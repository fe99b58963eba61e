"""One seat of a market as a plain Gymnasium environment; a team plays the others inside."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from gridmarl.agents.make import parallel_env, vector_env
from gridmarl.agents.team import Team
from gridmarl.environment.others import chosen_seats
from gridmarl.environment.parallel import RENDER_MODES
from gridmarl.errors import ScenarioError
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import Bool, Float, Float32

DEFAULT_SEAT = "battery_1"


class SeatEnv(gymnasium.Env[Float32, Any]):
    """One seat's view, ``gymnasium.make("gridmarl/Seat-v0", scenario="auction", seat="battery_1")``.

    Parameters
    ----------
    scenario : str, Path or Scenario
    seat : str
    others : str, Path or Team
        Who plays the rest.
    **arguments
        As for :func:`gridmarl.parallel_env`.
    """

    metadata = {"render_modes": list(RENDER_MODES), "render_fps": 4}  # noqa: RUF012  # gymnasium's own form

    def __init__(
        self,
        scenario: str | Path | Scenario = "auction",
        seat: str = DEFAULT_SEAT,
        others: str | Path | Team = "truthful",
        **arguments: Any,
    ) -> None:
        self.market = parallel_env(scenario, seats=seat, others=others, **arguments)
        if self.market.possible_agents != [seat]:
            raise ScenarioError(
                "seat", seat, ", ".join(chosen_seats(self.market.core.compiled.layout, None)), "name one seat"
            )
        self.seat = seat
        self.render_mode = self.market.render_mode
        self.observation_space: spaces.Space[Float32] = self.market.observation_space(seat)
        self.action_space: spaces.Space[Any] = self.market.action_space(seat)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float32, dict[str, Any]]:
        """Begin episode 0 of a seed, or the next episode."""
        super().reset(seed=seed)
        observations, infos = self.market.reset(seed=seed, options=options)
        return observations[self.seat], infos[self.seat]

    def step(self, action: Any) -> tuple[Float32, float, bool, bool, dict[str, Any]]:
        """Advance the market by one interval."""
        observations, rewards, terminations, truncations, infos = self.market.step({self.seat: action})
        seat = self.seat
        return observations[seat], rewards[seat], terminations[seat], truncations[seat], infos[seat]

    def render(self) -> Any:
        """The last interval's merit order."""
        return self.market.render()


class SeatVectorEnv(VectorEnv[Float32, Any, Any]):
    """One seat of many markets, flat: what ``gymnasium.make_vec("gridmarl/Seat-v0", num_envs=8)`` returns."""

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP, "render_modes": []}  # noqa: RUF012  # gymnasium's own form

    def __init__(
        self,
        num_envs: int = 1,
        scenario: str | Path | Scenario = "auction",
        seat: str = DEFAULT_SEAT,
        others: str | Path | Team = "truthful",
        **arguments: Any,
    ) -> None:
        self.markets = vector_env(scenario, num_envs, seats=seat, others=others, **arguments)
        groups = list(self.markets.group_of)
        if [self.markets.groups[g] for g in groups] != [(seat,)]:
            raise ScenarioError("seat", seat, "the name of one seat", "name one seat")
        self._group = groups[0]
        self.num_envs = num_envs
        self.render_mode = None
        self.single_observation_space = _first(self.markets.single_observation_space, self._group)
        self.single_action_space = _first(self.markets.single_action_space, self._group)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float32, dict[str, Any]]:
        """Begin episode 0 of seeds s, s + 1, ..., or the next episodes."""
        observations, infos = self.markets.reset(seed=seed, options=options)
        return observations[self._group][:, 0], infos

    def step(self, actions: Any) -> tuple[Float32, Float, Bool, Bool, dict[str, Any]]:
        """Advance every market by one interval."""
        packed = np.asarray(actions)
        packed = packed[:, None] if packed.ndim else packed
        observations, rewards, terminations, truncations, infos = self.markets.step({self._group: packed})
        if "final_obs" in infos:
            infos["final_obs"] = infos["final_obs"][self._group][:, 0]
        return observations[self._group][:, 0], rewards[self._group][:, 0], terminations, truncations, infos


def _first(space: Any, group: str) -> spaces.Space[Any]:
    """Space of one seat, from the space of a group of one."""
    inner = space[group]
    if isinstance(inner, spaces.MultiDiscrete):
        return spaces.Discrete(int(inner.nvec[0]))
    return spaces.Box(inner.low[0], inner.high[0], dtype=inner.dtype)
