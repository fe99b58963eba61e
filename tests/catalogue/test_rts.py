"""The island of 158 units: adequate under truthful bids, with frequency, reserve and the real table in its place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import gridmarl
from gridmarl.agents.make import scenario_of
from gridmarl.evaluation.trajectory import Trajectory
from gridmarl.scenario.scenario import Scenario

FOLDER = (Path(__file__).parents[2] / ".." / "shared" / "data").resolve()
FLEET, SERIES = "fleet_rts_gmlc.csv", "rts_gmlc_day_ahead_2020.csv"
SEEDS = range(10)
DUST_MWH = 1e-6


def real(*names: str) -> list[Path]:
    for name in names:
        if not (FOLDER / name).is_file():
            pytest.skip(f"{name} is not beside this checkout")
    return [FOLDER / name for name in names]


def unserved_mwh(played: Trajectory) -> float:
    return float((played.of_market("unserved_mw") + played.of_market("shed_mw")).sum())


def test_truthful_bids_shed_no_load_on_most_seeds_and_hold_the_frequency() -> None:
    episodes = [gridmarl.rollout("rts", "truthful", seed=seed) for seed in SEEDS]
    assert sum(unserved_mwh(played) < DUST_MWH for played in episodes) >= 9
    assert np.mean([played.of_market("in_band_share").mean() for played in episodes]) > 0.95
    for played in episodes:
        frequency = np.concatenate([played.of_market("nadir_hz"), played.of_market("zenith_hz")])
        assert 0.0 < np.abs(frequency).max() < 0.8, "it moves, and no load-shedding relay sees it"
        assert played.of_market("imbalance_size_mw").max() > 0.0


def test_demand_peaks_near_eight_and_a_half_gigawatts_and_dearer_units_serve_it() -> None:
    played = gridmarl.rollout("rts", "truthful", seed=0)
    demand, price = played.of_market("demand_mw"), played.of_market("price_per_mwh")
    assert 7500 < demand.max() < 9000
    assert price[np.argmax(demand)] > price[np.argmin(demand)]
    renewable_mw = played.of_market("renewable_mwh") / Scenario.load("rts").interval_h
    minima_mw = sum(unit.minimum_mw for unit in Scenario.load("rts").all_generators)
    assert minima_mw < (demand - renewable_mw).min(), "what stays on fits below the lowest net load"


def test_reserve_is_bought_to_the_requirement() -> None:
    played = gridmarl.rollout("rts", "truthful", seed=0)
    for kind in ("spin", "nonspin"):
        required = played.of_market(f"{kind}_required_mw")
        assert (required > 100).all()
        assert played.of_market(f"{kind}_mw") == pytest.approx(required, abs=DUST_MWH)


@pytest.mark.parametrize("names", [(FLEET,), (FLEET, SERIES)], ids=["fleet", "fleet and series"])
def test_the_real_tables_take_the_places_of_the_synthetic_ones(names: tuple[str, ...]) -> None:
    fed = scenario_of("rts", real(*names))
    assert len(fed.all_generators) == 154
    assert fed.digest != Scenario.load("rts").digest
    played = gridmarl.rollout(fed, "truthful", seed=0)
    assert unserved_mwh(played) < DUST_MWH
    assert np.isfinite(played.results).all()
    assert (SERIES in played.source) == (SERIES in names)


def test_a_whole_day_of_real_series_is_the_files() -> None:
    (path,) = real(SERIES)
    played = gridmarl.rollout(scenario_of("rts", path), "truthful", seed=0)
    lines = path.read_text(encoding="utf-8").splitlines()
    column = lines[0].split(",").index("load_mw")
    day = [float(line.split(",")[column]) for line in lines if line.startswith("2020,7,28,")]
    assert len(day) == 24
    assert played.of_market("demand_mw") == pytest.approx(day, rel=1e-9)
