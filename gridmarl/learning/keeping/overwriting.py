"""A finished policy is never lost: the folder where one stands is refused, unless a new one is to take its place."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

from gridmarl.agents.cards import CARD
from gridmarl.agents.load import CARDS
from gridmarl.errors import TrainingError
from gridmarl.learning.keeping.checkpoints import FOLDER, MANIFEST
from gridmarl.learning.keeping.results import REPORT
from gridmarl.learning.memory.segments import FAILED

log = logging.getLogger(__name__)

REMEDY: Final = "pass --out ANOTHER to keep it, or --replace (replace=True) to let a new one take its place"


def goes_on(folder: Path, resume: bool, replace: bool) -> bool:
    """Whether a training takes up the one that stopped in a folder, rather than beginning anew.

    Parameters
    ----------
    folder : Path
        Need not exist.
    resume : bool
        Go on where that is possible.
    replace : bool
        A finished policy may be written over.

    Raises
    ------
    TrainingError
        Where an unfinished training stands and is not to be resumed, or a finished one and is not to be replaced.
    """
    checkpoint = folder / FOLDER
    if (checkpoint / MANIFEST).is_file():
        if not resume:
            remedy = "pass --resume to go on, or remove it"
            raise TrainingError("unfinished training", str(checkpoint), "a folder without one", remedy)
        return True
    found = left_in(folder)
    if found and not replace:
        thing = "training to resume" if resume else "folder to train in"
        allowed = "one that stopped on its way" if resume else "a folder without a policy"
        raise TrainingError(f"{thing}, {folder}", _described(folder, found), allowed, REMEDY)
    if resume:
        log.warning("no unfinished training in %s: it begins anew", folder)
    return False


def check_replaced(folder: Path, written: Collection[Path]) -> None:
    """Refuse a new policy that would stand beside a part of the old one rather than in its place.

    Parameters
    ----------
    folder : Path
    written : collection of Path
        The cards, or the report and weights, that the new training is going to write.

    Raises
    ------
    TrainingError
        Names the first file that would stay.
    """
    stays = [path for path in left_in(folder) if path not in written]
    if stays:
        thing = f"{stays[0]}, which would stay beside the new policy"
        allowed = ", ".join(path.relative_to(folder).as_posix() for path in written)
        raise TrainingError(thing, _described(folder, stays), allowed, "pass --out ANOTHER, or move it away")


def left_in(folder: Path) -> list[Path]:
    """Files that say that a policy stands in a folder.

    A card, those of groups that learned together, each in a folder of its own, or the report and the weights of a
    training in an environment from elsewhere.
    """
    alone, report = [folder / name for name in CARDS], folder / REPORT
    weights = [path for path in sorted(folder.glob("*.safetensors")) if report.is_file() and path.name != FAILED]
    return [path for path in (*alone, *sorted(folder.glob(f"*/{CARD}")), report, *weights) if path.is_file()]


def _described(folder: Path, found: list[Path]) -> str:
    """What stands there, as far as its card or report can be read."""
    first = found[0]
    try:
        content: Any = json.loads(first.read_text("utf-8"))
        settings = content.get("recipe", content) if first.name == REPORT else content
        policy = f"{settings['algorithm']}, seed {settings['seed']}"
        state = "which has finished" if "test" in content["metrics"] else "which stopped and has no checkpoint"
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return f"{first.name}, which does not say by what it was trained"
    inside = ", ".join(path.parent.name for path in found if path.parent != folder)
    return f"{policy}{f' in {inside}' if inside else ''}, {state}"
