"""A strategy that learned: what each entry of a menu is worth, by a small network that all prosumers share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from gridmarl import catalogue
from gridmarl.errors import PolicyError, nearest
from gridmarl.negotiation.game import OBSERVATION, observe
from gridmarl.negotiation.menu import ENTRIES, Menus
from gridmarl.negotiation.strategies import Context
from gridmarl.units import Int

if TYPE_CHECKING:
    from gridmarl.agents.policies import StoredValues

SHIPPED: Final = "dqn-negotiate"
WEIGHTS: Final = "home.safetensors"
REPORT: Final = "training.json"


class Learned:
    """Picks the valid entry of the highest value; draws nothing.

    Parameters
    ----------
    policy : str or Path
        A shipped policy by name, or a folder that ``gridmarl train negotiate`` wrote.

    Raises
    ------
    PolicyError
        Where there is none, or it reads another menu.
    """

    def __init__(self, policy: str | Path = SHIPPED) -> None:
        self.name = "learned"
        self.values: StoredValues = _values(_folder(policy))

    def choose(self, menus: Menus, context: Context, rng: np.random.Generator) -> Int:
        """One index a prosumer."""
        worth = np.where(menus.valid, self.values(observe(menus, context)), -np.inf)
        return worth.argmax(axis=1)


def negotiating_policies() -> list[str]:
    """Names of the shipped policies that pick from menus; none of them plays a seat of a market."""
    shipped = catalogue.shipped("training") / "policies"
    return sorted(file.parent.name for file in shipped.glob(f"*/{WEIGHTS}"))


def training_of(policy: str | Path = SHIPPED) -> dict[str, Any]:
    """Recipe, curve and results of a policy's training.

    Raises
    ------
    PolicyError
        Where there is no such policy, or nothing is known about its training.
    """
    path = _folder(policy) / REPORT
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise PolicyError(f"{path}: {error}", None, "the report of a training", "train again") from None


def _folder(policy: str | Path) -> Path:
    shipped = catalogue.shipped("training") / "policies"
    for folder in (Path(policy), shipped / str(policy)):
        if (folder / WEIGHTS).is_file():
            return folder
    known = negotiating_policies()
    remedy = nearest(str(policy), known) or "train one: gridmarl train negotiate"
    raise PolicyError("policy of a negotiation", str(policy), ", ".join(known) or f"a folder with {WEIGHTS}", remedy)


def _values(folder: Path) -> StoredValues:
    from gridmarl.agents.policies import StoredValues

    return StoredValues(folder / WEIGHTS, len(OBSERVATION), ENTRIES)
