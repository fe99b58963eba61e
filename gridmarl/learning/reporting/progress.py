"""The bar that shows how far a training has come, on standard error and only where somebody can see it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from gridmarl.learning.recipe import Recipe

DRAW_EVERY: Final = 50
"""Rounds of steps between two looks at the bar; looking costs as much as a step."""

Advance = Callable[[int, float | None], None]
"""Called with the steps done in all, and the latest return on the select split."""


@contextmanager
def progress_bar(wanted: bool, recipe: Recipe, done: int) -> Generator[Advance]:
    """Draw the share of the steps that is done, steps a second, the return on the select split and the time left.

    Parameters
    ----------
    wanted : bool
        Nothing is drawn where this is False or standard error is no terminal.
    recipe : Recipe
    done : int
        Steps that an earlier run has done.
    """
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f} steps"),
        TextColumn("{task.fields[speed]:,.0f} steps/s"),
        TextColumn("return {task.fields[earned]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not (wanted and console.is_terminal)) as bar:
        task = bar.add_task(recipe.algorithm, total=recipe.steps, completed=done, speed=0.0, earned="-")

        def advance(steps: int, earned: float | None) -> None:
            shown = "-" if earned is None else f"{earned:.3f}"
            bar.update(task, completed=steps, speed=bar.tasks[task].speed or 0.0, earned=shown)

        yield advance
