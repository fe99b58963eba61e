"""A comparison plays the product, survives a team that fails, and leaves whole files or none."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest

from gridmarl.agents.rules import Rule
from gridmarl.agents.team import Team
from gridmarl.bench.comparison import compare
from gridmarl.bench.pictures import comparison
from gridmarl.bench.statistics import interquartile_mean, paired_difference
from gridmarl.errors import CatalogueError, GridmarlError
from gridmarl.scenario.scenario import Scenario

SHORT = Scenario.load("auction").but(intervals=24)


class Broken(Rule):
    """Asks for something impossible in the third interval."""

    constant = False

    def __init__(self) -> None:
        super().__init__("truthful")
        self.count = 0

    def act(self, observations):
        self.count += 1
        return {seat: np.array([99.0 if self.count > 2 else 1.0]) for seat in observations}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("comparison")
    teams = ["truthful", Team({"generator": Broken()}, name="broken"), "admm"]
    return compare(SHORT, teams, seeds=2, out=folder, csv=True, progress=False)


def test_every_team_meets_every_seed(found):
    counted = found.table.groupby("team")["seed"].nunique()
    assert counted.to_dict() == {"truthful": 2, "admm": 2}
    assert set(found.table["digest"]) == {SHORT.digest}


def test_a_team_that_fails_is_named_and_does_not_lose_the_others(found):
    assert {(f.team, f.seed) for f in found.failures} == {("broken", 0), ("broken", 1)}
    assert all("within the bounds" in failure.message for failure in found.failures)
    assert found.ranked("auction")[-1] == "broken"


def test_the_files_hold_every_interval_and_every_number(found):
    intervals = pd.read_parquet(found.folder / "intervals.parquet")
    price = intervals[(intervals["name"] == "price_per_mwh") & (intervals["seat"] == "market")]
    assert len(price) == 2 * 2 * SHORT.intervals
    told = json.loads((found.folder / "metrics.json").read_text())
    assert {row["team"] for row in told["summary"]} == {"truthful", "admm"}
    assert not list(found.folder.glob(".*")), "no drafts are left"


def test_the_report_is_one_page_that_names_all_and_fetches_nothing(found):
    page = (found.folder / "report.html").read_text()
    for word in ("truthful", "admm", "broken", SHORT.digest, "synthetic", "Resource cost"):
        assert word in page
    for foreign in ("<script", "<link", 'src="', "NaN", "None<", ">nan"):
        assert foreign not in page


@pytest.mark.parametrize(
    "draw", [comparison.dispatch, comparison.stored_energy, comparison.bids, comparison.convergence]
)
def test_pictures_are_valid_svg(found, draw):
    picture = draw(found.trajectories["auction", "admm"])
    assert ET.fromstring(picture).tag.endswith("svg")


def test_unknown_teams_are_refused_before_anything_is_played():
    with pytest.raises(CatalogueError, match="did you mean 'truthful'"):
        compare(SHORT, ["truthfull"], seeds=1, progress=False)


def test_an_interruption_leaves_nothing_half_written(tmp_path, monkeypatch):
    def interrupted(*arguments: object, **settings: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gridmarl.bench.comparison.play", interrupted)
    with pytest.raises(KeyboardInterrupt):
        compare(SHORT, ["truthful"], seeds=1, out=tmp_path, progress=False)
    assert not list(tmp_path.iterdir())


def test_the_interquartile_mean_drops_the_outer_quarters():
    assert interquartile_mean(np.array([[1.0], [2.0], [3.0], [100.0]])) == pytest.approx(2.5)


def test_a_paired_difference_sees_a_small_shift_through_large_noise():
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 100, (40, 1))
    difference = paired_difference(noise + 1.0 + rng.normal(0, 0.1, (40, 1)), noise, np.random.default_rng(1))
    assert difference.low is not None
    assert 0.9 < difference.low < difference.value


def test_an_error_is_always_one_of_ours():
    with pytest.raises(GridmarlError, match="seeds"):
        compare(SHORT, ["truthful"], seeds=0, progress=False)
