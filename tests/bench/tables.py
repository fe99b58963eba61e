"""The tables that ``make bench`` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from tests.bench.measuring import Memory, Profile, Seconds, Speed, Target

if TYPE_CHECKING:
    from tests.bench.fleets import Planned
    from tests.bench.learners import Race
    from tests.bench.test_planners import Decision

WIDTH = 140
BARE = "bare market"


def blank(title: str, caption: str, columns: Sequence[str], texts: int = 1) -> Table:
    """A table whose first columns are text and whose others are numbers."""
    table = Table(
        title=title,
        caption=caption or None,
        title_justify="left",
        caption_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
    )
    for k, name in enumerate(columns):
        table.add_column(name, justify="left" if k < texts else "right", no_wrap=True)
    return table


def speed_table(speeds: Sequence[Speed]) -> Table:
    """Steps a second, and what a step costs beside a bare market with as many rows."""
    bare = {speed.rows: speed for speed in speeds if speed.what == BARE}
    table = blank(
        "Speed of one core",
        "Best of five rounds. An agent-step is one seat's interval; the last three columns are of CPU time. Faults are "
        "pages of memory that\nthe allocator gave back after one step and had to ask for in the next; whether it does "
        "depends on what was allocated before.",
        (
            "",
            "rows",
            "wall us/step",
            "CPU us/step",
            "faults/step",
            "env-steps/s",
            "agent-steps/CPU-s",
            "ns/agent-step",
            "vs bare",
        ),
    )
    for speed in speeds:
        beside, compared = bare.get(speed.rows), speed.what != BARE and speed.agents > 1
        table.add_row(
            speed.what,
            f"{speed.rows:,}",
            f"{1e6 * speed.wall_s:,.1f}",
            f"{1e6 * speed.cpu_s:,.1f}",
            f"{speed.faults:,.0f}",
            f"{speed.rows / speed.wall_s:,.0f}",
            f"{speed.per_cpu_s:,.0f}",
            f"{speed.agent_step_ns:,.0f}",
            f"1/{beside.per_cpu_s / speed.per_cpu_s:,.1f}" if beside and compared else "",
        )
    return table


def seconds_table(taken: Sequence[Seconds]) -> Table:
    """What happens once in a process."""
    table = blank("Seconds until something works", "", ("in a fresh process", "wall s", "CPU s"))
    for line in taken:
        table.add_row(line.what, f"{line.wall_s:.2f}", f"{line.cpu_s:.2f}")
    return table


def memory_table(found: Sequence[Memory]) -> Table:
    """Bytes."""
    table = blank(
        "Memory",
        "Outcome: fresh arrays each step, observations included; world: constants and scratch, however many rows.",
        ("world", "state B/row", "outcome B/row", "world kB", "row-steps", "growth of the process"),
    )
    for line in found:
        grown = line.growth_mb
        table.add_row(
            line.what,
            f"{line.state_bytes:,.0f}",
            f"{line.outcome_bytes:,.0f}",
            f"{line.world_bytes / 1e3:,.0f}",
            f"{line.row_steps:,}" if line.row_steps else "",
            f"{grown:+.2f} MB" if grown is not None else "",
        )
    return table


def participants_table(speeds: Sequence[Speed]) -> Table:
    """Cost of a participant in ever larger worlds."""
    table = blank(
        "One island cut into ever more participants",
        "Same roles, physics and total size; about as many participants times rows in each.",
        (
            "participants",
            "rows",
            "wall us/step",
            "CPU us/step",
            "faults/step",
            "CPU ns/participant-step",
            "ratio",
            "target",
        ),
        texts=0,
    )
    for speed in speeds:
        table.add_row(
            f"{speed.agents:,}",
            f"{speed.rows:,}",
            f"{1e6 * speed.wall_s:,.0f}",
            f"{1e6 * speed.cpu_s:,.0f}",
            f"{speed.faults:,.0f}",
            f"{speed.agent_step_ns:,.0f}",
            f"{speed.agent_step_ns / speeds[0].agent_step_ns:.2f}",
            "<= 2",
        )
    return table


def stage_table(found: Profile) -> Table:
    """Where the time of a step goes."""
    table = blank(
        f"Where a step of {found.world} goes ({found.agents:,} seats, {found.rows:,} rows)",
        f"A line's parts stand below it; {found.lap_ns:.0f} ns subtracted for each reading of the clock.\n"
        f"Without any reading a row's step takes {found.plain_ns:,.0f} ns of CPU time.",
        ("kernel", "ns/row-step", "share"),
    )
    for line in found.lines:
        style = "dim" if line.level > 2 else None
        table.add_row("  " * line.level + line.name, f"{line.ns:,.0f}", f"{line.ns / found.total_ns:6.1%}", style=style)
    table.add_section()
    table.add_row("sum", f"{found.total_ns:,.0f}", f"{1:6.1%}")
    return table


def plans_table(plans: Sequence[Planned]) -> Table:
    """Fleets to the certificate."""
    table = blank(
        "Homes under one transformer, planned a day ahead to the certificate",
        "Each in a fresh process. Residuals are norms over homes and steps; the gap is relative, by the dual function. "
        "Memory is the process's peak,\nand by how much the plan raised it.",
        (
            "",
            "homes",
            "CPU s",
            "wall s",
            "CPU ms/home",
            "peak MB",
            "raised MB",
            "rounds",
            "primal W",
            "dual W",
            "gap",
            "$",
        ),
    )
    for plan in plans:
        table.add_row(
            plan.method,
            f"{plan.homes:,}",
            f"{plan.cpu_s:.2f}",
            f"{plan.wall_s:.2f}",
            f"{plan.cpu_ms_per_home:.2f}",
            f"{plan.peak_mb:,.0f}",
            f"{plan.peak_mb - plan.begun_mb:,.0f}",
            f"{plan.rounds}" if plan.rounds else "",
            f"{plan.primal_w:.2g}",
            f"{plan.dual_w:.2g}" if plan.rounds else "",
            f"{plan.gap:.1e}",
            f"{plan.cost:,.4f}",
        )
    return table


def decisions_table(decisions: Sequence[Decision]) -> Table:
    """From observations to bids."""
    table = blank(
        "One hour's decision of 20 homes, planned anew",
        "Wall time from observations to bids in duck-curve with 20 homes; the first plan of an episode starts cold.",
        ("team", "first ms", "median ms", "most ms", "median CPU ms"),
    )
    for line in decisions:
        numbers = (line.first_ms, line.median_ms, line.most_ms, line.median_cpu_ms)
        table.add_row(line.team, *(f"{number:.0f}" for number in numbers))
    return table


def races_table(races: Sequence[Race]) -> Table:
    """Learners beside those of Stable-Baselines3."""
    table = blank(
        "Learning in one seat of a world, beside Stable-Baselines3",
        "Agent-transitions a second of CPU time, one core; same seat, same layers, as many replayed samples a"
        " transition. Batch / transitions between gradient steps; of several steps at once, their mean distance. Where"
        " ours merges several of theirs, tests/bench/test_merged_steps.py shows what an operator then learns.",
        ("ours, theirs, seat", "envs", "replayed", "ours", "theirs", "ours", "theirs", "times", ""),
    )
    for race in races:
        pair = race.pair
        table.add_row(
            f"{race.kind}, {pair.theirs}, {pair.seat}",
            f"{race.environments}",
            f"{pair.ratio:g}",
            f"{race.batch:,} / {race.batch / pair.ratio:g}",
            f"{pair.batch:,} / {pair.every}",
            f"{race.ours:,.0f}",
            f"{race.theirs:,.0f}",
            f"{race.times:.1f}",
            race.note,
        )
    return table


def target_table(targets: Sequence[Target]) -> Table:
    """What was hoped for."""
    table = blank("Targets", "", ("", "measured", "target", ""))
    for target in targets:
        table.add_row(
            target.what,
            f"{number(target.measured)} {target.unit}".rstrip(),
            f"{'>=' if target.at_least else '<='} {number(target.wanted)} {target.unit}".rstrip(),
            "[green]met[/]" if target.met else "[red bold]MISSED[/]",
        )
    return table


def number(value: float) -> str:
    """Three digits, or all before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
