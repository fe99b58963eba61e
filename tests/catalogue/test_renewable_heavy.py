"""Two thirds of the island's energy are sun and wind: load is served, frequency and voltage hold, noon is cheap."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import gridmarl
from gridmarl.agents.team import load_team
from gridmarl.evaluation.trajectory import Trajectory
from gridmarl.scenario.scenario import Scenario

SEEDS = range(10)
DUST_MW = 1e-6
IDLE = """\
description: Generators and loads offer at true cost; batteries rest, the operator does nothing.
seats:
  generator: {kind: rule, rule: truthful}
  storage: {kind: rule, rule: idle}
  consumer: {kind: rule, rule: truthful}
  operator: {kind: rule, rule: passive}
"""


@pytest.fixture(scope="module", params=["threshold batteries", "idle batteries"])
def episodes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Trajectory]:
    team: str | Path = "truthful"
    if request.param == "idle batteries":
        team = tmp_path_factory.mktemp("team") / "idle.yaml"
        team.write_text(IDLE)
    return [gridmarl.rollout("renewable-heavy", load_team(team), seed=seed) for seed in SEEDS]


def all_of(episodes: list[Trajectory], name: str) -> np.ndarray:
    return np.concatenate([played.of_market(name) for played in episodes])


def test_hardly_any_interval_has_an_outage(episodes: list[Trajectory]) -> None:
    unserved = all_of(episodes, "unserved_mw")
    assert (unserved > DUST_MW).mean() < 0.001
    assert (all_of(episodes, "shed_mw") <= unserved).all(), "what relays shed is part of what is not served"


def test_load_and_generation_deviate_by_less_than_a_hundredth_of_demand(episodes: list[Trajectory]) -> None:
    deviation = all_of(episodes, "imbalance_size_mw") / all_of(episodes, "demand_mw")
    assert 0.001 < deviation.mean() < 0.01, "there is something to balance, and not much"


def test_frequency_and_voltage_stay_in_their_bands_in_95_of_100_intervals(episodes: list[Trajectory]) -> None:
    world = Scenario.load("renewable-heavy")
    assert world.frequency
    assert world.voltage
    for played in episodes:
        extreme_hz = np.maximum(-played.of_market("nadir_hz"), played.of_market("zenith_hz"))
        assert (extreme_hz <= world.frequency.band_hz).mean() >= 0.95
        assert extreme_hz.max() > 0.01, "the frequency moves"
        low, high = played.of_market("voltage_low_pu"), played.of_market("voltage_high_pu")
        assert ((low >= 1 - world.voltage.band_pu) & (high <= 1 + world.voltage.band_pu)).mean() >= 0.95
        assert low.min() < 0.995, "the voltage moves"


def test_two_thirds_of_the_energy_are_renewable_in_the_mean_of_the_seeds(episodes: list[Trajectory]) -> None:
    hours = episodes[0].interval_h
    share = all_of(episodes, "renewable_mwh").sum() / (all_of(episodes, "demand_mw").sum() * hours)
    assert 0.6 < share < 0.7


def test_noon_is_cheap_and_now_and_then_negative_while_sun_is_left_unused(episodes: list[Trajectory]) -> None:
    world = Scenario.load("renewable-heavy")
    sunny = [unit.name for unit in world.generators if unit.availability == "solar"]
    prices = np.stack([played.of_market("price_per_mwh") for played in episodes])
    hour = np.arange(prices.shape[1]) * episodes[0].interval_h % 24
    noon, evening = prices[:, (hour >= 11) & (hour < 13)], prices[:, (hour >= 19) & (hour < 21)]
    assert noon.mean() < 5 < 40 < evening.mean()
    assert 0.0 < (prices < 0).mean() < 0.05
    for played in episodes:
        spilled = sum((played.of_seat(n, "available_mw") - played.of_seat(n, "output_mw")).clip(0) for n in sunny)
        assert np.max(spilled) > 1.0
