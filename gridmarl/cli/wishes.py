"""``gridmarl wishes``, ``gridmarl fetch-model``: a household's own words, and the small model that may help."""

from __future__ import annotations

from typing import Annotated

import typer

from gridmarl.cli.options import Json
from gridmarl.cli.printing import print_json, print_tables, table_of


def wishes(
    text: Annotated[str, typer.Argument(help="What a household owns and wishes, in a few English sentences.")],
    as_json: Json = False,
) -> None:
    """Read a household's own words: each setting with the words that say it, what to ask, and a sentence to confirm.

    Example: gridmarl wishes "I have a Powerwall, keep 30 % backup, don't discharge after 10pm".
    """
    from rich.markup import escape

    from gridmarl.negotiation.words.sentences import parse

    found = parse(text)
    if as_json:
        print_json(found.record())
        return
    rows = [
        (name, str(value), " ... ".join(escape(quote) for quote in found.quotes(name)))
        for name, value in found.values.items()
    ]
    assumed = found.preferences().model_dump()
    rows += [
        (name, str(assumed[name]), "[dim]not said: a cautious default[/dim]")
        for name in assumed
        if name not in found.fields
    ]
    print_tables(table_of("[bold]settings[/bold]", ("field", "value", "said as"), rows))
    print_tables(*(f"[bold]to ask[/bold] {escape(question)}" for question in found.questions))
    print_tables(f"\n{escape(found.read_back())}")


def fetch_model() -> None:
    """Download the small language model that runs here (98 MB, once; with the extra llm it plays as strategy llm).

    Example: gridmarl fetch-model.
    """
    from gridmarl.negotiation.language import local_model

    typer.echo(local_model.fetch_model())
