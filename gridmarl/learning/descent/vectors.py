"""The parameters of a network laid side by side, so that one operation serves them all.

Small networks spend more on calling an operation for each of their tensors than on the numbers themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import torch
from torch import Tensor, nn

ALIGNED: Final = 16
"""Every parameter begins at a multiple of so many numbers: a cache line of float32."""


def laid_together(parameters: Sequence[nn.Parameter]) -> Tensor:
    """One vector that holds their numbers, with zeros between them, and whose parts they become.

    They stay the same objects, so that networks and whoever else holds them notice nothing. Those that lie together
    already stay where they are.
    """
    first = parameters[0]
    vector = torch.zeros(sum(_room(p) for p in parameters), dtype=first.dtype, device=first.device)
    if first.untyped_storage().nbytes() == vector.nbytes:
        found = first.detach().as_strided(vector.shape, (1,), 0)
        if all(p.data_ptr() == part.data_ptr() for p, part in zip(parameters, parts(found, parameters), strict=True)):
            return found
    for p, part in zip(parameters, parts(vector, parameters), strict=True):
        part.copy_(p.data)
        p.data = part
    return vector


def parts(vector: Tensor, parameters: Sequence[nn.Parameter]) -> Iterator[Tensor]:
    """Views of such a vector in the parameters' shapes."""
    at = 0
    for p in parameters:
        yield vector[at : at + p.numel()].view(p.shape)
        at += _room(p)


def _room(p: nn.Parameter) -> int:
    return -(-p.numel() // ALIGNED) * ALIGNED
