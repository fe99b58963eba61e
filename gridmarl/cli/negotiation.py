"""``gridmarl fleet`` and ``gridmarl negotiate``: prosumers, and what they agree on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gridmarl.cli.options import Json, in_writable, mapping_of, writable
from gridmarl.cli.printing import print_json, print_tables, table_of
from gridmarl.errors import ScenarioError

if TYPE_CHECKING:
    from gridmarl.negotiation.coalition.rounds import Lead
    from gridmarl.negotiation.cycle import Negotiation
    from gridmarl.negotiation.homes.fleet import ProsumerFleet
    from gridmarl.negotiation.schemas import MarketOpportunity
    from gridmarl.negotiation.strategies import Strategy

ABLATION_FLEETS: Final = (4, 5)
ABLATION_EACH: Final = 10
"""Opportunities of each of them, where a language model picks."""


def fleet(
    size: Annotated[int, typer.Option(help="Number of prosumers.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same fleet.")] = 1,
    out: Annotated[Path | None, typer.Option(callback=in_writable, help="A .yaml or .parquet to write it to.")] = None,
    as_json: Json = False,
) -> None:
    """Draw prosumers by Californian adoption rates: roofs, batteries, cars and wishes.

    Example: gridmarl fleet --size 200 --seed 1 --out fleet.yaml.
    """
    from gridmarl.negotiation.homes.fleet import draw_fleet, facts
    from gridmarl.negotiation.homes.fleet_files import write_fleet

    drawn = draw_fleet(size, seed)
    if out is not None:
        write_fleet(drawn, out)
    known = facts(drawn)
    if as_json:
        print_json({"size": size, "seed": seed, **known, "file": None if out is None else str(out)})
        return
    rows = [(name.replace("_", " "), f"{value:,.4g}") for name, value in known.items()]
    print_tables(table_of(f"[bold]{size} prosumers, seed {seed}[/bold]", ("", ""), rows))
    if out is not None:
        print_tables(f"wrote {out}")


def negotiate(
    fleet: Annotated[str, typer.Option(help="A number of prosumers, or a fleet's .yaml or .parquet.")] = "200",
    opportunities: Annotated[str, typer.Option(help="caiso-week, random:NUMBER, or a JSON file.")] = "caiso-week",
    strategy: Annotated[
        str, typer.Option(help="Who picks from the menus: rule, learned, random, floor, llm or llm:provider:name.")
    ] = "rule",
    settlement: Annotated[str, typer.Option(help="uniform, margin-share, pay-as-bid, vcg or shapley.")] = "uniform",
    rounds: Annotated[int, typer.Option(help="Planned; fewer or more as progress tells.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Of the fleet, the opportunities and the strategy.")] = 1,
    data: Annotated[Path | None, typer.Option(help="A table of real prices for caiso-week.")] = None,
    columns: Annotated[
        list[str] | None, typer.Option("--map", help="With --data: price=COLUMN, where it is called otherwise.")
    ] = None,
    graph: Annotated[
        bool, typer.Option("--graph", help="Lead the rounds as a LangGraph state graph (the extra 'graph').")
    ] = False,
    out: Annotated[
        Path, typer.Option(callback=writable, help="A folder for negotiation.json and transcript.md.")
    ] = Path("negotiation"),
    measure: Annotated[
        bool, typer.Option("--measure", help="Against baselines and other strategies, on drawn ones.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Let prosumers form coalitions for market opportunities, round by round.

    Example: gridmarl negotiate --fleet 200 --opportunities caiso-week --strategy rule.
    """
    if measure:
        _measure(fleet, strategy, as_json)
        return
    from gridmarl.bench.negotiation.files import write_negotiations
    from gridmarl.bench.progress import bar
    from gridmarl.negotiation.coalition.rounds import Settings
    from gridmarl.negotiation.roster import strategy_of
    from gridmarl.negotiation.sequence import negotiate_in_turn

    player = strategy_of(strategy)
    prosumers = _fleet_of(fleet, seed)
    wanted = _opportunities(prosumers, opportunities, seed, data, _price_column(data, columns))
    with bar(True, f"{len(prosumers)} prosumers negotiate", len(wanted)) as stage:

        def heard(one: Negotiation) -> None:
            stage.say(f"{one.opportunity.opportunity_id}: {one.table.selection.outcome}")
            stage.advance(1)

        found = negotiate_in_turn(
            prosumers,
            wanted,
            player,
            rule=settlement,  # pyright: ignore[reportArgumentType]  # checked inside
            settings=Settings(rounds_planned=rounds, most_rounds=max(6, 2 * rounds)),
            seed=seed,
            lead=_lead(graph),
            on_result=heard,
        )
    written, asked = write_negotiations(found, out), _asked(player)
    if as_json:
        files = [str(path) for path in written]
        print_json({"negotiations": [one.to_dict() for one in found], "strategy": asked, "files": files})
        return
    _show(found)
    print_tables(*(f"{name}: {value}" for name, value in asked.items()))
    print_tables(f"wrote {', '.join(path.name for path in written)} in {out}")


def _asked(player: Strategy) -> dict[str, object]:
    """What a strategy that asks a language model says of its questions; nothing of others."""
    report = getattr(player, "report", None)
    return {} if report is None else dict(report())


def _lead(graph: bool) -> Lead:
    from gridmarl.negotiation.coalition.rounds import lead_rounds

    if not graph:
        return lead_rounds
    try:
        from gridmarl.negotiation.graph import lead_in_graph
    except ImportError as error:
        raise ScenarioError("--graph", "no langgraph", "langgraph", "pip install 'gridmarl[graph]'") from error
    return lead_in_graph


def _fleet_of(fleet: str, seed: int) -> ProsumerFleet:
    from gridmarl.negotiation.homes.fleet import draw_fleet
    from gridmarl.negotiation.homes.fleet_files import read_fleet

    if fleet.lstrip("+-").isdecimal():
        return draw_fleet(int(fleet), seed)
    if not Path(fleet).suffix:
        raise ScenarioError("--fleet", fleet, "a number of prosumers, or the path of a .yaml or .parquet", "try 200")
    return read_fleet(Path(fleet))


def _price_column(data: Path | None, columns: list[str] | None) -> str | None:
    """The column that ``--map price=COLUMN`` names."""
    chosen = mapping_of(columns)
    if chosen and (data is None or set(chosen) != {"price"}):
        raise ScenarioError(
            "--map", ", ".join(columns or ()), "price=COLUMN beside --data", "name the column of prices"
        )
    return chosen.get("price")


def _opportunities(
    fleet: ProsumerFleet, name: str, seed: int, data: Path | None, column: str | None
) -> tuple[MarketOpportunity, ...]:
    from gridmarl.data.table import load_table
    from gridmarl.negotiation.opportunities import WEEK, WEEK_COLUMN, draw_week, read_opportunities, week_opportunities

    if name == WEEK:
        prices = None if data is None else load_table(data)
        return week_opportunities(fleet, seed, prices, column or WEEK_COLUMN)
    kind, _, count = name.partition(":")
    if kind == "random" and count.isdecimal():
        return draw_week(fleet, int(count), seed)
    return read_opportunities(Path(name))


def _show(found: tuple[Negotiation, ...]) -> None:
    head = ("opportunity", "round", "bidders", "offered, kW", "coalition", "held, kW", "dearest, $/MWh", "")
    rows = [
        (
            one.opportunity.opportunity_id,
            f"{r.round}",
            f"{r.bidders}",
            f"{r.offered_kw:,.1f}",
            f"{r.coalition}",
            f"{r.taken_kw:,.1f}",
            f"{r.clearing_ask_per_mwh:,.2f}",
            r.outcome,
        )
        for one in found
        for r in one.records
    ]
    print_tables(table_of("[bold]rounds[/bold]", head, rows))
    head = ("opportunity", "asked, kW", "$/MWh", "rounds", "members", "revenue", "payments", "profit", "satisfied", "")
    rows = [
        (
            one.opportunity.opportunity_id,
            f"{one.opportunity.required_kw:,.1f}",
            f"{one.opportunity.market_price_mwh:,.2f}",
            f"{one.table.round}",
            f"{int(one.table.selection.members.sum())}",
            f"{one.books.revenue:,.2f}",
            f"{one.books.payments.sum():,.2f}",
            f"{one.books.profit:,.2f}",
            f"{one.result().prosumer_satisfaction_avg:.1f}",
            one.table.selection.outcome,
        )
        for one in found
    ]
    print_tables(table_of("\n[bold]coalitions[/bold]", head, rows))


def _measure(fleet: str, strategy: str, as_json: bool) -> None:
    from gridmarl.bench.negotiation.strategies import compare_strategies, strategies_table
    from gridmarl.bench.negotiation.study import Study, measure_negotiation
    from gridmarl.bench.negotiation.table import figures_table, pairs_table
    from gridmarl.bench.progress import bar

    if not fleet.isdecimal():
        raise ScenarioError("--fleet with --measure", fleet, "a number of prosumers", "fleets are drawn")
    if strategy.partition(":")[0] == "llm":
        _ablate(int(fleet), strategy, as_json)
        return
    study = Study(size=int(fleet), strategy=strategy)
    with bar(True, f"measuring {strategy}", len(study.fleets)) as stage:
        found = measure_negotiation(study, stage)
    names = tuple(dict.fromkeys(("rule", strategy, "random", "floor")))
    with bar(True, "comparing strategies", len(study.fleets)) as stage:
        compared = compare_strategies(names, size=study.size, fleets=study.fleets, stage=stage)
    if as_json:
        print_json({**found.to_dict(), "strategies": compared.to_dict()})
        return
    print_tables(figures_table(found), pairs_table(found), strategies_table(compared))


def _ablate(size: int, strategy: str, as_json: bool) -> None:
    """A language model takes seconds for what a rule does at once: few opportunities, beside rule and chance."""
    from gridmarl.bench.negotiation.strategies import compare_strategies, strategies_table
    from gridmarl.bench.progress import bar
    from gridmarl.negotiation.roster import strategy_of

    player = strategy_of(strategy)
    with bar(True, f"{strategy} beside rule and chance", len(ABLATION_FLEETS)) as stage:
        found = compare_strategies(
            ("rule", player, "random"), size=size, fleets=ABLATION_FLEETS, opportunities=ABLATION_EACH, stage=stage
        )
    if as_json:
        print_json({"strategies": found.to_dict(), "strategy": _asked(player)})
        return
    print_tables(strategies_table(found), *(f"{name}: {value}" for name, value in _asked(player).items()))
