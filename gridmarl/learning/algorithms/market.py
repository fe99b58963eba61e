"""All roles of a market at once: each learns by an algorithm of its own, from one memory, against a pool of the past.

Every role has a learner, which sees its own groups and nothing of the others' learning. What they share is the world,
the index of the replay, the gradient rounds, and the number of steps that rewards are summed over; each discounts by
its own patience. Rewards that others' learning has changed teach what is no longer true, so the replay is to be kept
small beside the steps: ``replay_size`` is the memory of a market.

In a share of the environments one role, in turn, plays what it holds best now, exploring, and all others play as one
member of the pool did, drawn for each episode. These transitions are remembered like the others: every algorithm here
learns from what another policy did (off-policy), so they serve the roles that played as in the past, too.

Where roles learn together a higher return is no progress: it may be that the others got worse. The policies kept are
therefore those that are least exploitable, see :mod:`gridmarl.learning.judging.rivals`. A fuller pool finds more to
exploit: evaluations made before it was as full as later are passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import torch
from pydantic import Field, JsonValue, NonNegativeInt, PositiveInt, model_validator
from torch import Tensor

from gridmarl.agents.networks import SeatNetwork
from gridmarl.errors import ScenarioError, TrainingError
from gridmarl.learning.descent.tensors import wanted
from gridmarl.learning.interface import Algorithm, ByGroup, GroupSpec, HearsEpisodes, Metrics, Task
from gridmarl.learning.judging.pool import CURRENT, Cast, Pool
from gridmarl.learning.judging.rivals import rivalry
from gridmarl.learning.memory.replay import Transitions
from gridmarl.learning.recipe import Recipe, parse_recipe
from gridmarl.units import Bool, Float32, Int

if TYPE_CHECKING:
    from gridmarl.agents.cards import CurvePoint

OWN: Final = {"algorithm", "description", "discount", "learning_rate", "learning_rate_last", "gradient_norm", "share"}
"""Settings of every recipe that a role may have for itself, beside those of its algorithm."""
POOL: Final = "pool."


class MarketRecipe(Recipe):
    """Settings of a training of all roles."""

    algorithm: Literal["market"] = "market"  # pyright: ignore[reportIncompatibleVariableOverride]  # frozen
    seats: str | tuple[str, ...] = ("*", "operator")
    roles: Mapping[str, Mapping[str, JsonValue]] = Field(
        description="role -> algorithm and its settings; roles that a world does not have are left out"
    )
    discount: float = Field(0.9, gt=0, lt=1, description="of roles that say no other")
    past_share: float = Field(0.25, ge=0, le=1, description="of the environments in which all roles but one are past")
    pool_size: NonNegativeInt = Field(6, description="past policies kept of each role")
    snapshot_every: PositiveInt = Field(32_000, description="steps between two snapshots for the pool")
    rival_episodes: PositiveInt = Field(8, multiple_of=2, description="of every deviation, and of cross-play")
    rival_seats: PositiveInt = Field(8, description="seats of a group whose deviations are tried, the largest")

    @model_validator(mode="after")
    def _check_roles(self) -> MarketRecipe:
        if self.elsewhere:
            raise ValueError(f"roles belong to a market, not to {self.elsewhere}")
        if not self.roles:
            raise ValueError("roles names nobody; give each role that learns an algorithm")
        for role in self.roles:
            self.part(role)
        return self

    def part(self, role: str) -> Recipe:
        """The recipe that a role learns by.

        Raises
        ------
        ScenarioError
            Where a setting is unknown, or one that all roles share.
        """
        own = self.roles[role]
        common = [key for key in own if key in Recipe.model_fields and key not in OWN]
        if common:
            raise ScenarioError(f"roles.{role}.{common[0]}", own[common[0]], "settings of its own", "set it for all")
        shared = self.model_dump(include=set(Recipe.model_fields) - {"algorithm", "description"})
        return parse_recipe({**shared, **own}, f"roles.{role}")

    @property
    def needs_state(self) -> bool:
        """Whether a role's critics read the global state."""
        return any(self.part(role).needs_state for role in self.roles)

    @property
    def vector_rewards(self) -> bool:
        """Whether the operator learns from its vector reward."""
        return any(self.part(role).vector_rewards for role in self.roles)

    def discount_of(self, group: GroupSpec) -> float:
        """What the group's role says."""
        return self.part(group.role).discount if group.role in self.roles else self.discount

    def build(self, groups: Mapping[str, GroupSpec], state_size: int, device: torch.device) -> MarketLearner:
        """The learner."""
        return MarketLearner(self, groups, state_size, device)

    def rivals(self, algorithm: Algorithm, task: Task, seed: int) -> Metrics:
        """Cross-play against the pool, and what is to be gained by deviating."""
        assert isinstance(algorithm, MarketLearner)
        return rivalry(algorithm, algorithm.pool, task, seed, self.rival_episodes, self.rival_seats)

    def merit(self, point: CurvePoint) -> tuple[float, ...]:
        """The less exploitable, the better, among evaluations that tried the past policies of a pool as full."""
        return point.metrics.get("pool", 0.0), -point.metrics["exploitability"]


class MarketLearner:
    """A learner for each role.

    A loss that is not finite stops the training in the middle of a gradient round: roles that come before it in the
    world have made their step. The checkpoint before stands.

    Parameters
    ----------
    recipe : MarketRecipe
    groups : mapping
        Who learns.
    state_size : int
    device : torch.device

    Raises
    ------
    TrainingError
        Where a role that learns has no algorithm, or one that does not fit its actions or reward.
    """

    def __init__(
        self, recipe: MarketRecipe, groups: Mapping[str, GroupSpec], state_size: int, device: torch.device
    ) -> None:
        self.recipe, self.groups = recipe, groups
        roles = dict.fromkeys(group.role for group in groups.values())
        for role in roles:
            if role not in recipe.roles:
                raise TrainingError(
                    "role that learns", role, ", ".join(recipe.roles), "name it in roles:, or in others:"
                )
        self.roles = [*roles]  # in the order of the world: that of a mapping may change on its way to a file and back
        self.names = {role: [n for n, group in groups.items() if group.role == role] for role in self.roles}
        parts = {role: recipe.part(role) for role in self.roles}
        self.discounts = {role: part.discount for role, part in parts.items()}
        self.learners = {
            role: part.build({n: groups[n] for n in self.names[role]}, state_size, device)
            for role, part in parts.items()
        }
        found = {name: policy for learner in self.learners.values() for name, policy in learner.policies.items()}
        self.policies: Mapping[str, SeatNetwork] = {name: found[name] for name in groups}
        self.pool = Pool(recipe.pool_size, self.policies, device)
        self.steps = 0  # acted in all environments together
        self.opponents = np.full(recipe.num_envs, CURRENT)  # (env,) member of the pool that plays the others
        self.cast = self._cast()

    def act(self, observations: ByGroup, rng: np.random.Generator, explore: bool) -> dict[str, Float32 | Int]:
        """Every role's actions; exploring, the past plays in its share of the environments."""
        chosen: dict[str, Float32 | Int] = {}
        for role, learner in self.learners.items():
            chosen |= learner.act({name: observations[name] for name in self.names[role]}, rng, explore)
        if not explore:
            return chosen
        chosen = self.cast.play(self.pool, observations, chosen)
        rows, every = len(next(iter(observations.values()))), self.recipe.snapshot_every
        self.steps += rows
        if self.recipe.pool_size and self.steps // every > (self.steps - rows) // every:
            self.pool.add(self.steps, rng)
        return chosen

    def begin(self, rows: Bool, rng: np.random.Generator) -> None:
        """New episodes begin in these environments: the past ones among them draw an opponent."""
        for learner in self.learners.values():
            if isinstance(learner, HearsEpisodes):
                learner.begin(rows, rng)
        past = rows & (np.arange(len(rows)) < round(self.recipe.past_share * len(rows)))
        if len(self.pool) and past.any():
            self.opponents[past] = rng.integers(len(self.pool))
            self.cast = self._cast()

    def _cast(self) -> Cast:
        """The opponents in all seats but those of one role, which takes turns over the environments."""
        turn = np.arange(len(self.opponents)) % len(self.roles)
        who: dict[str, Int] = {}
        for name, group in self.groups.items():
            plays = np.where(turn == self.roles.index(group.role), CURRENT, self.opponents)
            who[name] = np.repeat(plays[:, None], len(group.seats), axis=1)
        return Cast(who)

    def learn(self, batch: Transitions, rng: np.random.Generator) -> Metrics:
        """One gradient step of every role, each on its own part of the same rows."""
        found: Metrics = {}
        for role, learner in self.learners.items():
            metrics = learner.learn(self.part_of(batch, role), rng)
            found |= {f"{role}.{key}": value for key, value in metrics.items()}
        return found

    def part_of(self, batch: Transitions, role: str) -> Transitions:
        """What a role reads of a batch: its groups, discounted by its own patience.

        Rows say by their discount, a power of the recipe's, how many steps they span; 0 where the world had ended.
        """
        spans = np.arange(self.recipe.n_step + 1)
        powers = self.recipe.discount**spans
        nearest = np.abs(batch.discount[:, None] - powers).argmin(1)
        own = (self.discounts[role] ** spans)[nearest]
        discount = np.where(batch.discount > 0, own, 0.0).astype(np.float32)
        s, a, r, s_next = ({n: kind[n] for n in self.names[role]} for kind in (batch.s, batch.a, batch.r, batch.s_next))
        return batch._replace(s=s, a=a, r=r, s_next=s_next, discount=discount)

    def state_dict(self) -> dict[str, Tensor]:
        """Copies of every role's state, of the pool, and of who plays where."""
        state = {f"{role}.{k}": t for role, learner in self.learners.items() for k, t in learner.state_dict().items()}
        state |= {f"{POOL}{key}": tensor for key, tensor in self.pool.state_dict().items()}
        return {**state, "steps": torch.tensor(self.steps), "opponents": torch.from_numpy(self.opponents.copy())}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go back to such copies."""
        for role, learner in self.learners.items():
            learner.load_state_dict(part_of_state(state, f"{role}."))
        self.pool.load_state_dict(part_of_state(state, POOL))
        self.steps = int(wanted(state, "steps", torch.Size()))
        self.opponents = wanted(state, "opponents", torch.Size(self.opponents.shape)).numpy().copy()
        self.cast = self._cast()


def part_of_state(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Tensors whose names begin so, without the beginning."""
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
