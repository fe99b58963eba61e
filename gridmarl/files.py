"""Files appear whole or not at all: written beside their place, then moved into it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex


@contextmanager
def written_atomically(path: Path) -> Generator[Path]:
    """Lend a path to write to; what stands there at the end replaces ``path`` in one step.

    For writers that take a path (tables, plots, weights). When the block raises, ``path`` is as it was before.

    Parameters
    ----------
    path : Path
        Where the file shall be. Missing parent folders are made.

    Yields
    ------
    Path
        A path in the same folder, and thus on the same disk, with the same suffix.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.stem}.{token_hex(4)}{path.suffix}")
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a whole file in one step, text as UTF-8, line ends as given.

    Parameters
    ----------
    path : Path
        Where the file shall be. Missing parent folders are made.
    content : str or bytes
        All of it.
    """
    data = content.encode() if isinstance(content, str) else content
    with written_atomically(path) as draft:
        draft.write_bytes(data)
