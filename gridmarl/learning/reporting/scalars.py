"""Curves for TensorBoard and Weights & Biases, whichever is installed; otherwise nothing happens.

Nothing leaves the machine by itself: Weights & Biases writes beside the policy; ``wandb sync`` or ``WANDB_MODE=online``
send it where you want it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

Write = Callable[[int, Mapping[str, float]], None]
"""Called with a step and named numbers."""


@contextmanager
def scalar_writer(folder: Path, first_step: int) -> Generator[Write]:
    """Write curves into a folder; what a run that was killed wrote after ``first_step`` is hidden from TensorBoard."""
    with ExitStack() as stack:
        writers = [stack.enter_context(kind(folder, first_step)) for name, kind in KINDS.items() if find_spec(name)]

        def write(step: int, numbers: Mapping[str, float]) -> None:
            for each in writers:
                each(step, numbers)

        yield write


@contextmanager
def tensorboard_writer(folder: Path, first_step: int) -> Generator[Write]:
    """Event files."""
    from torch.utils.tensorboard import SummaryWriter  # pyright: ignore[reportPrivateImportUsage]  # its documented home

    with SummaryWriter(str(folder), purge_step=first_step) as writer:

        def write(step: int, numbers: Mapping[str, float]) -> None:
            for name, value in numbers.items():
                writer.add_scalar(name, value, step)

        yield write


@contextmanager
def wandb_writer(folder: Path, first_step: int) -> Generator[Write]:
    """A run of Weights & Biases; a training that is resumed is a run of its own, from its first step on."""
    wandb: Any = import_module("wandb")
    folder.mkdir(parents=True, exist_ok=True)
    mode = os.environ.get("WANDB_MODE", "offline")
    run = wandb.init(project="gridmarl", name=folder.name, dir=str(folder), mode=mode)
    try:
        yield lambda step, numbers: run.log(dict(numbers), step=step)
    finally:
        run.finish()


KINDS: dict[str, Callable[[Path, int], Any]] = {"tensorboard": tensorboard_writer, "wandb": wandb_writer}
"""Library -> its writer."""
