"""What is known about a policy of Stable-Baselines3 beside its weights: a JSON card, checked before it is built."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from gymnasium import spaces
from pydantic import JsonValue

from gridmarl.agents.policies import digest_of
from gridmarl.environment.compiled import fields
from gridmarl.environment.compiled.codecs import CODECS
from gridmarl.errors import PolicyError, ScenarioError, nearest
from gridmarl.scenario.model import Model

FORMAT: Final = 1
CARD: Final = "sb3.json"
WEIGHTS: Final = "sb3.safetensors"


class SB3Card(Model):
    """Everything about stored weights that the weights do not say.

    Attributes
    ----------
    observation_version : int
        Of the fields the network reads, :data:`gridmarl.environment.compiled.fields.VERSION`.
    choices : int
        How many actions there are to choose from; 0 where an action is a vector of numbers.
    low, high : tuple of float
        Bounds of that vector.
    precise : bool
        Whether it is of float64, as orders are.
    settings : mapping
        What the policy was built with: net_arch, activation_fn, ...
    clip, epsilon : float, optional
        How far observations that ``VecNormalize`` scored may lie from the mean, in standard deviations, and what is
        added to their variance; none where it was not used.
    """

    format: int = FORMAT
    algorithm: Literal["DQN", "PPO", "A2C", "TD3", "SAC"]
    role: str
    codec: str
    observation_version: int
    choices: int = 0
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    precise: bool = False
    settings: Mapping[str, JsonValue]
    clip: float | None = None
    epsilon: float = 0.0
    weights_sha256: str
    stable_baselines3: str
    torch: str

    @property
    def action_space(self) -> spaces.Discrete | spaces.Box:
        """What the policy says."""
        if self.choices:
            return spaces.Discrete(self.choices)
        dtype = np.float64 if self.precise else np.float32
        return spaces.Box(np.array(self.low, dtype), np.array(self.high, dtype), dtype=dtype)


@dataclass(frozen=True, slots=True)
class SB3Stored:
    """A card and the weights it belongs to."""

    name: str
    card: SB3Card
    weights: bytes


def read_sb3(folder: str | Path) -> SB3Stored:
    """Read what :meth:`SB3Agent.save` wrote.

    Raises
    ------
    PolicyError
        Where a file is missing, corrupted or foreign, or of other observations than this version's.
    """
    folder = Path(folder)
    if folder.suffix == ".zip":
        remedy = "load it with Stable-Baselines3 if you trust it, then SB3Agent.of(model).save(folder)"
        raise PolicyError("policy", str(folder), f"a folder with {CARD}: an archive may hold code", remedy)
    for name in (CARD, WEIGHTS):
        if not (folder / name).is_file():
            raise PolicyError(f"{name} of a policy", str(folder), "a folder that SB3Agent.save wrote", "save it again")
    card, weights = _read_card(folder / CARD), (folder / WEIGHTS).read_bytes()
    if digest_of(weights) != card.weights_sha256:
        allowed = f"{card.weights_sha256[:16]}, as {CARD} says"
        raise PolicyError(f"sha256 of {folder / WEIGHTS}", digest_of(weights)[:16], allowed, "restore both files")
    return SB3Stored(folder.name, card, weights)


def _read_card(path: Path) -> SB3Card:
    restore = "restore the file or save the policy again"
    try:
        content = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise PolicyError(f"{path}: {error}", allowed="JSON", remedy=restore) from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:  # pyright: ignore[reportUnknownMemberType]  # raw JSON
        raise PolicyError(f"{path}: format", None, str(FORMAT), restore)
    try:
        card = SB3Card.parse(content, str(path))  # pyright: ignore[reportUnknownArgumentType]  # raw JSON
    except ScenarioError as error:
        raise PolicyError(error.thing, error.value, error.allowed, restore) from None
    if card.observation_version != fields.VERSION:
        thing = f"{path}: version of the observations"
        raise PolicyError(thing, card.observation_version, str(fields.VERSION), "train the policy again")
    if card.role not in fields.ROLES:
        raise PolicyError(f"{path}: role", card.role, ", ".join(fields.ROLES), restore)
    check_codec(card.codec, card.role)
    return card


def check_codec(codec: str, role: str) -> None:
    """Refuse a codec that the role does not speak."""
    known = [name for name, spoken in CODECS.items() if role in spoken.roles]
    if codec not in known:
        raise PolicyError(f"codec of a {role}", codec, ", ".join(known), nearest(codec, known) or "choose one of them")
