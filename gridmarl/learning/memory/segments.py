"""Files of named arrays that are written once, never changed, and known by their digest; safetensors, never pickle."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from gridmarl.errors import TrainingError
from gridmarl.files import write_atomically
from gridmarl.scenario.model import Model
from gridmarl.units import Float32

FRESH = "begin again without --resume, or restore the folder"
FAILED = "failed-batch.safetensors"
"""What a policy's folder keeps of a batch that could not be learned."""


class Stamp(Model):
    """A file and the digest of its content."""

    file: str
    sha256: str


class Segment(Stamp):
    """A stretch of replay memory, rows ``first`` up to ``stop``."""

    first: int
    stop: int


def disk_refused(path: Path, error: OSError) -> TrainingError:
    """What to say where a file cannot be written."""
    thing = f"{path}: {error.strerror or error}"
    if isinstance(error, (FileExistsError, NotADirectoryError, IsADirectoryError, PermissionError)):
        return TrainingError(thing, None, "a folder that may be written to", "choose another folder with --out")
    return TrainingError(thing, None, "a disk with room", "make room and resume: the checkpoint before stands")


def write_arrays(folder: Path, file: str, arrays: Mapping[str, np.ndarray]) -> Stamp:
    """Write arrays, by name, in one step.

    Raises
    ------
    TrainingError
        Where the disk refuses (is full, say).
    """
    content = safetensors.numpy.save({name: np.asarray(array, order="C") for name, array in arrays.items()})
    try:
        write_atomically(folder / file, content)
    except OSError as error:
        raise disk_refused(folder / file, error) from error
    return Stamp(file=file, sha256=hashlib.sha256(content).hexdigest())


def read_arrays(folder: Path, stamp: Stamp) -> dict[str, np.ndarray]:
    """Read what :func:`write_arrays` wrote.

    Raises
    ------
    TrainingError
        Where the file is missing, or not what was written.
    """
    path = folder / stamp.file
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TrainingError(f"{path}: {error.strerror or error}", None, "the file that was written", FRESH) from None
    digest = hashlib.sha256(content).hexdigest()
    if digest != stamp.sha256:
        raise TrainingError(f"sha256 of {path}", digest[:16], f"{stamp.sha256[:16]}, as the manifest says", FRESH)
    try:
        return safetensors.numpy.load(content)
    except SafetensorError as error:
        raise TrainingError(f"{path}: {error}", None, "safetensors", FRESH) from None


def write_segment(folder: Path, first: int, stop: int, columns: Mapping[str, Float32]) -> Segment:
    """Write a stretch of replay memory."""
    stamp = write_arrays(folder, f"replay-{first:010d}-{stop:010d}.safetensors", columns)
    return Segment(file=stamp.file, sha256=stamp.sha256, first=first, stop=stop)


def read_segment(folder: Path, segment: Segment, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Read a stretch of replay memory and check that it is of this world."""
    columns = read_arrays(folder, segment)
    wanted = {name: (segment.stop - segment.first, *shape) for name, shape in shapes.items()}
    found = {name: column.shape for name, column in columns.items()}
    if found != wanted:
        raise TrainingError(f"columns of {folder / segment.file}", found, str(wanted), FRESH)
    return columns
