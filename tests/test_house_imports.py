"""Importing gridmarl is cheap, and its public names are pinned."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import gridmarl

HEAVY = (
    "clarabel cvxpy gymnasium highspy matplotlib numba numpy pandas pettingzoo piqp pydantic ray scipy streamlit torch"
)
LONGEST_IMPORT_S = 0.5


def run(code: str) -> str:
    """Output of a fresh interpreter."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_gridmarl_loads_none_of_the_heavy_libraries() -> None:
    assert run(f"import sys, gridmarl; print(sorted(set({HEAVY!r}.split()) & set(sys.modules)))") == "[]"


def test_importing_gridmarl_takes_less_than_half_a_second() -> None:
    code = "from time import perf_counter as now; start = now(); import gridmarl; print(now() - start)"
    assert min(float(run(code)) for _ in range(3)) < LONGEST_IMPORT_S


def test_the_public_names_are_exactly_these() -> None:
    assert gridmarl.__all__ == [
        "Agent",
        "Clearing",
        "Scenario",
        "Team",
        "Trajectory",
        "__version__",
        "clear",
        "compare",
        "env",
        "load_agent",
        "negotiate",
        "negotiation_env",
        "parallel_env",
        "rollout",
        "train",
        "vector_env",
    ]
    assert set(gridmarl.__all__) <= set(dir(gridmarl))


def test_type_checkers_and_the_interpreter_fetch_each_name_from_the_same_place() -> None:
    tree = ast.parse(Path(gridmarl.__file__).read_text(encoding="utf-8"))
    checked = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.name: f"{node.module}:{alias.name}"
        for node in checked.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == gridmarl._HOMES
    assert {*seen, "__version__"} == set(gridmarl.__all__)


@pytest.mark.parametrize("name", sorted(gridmarl._HOMES))
def test_each_public_name_is_where_the_table_says(name: str) -> None:
    home = Path(gridmarl.__file__).parent.parent / (gridmarl._HOMES[name].partition(":")[0].replace(".", "/") + ".py")
    if not home.is_file():
        pytest.skip(f"{home.name} is not written yet")
    assert getattr(gridmarl, name) is getattr(gridmarl, name)


def test_no_module_or_package_hides_a_public_name() -> None:
    package = Path(gridmarl.__file__).parent
    assert {path.stem for path in package.iterdir()}.isdisjoint(gridmarl._HOMES)


def test_an_unknown_name_says_which_names_there_are() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'paralel_env'; it has .*parallel_env"):
        gridmarl.paralel_env  # noqa: B018  # looking is the test


def test_the_version_is_the_one_of_the_installed_package() -> None:
    from importlib.metadata import version

    assert gridmarl.__version__ == version("gridmarl")


@pytest.mark.parametrize("first, second", [("gridmarl", "gymnasium"), ("gymnasium", "gridmarl")])
def test_gymnasium_knows_the_single_seat_view_in_either_order_of_import(first: str, second: str) -> None:
    code = f"import {first}, {second}; import gymnasium; print(gymnasium.spec('gridmarl/Seat-v0').entry_point)"
    assert run(code) == "gridmarl.agents.seat:SeatEnv"


def test_waiting_for_gymnasium_leaves_no_trace_once_it_came() -> None:
    code = """if True:
    import sys
    before = list(sys.meta_path)
    import gridmarl, importlib.util
    importlib.util.find_spec("gymnasium.envs.registration")  # looking for it must not use the registration up
    import gymnasium
    registry = sys.modules["gymnasium.envs.registration"]
    assert "gridmarl/Seat-v0" in registry.registry
    print(sys.meta_path == before, type(registry.__spec__.loader).__name__, type(registry.__loader__).__name__)
    """
    assert run(code) == "True SourceFileLoader SourceFileLoader"
