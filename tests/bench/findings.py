"""What a file of measurements finds: numbers beside their targets, printed once all of them are there."""

from __future__ import annotations

from dataclasses import dataclass, field

from rich.console import Console, RenderableType

from tests.bench import tables
from tests.bench.measuring import Target


@dataclass(slots=True)
class Judged:
    """Numbers that had a target."""

    targets: list[Target] = field(default_factory=list)

    def judge(self, what: str, measured: float, wanted: float, unit: str = "", at_least: bool = False) -> None:
        """Put a number beside its target; only one that is hopelessly off is an error."""
        target = Target(what, measured, wanted, unit, at_least)
        self.targets.append(target)
        assert target.near, f"{what}: {measured:.4g} {unit} is hopelessly far from {wanted:g}"


def show(*found: RenderableType) -> None:
    """Print tables and sentences, an empty line before each."""
    console = Console(width=tables.WIDTH)
    for each in found:
        console.print()
        console.print(each)
