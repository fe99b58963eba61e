"""Small files written for one test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

WriteCsv = Callable[..., Path]


@pytest.fixture
def write_csv(tmp_path: Path) -> WriteCsv:
    """A function that writes ``header`` and rows of text to ``data.csv`` and returns its path."""

    def write(header: str, rows: Sequence[str]) -> Path:
        path = tmp_path / "data.csv"
        path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
        return path

    return write
