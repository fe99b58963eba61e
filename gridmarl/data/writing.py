"""Tables become files that :func:`gridmarl.data.table.load_table` reads back."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from gridmarl.data.table import TimeTable
from gridmarl.errors import DataError
from gridmarl.files import written_atomically

START_COLUMN: Final = "interval_start_utc"
TYPES: Final = (".csv", ".parquet", ".pq")


def write_table(table: TimeTable, path: Path) -> None:
    """Write a table, whole or not at all, beside a column of UTC interval starts.

    Parameters
    ----------
    table : TimeTable
    path : Path
        Ends in ``.csv``, ``.parquet`` or ``.pq``; must not exist.

    Raises
    ------
    DataError
        Another ending, a file that stands there already, or a disk that refuses.
    """
    import pandas as pd

    if path.suffix.lower() not in TYPES:
        raise DataError(f"{path}, file type", path.suffix, f"one of {', '.join(TYPES)}", "choose another name")
    if path.exists():
        raise DataError("file to write", str(path), "a name that is not taken", "remove it, or choose another name")
    starts = pd.date_range(table.start_utc, periods=table.intervals, freq=pd.Timedelta(hours=table.interval_h))
    frame = pd.DataFrame(dict(table.columns), index=starts.rename(START_COLUMN))
    try:
        with written_atomically(path) as draft:
            if path.suffix.lower() == ".csv":
                frame.to_csv(draft)
            else:
                frame.to_parquet(draft)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}", None, "a disk with room", "write it elsewhere") from error
