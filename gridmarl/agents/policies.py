"""Stored policies: weights as safetensors beside a JSON card, and the player that reads both."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError

from gridmarl.agents.agent import Information, Sees
from gridmarl.agents.cards import CARD, PolicyCard, find_policy, read_card
from gridmarl.agents.networks import ValueNetwork
from gridmarl.agents.seats import Seats
from gridmarl.errors import PolicyError
from gridmarl.files import write_atomically
from gridmarl.units import Float, Float32

WEIGHTS: Final = "policy.safetensors"


@dataclass(frozen=True, slots=True)
class Stored:
    """A policy as it stands in its folder."""

    name: str
    card: PolicyCard
    weights: bytes


def digest_of(weights: bytes) -> str:
    """What :attr:`PolicyCard.weights_sha256` holds."""
    return hashlib.sha256(weights).hexdigest()


def weights_of(network: ValueNetwork) -> bytes:
    """A network's parameters and normaliser in the safetensors format."""
    return safetensors.torch.save({name: tensor.contiguous() for name, tensor in network.state_dict().items()})


def write_policy(folder: Path, stored: Stored) -> None:
    """Write both files, each in one step.

    A folder that was left between the two is refused by :func:`read_policy`, because the digest does not fit.
    """
    write_atomically(folder / WEIGHTS, stored.weights)
    write_atomically(folder / CARD, json.dumps(stored.card.model_dump(mode="json"), indent=1) + "\n")


def read_policy(name_or_path: str | Path) -> Stored:
    """Read a policy and check that it can be played with this version of gridmarl.

    Raises
    ------
    PolicyError
        Where a file is missing, corrupted or foreign, or belongs to other observations, sizes or roles.
    """
    folder = find_policy(name_or_path)
    card = read_card(folder / CARD)
    file = folder / WEIGHTS
    if not file.is_file():
        raise PolicyError(f"weights of policy {folder.name!r}", str(file), "a file that exists", "train it again")
    weights = file.read_bytes()
    if digest_of(weights) != card.weights_sha256:
        raise PolicyError(
            f"sha256 of {file}",
            digest_of(weights)[:16],
            f"{card.weights_sha256[:16]}, as {CARD} says",
            "restore both files",
        )
    return Stored(folder.name, card, weights)


def _network(stored: Stored) -> ValueNetwork:
    network = ValueNetwork(stored.card.sizes)
    try:
        network.load_state_dict(safetensors.torch.load(stored.weights))
    except (SafetensorError, RuntimeError) as error:
        allowed = f"the tensors of a network of sizes {stored.card.sizes}"
        raise PolicyError(
            f"weights of policy {stored.name!r}: {error}", allowed=allowed, remedy="train it again"
        ) from None
    if not all(bool(torch.isfinite(tensor).all()) for tensor in network.state_dict().values()):
        raise PolicyError(f"weights of policy {stored.name!r}", "NaN or infinity", "finite numbers", "train it again")
    return network.requires_grad_(False).eval()


class StoredPolicy:
    """Plays the action of highest value, with frozen weights and a frozen normaliser.

    Parameters
    ----------
    policy : str, Path or Stored
        Name of a shipped policy, a folder, or what :func:`read_policy` returned.

    Raises
    ------
    PolicyError
        See :func:`read_policy`.
    """

    information: Information = "forecast"
    sees: Sees = "own"

    def __init__(self, policy: str | Path | Stored) -> None:
        self.stored = policy if isinstance(policy, Stored) else read_policy(policy)
        self.card = self.stored.card
        self.network = _network(self.stored)
        self.codecs: Mapping[str, str] = {self.card.role: self.card.codec}

    @classmethod
    def load(cls, folder: Path) -> StoredPolicy:
        """The policy that :meth:`save` wrote."""
        return cls(folder)

    def save(self, folder: Path) -> None:
        """Write both files."""
        write_policy(folder, self.stored)

    def begin(self, seats: Seats, seed: int) -> None:
        """Check that the seats are of the role the policy was trained for; it keeps nothing and draws nothing."""
        for seat, role in seats.roles.items():
            if role != self.card.role:
                raise PolicyError(
                    f"policy {self.stored.name!r} for the {role} {seat!r}",
                    None,
                    f"a {self.card.role}",
                    "seat it elsewhere",
                )

    def act(self, observations: Mapping[str, Float32]) -> dict[str, NDArray[Any]]:
        """Seat -> one whole number, from seat -> (field,) observations.

        Raises
        ------
        PolicyError
            Where an observation is not as long as the network's input.
        """
        return {
            seat: np.asarray(chosen[0])
            for seat, chosen in self._greedy({s: o[None] for s, o in observations.items()}).items()
        }

    def act_batch(
        self, observations: Mapping[str, Float32], rng: np.random.Generator, explore: bool
    ) -> dict[str, Float | np.ndarray]:
        """Seat -> (env,) whole numbers, from seat -> (env, field) observations; greedy whatever ``explore`` says."""
        return self._greedy(observations)

    def _greedy(self, observations: Mapping[str, Float32]) -> dict[str, Float | np.ndarray]:
        if not observations:
            return {}
        for seat, seen in observations.items():
            if seen.shape[-1:] != self.card.sizes[:1] or seen.ndim != 2:
                wanted = f"{self.card.sizes[0]} fields of a {self.card.role}"
                raise PolicyError(
                    f"observation of {seat!r}, shape", seen.shape[1:], wanted, "seat the policy elsewhere"
                )
        with torch.inference_mode():
            values = self.network(torch.from_numpy(np.stack([*observations.values()]).astype(np.float32, copy=False)))
            chosen = values.argmax(-1).numpy()
        return dict(zip(observations, chosen, strict=True))
