"""From steps to transitions over n steps (Sutton 1988; Mnih et al. 2016), across the ends of episodes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gridmarl.learning.interface import Actions, GroupSpec, Start, Step
from gridmarl.units import Bool, Float32


def column_shapes(groups: Mapping[str, GroupSpec], state_size: int) -> dict[str, tuple[int, ...]]:
    """Columns that a replay of these groups has, and the shape of a row in each."""
    shapes: dict[str, tuple[int, ...]] = {}
    for name, group in groups.items():
        seats = len(group.seats)
        objectives = (len(group.objectives),) if group.objectives else ()
        shapes[f"s.{name}"] = shapes[f"s_next.{name}"] = (seats, group.fields)
        shapes[f"a.{name}"] = (seats, *group.actions.shape)
        shapes[f"r.{name}"] = (seats, *objectives)
    return {**shapes, "state": (state_size,), "state_next": (state_size,), "discount": ()}


class NStep:
    """Holds the last n steps of every environment until their n-step returns are known.

    A step that began at t becomes the transition from s_t, with r_t + gamma r_{t+1} + ... over the n steps that
    followed. Where its episode ends earlier, the sum and the transition end there: a truncated one at the true last
    observation, whose value counts gamma**k after k steps, a terminated one with a value that counts 0. No
    transition reaches into the next episode.

    Parameters
    ----------
    n : int
    gamma : float
    shapes : mapping
        As :func:`column_shapes` says.
    num_envs : int
    own : mapping, optional
        Group -> the gamma that its rewards are summed with, where it is another; the rows' discount is gamma's.
    """

    def __init__(
        self,
        n: int,
        gamma: float,
        shapes: Mapping[str, tuple[int, ...]],
        num_envs: int,
        own: Mapping[str, float] | None = None,
    ) -> None:
        self.n, self.gamma, self.num_envs = n, gamma, num_envs
        self.own = own or {}
        begun = [name for name in shapes if not name.startswith(("s_next.", "state_next", "discount"))]
        self._ring = {name: np.zeros((n, num_envs, *shapes[name]), np.float32) for name in begun}
        self._pending = np.zeros(num_envs, np.int64)  # steps of each environment that wait for their returns
        self._slot = 0

    def clear(self) -> None:
        """Forget what waits: new episodes begin."""
        self._pending[:] = 0

    def push(self, start: Start, actions: Actions, step: Step) -> dict[str, Float32]:
        """Take a step of all environments; return the rows that it completes, as replay columns."""
        self._begin(start, actions)
        for age in range(self.n):
            slot = (self._slot - age) % self.n
            for name, r in step.rewards.items():
                self._ring[f"r.{name}"][slot] += np.float32(self.own.get(name, self.gamma) ** age) * r
        self._pending += 1
        ended = step.terminated | step.truncated
        rows = self._complete(step, ended)
        self._pending = np.where(ended, 0, np.minimum(self._pending, self.n - 1))
        self._slot = (self._slot + 1) % self.n
        return rows

    def _begin(self, start: Start, actions: Actions) -> None:
        ring, slot = self._ring, self._slot
        for name, s in start.observations.items():
            ring[f"s.{name}"][slot] = s
            ring[f"a.{name}"][slot] = actions[name]
            ring[f"r.{name}"][slot] = 0.0
        ring["state"][slot] = start.state

    def _complete(self, step: Step, ended: Bool) -> dict[str, Float32]:
        """Oldest first: steps with n rewards, and all that wait in an episode that ended."""
        after = {f"s_next.{name}": s for name, s in step.next_observations.items()}
        after["state_next"] = step.next_state
        future = np.where(step.terminated, 0.0, 1.0)
        if self.n == 1 or (not ended.any() and self._pending.min() >= self.n):  # the same slot of every environment
            oldest = (self._slot + 1) % self.n
            discount = (future * self.gamma**self.n).astype(np.float32)
            return {**{name: kept[oldest] for name, kept in self._ring.items()}, **after, "discount": discount}
        ages = np.arange(self.n - 1, -1, -1)
        ready = (self._pending > ages[:, None]) & (ended | (ages[:, None] == self.n - 1))  # (age, env)
        which, env = np.nonzero(ready)
        age = ages[which]
        rows = {name: kept[(self._slot - age) % self.n, env] for name, kept in self._ring.items()}
        rows |= {name: found[env] for name, found in after.items()}
        return {**rows, "discount": (future[env] * self.gamma ** (age + 1)).astype(np.float32)}

    def snapshot(self) -> dict[str, np.ndarray]:
        """Copies of all that waits, by name."""
        ring = {f"ring.{name}": kept.copy() for name, kept in self._ring.items()}
        return {**ring, "pending": self._pending.copy(), "slot": np.array(self._slot)}

    def restore(self, snapshot: Mapping[str, np.ndarray]) -> None:
        """Go back to a snapshot."""
        for name, kept in self._ring.items():
            kept[...] = snapshot[f"ring.{name}"]
        self._pending, self._slot = snapshot["pending"].copy(), int(snapshot["slot"])
