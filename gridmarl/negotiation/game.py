"""A negotiation as a game of its prosumers: each picks an entry of its own menu every round, and is paid at the end.

What a player sees is made of what everybody is told (:class:`gridmarl.negotiation.strategies.Context`) and of its own
menu, nothing else, all of it relative to the market's price and to its own power, so that players of any size and in
any market can share one policy. The same numbers are what a learned strategy reads later.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from gridmarl.errors import ScenarioError
from gridmarl.negotiation.coalition.payments import Books, Deal, SettlementRule, settle
from gridmarl.negotiation.coalition.rounds import (
    Settings,
    Table,
    context_of,
    counter_offers,
    evaluate,
    goes_on,
    open_table,
    with_bids,
)
from gridmarl.negotiation.homes.adoption import Adoption
from gridmarl.negotiation.homes.capability import ROUNDING, Capability, capability
from gridmarl.negotiation.homes.fleet import ProsumerFleet, draw_fleet
from gridmarl.negotiation.homes.living import Stored, usual_day
from gridmarl.negotiation.menu import DEPTHS, MARKS, Menus, build_menus, entry
from gridmarl.negotiation.opportunities import MARKETS, draw_opportunities
from gridmarl.negotiation.strategies import Context
from gridmarl.units import HOURS_PER_DAY, KW_PER_MW, Float, Float32, Int

OBSERVATION: Final = (
    "round",
    "last",
    "short",
    "offered_price",
    "wanted",
    "offered_before",
    "depth_before",
    "mark_before",
    "power_before",
    "taken",
    *MARKETS,
    "duration",
    "hour_sin",
    "hour_cos",
    "power",
    *(f"valid_{depth}" for depth in range(len(DEPTHS))),
    *(f"power_{depth}" for depth in range(len(DEPTHS))),
    *(f"floor_{depth}" for depth in range(len(DEPTHS))),
)
"""What a player sees: prices over the market's, powers over its own most, power in 10 kW."""
KW_SCALE: Final = 10.0
LONGEST_H: Final = 4.0
MOST_ROUNDS: Final = 6.0
HIGHEST: Final = 3.0
"""Numbers are cut here."""
FIRST_FLEET: Final = 10_000
"""Seeds of the game's fleets begin here; tables are measured on others."""
FLEETS: Final = 64
WITH_SOMETHING: Final = Adoption(battery_under_roof=0.95)
"""Who owns nothing has nothing to choose."""
OPENINGS: Final = (0.0, 0.8)
"""Opening prices over the market's, drawn evenly."""


def observe(menus: Menus, context: Context) -> Float32:
    """What each player sees, (prosumer, field) in the order of :data:`OBSERVATION`."""
    one, size = context.opportunity, len(menus)
    market, everyone = max(one.market_price_mwh, 1e-6), np.arange(size)
    depths = np.array([entry(depth, 0) for depth in range(len(DEPTHS))])
    top = np.maximum(menus.kw.max(axis=1), 1e-9)
    before = menus.kw[everyone, context.previous]
    offered = context.previous > 0
    hour = 2.0 * np.pi * one.local_hour / HOURS_PER_DAY
    common = [
        context.round / MOST_ROUNDS,
        float(context.last),
        float(context.short),
    ]
    told = [
        *(float(one.market_type == market_type) for market_type in MARKETS),
        one.duration_hours / LONGEST_H,
        np.sin(hour),
        np.cos(hour),
    ]
    own = [
        context.offered_price_per_mwh / market,
        context.wanted_kw / top,
        offered,
        np.where(offered, (context.previous - 1) // len(MARKS), 0) / (len(DEPTHS) - 1),
        np.where(offered, np.array(MARKS)[(context.previous - 1) % len(MARKS)], 0.0),
        before / top,
        np.divide(context.taken_kw, before, out=np.zeros(size), where=before > 0.0),
    ]
    seen = np.concatenate(
        [
            np.tile(common, (size, 1)),
            np.stack(own, axis=1),
            np.tile(told, (size, 1)),
            menus.kw.max(axis=1)[:, None] / KW_SCALE,
            menus.valid[:, depths],
            menus.kw[:, depths] / top[:, None],
            np.where(menus.valid[:, depths], menus.price_per_mwh[:, depths] / market, 0.0),
        ],
        axis=1,
    )
    return np.clip(seen, -HIGHEST, HIGHEST).astype(np.float32)


@dataclass(slots=True, eq=False)
class Round:
    """Where a game stands: the table, and what its players alone know."""

    fleet: ProsumerFleet
    able: Capability
    menus: Menus
    table: Table
    settings: Settings
    over: bool = False

    @property
    def seen(self) -> Float32:
        """What the players see."""
        return observe(self.menus, context_of(self.table, self.settings))


class Game:
    """Draws negotiations and plays them.

    Parameters
    ----------
    size : int
        Prosumers at the table.
    rule : str
        How they are paid.
    wish : float
        What it costs a prosumer to give all that it could rather than what it prefers, beside the money that is in its
        floor: a share of what the market would pay for all that it could hold.
    settings : Settings, optional
        The opening price is drawn for each game.

    Raises
    ------
    ScenarioError
        Where there are too few for any coalition.
    """

    def __init__(
        self, size: int, rule: SettlementRule = "uniform", wish: float = 0.0, settings: Settings | None = None
    ) -> None:
        self.settings = settings or Settings()
        if size < self.settings.rules.least_members:
            least = self.settings.rules.least_members
            raise ScenarioError("prosumers at a table", size, f"at least {least}", "seat more")
        self.size, self.wish = size, wish
        self.rule: SettlementRule = rule
        self._days: dict[int, tuple[ProsumerFleet, tuple[Stored, ...]]] = {}

    def begin(self, seed: int) -> Round:
        """A fleet, an opportunity for it and an opening price; the same seed gives the same."""
        rng = np.random.default_rng([seed, 0x6A])
        fleet, day = self._fleet(int(rng.integers(FLEETS)))
        opportunity = draw_opportunities(fleet, 1, seed, day)[0]
        settings = replace(self.settings, opening_share=float(rng.uniform(*OPENINGS)))
        able = capability(fleet, day[int(opportunity.local_hour)], opportunity)
        menus = build_menus(able, opportunity.market_price_mwh)
        return Round(fleet, able, menus, open_table(opportunity, self.size, settings), settings)

    def _fleet(self, number: int) -> tuple[ProsumerFleet, tuple[Stored, ...]]:
        if number not in self._days:
            fleet = draw_fleet(self.size, FIRST_FLEET + number, WITH_SOMETHING)
            self._days[number] = fleet, usual_day(fleet)
        return self._days[number]

    def play(self, now: Round, choices: Int, most_rounds: int | None = None) -> Round:
        """The game after a round of choices.

        Raises
        ------
        CommitmentError
            Where a choice is not on its menu.
        """
        table = evaluate(with_bids(now.table, choices, *now.menus.chosen(choices)), now.settings)
        stopped = most_rounds is not None and table.round >= most_rounds
        if stopped or not goes_on(table, now.settings):
            return replace(now, table=table, over=True)
        return replace(now, table=counter_offers(table, now.settings))

    def books(self, now: Round) -> Books:
        """Who is paid what when the game is over."""
        return settle(Deal.of(now.table, now.settings.rules), self.rule)

    def reward(self, now: Round, books: Books) -> Float:
        """(prosumer,) $ that each gains above its cost, before rounding to cents, less what its soft wish is worth."""
        one, kw, able = now.table.opportunity, now.table.selection.kw, now.able
        gain = books.agreed_per_mwh * kw * one.duration_hours / KW_PER_MW - able.cost(kw)
        beyond, room = np.maximum(kw - able.preferred_kw, 0.0), able.most_kw - able.preferred_kw
        strain = np.divide(beyond, room, out=np.zeros(self.size), where=room > ROUNDING)
        return gain - self.wish * np.clip(strain, 0.0, 1.0) * self.most(now)

    def share(self, now: Round, books: Books) -> Float:
        """(prosumer,) the same over what the market would pay for all that it could hold; 0 without anything."""
        most = self.most(now)
        return np.divide(self.reward(now, books), most, out=np.zeros(self.size), where=most > 1e-9)

    @staticmethod
    def most(now: Round) -> Float:
        """(prosumer,) $ that the market would pay for all that each could hold."""
        one = now.table.opportunity
        return one.market_price_mwh * now.able.most_kw * one.duration_hours / KW_PER_MW
