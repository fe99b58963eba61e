"""One self-contained HTML page of a comparison: what ran, the tables, how to read them, pictures, failures."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gridmarl.bench.numbers import label, money, number, percent
from gridmarl.bench.pictures import comparison, grid
from gridmarl.bench.results import Comparison, World
from gridmarl.bench.table import (
    GRID,
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
from gridmarl.evaluation.trajectory import Trajectory
from gridmarl.evaluation.wear import StorageWear, storage_wear

if TYPE_CHECKING:
    from jinja2 import Template

DRAWINGS: Final[Mapping[str, Callable[[Trajectory], str]]] = {
    "dispatch": comparison.dispatch,
    "stored": comparison.stored_energy,
    "bids": comparison.bids,
    "rounds": comparison.convergence,
    "frequency": grid.frequency,
    "voltage": grid.voltage,
    "reserve": grid.reserve,
    "emergency": grid.emergency,
}
"""Field of :class:`Pictures` -> who draws it."""
MOST_BATTERIES: Final = 8
"""Of a fleet only those that wear most are listed."""


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
    grid: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Wear:
    """A battery's line, as text."""

    battery: str
    cycles: str
    deepest: str
    deep_cycles: str
    rainflow: str
    online: str
    throughput: str

    @classmethod
    def of(cls, worn: StorageWear) -> Wear:
        """The numbers as people read them."""
        flow = worn.rainflow
        return cls(
            battery=worn.name,
            cycles=number(flow.equivalent_cycles),
            deepest=percent(flow.deepest),
            deep_cycles=number(worn.deep_cycles),
            rainflow=money(flow.damage),
            online=money(worn.online_cost),
            throughput=money(worn.throughput_cost),
        )


@dataclass(frozen=True, slots=True)
class Pictures:
    """What a team's first episode looked like, as SVG; empty where there is nothing to draw."""

    team: str
    seed: int
    dispatch: str
    stored: str
    bids: str
    rounds: str
    frequency: str
    voltage: str
    reserve: str
    emergency: str
    wear: tuple[Wear, ...]


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
    blocks = {"scores": SCORES, "money": MONEY, "grid": GRID}
    heads = {name: [HEADS.get(m, label(m)) for m in metrics] for name, metrics in blocks.items()}
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
        chart=apart(comparison.scores(found, world.name), f"{world.name}-scores"),
        pictures=tuple(_pictures(found, world.name, t) for t in played if (world.name, t) in found.trajectories),
    )


def _row(found: Comparison, world: str, team: str, best: str) -> Row:
    information, sees = about(found, world, team)
    numbers = [tuple(cell(found, world, team, metric) for metric in metrics) for metrics in (SCORES, MONEY, GRID)]
    behind = shown(None if team == best else found.behind(world, team, best), money)
    failed = not found.runs(world, team)
    return Row(named(found, world, team), failed, behind, information, sees, *numbers)


def _pictures(found: Comparison, world: str, team: str) -> Pictures:
    played = found.trajectories[world, team]
    svgs = {kind: apart(draw(played), f"{world}-{team}-{kind}") for kind, draw in DRAWINGS.items()}
    return Pictures(team, played.seed, wear=tuple(Wear.of(worn) for worn in worst_worn(played)), **svgs)


def worst_worn(played: Trajectory) -> list[StorageWear]:
    """Batteries of the most cycles first, at most :data:`MOST_BATTERIES`."""
    worn = sorted(storage_wear(played), key=lambda w: w.rainflow.equivalent_cycles, reverse=True)
    return worn[:MOST_BATTERIES]


def apart(svg: str, name: str) -> str:
    """Give a picture's parts names of their own: on one page two that share a name would borrow each other's parts."""
    own = re.sub(r"[^A-Za-z0-9]+", "-", name)
    return re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{own}-", svg)
