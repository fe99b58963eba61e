"""Series to forecast: made up here, or real where they are at hand."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from gridmarl.forecasting.days import Days, days_of

FOLDER = (Path(__file__).parents[2] / ".." / "shared" / "data").resolve()
MONDAY = date(2024, 1, 1)


@pytest.fixture
def real():
    """Path of a real file, or a skip where it is not beside this checkout."""

    def find(name: str) -> Path:
        if not (FOLDER / name).is_file():
            pytest.skip(f"{name} is not beside ../shared/data")
        return FOLDER / name

    return find


@pytest.fixture
def made_up():
    """Prices with a daily and a weekly shape and noise that lasts for days, a few steps a day."""

    def make(days: int, seed: int = 0, steps: int = 6) -> Days:
        rng = np.random.default_rng(seed)
        shape = 40.0 + 15.0 * np.sin(2 * np.pi * np.arange(steps) / steps)
        weekend = np.where((np.arange(days) % 7) >= 5, -10.0, 0.0)
        lasting = np.zeros(days)
        for day in range(1, days):
            lasting[day] = 0.7 * lasting[day - 1] + rng.normal(0.0, 3.0)
        values = shape + (weekend + lasting)[:, None] + rng.normal(0.0, 2.0, (days, steps))
        return days_of(values, MONDAY)

    return make
