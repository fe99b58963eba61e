"""The one interface every player implements, learned, optimised, negotiated or a rule of thumb."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from gridmarl.agents.seats import Seats
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import Float, Float32

Information = Literal["public", "forecast", "perfect"]
"""What a player may know in time: realised values, also forecasts, or the whole episode."""
Sees = Literal["own", "team", "all"]
"""Whose private parameters a player may know: each owner's alone, its team's, everybody's."""


@runtime_checkable
class Agent(Protocol):
    """Plays one or many seats.

    Attributes
    ----------
    information : {"public", "forecast", "perfect"}
    sees : {"own", "team", "all"}
    codecs : mapping
        Role -> the codec this player speaks there.
    """

    information: Information
    sees: Sees
    codecs: Mapping[str, str]

    def begin(self, seats: Seats, seed: int) -> None:
        """An episode begins; the handle stays valid and current until the next."""
        ...

    def act(self, observations: Mapping[str, Float32]) -> dict[str, Float]:
        """One action for each of the played seats."""
        ...

    def save(self, folder: Path) -> None:
        """Write all that is needed to play again."""
        ...


@runtime_checkable
class BatchAgent(Protocol):
    """A player that can also play many environments at once."""

    def act_batch(
        self, observations: Mapping[str, Float32], rng: np.random.Generator, explore: bool
    ) -> dict[str, Float | np.ndarray]:
        """Seat -> (env,) or (env, component) actions, from seat -> (env, field) observations."""
        ...


@runtime_checkable
class Prepares(Protocol):
    """A player that readies itself for a world, as learners do: on its train split, before it plays any episode."""

    def prepare(self, scenario: Scenario) -> None:
        """It is seated in this world."""
        ...
