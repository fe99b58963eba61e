"""Behaviour cloning: a policy learns to do what a team did before it learns what pays (Pomerleau 1991).

Numbers are imitated by least squares; choices whose outputs are logits by cross-entropy; choices whose outputs are
values by a large margin (Hester et al. 2018, "Deep Q-learning from demonstrations", eq. 3), which asks only that the
imitated action leads, and so leaves values at the size of rewards.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, mse_loss, one_hot
from torch.nn.utils import clip_grad_norm_

from gridmarl.agents.networks import SeatNetwork
from gridmarl.errors import TrainingError
from gridmarl.learning.descent.tensors import check_finite
from gridmarl.learning.interface import AdoptsPolicies, Algorithm, Metrics
from gridmarl.learning.recipe import Clone, Recipe
from gridmarl.learning.tasks import MarketTask
from gridmarl.learning.warm_start.demonstrations import Demonstrations, demonstrate

STREAM = 0xC1
"""Of the draws of batches; a training's own streams are as without a warm start."""


def imitate(algorithm: Algorithm, task: MarketTask, recipe: Recipe) -> Metrics:
    """Make every policy of an algorithm do what the team of the recipe's ``clone`` does.

    Parameters
    ----------
    algorithm : Algorithm
        Before its first step.
    task : MarketTask
    recipe : Recipe
        With a ``clone``.

    Returns
    -------
    dict
        ``demonstrated``, what the imitated actions earned (scaled, a seat and episode), and ``loss_clone.GROUP``, the
        mean of the last tenth of the steps.

    Raises
    ------
    TrainingError
        Where the algorithm cannot begin with given policies, a codec cannot say what the team does, or a loss is not
        finite.
    """
    assert recipe.clone is not None
    if not isinstance(algorithm, AdoptsPolicies):
        thing, allowed = "clone for the algorithm", "dqn, actor_critic, maddpg"
        raise TrainingError(thing, recipe.algorithm, allowed, "leave clone: out")
    shown = demonstrate(task, recipe.clone, task.first_seed("train", recipe.seed))
    rng = np.random.default_rng([recipe.seed, STREAM])
    margin = recipe.clone.margin if recipe.algorithm == "dqn" else None
    found = {"demonstrated": shown.scaled}
    for name, policy in algorithm.policies.items():
        found[f"loss_clone.{name}"] = fit(policy, name, shown, recipe.clone, margin, rng)
    algorithm.adopt()
    return found


def fit(
    policy: SeatNetwork, name: str, shown: Demonstrations, clone: Clone, margin: float | None, rng: np.random.Generator
) -> float:
    """Gradient steps of imitation on one group's policy, whose normaliser sees the demonstrations first."""
    device = policy.normaliser.mean.device
    s, a = (torch.from_numpy(array[name]).to(device) for array in (shown.s, shown.a))
    policy.normaliser.observe(s.reshape(-1, s.shape[-1]))
    adam = torch.optim.Adam(policy.parameters(), lr=clone.learning_rate, fused=True)
    last: list[float] = []
    for step in range(clone.steps):
        rows = torch.from_numpy(rng.integers(0, len(s), clone.batch_size)).to(device)
        loss = imitation_loss(policy, s[rows], a[rows], margin)
        adam.zero_grad()
        loss.backward()
        norm = clip_grad_norm_(policy.parameters(), 10.0)
        check_finite(f"loss of imitating in group {name!r}", step + 1, (float(loss.detach()), float(norm)))
        adam.param_groups[0]["lr"] = clone.learning_rate * (1.0 - step / clone.steps)
        adam.step()
        last.append(float(loss.detach()))
    return float(np.mean(last[-max(1, clone.steps // 10) :]))


def imitation_loss(policy: SeatNetwork, s: Tensor, a: Tensor, margin: float | None = None) -> Tensor:
    """How far the policy is from doing a in s, (row, seat, ...); ``margin`` where outputs are values, not logits.

    The margin loss is the mean of max_b [Q(s, b) + margin 1(b != a)] - Q(s, a).
    """
    y = policy(s)
    if policy.head not in ("values", "dueling"):
        return mse_loss(torch.tanh(y if policy.head == "tanh" else y[..., : y.shape[-1] // 2]), a)
    wanted = a.long()
    if margin is None:
        return cross_entropy(y.flatten(0, 1), wanted.flatten())
    lead = margin * (1.0 - one_hot(wanted, y.shape[-1]).to(y.dtype))
    return ((y + lead).amax(-1) - y.gather(-1, wanted[..., None]).squeeze(-1)).mean()
