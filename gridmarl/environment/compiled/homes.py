"""Homes, vehicles and transformers as the arrays the kernels read."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gridmarl.data.series import Series
from gridmarl.environment.compiled import columns
from gridmarl.errors import ScenarioError
from gridmarl.scenario.participants import Battery, ElectricVehicle
from gridmarl.scenario.prosumers import PARTS, Prosumer
from gridmarl.scenario.scenario import SEPARATE, Scenario
from gridmarl.units import HOURS_PER_DAY, Float, Int

PART_CODECS = {"solar": "markup", "battery": "power", "ev": "power", "load": "share"}
"""What a home that is one seat says for its parts."""
PLAIN = (-1.0, 0.0, 0.0, 0.0, 0.0)


def home_codecs(homes: tuple[Prosumer, ...], codecs: Mapping[str, str]) -> dict[str, str]:
    """Codec of every part of homes that are one seat.

    Raises
    ------
    ScenarioError
        Where somebody names a codec for such a part.
    """
    found: dict[str, str] = {}
    for home in homes:
        for key in PARTS:
            part = getattr(home, key)
            if part is not None:
                if part.name in codecs:
                    remedy = f"set the codec of {home.name!r} to {SEPARATE!r}, so that its parts are seats"
                    raise ScenarioError(f"codec of {part.name!r}", codecs[part.name], "none: its home plays it", remedy)
                found[part.name] = PART_CODECS[key]
    return found


def home_table(scenario: Scenario, seats: tuple[str, ...]) -> Int:
    """Rows of each one-seat home and of its parts, (home, column)."""
    place = {name: row for row, name in enumerate(seats)}
    homes = [home for home in scenario.all_prosumers if home.name in place]
    rows = [[place[h.name], *(_row(place, getattr(h, key)) for key in PARTS)] for h in homes]
    return np.array(rows, np.int64).reshape(len(rows), columns.HOME_COLUMNS)


def _row(place: Mapping[str, int], part: object) -> int:
    return -1 if part is None else place[str(getattr(part, "name", ""))]


def vehicle_columns(unit: Battery) -> tuple[float, ...]:
    """Last columns of a battery's row: times, trip, readiness and the price of what is missing."""
    if not isinstance(unit, ElectricVehicle):
        return PLAIN
    return unit.arrival_h, unit.departure_h, unit.trip_mwh, unit.ready, unit.missing_per_mwh


def local_hours(series: Series) -> Float:
    """Local time of day at which each interval begins, (index,)."""
    return np.asarray(series.local_h % HOURS_PER_DAY, np.float64)


def behind_transformers(scenario: Scenario, seats: tuple[str, ...]) -> Int:
    """Transformer of each seat, (seat,); -1: none. A home is where its first part is."""
    found = {part.name: scenario.transformer_of(part) for part in scenario.participants}
    found |= {home.name: found[home.parts[0].name] for home in scenario.all_prosumers}
    return np.array([found.get(seat, -1) for seat in seats], np.int64)


def balancing_seats(index: Int, roles: tuple[str, ...], *, bids: bool) -> Int:
    """Generator or battery behind each order, (slot,); -1 for orders of others, who take no part in balancing."""
    at, count = (columns.BID_AT, columns.BIDS) if bids else (columns.OFFER_AT, columns.OFFERS)
    seats = np.full(int(index[:, count].sum()) + 1, -1, np.int64)
    for row, role in enumerate(roles):
        if role in ("generator", "storage"):
            seats[index[row, at] : index[row, at] + index[row, count]] = row
    return seats


def flexible_slots(index: Int, roles: tuple[str, ...], behind: Int, *, bids: bool) -> Int:
    """Transformer of each order that can be cut, (slot,): no must-run, no load, no connection."""
    at, count = (columns.BID_AT, columns.BIDS) if bids else (columns.OFFER_AT, columns.OFFERS)
    slots = np.full(int(index[:, count].sum()) + 1, -1, np.int64)
    for row, (role, group) in enumerate(zip(roles, behind, strict=True)):
        if bids and role == "consumer":
            continue
        first = index[row, at] + (1 if role == "generator" and not bids else 0)
        slots[first : index[row, at] + index[row, count]] = group
    return slots
