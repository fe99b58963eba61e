"""Every notebook runs from its first cell to its last, and still says what it said."""

from __future__ import annotations

from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"


def printed(notebook) -> list[str]:
    """Text that each cell prints, in however many pieces it came."""
    cells = [cell.get("outputs", ()) for cell in notebook.cells]
    streams = [[o for o in outputs if o.output_type == "stream" and o.name == "stdout"] for outputs in cells]
    return [text for some in streams if (text := "".join(o.text for o in some))]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)
def test_the_notebook_is_stored_as_run_from_top_to_bottom_with_pictures(path):
    nbformat = pytest.importorskip("nbformat")
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert all(output.output_type != "error" for output in outputs)
    assert any("image/png" in output.get("data", {}) for output in outputs)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)
def test_the_notebook_runs_and_prints_what_it_shows(path, tmp_path):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    notebook = nbformat.read(path, as_version=4)
    shown = printed(notebook)
    assert shown, "a notebook is stored with its results"
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert printed(notebook) == shown
