"""The examples of ``training/other-learners.md`` as programs: ``python -m tests.clients.examples RLlib`` runs one."""

from __future__ import annotations

import re
import runpy
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from gridmarl.agents.agent import Agent

PAGE = Path(__file__).parents[2] / "training" / "other-learners.md"


def examples() -> dict[str, str]:
    """Heading -> the code below it."""
    found = re.findall(r"^## (.+?)\n(?:(?!^## ).)*?^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
    return dict(found)


def run_example(name: str, results: Path) -> dict[str, Any]:
    """Names that the code leaves behind; it may write to ``results``."""
    script = results / "example.py"
    script.write_text(examples()[name], "utf-8")
    return runpy.run_path(str(script), {"results": results}, "__main__")


def main(name: str) -> None:
    """Run one and say what its player earned in an episode of the test split."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as results:
        left = run_example(name, Path(results))
    played, agent = left["played"], left["agent"]
    players = {seat: left["team"].claimant(seat, role) for seat, role in zip(played.seats, played.roles, strict=True)}
    seats = [seat for seat, player in players.items() if player is agent]
    earned = ", ".join(f"{seat} {played.of_seat(seat, 'reward').sum():,.0f} $" for seat in seats)
    assert isinstance(agent, Agent), "the example leaves no agent behind"
    assert seats, "nobody is played by it"
    print(f"{name}: {time.perf_counter() - began:.0f} s; {earned}")


if __name__ == "__main__":
    main(sys.argv[1])
