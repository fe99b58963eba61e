"""Where torch computes, and how it comes to the same tensors every time."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch

from gridmarl.errors import TrainingError
from gridmarl.learning.recipe import Recipe


def device_of(recipe: Recipe) -> torch.device:
    """The CPU, or the GPU that was asked for.

    Raises
    ------
    TrainingError
        Where there is none.
    """
    if recipe.device == "cuda" and not torch.cuda.is_available():
        raise TrainingError("device", "cuda", "cpu, or auto", "torch sees no GPU here")
    return torch.device("cpu" if recipe.device == "cpu" or not torch.cuda.is_available() else "cuda")


@contextmanager
def repeatable(recipe: Recipe) -> Generator[None]:
    """The recipe's number of threads, deterministic algorithms only, and torch's own stream from the recipe's seed."""
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    memory: Any = torch.utils.deterministic
    filled = memory.fill_uninitialized_memory
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS needs for it
    torch.set_num_threads(recipe.threads)
    torch.use_deterministic_algorithms(True)
    memory.fill_uninitialized_memory = False  # every array is written before it is read
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(strict)
        memory.fill_uninitialized_memory = filled
