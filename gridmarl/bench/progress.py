"""A bar on standard error while cells are played, and the console it shares with the log."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.console import Console


@cache
def messages() -> Console:
    """Standard error: one console for bar and log, which therefore do not write over each other."""
    from rich.console import Console

    return Console(stderr=True)


@dataclass(frozen=True, slots=True)
class Stage:
    """One line of the bar."""

    say: Callable[[str], None]  # what is being done
    advance: Callable[[int], None]  # so many intervals are done


SILENT: Final = Stage(lambda _: None, lambda _: None)
"""A line that nobody sees."""


@contextmanager
def bar(wanted: bool, what: str, intervals: int) -> Generator[Stage]:
    """Lend a bar that counts intervals; one that draws nothing where none is wanted or nobody could see it.

    Parameters
    ----------
    wanted : bool
    what : str
        What stands before it at first.
    intervals : int
        All that are to be played.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = messages()
    with Progress(*columns, console=console, disable=not (wanted and console.is_terminal), transient=True) as drawn:
        task = drawn.add_task(what, total=intervals)
        yield Stage(lambda text: drawn.update(task, description=text), lambda count: drawn.advance(task, count))
