"""The command line: tables for people, JSON for scripts, one line for an error."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from gridmarl import catalogue
from gridmarl.agents.load import load_agent, policy_names
from gridmarl.cli import app
from gridmarl.errors import CatalogueError, GridmarlError, OutputError, TrainingError
from gridmarl.scenario.scenario import Scenario

ROOT = Path(__file__).parents[1]
ORDERS = "participant,side,price,quantity\na,sell,25,30\nb,sell,45,50\nc,sell,55,15\nd,sell,65,40\n"


@pytest.fixture
def world(tmp_path):
    """A two-hour auction in a file of its own."""
    settings = yaml.safe_load((ROOT / "envs" / "auction.yaml").read_text())
    path = tmp_path / "short.yaml"
    path.write_text(yaml.safe_dump({**settings, "intervals": 24}))
    return path


def said(*arguments: object) -> str:
    """Standard output of a command that ends well."""
    result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_everything_that_ships_is_listed_and_shown():
    listed = json.loads(said("list", "--json"))
    assert {"auction", "three-homes", "caiso-week"} <= set(listed["worlds"])
    for names in listed.values():
        for name in names:
            assert json.loads(said("show", name, "--json"))


def test_a_policy_of_ones_own_is_shown_by_its_folder_and_roles_that_learned_together_each(tmp_path):
    shipped = catalogue.shipped("training") / "policies"
    shutil.copytree(shipped / "dqn-gas_1", tmp_path / "mine")
    shutil.copytree(shipped / "market-auction", tmp_path / "ours")
    mine = json.loads(said("show", tmp_path / "mine", "--json"))
    assert mine == {str(tmp_path / "mine"): json.loads(said("show", "dqn-gas_1", "--json"))}
    assert "gas_1" in said("show", tmp_path / "mine")
    ours = json.loads(said("show", tmp_path / "ours", "--json"))
    assert [Path(folder).name for folder in ours] == ["consumer", "generator", "operator", "storage"]


def test_the_policy_that_negotiates_is_listed_as_what_it_is_and_seated_in_no_market():
    listed = json.loads(said("list", "policies", "--json"))["policies"]
    assert "picks from a home's menu" in listed["dqn-negotiate"]
    assert "--strategy learned" in listed["dqn-negotiate"]
    assert list(listed) == sorted(listed)
    assert "dqn-negotiate" in said("list", "policies")
    assert "dqn-negotiate" in said("list")
    assert json.loads(said("show", "dqn-negotiate", "--json"))["recipe"]["algorithm"] == "dqn"
    assert set(listed) - set(policy_names(together=True)) == {"dqn-negotiate"}
    assert "market-auction/storage" in listed
    with pytest.raises(CatalogueError, match="dqn-auction"):
        load_agent("dqn-negotiate")


def test_an_auction_is_cleared_from_a_file(tmp_path):
    orders = tmp_path / "orders.csv"
    orders.write_text(ORDERS)
    assert json.loads(said("clear", orders, "--demand", 95, "--json"))["price"] == 55
    assert "merit order" in said("clear", orders, "--demand", 95)


def test_auctions_of_several_periods_are_cleared_from_any_table_that_data_reads(tmp_path):
    orders = tmp_path / "orders.csv"
    orders.write_text("side;price;quantity;period\nsell;3;30;2\nsell;4;30;10\nbuy;9;3;10\n")
    assert json.loads(said("clear", orders, "--demand", 5, "--json"))["volume"] == {"2": 5, "10": 8}
    lines = said("clear", orders, "--demand", 5).splitlines()
    assert lines[-2].split() == ["2", "3.0", "(3.0,", "3.0)", "5.0", "0.0", "0.0"]
    assert lines[-1].split()[:2] == ["10", "4.0"]


def test_bidders_stand_beside_the_best_fixed_bid_and_the_best_response(world):
    arguments = ["bid", world, "--seat", "gas_1", "--seeds", 2, "--width", 2]
    row = json.loads(said(*arguments, "--json"))[0]
    assert row["player"] == "dqn-gas_1"
    assert row["best_response"] >= max(row["fixed"], row["profit"])
    assert "gap closed" in said(*arguments)


def test_an_episode_is_run_and_its_negotiations_told():
    told = json.loads(said("run", "admm", "--env", "three-homes", "--json"))
    assert told["metrics"]["share"] > 0.99
    assert len(told["negotiations"]) == Scenario.load("three-homes").intervals
    assert told["negotiations"][0]["converged"]
    assert told["certificate"]["certified"]
    assert told["certificate"]["rounds"] == told["negotiations"][0]["rounds"]


def test_teams_are_compared_and_the_report_is_named(world, tmp_path):
    out = tmp_path / "out"
    text = said("compare", world, "--teams", "truthful,markup", "--seeds", 2, "--out", out)
    assert "report.html" in text
    assert "seeds 0, 1" in text
    assert (out / "report.html").stat().st_size > 10_000
    told = json.loads(said("compare", world, "--teams", "truthful", "--seeds", 1, "--out", out, "--json"))
    assert told["failures"] == []


def test_what_each_seat_could_gain_is_told():
    arguments = ("exploit", "duopoly-pivotal", "--team", "truthful", "--seeds", 1)
    cheap, dear = json.loads(said(*arguments, "--json"))
    assert (cheap["seat"], cheap["exploitability"], cheap["kind"]) == ("cheap", 0.0, "exact")
    assert (dear["best_profit"], dear["exploitability_share"], dear["response"]) == (
        4000.0,
        None,
        "always 200.00 $/MWh",
    )
    assert (cheap["lerner"], cheap["withheld_mwh"]) == (0.7, 0.0)
    told = said(*arguments, "--seat", "dear")
    assert "+4,000.00" in told
    assert "cheap" not in told


def test_a_learned_policy_is_exploited_in_the_seats_it_learned():
    (told,) = json.loads(said("exploit", "auction", "--policy", "dqn-gas_1", "--seat", "gas_1", "--seeds", 1, "--json"))
    assert told["team"] == "dqn-gas_1 in truthful"
    assert told["kind"] == "lower bound"
    assert told["clairvoyant_profit"] is None


def test_a_table_is_checked(tmp_path):
    table = tmp_path / "prices.csv"
    table.write_text("time_utc,lmp_usd_per_mwh\n2024-01-01T00:00Z,-5\n2024-01-01T01:00Z,40\n")
    told = json.loads(said("data", table, "--json"))
    assert (told["intervals"], told["columns"][0]["unit"]) == (2, "per_mwh")


def test_figures_of_a_table_are_numbers_to_scripts(tmp_path):
    file = tmp_path / "prices.csv"
    file.write_text("start_utc,lmp_usd_per_mwh\n2025-01-01T00:00Z,1200\n2025-01-01T01:00Z,1201\n")
    (column,) = json.loads(said("data", file, "--json"))["columns"]
    assert (column["lowest"], column["mean"], column["highest"]) == (1200, 1200.5, 1201)
    assert "1,200.5" in said("data", file)


def test_a_torn_table_is_refused_and_may_be_written_with_its_gaps_filled(tmp_path):
    torn, whole = tmp_path / "torn.csv", tmp_path / "whole.csv"
    hours = "".join(f"2025-01-01T{hour:02d}:00Z,{'' if hour == 2 else hour}\n" for hour in range(6))
    torn.write_text("start_utc,load_mw\n" + hours)
    assert "--gaps" in str(CliRunner().invoke(app, ["data", str(torn)]).exception)
    told = json.loads(said("data", torn, "--gaps", "interpolate", "--out", whole, "--json"))
    assert (told["gaps"], told["filled"], told["wrote"]) == ("filled (interpolate)", {"load_mw": 1}, str(whole))
    again = json.loads(said("data", whole, "--json"))
    assert (again["gaps"], again["columns"][0]["mean"]) == ("none", 2.5)


def test_a_table_of_units_has_no_gaps_to_fill_into_another_file(tmp_path):
    units = tmp_path / "units.csv"
    units.write_text(UNITS)
    refused = CliRunner().invoke(app, ["data", str(units), "--out", str(tmp_path / "other.csv")])
    assert "leave it out for units" in str(refused.exception)


def test_a_synthetic_year_is_written_checked_and_never_over_a_file(tmp_path):
    table = tmp_path / "year.csv"
    told = json.loads(said("data", table, "--year", "2025-01-01", "--seed", 1, "--days", 7, "--json"))
    assert (told["intervals"], told["interval_h"]) == (168, 1.0)
    assert {"temperature_c", "demand_share", "price_per_mwh"} <= {column["column"] for column in told["columns"]}
    before = table.read_bytes()
    refused = CliRunner().invoke(app, ["data", str(table), "--year", "2025-01-01"])
    assert "a name that is not taken" in str(refused.exception)
    assert table.read_bytes() == before


UNITS = (
    "gen_uid,unit_type,fuel,p_max_mw,p_min_mw,ramp_mw_per_min,co2_t_per_mwh,seg0_mw,seg0_cost_usd_per_mwh\n"
    "1_CC_1,CC,NG,9000,0,500,0.4,9000,25\n1_PV_1,PV,Solar,500,0,500,0,0,0\n"
)


def test_a_table_of_units_is_checked_and_takes_the_place_of_a_worlds_fleet(tmp_path):
    table, series = tmp_path / "units.csv", tmp_path / "year.csv"
    table.write_text(UNITS)
    hours = "".join(f"2020,7,{d},{p},6000,0,0,300,500\n" for d in range(26, 31) for p in range(1, 25))
    series.write_text("year,month,day,period,load_mw,pv_mw,rtpv_mw,wind_mw,hydro_mw\n" + hours)
    told = json.loads(said("data", table, "--json"))
    assert (told["gas-cc"]["units"], told["gas-cc"]["lowest_per_mwh"]) == (1, 25)
    assert "u1_CC_1" in said("show", "rts", "--data", table)
    played = json.loads(said("run", "truthful", "--env", "rts", "--data", table, "--json"))
    assert played["digest"] != Scenario.load("rts").digest
    assert played["metrics"]["mean_price"] == pytest.approx(25)
    settings = yaml.safe_load((ROOT / "envs" / "rts.yaml").read_text())
    world = tmp_path / "short.yaml"
    world.write_text(yaml.safe_dump({**settings, "windows": {"test": ["2020-07-29 00:00:00"]}}))
    both = json.loads(said("run", "truthful", "--env", world, "--data", table, "--data", series, "--json"))
    assert "year.csv" in both["source"]
    assert both["metrics"]["unserved"] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "auctoin"], "did you mean 'auction'"),
        (["run", "truthfull"], "did you mean 'truthful'"),
        (["compare", "auction", "--teams", "centrl", "--seeds", "1"], "did you mean 'central'"),
        (["run", "truthful", "--env", "caiso-week", "--map", "price"], "PROFILE=COLUMN"),
        (["clear", "nothing.csv"], "does not exist"),
        (["list", "wrlds"], "worlds"),
        (["bid", "three-homes"], "thermal generators of 'three-homes': got 'none'"),
        (["exploit", "duopoly-low", "--policy", "dqn-gas_1"], "seats: got 'gas_1'"),
        (["exploit", "duopoly-low", "--recipe", "dqn"], "beside --trainings"),
        (["compare", "auction", "--seat", "gas_1", "--clearings", "truthful"], "one of them at a time"),
        (["compare", "auction", "--clearings", "truthful", "--out", "here"], "it prints a table"),
        (["compare", "auction", "--untrained", "2", "--data", "my.csv"], "--data and --map with --untrained"),
        (["run", "truthful", "--env", "caiso-week", "--map", "price=lmp_per_mwh"], "add --data FILE"),
        (["data", "my.csv", "--known", "load_mw"], "beside --forecast"),
        (["negotiate", "--fleet", "homes"], "a number of prosumers, or the path"),
        (["negotiate", "--fleet", "-1"], "at least 1"),
    ],
)
def test_errors_are_named(arguments, message):
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, GridmarlError)
    assert message in str(result.exception)


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "truthful", "--out", "{}"],
        ["run", "admm", "--audit", "{}/audit.csv"],
        ["compare", "auction", "--out", "{}/deeper"],
        ["train", "dqn", "--out", "{}"],
        ["negotiate", "--out", "{}"],
        ["fleet", "--out", "{}/fleet.yaml"],
    ],
)
def test_a_folder_that_cannot_be_written_to_is_refused_before_anything_is_played(tmp_path, arguments):
    file = tmp_path / "file"
    file.write_text("kept")
    result = CliRunner().invoke(app, [argument.format(file) for argument in arguments])
    assert isinstance(result.exception, OutputError)
    assert "a folder, which" in str(result.exception)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("file", "kept")]


@pytest.mark.parametrize("arguments", [["run", "truthful"], ["fleet"], ["negotiate"]])
def test_a_seed_below_zero_is_refused(arguments):
    result = CliRunner().invoke(app, [*arguments, "--seed", "-1"])
    assert result.exit_code == 2
    assert "--seed" in result.stderr


def test_an_interruption_that_a_library_swallows_ends_as_any_other():
    script = (
        "import os, signal\n"
        "from gridmarl.cli.app import app, main\n"
        "@app.command('swallow')\n"
        "def swallow():\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "    except KeyboardInterrupt:\n"
        "        pass\n"
        "    raise RuntimeError('no compiled object yet')\n"
        "@app.command('other')\n"
        "def other(): ...\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", script, "swallow"], capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert done.stderr == "error: interrupted; nothing half-written is left\n"


def test_an_error_is_one_line_on_standard_error_and_exit_code_2():
    command = [sys.executable, "-c", "from gridmarl.cli import main; main()", "show", "auctoin"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_a_name_that_is_a_team_and_a_recipe_is_shown_as_both():
    assert set(json.loads(said("show", "dqn", "--json"))) == {"teams", "recipes"}


def test_a_team_that_fails_is_told_and_ends_with_2_after_the_others_have_played(world, tmp_path):
    team = tmp_path / "unarmed.yaml"
    team.write_text("seats:\n  generator: {kind: policy, policy: nowhere}\n")
    arguments = ["compare", str(world), "--teams", f"truthful,{team}", "--seeds", "1", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "unarmed in short, seed 0: policy: got 'nowhere'" in result.stdout
    assert "truthful" in (tmp_path / "out" / "metrics.csv").read_text()


def test_a_training_goes_on_where_it_stopped_and_says_what_it_came_to(tmp_path):
    recipe = tmp_path / "short.yaml"
    recipe.write_text(
        "gymnasium: CartPole-v1\nnum_envs: 4\nsteps: 200\nlearn_from: 50\nlearn_every: 4\nevaluate_every: 100\n"
        "checkpoint_every: 100\nselect_seeds: 2\ntest_seeds: 2\n"
    )
    out = ("train", str(recipe), "--out", str(tmp_path / "pole"), "--seed", "3")
    assert "test:" in said(*out, "--device", "cpu")
    result = CliRunner().invoke(app, [*out, "--resume"])
    assert isinstance(result.exception, TrainingError)
    assert "which has finished" in str(result.exception)
    again = json.loads(said(*out, "--replace", "--json"))
    assert (again["recipe"]["seed"], again["curve"][-1]["step"]) == (3, 200)


def test_python_runs_the_package_as_the_command():
    told = subprocess.run(
        [sys.executable, "-m", "gridmarl", "list", "worlds"], capture_output=True, text=True, check=True
    )
    assert "three-homes" in told.stdout
