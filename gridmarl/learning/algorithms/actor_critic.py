"""Actor-critic for seats whose actions are numbers: TD3 (Fujimoto et al. 2018) and SAC (Haarnoja et al. 2018).

One file for two settings, because they share almost all: twin critics, the smaller of which makes the target; an actor
that climbs its critic; target networks that follow slowly (polyak). TD3's actor names an action, its target smooths the
next one with clipped noise, and it moves every ``actor_every`` updates. SAC's actor is a Gaussian squashed by tanh,
whose entropy is rewarded at a temperature that holds it at a wanted level.

Symbols are the papers': states s, actions a within -1 .. 1, rewards r, actor pi, critics Q_1 and Q_2, temperature
alpha, targets y. Rewards may be returns over n steps; SAC counts the entropy of the state they end in alone. Each group
of seats has an actor and critics; seats that share them are samples of one batch and read who they are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import deepcopy
from typing import Final, Literal, NamedTuple

import numpy as np
import torch
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.nn.functional import mse_loss, softplus

from gridmarl.agents.cards import outputs
from gridmarl.agents.networks import Perceptron, SeatNetwork
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
from gridmarl.learning.interface import ByGroup, GroupSpec, Metrics
from gridmarl.learning.memory.replay import Transitions
from gridmarl.learning.recipe import Recipe
from gridmarl.learning.worlds.shaping import potential_weights, shaped
from gridmarl.units import Bool, Float32, Int

LOG_DEVIATION: Final = (-10.0, 2.0)
"""Bounds of the log standard deviation of SAC's Gaussian before the tanh."""
SEED_OF_CRITICS: Final = 500_009


class ActorCriticRecipe(Recipe):
    """Settings of a training by TD3 or SAC."""

    algorithm: Literal["actor_critic"] = "actor_critic"  # pyright: ignore[reportIncompatibleVariableOverride]  # frozen
    kind: Literal["td3", "sac"] = "td3"
    hidden: tuple[PositiveInt, ...] = Field((64, 32), description="hidden layers of actors and critics")
    tau: float = Field(0.005, gt=0, le=1, description="how far targets move towards the online networks in an update")
    random_steps: NonNegativeInt = Field(4_000, description="steps of uniformly random actions at the beginning")
    noise: NonNegativeFloat = Field(0.1, description="td3: standard deviation of the noise of exploring")
    correlation: float = Field(0.0, ge=0, lt=1, description="of the noise of exploring between steps of an episode")
    target_noise: NonNegativeFloat = Field(0.2, description="td3: standard deviation of the noise that smooths targets")
    target_clip: NonNegativeFloat = Field(0.5, description="td3: largest such noise")
    actor_every: PositiveInt = Field(2, description="td3: updates of the critics between those of the actor")
    temperature: PositiveFloat = Field(1.0, description="sac: alpha at the beginning")
    automatic: bool = Field(True, description="sac: alpha holds the entropy at entropy_each per component")
    entropy_each: float = Field(-1.0, description="sac: wanted entropy of a component of an action, nats")
    potential: Mapping[str, float] = Field(
        {}, description="field of a market's seat -> what a unit of it is thought to be worth, in scaled rewards"
    )

    def rate(self, step: int) -> float:
        """Learning rate at a step of the environments."""
        return linear(self.learning_rate, self.learning_rate_last, step, self.steps)

    def build(self, groups: Mapping[str, GroupSpec], state_size: int, device: torch.device) -> ActorCritic:
        """The learner."""
        return ActorCritic(self, groups, device)


class ActorCritic:
    """TD3 or SAC on replayed transitions, for all groups at once.

    Parameters
    ----------
    recipe : ActorCriticRecipe
    groups : mapping
        Who learns.
    device : torch.device

    Raises
    ------
    TrainingError
        Where a group's actions are a choice, or its reward is not one number.
    """

    def __init__(self, recipe: ActorCriticRecipe, groups: Mapping[str, GroupSpec], device: torch.device) -> None:
        self.recipe, self.groups, self.device = recipe, groups, device
        self.learners = {
            name: GroupLearner(recipe, group, number, device) for number, (name, group) in enumerate(groups.items())
        }
        self.policies: Mapping[str, SeatNetwork] = {name: learner.pi for name, learner in self.learners.items()}
        self.steps = 0  # acted in all environments together
        self.updates = 0

    def act(self, observations: ByGroup, rng: np.random.Generator, explore: bool) -> dict[str, Float32 | Int]:
        """Greedy, or exploring actions, (env, seat, component) within -1 .. 1."""
        seen, chosen = as_tensors(observations, self.device), dict[str, Float32 | Int]()
        for name, s in seen.items():
            chosen[name] = self.learners[name].explore(s, rng, self.steps) if explore else self.learners[name].greedy(s)
        if explore:
            self.steps += len(next(iter(seen.values())))
        return chosen

    def begin(self, rows: Bool, rng: np.random.Generator) -> None:
        """Episodes begin in these environments: noise that lasts is drawn anew there."""
        for learner in self.learners.values():
            learner.fresh |= rows

    def learn(self, batch: Transitions, rng: np.random.Generator) -> Metrics:
        """One update: all gradients are taken at the weights before it, so one that fails leaves them."""
        moves_actor = self.recipe.kind == "sac" or (self.updates + 1) % self.recipe.actor_every == 0
        found: Metrics = {}
        for name, learner in self.learners.items():
            found |= {f"{key}.{name}": v for key, v in learner.gradients(batch, name, rng, moves_actor).items()}
        check_finite("loss", self.updates + 1, found.values())
        for learner in self.learners.values():
            learner.step(self.recipe.rate(self.steps), moves_actor)
        self.updates += 1
        return found

    def adopt(self) -> None:
        """The actors have new weights; their targets take them."""
        for learner in self.learners.values():
            learner.follow["pi"]()

    def state_dict(self) -> dict[str, Tensor]:
        """Copies of networks, targets, moments, temperatures, noise and counts."""
        state = {"steps": torch.tensor(self.steps), "updates": torch.tensor(self.updates)}
        for name, learner in self.learners.items():
            state |= learner.state_dict(name)
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go back to such copies."""
        for name, learner in self.learners.items():
            learner.load_state_dict(name, state)
        self.steps, self.updates = int(state["steps"]), int(state["updates"])


class Batch(NamedTuple):
    """A group's part of replayed transitions."""

    x: Tensor  # (row, seat, field) states as the actor's normaliser scores them
    a: Tensor  # (row, seat, component)
    r: Tensor  # (row, seat)
    s_next: Tensor  # (row, seat, field) next states as they were: TD3's target actor scores them itself
    x_next: Tensor  # (row, seat, field)
    discount: Tensor  # (row, 1)


class GroupLearner:
    """Actor, twin critics, their targets and the temperature of one group."""

    def __init__(self, recipe: ActorCriticRecipe, group: GroupSpec, number: int, device: torch.device) -> None:
        self.recipe, self.group, self.device = recipe, group, device
        pi, Q = networks(recipe, group, number)
        self.pi, self.Q = pi.to(device), Q.to(device)
        self.pi_target, self.Q_target = deepcopy(pi).requires_grad_(False), deepcopy(Q).requires_grad_(False)
        self.follow = {"pi": Following(self.pi_target, self.pi), "Q": Following(self.Q_target, self.Q)}
        seats = len(group.seats)
        start = torch.full((1 if recipe.share else seats,), math.log(recipe.temperature), device=device)
        self.log_alpha = nn.Parameter(start)  # of those who share a policy together
        self.entropy = recipe.entropy_each * group.actions.size
        self.potential = potential_weights(recipe.potential, group).to(device)  # (field,)
        moved = {"pi": self.pi.parameters(), "Q": self.Q.parameters(), "alpha": [self.log_alpha]}
        self.descent = {name: Descent(parameters) for name, parameters in moved.items()}
        self.epsilon = np.zeros((recipe.num_envs, seats, group.actions.size), np.float32)  # noise of the latest step
        self.fresh = np.ones(recipe.num_envs, np.bool_)  # environments whose noise is drawn anew

    def greedy(self, s: Tensor) -> Float32:
        """The actor's best actions."""
        with torch.inference_mode():
            return self.pi.greedy(s).cpu().numpy()

    def explore(self, s: Tensor, rng: np.random.Generator, step: int) -> Float32:
        """The actor's actions with noise; at the beginning, uniformly random ones."""
        self.pi.normaliser.observe(s.reshape(-1, s.shape[-1]))
        epsilon = torch.from_numpy(self._next_noise(rng)).to(self.device)
        if step < self.recipe.random_steps:
            return (2.0 * torch.special.ndtr(epsilon) - 1.0).cpu().numpy()  # uniform, and as lasting as the noise
        with torch.inference_mode():
            if self.recipe.kind == "sac":
                return torch.tanh(drawn(*mean_and_log_deviation(self.pi(s)), epsilon)).cpu().numpy()
            return (self.pi.greedy(s) + self.recipe.noise * epsilon).clamp(-1.0, 1.0).cpu().numpy()

    def _next_noise(self, rng: np.random.Generator) -> Float32:
        """Standard normal in every step, correlated between the steps of an episode, independent between episodes."""
        new, rho = rng.standard_normal(self.epsilon.shape, np.float32), np.float32(self.recipe.correlation)
        if rho:
            lasting = rho * self.epsilon + np.sqrt(1 - rho**2) * new
            new = np.where(self.fresh[:, None, None], new, lasting)
        self.epsilon = new
        self.fresh[:] = False
        return self.epsilon

    def gradients(self, batch: Transitions, name: str, rng: np.random.Generator, moves_actor: bool) -> Metrics:
        """Write the clipped gradients of all losses to the parameters; the losses, and the norms before the clip."""
        b = self._samples(batch, name)
        found = self._descend("Q", self.critic_loss(b, rng))
        if moves_actor:
            loss, log_density = self.actor_loss(b.x, rng)
            found |= self._descend("pi", loss)
            if self.recipe.kind == "sac" and self.recipe.automatic:
                self._descend("alpha", self.temperature_loss(log_density))
                found |= {"alpha": float(self.log_alpha.detach().exp().mean()), "entropy": -float(log_density.mean())}
        return found

    def _samples(self, batch: Transitions, name: str) -> Batch:
        s, a, r, s_next, gamma = group_tensors(batch, name, self.device)
        discount = gamma[:, None]
        if self.recipe.potential:
            r = shaped(r, discount, s, s_next, self.potential)
        return Batch(self.pi.normaliser(s), a, r, s_next, self.pi.normaliser(s_next), discount)

    def _descend(self, name: str, loss: Tensor) -> Metrics:
        """The loss's gradient for the parameters of one optimiser, and of no other, clipped at the recipe's norm."""
        norm = self.descent[name].take_gradient(loss, self.recipe.gradient_norm)
        return {f"loss_{name}": float(loss.detach()), f"norm_{name}": norm}

    def critic_loss(self, b: Batch, rng: np.random.Generator) -> Tensor:
        """Mean squared error of both critics against one target; gradients reach the critics alone."""
        y = self.target(b, rng)
        values = self.Q(b.x, b.a)
        return 2.0 * mse_loss(values, y.expand_as(values))  # the sum over the two critics

    @torch.no_grad()
    def target(self, b: Batch, rng: np.random.Generator) -> Tensor:
        """Y = r + discount (min_i Q_target_i(s', a') - alpha log pi(a'|s')), (row, seat).

        TD3: a' is the target actor's action with clipped noise, and there is no entropy. SAC: a' is drawn from the
        actor. An episode that was cut off has a discount above 0 and its true last observation as s', so the value
        beyond the cut is bootstrapped (Pardo et al. 2018).
        """
        epsilon = self._normal(b.a.shape, rng)
        if self.recipe.kind == "td3":
            clip = self.recipe.target_clip
            smooth = (self.recipe.target_noise * epsilon).clamp(-clip, clip)
            a_next, surprise = (self.pi_target.greedy(b.s_next) + smooth).clamp(-1.0, 1.0), 0.0
        else:
            a_next, log_density = sample(self.pi.of_scores(b.x_next), epsilon)
            surprise = self.log_alpha.exp() * log_density
        value = self.Q_target(b.x_next, a_next).amin(0)
        return b.r + b.discount * (value - surprise)

    def actor_loss(self, x: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """TD3: -Q_1(s, pi(s)); SAC: alpha log pi(a|s) - min_i Q_i(s, a). Also log pi(a|s), without a gradient."""
        y = self.pi.of_scores(x)
        if self.recipe.kind == "td3":
            return -self.Q(x, torch.tanh(y), twins=1).mean(), torch.zeros(())
        a, log_density = sample(y, self._normal((*y.shape[:-1], y.shape[-1] // 2), rng))
        loss = self.log_alpha.detach().exp() * log_density - self.Q(x, a).amin(0)
        return loss.mean(), log_density.detach()

    def temperature_loss(self, log_density: Tensor) -> Tensor:
        """Raises alpha where the entropy, -log pi, is below what is wanted; the log keeps alpha positive."""
        return -(self.log_alpha * (log_density + self.entropy)).mean()

    def _normal(self, shape: tuple[int, ...], rng: np.random.Generator) -> Tensor:
        return torch.from_numpy(rng.standard_normal(shape, np.float32)).to(self.device)

    def step(self, rate: float, moves_actor: bool) -> None:
        """Descend the gradients, then let the targets follow."""
        tuned = self.recipe.kind == "sac" and self.recipe.automatic
        for name in ("Q", *(("pi",) if moves_actor else ()), *(("alpha",) if moves_actor and tuned else ())):
            self.descent[name].step(rate)
        if moves_actor:  # TD3 delays the targets with the actor
            for follow in self.follow.values():
                follow(self.recipe.tau)

    def _modules(self, name: str) -> dict[str, nn.Module]:
        found = {"pi": self.pi, "pi_target": self.pi_target, "Q": self.Q, "Q_target": self.Q_target}
        return {f"{key}.{name}": module for key, module in found.items()}

    def state_dict(self, name: str) -> dict[str, Tensor]:
        """Copies of all that changes."""
        state = {f"log_alpha.{name}": self.log_alpha.detach().to("cpu", copy=True)}
        state |= {f"noise.{name}": torch.from_numpy(self.epsilon.copy())}
        state |= {f"fresh.{name}": torch.from_numpy(self.fresh.copy())}
        for key, module in self._modules(name).items():
            state |= module_tensors(key, module)
        for key, descent in self.descent.items():
            state |= descent.tensors(f"adam_{key}.{name}")
        return state

    def load_state_dict(self, name: str, state: Mapping[str, Tensor]) -> None:
        """Go back to such copies."""
        for key, module in self._modules(name).items():
            load_module(key, module, state)
        for key, descent in self.descent.items():
            descent.load(f"adam_{key}.{name}", state)
        with torch.no_grad():
            self.log_alpha.copy_(wanted(state, f"log_alpha.{name}", self.log_alpha.shape))
        self.epsilon = wanted(state, f"noise.{name}", torch.Size(self.epsilon.shape)).numpy().copy()
        self.fresh = wanted(state, f"fresh.{name}", torch.Size(self.fresh.shape)).numpy().copy()


class TwinCritics(nn.Module):
    """Q_1(s, a) and Q_2(s, a): two perceptrons side by side, or two for each seat.

    Parameters
    ----------
    sizes : sequence of int
        Observation fields and action components together, hidden layers, 1.
    seats : int
    shared : bool
        The seats share both, which then also read who the seat is; see :class:`gridmarl.agents.networks.SeatNetwork`.
    """

    def __init__(self, sizes: tuple[int, ...], seats: int, shared: bool) -> None:
        super().__init__()
        self.shared = shared
        self.layers = Perceptron(sizes, 2 if shared else 2 * seats)
        self.identity = nn.Parameter(torch.zeros(2, seats, sizes[1])) if shared and seats > 1 else None

    def forward(self, s: Tensor, a: Tensor, twins: int = 2) -> Tensor:
        """Values (critic, row, seat) of normalised observations and actions, (row, seat, number) each; 1: of Q_1."""
        x = torch.cat([s, a], -1)
        rows, seats, size = x.shape
        if not self.shared:
            chosen = slice(twins * seats)
            y = self.layers(x.transpose(0, 1).repeat(twins, 1, 1), chosen=chosen)
            return y.view(twins, seats, rows).transpose(1, 2)
        shift = None if self.identity is None else self.identity[:twins].repeat(1, rows, 1)
        x = x.reshape(1, rows * seats, size).expand(twins, -1, -1)
        return self.layers(x, shift, None if twins == 2 else slice(twins)).view(twins, rows, seats)


def sample(y: Tensor, epsilon: Tensor) -> tuple[Tensor, Tensor]:
    """Action a = tanh(mu + sigma epsilon) and its log density, summed over components.

    Parameters
    ----------
    y : Tensor
        (..., 2 component) mu and log sigma.
    epsilon : Tensor
        (..., component) standard normal.

    Notes
    -----
    The density of a is that of u = mu + sigma epsilon over da/du = 1 - tanh(u)² (Haarnoja et al. 2018, appendix C),
    whose logarithm 2 (log 2 - u - softplus(-2u)) stays finite where tanh has become 1.
    """
    mu, log_sigma = mean_and_log_deviation(y)
    u = drawn(mu, log_sigma, epsilon)
    half_log_slope = math.log(2.0) - (u + softplus(-2.0 * u))
    log_normal = -0.5 * (epsilon.square() + math.log(2.0 * math.pi)) - log_sigma
    return torch.tanh(u), torch.sub(log_normal, half_log_slope, alpha=2.0).sum(-1)


def mean_and_log_deviation(y: Tensor) -> tuple[Tensor, Tensor]:
    """Mu and log sigma, (..., component) each, of outputs (..., 2 component)."""
    mu, log_sigma = y.chunk(2, -1)
    return mu, log_sigma.clamp(*LOG_DEVIATION)


def drawn(mu: Tensor, log_sigma: Tensor, epsilon: Tensor) -> Tensor:
    """U = mu + sigma epsilon."""
    return torch.addcmul(mu, log_sigma.exp(), epsilon)


def networks(recipe: ActorCriticRecipe, group: GroupSpec, number: int) -> tuple[SeatNetwork, TwinCritics]:
    """Actor and critics of a group, with first weights that depend on the seed and the group's number.

    Raises
    ------
    TrainingError
        Where the group's actions are a choice, or its reward is not one number.
    """
    if group.actions.discrete:
        raise TrainingError(f"actor_critic for group {group.name!r}", group.actions, "actions that are numbers", "dqn")
    if group.objectives:
        thing = f"actor_critic for group {group.name!r}"
        raise TrainingError(thing, group.objectives, "one reward", "multi_objective")
    head = "tanh" if recipe.kind == "td3" else "gaussian"
    seats, components, seed = len(group.seats), group.actions.size, recipe.seed + 1009 * number
    sizes = (group.fields, *recipe.hidden, outputs(head, components))
    pi = seeded(seed, SeatNetwork, sizes, seats, recipe.share, head)
    sizes = (group.fields + components, *recipe.hidden, 1)
    return pi, seeded(seed + SEED_OF_CRITICS, TwinCritics, sizes, seats, recipe.share)
