"""Stored policies: weights as safetensors beside a JSON card, and the player that reads both."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError

from gridmarl.agents.agent import Information, Sees
from gridmarl.agents.cards import CARD, PolicyCard, find_policy, read_card
from gridmarl.agents.networks import PreferenceNetwork, SeatNetwork, Slots
from gridmarl.agents.seats import Seats
from gridmarl.environment.compiled.columns import CLASS_SLOTS
from gridmarl.environment.compiled.fields import OPERATOR_GLOBALS, SIZES
from gridmarl.errors import PolicyError
from gridmarl.files import write_atomically
from gridmarl.units import Float, Float32

WEIGHTS: Final = "policy.safetensors"
Preference = Mapping[str, float] | Sequence[float]
"""How much each objective counts."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A policy as it stands in its folder."""

    name: str
    card: PolicyCard
    weights: bytes


def digest_of(weights: bytes) -> str:
    """What :attr:`PolicyCard.weights_sha256` holds."""
    return hashlib.sha256(weights).hexdigest()


def weights_of(network: SeatNetwork) -> bytes:
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


def slots_of(role: str) -> Slots | None:
    """The slots of a role's observation; the operator's are its classes of participants."""
    if role != "operator":
        return None
    first = len(OPERATOR_GLOBALS)
    return Slots(first, CLASS_SLOTS, (SIZES[role] - first) // CLASS_SLOTS)


def _made(card: PolicyCard) -> SeatNetwork:
    if not card.objectives:
        return SeatNetwork(card.sizes, len(card.seats), card.shared, card.head)
    network = PreferenceNetwork(
        card.sizes, len(card.objectives), len(card.seats), card.shared, card.head, slots_of(card.role)
    )
    network.preference.copy_(torch.tensor(card.preference))
    return network


def preferring(stored: Stored, preference: Preference) -> Stored:
    """The same policy with another preference, whose parts count relative to each other.

    Parameters
    ----------
    stored : Stored
    preference : mapping or sequence
        Objective -> how much it counts, what is left out counting nothing; or a number for each, in the card's order.

    Raises
    ------
    PolicyError
        Where the policy has no objectives, or the preference is not of them.
    """
    objectives, thing = stored.card.objectives, f"preference of policy {stored.name!r}"
    if not objectives:
        raise PolicyError(
            thing, preference, "none: its reward was one number", "train multi_objective, or leave it out"
        )
    known = not isinstance(preference, Mapping) or set(preference) <= set(objectives)
    parts = [preference.get(name, 0.0) for name in objectives] if isinstance(preference, Mapping) else [*preference]
    if not known or len(parts) != len(objectives) or not 0 < sum(parts) < np.inf or min(parts) < 0:
        allowed = f"numbers of at least 0, not all 0, for {', '.join(objectives)}"
        raise PolicyError(thing, preference, allowed, "correct it")
    shares = tuple(float(part) / float(sum(parts)) for part in parts)
    return replace(stored, card=stored.card.model_copy(update={"preference": shares}))


def untrained(stored: Stored, initialisation: int) -> Stored:
    """The same network as it was before it learned: weights drawn anew.

    What is no weight stays, the normaliser above all: the network reads what it always read, at the same size, and only
    what gradients taught it is gone.

    Parameters
    ----------
    stored : Stored
    initialisation : int
        Seed of the weights.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(initialisation)
        network = _made(stored.card)
    buffers = dict(network.named_buffers())
    learned = safetensors.torch.load(stored.weights)
    network.load_state_dict({name: kept for name, kept in learned.items() if name in buffers}, strict=False)
    weights = weights_of(network)
    changes = {"weights_sha256": digest_of(weights), "chosen_step": 0, "curve": (), "metrics": {}}
    return Stored(f"{stored.name} untrained {initialisation}", stored.card.model_copy(update=changes), weights)


def _network(stored: Stored) -> SeatNetwork:
    card = stored.card
    network = _made(card)
    try:
        network.load_state_dict(safetensors.torch.load(stored.weights))
    except (SafetensorError, RuntimeError) as error:
        allowed = f"the tensors of a network of sizes {card.sizes}"
        raise PolicyError(
            f"weights of policy {stored.name!r}: {error}", allowed=allowed, remedy="train it again"
        ) from None
    if not all(bool(torch.isfinite(tensor).all()) for tensor in network.state_dict().values()):
        raise PolicyError(f"weights of policy {stored.name!r}", "NaN or infinity", "finite numbers", "train it again")
    return network.requires_grad_(False).eval()


class StoredValues:
    """What each action is worth, by stored weights of one perceptron, where no seat of a market is played.

    Parameters
    ----------
    file : Path
        Weights in the safetensors format, as ``gridmarl train`` writes them beside ``training.json``.
    fields, actions : int
        Numbers that it must read, and actions that it must judge.

    Raises
    ------
    PolicyError
        Where the file is missing, corrupted, or of other sizes.
    """

    def __init__(self, file: Path, fields: int, actions: int) -> None:
        thing, again = f"weights {file}", "train it again"
        if not file.is_file():
            raise PolicyError(thing, None, "a file that exists", again)
        try:
            tensors = safetensors.torch.load(file.read_bytes())
            layers = [tensor for name, tensor in sorted(tensors.items()) if name.startswith("layers.weights.")]
            sizes = (int(layers[0].shape[1]), *(int(layer.shape[2]) for layer in layers))
            self.network = SeatNetwork(sizes)
            self.network.load_state_dict(tensors)
        except (SafetensorError, RuntimeError, IndexError) as error:
            raise PolicyError(f"{thing}: {error}", allowed="one perceptron for all", remedy=again) from None
        if (sizes[0], sizes[-1]) != (fields, actions):
            raise PolicyError(f"{thing}, sizes", sizes, f"{fields} fields first, {actions} actions last", again)
        self.network.requires_grad_(False).eval()

    def __call__(self, seen: Float32) -> Float32:
        """(sample, action) values of (sample, field) observations."""
        with torch.inference_mode():
            return self.network(torch.from_numpy(seen)[:, None])[:, 0].numpy()


class StoredPolicy:
    """Plays what a network holds best, with frozen weights and a frozen normaliser.

    Parameters
    ----------
    policy : str, Path or Stored
        Name of a shipped policy, a folder, or what :func:`read_policy` returned.
    preference : mapping or sequence, optional
        Of a policy that learned objectives, see :func:`preferring`; by default its card's.

    Raises
    ------
    PolicyError
        See :func:`read_policy` and :func:`preferring`.
    """

    information: Information = "forecast"
    sees: Sees = "own"

    def __init__(self, policy: str | Path | Stored, preference: Preference | None = None) -> None:
        stored = policy if isinstance(policy, Stored) else read_policy(policy)
        self.stored = stored if preference is None else preferring(stored, preference)
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
        """Seat -> one action, from seat -> (field,) observations.

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
        """Seat -> (env,) or (env, component) actions, from seat -> (env, field); greedy whatever ``explore`` says."""
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
        x = np.stack([*observations.values()], axis=1).astype(np.float32, copy=False)
        with torch.inference_mode():
            chosen = self.network.greedy(torch.from_numpy(x), self._who(tuple(observations))).numpy()
        return {seat: self._stretched(chosen[:, number]) for number, seat in enumerate(observations)}

    def _who(self, seats: tuple[str, ...]) -> torch.Tensor:
        """Numbers of the seats in the network, -1 where it never learned for one.

        Raises
        ------
        PolicyError
            Where a seat is new and the network has nothing that would serve it.
        """
        numbers = [self.card.seats.index(seat) if seat in self.card.seats else -1 for seat in seats]
        if not self.card.shared and -1 in numbers:
            stranger = seats[numbers.index(-1)]
            allowed = f"{', '.join(self.card.seats)}, each with a network of its own"
            raise PolicyError(f"policy {self.stored.name!r} for the seat", stranger, allowed, "seat it elsewhere")
        return torch.tensor(numbers)

    def _stretched(self, chosen: NDArray[Any]) -> NDArray[Any]:
        if not self.card.low:
            return chosen
        low, high = np.array(self.card.low), np.array(self.card.high)
        return low + (chosen.astype(np.float64) + 1.0) / 2.0 * (high - low)
