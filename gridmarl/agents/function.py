"""A function of observations as a player: how a policy that another framework trained sits down in our markets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gridmarl.agents.agent import Information, Sees
from gridmarl.agents.seats import Seats
from gridmarl.errors import ActionError, PolicyError
from gridmarl.units import Float, Float32


class FunctionAgent:
    """Plays what a function says; each seat by itself, without memory.

    Parameters
    ----------
    play : callable
        From (row, field) observations to (row,) or (row, component) actions in the codec's own units.
    codecs : mapping
        Role -> the codec those actions are in.
    information, sees
        What the function knows, as it stands in every result: observations hold forecasts and what is one's own.

    Examples
    --------
    >>> agent = FunctionAgent(lambda x: np.full(len(x), 3), {"generator": "price-grid"})
    >>> agent.act({"gas_1": np.zeros(64, np.float32)})
    {'gas_1': array(3)}
    """

    def __init__(
        self,
        play: Callable[[Float32], ArrayLike],
        codecs: Mapping[str, str],
        *,
        information: Information = "forecast",
        sees: Sees = "own",
    ) -> None:
        self.play, self.codecs = play, codecs
        self.information: Information = information
        self.sees: Sees = sees

    def begin(self, seats: Seats, seed: int) -> None:
        """Check that it speaks for the roles of the seats."""
        for seat, role in seats.roles.items():
            if role not in self.codecs:
                raise PolicyError(
                    f"function for the {role} {seat!r}", None, ", ".join(self.codecs), "seat it elsewhere"
                )

    def act(self, observations: Mapping[str, Float32]) -> dict[str, NDArray[Any]]:
        """Seat -> one action, from seat -> (field,) observations."""
        return {seat: np.asarray(self._played(seat, seen[None])[0]) for seat, seen in observations.items()}

    def act_batch(
        self, observations: Mapping[str, Float32], rng: np.random.Generator, explore: bool
    ) -> dict[str, Float | np.ndarray]:
        """Seat -> (env,) or (env, component) actions, from seat -> (env, field)."""
        return {seat: self._played(seat, seen) for seat, seen in observations.items()}

    def _played(self, seat: str, seen: Float32) -> NDArray[Any]:
        """The function's actions.

        Raises
        ------
        ActionError
            Where there is not one for each row.
        """
        chosen = np.asarray(self.play(seen))
        if chosen.shape[:1] != (len(seen),):
            allowed = f"{len(seen)} rows, as of the observations"
            raise ActionError(f"function's actions for {seat!r}, shape", chosen.shape, allowed, "return one for each")
        return chosen

    def save(self, folder: Path) -> None:
        """Refuse: a function is code, and code is not kept.

        Raises
        ------
        PolicyError
            Always.
        """
        remedy = "keep the weights as their own framework does, and wrap them again"
        raise PolicyError("saving a function", str(folder), "agents that know their own weights", remedy)
