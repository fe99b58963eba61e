"""The largest unit trips at the evening peak: relays, storage, shed load, emergency generation, and back to normal."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

import gridmarl
from gridmarl.environment.core import Core
from gridmarl.evaluation.trajectory import Trajectory
from gridmarl.grid.emergency import (
    ALERT,
    DETECTION,
    GENERATION,
    NORMAL,
    RECOVERY,
    SHEDDING,
    STORAGE,
)
from gridmarl.scenario.scenario import Scenario
from tests.environment.accounts import Interval
from tests.environment.worlds import random_actions

SEEDS = range(5)
STORM = Scenario.load("storm")
TRIP = STORM.trips[0]
AT = int(TRIP.at_h // STORM.interval_h)
HOUR = round(1 / STORM.interval_h)
STAGES = (NORMAL, DETECTION, ALERT, STORAGE, SHEDDING, GENERATION, RECOVERY)
EVERY_STAGE = sum(1 << stage for stage in STAGES)
DUST_MW = 1e-9


@cache
def played(seed: int) -> Trajectory:
    return gridmarl.rollout(STORM, "truthful", seed=seed)


def masks(episode: Trajectory) -> np.ndarray:
    return episode.of_market("emergency_stages").astype(np.int64)


def test_the_largest_unit_trips_near_the_highest_demand_and_spin_does_not_cover_it() -> None:
    largest = max(STORM.all_generators, key=lambda unit: unit.capacity_mw)
    assert TRIP.generator in [unit.name for unit in STORM.all_generators if unit.capacity_mw == largest.capacity_mw]
    for seed in SEEDS:
        episode = played(seed)
        demand, output = episode.of_market("demand_mw"), episode.of_seat(TRIP.generator, "output_mw")
        assert demand[AT] > 0.93 * demand.max()
        assert output[AT - 1] > 3 * episode.of_market("spin_mw")[AT]
        assert output[AT - 1] > output[AT] > output[AT + 1] == 0.0


@pytest.mark.parametrize("seed", SEEDS)
def test_every_stage_is_reached_when_the_unit_trips_and_none_before(seed: int) -> None:
    stages = masks(played(seed))
    assert stages[AT] == EVERY_STAGE
    assert (stages[:AT] == 1 << NORMAL).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_load_is_shed_only_around_the_trip_and_the_island_recovers_within_the_hour(seed: int) -> None:
    episode = played(seed)
    shed, unserved = episode.of_market("shed_mw"), episode.of_market("unserved_mw")
    assert shed[AT] > 1.0
    assert unserved[AT] == pytest.approx(shed[AT])
    assert np.delete(unserved, AT).max() <= DUST_MW, "all load is served again"
    later = slice(AT + HOUR, None)
    assert (masks(episode)[later] == 1 << NORMAL).all()
    assert (episode.of_market("in_band_share")[later] == 1.0).all()
    assert episode.of_market("nadir_hz")[AT] < -STORM.emergency.shed_hz


def until(seconds: float) -> Scenario:
    """An hour and a half around the peak in which the unit trips so long before its interval ends."""
    step_s, start_h = 0.1, TRIP.at_h - 1.1
    ends_h = 5 * STORM.interval_h
    at_h = ends_h - (seconds - step_s / 2) / 3600
    start = STORM.start + timedelta(hours=start_h)
    return STORM.but(start=start, intervals=5, substep_s=step_s, trips=[{"generator": TRIP.generator, "at_h": at_h}])


def test_the_stages_come_in_order() -> None:
    """The later the interval ends after the trip the more has been passed, stage by stage."""
    seen: list[int] = []
    for seconds in (0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 2.0, 5.0, 30.0, 120.0, 300.0):
        seen.append(int(masks(gridmarl.rollout(until(seconds), "truthful", seed=0))[-1]))
    for before, after in pairwise(seen):
        assert before & ~after == 0, "what was passed stays passed"
    assert all(mask & (mask + 1) == 0 for mask in seen), "no stage before those that precede it"
    assert seen[0] <= 1 << NORMAL | 1 << DETECTION
    assert seen[-1] == EVERY_STAGE
    assert len(set(seen)) >= 5


def test_energy_money_and_carbon_balance_throughout_the_storm() -> None:
    core, choose = Core(STORM, 2, record=True), np.random.default_rng(0)
    core.reset(np.arange(2, dtype=np.uint64))
    for t in range(AT + HOUR):
        before = core.snapshot()[0]
        outcome = core.step(random_actions(core, choose))
        if t >= AT - HOUR:
            for row in range(core.count):
                Interval(core, before, outcome, row).check()


def test_without_the_trip_nothing_happens() -> None:
    calm = gridmarl.rollout(STORM.but(trips=[]), "truthful", seed=0)
    assert (masks(calm) == 1 << NORMAL).all()
    assert calm.of_market("unserved_mw").max() <= DUST_MW
