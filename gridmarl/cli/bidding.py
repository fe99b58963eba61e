"""``gridmarl bid``: learned bidders beside the best fixed bid and the best response."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gridmarl.cli.options import Columns, Data, Json, mapping_of
from gridmarl.cli.printing import print_json, print_tables, table_of
from gridmarl.errors import ScenarioError

HEAD = ("seat", "player", "best fixed bid", "$ an episode", "learned", "best response", "gap closed", "gain, $ [95 %]")
NOTES = (
    "The others: {others}. Everybody bids one of 20 prices; the best fixed bid was chosen on the train split.\n"
    "The best response knows the episode{bound}. Off the grid the best mark-up would earn {markups}."
)


def bid(
    world: Annotated[str, typer.Argument(help="A world, or the path of your own YAML.")] = "auction",
    seat: Annotated[
        list[str] | None, typer.Option(help="A generator; may be repeated. By default all thermal.")
    ] = None,
    player: Annotated[
        list[str] | None, typer.Option(help="A policy or its folder; by default those that ship for the seat.")
    ] = None,
    others: Annotated[str, typer.Option(help="Who plays the other seats.")] = "truthful",
    seeds: Annotated[int, typer.Option(min=2, help="How many test seeds: 0, 1, ...")] = 64,
    width: Annotated[int, typer.Option(min=1, help="States the best response keeps; more find more.")] = 48,
    data: Data = None,
    columns: Columns = None,
    as_json: Json = False,
) -> None:
    """Compare learned bidders, each alone, with the best fixed bid and the best response.

    Example: gridmarl bid auction --seat gas_1.
    """
    from gridmarl.agents.make import scenario_of
    from gridmarl.bench.market_power.unilateral import thermal_seats, unilateral_table
    from gridmarl.bench.progress import bar

    scenario = scenario_of(world, data, mapping_of(columns))
    seats = tuple(seat) if seat else thermal_seats(scenario)
    if not seats:
        raise ScenarioError(f"thermal generators of {scenario.name!r}", "none", "at least one", "name a seat: --seat")
    with bar(True, "bidders", len(seats) * seeds * scenario.intervals) as stage:
        table = unilateral_table(
            scenario, seats, player or None, others=others, test_seeds=range(seeds), width=width, stage=stage
        )
    records: list[dict[str, Any]] = table.to_dict(orient="records")
    if as_json:
        print_json(records)
        return
    title = f"[bold]bidders of {scenario.name}, each alone, on {seeds} test seeds[/bold]"
    print_tables(table_of(title, HEAD, [_row(record) for record in records]), _notes(records))


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    gain = f"{row['gain']:+,.0f} [{row['gain_low']:+,.0f}, {row['gain_high']:+,.0f}]"
    closed = f"{row['gap_closed']:.0%}, {'met' if row['met'] else 'missed'}"
    money = (f"{row[name]:,.0f}" for name in ("fixed", "profit", "best_response"))
    return row["seat"], row["player"], row["fixed_offer"], *money, closed, gain


def _notes(records: list[dict[str, Any]]) -> str:
    each = {row["seat"]: f"{row['seat']} {row['markup']:,.0f} ({row['markup_offer']})" for row in records}
    bound = "" if all(row["exact"] for row in records) else "; it is what a search found, a lower bound"
    return NOTES.format(others=records[0]["others"], bound=bound, markups=", ".join(each.values()))
