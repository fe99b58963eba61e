"""What learners and worlds agree on: groups of seats, arrays by group, one step, and what an algorithm can do.

A group is a set of seats with identical spaces. Every array has the environment (or the replay's row) as its first axis
and the seat as its second. Everything is float32 except whole actions (int64) and the flags of an episode's end.

Ends of episodes (autoreset in the same step)
    A row whose episode ends in a step is reset within that step: ``observations`` is what the seats see at the
    beginning of the next episode, and what they act on next. ``next_observations`` is what followed the action: the
    true last observation where the episode ended, the very same array as ``observations`` where no row did. Learners
    remember ``next_observations``. ``terminated`` rows have no future; ``truncated`` rows were only cut off, and the
    value of their true last observation stands for what would have come (Pardo et al. 2018). All seats of a row end
    together.
Actions
    Whole numbers 0 .. choices - 1, or numbers within -1 .. 1 that the adapter stretches to the bounds of the space.
Rewards
    Divided by the seat's frozen ``scale``, so that a large unit does not drown a small one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from gridmarl.agents.networks import SeatNetwork
from gridmarl.learning.memory.replay import Transitions
from gridmarl.scenario.rules import Split
from gridmarl.units import Bool, Float, Float32, Int

Metrics = dict[str, float]
"""What an algorithm reports of a gradient step, by name."""
ByGroup = Mapping[str, Float32]
"""Group -> (env, seat, field) or (env, seat) numbers."""
Actions = Mapping[str, Float32 | Int]
"""Group -> (env, seat) whole numbers or (env, seat, component) numbers within -1 .. 1."""


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """What one seat of a group may do.

    Attributes
    ----------
    choices : int
        How many actions there are to choose from; 0 where an action is a vector of numbers.
    low, high : (component,) arrays
        Bounds of that vector in the world's own units.
    """

    choices: int = 0
    low: Float = field(default_factory=lambda: np.zeros(0))
    high: Float = field(default_factory=lambda: np.zeros(0))

    @property
    def discrete(self) -> bool:
        """Whether an action is one whole number."""
        return self.choices > 0

    @property
    def size(self) -> int:
        """Actions to choose from, or components of one."""
        return self.choices or len(self.low)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one seat's action."""
        return () if self.discrete else (len(self.low),)


@dataclass(frozen=True, slots=True)
class GroupSpec:
    """Seats with identical spaces.

    Attributes
    ----------
    name : str
    seats : tuple of str
    fields : int
        Numbers that each observes.
    actions : ActionSpec
    scale : (seat,) or (seat, objective) array
        What counts as a reward of 1, in the world's own unit.
    objectives : tuple of str
        Names of the components of a vector reward; empty where it is one number.
    weights : tuple of float
        What a unit of each objective, in the world's own unit, counts in the seat's own reward; empty: a reward of 1
        counts alike in all.
    role, codec : str
        In our own markets.
    """

    name: str
    seats: tuple[str, ...]
    fields: int
    actions: ActionSpec
    scale: Float
    objectives: tuple[str, ...] = ()
    role: str = ""
    codec: str = ""
    weights: tuple[float, ...] = ()

    @property
    def preference(self) -> Float:
        """What its own reward says about scaled objectives, (objective,); sums to 1."""
        counts = self.scale[0] * self.weights if self.weights else np.ones(len(self.objectives))
        return counts / counts.sum()


class Start(NamedTuple):
    """What a reset returns."""

    observations: dict[str, Float32]  # group -> (env, seat, field)
    state: Float32  # (env, number) for central critics; (env, 0) where nobody asked for it


class Step(NamedTuple):
    """What a step returns; the module's docstring says what ends of episodes do to it."""

    observations: dict[str, Float32]  # group -> (env, seat, field), to act on next
    rewards: dict[str, Float32]  # group -> (env, seat) or (env, seat, objective), scaled
    terminated: Bool  # (env,) the world ended
    truncated: Bool  # (env,) it was cut off
    next_observations: dict[str, Float32]  # group -> (env, seat, field), what followed the action
    state: Float32  # (env, number) to act on next
    next_state: Float32  # (env, number) what followed the action


class VectorWorld(Protocol):
    """Many copies of a world, advanced together.

    Attributes
    ----------
    groups : mapping
        Name -> :class:`GroupSpec`.
    num_envs, state_size : int
    resumable : bool
        Whether :meth:`snapshot` holds everything. Worlds that cannot say what their state is begin new episodes at
        each checkpoint instead, in a training that is resumed and in one that never stopped alike.
    """

    num_envs: int
    state_size: int
    resumable: bool

    @property
    def groups(self) -> Mapping[str, GroupSpec]:
        """Name -> group."""
        ...

    def reset(self, seed: int) -> Start:
        """Begin first episodes; row i is a world with seed ``seed + i``."""
        ...

    def step(self, actions: Actions) -> Step:
        """Advance every row by one step."""
        ...

    def snapshot(self) -> dict[str, np.ndarray]:
        """Copies of all that changes, by name."""
        ...

    def restore(self, snapshot: Mapping[str, np.ndarray]) -> Start:
        """Go back to a snapshot; returns what the seats see there."""
        ...


class Task(Protocol):
    """Makes worlds.

    Attributes
    ----------
    name : str
    digest : str
        Of what the world is; a training is resumed only in the same one.
    """

    name: str
    digest: str

    def make(self, num_envs: int, split: Split) -> VectorWorld:
        """This many copies, of this split's days and randomness."""
        ...

    def first_seed(self, split: Split, seed: int) -> int:
        """The seed that row 0 of a world of the split is reset with."""
        ...


class Algorithm(Protocol):
    """Something that learns; DQN, actor-critic, MADDPG and multi-objective DQN implement it.

    Attributes
    ----------
    policies : mapping
        Group -> the network whose :meth:`~gridmarl.agents.networks.SeatNetwork.greedy` actions are the result. It is
        what a policy's folder holds.
    """

    @property
    def policies(self) -> Mapping[str, SeatNetwork]:
        """Group -> network."""
        ...

    def act(self, observations: ByGroup, rng: np.random.Generator, explore: bool) -> dict[str, Float32 | Int]:
        """Actions for every group.

        Exploring is training: it counts the steps that schedules go by, and shows the observations to the
        normalisers. Otherwise the actions are greedy and nothing changes.
        """
        ...

    def learn(self, batch: Transitions, rng: np.random.Generator) -> Metrics:
        """One gradient step.

        All noise comes from ``rng``.

        Raises
        ------
        TrainingError
            Where a loss or gradient is not finite (see :func:`gridmarl.learning.descent.tensors.check_finite`); the
            weights are those before the step.
        """
        ...

    def state_dict(self) -> dict[str, Tensor]:
        """Copies of everything that changes, on the CPU: weights, targets, moments, normalisers, counts."""
        ...

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go back to such a state.

        Raises
        ------
        TrainingError
            Where a tensor is missing or of another shape.
        """
        ...


@runtime_checkable
class HearsEpisodes(Protocol):
    """An algorithm that does something new in each episode of training."""

    def begin(self, rows: Bool, rng: np.random.Generator) -> None:
        """New episodes begin in these environments, (env,)."""
        ...


@runtime_checkable
class AdoptsPolicies(Protocol):
    """An algorithm whose policies may be changed from outside before it learns."""

    def adopt(self) -> None:
        """The networks in ``policies`` have new weights: what followed the old ones follows these."""
        ...
