"""Learned teams beside their networks before they learned."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from gridmarl.agents.learned import Learned
from gridmarl.agents.team import load_team
from gridmarl.bench.untrained import OPTIMUM, Standing, pigeonhole_difference, untrained_table, untrained_team
from gridmarl.cli import app
from gridmarl.errors import ScenarioError
from gridmarl.evaluation.metrics import resource_cost
from gridmarl.evaluation.rollout import rollout
from gridmarl.scenario.scenario import Scenario

SHORT = Scenario.load("auction").but(intervals=6, name="short")
IN_BAND = 0.95
"""Share of intervals in band that a market should hold."""


@pytest.fixture(scope="module")
def table() -> list[Standing]:
    return untrained_table(SHORT, ["learned-flexible"], initialisations=2, beside=["truthful"], seeds=2, progress=False)


def test_every_learned_team_stands_above_its_untrained_networks_and_the_optimum_last(table: list[Standing]) -> None:
    names = ["learned-flexible", "learned-flexible, untrained", "truthful", OPTIMUM]
    assert [line.team for line in table] == names
    assert [line.initialisations for line in table] == [0, 2, 0, 0]
    assert [line.less_untrained is None for line in table] == [False, True, True, True]


def test_its_costs_are_means_of_rollouts(table: list[Standing]) -> None:
    flexible = load_team("learned-flexible")
    learned = [resource_cost(rollout(SHORT, flexible, seed=seed)) for seed in (0, 1)]
    blank = [[resource_cost(rollout(SHORT, untrained_team(flexible, k), seed=s)) for s in (0, 1)] for k in (0, 1)]
    assert table[0].resource_cost == pytest.approx(np.mean(learned))
    assert table[1].resource_cost == pytest.approx(np.mean(blank))
    assert table[0].less_untrained is not None
    assert table[0].less_untrained.value == pytest.approx(np.mean(learned) - np.mean(blank))


def test_above_the_optimum_is_the_cost_less_the_optimums(table: list[Standing]) -> None:
    optimum = table[-1].resource_cost
    for line in table:
        assert line.above_optimum == pytest.approx(line.resource_cost - optimum, abs=1e-6)
        assert line.above_optimum > -1.0


def test_the_command_line_prints_the_same_numbers(tmp_path: Path, table: list[Standing]) -> None:
    world = tmp_path / "short.yaml"
    world.write_text(yaml.safe_dump(SHORT.model_dump(mode="json", exclude_unset=True)), encoding="utf-8")
    asked = ["compare", str(world), "--untrained", "2", "--teams", "learned-flexible", "--seeds", "2"]
    done = CliRunner().invoke(app, [*asked, "--json"])
    assert done.exit_code == 0, done.output
    lines = json.loads(done.output)
    assert [line["team"] for line in lines][:2] == [line.team for line in table[:2]]
    assert lines[1]["resource_cost"] == pytest.approx(table[1].resource_cost)


def test_a_team_that_learned_nothing_is_refused() -> None:
    with pytest.raises(ScenarioError, match="team 'truthful'"):
        untrained_team(load_team("truthful"), 0)


def test_one_initialisation_is_refused() -> None:
    with pytest.raises(ScenarioError, match="initialisations"):
        untrained_table(SHORT, initialisations=1)


def test_only_those_who_learned_are_drawn_anew() -> None:
    team = load_team("learned-flexible")
    blank = untrained_team(team, 7)
    assert blank.agents["generator"] is team.agents["generator"]
    drawn = blank.agents["storage"]
    assert isinstance(drawn, Learned)
    assert drawn.initialisation == 7


def test_a_difference_that_is_the_same_for_all_has_no_width() -> None:
    by_seed = np.array([100.0, 200.0, 300.0])
    gap, share = pigeonhole_difference(by_seed - 10.0, np.tile(by_seed, (4, 1)), np.random.default_rng(0))
    assert (gap.value, gap.low, gap.high) == pytest.approx((-10.0, -10.0, -10.0))
    assert share.value == pytest.approx(-0.05)


def test_initialisations_that_differ_widen_the_interval_though_the_seeds_agree() -> None:
    others = np.repeat([[100.0], [140.0]], 50, axis=1)
    gap, _ = pigeonhole_difference(np.full(50, 110.0), others, np.random.default_rng(0))
    assert gap.value == -10.0
    assert (gap.low, gap.high) == (-30.0, 10.0)  # both drawn from the dear one, or both from the cheap one


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("world", ["auction", "renewable-heavy"])
def test_trained_against_untrained(world: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The hypothesis is that training cuts cost by a tenth to a fifth; the table says what came out."""
    lines = untrained_table(world, progress=False)
    with capsys.disabled():
        print(f"\n{world}")
        for line in lines:
            print(line.to_dict())
    trained = [line for line in lines if line.less_untrained is not None]
    assert len(trained) == 2
    for line in lines:
        assert line.above_optimum >= -1e-3 * lines[-1].resource_cost
    for line in trained:
        assert line.frequency_in_band is not None
        assert line.frequency_in_band >= IN_BAND
        assert line.voltage_in_band is not None
        assert line.voltage_in_band >= IN_BAND
