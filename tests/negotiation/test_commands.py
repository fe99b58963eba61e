"""``gridmarl fleet`` and ``gridmarl negotiate``."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from gridmarl.cli import app
from gridmarl.errors import GridmarlError


def said(*arguments: object) -> str:
    """Standard output of a command that ends well."""
    result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_fleet_is_drawn_written_and_negotiates(tmp_path):
    path = tmp_path / "fleet.yaml"
    assert "battery share" in said("fleet", "--size", 60, "--seed", 3, "--out", path)
    story = said("negotiate", "--fleet", path, "--opportunities", "caiso-week", "--out", tmp_path / "told")
    assert "rounds" in story
    assert "0815-19-energy" in story
    assert "nonspin, Tuesday 15 August 2023" in (tmp_path / "told" / "transcript.md").read_text()
    messages = json.loads((tmp_path / "told" / "negotiation.json").read_text())
    assert len(messages) == 21
    assert {"opportunity", "result", "optimization", "bid", "rounds"} == set(messages[0])


def test_json_goes_to_scripts(tmp_path):
    told = json.loads(
        said(
            "negotiate",
            "--fleet",
            40,
            "--opportunities",
            "random:3",
            "--strategy",
            "random",
            "--settlement",
            "vcg",
            "--out",
            tmp_path,
            "--json",
        )
    )
    assert len(told["negotiations"]) == 3
    assert told["negotiations"][0]["optimization"]["settlement_rule"] == "vcg"
    assert json.loads(said("fleet", "--size", 10, "--json"))["roof_share"] == 1.0


def test_prices_of_any_name_are_taken_for_the_week(tmp_path):
    table = tmp_path / "prices.csv"
    hours = (f"2023-08-{day:02d}T{hour:02d}:00Z,77" for day in range(10, 31) for hour in range(24))
    table.write_text("start_utc,my_usd_per_mwh\n" + "\n".join(hours) + "\n")
    asked = ["negotiate", "--fleet", "20", "--data", str(table), "--out", str(tmp_path), "--json"]
    told = json.loads(said(*asked, "--map", "price=my_usd_per_mwh"))
    asks = [one["opportunity"] for one in told["negotiations"]]
    prices = {one["market_price_mwh"] for one in asks if one["price_source"] == "market"}
    assert prices == {77.0}
    with pytest.raises(GridmarlError, match=r"column of prices.*my_usd_per_mwh.*--map price=COLUMN"):
        CliRunner().invoke(app, asked, catch_exceptions=False)
    with pytest.raises(GridmarlError, match=r"price=COLUMN beside --data"):
        CliRunner().invoke(app, ["negotiate", "--map", "price=x"], catch_exceptions=False)


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (("--strategy", "ruel"), "did you mean 'rule'"),
        (("--settlement", "vgc"), "did you mean 'vcg'"),
        (("--fleet", "none.yaml"), "does not exist"),
        (("--opportunities", "caiso-weak"), "do not exist"),
        (("--fleet", "x.yaml", "--measure"), "a number of prosumers"),
    ],
)
def test_mistakes_are_one_line(tmp_path, arguments, complaint):
    words = ["negotiate", "--fleet", "20", "--out", str(tmp_path), *arguments]
    with pytest.raises(GridmarlError, match=complaint):
        CliRunner().invoke(app, words, catch_exceptions=False)
