"""Which days of a long table are learned from, chosen by and tested on: weeks in turn, for all to see all seasons."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from gridmarl.errors import DataError
from gridmarl.scenario.rules import Split

TURN: Final[tuple[Split, ...]] = ("train", "train", "select", "train", "train", "test")
"""Weeks of each turn, in order."""
DAYS_PER_WEEK: Final = 7
LEFT_OUT: Final = 2
"""Days at the beginning that no episode has."""


def weekly_windows(start: datetime, days: int, episode_days: int = 1) -> dict[Split, tuple[datetime, ...]]:
    """Starts of episodes for a scenario's ``windows``; no two splits share a day.

    Parameters
    ----------
    start : datetime
        The midnight that the table begins at, as the scenario's clock tells it. Two days are left to the forecasts,
        which look more than a day back.
    days : int
        Length of the table from there.
    episode_days : int
        Length of an episode, 1 to 7.

    Returns
    -------
    dict
        Split -> starts, in order; the last week only where all of it is there.

    Raises
    ------
    DataError
        Where an episode is longer than a week, or a split would get nothing.
    """
    if not 1 <= episode_days <= DAYS_PER_WEEK:
        raise DataError("episode_days", episode_days, "1 to 7", "write the windows of longer episodes by hand")
    found: dict[Split, tuple[datetime, ...]] = dict.fromkeys(TURN, ())
    for week in range((days - LEFT_OUT) // DAYS_PER_WEEK):
        first = start + timedelta(days=LEFT_OUT + week * DAYS_PER_WEEK)
        inside = range(0, DAYS_PER_WEEK - episode_days + 1, episode_days)
        found[TURN[week % len(TURN)]] += tuple(first + timedelta(days=day) for day in inside)
    if not all(found.values()):
        least = LEFT_OUT + len(TURN) * DAYS_PER_WEEK
        raise DataError("days of the table", days, f"{least} or more", "give a longer table")
    return found
