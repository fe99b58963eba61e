"""The same episodes cleared in turn and jointly, side by side."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from gridmarl.bench.clearings import clearings_table
from gridmarl.cli import app
from gridmarl.errors import ScenarioError
from gridmarl.scenario.scenario import Scenario
from tests.environment.worlds import world

SCARCE = {
    "generators": [
        {"name": "agile", "capacity_mw": 100, "cost_per_mwh": 20},
        {"name": "stiff", "capacity_mw": 100, "cost_per_mwh": 50, "renewable": True},
    ],
    "consumers": [{"name": "load", "load_mw": 120}],
    "reserve": {"spin_share": 0.25, "nonspin_share": 0.0, "penalty_per_mwh": 500},
}
"""Four hours in which the cheap plant can sell 100 MW of energy, or 70 MW and the 30 MW of reserve required."""


def test_the_table_is_what_four_equal_hours_come_to_by_hand() -> None:
    table = clearings_table(world(**SCARCE), seeds=[0, 1])
    assert list(table.columns) == ["in-turn", "joint", "difference", "unit"]
    rows = {name: (row["in-turn"], row["joint"]) for name, row in table.iterrows()}
    assert rows["mean_spin_price"] == (500, pytest.approx(30))
    assert rows["mean_price"] == (50, 50)
    assert rows["reserve_short_share"] == (1, 0)
    assert rows["resource_cost"] == pytest.approx((4 * (100 * 20 + 20 * 50), 4 * (70 * 20 + 50 * 50)))
    assert rows["reserve_cost"] == pytest.approx((0, 4 * 30 * 30))
    assert rows["profit of agile"] == pytest.approx((4 * 100 * 30, 4 * 100 * 30))
    assert table.loc["profit of load", "difference"] == pytest.approx(-4 * 30 * 30)
    assert table.loc["mean_price", "unit"] == "$/MWh"


def test_a_world_without_reserve_is_refused() -> None:
    with pytest.raises(ScenarioError, match="reserve of 'small'"):
        clearings_table(world())


def test_in_the_auction_coal_that_holds_reserve_asks_for_the_margin_it_forgoes() -> None:
    table = clearings_table("auction", seeds=[0])
    assert table.loc["reserve_cost", "in-turn"] > 0
    assert table.loc["mean_price", "difference"] > 0
    assert table.loc["profit of coal_1", "difference"] > 0


def test_the_command_line_prints_the_same_table(tmp_path: Path) -> None:
    short = tmp_path / "short.yaml"
    settings = Scenario.load("storm").but(intervals=12, name="short").model_dump(mode="json", exclude_unset=True)
    short.write_text(yaml.safe_dump(settings), encoding="utf-8")
    done = CliRunner().invoke(app, ["compare", str(short), "--clearings", "truthful", "--seeds", "1", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.output) == clearings_table(short, seeds=[0]).to_dict(orient="index")
