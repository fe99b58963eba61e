"""Gradient descent by Adam (Kingma and Ba 2015) on all parameters of a network at once, as one vector.

Small networks spend more on calling an operation for each of their tensors than on the numbers themselves. So the
tensors are laid side by side in one: a norm, a clip and a step are then one operation each.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import torch
from torch import Tensor, nn

ALIGNED: Final = 16
"""Every parameter begins at a multiple of so many numbers: a cache line of float32."""


class Descent:
    """Adam for a set of parameters, which become views of one vector.

    They stay the same objects: networks and whoever else holds them notice nothing.

    Parameters
    ----------
    parameters : iterable of nn.Parameter
        On the device where they stay.
    learning_rate : float

    Attributes
    ----------
    parameters : list of nn.Parameter
    vector : nn.Parameter
        Their numbers, with zeros between them.
    adam : torch.optim.Optimizer
        Of the vector; it holds the moments.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], learning_rate: float) -> None:
        self.parameters = [*parameters]
        first = self.parameters[0]
        size = sum(_rounded_up(p.numel()) for p in self.parameters)
        self.vector = nn.Parameter(torch.zeros(size, dtype=first.dtype, device=first.device))
        for p, place in zip(self.parameters, self._parts(self.vector.data), strict=True):
            place.copy_(p.data)
            p.data = place
        self._gradients: list[Tensor] = []  # views of the vector's, from the first one on
        self.adam = torch.optim.Adam([self.vector], lr=learning_rate, fused=True)

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
        gradients, whole = torch.autograd.grad(loss, self.parameters), self.vector.grad
        if whole is None:
            whole = self.vector.grad = torch.zeros_like(self.vector)
            self._gradients = self._parts(whole)
            for p, place in zip(self.parameters, self._gradients, strict=True):
                p.grad = place
        torch._foreach_copy_(self._gradients, gradients)
        norm = float(torch.linalg.vector_norm(whole))
        if norm > limit:
            whole.mul_(limit / norm)
        return norm

    def step(self, learning_rate: float) -> None:
        """Move along the gradient that was kept."""
        self.adam.param_groups[0]["lr"] = learning_rate
        self.adam.step()


def _rounded_up(count: int) -> int:
    return -(-count // ALIGNED) * ALIGNED
