"""What negotiations leave behind: all messages as JSON, and a transcript."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gridmarl.files import write_atomically
from gridmarl.negotiation.cycle import Negotiation
from gridmarl.negotiation.transcript import transcript

MESSAGES: Final = "negotiation.json"
TRANSCRIPT: Final = "transcript.md"


def write_negotiations(negotiations: Sequence[Negotiation], folder: Path) -> tuple[Path, ...]:
    """Write messages and transcript; each file appears whole or not at all.

    Parameters
    ----------
    negotiations : sequence of Negotiation
    folder : Path
        Made where it is missing.

    Returns
    -------
    tuple of Path
        What was written.
    """
    messages, story = folder / MESSAGES, folder / TRANSCRIPT
    content = json.dumps([one.to_dict() for one in negotiations], indent=1, allow_nan=False)
    write_atomically(messages, content + "\n")
    write_atomically(story, transcript(negotiations))
    return messages, story
