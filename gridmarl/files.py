"""Files appear whole or not at all: written beside their place, then moved into it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

from gridmarl.errors import OutputError


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


def check_folder(folder: Path) -> None:
    """Refuse a folder that could not be written to, before anything is computed for it. It is not made yet.

    Parameters
    ----------
    folder : Path
        It need not exist.

    Raises
    ------
    OutputError
        Where it, or what stands in its way, is a file, or where nothing may be written there.
    """
    stands = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not stands.is_dir():
        raise OutputError("folder to write to", str(folder), f"a folder, which {stands} is not", "choose another")
    probe = stands / f".{token_hex(4)}"
    try:
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        allowed = f"a folder that may be written to ({stands}: {error.strerror})"
        raise OutputError("folder to write to", str(folder), allowed, "choose another") from error


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
