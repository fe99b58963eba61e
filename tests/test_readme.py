"""What the README shows works as it stands: every snippet, every command, every link."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

import gridmarl
from gridmarl import catalogue
from gridmarl.cli import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SNIPPETS = [code for code in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "gridmarl.train(" not in code]
COMMANDS = [
    shlex.split(line, comments=True)
    for block in re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("gridmarl ")
]
ROUNDING = 2e-4
"""Of the cost: owners who agree to a tolerance stop elsewhere on another processor, which rounds otherwise."""
PAGES = ["README.md", "CONTRIBUTING.md", "training/other-learners.md"]


@pytest.mark.parametrize("code", SNIPPETS, ids=lambda code: code.strip().splitlines()[-1][:40])
def test_every_snippet_runs_by_itself_after_the_import(code):
    exec(compile(f"import gridmarl\n{code}", "README.md", "exec"), {})  # noqa: S102  # our own page


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_is_one_that_the_program_takes(command, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    program: Any = typer.main.get_command(app)
    with program.make_context("gridmarl", command[1:]) as whole:
        _, chosen, rest = program.resolve_command(whole, [*whole._protected_args, *whole.args])
        said = chosen.make_context(command[1], rest, parent=whole).params
    worlds = said.get("worlds") or [said[name] for name in ("env", "world") if said.get(name)]
    assert set(worlds) <= set(catalogue.names("envs"))
    teams = [*(said.get("teams") or "").split(","), said.get("team"), said.get("clearings"), said.get("others")]
    own = {"opponents", "results/policies/dqn-auction"}  # the folder is what the command above it writes
    assert {team for team in teams if team} - own <= set(catalogue.names("baselines"))
    if recipe := said.get("recipe"):
        assert catalogue.find("training", ROOT / recipe if "/" in recipe else recipe).is_file()


@pytest.mark.slow
def test_the_first_table_is_what_the_demo_prints():
    rows = re.findall(r"^\| `(\w+)`[^|]*\| \$([\d,]+) \| \$([\d,]+) \| ([\d.]+) \|", README, re.MULTILINE)
    said = {team: [float(number.replace(",", "")) for number in numbers] for team, *numbers in rows}
    assert list(said) == ["central", "admm", "truthful", "markup", "dqn"]
    found = gridmarl.compare("auction", list(said), seeds=5)
    for team, numbers in said.items():
        estimates = [found.estimate("auction", team, name) for name in ("resource_cost", "regret", "mean_price")]
        cost, regret, price = (one.value for one in estimates if one)
        assert [cost, price] == pytest.approx([numbers[0], numbers[2]], rel=0.02), team
        assert regret == pytest.approx(numbers[1], rel=0.02, abs=ROUNDING * cost), team


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text())
    missing = [link for link in links if "://" not in link and not (ROOT / page).parent.joinpath(link).exists()]
    assert not missing
