"""Small services to algorithms: flat states of modules, and loud NaNs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from gridmarl.errors import TrainingError
from gridmarl.learning.memory.replay import Transitions

M = TypeVar("M", bound=nn.Module)

Tensors = list[Tensor] | tuple[Tensor, ...]
# many tensors in one call
copy_all: Callable[[Tensors, Tensors], None] = torch._foreach_copy_  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]


def seeded(seed: int, make: Callable[..., M], *arguments: object) -> M:
    """A module whose first weights depend on the seed and disturb nobody else's draws."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make(*arguments)


def module_tensors(name: str, module: nn.Module) -> dict[str, Tensor]:
    """Copies of a module's parameters and buffers, those of its normaliser's sums included."""
    found = chain(module.named_parameters(), module.named_buffers())
    return {f"{name}.{key}": tensor.detach().to("cpu", copy=True) for key, tensor in found}


@torch.no_grad()
def load_module(name: str, module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Take up what :func:`module_tensors` gave.

    Raises
    ------
    TrainingError
        Where a tensor is missing or of another shape.
    """
    for key, tensor in chain(module.named_parameters(), module.named_buffers()):
        tensor.copy_(wanted(state, f"{name}.{key}", tensor.shape))


def wanted(state: Mapping[str, Tensor], name: str, shape: tuple[int, ...]) -> Tensor:
    """A tensor of a state.

    Raises
    ------
    TrainingError
        Where it is missing or of another shape.
    """
    found = state.get(name)
    if found is None or found.shape != shape:
        value = "none" if found is None else tuple(found.shape)
        raise TrainingError(f"tensor {name!r}, shape", value, str(tuple(shape)), "resume with the recipe it came from")
    return found


def as_tensors(arrays: Mapping[str, np.ndarray], device: torch.device) -> dict[str, Tensor]:
    """Arrays by group as tensors; without a copy on the CPU."""
    return {name: torch.from_numpy(array).to(device) for name, array in arrays.items()}


def group_tensors(batch: Transitions, name: str, device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """A group's s, a, r and s_next of replayed transitions, and the discount (row,); without a copy on the CPU."""
    arrays = (batch.s[name], batch.a[name], batch.r[name], batch.s_next[name], batch.discount)
    s, a, r, s_next, discount = (torch.from_numpy(array).to(device) for array in arrays)
    return s, a, r, s_next, discount


def check_finite(name: str, update: int, numbers: Iterable[float]) -> None:
    """Stop before a step that would spoil the weights.

    Raises
    ------
    TrainingError
        Where a loss or a gradient's norm is NaN or infinite.
    """
    for value in numbers:
        if not math.isfinite(value):
            remedy = "lower learning_rate; check the rewards"
            raise TrainingError(f"{name} of update {update}", value, "a finite number", remedy)
