"""What is imported is declared, what is declared is used and tested, and the collections hold no code."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "gridmarl"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
COLLECTIONS = ("envs", "baselines", "training")

# Where the name to import is not the name to install.
INSTALLED_AS = {"yaml": "pyyaml", "sklearn": "scikit-learn", "stable_baselines3": "stable-baselines3"}

# Used without an import of ours: cvxpy and pandas load these by their name.
USED_BY_NAME = {"clarabel": "CLARABEL", "highspy": "HIGHS", "piqp": "PIQP", "pyarrow": "parquet"}


def name_of(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match is not None, requirement
    return match[0].lower().replace("_", "-")


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imported() -> set[str]:
    """Third-party distributions that the package imports, at any depth of any file."""
    modules: set[str] = set()
    for file in sources():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                modules.add(node.module.partition(".")[0])
    return {INSTALLED_AS.get(m, m) for m in modules - set(sys.stdlib_module_names) - {"gridmarl"}}


def required() -> set[str]:
    return {name_of(r) for r in PROJECT["project"]["dependencies"]}


def optional() -> set[str]:
    """Requirements of the extras that users, rather than developers, install."""
    extras = PROJECT["project"]["optional-dependencies"]
    return {name_of(r) for extra, entries in extras.items() if extra not in {"test", "dev"} for r in entries}


def test_everything_imported_is_declared() -> None:
    assert imported() <= required() | optional()


def test_nothing_is_required_that_the_package_does_not_use() -> None:
    text = "\n".join(file.read_text(encoding="utf-8") for file in sources())
    by_name = {name for name, mark in USED_BY_NAME.items() if mark in text}
    assert required() - imported() - by_name == set()


def test_requirements_have_a_floor_and_no_cap() -> None:
    project = PROJECT["project"]
    everything = [*project["dependencies"], *(r for extra in project["optional-dependencies"].values() for r in extra)]
    assert [r for r in everything if not re.fullmatch(r"[A-Za-z0-9._-]+(\[[a-z-]+\])?>=[0-9.]+", r)] == []


def test_constraints_name_a_tested_version_of_each_direct_dependency() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {name_of(line) for line in lines if line and not line.startswith("#")}
    project = PROJECT["project"]
    direct = required() | {name_of(r) for extra in project["optional-dependencies"].values() for r in extra}
    assert direct <= pinned
    assert all("==" in line for line in lines if line and not line.startswith("#"))


def test_a_wheel_carries_each_collection_inside_the_package() -> None:
    carried = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert carried == {name: f"gridmarl/_shipped/{name}" for name in COLLECTIONS}


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_a_collection_holds_data_and_no_code(collection: str) -> None:
    allowed = {".yaml", ".md", ".safetensors", ".json", ".csv", ".png"}
    files = [file for file in (ROOT / collection).rglob("*") if file.is_file()]
    assert [str(file) for file in files if file.suffix not in allowed] == []


def test_each_source_file_begins_by_saying_its_one_idea() -> None:
    silent = [str(f) for f in sources() if ast.get_docstring(ast.parse(f.read_text(encoding="utf-8"))) is None]
    assert silent == []


def test_the_package_says_that_it_is_typed() -> None:
    assert (PACKAGE / "py.typed").is_file()
