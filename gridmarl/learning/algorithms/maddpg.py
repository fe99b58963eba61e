"""Deterministic policy gradients of many seats with central critics, MADDPG (Lowe et al. 2017).

With the companions that keep its critics honest, each a setting: twin critics, smoothed targets and delayed actors
(MATD3; Ackermann et al. 2019), and critics that attend to the other seats (Iqbal & Sha 2019). Symbols are the papers':
seats i observe o_i and act a_i = mu_i(o_i); their critics Q_i(x, a_1 .. a_N) read the state x and what everybody does
(:mod:`gridmarl.learning.algorithms.central_critics`); y are targets. Each group has a mu and a Q, shared by its seats
or one each. Where an action is a choice it enters a critic as a one-hot vector, and gradients pass it by the
straight-through Gumbel-softmax (Jang et al. 2017; Maddison et al. 2017).
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Literal, NamedTuple

import numpy as np
import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator
from torch import Tensor, nn
from torch.nn.functional import one_hot

from gridmarl.agents.networks import SeatNetwork
from gridmarl.errors import TrainingError
from gridmarl.learning.algorithms.central_critics import (
    AttentionCritic,
    ByGroupTensors,
    CentralCritic,
    Critic,
    together,
)
from gridmarl.learning.descent.adam import Descent
from gridmarl.learning.descent.targets import Following
from gridmarl.learning.descent.tensors import (
    as_tensors,
    check_finite,
    load_module,
    module_tensors,
    seeded,
    wanted,
)
from gridmarl.learning.interface import ByGroup, GroupSpec, Metrics
from gridmarl.learning.memory.replay import Transitions
from gridmarl.learning.recipe import Recipe
from gridmarl.learning.worlds.shaping import potential_weights, shaped
from gridmarl.units import Bool, Float32, Int


class MADDPGRecipe(Recipe):
    """Settings of a training by MADDPG."""

    algorithm: Literal["maddpg"] = "maddpg"  # pyright: ignore[reportIncompatibleVariableOverride]  # frozen
    hidden: tuple[PositiveInt, ...] = Field((64, 64), description="layers of the actors")
    critic_hidden: tuple[PositiveInt, ...] = Field((128, 64), description="layers of the critics")
    critic_learning_rate: PositiveFloat = Field(1e-3, description="falls in proportion to the actors' learning_rate")
    state: bool = Field(True, description="critics read the world's state; otherwise all that the learners observe")
    twins: bool = Field(True, description="two critics, of which targets believe the lower")
    smoothing: bool = Field(True, description="targets are judged at noisy actions; a choice is drawn, not the best")
    smoothing_noise: NonNegativeFloat = Field(0.2, description="deviation of that noise where actions are numbers")
    smoothing_clip: PositiveFloat = 0.5
    delay: PositiveInt = Field(2, description="gradient steps of the critics for one of actors and targets")
    tau: float = Field(0.01, gt=0, le=1, description="how far targets move towards the online networks")
    attention: bool = Field(False, description="critics weigh what each other seat observes and does")
    embedding: PositiveInt = Field(64, description="numbers that say what a seat observes and does, with attention")
    heads: PositiveInt = Field(4, description="of the attention; they divide the embedding among them")
    temperature: PositiveFloat = Field(1.0, description="of the Gumbel-softmax")
    logit_cost: NonNegativeFloat = Field(1e-3, description="price of the actors' squared outputs; keeps choices open")
    noise_first: NonNegativeFloat = Field(0.3, description="deviation of the exploration noise of -1 .. 1 actions")
    noise_last: NonNegativeFloat = Field(0.05, description="reached linearly at the last step")
    noise_memory: float = Field(0.0, ge=0, lt=1, description="correlation of the noise of consecutive steps")
    potential: Mapping[str, float] = Field(
        {}, description="field of a market's seat -> what a unit of it is thought to be worth, in scaled rewards"
    )

    @model_validator(mode="after")
    def _check_heads(self) -> MADDPGRecipe:
        if self.embedding % self.heads:
            raise ValueError(f"embedding {self.embedding} is no multiple of heads {self.heads}")
        return self

    @property
    def needs_state(self) -> bool:
        """Attention reads what the seats observe instead."""
        return self.state and not self.attention

    def done(self, step: int) -> float:
        """Share of the training that is over."""
        return min(step / self.steps, 1.0)

    def build(self, groups: Mapping[str, GroupSpec], state_size: int, device: torch.device) -> MADDPG:
        """The learner."""
        return MADDPG(self, groups, state_size, device)


class Samples(NamedTuple):
    """A batch as tensors; actions as critics read them."""

    x: Tensor  # (row, number) the state
    o: ByGroupTensors
    a: ByGroupTensors
    r: ByGroupTensors  # group -> (row, seat)
    x_next: Tensor
    o_next: ByGroupTensors
    discount: Tensor  # (row, 1)


class MADDPG:
    """Learns actors mu, which see only their own seat, by critics Q, which see everything.

    Parameters
    ----------
    recipe : MADDPGRecipe
    groups : mapping
        Who learns.
    state_size : int
        Numbers of the world's state; where there are none, critics read all observations.
    device : torch.device

    Raises
    ------
    TrainingError
        Where a group's reward is not one number.
    """

    def __init__(
        self, recipe: MADDPGRecipe, groups: Mapping[str, GroupSpec], state_size: int, device: torch.device
    ) -> None:
        self.recipe, self.groups, self.device = recipe, groups, device
        self.reads_state = recipe.needs_state and state_size > 0
        x_size = state_size if self.reads_state else sum(len(g.seats) * g.fields for g in groups.values())
        self.mu = {name: actor(recipe, g, number).to(device) for number, (name, g) in enumerate(groups.items())}
        self.Q = {name: critic(recipe, groups, name, x_size, number).to(device) for number, name in enumerate(groups)}
        self.mu_target = {name: deepcopy(mu).requires_grad_(False) for name, mu in self.mu.items()}
        self.Q_target = {name: deepcopy(Q).requires_grad_(False) for name, Q in self.Q.items()}
        self.follow_mu = {name: Following(self.mu_target[name], mu) for name, mu in self.mu.items()}
        self.follow_Q = {name: Following(self.Q_target[name], Q) for name, Q in self.Q.items()}
        self.actor_adam = {name: Descent(mu.parameters()) for name, mu in self.mu.items()}
        self.critic_adam = {name: Descent(Q.parameters()) for name, Q in self.Q.items()}
        self.policies: Mapping[str, SeatNetwork] = self.mu
        numbers = {name: g for name, g in groups.items() if not g.actions.discrete}
        shapes = {name: (recipe.num_envs, len(g.seats), g.actions.size) for name, g in numbers.items()}
        self.noise = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}  # of unit deviation
        self.fresh = np.ones(recipe.num_envs, np.bool_)  # environments whose episode begins: their noise remembers none
        self.potential = {n: potential_weights(recipe.potential, g).to(device) for n, g in groups.items()}
        self.steps = 0  # acted in all environments together
        self.updates = 0  # gradient steps of the critics

    def act(self, observations: ByGroup, rng: np.random.Generator, explore: bool) -> dict[str, Float32 | Int]:
        """What the actors hold best; exploring, choices are drawn and numbers made noisy, (env, seat[, component])."""
        chosen: dict[str, Float32 | Int] = {}
        for name, o in as_tensors(observations, self.device).items():
            mu = self.mu[name]
            if explore:
                mu.normaliser.observe(o.reshape(-1, o.shape[-1]))
            with torch.inference_mode():
                a = (mu(o) if explore and name not in self.noise else mu.greedy(o)).cpu().numpy()
            chosen[name] = self._explored(name, a, rng) if explore else a
        if explore:
            self.fresh[:] = False
            self.steps += len(next(iter(observations.values())))
        return chosen

    def _explored(self, name: str, a: Float32, rng: np.random.Generator) -> Float32 | Int:
        """Choices drawn in proportion to exp(a); or numbers with noise, all noise at first."""
        if name not in self.noise:
            return (a + rng.gumbel(size=a.shape)).argmax(-1).astype(np.int64)
        if self.steps < self.recipe.learn_from:
            return rng.uniform(-1.0, 1.0, a.shape).astype(np.float32)
        first, last, memory = self.recipe.noise_first, self.recipe.noise_last, self.recipe.noise_memory
        new, noise = rng.standard_normal(a.shape, np.float32), self.noise[name]
        noise[...] = np.where(self.fresh[:, None, None], new, memory * noise + np.sqrt(1.0 - memory**2) * new)
        deviation = first + self.recipe.done(self.steps) * (last - first)
        return np.clip(a + np.float32(deviation) * noise, -1.0, 1.0).astype(np.float32)

    def begin(self, rows: Bool, rng: np.random.Generator) -> None:
        """New episodes begin in these environments; their noise does not remember the last ones."""
        self.fresh |= rows

    def learn(self, batch: Transitions, rng: np.random.Generator) -> Metrics:
        """One gradient step of every Q and, every ``delay`` steps, of every mu."""
        now, late = self._samples(batch), self.updates % self.recipe.delay == 0
        losses = {f"critic.{name}": loss for name, loss in self.critic_losses(now, rng).items()}
        if late:
            losses |= {f"actor.{name}": loss for name, loss in self.actor_losses(now, rng).items()}
        limit = self.recipe.gradient_norm
        norms = [self._descent(name).take_gradient(loss, limit) for name, loss in losses.items()]
        found = {f"loss.{name}": float(loss.detach()) for name, loss in losses.items()}
        check_finite("loss", self.updates + 1, (*found.values(), *norms))
        for name in losses:
            self._descend(name)
        if late:
            for name, Q in self.Q.items():
                Q.observe(now.x, now.o)
                self.follow_Q[name](self.recipe.tau)
                self.follow_mu[name](self.recipe.tau)
        self.updates += 1
        return found

    def critic_losses(self, now: Samples, rng: np.random.Generator) -> dict[str, Tensor]:
        """Mean of (Q_i(x, a_1 .. a_N) - y_i)^2, twins summed; gradients reach Q alone.

        y_i = r_i + discount Q'_i(x', a'_1 .. a'_N) with a'_j = mu'_j(o'_j), of the lower twin. An episode that was cut
        off has a discount above 0 and what its seats truly saw last as o', so the value beyond the cut is bootstrapped.
        """
        losses: dict[str, Tensor] = {}
        with torch.no_grad():
            a_next = {name: self._target_action(name, o, rng) for name, o in now.o_next.items()}
        for name, Q in self.Q.items():
            with torch.no_grad():
                value = self.Q_target[name](now.x_next, now.o_next, a_next, a_next[name]).amin(0)
                y = now.r[name] + now.discount * value
            losses[name] = ((Q(now.x, now.o, now.a, now.a[name]) - y) ** 2).mean((1, 2)).sum()
        return losses

    def actor_losses(self, now: Samples, rng: np.random.Generator) -> dict[str, Tensor]:
        """Mean of -Q_i(x, a_1 .. mu_i(o_i) .. a_N), the others' actions as they were; gradients reach mu alone."""
        losses: dict[str, Tensor] = {}
        for name, mu in self.mu.items():
            y = mu(now.o[name])
            own = self._differentiable(name, y, rng)
            value = self.Q[name](now.x, now.o, now.a, own)[0]
            losses[name] = self.recipe.logit_cost * (y**2).mean() - value.mean()
        return losses

    def _differentiable(self, name: str, y: Tensor, rng: np.random.Generator) -> Tensor:
        """Actions of an actor's outputs, for gradients to pass."""
        if name in self.noise:
            return torch.tanh(y)
        return gumbel_softmax(y, self._gumbel(y, rng), self.recipe.temperature)

    def _target_action(self, name: str, o: Tensor, rng: np.random.Generator) -> Tensor:
        """mu'(o), smoothed."""
        y, smooth = self.mu_target[name](o), self.recipe.smoothing
        if name not in self.noise:
            drawn = y + self._gumbel(y, rng) if smooth else y
            return one_hot(drawn.argmax(-1), y.shape[-1]).to(y.dtype)
        if not smooth:
            return torch.tanh(y)
        noise = self.recipe.smoothing_noise * torch.from_numpy(rng.standard_normal(y.shape, np.float32)).to(y.device)
        return (torch.tanh(y) + noise.clamp(-self.recipe.smoothing_clip, self.recipe.smoothing_clip)).clamp(-1.0, 1.0)

    def _gumbel(self, y: Tensor, rng: np.random.Generator) -> Tensor:
        return torch.from_numpy(rng.gumbel(size=y.shape).astype(np.float32)).to(y.device)

    def _samples(self, batch: Transitions) -> Samples:
        o, a, r, o_next = (as_tensors(found, self.device) for found in (batch.s, batch.a, batch.r, batch.s_next))
        for name, group in self.groups.items():
            if group.actions.discrete:
                a[name] = one_hot(a[name].long(), group.actions.choices).to(torch.float32)
        if self.reads_state:
            x, x_next = (torch.from_numpy(state).to(self.device) for state in (batch.state, batch.state_next))
        else:
            x, x_next = together(o), together(o_next)
        discount = torch.from_numpy(batch.discount).to(self.device)[:, None]
        if self.recipe.potential:
            r = {name: shaped(r[name], discount, o[name], o_next[name], self.potential[name]) for name in r}
        return Samples(x, o, a, r, x_next, o_next, discount)

    def _descent(self, name: str) -> Descent:
        kind, _, group = name.partition(".")
        return (self.actor_adam if kind == "actor" else self.critic_adam)[group]

    def _descend(self, name: str) -> None:
        recipe = self.recipe
        first = recipe.learning_rate if name.startswith("actor.") else recipe.critic_learning_rate
        share = 1.0 + recipe.done(self.steps) * (recipe.learning_rate_last / recipe.learning_rate - 1.0)
        self._descent(name).step(first * share)

    def adopt(self) -> None:
        """The actors have new weights; their targets take them."""
        for follow in self.follow_mu.values():
            follow()

    def _modules(self) -> dict[str, nn.Module]:
        kinds = {"mu": self.mu, "mu_target": self.mu_target, "Q": self.Q, "Q_target": self.Q_target}
        return {f"{kind}.{name}": module for kind, found in kinds.items() for name, module in found.items()}

    def state_dict(self) -> dict[str, Tensor]:
        """Copies of networks, moments, noise and counts."""
        state = {"steps": torch.tensor(self.steps), "updates": torch.tensor(self.updates)}
        state["fresh"] = torch.from_numpy(self.fresh.copy())
        state |= {f"noise.{name}": torch.from_numpy(noise.copy()) for name, noise in self.noise.items()}
        for name, module in self._modules().items():
            state |= module_tensors(name, module)
        for name in self.groups:
            state |= self.actor_adam[name].tensors(f"actor_adam.{name}")
            state |= self.critic_adam[name].tensors(f"critic_adam.{name}")
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go back to such copies."""
        for name, module in self._modules().items():
            load_module(name, module, state)
        for name in self.groups:
            self.actor_adam[name].load(f"actor_adam.{name}", state)
            self.critic_adam[name].load(f"critic_adam.{name}", state)
        for name, noise in self.noise.items():
            noise[...] = wanted(state, f"noise.{name}", noise.shape).numpy()
        self.fresh[:] = wanted(state, "fresh", self.fresh.shape).numpy()
        self.steps, self.updates = int(state["steps"]), int(state["updates"])


def gumbel_softmax(y: Tensor, gumbel: Tensor, temperature: float) -> Tensor:
    """One-hot draws in proportion to exp(y), which gradients pass as if they were soft (straight-through)."""
    soft = torch.softmax((y + gumbel) / temperature, -1)
    hard = one_hot(soft.argmax(-1), soft.shape[-1]).to(soft.dtype)
    return hard + soft - soft.detach()


def actor(recipe: MADDPGRecipe, group: GroupSpec, number: int) -> SeatNetwork:
    """Mu of a group, with first weights that depend on the seed and the group's number.

    Raises
    ------
    TrainingError
        Where the group's reward is not one number.
    """
    if group.objectives:
        raise TrainingError(f"maddpg for group {group.name!r}", group.objectives, "one reward", "multi_objective")
    head = "values" if group.actions.discrete else "tanh"
    sizes = (group.fields, *recipe.hidden, group.actions.size)
    return seeded(recipe.seed + 1009 * number, SeatNetwork, sizes, len(group.seats), recipe.share, head)


def critic(recipe: MADDPGRecipe, groups: Mapping[str, GroupSpec], name: str, x_size: int, number: int) -> Critic:
    """Q of a group, with first weights that depend on the seed and the group's number."""
    seed = recipe.seed + 1009 * number + 500
    common = (groups, name, recipe.critic_hidden, 1 + recipe.twins, recipe.share)
    if recipe.attention:
        return seeded(seed, AttentionCritic, *common, recipe.embedding, recipe.heads)
    return seeded(seed, CentralCritic, *common, x_size)
