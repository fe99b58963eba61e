"""What actions change: rewards less those of the same world in which the learners did nothing.

What happens to a market by itself, its weather and its demand, moves an operator's reward a hundred times more than an
intervention does. A world's randomness does not depend on anybody's actions, so a twin of it in which action 0 is taken
throughout meets the same weather. The twin's rewards depend on nothing that a policy does, so subtracting them changes
no comparison of policies, and takes nearly all of the noise away: common random numbers (Glasserman & Yao 1992) as a
baseline (Greensmith, Bartlett & Baxter 2004). The values that are learned are then advantages over doing nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gridmarl.errors import TrainingError
from gridmarl.learning.interface import Actions, GroupSpec, Start, Step, VectorWorld

TWIN = "untouched."
"""Before the names of the twin's part of a snapshot."""


class LessUntouched:
    """A world whose rewards are what the actions add to those of its twin.

    Parameters
    ----------
    world, twin : VectorWorld
        Two of the same make, that meet the same days; the twin is where every group takes action 0.

    Raises
    ------
    TrainingError
        Where a group's actions are no choice, so that there is no action 0.
    """

    def __init__(self, world: VectorWorld, twin: VectorWorld) -> None:
        for name, group in world.groups.items():
            if not group.actions.discrete:
                remedy = "leave less_untouched: out of the recipe"
                raise TrainingError(
                    f"rewards less those of action 0, of group {name!r}", group.actions, "a choice", remedy
                )
        self.world, self.twin = world, twin
        self.num_envs, self.state_size, self.resumable = world.num_envs, world.state_size, world.resumable
        self._nothing = {name: np.zeros((self.num_envs, len(g.seats)), np.int64) for name, g in world.groups.items()}

    @property
    def groups(self) -> Mapping[str, GroupSpec]:
        """Of the world."""
        return self.world.groups

    def reset(self, seed: int) -> Start:
        """Begin the first episodes of both."""
        self.twin.reset(seed)
        return self.world.reset(seed)

    def step(self, actions: Actions) -> Step:
        """Advance both, the twin without an action."""
        nothing, step = self.twin.step(self._nothing).rewards, self.world.step(actions)
        return step._replace(rewards={name: r - nothing[name] for name, r in step.rewards.items()})

    def snapshot(self) -> dict[str, np.ndarray]:
        """The states of both."""
        return {**self.world.snapshot(), **{f"{TWIN}{name}": kept for name, kept in self.twin.snapshot().items()}}

    def restore(self, snapshot: Mapping[str, np.ndarray]) -> Start:
        """Go back to the states of both."""
        self.twin.restore({name.removeprefix(TWIN): kept for name, kept in snapshot.items() if name.startswith(TWIN)})
        return self.world.restore({name: kept for name, kept in snapshot.items() if not name.startswith(TWIN)})
