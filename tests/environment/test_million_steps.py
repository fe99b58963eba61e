"""Random actions in every world, a million when asked: finite, within limits, no memory that grows."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from gridmarl import catalogue
from gridmarl.assets import battery, generator
from gridmarl.environment.compiled import columns
from gridmarl.environment.compiled.arrays import Outcome, Rows
from gridmarl.environment.compiled.columns import MARKET_NAMES
from gridmarl.environment.core import Core
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import Float
from tests.environment.worlds import random_actions

WORLDS = catalogue.names("envs")
SHORT, LONG = 20_000, 1_000_000
"""Environment steps over all worlds together."""
FEW, MANY = 8, 32
CODECS: tuple[Mapping[str, str], ...] = (
    {},
    {"generator": "order", "storage": "order", "consumer": "order"},
    {"generator": "curve", "storage": "curve", "consumer": "curve"},
    {"generator": "markup", "storage": "power", "consumer": "markup"},
)
DUST_MW = 1e-6
STATM = Path("/proc/self/statm")
GROWTH_BYTES = 4_000_000
"""What thousands of steps may add to the process; one leaked outcome a step would be many times that."""


class Bounds:
    """A world's limits as arrays, from its settings and not from the kernels' tables."""

    def __init__(self, scenario: Scenario) -> None:
        units, storage = scenario.all_generators, scenario.all_storage
        self.capacity_mw = np.array([unit.capacity_mw for unit in units])
        ramps = [np.inf if unit.ramp_mw_per_h is None else unit.ramp_mw_per_h for unit in units]
        self.ramp_mw = np.array(ramps) * scenario.interval_h
        self.rating_mw = np.array([unit.power_mw for unit in storage])
        self.least_mwh = np.array([unit.soc_min * unit.capacity_mwh for unit in storage])
        self.most_mwh = np.array([unit.soc_max * unit.capacity_mwh for unit in storage])
        self.floor, self.voll = scenario.market.floor_per_mwh, scenario.market.voll_per_mwh

    def check(self, before: Rows, after: Rows, outcome: Outcome) -> None:
        """Everything that must hold of a step, in all rows at once."""
        check_finite(outcome, after)
        self.check_generators(before.generator[:, :, generator.OUTPUT], outcome)
        self.check_storage(after.battery[:, :, battery.ENERGY], outcome)
        self.check_market(outcome)

    def check_generators(self, last_mw: Float, outcome: Outcome) -> None:
        """Output within the rating; the schedule within what is available and the ramp, save for curtailed must-run."""
        units = outcome.seats[:, : len(self.capacity_mw)]
        output = units[:, :, columns.POWER_MW]
        schedule = output - units[:, :, columns.DEVIATION_MW]
        available = units[:, :, columns.SEVENTH]
        assert (output >= -DUST_MW).all(), "no unit consumes"
        assert (output <= self.capacity_mw + DUST_MW).all(), "no unit passes its rating"
        assert (schedule <= available + DUST_MW).all(), "no schedule passes what is available"
        lowest = np.minimum(last_mw - self.ramp_mw, available)  # but sun, wind and failed units fall as they will
        assert (schedule <= last_mw + self.ramp_mw + DUST_MW).all(), "no unit ramps up faster than it can"
        regular = outcome.market[:, columns.PRICE] > self.floor
        assert (schedule >= lowest - DUST_MW)[regular].all(), "no unit ramps down faster than it can"

    def check_storage(self, energy_mwh: Float, outcome: Outcome) -> None:
        """Rating and window of every battery."""
        first = len(self.capacity_mw)
        power = outcome.seats[:, first : first + len(self.rating_mw), columns.POWER_MW]
        assert (np.abs(power) <= self.rating_mw + DUST_MW).all(), "no battery passes its rating"
        assert (energy_mwh >= self.least_mwh - DUST_MW).all(), "no battery is emptier than its window"
        assert (energy_mwh <= self.most_mwh + DUST_MW).all(), "no battery is fuller than its window"

    def check_market(self, outcome: Outcome) -> None:
        """Price, load that is not served, and shares."""
        price, unserved = outcome.market[:, columns.PRICE], outcome.market[:, columns.UNSERVED]
        assert ((price >= self.floor) & (price <= self.voll)).all(), "the price lies within its bounds"
        assert (unserved >= -DUST_MW).all(), "no load is served twice"
        assert (unserved <= outcome.market[:, columns.DEMAND] + DUST_MW).all(), "no more is unserved than demanded"
        share = outcome.market[:, columns.IN_BAND]
        assert ((share >= -DUST_MW) & (share <= 1 + DUST_MW)).all(), "a share lies within 0 .. 1"


def check_finite(outcome: Outcome, rows: Rows) -> None:
    """No NaN and no infinity in results, observations or state."""
    ends = outcome.market[:, [columns.LOW, columns.HIGH]]
    price = outcome.market[:, [columns.PRICE]]
    assert ((ends[:, :1] <= price) & (price <= ends[:, 1:])).all(), "the price lies in its interval; no end is NaN"
    market = np.delete(outcome.market, [columns.LOW, columns.HIGH], axis=1)  # infinite where a side is empty
    for name, array in outcome._replace(market=market)._asdict().items():
        assert np.isfinite(array).all(), f"{name} is finite"
    for name, array in rows._asdict().items():
        assert np.isfinite(array).all(), f"the state's {name} is finite"
    frequency = outcome.market[:, [columns.FREQUENCY, columns.NADIR, columns.ZENITH]]
    assert (frequency[:, 1] <= frequency[:, 0] + DUST_MW).all(), "the nadir is the lowest"
    assert (frequency[:, 2] >= frequency[:, 0] - DUST_MW).all(), "the zenith is the highest"


def push_storage(core: Core, actions: Float) -> None:
    """In a quarter of the rows all storage that speaks ``power`` charges as it can, in another it discharges."""
    quarter, first = core.count // 4, core.compiled.world.seat[:, columns.ACTION_AT]
    for row, codec in enumerate(core.compiled.layout.codecs):
        if codec.name == "power":
            actions[:quarter, first[row]], actions[quarter : 2 * quarter, first[row]] = -1.0, 1.0


def wander(core: Core, steps: int, rng: np.random.Generator) -> dict[str, float]:
    """Play random actions for so many environment steps, episode after episode; extremes of what happened."""
    bounds = Bounds(core.compiled.scenario)
    lowest, highest = np.full(len(MARKET_NAMES), np.inf), np.full(len(MARKET_NAMES), -np.inf)
    core.reset(np.arange(core.count, dtype=np.uint64))
    for interval in range(1, -(-steps // core.count) + 1):
        before = core.snapshot()[0]
        actions = random_actions(core, rng)
        push_storage(core, actions)
        outcome = core.step(actions)
        bounds.check(before, core.rows, outcome)
        moving = np.nan_to_num(outcome.market, posinf=0.0, neginf=0.0)
        lowest, highest = np.minimum(lowest, moving.min(0)), np.maximum(highest, moving.max(0))
        if interval % core.intervals == 0:
            core.reset()
    return dict(zip(MARKET_NAMES, (highest - lowest).tolist(), strict=True))


def wander_through(name: str, steps: int, rows: int) -> None:
    """A world under every set of codecs; its prices move."""
    scenario = Scenario.load(name)
    for k, codecs in enumerate(CODECS):
        spread = wander(Core(scenario, rows, codecs), steps // len(CODECS), np.random.default_rng(k))
        assert spread["price_per_mwh"] > 1, "the market is alive"
        if scenario.frequency:
            assert spread["nadir_hz"] > 0, "the frequency moves"


@pytest.mark.parametrize("name", WORLDS)
def test_twenty_thousand_random_steps_over_all_worlds_stay_within_every_limit(name: str) -> None:
    wander_through(name, SHORT // len(WORLDS), FEW)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", WORLDS)
def test_a_million_random_steps_over_all_worlds_stay_within_every_limit(name: str) -> None:
    wander_through(name, LONG // len(WORLDS), MANY)


def resident_bytes() -> int:
    """Memory of this process that is in use now."""
    gc.collect()
    return int(STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not STATM.is_file(), reason="the process's memory is read from /proc")
@pytest.mark.parametrize("name", ["auction", "storm"])
def test_memory_does_not_grow_with_the_number_of_steps(name: str) -> None:
    core = Core(Scenario.load(name), 64)
    actions = random_actions(core, np.random.default_rng(0))

    def play(steps: int) -> None:
        for _ in range(steps):
            if core.rows.t[0] >= core.intervals:
                core.reset()
            core.step(actions)

    core.reset(np.arange(64, dtype=np.uint64))
    play(500)
    before = resident_bytes()
    play(3000)
    grown = resident_bytes() - before
    outcome = sum(array.nbytes for array in core.step(actions))
    assert 3000 * outcome > 10 * GROWTH_BYTES, "a leak would show"
    assert grown < GROWTH_BYTES, f"{grown} bytes more after 3000 steps"


@pytest.mark.parametrize("name", WORLDS)
def test_the_state_of_an_environment_is_small_and_grows_with_the_rows_alone(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bytes of an environment's state and of its results; what a step needs besides is shared by all rows."""
    scenario = Scenario.load(name)
    small, large = Core(scenario, 1), Core(scenario, 65)
    sizes = [sum(array.nbytes for array in rows) for rows in (small.rows, large.rows)]
    results = sum(array.nbytes for array in small.empty_outcome())
    scratch = [sum(array.nbytes for array in core.book) for core in (small, large)]
    assert (sizes[1] - sizes[0]) / 64 == sizes[0], "nothing but the rows"
    assert scratch[0] == scratch[1], "scratch is shared"
    seats = len(small.compiled.layout.seats)
    assert sizes[0] < 4096 + 256 * seats
    with capsys.disabled():
        sys.stdout.write(f"\n{name}: {seats} seats, {sizes[0]} bytes of state, {results} bytes of results a row\n")
