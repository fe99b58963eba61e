"""Deep Q-learning for seats that choose among prices (Mnih et al. 2015; double: van Hasselt et al. 2016).

Symbols are the papers': states s, actions a, rewards r, d for a real end, discount gamma, online network Q, target
network Q_target, targets y. Seats of a role share Q: each seat's transition is one sample.
"""

from __future__ import annotations

import math
from copy import deepcopy
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import huber_loss
from torch.nn.utils import clip_grad_norm_

from gridmarl.agents.networks import ValueNetwork
from gridmarl.errors import PolicyError
from gridmarl.learning.recipe import Recipe
from gridmarl.learning.replay import Transitions
from gridmarl.units import Float32, Int


class Samples(NamedTuple):
    """Transitions of single seats."""

    s: Tensor  # (sample, field)
    a: Tensor  # (sample,) whole numbers
    r: Tensor  # (sample,)
    s_next: Tensor  # (sample, field)
    d: Tensor  # (sample,)


def samples_of(batch: Transitions) -> Samples:
    """Take joint transitions apart: seats that share parameters are samples."""
    s, a, r, s_next, d = (torch.from_numpy(array) for array in batch)
    rows, seats = r.shape
    return Samples(
        s=s.reshape(rows * seats, -1),
        a=a.reshape(-1).long(),
        r=r.reshape(-1),
        s_next=s_next.reshape(rows * seats, -1),
        d=d[:, None].expand(rows, seats).reshape(-1),
    )


@torch.no_grad()
def td_target(Q: ValueNetwork, Q_target: ValueNetwork, batch: Samples, gamma: float, double: bool) -> Tensor:
    """Y = r + gamma (1 - d) Q_target(s', a*), (sample,).

    a* maximises Q(s', ·) if ``double``, else Q_target(s', ·). An episode that was cut off has d = 0 and its true last
    observation as s', so the value beyond the cut is bootstrapped (Pardo et al. 2018).
    """
    next_values: Tensor = Q_target(batch.s_next)
    judged_by: Tensor = Q(batch.s_next) if double else next_values
    best = judged_by.argmax(1, keepdim=True)
    return batch.r + gamma * (1.0 - batch.d) * next_values.gather(1, best).squeeze(1)


def td_loss(Q: ValueNetwork, Q_target: ValueNetwork, batch: Samples, recipe: Recipe) -> Tensor:
    """Mean Huber loss of Q(s, a) against its target; gradients reach Q alone."""
    y = td_target(Q, Q_target, batch, recipe.discount, recipe.double)
    chosen = Q(batch.s).gather(1, batch.a[:, None]).squeeze(1)
    return huber_loss(chosen, y, delta=recipe.huber)


class DQN:
    """Learns Q by stochastic gradient steps on replayed transitions.

    Parameters
    ----------
    recipe : Recipe
    fields, actions : int
        Sizes of the first and the last layer.
    """

    def __init__(self, recipe: Recipe, fields: int, actions: int) -> None:
        self.recipe = recipe
        self.actions = actions
        with torch.random.fork_rng(devices=[]):  # the first weights depend on the seed, and disturb nobody else's draws
            torch.manual_seed(recipe.seed)
            self.Q = ValueNetwork((fields, *recipe.hidden, actions))
        self.Q_target = deepcopy(self.Q).requires_grad_(False)
        self.optimiser = torch.optim.Adam(self.Q.parameters(), lr=recipe.learning_rate, fused=True)
        self.updates = 0

    def observe(self, s: Float32) -> None:
        """Show (env, seat, field) observations to the normaliser."""
        self.Q.normaliser.observe(torch.from_numpy(s.reshape(-1, s.shape[-1])))

    def act(self, s: Float32, rng: np.random.Generator, epsilon: float = 0.0) -> Int:
        """Epsilon-greedy actions, (env, seat), from (env, seat, field) observations."""
        with torch.inference_mode():
            greedy: Int = self.Q(torch.from_numpy(s)).argmax(-1).numpy()
        if epsilon <= 0.0:
            return greedy
        explore = rng.random(greedy.shape) < epsilon
        return np.where(explore, rng.integers(0, self.actions, greedy.shape), greedy)

    def learn(self, batch: Transitions, progress: float = 0.0) -> float:
        """One update; ``progress`` (0 to 1) is how far the training has come.

        Returns
        -------
        float
            The loss before the update.

        Raises
        ------
        PolicyError
            Where the loss or a gradient is not finite; the weights are those of the last update then.
        """
        if self.updates % self.recipe.target_every == 0:
            self.Q_target.load_state_dict(
                self.Q.state_dict()
            )  # the normaliser too: each network reads as it was fitted
        loss = td_loss(self.Q, self.Q_target, samples_of(batch), self.recipe)
        self.optimiser.zero_grad()
        loss.backward()
        norm = clip_grad_norm_(self.Q.parameters(), self.recipe.gradient_norm)
        value = float(loss.detach())
        if not (math.isfinite(value) and math.isfinite(float(norm))):
            raise PolicyError(
                f"loss of update {self.updates + 1}", value, "a finite number", "lower learning_rate; check the rewards"
            )
        for group in self.optimiser.param_groups:
            first, last = self.recipe.learning_rate, self.recipe.learning_rate_last
            group["lr"] = first + progress * (last - first)
        self.optimiser.step()
        self.updates += 1
        return value
