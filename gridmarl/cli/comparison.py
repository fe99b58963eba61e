"""``gridmarl compare``: teams, bidders or clearings on the same days."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridmarl.cli.app import FAILED
from gridmarl.cli.options import Columns, Data, Json, Out, Split, mapping_of
from gridmarl.cli.printing import print_json, print_tables, table_of
from gridmarl.errors import ScenarioError

if TYPE_CHECKING:
    from gridmarl.bench.untrained import Standing
    from gridmarl.scenario.scenario import Scenario

TEAMS = "truthful,markup,dqn,admm,central"
LEARNED = "learned,learned-flexible"
"""What stands for :data:`TEAMS` where learned teams are compared with untrained ones."""


def compare(
    worlds: Annotated[list[str], typer.Argument(help="Worlds, or paths of your own YAML.")],
    teams: Annotated[
        str,
        typer.Option(
            help="Teams, separated by commas: names, your own YAML, folders that gridmarl train wrote; opponents: all "
            "that a learner should beat."
        ),
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
    untrained: Annotated[
        int | None,
        typer.Option(
            min=2, help="Compare learned teams with their networks at this many fresh initialisations instead."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare teams on the same market, data and seeds.

    Example: gridmarl compare auction --teams truthful,central.
    """
    _refuse_what_would_be_ignored(seat, clearings, untrained, out, data, columns)
    if seat is not None:
        _compare_bidders(worlds, seat, others, data, columns, as_json)
        return
    if clearings is not None:
        from gridmarl.agents.make import scenario_of

        for world in worlds:
            _compare_clearings(scenario_of(world, data, mapping_of(columns)), clearings, seeds, split, as_json)
        return
    if untrained is not None:
        chosen = LEARNED if teams == TEAMS else teams
        for world in worlds:
            _compare_untrained(world, chosen, untrained, seeds, split, workers, as_json)
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


def _refuse_what_would_be_ignored(
    seat: str | None,
    clearings: str | None,
    untrained: int | None,
    out: Path | None,
    data: list[Path] | None,
    columns: list[str] | None,
) -> None:
    """A table of another kind is printed only, and untrained networks are compared in the world as it ships."""
    asked = {"--seat": seat, "--clearings": clearings, "--untrained": untrained}
    instead = [option for option, value in asked.items() if value is not None]
    if len(instead) > 1:
        raise ScenarioError(" and ".join(instead), None, "one of them at a time", "ask for each by itself")
    if instead and out is not None:
        raise ScenarioError(f"--out with {instead[0]}", str(out), "no folder: it prints a table", "leave it out")
    if untrained is not None and (data or columns):
        raise ScenarioError(
            "--data and --map with --untrained", None, "a world", "name the table in a YAML of your own"
        )


def _compare_bidders(
    worlds: list[str], seat: str, others: str, data: list[Path] | None, columns: list[str] | None, as_json: bool
) -> None:
    from gridmarl.agents.make import scenario_of
    from gridmarl.bench.market_power.bidding import bidding_table

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


def _compare_untrained(
    world: str, teams: str, initialisations: int, seeds: int, split: str, workers: int, as_json: bool
) -> None:
    from gridmarl.bench.untrained import untrained_table

    lines = untrained_table(
        world,
        [name.strip() for name in teams.split(",") if name.strip()],
        initialisations=initialisations,
        seeds=seeds,
        split=split,  # pyright: ignore[reportArgumentType]  # checked inside
        workers=workers,
    )
    if as_json:
        print_json([line.to_dict() for line in lines])
        return
    title = f"[bold]{world}: learned and untrained, greedy, means of {seeds} {split} seeds[/bold]"
    head = ("team", "resource cost", "above C*", "less untrained [95 %]", "", "f in band", "V in band", "renewable")
    print_tables(table_of(title, head, [_line(line) for line in lines]))
    print_tables(
        f"Untrained: means over {initialisations} initialisations too. Intervals: seeds and initialisations drawn anew."
    )


def _line(line: Standing) -> tuple[str, ...]:
    from gridmarl.bench.numbers import interval, money, number, percent

    gap, share = line.less_untrained, line.less_untrained_share
    return (
        line.team,
        money(line.resource_cost),
        money(line.above_optimum),
        f"{money(gap.value)} {interval(gap)}".replace("[", r"\[") if gap else "",
        f"{number(100 * share.value, 1)} %" if share else "",
        *("" if value is None else percent(value, 1) for value in _shares(line)),
    )


def _shares(line: Standing) -> tuple[float | None, ...]:
    return line.frequency_in_band, line.voltage_in_band, line.renewable_share
