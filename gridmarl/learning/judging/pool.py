"""Past policies to play against: snapshots of weights, and who of them plays which seat in which environment.

Roles that learn together chase each other; against a pool of what the others did before, nobody forgets how to answer
it (fictitious self-play: Heinrich, Lanctot & Silver 2015; policy-space response oracles: Lanctot et al. 2017). A pool
that is full replaces a member so that every snapshot ever taken is as likely to be in it: the reservoir of Vitter
(1985), as neural fictitious self-play keeps its memory (Heinrich & Silver 2016).
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from gridmarl.agents.networks import SeatNetwork
from gridmarl.learning.descent.tensors import load_module, module_tensors, wanted
from gridmarl.learning.interface import ByGroup
from gridmarl.units import Bool, Float32, Int

Policies = Mapping[str, SeatNetwork]
"""Group -> network."""
CURRENT = -1
"""Who plays where no member of the pool does."""


class Pool:
    """Snapshots of all groups' policies.

    Parameters
    ----------
    size : int
        Members kept.
    policies : mapping
        Group -> the network that learns; members are copies of it.
    device : torch.device

    Attributes
    ----------
    members : list of mapping
        Group -> frozen network.
    steps : list of int
        When each was taken.
    seen : int
        Snapshots ever taken.
    """

    def __init__(self, size: int, policies: Policies, device: torch.device | str = "cpu") -> None:
        self.size, self.policies, self.device = size, policies, device
        self.members: list[dict[str, SeatNetwork]] = []
        self.steps: list[int] = []
        self.seen = 0

    def __len__(self) -> int:
        return len(self.members)

    def add(self, step: int, rng: np.random.Generator) -> None:
        """Keep what plays now; a full pool gives a random place to it, or none."""
        self.seen += 1
        if len(self) < self.size:
            self.members.append(self._copies())
            self.steps.append(step)
            return
        place = int(rng.integers(self.seen))
        if place < self.size:
            self.members[place], self.steps[place] = self._copies(), step

    def _copies(self) -> dict[str, SeatNetwork]:
        return {name: deepcopy(policy).requires_grad_(False) for name, policy in self.policies.items()}

    def actions(self, member: int, name: str, s: Float32) -> Float32 | Int:
        """What a member does best, (row, seat[, component])."""
        with torch.inference_mode():
            return self.members[member][name].greedy(torch.from_numpy(s).to(self.device)).cpu().numpy()

    def state_dict(self) -> dict[str, Tensor]:
        """Copies of the members and of when they were taken."""
        state = {"seen": torch.tensor(self.seen), "steps": torch.tensor(self.steps, dtype=torch.int64)}
        for place, member in enumerate(self.members):
            for name, policy in member.items():
                state |= module_tensors(f"{place}.{name}", policy)
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go back to such copies.

        Raises
        ------
        TrainingError
            Where a tensor is missing or of another shape.
        """
        self.seen = int(wanted(state, "seen", torch.Size()))
        self.steps = wanted(state, "steps", torch.Size((min(self.seen, self.size),))).tolist()
        self.members = [self._copies() for _ in self.steps]
        for place, member in enumerate(self.members):
            for name, policy in member.items():
                load_module(f"{place}.{name}", policy, state)


@dataclass(frozen=True, slots=True)
class Cast:
    """Who plays where it is not the current policy.

    Attributes
    ----------
    who : mapping
        Group -> (row, seat) member of the pool, or :data:`CURRENT`.
    fixed : mapping
        Group -> (row, seat) whether the seat does the same all the time; what, says ``forced``.
    forced : mapping
        Group -> (row, seat[, component]) actions.
    """

    who: Mapping[str, Int]
    fixed: Mapping[str, Bool] = field(default_factory=dict[str, Bool])
    forced: Mapping[str, Float32 | Int] = field(default_factory=dict[str, "Float32 | Int"])

    def play(self, pool: Pool, observations: ByGroup, actions: Mapping[str, Float32 | Int]) -> dict[str, Float32 | Int]:
        """The current policies' actions, those of other players in their places."""
        return {name: self._group(pool, name, observations[name], a) for name, a in actions.items()}

    def _group(self, pool: Pool, name: str, s: Float32, a: Float32 | Int) -> Float32 | Int:
        who, a = self.who[name], a.copy()
        for member in np.unique(who[who != CURRENT]).tolist():
            rows = np.flatnonzero((who == member).any(1))
            a[rows] = np.where(_like(who[rows] == member, a), pool.actions(member, name, s[rows]), a[rows])
        if name in self.fixed:
            np.copyto(a, self.forced[name], where=_like(self.fixed[name], a))
        return a


def _like(mask: Bool, a: Float32 | Int) -> Bool:
    """A (row, seat) mask for actions of numbers too."""
    return mask if a.ndim == mask.ndim else mask[..., None]
