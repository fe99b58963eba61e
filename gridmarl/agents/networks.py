"""Networks that map observations to values: a normaliser followed by a plain multilayer perceptron."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn

LEAST_DEVIATION: Final = 1e-2
"""Fields that hardly vary in training are divided by this, so that they cannot explode elsewhere."""
HIGHEST_SCORE: Final = 5.0
"""Normalised observations are clipped at this many standard deviations."""


class Normaliser(nn.Module):
    """Subtracts the mean and divides by the standard deviation of all observations it was shown.

    It changes only in :meth:`observe`, which learners call and stored policies never do. Mean and deviation are stored
    with the weights; the count behind them is not, so a stored normaliser stays as it is.
    """

    mean: Tensor  # (field,)
    deviation: Tensor  # (field,)

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("deviation", torch.ones(size))
        self._count = 0
        self._mean = torch.zeros(size, dtype=torch.float64)
        self._squares = torch.zeros(size, dtype=torch.float64)

    def observe(self, x: Tensor) -> None:
        """Take observations, (sample, field), into the mean and the deviation.

        Notes
        -----
        The pairwise update of Chan, Golub and LeVeque (1983), in float64.
        """
        x = x.to(torch.float64)
        count, total = len(x), self._count + len(x)
        mean = x.mean(0)
        gap = mean - self._mean
        self._squares += ((x - mean) ** 2).sum(0) + gap**2 * (self._count * count / total)
        self._mean += gap * (count / total)
        self._count = total
        self.mean.copy_(self._mean)
        self.deviation.copy_((self._squares / total).sqrt().clamp(min=LEAST_DEVIATION))

    def forward(self, x: Tensor) -> Tensor:
        """Scores of the observations, clipped."""
        return ((x - self.mean) / self.deviation).clamp(-HIGHEST_SCORE, HIGHEST_SCORE)


class ValueNetwork(nn.Module):
    """Values of all actions from one observation, Q(s, ·).

    Parameters
    ----------
    sizes : sequence of int
        Observation fields, hidden layers, actions; (64, 128, 64, 32, 20) for a generator.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        self.sizes = tuple(sizes)
        self.normaliser = Normaliser(self.sizes[0])
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(self.sizes):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        """(..., field) observations to (..., action) values."""
        return self.layers(self.normaliser(x))
