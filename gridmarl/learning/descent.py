"""Gradient descent by Adam (Kingma and Ba 2015) on all parameters of a network at once, as one vector.

Small networks spend more on calling an operation for each of their tensors than on the numbers themselves, and on an
optimiser's bookkeeping. So the tensors are laid side by side in one: a norm, a clip and a step are an operation each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import torch
from torch import Tensor, nn

from gridmarl.learning.tensors import copy_all, wanted

fused_adam: Final[Any] = torch._fused_adam_  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]
"""What torch.optim.Adam calls when it is fused."""
ALIGNED: Final = 16
"""Every parameter begins at a multiple of so many numbers: a cache line of float32."""


class Descent:
    """Adam for a set of parameters, which become views of one vector.

    They stay the same objects, so that networks and whoever else holds them notice nothing.

    Parameters
    ----------
    parameters : iterable of nn.Parameter
        On the device where they stay.

    Attributes
    ----------
    parameters : list of nn.Parameter
    vector, gradient : Tensor
        Their numbers and those of the latest gradient, with zeros between the parameters.
    moments : dict
        ``step``, ``exp_avg`` and ``exp_avg_sq``, as torch.optim.Adam calls them.
    """

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        self.parameters = [*parameters]
        first = self.parameters[0]
        size = sum(_rounded_up(p.numel()) for p in self.parameters)
        self.vector = torch.zeros(size, dtype=first.dtype, device=first.device)
        self.gradient = torch.zeros_like(self.vector)
        self._gradients = self._parts(self.gradient)
        for p, place in zip(self.parameters, self._parts(self.vector), strict=True):
            place.copy_(p.data)
            p.data = place
        step = torch.zeros((), device=first.device)
        self.moments = {"step": step, "exp_avg": self.gradient.clone(), "exp_avg_sq": self.gradient.clone()}

    def _parts(self, vector: Tensor) -> list[Tensor]:
        """Views of a vector in the parameters' shapes."""
        found: list[Tensor] = []
        at = 0
        for p in self.parameters:
            found.append(vector[at : at + p.numel()].view(p.shape))
            at += _rounded_up(p.numel())
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


def _rounded_up(count: int) -> int:
    return -(-count // ALIGNED) * ALIGNED
