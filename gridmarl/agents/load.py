"""A player by name or path: a stored policy, or an agent somebody saved."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import yaml

from gridmarl import catalogue
from gridmarl.agents.agent import Agent
from gridmarl.agents.team import make_agent
from gridmarl.errors import CatalogueError, nearest

CARDS: Final[Mapping[str, str]] = {"policy.json": "policy", "sb3.json": "sb3"}
"""What lies in a folder of weights -> the kind of agent that plays them."""


def load_agent(name_or_path: str | Path) -> Agent:
    """Load a shipped policy by name, or the folder that ``save`` wrote.

    Raises
    ------
    CatalogueError
        Where there is nothing of that name.
    PolicyError
        Where the weights are corrupted or foreign.
    """
    folder = Path(name_or_path)
    if not folder.is_dir():
        folder = catalogue.shipped("training") / "policies" / str(name_or_path)
    for card, kind in CARDS.items():
        if (folder / card).is_file():
            return make_agent({"kind": kind, "policy": str(folder)}, str(name_or_path))
    if (folder / "agent.yaml").is_file():
        return make_agent(yaml.safe_load((folder / "agent.yaml").read_text("utf-8")), str(name_or_path))
    known = policy_names()
    raise CatalogueError(
        "agent", str(name_or_path), ", ".join(known) or "none shipped", nearest(str(name_or_path), known)
    )


def policy_names(together: bool = False) -> list[str]:
    """Names of the shipped policies; ``together`` also ``market-auction/storage``, of groups that learned as one."""
    folder = catalogue.shipped("training") / "policies"
    found = [*folder.glob("*/policy.json"), *(folder.glob("*/*/policy.json") if together else ())]
    return sorted(path.parent.relative_to(folder).as_posix() for path in found)
