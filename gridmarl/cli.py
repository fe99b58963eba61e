"""The command line: names in, readable tables (or JSON) out. No logic of its own."""

from __future__ import annotations

import json
import logging
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from gridmarl.errors import GridmarlError, ScenarioError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.syntax import Syntax
    from rich.table import Table

    from gridmarl.agents.cards import PolicyCard
    from gridmarl.data.table import TimeTable
    from gridmarl.learning.results import Report
    from gridmarl.scenario.scenario import Scenario

app = typer.Typer(
    help="Electricity markets as multi-agent environments: clear, run, train, compare.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

FAILED, INTERRUPTED = 2, 130
PIPE_WIDTH = 120
"""Columns where standard output is a file or a pipe, which do not say how wide they are."""
TEAMS = "truthful,markup,dqn,admm,central"
COLLECTIONS = {"worlds": "envs", "teams": "baselines", "recipes": "training"}
_state = {"debug": False}

Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output instead of tables.")]
Data = Annotated[
    list[Path] | None,
    typer.Option(help="A tidy CSV or Parquet for the profiles that name a column, or a CSV of units for the fleet."),
]
Columns = Annotated[list[str] | None, typer.Option("--map", help="PROFILE=COLUMN: another column; may be repeated.")]
Split = Annotated[str, typer.Option(help="train, select or test: which randomness or days are drawn.")]
Out = Annotated[Path | None, typer.Option(help="A folder for what is written.")]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gridmarl {version('gridmarl')}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more, on standard error.")] = False,
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """Set up what all commands share."""
    from rich.logging import RichHandler

    from gridmarl.bench.progress import messages

    _state["debug"] = debug
    handler = RichHandler(console=messages(), show_path=False, show_time=False)
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[handler], format="%(message)s")


def main() -> NoReturn:
    """Run the command line: errors on purpose are one line and exit code 2, an interruption is 130."""
    try:
        app()
    except GridmarlError as error:
        if _state["debug"]:
            raise
        _complain(str(error))
        sys.exit(FAILED)
    except SystemExit as stop:
        # typer's own code for Ctrl-C; before it had one, it raised Abort
        if stop.code == INTERRUPTED or isinstance(stop.__context__, typer.Abort):
            _complain("interrupted; nothing half-written is left")
            sys.exit(INTERRUPTED)
        raise
    sys.exit(0)


def _complain(message: str) -> None:
    from rich.text import Text

    from gridmarl.bench.progress import messages

    messages().print(Text("error: ", style="bold red") + Text(message, style="default"), soft_wrap=True)


def _show(*tables: Table | Syntax | str) -> None:
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console = Console(width=PIPE_WIDTH)
    for table in tables:
        console.print(table)


def _print_json(content: object) -> None:
    typer.echo(json.dumps(content, indent=1, default=str))


def _mapping(pairs: list[str] | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in pairs or ():
        profile, separator, column = pair.partition("=")
        if not (profile and separator and column):
            raise ScenarioError("--map", pair, "PROFILE=COLUMN", "for example --map price=lmp_usd_per_mwh")
        found[profile] = column
    return found


def _rows(title: str, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> Table:
    from rich.table import Table

    table = Table(*head, title=title, title_justify="left", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    return table


@app.command("list")
def list_names(
    what: Annotated[str, typer.Argument(help="worlds, teams, recipes, policies or all.")] = "all", as_json: Json = False
) -> None:
    """Name everything that ships.

    Example: gridmarl list teams.
    """
    from gridmarl import catalogue
    from gridmarl.agents.load import policy_names

    found = {
        kind: {name: _describe(folder, name) for name in catalogue.names(folder)}
        for kind, folder in COLLECTIONS.items()
    }
    found["policies"] = dict.fromkeys(policy_names(), "trained weights; gridmarl show NAME")
    if what != "all" and what not in found:
        raise ScenarioError("list", what, ", ".join((*found, "all")), "choose one of them")
    chosen = found if what == "all" else {what: found[what]}
    if as_json:
        _print_json(chosen)
        return
    head = ("name", "description")
    _show(*(_rows(f"\n[bold]{kind}[/bold]", head, list(names.items())) for kind, names in chosen.items()))


def _describe(folder: str, name: str) -> str:
    from gridmarl import catalogue

    return str(catalogue.read(folder, name).get("description", ""))


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A world, team, recipe or policy.")],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Explain one of them: its settings as they stand in its file.

    Example: gridmarl show auction.
    """
    from gridmarl import catalogue
    from gridmarl.agents.cards import CARD, find_policy, read_card
    from gridmarl.agents.load import policy_names
    from gridmarl.errors import CatalogueError, nearest

    if name in policy_names():
        content: Any = read_card(find_policy(name) / CARD).model_dump(mode="json")
        _print_json(content) if as_json else _show_mapping(name, content)
        return
    found = {kind: dict(catalogue.read(f, name)) for kind, f in COLLECTIONS.items() if name in catalogue.names(f)}
    if not found:
        every = [*(n for folder in COLLECTIONS.values() for n in catalogue.names(folder)), *policy_names()]
        raise CatalogueError("name", name, ", ".join(every), nearest(name, every))
    if as_json:
        _print_json(found)
        return
    for kind, content in found.items():
        _show_mapping(f"{name} ({kind.removesuffix('s')})", content)
    if "worlds" in found:
        _show(_seats_of(name, data))


def _show_mapping(name: str, content: dict[str, object]) -> None:
    import yaml
    from rich.syntax import Syntax

    settings = {key: value for key, value in content.items() if key != "description"}
    text = yaml.safe_dump(settings, sort_keys=False, width=110, default_flow_style=None)
    said = f"\n[bold]{name}[/bold] {content.get('description', '')}"
    _show(said, Syntax(text, "yaml", background_color="default", word_wrap=True))


def _seats_of(name: str, data: list[Path] | None) -> Table:
    from gridmarl.agents.make import scenario_of
    from gridmarl.environment.world import compile_world

    layout = compile_world(scenario_of(name, data)).layout
    rows = [
        (seat, role, owner, technology, codec.name)
        for seat, role, owner, technology, codec in zip(
            layout.seats, layout.roles, layout.owners, layout.technologies, layout.codecs, strict=True
        )
    ]
    return _rows(f"\n[bold]{len(rows)} seats[/bold]", ("seat", "role", "owner", "technology", "codec"), rows)


@app.command()
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
        _print_json(clearing.to_dict())
        return
    merit = clearing.merit_order()
    cells = merit.itertuples(index=False)
    rows = [tuple(f"{v:,.6g}" if isinstance(v, float) else str(v) for v in row) for row in cells]
    _show(_rows("[bold]merit order[/bold]", tuple(merit.columns), rows))
    facts = {"price": clearing.price, "interval": clearing.price_interval, "volume": clearing.volume}
    facts |= {"unserved": clearing.unserved, "curtailed": clearing.curtailed}
    _show(*(f"[bold]{name}[/bold] {value}" for name, value in facts.items()))


@app.command()
def run(
    team: Annotated[str, typer.Argument(help="A team, or the path of your own YAML.")],
    env: Annotated[str, typer.Option(help="A world, or the path of your own YAML.")] = "auction",
    seed: Annotated[int, typer.Option(help="Of the world's randomness.")] = 0,
    split: Split = "test",
    data: Data = None,
    columns: Columns = None,
    out: Out = None,
    audit: Annotated[Path | None, typer.Option(help="A CSV for all messages of owners and coordinator.")] = None,
    as_json: Json = False,
) -> None:
    """Play one episode and print its numbers; with --out also write them, and pictures of what was planned.

    Example: gridmarl run admm --env three-homes.
    """
    from gridmarl.agents.make import scenario_of
    from gridmarl.bench.planned_run import crossed, play
    from gridmarl.bench.progress import bar
    from gridmarl.bench.run_files import write_run
    from gridmarl.evaluation.metrics import measure
    from gridmarl.evaluation.score import yardstick
    from gridmarl.planning.channel import Audit

    scenario = scenario_of(env, data, _mapping(columns))
    with bar(True, team, scenario.intervals) as stage:
        heard = Audit() if audit else None
        found = play(scenario, team, stage, seed=seed, split=split, audit=heard)  # pyright: ignore[reportArgumentType]  # checked inside
    played = found.played
    measures = measure(played, yardstick(scenario, seed, played.split))  # pyright: ignore[reportArgumentType]
    written = write_run(found, out) if out else []
    if audit and heard:
        heard.write(audit)
        written.append(audit)
    told = crossed(heard, team) if heard else []
    if as_json:
        values = {m.metric: m.value for m in measures}
        about = {"scenario": played.scenario, "digest": played.digest, "team": played.team, "seed": seed}
        about |= {name: getattr(played, name) for name in ("split", "information", "sees", "source")}
        _print_json(
            {**about, "metrics": values, **found.to_dict(), "crossed": told, "files": [str(p) for p in written]}
        )
        return
    about_line = f"{played.team} in {played.scenario}, seed {seed}, {played.split}, series: {played.source}"
    rows = [(m.metric, "" if m.value is None else f"{m.value:,.6g}", m.unit) for m in measures]
    _show(_rows(f"[bold]{about_line}[/bold]", ("metric", "value", "unit"), rows))
    _show_records("rounds of the first plan", found.shown_rounds())
    _show_records("negotiated plans", found.negotiations())
    _show_records("what crossed, for one owner in all plans", told)
    if found.verdict:
        lines = list(found.verdict.lines().items())
        _show(_rows(f"\n[bold]the first plan, by {found.verdict.method}[/bold]", ("", ""), lines))
    if written:
        folders = ", ".join(sorted({str(path.parent) for path in written}))
        _show(f"wrote {', '.join(path.name for path in written)} in {folders}")


def _show_records(title: str, records: Sequence[Mapping[str, object]]) -> None:
    if records:
        kept = [tuple(f"{v:.3g}" if isinstance(v, float) else str(v) for v in r.values()) for r in records]
        _show(_rows(f"\n[bold]{title}[/bold]", tuple(records[0]), kept))


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="A recipe, or the path of your own YAML.")] = "dqn",
    env: Annotated[str | None, typer.Option(help="Another world than the recipe's.")] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed than the recipe's.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where a training in the same folder stopped.")
    ] = False,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, or auto: a GPU where there is one.")] = None,
    data: Data = None,
    columns: Columns = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Train a policy and write its weights.

    Example: gridmarl train dqn --env auction.
    """
    from gridmarl.agents.make import scenario_of
    from gridmarl.learning.recipe import load_recipe
    from gridmarl.learning.results import Report
    from gridmarl.learning.trainer import train as train_policy

    fed = data or columns
    world = scenario_of(env or load_recipe(recipe).scenario, data, _mapping(columns)) if fed else env
    changes: dict[str, Any] = {} if device is None else {"device": device}
    folder = train_policy(recipe, env=world, seed=seed, out=out, resume=resume, **changes)
    for front in (folder / "front.json", *folder.glob("*/front.json")):
        if front.is_file():
            from gridmarl.bench.fronts import draw_front

            draw_front(front.parent)
    found = _trained(folder)
    if as_json:
        _print_json({"folder": str(folder), **found.model_dump(mode="json")})
        return
    _show(f"wrote {folder}")
    for split, standing in found.metrics.items():
        _show(f"{split}: {standing.scaled:.4g} a seat and episode, scaled, mean of {standing.episodes} episodes")
    if not isinstance(found, Report):
        _show(f"play it: gridmarl.load_agent({str(folder)!r})")


def _trained(folder: Path) -> PolicyCard | Report:
    """What a training wrote about itself: a policy's card (the first group's), or a report."""
    from gridmarl.agents.cards import CARD, read_card
    from gridmarl.learning.results import read_report

    cards = [folder / CARD, *sorted(folder.glob(f"*/{CARD}"))]
    card = next((path for path in cards if path.is_file()), None)
    return read_card(card) if card else read_report(folder)


@app.command()
def compare(
    worlds: Annotated[list[str], typer.Argument(help="Worlds, or paths of your own YAML.")],
    teams: Annotated[str, typer.Option(help="Teams, separated by commas.")] = TEAMS,
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
            _compare_clearings(scenario_of(world, data, _mapping(columns)), clearings, seeds, split, as_json)
        return
    from gridmarl.bench.comparison import compare as compare_teams

    names = [name.strip() for name in teams.split(",") if name.strip()]
    found = compare_teams(
        list(worlds),
        list(names),
        seeds=seeds,
        split=split,  # pyright: ignore[reportArgumentType]  # checked inside
        data=data,
        columns=_mapping(columns),
        out=out or Path("results") / "-".join(Path(world).stem for world in worlds),
        csv=csv,
        workers=workers,
    )
    if as_json:
        _print_json(found.to_dict())
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
        table = bidding_table(scenario_of(world, data, _mapping(columns)), seat, others=others)
        records: list[dict[str, Any]] = table.to_dict(orient="records")
        if as_json:
            _print_json(records)
            continue
        title = f"[bold]{seat} in {world}, others {others}: profit on {records[0]['seeds']} test seeds[/bold]"
        head = ("player", "offer", "$ an episode", "less best fixed, $ [95 %]", "information")
        _show(_rows(title, head, [_bidder(record) for record in records]))
        _show("The best fixed bid was chosen on the train split, among 20 constant prices and the mark-ups.")


def _compare_clearings(world: Scenario, team: str, seeds: int, split: str, as_json: bool) -> None:
    from gridmarl.bench.clearings import clearings_table
    from gridmarl.bench.progress import bar

    with bar(True, team, 2 * seeds * world.intervals) as stage:
        table = clearings_table(world, team, seeds=range(seeds), split=split, progress=stage.advance)  # pyright: ignore[reportArgumentType]  # checked inside
    if as_json:
        _print_json(table.to_dict(orient="index"))
        return
    rows = [
        (str(name), f"{turn:,.6g}", f"{joint:,.6g}", f"{difference:+,.6g}", unit)
        for name, turn, joint, difference, unit in table.itertuples()
    ]
    title = (
        f"[bold]{team} in {world.name}: energy and reserve cleared in turn and jointly, mean of {seeds} seeds[/bold]"
    )
    _show(_rows(title, ("number", "in turn", "jointly", "difference", "unit"), rows))


def _bidder(row: dict[str, Any]) -> tuple[str, ...]:
    gap = f"{row['less_best_fixed']:+,.0f} [{row['less_best_fixed_low']:+,.0f}, {row['less_best_fixed_high']:+,.0f}]"
    return row["player"], row["offer"], f"{row['profit']:,.0f}", gap, row["information"]


@app.command("data")
def inspect_data(
    file: Annotated[Path, typer.Argument(help="A tidy CSV or Parquet, or a CSV of units.")],
    timezone: Annotated[
        str | None, typer.Option(help="IANA name, where times carry no offset, and of the days to forecast.")
    ] = None,
    forecast: Annotated[str | None, typer.Option(help="Test day-ahead forecasts of this column instead.")] = None,
    known: Annotated[
        list[str] | None, typer.Option(help="With --forecast: a column known a day ahead; may be repeated.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a table: its span, interval, columns, units and gaps; or the classes of its generating units.

    Example: gridmarl data prices.csv.
    """
    from gridmarl.data.table import load_table
    from gridmarl.scenario.fleet_table import is_fleet

    if is_fleet(file):
        _show_fleet(file, as_json)
        return
    table = load_table(file, timezone=timezone)
    if forecast is not None:
        _show_forecast(table, forecast, timezone, known or [], as_json)
        return
    facts = {
        "source": table.source,
        "start_utc": table.start_utc.isoformat(),
        "end_utc": table.end_utc.isoformat(),
        "interval_h": table.interval_h,
        "intervals": table.intervals,
        "gaps": "none",  # a table that has any is refused, and told which
    }
    columns = [
        (name, table.units[name], f"{values.min():,.6g}", f"{values.mean():,.6g}", f"{values.max():,.6g}")
        for name, values in table.columns.items()
    ]
    if as_json:
        names = ("column", "unit", "lowest", "mean", "highest")
        _print_json({**facts, "columns": [dict(zip(names, column, strict=True)) for column in columns]})
        return
    _show(*(f"[bold]{name}[/bold] {value}" for name, value in facts.items()))
    _show(_rows("\n[bold]columns[/bold]", ("column", "unit", "lowest", "mean", "highest"), columns))


def _show_forecast(table: TimeTable, column: str, timezone: str | None, known: list[str], as_json: bool) -> None:
    from gridmarl.bench.progress import bar
    from gridmarl.forecasting.report import STAGES, forecast_report

    with bar(True, f"forecasting {column}", STAGES) as stage:
        found = forecast_report(table, column, timezone, known, progress=stage.advance)
    if as_json:
        _print_json(found.to_dict())
        return
    head = ("forecast", "MAE", "MAPE", "pinball", "CRPS", "in 90 % band", "uncalibrated", "band's width")
    rows = [
        (
            r.forecast,
            f"{r.mae:,.4g}",
            "" if r.mape is None else f"{r.mape:.1%}",
            f"{r.pinball:,.4g}",
            f"{r.crps:,.4g}",
            f"{r.coverage:.1%}",
            f"{r.coverage_raw:.1%}",
            f"{r.width:,.4g}",
        )
        for r in found.tested.rows
    ]
    _show(_rows(f"[bold]{found.about()}[/bold]", head, rows))
    head = ("scenarios", "reduction", "number", "energy score", "variogram score", "CVaR bias")
    rows = [
        (r.dependence, r.reduction, f"{r.scenarios}", f"{r.energy:,.4g}", f"{r.variogram:,.4g}", f"{r.cvar_bias:+,.3g}")
        for r in found.scenarios
    ]
    _show(_rows("\n[bold]scenarios around the last of these; CVaR of the day's mean, worst 20 %[/bold]", head, rows))


def _show_fleet(file: Path, as_json: bool) -> None:
    from gridmarl.scenario.fleet import Fleet

    classes = Fleet(file=file).classes()
    if as_json:
        _print_json({name: known._asdict() for name, known in classes.items()})
        return
    head = ("class", "units", "MW", "$/MWh at full load", "kg CO2/MWh", "worst error of the cost")
    rows = [
        (
            name,
            f"{known.units}",
            f"{known.capacity_mw:,.1f}",
            f"{known.lowest_per_mwh:.1f} .. {known.highest_per_mwh:.1f}",
            f"{known.co2_kg_per_mwh:.0f}",
            f"{known.worst_fit_share:.1%}",
        )
        for name, known in classes.items()
    ]
    _show(_rows(f"[bold]{sum(known.units for known in classes.values())} units[/bold]", head, rows))
