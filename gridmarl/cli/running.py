"""``gridmarl run``: one team plays one episode."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gridmarl.cli.options import Columns, Data, Json, Out, Split, in_writable, mapping_of
from gridmarl.cli.printing import print_json, print_tables, table_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DUST = 1e-9
"""What sums of rounded numbers leave over of zero; to be read, not to be computed with."""


def run(
    team: Annotated[str, typer.Argument(help="A team, or the path of your own YAML.")],
    env: Annotated[str, typer.Option(help="A world, or the path of your own YAML.")] = "auction",
    seed: Annotated[int, typer.Option(min=0, help="Of the world's randomness.")] = 0,
    split: Split = "test",
    data: Data = None,
    columns: Columns = None,
    out: Out = None,
    audit: Annotated[
        Path | None, typer.Option(callback=in_writable, help="A CSV for all messages of owners and coordinator.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Play one episode and print its numbers; with --out also write them, and pictures of what was planned.

    Example: gridmarl run admm --env three-homes.
    """
    from gridmarl.agents.make import scenario_of
    from gridmarl.bench.planned_run import crossed, play
    from gridmarl.bench.progress import bar
    from gridmarl.bench.run_files import write_run
    from gridmarl.evaluation.metrics import measure
    from gridmarl.evaluation.score import yardstick
    from gridmarl.planning.wire.channel import Audit

    scenario = scenario_of(env, data, mapping_of(columns))
    with bar(True, team, scenario.intervals) as stage:
        heard = Audit() if audit else None
        found = play(scenario, team, stage, seed=seed, split=split, audit=heard)  # pyright: ignore[reportArgumentType]  # checked inside
    played = found.played
    measures = measure(played, yardstick(scenario, seed, played.split))  # pyright: ignore[reportArgumentType]
    written = write_run(found, out) if out else []
    if audit and heard:
        heard.write(audit)
        written.append(audit)
    told = crossed(heard, team) if heard else []
    if as_json:
        values = {m.metric: m.value for m in measures}
        about = {"scenario": played.scenario, "digest": played.digest, "team": played.team, "seed": seed}
        about |= {name: getattr(played, name) for name in ("split", "information", "sees", "source")}
        print_json({**about, "metrics": values, **found.to_dict(), "crossed": told, "files": [str(p) for p in written]})
        return
    about_line = f"{played.team} in {played.scenario}, seed {seed}, {played.split}, series: {played.source}"
    rows = [(m.metric, "" if m.value is None else f"{_no_dust(m.value):,.6g}", m.unit) for m in measures]
    print_tables(table_of(f"[bold]{about_line}[/bold]", ("metric", "value", "unit"), rows))
    _show_records("rounds of the first plan", found.shown_rounds())
    _show_records("negotiated plans", found.negotiations())
    _show_records("what crossed, for one owner in all plans", told)
    if found.verdict:
        lines = list(found.verdict.lines().items())
        print_tables(table_of(f"\n[bold]the first plan, by {found.verdict.method}[/bold]", ("", ""), lines))
    if written:
        folders = ", ".join(sorted({str(path.parent) for path in written}))
        print_tables(f"wrote {', '.join(path.name for path in written)} in {folders}")


def _no_dust(value: float) -> float:
    return 0.0 if abs(value) < DUST else value


def _show_records(title: str, records: Sequence[Mapping[str, object]]) -> None:
    if records:
        kept = [tuple(f"{v:.3g}" if isinstance(v, float) else str(v) for v in r.values()) for r in records]
        print_tables(table_of(f"\n[bold]{title}[/bold]", tuple(records[0]), kept))
