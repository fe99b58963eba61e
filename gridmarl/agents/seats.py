"""A live, read-only handle on what a player may know: its own seats, the public feed, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import ndtri

from gridmarl.assets import battery, generator, load
from gridmarl.assets.ev import SLACK_H
from gridmarl.data import profiles
from gridmarl.data.profiles import forecast_spread
from gridmarl.environment.core import Core
from gridmarl.errors import DataError, PrivacyError, nearest
from gridmarl.scenario.participants import Battery, ElectricVehicle, Generator, GridConnection, Load
from gridmarl.scenario.prosumers import PARTS, Prosumer
from gridmarl.scenario.rules import MarketRules, PriceScenarios
from gridmarl.units import HOURS_PER_DAY, Bool, Float


@dataclass(frozen=True, slots=True)
class GeneratorSeat:
    """A generator's private parameters and its state now."""

    parameters: Generator
    output_mw: float
    online: bool
    ramp_mw: float  # per interval


@dataclass(frozen=True, slots=True)
class StorageSeat:
    """A battery's private parameters and its state now."""

    parameters: Battery
    energy_mwh: float
    power_mw: float
    away: bool = False  # a vehicle, in the interval about to be decided


@dataclass(frozen=True, slots=True)
class ConsumerSeat:
    """A load's private parameters and its state now."""

    parameters: Load
    debt_mwh: float


SeatState = GeneratorSeat | StorageSeat | ConsumerSeat


@dataclass(frozen=True, slots=True)
class ProsumerSeat:
    """A home's private parameters, and those parts of it that exist, by key (solar, battery, ev, load)."""

    parameters: Prosumer
    parts: Mapping[str, SeatState]


@dataclass(frozen=True, slots=True)
class Feed:
    """The public series from now on: expectation and spread, or the truth.

    Attributes
    ----------
    names : tuple of str
        Profiles.
    mean : (interval, profile) array
    spread : (interval, profile) array
        Standard deviation of the forecast error; 0 with perfect information.
    """

    names: tuple[str, ...]
    mean: Float
    spread: Float
    low: Float  # (profile,)
    high: Float  # (profile,)

    def of(self, name: str) -> Float:
        """Expectation of a profile, (interval,)."""
        return self.mean[:, self._column(name)]

    def quantile(self, name: str, probability: float) -> Float:
        """Quantile of a profile, (interval,): the deviations are normal."""
        p = self._column(name)
        return np.clip(self.mean[:, p] + ndtri(probability) * self.spread[:, p], self.low[p], self.high[p])

    def _column(self, name: str) -> int:
        if name not in self.names:
            raise DataError("profile", name, ", ".join(self.names), nearest(name, self.names))
        return self.names.index(name)


@dataclass(frozen=True, slots=True)
class TransformerFacts:
    """A transformer and who is behind it, as everybody knows it; + is export, of at most the rating either way."""

    name: str
    limit_mw: float
    seats: tuple[str, ...]
    owners: tuple[str, ...]  # of those seats


@dataclass(frozen=True, slots=True)
class PublicFacts:
    """What everybody knows of the world."""

    interval_h: float
    intervals: int
    rules: MarketRules
    connection: GridConnection | None
    stored_energy_price_per_mwh: float
    reference_price_per_mwh: float
    price_scenarios: PriceScenarios | None
    digest: str


class Seats:
    """What a player may know of one running market.

    Parameters
    ----------
    core : Core
    row : int
        Which of its environments.
    played : tuple of str
        Seats the player plays.
    information, sees
        What the player declared.
    """

    def __init__(self, core: Core, row: int, played: tuple[str, ...], information: str, sees: str) -> None:
        self._core, self._row = core, row
        self.played = played
        self.information, self.sees = information, sees
        self._narrow: dict[str, Seats] = {}

    @property
    def interval(self) -> int:
        """The interval about to be decided."""
        return int(self._core.rows.t[self._row])

    @cached_property
    def facts(self) -> PublicFacts:
        """What everybody knows of the world."""
        s = self._core.compiled.scenario
        return PublicFacts(
            s.interval_h,
            s.intervals,
            s.market,
            s.connection,
            s.stored_energy_price_per_mwh,
            s.reference_price_per_mwh,
            s.price_scenarios,
            s.digest,
        )

    @cached_property
    def transformers(self) -> tuple[TransformerFacts, ...]:
        """The world's transformers, which are public."""
        compiled = self._core.compiled
        layout, trading = compiled.layout, set(compiled.scenario.seats)
        behind: dict[int, list[tuple[str, str]]] = {}
        for seat, owner, t in zip(layout.seats, layout.owners, compiled.world.behind.tolist(), strict=True):
            if seat in trading:
                behind.setdefault(t, []).append((seat, owner))
        return tuple(
            TransformerFacts(
                unit.name,
                unit.limit_mw,
                tuple(seat for seat, _ in behind.get(t, [])),
                tuple(dict.fromkeys(owner for _, owner in behind.get(t, []))),
            )
            for t, unit in enumerate(compiled.scenario.transformers)
        )

    @cached_property
    def owners(self) -> Mapping[str, tuple[str, ...]]:
        """Owner -> its played seats."""
        layout = self._core.compiled.layout
        found: dict[str, list[str]] = {}
        for seat in self.played:
            found.setdefault(layout.owners[layout.index(seat)], []).append(seat)
        return {owner: tuple(seats) for owner, seats in found.items()}

    @cached_property
    def roles(self) -> Mapping[str, str]:
        """Played seat -> role."""
        layout = self._core.compiled.layout
        return {seat: layout.roles[layout.index(seat)] for seat in self.played}

    @cached_property
    def renewable(self) -> frozenset[str]:
        """Played seats whose output is renewable."""
        units = self._core.compiled.scenario.all_generators
        return frozenset(unit.name for unit in units if unit.renewable and unit.name in self.played)

    @property
    def plays_all(self) -> bool:
        """Whether every seat that trades is played by this player."""
        return set(self._core.compiled.scenario.seats) <= set(self.played)

    def for_owner(self, owner: str) -> Seats:
        """The handle narrowed to one owner's seats.

        Raises
        ------
        PrivacyError
            Where the player plays none of that owner's seats.
        """
        if owner not in self.owners:
            raise PrivacyError("seats of owner", owner, ", ".join(self.owners), "ask only for owners you play")
        if owner not in self._narrow:
            self._narrow[owner] = narrow = Seats(self._core, self._row, self.owners[owner], self.information, self.sees)
            narrow.facts = self.facts
        return self._narrow[owner]

    def own(self, seat: str) -> SeatState:
        """Raw state and private parameters of a seat the player plays.

        Raises
        ------
        PrivacyError
            Where it does not, or declared to see one owner at a time and holds several.
        """
        if seat not in self.played and self.sees != "all":
            raise PrivacyError("private state of seat", seat, ", ".join(self.played), "ask only for seats you play")
        if self.sees == "own" and len(self.owners) > 1:
            raise PrivacyError(
                f"private state of {seat!r} through a handle on {len(self.owners)} owners",
                None,
                "one owner at a time, as declared (sees 'own')",
                "narrow the handle with for_owner(), or declare sees = 'team'",
            )
        return self._state(seat)

    def _state(self, seat: str) -> SeatState:
        compiled, rows = self._core.compiled, self._core.rows
        scenario, index = compiled.scenario, compiled.layout.index(seat)
        generators, batteries = len(compiled.world.generator), len(compiled.world.battery)
        if index < generators:
            state = rows.generator[self._row, index]
            ramp = float(compiled.world.generator[index, generator.RAMP])
            online = bool(state[generator.ONLINE] > 0)
            return GeneratorSeat(scenario.all_generators[index], float(state[generator.OUTPUT]), online, ramp)
        if index < generators + batteries:
            state = rows.battery[self._row, index - generators]
            parameters = scenario.all_storage[index - generators]
            away = bool(state[battery.AWAY] > 0)
            return StorageSeat(parameters, float(state[battery.ENERGY]), float(state[battery.POWER]), away)
        if seat not in scenario.seats:
            raise PrivacyError("private state of seat", seat, ", ".join(scenario.seats), "the operator has none")
        c = index - generators - batteries
        return ConsumerSeat(scenario.all_consumers[c], float(rows.load[self._row, c, load.DEBT]))

    def home(self, seat: str) -> ProsumerSeat:
        """Parameters and parts of a home the player plays as one seat.

        Raises
        ------
        PrivacyError
            Where it does not play it.
        """
        homes = {home.name: home for home in self._core.compiled.scenario.all_prosumers}
        if seat not in self.played or seat not in homes:
            raise PrivacyError("private state of home", seat, ", ".join(self.played), "ask only for homes you play")
        parts = {key: getattr(homes[seat], key) for key in PARTS}
        return ProsumerSeat(homes[seat], {key: self._state(part.name) for key, part in parts.items() if part})

    def presence(self, unit: ElectricVehicle, intervals: int) -> Bool:
        """Whether a vehicle is plugged in during each of the next intervals, and in the one after them."""
        world, first = self._core.compiled.world, int(self._core.rows.origin[self._row]) + self.interval
        hours, count = self.facts.interval_h, len(world.hour)
        index = first + np.arange(intervals + 1)
        local_h = world.hour[np.minimum(index, count - 1)] + np.maximum(index - count + 1, 0) * hours
        stay = (unit.departure_h - unit.arrival_h) % HOURS_PER_DAY
        since = (local_h - unit.arrival_h + SLACK_H) % HOURS_PER_DAY
        return np.asarray(since + hours <= stay + 2 * SLACK_H)

    def beta(self, owner: str) -> float:
        """Risk weight of an owner the player plays.

        Raises
        ------
        PrivacyError
            Where the player plays none of that owner's seats.
        """
        if owner not in self.owners and self.sees != "all":
            raise PrivacyError("risk weight of owner", owner, ", ".join(self.owners), "ask only for owners you play")
        return self._core.compiled.scenario.owner_beta(owner)

    def forecast(self, horizon: int) -> Feed:
        """The public feed for the next intervals: forecasts issued at this gate closure, the truth if ``perfect``.

        The truth is what will be delivered: realised values and how they stray on average within each interval.

        Parameters
        ----------
        horizon : int
            How many intervals from the one about to be decided.

        Raises
        ------
        PrivacyError
            Where the player declared ``public`` information only.
        """
        if self.information == "public":
            raise PrivacyError("forecasts", None, "information 'forecast' or 'perfect'", "declare it")
        names, table = self._core.compiled.series.names, self._core.compiled.world.profile
        low, high = table[:, profiles.MINIMUM], table[:, profiles.MAXIMUM]
        if self.information == "perfect":
            truth = self._core.delivered(self._row)[self.interval : self.interval + horizon]
            return Feed(names, truth, np.zeros_like(truth), low, high)
        mean = self._core.forecast(self._row, horizon)
        return Feed(names, mean, forecast_spread(table, mean), low, high)

    def reference_prices(self, feed: Feed) -> Float:
        """Public price forecast over a feed, $/MWh: wholesale, or the reference stack at forecast net demand.

        Parameters
        ----------
        feed : Feed

        Returns
        -------
        (interval,) array
        """
        if self.facts.connection:
            return feed.of(self.facts.connection.wholesale)
        stack = self._core.compiled.world.stack
        place = np.searchsorted(stack[:, 1], self.net_demand(feed))
        return stack[np.minimum(place, len(stack) - 1), 0]

    def net_demand(self, feed: Feed) -> Float:
        """Public forecast of all demand less renewable output over a feed, MW."""
        table = self._core.compiled.world.profile
        return feed.mean @ (table[:, profiles.DEMAND_MW] - table[:, profiles.RENEWABLE_MW])

    def stack(self) -> Float:
        """The public reference stack: (class, 2) class-average cost $/MWh and cumulative MW."""
        return self._core.compiled.world.stack.copy()
