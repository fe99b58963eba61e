"""A run of planners: its certificate, its numbers and its pictures."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.lines import Line2D
from typer.testing import CliRunner

from gridmarl.agents.team import Team
from gridmarl.bench.pictures.plan import pictures
from gridmarl.bench.plan_tables import plan_table, price_quantile
from gridmarl.bench.planned_run import PlannedRun, play
from gridmarl.bench.progress import Stage
from gridmarl.bench.run_files import write_run
from gridmarl.cli import app
from gridmarl.errors import ScenarioError
from gridmarl.planning.central import CentralPlanner
from gridmarl.planning.certify import certify
from gridmarl.planning.model.risk import cvar, revenue
from gridmarl.planning.planner import Planner
from gridmarl.planning.wire.channel import COORDINATOR, Audit
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import Float

ROOT = Path(__file__).parents[2]
ONCE = {"replan_every_h": 24.0}
SOLVERS_ROUND = 1e-7
"""Dollars by which two solvers may differ on a problem of 0.3 $."""
PICTURES = {
    "schedules": "schedules of 3 owners",
    "state-of-charge": "state of charge",
    "convergence": "convergence of 1 plans, 1 of them certified",
    "shadow-prices": "shadow prices and the cleared price",
    "risk": "price scenarios and the owners' revenue",
    "net-load": "net load before and after",
}


def silent(_: object) -> None:
    """Nobody watches."""


def planned(scenario: Scenario, **settings: object) -> PlannedRun:
    """A run that plans once."""
    return play(scenario, Team({"*": Planner(**ONCE, **settings)}, "homes"), Stage(silent, silent))


@pytest.fixture(scope="module")
def homes() -> Scenario:
    return Scenario.load("three-homes")


@pytest.fixture(scope="module")
def linear(tmp_path_factory) -> Path:
    """The three homes without quadratic wear, in a file."""
    settings = yaml.safe_load((ROOT / "envs" / "three-homes.yaml").read_text())
    batteries = [{**unit, "wear_per_kw2h": 0.0} for unit in settings["storage"]]
    path = tmp_path_factory.mktemp("worlds") / "linear.yaml"
    path.write_text(yaml.safe_dump({**settings, "storage": batteries}))
    return path


@pytest.fixture(scope="module")
def negotiated(homes) -> PlannedRun:
    return planned(homes, method="admm", tolerance=1e-3)


@pytest.fixture(scope="module")
def folder(negotiated, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("out")
    write_run(negotiated, path)
    return path


@pytest.mark.parametrize("method", ["central", "admm", "aladin"])
def test_a_certified_plan_costs_what_the_optimum_costs_to_its_gap(homes, method):
    run = planned(homes, method=method)
    assert run.planned is not None
    assert run.verdict is not None
    optimum = CentralPlanner().solve(run.planned.problem).objective
    assert run.verdict.certified
    assert run.verdict.lower_bound <= optimum + SOLVERS_ROUND
    assert optimum <= run.verdict.cost + run.verdict.relative_gap * abs(run.verdict.cost) + SOLVERS_ROUND
    assert run.verdict.rounds == run.planned.plan.rounds
    assert run.verdict.primal_residual == run.planned.plan.primal_residual_mw * 1000
    assert run.verdict.dual_residual == run.planned.plan.dual_residual_mw * 1000


def test_the_bound_of_a_negotiation_is_found_again_without_it(negotiated):
    made = negotiated.planned
    found = certify(made.plan, made.problem)
    assert found.lower == pytest.approx(made.plan.lower_bound, abs=SOLVERS_ROUND)
    assert found.upper == pytest.approx(made.plan.upper_bound, abs=SOLVERS_ROUND)


def test_a_selfish_plan_is_not_certified_and_its_mismatch_is_told(homes):
    run = planned(homes, method="selfish")
    assert run.verdict is not None
    assert run.before is not None
    assert not run.verdict.certified
    assert run.verdict.rounds == 0
    assert run.verdict.primal_residual == pytest.approx(np.linalg.norm(run.before.injection_mw.sum(0)) * 1000)
    assert run.verdict.relative_gap > 0.5


@pytest.mark.parametrize("method", ["central", "selfish"])
def test_a_transformers_load_and_price_and_the_batteries_overlap_are_told(method):
    street = [{"name": "street", "limit_kw": 25, "members": ["home_*"]}]
    run = planned(Scenario.load("duck-curve").but(intervals=12, transformers=street), method=method)
    assert run.verdict is not None
    assert run.planned is not None
    plan = run.planned.plan
    assert run.verdict.overlap == pytest.approx(plan.overlap_mwh * 1000)
    assert "charged and discharged at once" in run.verdict.lines()["overlap"]
    table = plan_table(run, run.planned)
    assert np.array(table[table["name"] == "overlap_mw"]["value"]).min() >= 0.0
    street_rows = table[table["asset"] == "street"]
    load, price = (street_rows[street_rows["name"] == name] for name in ("net_load_mw", "multiplier_per_mwh"))
    assert np.array(load["value"]) == pytest.approx(-plan.injection_mw.sum(axis=0))
    assert np.array(price["value"]) == pytest.approx(plan.groups[0].multiplier_per_mwh)
    if method == "selfish":  # who ignores a limit pays nothing for it
        assert not np.any(price["value"])
        assert plan.groups[0].shortage_mwh.sum() + plan.groups[0].surplus_mwh.sum() > 0.0
    else:
        assert np.array(price["value"]).max() > 1.0
    assert run.verdict.certified == (method != "selfish")


def test_every_round_is_told_as_it_ends(homes):
    said: list[str] = []
    team = Team({"*": Planner(**ONCE, method="admm", tolerance=1e-3)}, "homes")
    run = play(homes, team, Stage(said.append, silent))
    assert run.verdict is not None
    assert len(said) == run.verdict.rounds
    assert said[0].startswith("homes: plan 1, round 1, primal ")
    last = run.rounds()[-1]
    assert said[-1] == (
        f"homes: plan 1, round {len(said)}, primal {last['primal_residual_kw']:.2g} kW, "
        f"dual {last['dual_residual_kw']:.2g} kW"
    )


def test_the_rounds_end_at_the_certificate(negotiated):
    rounds, verdict = negotiated.rounds(), negotiated.verdict
    assert [row["round"] for row in rounds] == list(range(1, verdict.rounds + 1))
    assert rounds[-1]["primal_residual_kw"] == verdict.primal_residual
    assert rounds[-1]["cost_less_lower_bound"] == pytest.approx(verdict.gap, abs=1e-12)
    shown = negotiated.shown_rounds()
    assert (shown[0], shown[-1]) == (rounds[0], rounds[-1])
    assert len(shown) <= 12


def test_pictures_are_written_under_their_titles(folder):
    assert {path.stem for path in folder.glob("*.png")} == set(PICTURES)
    for name, title in PICTURES.items():
        content = (folder / f"{name}.png").read_bytes()
        said = content.partition(b"tEXtTitle\0")[2][:100].decode("latin-1")
        assert said.startswith("homes in three-homes")
        assert title in said
        pixels = imread(folder / f"{name}.png")[..., :3].mean(axis=-1)
        assert min(pixels.shape) > 300
        assert 0.01 < (pixels < 0.98).mean() < 0.9, "something is drawn, and something is left free"


def drawn(run: PlannedRun, name: str) -> Figure:
    """One of a run's pictures."""
    figure = Figure()
    pictures(run)[name].draw(figure)
    return figure


def heights(line: Line2D) -> Float:
    """What a line shows."""
    return np.asarray(line.get_ydata(), dtype=np.float64)


def test_pictures_show_the_plans_numbers_with_their_units(negotiated):
    plan, record = negotiated.planned.plan, negotiated.played.negotiations[0]
    primal, dual, gap = drawn(negotiated, "convergence").axes
    assert heights(primal.lines[0]) == pytest.approx(record.primal_mw * 1000)
    assert heights(dual.lines[0]) == pytest.approx(record.dual_mw * 1000)
    assert heights(gap.lines[0])[-1] == pytest.approx(negotiated.verdict.gap)
    above, below = drawn(negotiated, "shadow-prices").axes
    cleared = negotiated.played.of_market("price_per_mwh")
    assert [heights(line)[0] for line in above.lines[1:]] == pytest.approx([plan.price_per_mwh[0], cleared[0]])
    assert heights(below.lines[0])[:-1] == pytest.approx(plan.multiplier_per_mwh)
    (load,) = drawn(negotiated, "net-load").axes
    before = negotiated.before.injection_mw.sum(axis=0)
    assert heights(load.lines[1])[:-1] == pytest.approx(-before * 1000)
    assert "18.9" in load.get_legend_handles_labels()[1][1], "kW of mismatch where all are selfish"
    (levels,) = drawn(negotiated, "state-of-charge").axes
    ends = [heights(line) for line in levels.lines]
    assert [end[0] for end in ends] == [0.5] * 3
    assert all(0.1 - 1e-6 <= end.min() <= end.max() <= 0.9 + 1e-6 for end in ends)
    units = [axes.get_ylabel() for name in PICTURES for axes in drawn(negotiated, name).axes]
    named = ("kW", "$", "injection (kW)", "net load (kW)", "price ($/MWh)", "multiplier ($/MWh)")
    assert set(units) == {*named, "stored energy / capacity", ""}, "only the owners' names need no unit"


def test_tables_hold_the_plan(folder, negotiated):
    plan, made = negotiated.planned.plan, negotiated.planned
    table = pd.read_csv(folder / "plan.csv", keep_default_na=False)
    stored = pd.read_parquet(folder / "plan.parquet")
    assert len(stored) == len(table)
    for row, owner in enumerate(plan.owners):
        mine = table[(table.owner == owner) & (table.name == "injection_mw")]
        assert mine.value.to_numpy() == pytest.approx(plan.injection_mw[row], rel=1e-12)
    multiplier = table[(table.owner == "") & (table.name == "multiplier_per_mwh")].value
    assert multiplier.to_numpy() == pytest.approx(plan.multiplier_per_mwh, rel=1e-12)
    selfish = table[table.name == "net_load_selfish_mw"].value
    assert np.linalg.norm(selfish) > 1000 * np.linalg.norm(table[table.name == "net_load_mw"].value)
    risk, prices = pd.read_csv(folder / "risk.csv"), made.outlook.prices
    gain = revenue(plan.injection_mw[1], plan.step_h, prices)
    mine = risk[risk.owner == plan.owners[1]]
    assert mine.revenue.to_numpy() == pytest.approx(gain)
    assert mine.cvar_revenue.iloc[0] == pytest.approx(cvar(gain, prices.probability, prices.alpha))


def test_quantiles_of_prices_weigh_scenarios_by_their_probability(negotiated):
    made = negotiated.planned
    prices = made.outlook.prices
    for level in (0.1, 0.5, 0.9):
        quantile = price_quantile(made, level)
        below = prices.probability @ (prices.per_mwh < quantile - 1e-9)
        up_to = prices.probability @ (prices.per_mwh <= quantile + 1e-9)
        assert (below < level).all()
        assert (up_to >= level - 1e-9).all()


def test_the_command_prints_and_writes_the_same_certificate(linear, tmp_path):
    out, audit = tmp_path / "out", tmp_path / "said.csv"
    team = tmp_path / "once.yaml"
    team.write_text('seats: {"*": {kind: planner, method: dantzig-wolfe, tolerance: 1.0e-9, replan_every_h: 24}}\n')
    arguments = ["run", str(team), "--env", str(linear), "--out", str(out), "--audit", str(audit)]
    told = json.loads(CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False).stdout)
    certificate = told["certificate"]
    assert certificate == json.loads((out / "certificate.json").read_text())["certificate"]
    assert certificate["certified"]
    assert certificate["rounds"] == told["negotiations"][0]["rounds"] <= 150
    assert certificate["relative_gap"] <= 1e-9
    assert certificate["primal_residual"] == told["negotiations"][0]["primal_residual_kw"]
    assert all(Path(path).stat().st_size > 0 for path in told["files"])
    said = list(csv.DictReader(audit.read_text().splitlines()))
    assert {row["sender"] for row in said} == {COORDINATOR, "baker", "family", "school"}
    assert sum(int(row["bytes"]) for row in said) == pytest.approx(3 * sum(row["bytes"] for row in told["crossed"]))
    assert max(int(row["round"]) for row in said) >= certificate["rounds"]
    text = CliRunner().invoke(app, arguments, catch_exceptions=False).stdout
    for word in ("rounds of the first plan", "certified", "primal_residual", "dual_residual", "gap", "what crossed"):
        assert word in text


def test_a_team_without_planners_has_no_certificate_and_no_pictures(tmp_path):
    run = play(Scenario.load("three-homes"), "self-consumption", Stage(silent, silent))
    assert run.verdict is None
    assert run.to_dict() == {"certificate": None, "negotiations": []}
    assert [path.name for path in write_run(run, tmp_path)] == ["intervals.parquet"]


@pytest.mark.parametrize("team", ["self-consumption", "central", "selfish"])
def test_an_audit_of_what_passes_no_channel_is_refused(homes, team):
    with pytest.raises(ScenarioError, match="audit"):
        play(homes, team, Stage(silent, silent), audit=Audit())
