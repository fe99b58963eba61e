"""One episode as arrays, and as a tidy table of intervals."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from gridmarl.environment.compiled.columns import DEVIATION_MW, MARKET_NAMES, POWER_MW, REWARD, SEAT_NAMES
from gridmarl.environment.compiled.fields import ROLES
from gridmarl.errors import ScenarioError, nearest
from gridmarl.evaluation.facts import BatteryFacts, GridFacts
from gridmarl.units import Float

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Negotiation:
    """How one plan of an iterative planner came about.

    Attributes
    ----------
    interval : int
        When it was made.
    primal_mw, dual_mw : (round,) arrays
        Residuals.
    converged : bool
    cost : (round,) array
        $ the plan cost after each round.
    lower_bound, gap : float
        $ below which no plan costs, -inf where there is no bound; and how far the plan is above it.
    relative_gap : float
        The gap as a share of the cost.
    """

    interval: int
    primal_mw: Float
    dual_mw: Float
    converged: bool
    cost: Float
    lower_bound: float
    gap: float
    relative_gap: float


@dataclass(frozen=True, slots=True)
class Trajectory:
    """Everything a team did in one episode.

    Attributes
    ----------
    scenario, digest, source : str
        The world, the stamp of its settings and data, where its series come from.
    team, information, sees : str
        The players and what they may know.
    split : str
    seed : int
    start_utc : datetime
        Start of the first interval.
    interval_h : float
    seats, roles, technologies : tuple of str
        Names behind the rows of ``results``.
    market : (interval, column) array
        Columns of :data:`gridmarl.environment.compiled.columns.MARKET_NAMES`.
    results : (interval, seat, column) array
        Columns by role, :data:`gridmarl.environment.compiled.columns.SEAT_NAMES`.
    book : (interval, slot, 4) array
        Orders: price, MW, accepted MW, rank; first the offers.
    offers : int
        How many of the slots are offers.
    order_seats : tuple of str
        Seat of each slot.
    realised : (interval, profile) array
    profiles : tuple of str
    untaken_mw, held_back_mw : (interval,) arrays
        What sun and wind could have delivered and did not; must-run output of other units that nobody took.
    grid : GridFacts
    batteries : tuple of BatteryFacts
    stored_mwh, owed_mwh : float
        Change of all stored energy, and owed energy at the end.
    stored_price_per_mwh : float
        What both are credited and charged at.
    negotiations : tuple
        Of iterative planners.
    wall_s : float
        Time the rollout took.
    """

    scenario: str
    digest: str
    source: str
    team: str
    information: str
    sees: str
    split: str
    seed: int
    start_utc: datetime
    interval_h: float
    seats: tuple[str, ...]
    roles: tuple[str, ...]
    technologies: tuple[str, ...]
    market: Float
    results: Float
    book: Float
    offers: int
    order_seats: tuple[str, ...]
    realised: Float
    profiles: tuple[str, ...]
    untaken_mw: Float
    held_back_mw: Float
    grid: GridFacts
    batteries: tuple[BatteryFacts, ...]
    stored_mwh: float
    owed_mwh: float
    stored_price_per_mwh: float
    negotiations: tuple[Negotiation, ...]
    wall_s: float

    def of_market(self, name: str) -> Float:
        """A column of the market's results, (interval,).

        Raises
        ------
        ScenarioError
            Where there is no such column.
        """
        if name not in MARKET_NAMES:
            raise ScenarioError("market column", name, ", ".join(MARKET_NAMES), nearest(name, MARKET_NAMES))
        return self.market[:, MARKET_NAMES.index(name)]

    def of_seat(self, seat: str, name: str) -> Float:
        """A column of a seat's results, (interval,).

        Raises
        ------
        ScenarioError
            Where there is no such seat or column.
        """
        if seat not in self.seats:
            raise ScenarioError("seat", seat, ", ".join(self.seats), nearest(seat, self.seats))
        row = self.seats.index(seat)
        names = SEAT_NAMES[self.roles[row]]
        if name not in names:
            raise ScenarioError(f"column of {seat!r}", name, ", ".join(names), nearest(name, names))
        return self.results[:, row, names.index(name)]

    def rows_of(self, role: str) -> list[int]:
        """Rows of a role's seats."""
        return [row for row, r in enumerate(self.roles) if r == role]

    def rewards(self, role: str) -> float:
        """Sum of a role's rewards over the episode, $; 0 where nobody has the role.

        Raises
        ------
        ScenarioError
            Where there is no such role.
        """
        if role not in ROLES:
            remedy = nearest(role, ROLES) or "name a role, not a seat"
            raise ScenarioError("role", role, ", ".join(ROLES), remedy)
        return float(self.results[:, self.rows_of(role), REWARD].sum())

    def power(self, seat: str) -> Float:
        """What a seat injects, or reduces, (interval,) MW."""
        return self.results[:, self._row_of(seat), POWER_MW]

    def _row_of(self, seat: str) -> int:
        if seat not in self.seats:
            raise ScenarioError(f"seat of {self.scenario!r}", seat, ", ".join(self.seats), nearest(seat, self.seats))
        return self.seats.index(seat)

    def schedule(self, seat: str) -> Float:
        """What the auction gave a seat to inject, or to reduce, (interval,) MW: its power without the deviation."""
        row = self._row_of(seat)
        if self.roles[row] == "consumer":
            return self.power(seat)
        return self.power(seat) - self.results[:, row, DEVIATION_MW]

    def times(self) -> list[datetime]:
        """UTC starts of the intervals."""
        from datetime import timedelta

        return [self.start_utc + timedelta(hours=self.interval_h * t) for t in range(len(self.market))]

    def intervals_table(self) -> pd.DataFrame:
        """Every interval of every seat: one row an interval, seat and named result; the market is its own seat."""
        import pandas as pd

        frames = [self._tidy("market", "market", MARKET_NAMES, self.market)]
        for row, (seat, role) in enumerate(zip(self.seats, self.roles, strict=True)):
            frames.append(self._tidy(seat, role, SEAT_NAMES[role], self.results[:, row, : len(SEAT_NAMES[role])]))
        return pd.concat(frames, ignore_index=True)

    def _tidy(self, seat: str, role: str, names: tuple[str, ...], values: Float) -> pd.DataFrame:
        import pandas as pd

        count = len(values)
        return pd.DataFrame(
            {
                "scenario": self.scenario,
                "digest": self.digest,
                "team": self.team,
                "split": self.split,
                "seed": self.seed,
                "interval": np.repeat(np.arange(count), len(names)),
                "start_utc": pd.DatetimeIndex(self.times()).repeat(len(names)),
                "seat": seat,
                "role": role,
                "name": np.tile(np.array(names, dtype=object), count),
                "value": values.reshape(-1),
            }
        )
