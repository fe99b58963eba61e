"""``gridmarl compare``: teams, bidders or clearings on the same days."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridmarl.cli.app import FAILED
from gridmarl.cli.options import Columns, Data, Json, Out, Split, mapping_of
from gridmarl.cli.printing import print_json, print_tables, table_of

if TYPE_CHECKING:
    from gridmarl.scenario.scenario import Scenario

TEAMS = "truthful,markup,dqn,admm,central"


def compare(
    worlds: Annotated[list[str], typer.Argument(help="Worlds, or paths of your own YAML.")],
    teams: Annotated[
        str, typer.Option(help="Teams, separated by commas; opponents: all that a learner should beat.")
    ] = TEAMS,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds: 0, 1, ...")] = 5,
    split: Split = "test",
    data: Data = None,
    columns: Columns = None,
    out: Out = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    csv: Annotated[bool, typer.Option("--csv", help="Write every interval as CSV too.")] = False,
    seat: Annotated[str | None, typer.Option(help="Compare bidders of this one generator instead.")] = None,
    others: Annotated[str, typer.Option(help="With --seat: who plays the other seats.")] = "truthful",
    clearings: Annotated[
        str | None,
        typer.Option(help="Compare clearing in turn with joint clearing instead; TEXT is the team that plays."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare teams on the same market, data and seeds.

    Example: gridmarl compare auction --teams truthful,central.
    """
    if seat is not None:
        _compare_bidders(worlds, seat, others, data, columns, as_json)
        return
    if clearings is not None:
        from gridmarl.agents.make import scenario_of

        for world in worlds:
            _compare_clearings(scenario_of(world, data, mapping_of(columns)), clearings, seeds, split, as_json)
        return
    from gridmarl.bench.comparison import compare as compare_teams

    names = [name.strip() for name in teams.split(",") if name.strip()]
    found = compare_teams(
        list(worlds),
        list(names),
        seeds=seeds,
        split=split,  # pyright: ignore[reportArgumentType]  # checked inside
        data=data,
        columns=mapping_of(columns),
        out=out or Path("results") / "-".join(Path(world).stem for world in worlds),
        csv=csv,
        workers=workers,
    )
    if as_json:
        print_json(found.to_dict())
    else:
        from gridmarl.bench.table import print_comparison

        print_comparison(found)
    if found.failures:
        raise typer.Exit(FAILED)


def _compare_bidders(
    worlds: list[str], seat: str, others: str, data: list[Path] | None, columns: list[str] | None, as_json: bool
) -> None:
    from gridmarl.agents.make import scenario_of
    from gridmarl.bench.bidding import bidding_table

    for world in worlds:
        table = bidding_table(scenario_of(world, data, mapping_of(columns)), seat, others=others)
        records: list[dict[str, Any]] = table.to_dict(orient="records")
        if as_json:
            print_json(records)
            continue
        title = f"[bold]{seat} in {world}, others {others}: profit on {records[0]['seeds']} test seeds[/bold]"
        head = ("player", "offer", "$ an episode", "less best fixed, $ [95 %]", "information")
        print_tables(table_of(title, head, [_bidder(record) for record in records]))
        print_tables("The best fixed bid was chosen on the train split, among 20 constant prices and the mark-ups.")


def _compare_clearings(world: Scenario, team: str, seeds: int, split: str, as_json: bool) -> None:
    from gridmarl.bench.clearings import clearings_table
    from gridmarl.bench.progress import bar

    with bar(True, team, 2 * seeds * world.intervals) as stage:
        table = clearings_table(world, team, seeds=range(seeds), split=split, progress=stage.advance)  # pyright: ignore[reportArgumentType]  # checked inside
    if as_json:
        print_json(table.to_dict(orient="index"))
        return
    rows = [
        (str(name), f"{turn:,.6g}", f"{joint:,.6g}", f"{difference:+,.6g}", unit)
        for name, turn, joint, difference, unit in table.itertuples()
    ]
    title = (
        f"[bold]{team} in {world.name}: energy and reserve cleared in turn and jointly, mean of {seeds} seeds[/bold]"
    )
    print_tables(table_of(title, ("number", "in turn", "jointly", "difference", "unit"), rows))


def _bidder(row: dict[str, Any]) -> tuple[str, ...]:
    gap = f"{row['less_best_fixed']:+,.0f} [{row['less_best_fixed_low']:+,.0f}, {row['less_best_fixed_high']:+,.0f}]"
    return row["player"], row["offer"], f"{row['profit']:,.0f}", gap, row["information"]
