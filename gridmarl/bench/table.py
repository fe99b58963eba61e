"""The comparison as tables for a terminal of 120 columns: scores first, then who paid and who earned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gridmarl.bench.numbers import interval, label, money, number
from gridmarl.bench.results import Comparison, World

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

SCORES: Final = ("resource_cost", "regret", "share", "emissions", "renewable_share", "unserved")
MONEY: Final = ("consumer_cost", "profit_generator", "profit_storage", "profit_consumer", "congestion_rent", "mean_price")
WIDTH: Final = 118
"""Columns for a file or a pipe, which do not say how wide they are."""
DOLLARS: Final = frozenset(SCORES[:2]) | frozenset(MONEY)
HEADS: Final = {"emissions": "emissions, t", "unserved": "unserved, MWh", "mean_price": "mean price, $/MWh"}
NO_SHARE: Final = "No share: the optimum saves less than 1 % of the reference's cost."


def cell(found: Comparison, world: str, team: str, metric: str) -> tuple[str, str]:
    """A number and its interval; empty where it does not apply."""
    estimate = found.estimate(world, team, metric)
    if estimate is None:
        return "", ""
    text = money(estimate.value) if metric in DOLLARS else number(estimate.value)
    return text, interval(estimate)


def caption(found: Comparison, world: World) -> str:
    """What ran: scenario, split, digest, seeds and the source of the series."""
    seeds = ", ".join(str(seed) for seed in found.settings.seeds)
    return f"{world.name} ({world.digest}), {found.settings.split} split, seeds {seeds}; series: {world.source}"


def has_share(found: Comparison, world: str) -> bool:
    """Whether any team has a share here."""
    return any(found.estimate(world, team, "share") is not None for team in found.teams)


def about(found: Comparison, world: str, team: str) -> tuple[str, str]:
    """What a team knows in time and of others."""
    rows = found.table[(found.table["scenario"] == world) & (found.table["team"] == team)]
    return (str(rows["information"].iloc[0]), str(rows["sees"].iloc[0])) if len(rows) else ("", "")


def score_table(found: Comparison, world: World, metrics: tuple[str, ...], title: str, with_about: bool) -> Table:
    """One row a team, best first; a number over its interval."""
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", show_edge=False, pad_edge=False)
    table.add_column("team")
    for metric in metrics:
        table.add_column(HEADS.get(metric, label(metric)), justify="right")
    if with_about:
        table.add_column("knows / sees")
    for team in found.ranked(world.name):
        if found.failures_of(world.name, team) and not found.runs(world.name, team):
            table.add_row(team, *["[red]failed[/red]"] + [""] * (len(metrics) - 1))
            continue
        cells = [cell(found, world.name, team, metric) for metric in metrics]
        row = [f"{point}\n[dim]{spread}[/dim]" if spread else point for point, spread in cells]
        table.add_row(team, *row, *(["\n".join(about(found, world.name, team))] if with_about else []))
    return table


def print_comparison(found: Comparison, console: Console | None = None) -> None:
    """Print everything a reader needs, and where the report stands."""
    from rich.console import Console

    console = console or Console()
    if not console.is_terminal:
        console.width = max(console.width, WIDTH)
    for world in found.worlds:
        console.print(f"\n[bold]{world.name}[/bold] {world.description}", highlight=False)
        console.print(score_table(found, world, SCORES, "Scores", with_about=True))
        if not has_share(found, world.name):
            console.print(NO_SHARE, style="dim")
        console.print(score_table(found, world, MONEY, "\nWho paid, who earned (transfers, not costs)", with_about=False))
        console.print(caption(found, world), style="dim", highlight=False)
    console.print("Interquartile means with 95 % bootstrap intervals over seeds.", style="dim")
    for failure in found.failures:
        console.print(f"[red]failed[/red] {failure.team} in {failure.scenario}, seed {failure.seed}: {failure.message}")
    settings = found.settings
    console.print(f"{settings.cpu_s:,.0f} s of CPU, {settings.wall_s:,.0f} s in all", style="dim", highlight=False)
    if found.folder is not None:
        console.print(f"report: {found.folder / 'report.html'}", highlight=False, soft_wrap=True)
