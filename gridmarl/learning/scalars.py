"""Curves for TensorBoard, where it is installed (the extra ``tensorboard``); otherwise nothing happens."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

Write = Callable[[int, Mapping[str, float]], None]
"""Called with a step and named numbers."""


@contextmanager
def scalar_writer(folder: Path, first_step: int) -> Generator[Write]:
    """Write event files into a folder; what a run that was killed wrote after ``first_step`` is hidden."""
    if find_spec("tensorboard") is None:
        yield lambda step, numbers: None
        return
    from torch.utils.tensorboard import SummaryWriter  # pyright: ignore[reportPrivateImportUsage]  # its documented home

    with SummaryWriter(str(folder), purge_step=first_step) as writer:

        def write(step: int, numbers: Mapping[str, float]) -> None:
            for name, value in numbers.items():
                writer.add_scalar(name, value, step)

        yield write
