"""The fifth player: homes that negotiate who serves the dearest hours, and live by self-consumption in between.

Once an hour the aggregator looks at the public price forecast. It takes the dearest hours that nobody has been asked
about yet, dearest first, and opens a negotiation about each: every home's menu is made from its own seat alone
(:mod:`gridmarl.negotiation.homes.home_desk`), rounds lead to a coalition, and what the members promise becomes the
powers of their batteries in that hour. Where the transformer was near its rating in the last interval, relief in the
coming hour is asked for first, if the team's file says what that is worth. Otherwise a home stores its own sun, serves
its own load where that pays with what no promise needs, and charges its car in the cheapest way that keeps the
deadline. What of the outcome is the negotiation's tells ``events: 0``, the same homes alone.

Notes
-----
What the aggregator hears are bids, no more: kW and asks. Its opportunities come from the public forecast, and from the
loading of the transformer, which everybody behind it sees. The market pays every home's own meter; the aggregator's
books (of ``led``) say how an hour's revenue would be shared, and move no money in the market's accounts. Wishes
are no part of a world: they are drawn by the seed, or conservative, and bind this player where others know of none.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar, Final, Literal

import numpy as np
import yaml
from pydantic import Field

from gridmarl.agents.agent import Information, Sees
from gridmarl.agents.homes import SelfConsumption
from gridmarl.agents.seats import Seats
from gridmarl.environment.compiled.fields import FIELDS
from gridmarl.files import write_atomically
from gridmarl.negotiation.coalition.offers import CoalitionRules
from gridmarl.negotiation.coalition.rounds import Settings
from gridmarl.negotiation.cycle import Negotiation, devices, negotiate
from gridmarl.negotiation.homes.fleet import draw_fleet, fleet_of
from gridmarl.negotiation.homes.home_desk import HomeDesk, narrowed
from gridmarl.negotiation.homes.living import Stored, blocked_at
from gridmarl.negotiation.homes.preferences import Preferences
from gridmarl.negotiation.roster import strategy_of
from gridmarl.negotiation.schemas import PRICE_LIMIT_PER_MWH, MarketOpportunity
from gridmarl.scenario.model import Model
from gridmarl.units import HOURS_PER_DAY, KW_PER_MW, Float, Float32

PLACE: Final = {field.name: number for number, field in enumerate(FIELDS["prosumer"])}
DAY_ZERO: Final = datetime(2000, 1, 3, tzinfo=UTC)
"""Only the local time of day counts."""
NEAR_RATING: Final = 0.9
"""Of a transformer, in import: beyond it relief is asked for."""
RISE: Final = 1.02
"""An hour that nobody wanted to serve is asked about again once its price has risen by this factor."""
DUST_H: Final = 1e-6


class NegotiatorSettings(Model):
    """What a team file may say."""

    strategy: str = Field("rule", description="who picks from the menus: rule, random, floor, learned")
    wishes: Literal["drawn", "conservative"] = Field("drawn", description="of the homes, which no world states")
    event_h: float = Field(1.0, gt=0, description="length of what is negotiated about")
    horizon_h: float = Field(24.0, gt=0, description="how far homes look ahead")
    notice_h: float = Field(
        2.0, gt=0, description="how long before an hour it may be negotiated about; forecasts err less"
    )
    events: int = Field(6, ge=0, description="negotiations at most, each time it looks; 0: the same homes, alone")
    wanted_kw: float = Field(1.0, gt=0, description="asked for, for each home")
    relief_per_mwh: float = Field(0.0, ge=0, description="offered for relief of a transformer near its rating; 0: none")
    cars_discharge: bool = Field(
        False, description="whether cars offer energy; it must be bought back before they leave"
    )


class NegotiatorAgent:
    """Plays prosumers by negotiation.

    Parameters
    ----------
    **settings
        Fields of :class:`NegotiatorSettings`.

    Attributes
    ----------
    led : list of Negotiation
        Of this episode, in the order they were led.
    """

    information: Information = "forecast"
    sees: Sees = "own"
    constant: ClassVar[bool] = False
    rules: ClassVar[CoalitionRules] = CoalitionRules(relaxed_share=0.1)
    """Energy is taken in any quantity: below a tenth of what is wanted it is not worth the calls."""

    def __init__(self, **settings: object) -> None:
        self.settings = NegotiatorSettings.parse(settings, "negotiate")
        self.strategy = strategy_of(self.settings.strategy)
        self.codecs: Mapping[str, str] = {"prosumer": "assets"}
        self.led: list[Negotiation] = []
        self.desks: dict[str, HomeDesk] = {}
        self._usual = SelfConsumption()
        self._served: set[int] = set()  # first intervals of hours that a coalition serves
        self._refused: dict[int, float] = {}  # those nobody served, and the price that was offered

    def begin(self, seats: Seats, seed: int) -> None:
        """Let every home sit down with its own seat and its own wishes."""
        self._seats, self._seed = seats, seed
        self.led, self._served, self._refused = [], set(), {}
        self._usual.begin(seats, seed)
        wishes = self._wishes(len(seats.played), seed)
        owners = {seat: owner for owner, names in seats.owners.items() for seat in names}
        self.desks = {
            seat: HomeDesk(seats.for_owner(owners[seat]), seat, wished, self.settings.cars_discharge)
            for seat, wished in zip(seats.played, wishes, strict=True)
        }
        self._fleet = fleet_of([desk.household() for desk in self.desks.values()])
        self._event = max(1, round(self.settings.event_h / seats.facts.interval_h))

    def act(self, observations: Mapping[str, Float32]) -> dict[str, Float]:
        """Battery, vehicle and flexible load of every home."""
        seats = self._seats
        count = min(round(self.settings.horizon_h / seats.facts.interval_h), seats.facts.intervals - seats.interval)
        feed = seats.forecast(max(count, 1))
        prices = seats.reference_prices(feed)
        for desk in self.desks.values():
            desk.look(feed, prices)
        seen = next(iter(observations.values()))
        hour = float(np.arctan2(seen[PLACE["hour_sin"]], seen[PLACE["hour_cos"]])) * HOURS_PER_DAY / (2.0 * np.pi)
        hour = round(hour % HOURS_PER_DAY / seats.facts.interval_h) * seats.facts.interval_h % HOURS_PER_DAY
        if seats.interval % self._event == 0:
            self._negotiate(prices, hour, float(seen[PLACE["transformer_loading"]]))
        usual, blocked = self._usual.act(observations), blocked_at(self._fleet, hour + DUST_H)
        return {
            name: desk.action(usual[name], bool(asleep))
            for (name, desk), asleep in zip(self.desks.items(), blocked, strict=True)
        }

    def save(self, folder: Path) -> None:
        """Write the settings as YAML."""
        given = {"kind": "negotiate", **self.settings.model_dump(exclude_unset=True)}
        write_atomically(folder / "agent.yaml", yaml.safe_dump(given))

    def _wishes(self, count: int, seed: int) -> list[Preferences]:
        if self.settings.wishes == "conservative":
            return [Preferences()] * count
        return [home.preferences for home in draw_fleet(count, seed).households()]

    def _negotiate(self, prices: Float, hour: float, loading: float) -> None:
        """About the dearest hours that nobody serves yet."""
        n, t = self._event, self._seats.interval
        ahead = n + round(self.settings.notice_h / self._seats.facts.interval_h)
        worth = {
            first: float(prices[first : first + n].mean())
            for first in range(0, min(len(prices), ahead) - n + 1, n)
            if t + first not in self._served
        }
        if loading <= -NEAR_RATING and 0 in worth:
            worth[0] = max(worth[0], self.settings.relief_per_mwh)
        asked = [k for k, price in worth.items() if price > self._refused.get(t + k, 0.0) * RISE]
        for first in sorted(asked, key=lambda k: (-worth[k], k))[: self.settings.events]:
            self._lead(first, min(worth[first], PRICE_LIMIT_PER_MWH), hour)

    def _lead(self, first: int, price_per_mwh: float, hour: float) -> None:
        """One negotiation; what comes of it is promised."""
        last, t, facts = first + self._event, self._seats.interval, self._seats.facts
        start = DAY_ZERO + timedelta(hours=hour + first * facts.interval_h)
        homes = list(self.desks.values())
        opportunity = MarketOpportunity(
            opportunity_id=f"{t:04d}-{t + first:04d}",
            market_type="energy",
            timestamp=start,
            duration_hours=self._event * facts.interval_h,
            required_capacity_mw=self.settings.wanted_kw * len(homes) / KW_PER_MW,
            market_price_mwh=price_per_mwh,
            deadline=start,
        )
        fleet = fleet_of([narrowed(desk, desk.asks_per_mwh(first, last)) for desk in homes])
        stored = Stored(
            np.array([desk.stored_kwh(first, last) for desk in homes]),
            np.array([desk.car_kwh(first) for desk in homes]),
            opportunity.local_hour,
        )
        settings = Settings(rules=self.rules)
        seed = self._seed * 1009 + t
        found = negotiate(fleet, opportunity, self.strategy, settings=settings, stored=stored, seed=seed)
        self.led.append(found)
        if not found.table.selection.members.any():
            self._refused[t + first] = price_per_mwh
            return
        self._served.add(t + first)
        battery, car = devices(found.able, found.kw)
        for desk, battery_kw, car_kw in zip(homes, battery, car, strict=True):
            desk.promise(first, last, float(battery_kw), float(car_kw))
            desk.look_again()
