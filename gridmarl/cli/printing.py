"""Tables and JSON on standard output, complaints on standard error."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.console import Group, RenderableType


PIPE_WIDTH = 120
"""Columns where standard output is a file or a pipe, which do not say how wide they are."""


def complain(message: str) -> None:
    """Say what went wrong, on standard error."""
    from rich.text import Text

    from gridmarl.bench.progress import messages

    messages().print(Text("error: ", style="bold red") + Text(message, style="default"), soft_wrap=True)


def print_tables(*tables: RenderableType) -> None:
    """Print what people read."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console = Console(width=PIPE_WIDTH)
    for table in tables:
        console.print(table)


def print_json(content: object) -> None:
    """Print what scripts read."""
    typer.echo(json.dumps(content, indent=1, default=str))


def table_of(title: str, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> Group:
    """A table without lines, under a title that may be wider than it."""
    from rich.console import Group
    from rich.table import Table

    table = Table(*head, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    return Group(f"[italic]{title}[/italic]", table)
