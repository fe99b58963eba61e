"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gridmarl.errors import ScenarioError
from gridmarl.files import check_folder


def writable(folder: Path | None) -> Path | None:
    """Say at once, not after hours, where a folder cannot be written to."""
    if folder is not None:
        check_folder(folder)
    return folder


def in_writable(file: Path | None) -> Path | None:
    """The same of the folder of a file."""
    if file is not None:
        check_folder(file.parent)
    return file


Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output instead of tables.")]
Data = Annotated[
    list[Path] | None,
    typer.Option(help="A tidy CSV or Parquet for the profiles that name a column, or a CSV of units for the fleet."),
]
Columns = Annotated[list[str] | None, typer.Option("--map", help="PROFILE=COLUMN: another column; may be repeated.")]
Split = Annotated[str, typer.Option(help="train, select or test: which randomness or days are drawn.")]
Out = Annotated[Path | None, typer.Option(callback=writable, help="A folder for what is written.")]


def mapping_of(pairs: list[str] | None) -> dict[str, str]:
    """``PROFILE=COLUMN`` pairs as a mapping.

    Raises
    ------
    ScenarioError
        Where one is no such pair.
    """
    found: dict[str, str] = {}
    for pair in pairs or ():
        profile, separator, column = pair.partition("=")
        if not (profile and separator and column):
            raise ScenarioError("--map", pair, "PROFILE=COLUMN", "for example --map price=lmp_usd_per_mwh")
        found[profile] = column
    return found
