"""A role's shipped policy for whatever world it is seated in: the one that was learned there."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml
from numpy.typing import NDArray

from gridmarl.agents.agent import Information, Sees
from gridmarl.agents.cards import CARD, PolicyCard, find_policy, read_card
from gridmarl.agents.load import policy_names
from gridmarl.agents.policies import StoredPolicy, read_policy, untrained
from gridmarl.agents.seats import Seats
from gridmarl.files import write_atomically
from gridmarl.units import Float, Float32

LEARNED: Final = "learned"


class Learned:
    """Plays the shipped policy that an algorithm learned in this very world for these seats; elsewhere, another one.

    Which world it is in it reads from the digest when an episode begins, so a team of such players serves all worlds.

    Parameters
    ----------
    algorithm : str
        ``dqn``, ``actor_critic``, ``maddpg`` or ``multi_objective``.
    elsewhere : str or Path
        The policy of a world where none was learned; its card says which role and codec this player speaks.
    initialisation : int, optional
        Play the network before it learned instead, with its weights drawn from this seed, see
        :func:`gridmarl.agents.policies.untrained`.

    Raises
    ------
    PolicyError
        Where ``elsewhere`` is no policy.
    """

    information: Information = "forecast"
    sees: Sees = "own"

    def __init__(self, algorithm: str, elsewhere: str | Path, initialisation: int | None = None) -> None:
        self.algorithm, self.elsewhere, self.initialisation = algorithm, elsewhere, initialisation
        card = read_card(find_policy(elsewhere) / CARD)
        self.codecs: Mapping[str, str] = {card.role: card.codec}
        self.player: StoredPolicy | None = None  # since an episode began

    def begin(self, seats: Seats, seed: int) -> None:
        """Choose the policy of this world."""
        name = policy_of(self.algorithm, seats.facts.digest, seats.played) or self.elsewhere
        stored = read_policy(name)
        self.player = StoredPolicy(stored if self.initialisation is None else untrained(stored, self.initialisation))
        self.player.begin(seats, seed)

    def act(self, observations: Mapping[str, Float32]) -> dict[str, NDArray[Any]]:
        """As :meth:`gridmarl.agents.policies.StoredPolicy.act`."""
        assert self.player is not None
        return self.player.act(observations)

    def act_batch(
        self, observations: Mapping[str, Float32], rng: np.random.Generator, explore: bool
    ) -> dict[str, Float | np.ndarray]:
        """As :meth:`gridmarl.agents.policies.StoredPolicy.act_batch`."""
        assert self.player is not None
        return self.player.act_batch(observations, rng, explore)

    def save(self, folder: Path) -> None:
        """Write the settings as YAML."""
        settings: dict[str, object] = {"kind": LEARNED, "algorithm": self.algorithm, "elsewhere": str(self.elsewhere)}
        if self.initialisation is not None:
            settings["initialisation"] = self.initialisation
        write_atomically(folder / "agent.yaml", yaml.safe_dump(settings))


def policy_of(algorithm: str, digest: str, seats: tuple[str, ...]) -> str | None:
    """Name of the shipped policy that an algorithm learned for these seats in a world; none where none did."""
    for name in policy_names():
        card = _card(name)
        if (card.algorithm, card.digest) == (algorithm, digest) and set(seats) <= set(card.seats):
            return name
    return None


@cache
def _card(name: str) -> PolicyCard:
    """A shipped card, read once."""
    return read_card(find_policy(name) / CARD)
