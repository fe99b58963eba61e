"""Everything a training needs to go on, in files that are never changed, under a manifest that is replaced at once.

The manifest names the files and their digests. A checkpoint writes new files first, then the manifest, and removes
what no manifest names last; a training killed at any moment therefore finds the checkpoint before or the new one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from pydantic import JsonValue

from gridmarl.agents.cards import CurvePoint, Standing
from gridmarl.errors import ScenarioError, TrainingError
from gridmarl.files import write_atomically
from gridmarl.learning.memory.segments import FRESH, Segment, Stamp, disk_refused, read_arrays, write_arrays
from gridmarl.scenario.model import Model

MANIFEST: Final = "manifest.json"
FOLDER: Final = "checkpoint"
FORMAT: Final = 1
PARTS: Final = ("algorithm", "torch", "window")
"""What every state has, whatever the world and the algorithm are."""


class Setting(Model):
    """What has to be the same for a resumed training to come to the same tensors."""

    recipe: Mapping[str, JsonValue]
    world: str
    torch: str
    numpy: str
    device: str
    threads: int


class Progress(Model):
    """How far a training has come, beside its tensors.

    Attributes
    ----------
    step : int
        Steps of all environments together.
    updates : int
    rng : mapping
        State of the generator that exploration, sampling and noise come from.
    curve : tuple of CurvePoint
    chosen_step : int, optional
        Where the best policy so far was found.
    standing : Standing, optional
        What it earned on the select split.
    pending : mapping
        Sums and counts of metrics since the last point of the curve.
    wall_s : float
    """

    step: int
    updates: int
    rng: Mapping[str, JsonValue]
    curve: tuple[CurvePoint, ...] = ()
    chosen_step: int | None = None
    standing: Standing | None = None
    pending: Mapping[str, tuple[float, int]] = {}
    wall_s: float = 0.0


class Manifest(Model):
    """The one file that says which others count."""

    format: int = FORMAT
    setting: Setting
    progress: Progress
    state: Stamp
    replay_added: int
    replay: tuple[Segment, ...]


def write_checkpoint(folder: Path, manifest: Manifest) -> None:
    """Let a manifest, whose files are written already, count; then remove what it does not name.

    Raises
    ------
    TrainingError
        Where the disk refuses.
    """
    path = folder / MANIFEST
    try:
        write_atomically(path, json.dumps(manifest.model_dump(mode="json")) + "\n")
    except OSError as error:
        raise disk_refused(path, error) from error
    named = {MANIFEST, manifest.state.file, *(segment.file for segment in manifest.replay)}
    for file in folder.iterdir():
        if file.name not in named:
            file.unlink()


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a checkpoint's folder.

    Raises
    ------
    TrainingError
        Where there is none, or it is not ours.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise TrainingError("checkpoint", str(path), "a manifest", "begin without --resume")
    try:
        content: object = json.loads(path.read_text("utf-8"))
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise TrainingError(f"{path}: format", None, str(FORMAT), FRESH)
        return Manifest.parse({str(key): value for key, value in content.items()}, str(path))
    except (ValueError, ScenarioError) as error:
        raise TrainingError(f"{path}: {error}", None, "the manifest that was written", FRESH) from None


def check_setting(found: Setting, wanted: Setting) -> None:
    """Refuse to go on where equal tensors could not be promised.

    Raises
    ------
    TrainingError
        Names the first thing that differs.
    """
    before, now = found.model_dump(mode="json"), wanted.model_dump(mode="json")
    for key in before:
        if before[key] == now[key]:
            continue
        if key == "recipe":
            key, before, now = _first_difference(before[key], now[key])  # noqa: PLW2901  # the setting that differs
            raise TrainingError(
                f"resume with {key}", now, f"{before!r}, as at the checkpoint", "begin without --resume"
            )
        remedy = f"restore that {key}, or begin without --resume"
        raise TrainingError(f"resume with another {key}", now[key], f"{before[key]!r}, as at the checkpoint", remedy)


def _first_difference(before: dict[str, object], now: dict[str, object]) -> tuple[str, object, object]:
    key = next(key for key in {**before, **now} if before.get(key) != now.get(key))
    return key, before.get(key), now.get(key)


def write_state(folder: Path, step: int, parts: Mapping[str, Mapping[str, np.ndarray]]) -> Stamp:
    """Write the arrays of all parts (algorithm, world, n-step, ...) as one file."""
    arrays = {f"{part}/{name}": array for part, found in parts.items() for name, array in found.items()}
    return write_arrays(folder, f"state-{step:012d}.safetensors", arrays)


def read_state(folder: Path, stamp: Stamp) -> dict[str, dict[str, np.ndarray]]:
    """Arrays by part, then by name.

    Raises
    ------
    TrainingError
        Where the file is missing, corrupted, or not of a training.
    """
    parts: dict[str, dict[str, np.ndarray]] = {}
    for key, array in read_arrays(folder, stamp).items():
        part, _, name = key.partition("/")
        parts.setdefault(part, {})[name] = array
    if not set(PARTS) <= set(parts):
        raise TrainingError(f"parts of {folder / stamp.file}", sorted(parts), ", ".join(PARTS), FRESH)
    return parts
