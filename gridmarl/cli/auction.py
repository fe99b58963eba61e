"""``gridmarl clear``: one auction of the orders in a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gridmarl.cli.options import Json
from gridmarl.cli.printing import print_json, print_tables, table_of

if TYPE_CHECKING:
    pass


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
    from gridmarl.data.reading import read_raw
    from gridmarl.market.auction import clear as clear_orders

    read_raw(orders)  # says what is wrong with the file, by row
    import pandas as pd

    clearing = clear_orders(pd.read_csv(orders), demand=demand, pricing=pricing, floor=floor, cap=cap, voll=voll)  # pyright: ignore[reportArgumentType]  # checked inside
    if as_json:
        print_json(clearing.to_dict())
        return
    merit = clearing.merit_order()
    cells = merit.itertuples(index=False)
    rows = [tuple(f"{v:,.6g}" if isinstance(v, float) else str(v) for v in row) for row in cells]
    print_tables(table_of("[bold]merit order[/bold]", tuple(merit.columns), rows))
    facts = {"price": clearing.price, "interval": clearing.price_interval, "volume": clearing.volume}
    facts |= {"unserved": clearing.unserved, "curtailed": clearing.curtailed}
    print_tables(*(f"[bold]{name}[/bold] {value}" for name, value in facts.items()))
