"""One self-contained HTML page of a comparison: what ran, the tables, how to read them, pictures, failures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from gridmarl.bench import plots
from gridmarl.bench.numbers import label
from gridmarl.bench.results import Comparison, World
from gridmarl.bench.table import HEADS, MONEY, NO_SHARE, SCORES, about, caption, cell, has_share

if TYPE_CHECKING:
    from jinja2 import Template


@dataclass(frozen=True, slots=True)
class Row:
    """A team's line: number and interval by metric."""

    team: str
    information: str
    sees: str
    scores: tuple[tuple[str, str], ...]
    money: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Pictures:
    """What a team's first episode looked like, as SVG; empty where there is nothing to draw."""

    team: str
    seed: int
    dispatch: str
    stored: str
    bids: str
    rounds: str


@dataclass(frozen=True, slots=True)
class Section:
    """All about one world."""

    world: World
    caption: str
    rows: tuple[Row, ...]
    note: str
    chart: str
    pictures: tuple[Pictures, ...]


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    text = (Path(__file__).parent / "templates" / "report.html").read_text("utf-8")
    return Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True).from_string(text)


def render_report(found: Comparison) -> str:
    """Everything of a comparison on one page without scripts, links or other files.

    Parameters
    ----------
    found : Comparison

    Returns
    -------
    str
        HTML.
    """
    heads = {"scores": [HEADS.get(m, label(m)) for m in SCORES], "money": [HEADS.get(m, label(m)) for m in MONEY]}
    sections = [_section(found, world) for world in found.worlds]
    return _template().render(sections=sections, settings=found.settings, failures=found.failures, heads=heads)


def _section(found: Comparison, world: World) -> Section:
    ranked = found.ranked(world.name)
    played = [team for team in ranked if found.runs(world.name, team)]
    return Section(
        world=world,
        caption=caption(found, world),
        rows=tuple(_row(found, world.name, team) for team in played),
        note="" if has_share(found, world.name) else NO_SHARE,
        chart=plots.scores(found, world.name),
        pictures=tuple(_pictures(found, world.name, t) for t in played if (world.name, t) in found.trajectories),
    )


def _row(found: Comparison, world: str, team: str) -> Row:
    information, sees = about(found, world, team)
    numbers = [tuple(cell(found, world, team, metric) for metric in metrics) for metrics in (SCORES, MONEY)]
    return Row(team, information, sees, numbers[0], numbers[1])


def _pictures(found: Comparison, world: str, team: str) -> Pictures:
    played = found.trajectories[world, team]
    drawn = (plots.dispatch(played), plots.stored_energy(played), plots.bids(played), plots.convergence(played))
    return Pictures(team, played.seed, *drawn)
