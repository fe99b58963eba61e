"""Files appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridmarl.files import write_atomically, written_atomically


class StoppedError(Exception):
    """Stands for whatever stops a writer in the middle."""


def break_off(path: Path) -> None:
    with written_atomically(path) as draft:
        draft.write_text("half of")
        raise StoppedError


@pytest.mark.parametrize("content", ["price,β\n1,2\n", b"\x00\xff"])
def test_content_arrives_as_it_was_given(tmp_path: Path, content: str | bytes) -> None:
    path = tmp_path / "new" / "folder" / "table.csv"
    write_atomically(path, content)
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)


def test_an_interrupted_writer_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "weights.json"
    write_atomically(path, "old")
    with pytest.raises(StoppedError):
        break_off(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupted_writer_makes_no_new_file(tmp_path: Path) -> None:
    with pytest.raises(StoppedError):
        break_off(tmp_path / "weights.json")
    assert list(tmp_path.iterdir()) == []


def test_readers_see_the_old_file_until_the_new_one_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    write_atomically(path, "old")
    with written_atomically(path) as draft:
        draft.write_text("new")
        assert path.read_text() == "old"
        assert (draft.parent, draft.suffix) == (path.parent, path.suffix)
    assert path.read_text() == "new"
