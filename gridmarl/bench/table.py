"""The comparison as tables for a terminal of 120 columns: scores, who paid and who earned, and the grid."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

from gridmarl.bench.numbers import interval, label, money, number, percent
from gridmarl.bench.results import OPTIMUM, Comparison, World
from gridmarl.bench.statistics import Estimate

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console
    from rich.table import Table

SCORES: Final = ("resource_cost", "regret", "share", "emissions", "renewable_share", "unserved")
MONEY: Final = (
    "consumer_cost",
    "profit_generator",
    "profit_storage",
    "profit_consumer",
    "congestion_rent",
    "mean_price",
)
GRID: Final = (
    "outage_probability",
    "load_generation_deviation",
    "frequency_in_band",
    "voltage_in_band",
    "average_co2",
    "reserve_cost",
)
WIDTH: Final = 118
"""Columns for a file or a pipe, which do not say how wide they are."""
DOLLARS: Final = frozenset({*SCORES[:2], *MONEY[:-1], "reserve_cost"})
SHARES: Final = frozenset(GRID[:4])
"""Printed as per cent."""
HEADS: Final = {
    "emissions": "emissions, t",
    "unserved": "unserved, MWh",
    "mean_price": "mean price, $/MWh",
    "average_co2": "CO2, kg/MWh",
}
NO_SHARE: Final = "No share: the optimum saves less than 1 % of the reference's cost."


def cell(found: Comparison, world: str, team: str, metric: str) -> tuple[str, str]:
    """A number and its interval; empty where it does not apply."""
    estimate = found.estimate(world, team, metric)
    if metric in SHARES:
        return ("", "") if estimate is None else (percent(estimate.value), interval(estimate, 100.0))
    return shown(estimate, money if metric in DOLLARS else number)


def shown(found: Estimate | None, written: Callable[[float], str]) -> tuple[str, str]:
    """An estimate as text: the point and its interval; empty where there is none."""
    return ("", "") if found is None else (written(found.value), interval(found))


def caption(found: Comparison, world: World) -> str:
    """What ran: scenario, split, digest, seeds and the source of the series."""
    seeds = ", ".join(str(seed) for seed in found.settings.seeds)
    return f"{world.name} ({world.digest}), {found.settings.split} split, seeds {seeds}; series: {world.source}"


def has_share(found: Comparison, world: str) -> bool:
    """Whether any team has a share here."""
    return any(found.estimate(world, team, "share") is not None for team in found.teams)


def about(found: Comparison, world: str, team: str) -> tuple[str, str]:
    """What a team knows in time and of others."""
    of_team = (found.table["scenario"] == world) & (found.table["team"] == team)
    rows = cast("pd.DataFrame", found.table[of_team])
    return (str(rows["information"].iloc[0]), str(rows["sees"].iloc[0])) if len(rows) else ("", "")


def named(found: Comparison, world: str, team: str) -> str:
    """A team's name, and how many seeds it finished where that is not all of them."""
    runs, asked = found.runs(world, team), len(found.settings.seeds)
    return f"{team} ({runs} of {asked} seeds)" if 0 < runs < asked else team


def failure_notes(found: Comparison, world: str) -> list[str]:
    """What failed and why, one line a team and message."""
    notes: list[str] = []
    for team in (OPTIMUM, *found.teams):
        failures = found.failures_of(world, team)
        for message in dict.fromkeys(failure.message for failure in failures):
            seeds = ", ".join(str(failure.seed) for failure in failures if failure.message == message)
            notes.append(f"{team} in {world}, seed {seeds}: {message}")
    return notes


def settings_lines(found: Comparison) -> list[str]:
    """What was asked for and with what it was computed."""
    s = found.settings
    data = [f"data {s.data}", *(f"{profile} = {column}" for profile, column in s.columns.items())] if s.data else []
    asked = [f"seeds {', '.join(map(str, s.seeds))}", f"{s.split} split", f"workers {s.workers}", *data]
    versions = ", ".join(f"{name} {number}" for name, number in s.versions.items())
    return ["; ".join(asked), f"{versions}; {s.cpu_s:,.0f} s of CPU, {s.wall_s:,.0f} s in all"]


def score_table(found: Comparison, world: World, metrics: tuple[str, ...], title: str, with_about: bool) -> Table:
    """One row a team, best first; a number over its interval."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", show_edge=False, pad_edge=False)
    table.add_column("team")
    for metric in metrics:
        table.add_column(HEADS.get(metric, label(metric)), justify="right")
    if with_about:
        table.add_column("knows / sees")
    for team in found.ranked(world.name):
        if not found.runs(world.name, team):
            table.add_row(escape(team), "[red]failed[/red]")
            continue
        cells = [cell(found, world.name, team, metric) for metric in metrics]
        row = [f"{point}\n[dim]{escape(spread)}[/dim]" if spread else point for point, spread in cells]
        last = ["\n".join(about(found, world.name, team))] if with_about else []
        table.add_row(escape(named(found, world.name, team)), *row, *last)
    return table


def print_comparison(found: Comparison, console: Console | None = None) -> None:
    """Print everything a reader needs, and where the report stands."""
    from rich.console import Console
    from rich.markup import escape

    console = console or Console()
    if not console.is_terminal:
        console.width = max(console.width, WIDTH)
    for world in found.worlds:
        console.print(f"\n[bold]{escape(world.name)}[/bold] {escape(world.description)}", highlight=False)
        console.print(score_table(found, world, SCORES, "Scores", with_about=True))
        if not has_share(found, world.name):
            console.print(NO_SHARE, style="dim")
        console.print(
            score_table(found, world, MONEY, "\nWho paid, who earned (transfers, not costs)", with_about=False)
        )
        console.print(score_table(found, world, GRID, "\nThe grid", with_about=False))
        console.print(caption(found, world), style="dim", highlight=False, markup=False)
    console.print("Interquartile means with 95 % bootstrap intervals over seeds.", style="dim", highlight=False)
    for note in (note for world in found.worlds for note in failure_notes(found, world.name)):
        console.print(f"[red]failed[/red] {escape(note)}", highlight=False)
    for line in settings_lines(found):
        console.print(line, style="dim", highlight=False, markup=False)
    if found.folder is not None:
        console.print(f"report: {found.folder / 'report.html'}", highlight=False, soft_wrap=True)
