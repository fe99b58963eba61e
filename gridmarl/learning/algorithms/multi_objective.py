"""Deep Q-learning of a vector reward for every preference at once (Abels et al. 2019).

Symbols are the papers': states s, actions a, vector rewards r, a preference w (one share per objective, summing to 1),
an online network Q(s, a, w) and a target network Q_target, both of vectors, and targets y. Played is the action that
maximises w'Q(s, a, w). One network thus holds a policy for every w; what they earn is a front, see
:mod:`gridmarl.learning.judging.front`. Weighted sums find the points on the convex hull of the Pareto front and no
others.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Final, Literal

import numpy as np
import torch
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.nn.functional import huber_loss

from gridmarl.agents.cards import outputs
from gridmarl.agents.networks import PreferenceNetwork, weighted
from gridmarl.agents.policies import slots_of
from gridmarl.errors import TrainingError
from gridmarl.learning.descent.adam import Descent
from gridmarl.learning.descent.schedules import linear
from gridmarl.learning.descent.targets import Following
from gridmarl.learning.descent.tensors import (
    as_tensors,
    check_finite,
    group_tensors,
    load_module,
    module_tensors,
    seeded,
    wanted,
)
from gridmarl.learning.interface import Algorithm, ByGroup, GroupSpec, Metrics, VectorWorld
from gridmarl.learning.judging.front import Front, fronts_of
from gridmarl.learning.memory.replay import Transitions
from gridmarl.learning.recipe import Recipe
from gridmarl.scenario.rules import Split
from gridmarl.units import Bool, Float32, Int

FIRST_PREFERENCES: Final = 0x3F
"""Sets the stream of the first episodes' preferences apart."""


class MultiObjectiveRecipe(Recipe):
    """Settings of a training by multi-objective DQN."""

    algorithm: Literal["multi_objective"] = "multi_objective"  # pyright: ignore[reportIncompatibleVariableOverride]  # frozen
    seats: str | tuple[str, ...] = "operator"
    hidden: tuple[PositiveInt, ...] = (128, 96, 64)
    double: bool = Field(True, description="the online network chooses the next action, the target network judges it")
    dueling: bool = Field(False, description="the network says a state's values and the actions' advantages, vectors")
    envelope: NonNegativeInt = Field(0, description="other preferences whose next actions are tried (Yang et al. 2019)")
    target_every: PositiveInt = Field(500, description="gradient steps between moves of the target network")
    tau: float = Field(1.0, gt=0, le=1, description="how far it moves towards the online network; 1 copies")
    epsilon_first: float = Field(1.0, ge=0, le=1)
    epsilon_last: float = Field(0.05, ge=0, le=1)
    epsilon_steps: NonNegativeInt = Field(640_000, description="steps of the linear way between them")
    huber: PositiveFloat = Field(1.0, description="errors beyond this count linearly")
    begin_at_mean: bool = Field(
        False,
        description="values begin at what the first batch's mean reward sums to, not at 0: for worlds that never end",
    )
    less_untouched: bool = Field(
        False, description="rewards in training are less those of the same world with action 0 throughout, a baseline"
    )
    units: tuple[PositiveFloat, ...] = Field(
        (), description="scaled reward that counts as an error of 1, by objective: small where actions change little"
    )
    hold: PositiveInt = Field(1, description="steps that a random action lasts, so that slow consequences show")
    concentration: float = Field(
        1.0,
        ge=0.1,
        description="of the Dirichlet distribution that preferences are drawn from; 1 is uniform, less: extremes",
    )
    preference_parts: PositiveInt = Field(4, description="the front is evaluated at multiples of 1 over this")
    reference: tuple[float, ...] = Field(
        (), description="scaled return of an episode that the front's hypervolume counts from; empty: it is not counted"
    )

    @property
    def vector_rewards(self) -> bool:
        """The operator's reward stays a vector."""
        return True

    @property
    def learns_differences(self) -> bool:
        """Rewards less those of the untouched market."""
        return self.less_untouched

    def epsilon(self, step: int) -> float:
        """Share of random actions at a step."""
        return linear(self.epsilon_first, self.epsilon_last, step, self.epsilon_steps)

    def build(self, groups: Mapping[str, GroupSpec], state_size: int, device: torch.device) -> MultiObjective:
        """The learner."""
        return MultiObjective(self, groups, device)

    def fronts(self, algorithm: Algorithm, world: VectorWorld, seed: int, split: Split) -> Mapping[str, Front]:
        """What the one network earns under a grid of preferences."""
        return fronts_of(algorithm, world, seed, self.preference_parts, self.reference, split)


class MultiObjective:
    """Learns Q by stochastic gradient steps on replayed transitions, each under a preference drawn for it.

    Exploring, every environment keeps a preference for an episode. Otherwise each network's own counts, its attribute
    ``preference``: at first what the seat's own reward says.

    Parameters
    ----------
    recipe : MultiObjectiveRecipe
    groups : mapping
        Who learns.
    device : torch.device

    Raises
    ------
    TrainingError
        Where a group's actions are not a choice, or its reward is one number.
    """

    def __init__(self, recipe: MultiObjectiveRecipe, groups: Mapping[str, GroupSpec], device: torch.device) -> None:
        self.recipe, self.groups, self.device = recipe, groups, device
        self.Q = {
            name: network(recipe, group, number).to(device) for number, (name, group) in enumerate(groups.items())
        }
        self.Q_target = {name: deepcopy(Q).requires_grad_(False) for name, Q in self.Q.items()}
        self.follow = {name: Following(self.Q_target[name], Q) for name, Q in self.Q.items()}
        self.units = {name: units(recipe, group).to(device) for name, group in groups.items()}  # (objective,)
        self.descent = {name: Descent(Q.parameters(), self._pace(name)) for name, Q in self.Q.items()}
        self.policies: Mapping[str, PreferenceNetwork] = self.Q
        rng = np.random.default_rng([recipe.seed, FIRST_PREFERENCES])
        self.w = {name: self._drawn(name, recipe.num_envs, rng) for name in groups}  # group -> (env, 1, objective)
        shapes = {name: (recipe.num_envs, len(group.seats)) for name, group in groups.items()}
        self.random = {name: np.zeros(shape, np.int64) for name, shape in shapes.items()}  # the latest random actions
        self.left = {name: np.zeros(shape, np.int64) for name, shape in shapes.items()}  # steps that they still last
        self.steps = 0  # acted in all environments together
        self.updates = 0  # gradient steps

    def _drawn(self, name: str, rows: int, rng: np.random.Generator) -> Tensor:
        """Preferences on the simplex, (row, 1, objective): all seats of a row share one."""
        shares = rng.standard_gamma(self.recipe.concentration, (rows, 1, len(self.groups[name].objectives)))
        return torch.from_numpy((shares / shares.sum(-1, keepdims=True)).astype(np.float32)).to(self.device)

    def begin(self, rows: Bool, rng: np.random.Generator) -> None:
        """New episodes begin in these environments: a new preference for each."""
        for name, w in self.w.items():
            self.left[name][rows] = 0
            w[torch.from_numpy(rows).to(self.device)] = self._drawn(name, int(rows.sum()), rng)

    def act(self, observations: ByGroup, rng: np.random.Generator, explore: bool) -> dict[str, Float32 | Int]:
        """Greedy, or epsilon-greedy actions, (env, seat); a row each of ``num_envs`` where it explores."""
        epsilon = self.recipe.epsilon(self.steps) if explore else 0.0
        chosen: dict[str, Float32 | Int] = {}
        for name, s in as_tensors(observations, self.device).items():
            if explore:
                self.Q[name].normaliser.observe(s.reshape(-1, s.shape[-1]))
            with torch.inference_mode():
                a: Int = self.Q[name].greedy(s, w=self.w[name] if explore else None).cpu().numpy()
            chosen[name] = self._explored(name, a, epsilon, rng) if explore else a
        if explore:
            self.steps += len(next(iter(observations.values())))
        return chosen

    def _explored(self, name: str, a: Int, epsilon: float, rng: np.random.Generator) -> Int:
        """Random actions in a share epsilon of all steps, each for as long as the recipe holds it (Dabney 2021)."""
        hold, left = self.recipe.hold, self.left[name]
        random = rng.integers(0, self.groups[name].actions.choices, a.shape)
        begins = (left == 0) & (rng.random(a.shape) < epsilon / (hold - (hold - 1) * epsilon))
        self.random[name] = np.where(begins, random, self.random[name])
        left[begins] = hold
        found = np.where(left > 0, self.random[name], a)
        np.maximum(left - 1, 0, out=left)
        return found

    def learn(self, batch: Transitions, rng: np.random.Generator) -> Metrics:
        """One gradient step of every Q."""
        if self.updates == 0 and self.recipe.begin_at_mean:
            for name, policy in self.policies.items():
                policy.raise_to(torch.from_numpy(batch.r[name].mean((0, 1)) / (1.0 - batch.discount.mean())))
        if self.updates % self.recipe.target_every == 0:
            for follow in self.follow.values():
                follow(self.recipe.tau)
        losses = {name: self.loss(name, batch, rng) for name in self.Q}
        norms = [self.descent[name].take_gradient(loss, self.recipe.gradient_norm) for name, loss in losses.items()]
        found = {f"loss.{name}": float(loss.detach()) for name, loss in losses.items()}
        check_finite("loss", self.updates + 1, (*found.values(), *norms))
        for descent in self.descent.values():
            descent.step(self._learning_rate())
        self.updates += 1
        return {**found, "epsilon": self.recipe.epsilon(self.steps)}

    def loss(self, name: str, batch: Transitions, rng: np.random.Generator) -> Tensor:
        """Mean Huber loss of Q(s, a, w) against its target, over objectives too; gradients reach Q alone."""
        s, a, r, s_next, discount = self._samples(name, batch)
        w = self._drawn(name, len(s), rng)
        tried = self._drawn(name, self.recipe.envelope, rng)
        y = td_target(self.Q[name], self.Q_target[name], r, s_next, discount, w, tried, self.recipe.double)
        chosen = taken(self.Q[name](s, w=w), a)
        units = self.units[name]
        return huber_loss(chosen / units, y / units, delta=self.recipe.huber)

    def _samples(self, name: str, batch: Transitions) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        s, a, r, s_next, discount = group_tensors(batch, name, self.device)
        return s, a.long(), r, s_next, discount[:, None, None]

    def _pace(self, name: str) -> dict[nn.Parameter, Tensor]:
        """Steps of Adam are a unit's share as long in the last layer's part of each objective.

        They are of one length whatever the gradients; so long, values that differ by hundredths would blur. It is as if
        the network said values in units, and a last layer that does not learn multiplied them.
        """
        units = self.units[name]
        last = last_layer(self.Q[name]) if self.recipe.units else ()
        return {parameter: units.repeat(parameter.shape[-1] // len(units)) for parameter in last}

    def _learning_rate(self) -> float:
        return linear(self.recipe.learning_rate, self.recipe.learning_rate_last, self.steps, self.recipe.steps)

    def state_dict(self) -> dict[str, Tensor]:
        """Copies of networks, moments, the episodes' preferences and counts."""
        state = {"steps": torch.tensor(self.steps), "updates": torch.tensor(self.updates)}
        for name, Q in self.Q.items():
            state |= module_tensors(f"Q.{name}", Q) | module_tensors(f"Q_target.{name}", self.Q_target[name])
            state |= self.descent[name].tensors(f"adam.{name}")
            state[f"w.{name}"] = self.w[name].to("cpu", copy=True)
            state[f"random.{name}"] = torch.from_numpy(self.random[name].copy())
            state[f"left.{name}"] = torch.from_numpy(self.left[name].copy())
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go back to such copies."""
        for name, Q in self.Q.items():
            load_module(f"Q.{name}", Q, state)
            load_module(f"Q_target.{name}", self.Q_target[name], state)
            self.descent[name].load(f"adam.{name}", state)
            self.w[name] = wanted(state, f"w.{name}", self.w[name].shape).to(self.device, copy=True)
            for kept in ("random", "left"):
                counts: dict[str, Int] = getattr(self, kept)
                counts[name][...] = wanted(state, f"{kept}.{name}", torch.Size(counts[name].shape)).numpy()
        self.steps, self.updates = int(state["steps"]), int(state["updates"])


@torch.no_grad()
def td_target(
    Q: PreferenceNetwork,
    Q_target: PreferenceNetwork,
    r: Tensor,
    s_next: Tensor,
    discount: Tensor,
    w: Tensor,
    tried: Tensor,
    double: bool,
) -> Tensor:
    """Y = r + discount Q_target(s', a*, w*), (row, seat, objective).

    a* maximises w'Q(s', ·, w) if ``double``, else w'Q_target(s', ·, w), and w* is w. Where other preferences are
    ``tried``, (preference, 1, objective), the pair (a*, w*) maximises w'Q(s', ·, ·) over them and w, the envelope of
    Yang et al. (2019): what another preference would do next may serve this one better. An episode that was cut off
    has a discount above 0 and its true last observation as s'.
    """
    candidates = (w, *(other.expand_as(w) for other in tried))
    values = under_each(Q_target, s_next, candidates)
    judged_by = under_each(Q, s_next, candidates) if double else values
    return torch.addcmul(r, discount, taken(values, weighted(judged_by, w).argmax(-1)))


def under_each(Q: PreferenceNetwork, s: Tensor, preferences: tuple[Tensor, ...]) -> Tensor:
    """Values of all actions under one preference after the other, (row, seat, preference and action, objective)."""
    first, *others = (Q(s, w=w) for w in preferences)
    return torch.cat([first, *others], dim=-2) if others else first


def taken(Q: Tensor, a: Tensor) -> Tensor:
    """Vectors of the actions taken: (row, seat, objective) of (row, seat, action, objective) and (row, seat)."""
    return Q.gather(-2, a[..., None, None].expand(*a.shape, 1, Q.shape[-1])).squeeze(-2)


def network(recipe: MultiObjectiveRecipe, group: GroupSpec, number: int) -> PreferenceNetwork:
    """Q of a group, with first weights that depend on the seed and the group's number.

    Raises
    ------
    TrainingError
        Where the group's actions are not a choice, or its reward is one number.
    """
    thing = f"multi_objective for group {group.name!r}"
    if not group.actions.discrete:
        raise TrainingError(thing, group.actions, "actions to choose from", "actor_critic")
    if not group.objectives:
        raise TrainingError(thing, "one number as reward", "a vector, which the operator has", "dqn")
    count, head = len(group.objectives), "dueling-vectors" if recipe.dueling else "vectors"
    sizes = (group.fields, *recipe.hidden, outputs(head, group.actions.choices, count))
    made = (PreferenceNetwork, sizes, count, len(group.seats), recipe.share, head, slots_of(group.role))
    found = seeded(recipe.seed + 1009 * number, *made)
    with torch.no_grad():
        for parameter in last_layer(found):
            parameter.mul_(units(recipe, group).repeat(parameter.shape[-1] // count))
    found.preference.copy_(torch.from_numpy(group.preference))
    return found


def last_layer(Q: PreferenceNetwork) -> tuple[nn.Parameter, nn.Parameter]:
    """Weights and biases behind the values."""
    return Q.layers.weights[-1], Q.layers.biases[-1]


def units(recipe: MultiObjectiveRecipe, group: GroupSpec) -> Tensor:
    """What counts as an error of 1 in each objective, scaled, (objective,).

    Raises
    ------
    TrainingError
        Where the recipe names another number of objectives.
    """
    count = len(group.objectives)
    if recipe.units and len(recipe.units) != count:
        raise TrainingError(
            f"units of group {group.name!r}", recipe.units, f"{count} numbers", ", ".join(group.objectives)
        )
    return torch.tensor(recipe.units or (1.0,) * count)
