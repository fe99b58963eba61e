"""What ``gridmarl run --out`` writes: intervals, and of a team that plans also its plan's numbers and pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gridmarl.bench.pictures import plan
from gridmarl.bench.pictures.comparison import png
from gridmarl.bench.plan_tables import plan_table, risk_table
from gridmarl.bench.planned_run import PlannedRun
from gridmarl.bench.writing import INTERVALS
from gridmarl.files import write_atomically, written_atomically

if TYPE_CHECKING:
    import pandas as pd

CERTIFICATE: Final = "certificate.json"


def write_run(run: PlannedRun, folder: Path) -> list[Path]:
    """Write a run's files.

    Parameters
    ----------
    run : PlannedRun
    folder : Path

    Returns
    -------
    list of Path
        What was written, in order.
    """
    written = [_parquet(run.played.intervals_table(), folder / INTERVALS)]
    if run.planned is None:
        return written
    tables = {"plan": plan_table(run, run.planned), "risk": risk_table(run.planned)}
    if run.played.negotiations:
        import pandas as pd

        tables["rounds"] = pd.DataFrame(run.rounds())
    for name, table in tables.items():
        written.append(_parquet(table, folder / f"{name}.parquet"))
        written.append(folder / f"{name}.csv")
        write_atomically(written[-1], table.to_csv(index=False))
    written.append(folder / CERTIFICATE)
    write_atomically(written[-1], json.dumps(run.to_dict(), indent=1) + "\n")
    return written + _pictures(run, folder)


def _pictures(run: PlannedRun, folder: Path) -> list[Path]:
    written: list[Path] = []
    for name, picture in plan.pictures(run).items():
        path = folder / f"{name}.png"
        write_atomically(path, png(picture.draw, picture.height, picture.title))
        written.append(path)
    return written


def _parquet(table: pd.DataFrame, path: Path) -> Path:
    with written_atomically(path) as draft:
        table.to_parquet(draft)
    return path
