"""An edited kernel source is compiled anew, even where numba would not notice; anything else stays compiled."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gridmarl
from gridmarl.kernels import (
    KERNEL_FOLDERS,
    cache_folder,
    entry_kernel,
    inner_kernel,
    kernel,
    machine_code,
    source_digest,
)

# The callee is in another file than the entry: the case that numba's own cache overlooks.
CALLEE = "from gridmarl.kernels import kernel\n\n@kernel\ndef fee(x):\n    return x + {fee}\n"
ENTRY = (
    "from gridmarl.kernels import entry_kernel\nfrom tiny.market.callee import fee\n\n"
    "@entry_kernel\ndef bill(x):\n    return 2.0 * fee(x)\n"
)

# A fresh process, as a user's next run would be, that keeps its machine code under the folder it is given.
RUN = """
import json, sys
from pathlib import Path
from gridmarl import kernels
package, cache, keyed = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] == "keyed"
folder = cache / (kernels.source_digest(package) if keyed else "same")
kernels.cache_folder = lambda: folder
sys.path.insert(0, str(package.parent))
bill = __import__(package.name + ".environment.entry", fromlist=["bill"]).bill
value = bill(10.0)
print(json.dumps({"value": value, "compiled": sum(bill.stats.cache_misses.values())}))
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A tiny package with an entry kernel in one folder and its callee in another."""
    folder = tmp_path / "tiny"
    for place in ("", "market", "environment", "scenario"):
        (folder / place).mkdir()
        (folder / place / "__init__.py").touch()
    (folder / "kernels.py").write_text("# the decorator\n")
    (folder / "market" / "callee.py").write_text(CALLEE.format(fee=1.0))
    (folder / "environment" / "entry.py").write_text(ENTRY)
    (folder / "scenario" / "model.py").write_text("# no kernel here\n")
    return folder


def run(package: Path, keyed: bool = True) -> dict[str, float]:
    """Call the entry kernel in a new process; its value, and how often it had to compile."""
    arguments = [str(package), str(package.parent / "cache"), "keyed" if keyed else "same"]
    compiling = {**os.environ, "NUMBA_DISABLE_JIT": "0"}  # whatever the rest of the suite runs with
    done = subprocess.run(
        [sys.executable, "-c", RUN, *arguments], env=compiling, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_machine_code_is_reused_until_a_callee_in_another_module_is_edited(package: Path) -> None:
    assert run(package) == {"value": 22.0, "compiled": 1}
    assert run(package) == {"value": 22.0, "compiled": 0}
    (package / "scenario" / "model.py").write_text("# edited, and no kernel depends on it\n")
    assert run(package) == {"value": 22.0, "compiled": 0}
    (package / "market" / "callee.py").write_text(CALLEE.format(fee=2.0))
    assert run(package) == {"value": 24.0, "compiled": 1}


def test_numba_alone_would_run_the_stale_callee(package: Path) -> None:
    """The trap is real: the day numba closes it, this fails and the digest may go."""
    assert run(package, keyed=False)["value"] == 22.0
    (package / "market" / "callee.py").write_text(CALLEE.format(fee=2.0))
    assert run(package, keyed=False) == {"value": 22.0, "compiled": 0}


@pytest.mark.parametrize("file", ["kernels.py", "market/callee.py", "environment/entry.py"])
def test_the_digest_changes_with_any_source_that_may_hold_a_kernel(package: Path, file: str) -> None:
    before = source_digest(package)
    with (package / file).open("a") as source:
        source.write("# a change\n")
    assert source_digest(package) != before


def test_the_digest_changes_when_a_source_is_renamed(package: Path) -> None:
    before = source_digest(package)
    (package / "market" / "callee.py").rename(package / "market" / "renamed.py")
    assert source_digest(package) != before


def test_the_digest_does_not_depend_on_the_place_or_on_other_sources(package: Path, tmp_path: Path) -> None:
    before = source_digest(package)
    (package / "scenario" / "model.py").write_text("# edited\n")
    moved = package.rename(tmp_path / "moved")
    assert source_digest(moved) == before


def test_every_kernel_of_the_package_is_in_a_folder_that_the_digest_covers() -> None:
    root = Path(gridmarl.__file__).parent
    users = {file for file in root.rglob("*.py") if "from gridmarl.kernels import" in file.read_text("utf-8")}
    covered = {file for folder in KERNEL_FOLDERS for file in (root / folder).rglob("*.py")}
    assert users <= covered


def test_the_cache_of_the_package_is_named_by_the_digest_of_its_sources() -> None:
    assert cache_folder().name == source_digest(Path(gridmarl.__file__).parent)


@kernel
def _halved(x: float) -> float:
    return 0.5 * x


@entry_kernel
def _total(values: np.ndarray) -> float:
    total = 0.0
    for index in range(values.size):
        total += _halved(values[index])
    return total


def test_a_kernel_computes_what_its_python_source_says() -> None:
    values = np.array([0.1, 0.2, 0.3])
    source = getattr(_total, "py_func", _total)  # plain Python already where compiling is switched off
    assert _total(values) == source(values)


def test_machine_code_answers_as_its_kernel_does_for_whatever_is_of_these_types() -> None:
    code = machine_code(_total, np.zeros(2))
    for values in (np.array([0.1, 0.2, 0.3]), np.array([]), np.arange(9.0)):
        assert code(values) == _total(values)


def test_an_inner_kernel_refuses_a_call_from_python_instead_of_running_nothing() -> None:
    @inner_kernel
    def double(x: float) -> float:
        return 2.0 * x

    @entry_kernel
    def quadruple(x: float) -> float:
        return double(double(x))

    assert quadruple(1.5) == 6.0
    if hasattr(double, "py_func"):  # compiled
        with pytest.raises(TypeError, match="called by other kernels only"):
            double(1.0)


def test_a_kernel_called_from_python_and_from_a_kernel_is_the_same_function() -> None:
    @kernel
    def third(x: float) -> float:
        return x / 3.0

    @entry_kernel
    def ninth(x: float) -> float:
        return third(third(x))

    assert third(2.0) == 2.0 / 3.0
    assert ninth(2.0) == third(third(2.0))
    assert third(2) == 2 / 3, "whole numbers too"


def kernels_of(file: Path) -> list[ast.FunctionDef]:
    """Functions of a source file that are compiled by one of our decorators."""
    functions = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.FunctionDef)]
    return [f for f in functions if any("kernel" in ast.unparse(decorator) for decorator in f.decorator_list)]


def test_no_kernel_counts_an_index_from_the_end():
    package = Path(gridmarl.__file__).parent
    files = [file for folder in KERNEL_FOLDERS for file in sorted((package / folder).rglob("*.py"))]
    kernels = [kernel for file in files for kernel in kernels_of(file)]
    assert len(kernels) > 100
    for function in kernels:
        for place in ast.walk(function):
            if isinstance(place, ast.Subscript):
                parts = place.slice.elts if isinstance(place.slice, ast.Tuple) else [place.slice]
                assert not any(isinstance(part, ast.UnaryOp) for part in parts), (
                    f"{function.name}: {ast.unparse(place)}"
                )


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled")
def test_other_peoples_functions_still_count_from_the_end_even_where_a_kernel_of_ours_calls_them():
    import numba

    @numba.njit
    def last(x):
        return x[-1]

    @entry_kernel
    def first_and_last(x):
        return x[0] + last(x)

    numbers = np.array([1.0, 2.0, 40.0])
    assert first_and_last(numbers) == 41.0
    assert last(numbers) == 40.0


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled")
def test_other_peoples_functions_may_call_an_inner_kernel_that_calls_others():
    import numba

    @inner_kernel
    def half(x):
        return x / 2.0

    @inner_kernel
    def quarter(x):
        return half(half(x))

    @numba.njit
    def eighth(x):
        return quarter(x) / 2.0 + half(0.0)

    assert eighth(8.0) == 1.0
