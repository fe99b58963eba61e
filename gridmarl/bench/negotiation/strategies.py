"""Who picks from the menus, compared: strategies meet the same opportunities under the same settings.

Nothing is tuned to any of them: the opening price is the settings' own. Fleets and opportunities are other ones than
those that a policy learned on (:data:`gridmarl.negotiation.game.FIRST_FLEET`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from gridmarl.bench.numbers import interval, money, number, percent
from gridmarl.bench.progress import SILENT, Stage
from gridmarl.bench.statistics import Estimate
from gridmarl.negotiation.coalition.rounds import Settings
from gridmarl.negotiation.cycle import Negotiation, negotiate
from gridmarl.negotiation.homes.fleet import draw_fleet
from gridmarl.negotiation.homes.living import usual_day
from gridmarl.negotiation.opportunities import draw_opportunities
from gridmarl.negotiation.roster import strategy_of
from gridmarl.negotiation.strategies import Strategy
from gridmarl.units import Float

if TYPE_CHECKING:
    from rich.table import Table

NAMES: Final = ("rule", "learned", "random", "floor")
COLUMNS: Final = ("full", "surplus", "profit", "members", "soft_kept", "satisfaction", "rounds")
"""Of each opportunity; money in $, satisfaction NaN without members."""
RESAMPLES: Final = 2000


@dataclass(frozen=True, slots=True, eq=False)
class StrategiesCompared:
    """What each strategy came to, opportunity by opportunity."""

    values: Mapping[str, Mapping[str, Float]]  # strategy -> column -> (opportunity,)
    size: int
    settings: Settings

    def of(self, name: str, column: str) -> Float:
        """(opportunity,) values; ``both`` is surplus and profit."""
        found = self.values[name]
        return found["surplus"] + found["profit"] if column == "both" else found[column]

    def gain(self, name: str, other: str, column: str) -> Estimate:
        """By how much the mean of a strategy exceeds another's on the same opportunities, with 95 % interval."""
        apart = self.of(name, column) - self.of(other, column)
        drawn = np.random.default_rng(0).integers(0, len(apart), (RESAMPLES, len(apart)))
        low, high = np.quantile(apart[drawn].mean(axis=1), [0.025, 0.975]).tolist()
        return Estimate(float(apart.mean()), low, high)

    def to_dict(self) -> dict[str, object]:
        """Means, and gains over the first strategy."""
        first = next(iter(self.values))
        gains = {name: {c: self.gain(name, first, c) for c in ("surplus", "profit", "both")} for name in self.values}
        return {
            "size": self.size,
            "means": {n: {c: float(np.nanmean(self.of(n, c))) for c in COLUMNS} for n in self.values},
            f"over_{first}": {
                name: {c: {"value": e.value, "low": e.low, "high": e.high} for c, e in found.items()}
                for name, found in gains.items()
                if name != first
            },
        }


def compare_strategies(
    strategies: Sequence[str | Strategy] = NAMES,
    *,
    size: int = 200,
    fleets: Sequence[int] = (1, 2, 3),
    opportunities: int = 100,
    settings: Settings | None = None,
    stage: Stage = SILENT,
) -> StrategiesCompared:
    """Let every strategy meet the same opportunities.

    Parameters
    ----------
    strategies : sequence of str or Strategy
        The first is what the others are compared with.
    size : int
        Prosumers of a fleet.
    fleets : sequence of int
        Seeds.
    opportunities : int
        Of each fleet.
    settings : Settings, optional
    stage : Stage
        Hears of every fleet.
    """
    settings = settings or Settings()
    players = [strategy_of(one) if isinstance(one, str) else one for one in strategies]
    rows: dict[str, list[tuple[float, ...]]] = {player.name: [] for player in players}
    for seed in fleets:
        fleet = draw_fleet(size, seed)
        day = usual_day(fleet)
        for number_, one in enumerate(draw_opportunities(fleet, opportunities, seed, day)):
            stored = day[int(one.local_hour)]
            for player in players:
                found = negotiate(fleet, one, player, settings=settings, stored=stored, seed=1009 * seed + number_)
                rows[player.name].append(_row(found))
        stage.advance(1)
    values: dict[str, Mapping[str, Float]] = {}
    for name, found_rows in rows.items():
        columns: list[Float] = list(np.array(found_rows, np.float64).T)
        values[name] = {column: one for column, one in zip(COLUMNS, columns, strict=True)}  # noqa: C416  # str keys
    return StrategiesCompared(values, size, settings)


def _row(found: Negotiation) -> tuple[float, ...]:
    members = found.table.selection.members
    return (
        float(found.table.selection.outcome == "full"),
        found.surplus,
        found.books.profit,
        float(members.sum()),
        float(found.soft_kept.sum()),
        float(found.satisfaction[members].mean()) if members.any() else np.nan,
        float(found.table.round),
    )


def strategies_table(found: StrategiesCompared) -> Table:
    """Means, and paired gains over the first strategy, as a table."""
    from rich.table import Table

    names = list(found.values)
    count = len(found.of(names[0], "full"))
    title = f"\n[bold]{count} opportunities, fleets of {found.size}: who picks from the menus[/bold]"
    table = Table("", *names, title=title, title_justify="left", box=None, pad_edge=False)

    def mean(name: str, column: str) -> float:
        return float(np.nanmean(found.of(name, column)))

    table.add_row("met in full", *(percent(mean(n, "full")) for n in names))
    for column, words in (("surplus", "prosumers' surplus"), ("profit", "aggregator's profit"), ("both", "both")):
        table.add_row(f"{words}, an opportunity", *(money(mean(n, column), 2) for n in names))
    kept = (found.of(n, "soft_kept").sum() / max(found.of(n, "members").sum(), 1.0) for n in names)
    table.add_row("members whose soft wish is kept", *(percent(float(share)) for share in kept))
    table.add_row("satisfaction, 0-10", *(number(mean(n, "satisfaction"), 2) for n in names))
    table.add_row("rounds", *(number(mean(n, "rounds"), 2) for n in names))
    for column in ("surplus", "profit", "both"):
        gains = [found.gain(n, names[0], column) for n in names[1:]]
        cells = (f"{number(g.value, 2)} {interval(g)}" for g in gains)
        table.add_row(f"{column} over {names[0]}'s, 95 %", "", *cells)
    return table
