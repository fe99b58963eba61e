"""Every notebook runs from its first cell to its last, and still says what it said."""

from __future__ import annotations

from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"


def printed(notebook) -> list[str]:
    """Text that the cells print."""
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", ())]
    return [o.text for o in outputs if o.output_type == "stream" and o.name == "stdout"]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)
def test_the_notebook_runs_and_prints_what_it_shows(path, tmp_path):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    notebook = nbformat.read(path, as_version=4)
    shown = printed(notebook)
    assert shown, "a notebook is stored with its results"
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert printed(notebook) == shown
