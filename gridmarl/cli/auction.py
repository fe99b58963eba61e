"""``gridmarl clear``: one auction of the orders in a file."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gridmarl.cli.options import Json
from gridmarl.cli.printing import print_json, print_tables, table_of

if TYPE_CHECKING:
    import pandas as pd


def clear(
    orders: Annotated[Path, typer.Argument(help="CSV: side (sell, buy), price, quantity; also participant, period.")],
    demand: Annotated[float | None, typer.Option(help="Inelastic demand, MW.")] = None,
    pricing: Annotated[str, typer.Option(help="lower, upper or midpoint of the price interval.")] = "lower",
    floor: Annotated[float, typer.Option(help="Lowest order price.")] = -500.0,
    cap: Annotated[float | None, typer.Option(help="Highest order price; by default voll.")] = None,
    voll: Annotated[float, typer.Option(help="Value of lost load: a bid at it is inelastic.")] = 10_000.0,
    as_json: Json = False,
) -> None:
    """Clear one auction, or one per period.

    Example: gridmarl clear orders.csv --demand 120.
    """
    from gridmarl.market.auction import clear as clear_orders

    clearing = clear_orders(_orders_in(orders), demand=demand, pricing=pricing, floor=floor, cap=cap, voll=voll)  # pyright: ignore[reportArgumentType]  # checked inside
    if as_json:
        print_json(clearing.to_dict())
        return
    merit = clearing.merit_order()
    cells = merit.itertuples(index=False)
    rows = [tuple(f"{v:,.6g}" if isinstance(v, float) else str(v) for v in row) for row in cells]
    print_tables(table_of("[bold]merit order[/bold]", tuple(merit.columns), rows))
    told = clearing.to_dict()
    facts = {name: told[name] for name in ("price", "price_interval", "volume", "unserved", "curtailed")}
    if not isinstance(told["price"], dict):
        print_tables(*(f"[bold]{name.removeprefix('price_')}[/bold] {_said(fact)}" for name, fact in facts.items()))
        return
    periods = [(period, *(_said(fact[period]) for fact in facts.values())) for period in told["price"]]  # pyright: ignore
    print_tables(table_of("\n[bold]periods[/bold]", ("period", *facts), periods))


def _said(fact: object) -> str:
    if isinstance(fact, list | tuple):
        return f"({', '.join('none' if end is None else str(end) for end in fact)})"
    return str(fact)


def _orders_in(file: Path) -> pd.DataFrame:
    """Orders as they stand in the file; says by row what is wrong with the file."""
    import pandas as pd

    from gridmarl.data.reading import read_raw

    frame = pd.DataFrame(dict(read_raw(file).columns)).replace("", None)
    for name in frame:
        with suppress(ValueError, TypeError):  # words stay words
            frame[name] = pd.to_numeric(frame[name])
    return frame
