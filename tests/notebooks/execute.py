"""Run notebooks from top to bottom and store them with their results: ``make notebooks``.

``python -m tests.notebooks.execute [NAME ...]`` takes paths, by default all of ``notebooks/``. A notebook whose cell
fails is left as it is. When each cell ran and Python's patch version are not stored, so that a second run changes a
file only where its results have changed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import nbclient
import nbformat

FOLDER: Final = Path(__file__).parents[2] / "notebooks"
SECONDS: Final = 300
"""Longest that a cell may take."""


def execute(path: Path) -> float:
    """Run a notebook in a folder of its own and write it back; the seconds it took."""
    notebook, start = nbformat.read(path, as_version=4), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        client = nbclient.NotebookClient(
            notebook, timeout=SECONDS, coalesce_streams=True, record_timing=False, resources=resources
        )
        client.execute()
    notebook.metadata.language_info.version = f"{sys.version_info.major}.{sys.version_info.minor}"
    nbformat.write(notebook, path)
    return time.monotonic() - start


def main(names: Sequence[str]) -> None:
    """Run the notebooks of these paths, or all."""
    for path in [Path(name) for name in names] or sorted(FOLDER.glob("*.ipynb")):
        sys.stdout.write(f"{path.name}: {execute(path):.0f} s\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="path of a notebook; by default all")
    main(parser.parse_args().names)
