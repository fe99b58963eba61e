"""What people read of a comparison: digits, tables, and a page whose pictures do not borrow from each other."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from rich.console import Console

from gridmarl.agents.rules import Rule
from gridmarl.agents.team import Team
from gridmarl.bench.comparison import compare
from gridmarl.bench.numbers import interval, money, number, percent
from gridmarl.bench.pictures import comparison, grid
from gridmarl.bench.report import MOST_BATTERIES, render_report, worst_worn
from gridmarl.bench.statistics import Estimate
from gridmarl.bench.table import WIDTH, print_comparison
from gridmarl.evaluation.rollout import rollout
from gridmarl.scenario.scenario import Scenario

SHORT = Scenario.load("auction").but(intervals=24)
HOMES = Scenario.load("three-homes").but(intervals=12, price_scenarios=None)


class Flaky(Rule):
    """Fails in the world whose intervals are five minutes; its message looks like markup."""

    constant = False

    def __init__(self) -> None:
        super().__init__("truthful")

    def begin(self, seats, seed):
        self.broken = seats.facts.interval_h < 1.0
        super().begin(seats, seed)

    def act(self, observations):
        return {seat: np.array([-1.0 if self.broken else 1.0]) for seat in observations}


@pytest.fixture(scope="module")
def found():
    flaky = Team({"generator": Flaky()}, name="[b]flaky & co")
    return compare([SHORT, HOMES], ["truthful", "markup", flaky], seeds=2, progress=False)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (4e-16, "0"),
        (-4e-16, "0"),
        (0.08931, "0.0893"),
        (0.5, "0.5000"),
        (12.3456, "12.35"),
        (-5.2126, "-5.213"),
        (999.96, "1,000.0"),
        (84055.63, "84,056"),
    ],
)
def test_four_significant_digits_are_printed(value, text):
    assert number(value) == text


def test_the_sign_stands_before_the_dollar():
    assert (money(-3682.4), money(3682.4), money(-1e-9)) == ("-$3,682", "$3,682", "$0")


def test_an_interval_has_the_decimals_of_its_point():
    assert interval(Estimate(99.35, 71.926, 146.0144)) == "[71.93, 146.01]"
    assert interval(Estimate(3.0, None, None)) == ""


def printed(found) -> str:
    stream = io.StringIO()
    print_comparison(found, Console(file=stream, width=WIDTH))
    return stream.getvalue()


def test_tables_fit_the_terminal_and_name_every_team_seed_and_digest(found):
    text = printed(found)
    assert max(map(len, text.splitlines())) <= WIDTH
    for word in ("truthful", "markup", "flaky & co", SHORT.digest, HOMES.digest, "seeds 0, 1", "synthetic"):
        assert word in text
    assert not re.search(r"\b(nan|None)\b", text)


def test_a_failed_team_stands_last_with_its_whole_message_once(found):
    text = printed(found)
    rows = [line for line in text.splitlines() if line.startswith(("truthful", "markup", "[b]flaky"))]
    assert "failed" in rows[2], "scores of the first world"
    assert text.count("within the bounds of the action space") == 1, "two seeds, one line"
    assert found.runs(HOMES.name, "[b]flaky & co") == 2, "the other world is not lost"


def test_regret_is_measured_from_the_same_optimum_for_all(found):
    for seed in found.settings.seeds:
        costs, regrets = (
            [found.scores(SHORT.name, team, metric)[seed] for team in ("truthful", "markup")]
            for metric in ("resource_cost", "regret")
        )
        assert costs[1] - costs[0] == pytest.approx(regrets[1] - regrets[0], abs=1e-6)


def test_the_gap_to_the_best_is_paired_by_seed(found):
    gap = found.behind(SHORT.name, "markup", "truthful")
    own, best = (found.scores(SHORT.name, team, "resource_cost") for team in ("markup", "truthful"))
    assert gap is not None
    assert gap.value == pytest.approx((own - best).mean(), rel=1e-9)
    assert gap.low == pytest.approx((own - best).min(), rel=1e-9)


def test_the_page_holds_a_row_for_every_team_and_escapes_their_names(found):
    page = render_report(found)
    assert page.count("<td>truthful</td>") >= 2 * len(found.worlds)
    assert page.count('<td class="failed">failed</td>') == 3, "scores, money and grid of the first world"
    assert "[b]flaky &amp; co" in page
    assert not re.search(r"\b(nan|NaN|None)\b", page)


def test_no_two_parts_of_the_page_share_a_name_and_every_reference_is_answered(found):
    page = render_report(found)
    names = re.findall(r'\bid="([^"]+)"', page)
    assert len(names) == len(set(names))
    assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', page)) <= set(names)


@pytest.mark.parametrize("world", [SHORT.name, HOMES.name])
def test_the_chart_of_scores_is_valid_svg_and_leaves_failed_teams_out(found, world):
    picture = comparison.scores(found, world)
    assert ET.fromstring(picture).tag.endswith("svg")
    assert ("<!-- [b]flaky &amp; co -->" in picture) == (world == HOMES.name)


def test_shares_are_printed_as_per_cent_with_the_decimals_of_their_point():
    assert percent(0.00539261) == "0.5393 %"
    assert interval(Estimate(0.00539261, 0.005, 0.00601), 100.0) == "[0.5000, 0.6010]"


def test_the_grid_has_its_block_in_the_table_and_its_section_in_the_page(found):
    text, page = printed(found), render_report(found)
    assert text.count("The grid") == len(found.worlds)
    assert "outage" in text
    assert page.count("<h3>The grid</h3>") == len(found.worlds)
    assert page.count("The grid under truthful") == len(found.worlds)
    assert "<td>battery_1</td>" in page
    for kind in ("frequency", "voltage", "reserve"):
        assert f"auction-truthful-{kind}-" in page
        assert f"{HOMES.name}-truthful-{kind}-" not in page, "a world that does not model it"


@pytest.fixture(scope="module")
def broken():
    tripped = SHORT.but(trips=[{"generator": "coal_1", "at_h": 0.5}])
    return rollout(tripped, "truthful", seed=0)


@pytest.mark.parametrize("draw", [grid.frequency, grid.voltage, grid.reserve, grid.emergency])
def test_pictures_of_the_grid_are_valid_svg(broken, draw):
    assert ET.fromstring(draw(broken)).tag.endswith("svg")


def test_a_strip_of_stages_is_drawn_only_where_there_was_an_emergency(found, broken):
    assert grid.emergency(found.trajectories[SHORT.name, "truthful"]) == ""
    assert "<!-- shedding -->" in grid.emergency(broken)


def test_batteries_that_wear_most_are_listed_first(broken):
    worn = worst_worn(broken)
    cycles = [w.rainflow.equivalent_cycles for w in worn]
    assert len(worn) == min(len(broken.batteries), MOST_BATTERIES)
    assert cycles == sorted(cycles, reverse=True)
