"""One self-contained HTML page of a comparison: what ran, the tables, how to read them, pictures, failures."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from gridmarl.bench import plots
from gridmarl.bench.numbers import label, money, number
from gridmarl.bench.results import Comparison, World
from gridmarl.bench.table import (
    HEADS,
    MONEY,
    NO_SHARE,
    SCORES,
    about,
    caption,
    cell,
    failure_notes,
    has_share,
    named,
    shown,
)

if TYPE_CHECKING:
    from jinja2 import Template


@dataclass(frozen=True, slots=True)
class Row:
    """A team's line: number and interval by metric. One that finished no seed has only its name."""

    team: str
    failed: bool
    behind: tuple[str, str]  # paired with the best team of the table
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
    return Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True).from_string(
        text
    )


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
    several = found.teams if len(found.worlds) > 1 else ()
    shares = [(team, shown(share, number)) for team in several if (share := found.overall(team))]
    heads = {"scores": [HEADS.get(m, label(m)) for m in SCORES], "money": [HEADS.get(m, label(m)) for m in MONEY]}
    sections = [_section(found, world) for world in found.worlds]
    failures = [note for world in found.worlds for note in failure_notes(found, world.name)]
    return _template().render(
        sections=sections,
        settings=found.settings,
        failures=failures,
        heads=heads,
        shares=shares,
    )


def _section(found: Comparison, world: World) -> Section:
    ranked = found.ranked(world.name)
    played = [team for team in ranked if found.runs(world.name, team)]
    return Section(
        world=world,
        caption=caption(found, world),
        rows=tuple(_row(found, world.name, team, ranked[0]) for team in ranked),
        note="" if has_share(found, world.name) else NO_SHARE,
        chart=apart(plots.scores(found, world.name), f"{world.name}-scores"),
        pictures=tuple(_pictures(found, world.name, t) for t in played if (world.name, t) in found.trajectories),
    )


def _row(found: Comparison, world: str, team: str, best: str) -> Row:
    information, sees = about(found, world, team)
    numbers = [tuple(cell(found, world, team, metric) for metric in metrics) for metrics in (SCORES, MONEY)]
    behind = shown(None if team == best else found.behind(world, team, best), money)
    failed = not found.runs(world, team)
    return Row(named(found, world, team), failed, behind, information, sees, numbers[0], numbers[1])


def _pictures(found: Comparison, world: str, team: str) -> Pictures:
    played = found.trajectories[world, team]
    drawn = (plots.dispatch(played), plots.stored_energy(played), plots.bids(played), plots.convergence(played))
    kinds = ("dispatch", "stored", "bids", "rounds")
    svgs = [apart(svg, f"{world}-{team}-{kind}") for svg, kind in zip(drawn, kinds, strict=True)]
    return Pictures(team, played.seed, *svgs)


def apart(svg: str, name: str) -> str:
    """Give a picture's parts names of their own: on one page two that share a name would borrow each other's parts."""
    own = re.sub(r"[^A-Za-z0-9]+", "-", name)
    return re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{own}-", svg)
