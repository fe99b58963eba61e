"""The page about other people's learners: every example is run where its library is installed."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from tests.bench.measuring import fresh_process
from tests.clients.examples import PAGE, examples

LIBRARIES = {
    "Stable-Baselines3": "stable_baselines3",
    "SuperSuit": "supersuit",
    "TorchRL": "torchrl",
    "RLlib": "ray",
    "BenchMARL": "benchmarl",
    "AgileRL": "agilerl",
}
APART = {
    "RLlib": "pins gymnasium 1.2.2",
    "BenchMARL": "pins torchrl below 0.12",
    "AgileRL": "pins pettingzoo below 1.27",
}


def test_the_page_has_an_example_for_every_library() -> None:
    assert list(examples()) == [*LIBRARIES]
    for name, code in examples().items():
        compile(code, name, "exec")
        assigned = {line.partition(" = ")[0] for line in code.splitlines()}
        assert {"agent", "team", "played"} <= assigned, name
    assert all(f"| {name} |" in PAGE.read_text("utf-8") for name in LIBRARIES)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", LIBRARIES)
def test_what_another_library_trained_plays_an_episode_as_one_more_agent(name: str) -> None:
    if find_spec(LIBRARIES[name]) is None:
        pytest.skip(f"{name} is not installed here" + (f": it {APART[name]}" if name in APART else ""))
    said = fresh_process(["-m", "tests.clients.examples", name]).splitlines()
    assert said[-1].startswith(f"{name}: ")
    assert said[-1].endswith("$")
