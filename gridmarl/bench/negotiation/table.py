"""The figures of a measured negotiation as tables for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from gridmarl.bench.negotiation.study import COMPARED, FULL, PLAYERS, Measured
from gridmarl.bench.numbers import interval, money, number, percent
from gridmarl.bench.statistics import Estimate

if TYPE_CHECKING:
    from rich.table import Table


def figures_table(found: Measured) -> Table:
    """What each player reached, as a table."""
    from rich.table import Table

    title = (
        f"[bold]{len(found.rounds)} opportunities, {len(found.study.fleets)} fleets of {found.study.size}; "
        f"{percent(1.0 - float(found.feasible.mean()))} of them nobody could meet in full[/bold]"
    )
    table = Table("", *PLAYERS, title=title, title_justify="left", box=None, pad_edge=False)
    for name, written in _lines(found):
        table.add_row(name, *(written(player) for player in PLAYERS))
    return table


def _lines(found: Measured) -> list[tuple[str, Callable[[str], str]]]:
    def members(player: str) -> float:
        return max(float(found.of(player, "members").sum()), 1.0)

    def per_home(player: str) -> float:
        return float((found.of(player, "surplus") / np.maximum(found.eligible, 1.0)).mean())

    return [
        ("met in full, of those possible", lambda p: percent(found.success(p))),
        ("relaxed to 80 % or more", lambda p: percent(float(found.of(p, "relaxed").mean()))),
        ("revenue an opportunity", lambda p: money(float(found.of(p, "revenue").mean()), 2)),
        ("aggregator's profit", lambda p: money(float(found.of(p, "profit").mean()), 2)),
        ("prosumers' surplus", lambda p: money(float(found.of(p, "surplus").mean()), 2)),
        ("surplus an eligible prosumer", lambda p: money(per_home(p), 4)),
        ("both together", lambda p: money(float(found.welfare(p).mean()), 2)),
        ("members whose soft wish is kept", lambda p: percent(found.soft_kept(p))),
        (
            "power within soft wishes",
            lambda p: percent(float(found.of(p, "calm_kw").sum() / max(found.of(p, "kw").sum(), 1e-9))),
        ),
        ("members overrun by hard wishes", lambda p: percent(float(found.of(p, "overruns").sum()) / members(p))),
        ("members paid below their floor", lambda p: percent(float(found.of(p, "below_floor").sum()) / members(p))),
    ]


def pairs_table(found: Measured) -> Table:
    """What negotiating changes, with intervals of 95 %, as a table."""
    from rich.table import Table

    head = ("", "", "95 % interval")
    table = Table(*head, title="\n[bold]paired[/bold]", title_justify="left", box=None, pad_edge=False)
    rows: Sequence[tuple[str, Estimate]] = (
        ("gap from the single offer to full information closed", found.gap_closed()),
        ("surplus / single offer's", found.surplus_ratio()),
        ("profit / single offer's", found.profit_ratio()),
        ("revenue / full information's", found.revenue_ratio()),
        *(
            (f"{column} above the {player}'s, $ an opportunity", found.above(player, column))
            for player in PLAYERS[1:]
            for column in (COMPARED if player != FULL else ("welfare",))
        ),
    )
    for name, estimate in rows:
        table.add_row(name, number(estimate.value, 3), interval(estimate))
    table.add_row("satisfaction, 0-10", number(float(np.nanmean(found.satisfaction)), 2), "")
    table.add_row("rounds", number(float(found.rounds.mean()), 2), "")
    return table
