"""A comparison's files: intervals as they come, then numbers and report; each appears whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final

from gridmarl.bench.results import Comparison
from gridmarl.evaluation.trajectory import Trajectory
from gridmarl.files import write_atomically, written_atomically

INTERVALS: Final = "intervals.parquet"
INTERVALS_CSV: Final = "intervals.csv"
METRICS_CSV: Final = "metrics.csv"
METRICS_JSON: Final = "metrics.json"
REPORT: Final = "report.html"
COLUMNS: Final = (
    "scenario",
    "digest",
    "team",
    "split",
    "seed",
    "interval",
    "start_utc",
    "seat",
    "role",
    "name",
    "value",
)
"""Of the intervals: one row an interval, seat and named result."""


class IntervalWriter:
    """Appends the intervals of one rollout after the other, so that they are never all in memory.

    Parameters
    ----------
    parquet : Path
    csv : Path, optional
        Written too, where given.
    """

    def __init__(self, parquet: Path, csv: Path | None = None) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        types = {
            "seed": pa.int64(),
            "interval": pa.int64(),
            "start_utc": pa.timestamp("us", "UTC"),
            "value": pa.float64(),
        }
        self._schema = pa.schema([(name, types.get(name, pa.string())) for name in COLUMNS])
        self._writer = pq.ParquetWriter(parquet, self._schema, compression="zstd")
        self._csv = csv
        if csv is not None:
            csv.write_text(",".join(COLUMNS) + "\n", "utf-8")

    def write(self, trajectory: Trajectory, team: str) -> None:
        """Append all intervals of a rollout, under the name that the team has in the comparison."""
        import pyarrow as pa

        table = trajectory.intervals_table().assign(team=team)[list(COLUMNS)]
        self._writer.write_table(pa.Table.from_pandas(table, schema=self._schema, preserve_index=False))
        if self._csv is not None:
            table.to_csv(self._csv, mode="a", header=False, index=False)

    def close(self) -> None:
        """Write the Parquet file's end."""
        self._writer.close()


@contextmanager
def intervals_written(folder: Path | None, csv: bool) -> Generator[IntervalWriter | None]:
    """Lend a writer whose files appear in the folder when the block ends well; none without a folder."""
    if folder is None:
        yield None
        return
    with ExitStack() as stack:
        parquet = stack.enter_context(written_atomically(folder / INTERVALS))
        text = stack.enter_context(written_atomically(folder / INTERVALS_CSV)) if csv else None
        with closing(IntervalWriter(parquet, text)) as writer:
            yield writer


def write_comparison(comparison: Comparison, folder: Path) -> None:
    """Write the numbers, then the report."""
    from gridmarl.bench.report import render_report

    # a report that no longer fits its numbers must not stand beside them, whatever happens to the new one
    (folder / REPORT).unlink(missing_ok=True)
    write_atomically(folder / METRICS_CSV, comparison.table.to_csv(index=False))
    write_atomically(folder / METRICS_JSON, json.dumps(comparison.to_dict(), indent=1, allow_nan=False) + "\n")
    write_atomically(folder / REPORT, render_report(comparison))
