"""Energy, money and physics, rebuilt from what a step returns; the residual is zero whatever anybody bids."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmarl import catalogue
from gridmarl.environment.core import Core
from gridmarl.scenario.rules import Split
from gridmarl.scenario.scenario import Scenario
from tests.environment.accounts import check_episode
from tests.environment.worlds import TRADERS, codecs_of, scenarios, spoken

INTERVALS = 12
BIG = 40
"""Seats from which on fewer intervals are rebuilt."""


@st.composite
def spoken_worlds(draw: st.DrawFn) -> tuple[Scenario, Mapping[str, str]]:
    scenario = draw(scenarios())
    return scenario, draw(codecs_of(scenario))


@settings(max_examples=150)
@given(spoken_worlds(), st.integers(0, 2**63), st.integers(0, 1000))
def test_nothing_is_lost_in_any_small_world(
    chosen: tuple[Scenario, Mapping[str, str]], seed: int, choices: int
) -> None:
    scenario, codecs = chosen
    core = Core(scenario, 2, codecs, record=True)
    check_episode(core, seed, np.random.default_rng(choices), INTERVALS)


@pytest.mark.parametrize("name", catalogue.names("envs"))
@settings(max_examples=5)
@given(codecs=st.fixed_dictionaries({role: spoken(role) for role in TRADERS}), seed=st.integers(0, 10_000))
def test_nothing_is_lost_in_a_shipped_world(name: str, codecs: Mapping[str, str], seed: int) -> None:
    scenario = Scenario.load(name)
    if scenario.intervals < INTERVALS:
        scenario = scenario.but(intervals=INTERVALS)
    core = Core(scenario, 1, codecs, record=True)
    intervals = min(scenario.intervals, 24 if len(scenario.seats) < BIG else 4)
    seen = check_episode(core, seed, np.random.default_rng(seed), intervals)
    assert len(seen["prices"]) > 1


CAISO = (Path(__file__).parents[2] / ".." / "shared" / "data" / "caiso_2023-08_hourly.csv").resolve()


@pytest.mark.skipif(not CAISO.is_file(), reason="the CAISO table is not beside this checkout")
@pytest.mark.parametrize("split", ["train", "select", "test"])
def test_nothing_is_lost_on_real_data(split: Split) -> None:
    core = Core(Scenario.load("caiso-week").but(data=CAISO, intervals=96), 1, split=split, record=True)
    check_episode(core, 0, np.random.default_rng(0), 20)
    assert "lmp_dlap_sce" in core.compiled.series.source
