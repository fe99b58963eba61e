"""Deep Q-learning for seats that choose among actions (Mnih et al. 2015).

With its usual companions: double (van Hasselt et al. 2016), dueling (Wang et al. 2016), returns over n steps (Hessel
et al. 2018). Symbols are the papers': states s, actions a, rewards r, online network Q, target network Q_target,
targets y. Each group of seats has a Q; seats that share it are samples of one batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Literal

import numpy as np
import torch
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor
from torch.nn.functional import huber_loss

from gridmarl.agents.cards import outputs
from gridmarl.agents.networks import SeatNetwork
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
)
from gridmarl.learning.interface import ByGroup, GroupSpec, Metrics
from gridmarl.learning.memory.replay import Transitions
from gridmarl.learning.recipe import Recipe
from gridmarl.units import Float32, Int


class DQNRecipe(Recipe):
    """Settings of a training by DQN."""

    algorithm: Literal["dqn"] = "dqn"  # pyright: ignore[reportIncompatibleVariableOverride]  # frozen
    hidden: tuple[PositiveInt, ...] = (128, 64, 32)
    double: bool = Field(True, description="the online network chooses the next action, the target network judges it")
    dueling: bool = Field(False, description="the network says a state's value and the actions' advantages")
    target_every: PositiveInt = Field(500, description="gradient steps between moves of the target network")
    tau: float = Field(1.0, gt=0, le=1, description="how far it moves towards the online network; 1 copies")
    epsilon_first: float = Field(1.0, ge=0, le=1)
    epsilon_last: float = Field(0.05, ge=0, le=1)
    epsilon_steps: NonNegativeInt = Field(640_000, description="steps of the linear way between them")
    huber: PositiveFloat = Field(1.0, description="errors beyond this count linearly")

    def epsilon(self, step: int) -> float:
        """Share of random actions at a step."""
        return linear(self.epsilon_first, self.epsilon_last, step, self.epsilon_steps)

    def build(self, groups: Mapping[str, GroupSpec], state_size: int, device: torch.device) -> DQN:
        """The learner."""
        return DQN(self, groups, device)


class DQN:
    """Learns Q by stochastic gradient steps on replayed transitions.

    Parameters
    ----------
    recipe : DQNRecipe
    groups : mapping
        Who learns.
    device : torch.device

    Raises
    ------
    TrainingError
        Where a group's actions are not a choice, or its reward is not one number.
    """

    def __init__(self, recipe: DQNRecipe, groups: Mapping[str, GroupSpec], device: torch.device) -> None:
        self.recipe, self.groups, self.device = recipe, groups, device
        self.Q = {
            name: network(recipe, group, number).to(device) for number, (name, group) in enumerate(groups.items())
        }
        self.Q_target = {name: deepcopy(Q).requires_grad_(False) for name, Q in self.Q.items()}
        self.follow = {name: Following(self.Q_target[name], Q) for name, Q in self.Q.items()}
        self.descent = {name: Descent(Q.parameters()) for name, Q in self.Q.items()}
        self.policies: Mapping[str, SeatNetwork] = self.Q
        self.steps = 0  # acted in all environments together
        self.updates = 0  # gradient steps

    def act(self, observations: ByGroup, rng: np.random.Generator, explore: bool) -> dict[str, Float32 | Int]:
        """Greedy, or epsilon-greedy actions, (env, seat)."""
        epsilon = self.recipe.epsilon(self.steps) if explore else 0.0
        chosen: dict[str, Float32 | Int] = {}
        for name, s in as_tensors(observations, self.device).items():
            if explore:
                self.Q[name].normaliser.observe(s.reshape(-1, s.shape[-1]))
            with torch.inference_mode():
                a: Int = self.Q[name].greedy(s).cpu().numpy()
            if explore:
                random = rng.integers(0, self.groups[name].actions.choices, a.shape)
                a = np.where(rng.random(a.shape) < epsilon, random, a)
            chosen[name] = a
        if explore:
            self.steps += len(next(iter(observations.values())))
        return chosen

    def learn(self, batch: Transitions, rng: np.random.Generator) -> Metrics:
        """One gradient step of every Q."""
        if self.updates % self.recipe.target_every == 0:
            for follow in self.follow.values():
                follow(self.recipe.tau)
        losses = {name: self.loss(name, batch) for name in self.Q}
        norms = [self.descent[name].take_gradient(loss, self.recipe.gradient_norm) for name, loss in losses.items()]
        found = {f"loss.{name}": float(loss.detach()) for name, loss in losses.items()}
        check_finite("loss", self.updates + 1, (*found.values(), *norms))
        for descent in self.descent.values():
            descent.step(self._learning_rate())
        self.updates += 1
        return {**found, "epsilon": self.recipe.epsilon(self.steps)}

    def loss(self, name: str, batch: Transitions) -> Tensor:
        """Mean Huber loss of Q(s, a) against its target; gradients reach Q alone."""
        s, a, r, s_next, discount = self._samples(name, batch)
        y = td_target(self.Q[name], self.Q_target[name], r, s_next, discount, self.recipe.double)
        chosen = self.Q[name](s).gather(-1, a[..., None]).squeeze(-1)
        return huber_loss(chosen, y, delta=self.recipe.huber)

    def _samples(self, name: str, batch: Transitions) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        s, a, r, s_next, discount = group_tensors(batch, name, self.device)
        return s, a.long(), r, s_next, discount[:, None]

    def _learning_rate(self) -> float:
        return linear(self.recipe.learning_rate, self.recipe.learning_rate_last, self.steps, self.recipe.steps)

    def adopt(self) -> None:
        """Q has new weights; the target networks take them."""
        for follow in self.follow.values():
            follow()

    def state_dict(self) -> dict[str, Tensor]:
        """Copies of networks, moments and counts."""
        state = {"steps": torch.tensor(self.steps), "updates": torch.tensor(self.updates)}
        for name, Q in self.Q.items():
            state |= module_tensors(f"Q.{name}", Q) | module_tensors(f"Q_target.{name}", self.Q_target[name])
            state |= self.descent[name].tensors(f"adam.{name}")
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go back to such copies."""
        for name, Q in self.Q.items():
            load_module(f"Q.{name}", Q, state)
            load_module(f"Q_target.{name}", self.Q_target[name], state)
            self.descent[name].load(f"adam.{name}", state)
        self.steps, self.updates = int(state["steps"]), int(state["updates"])


@torch.no_grad()
def td_target(
    Q: SeatNetwork, Q_target: SeatNetwork, r: Tensor, s_next: Tensor, discount: Tensor, double: bool
) -> Tensor:
    """Y = r + discount Q_target(s', a*), (row, seat).

    a* maximises Q(s', ·) if ``double``, else Q_target(s', ·). An episode that was cut off has a discount above 0 and
    its true last observation as s', so the value beyond the cut is bootstrapped (Pardo et al. 2018).
    """
    next_values = Q_target(s_next)
    judged_by = Q(s_next) if double else next_values
    best = judged_by.argmax(-1, keepdim=True)
    return r + discount * next_values.gather(-1, best).squeeze(-1)


def network(recipe: DQNRecipe, group: GroupSpec, number: int) -> SeatNetwork:
    """Q of a group, with first weights that depend on the seed and the group's number.

    Raises
    ------
    TrainingError
        Where the group's actions are not a choice, or its reward is not one number.
    """
    if not group.actions.discrete:
        raise TrainingError(f"dqn for group {group.name!r}", group.actions, "actions to choose from", "actor_critic")
    if group.objectives:
        raise TrainingError(f"dqn for group {group.name!r}", group.objectives, "one reward", "multi_objective")
    head = "dueling" if recipe.dueling else "values"
    sizes = (group.fields, *recipe.hidden, outputs(head, group.actions.choices))
    return seeded(recipe.seed + 1009 * number, SeatNetwork, sizes, len(group.seats), recipe.share, head)
