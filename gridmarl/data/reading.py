"""Files become named columns of text or numbers, with the row of each value; nothing is interpreted or guessed."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np

from gridmarl.errors import DataError
from gridmarl.units import Bool, Float

Cells: TypeAlias = Sequence[str] | Float
"""One column as it stands in the file: text (CSV, and what Parquet does not store as numbers) or numbers."""

MISSING: Final = frozenset({"", "nan", "na", "n/a", "n/e", "null", "none", "-"})
DELIMITERS: Final = ",;\t"


@dataclass(frozen=True, slots=True, eq=False)
class RawTable:
    """A file's columns before anything is made of them."""

    label: str  # the file's name, for errors
    rows: Sequence[int]  # (row,) row in the file: a CSV's header is row 1, a Parquet file's first record is row 1
    columns: Mapping[str, Cells]


def read_raw(path: Path) -> RawTable:
    """Read a CSV or Parquet file.

    Parameters
    ----------
    path : Path
        Ends in ``.csv``, ``.parquet`` or ``.pq``. CSV: UTF-8; comma, semicolon or tab, whichever the header uses.

    Returns
    -------
    RawTable
        At least one row.

    Raises
    ------
    DataError
        The file is missing, empty, of another type, or cannot be read.
    """
    readers = {".csv": _read_csv, ".parquet": _read_parquet, ".pq": _read_parquet}
    if path.suffix.lower() not in readers:
        raise DataError(f"{path}, file type", path.suffix, "one of .csv, .parquet, .pq", "convert the file")
    if not path.is_file():
        found = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise DataError(f"{path} {found}", remedy=f"looked in {path.resolve().parent}; check the path")
    raw = readers[path.suffix.lower()](path)
    if not raw.rows:
        raise DataError(f"{path} has no rows of data", remedy="rows are needed below the header")
    return raw


def _read_csv(path: Path) -> RawTable:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            delimiter = max(DELIMITERS, key=file.readline().count)
            file.seek(0)
            reader = csv.reader(file, delimiter=delimiter)
            lines = [(reader.line_num, cells) for cells in reader if cells]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as CSV", str(error), "UTF-8 text", "save the file anew") from error
    if not lines:
        raise DataError(f"{path} is empty", remedy="a header and rows below it are needed")
    header, body = [name.strip() for name in lines[0][1]], lines[1:]
    _check_cells(path.name, header, body)
    columns = {name: [cells[i] for _, cells in body] for i, name in enumerate(header)}
    return RawTable(path.name, [row for row, _ in body], columns)


def _check_cells(label: str, header: Sequence[str], body: Sequence[tuple[int, Sequence[str]]]) -> None:
    """Refuse headers that name two columns alike and rows that are longer or shorter than the header."""
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise DataError(f"{label}, column names that occur twice", twice, "each name once", "rename them")
    for row, cells in body:
        if len(cells) != len(header):
            allowed = f"{len(header)}, as in the header"
            raise DataError(f"{label}, row {row}, number of cells", len(cells), allowed, "mend the row")


def _read_parquet(path: Path) -> RawTable:
    pandas = _import_pandas(path)
    try:
        frame = pandas.read_parquet(path)
    except (ValueError, OSError) as error:
        raise DataError(f"{path} cannot be read as Parquet", str(error), remedy="write the file anew") from error
    if isinstance(frame.index, pandas.DatetimeIndex):
        frame = frame.rename_axis(index=frame.index.name or "timestamp").reset_index()
    columns = {str(name): _cells(frame[name]) for name in frame.columns}
    return RawTable(path.name, range(1, len(frame) + 1), columns)


def _import_pandas(path: Path) -> Any:  # pandas ships no types that a strict check accepts
    try:
        import_module("pyarrow")
        return import_module("pandas")
    except ImportError as error:
        remedy = "install pandas and pyarrow, or use CSV"
        raise DataError(f"{path}, reading Parquet", str(error), remedy=remedy) from error


def _cells(series: Any) -> Cells:
    """Numbers stay numbers; all else, times included, becomes text, so that one parser serves both file types."""
    if series.dtype.kind in "iuf":
        return series.to_numpy(dtype=np.float64, na_value=np.nan)
    texts: list[object] = series.astype(str).tolist()
    empty: list[bool] = series.isna().tolist()
    return ["" if blank else str(text) for text, blank in zip(texts, empty, strict=True)]


def is_numeric(cells: Cells) -> bool:
    """Whether a column holds numbers: at least one, or nothing but empty cells.

    Parameters
    ----------
    cells : sequence of str or Float
        One column.
    """
    if isinstance(cells, np.ndarray):
        return True
    present = [text for text in cells if text.strip().lower() not in MISSING]
    return not present or any(_is_number(text) for text in present)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text  # Python reads 1_000 as a number; a table never means that


def numbers(raw: RawTable, column: str) -> Float:
    """One column as numbers; empty cells and infinities become NaN.

    Parameters
    ----------
    raw : RawTable
        The file.
    column : str
        A column of it.

    Returns
    -------
    Float
        (row,) in the file's own unit; a fresh array.

    Raises
    ------
    DataError
        A cell is neither a number nor empty; says the row.
    """
    cells = raw.columns[column]
    values = cells.copy() if isinstance(cells, np.ndarray) else _parse(raw, column, cells)
    infinite: Bool = np.isinf(values)
    values[infinite] = np.nan
    return values


def _parse(raw: RawTable, column: str, texts: Sequence[str]) -> Float:
    values = np.full(len(texts), np.nan)
    for i, text in enumerate(texts):
        if text.strip().lower() in MISSING:
            continue
        if not _is_number(text):
            thing = f"{raw.label}, column {column!r}, row {raw.rows[i]}"
            raise DataError(thing, text, "a number such as 12.5 or -3e2, or an empty cell", "use a decimal point")
        values[i] = float(text)
    return values
