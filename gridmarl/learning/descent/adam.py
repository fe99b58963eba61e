"""Gradient descent by Adam (Kingma and Ba 2015) on all parameters of a network at once, as one vector.

A norm, a clip and a step are then an operation each, and nothing is spent on an optimiser's bookkeeping.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import torch
from torch import Tensor, nn

from gridmarl.learning.descent.tensors import copy_all, wanted
from gridmarl.learning.descent.vectors import laid_together, parts

fused_adam: Final[Any] = torch._fused_adam_  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]
"""What torch.optim.Adam calls when it is fused."""


class Descent:
    """Adam for a set of parameters, which become parts of one vector.

    Parameters
    ----------
    parameters : iterable of nn.Parameter
        On the device where they stay.
    pace : mapping, optional
        Parameter -> share of a step that it takes, of a shape that spreads to the parameter's; 1 for all others.

    Attributes
    ----------
    parameters : list of nn.Parameter
    vector, gradient : Tensor
        Their numbers and those of the latest gradient, with zeros between the parameters.
    moments : dict
        ``step``, ``exp_avg`` and ``exp_avg_sq``, as torch.optim.Adam calls them.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], pace: Mapping[nn.Parameter, Tensor] | None = None) -> None:
        self.parameters = [*parameters]
        self.vector = laid_together(self.parameters)
        self.gradient = torch.zeros_like(self.vector)
        self._gradients = [*parts(self.gradient, self.parameters)]
        self._pace = self._lengths(pace) if pace else None
        step = torch.zeros((), device=self.vector.device)
        self.moments = {"step": step, "exp_avg": self.gradient.clone(), "exp_avg_sq": self.gradient.clone()}

    def _lengths(self, pace: Mapping[nn.Parameter, Tensor]) -> Tensor:
        """The share of a step that each number of the vector takes."""
        found = torch.ones_like(self.vector)
        for p, part in zip(self.parameters, parts(found, self.parameters), strict=True):
            if p in pace:
                part.copy_(pace[p])
        return found

    def take_gradient(self, loss: Tensor, limit: float) -> float:
        """Keep the loss's gradient for these parameters and no others, clipped at a norm; its norm before that."""
        copy_all(self._gradients, torch.autograd.grad(loss, self.parameters))
        for p, gradient in zip(self.parameters, self._gradients, strict=True):
            p.grad = gradient
        norm = float(torch.linalg.vector_norm(self.gradient))
        if norm > limit:
            self.gradient.mul_(limit / norm)
        return norm

    def step(self, learning_rate: float) -> None:
        """Move along the gradient that was kept."""
        if self._pace is None:
            self._adam(learning_rate)
            return
        before = self.vector.clone()
        self._adam(learning_rate)
        torch.lerp(before, self.vector, self._pace, out=self.vector)

    def _adam(self, learning_rate: float) -> None:
        step, average, squares = self.moments.values()
        step.add_(1.0)
        fused_adam(
            [self.vector],
            [self.gradient],
            [average],
            [squares],
            [],
            [step],
            lr=learning_rate,
            beta1=0.9,
            beta2=0.999,
            weight_decay=0.0,
            eps=1e-8,
            amsgrad=False,
            maximize=False,
        )

    def tensors(self, name: str) -> dict[str, Tensor]:
        """Copies of the moments; none before the first step."""
        kept = self.moments if self.moments["step"] > 0 else {}
        return {f"{name}.{key}": tensor.to("cpu", copy=True) for key, tensor in kept.items()}

    def load(self, name: str, state: Mapping[str, Tensor]) -> None:
        """Take up what :meth:`tensors` gave.

        Raises
        ------
        TrainingError
            Where a tensor is missing or of another shape.
        """
        for key, tensor in self.moments.items():
            if f"{name}.step" in state:
                tensor.copy_(wanted(state, f"{name}.{key}", tensor.shape))
            else:
                tensor.zero_()
