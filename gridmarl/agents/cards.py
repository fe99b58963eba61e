"""What is known about stored weights beside the weights: a JSON card, checked before anything is loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import JsonValue

from gridmarl import catalogue
from gridmarl.environment.compiled import fields
from gridmarl.environment.compiled.codecs import CODECS, GRID_PRICES, INTERVENTIONS, RESERVE_LEVELS
from gridmarl.errors import PolicyError, ScenarioError, nearest
from gridmarl.scenario.model import Model

FORMAT: Final = 2
CARD: Final = "policy.json"
ACTIONS: Final[Mapping[str, int]] = {
    name: {"price-grid": len(GRID_PRICES), "levels": RESERVE_LEVELS * INTERVENTIONS}.get(name, codec.width)
    for name, codec in CODECS.items()
}
"""Codec -> how many actions to choose from, or components of one."""

HEADS: Final = ("values", "dueling", "tanh", "gaussian", "vectors", "dueling-vectors")
"""What a network's last layer means, see :class:`gridmarl.agents.networks.SeatNetwork`."""


def outputs(head: str, actions: int, objectives: int = 1) -> int:
    """Size of the last layer for this many actions to choose from, or components of one."""
    counts = {"dueling": actions + 1, "gaussian": 2 * actions, "dueling-vectors": actions + 1}
    return counts.get(head, actions) * objectives


class Standing(Model):
    """What a policy earned, playing greedily.

    Attributes
    ----------
    first_seed, episodes : int
        Seeds of the episodes: ``episodes`` of them, counted up from ``first_seed``.
    batch_size : int
        How many were played side by side; a matrix product rounds differently for another number.
    profit : mapping
        Seat -> mean over the episodes, $ per episode.
    scaled : float
        Mean over episodes and seats of the profit divided by the seat's reward scale. Where the policy takes
        preferences: the mean over a grid of them of the scaled return that each weighs.
    """

    first_seed: int
    episodes: int
    batch_size: int
    profit: Mapping[str, float]
    scaled: float


class CurvePoint(Model):
    """One periodic evaluation on the select split; profit and scaled as in :class:`Standing`.

    Attributes
    ----------
    step : int
        Steps of all environments together.
    updates : int
        Gradient steps.
    metrics : mapping
        Means of what the algorithm reported since the point before (loss, epsilon, ...).
    """

    step: int
    updates: int
    metrics: Mapping[str, float]
    profit: Mapping[str, float]
    scaled: float


class PolicyCard(Model):
    """Everything about stored weights that the weights do not say.

    Attributes
    ----------
    observation_version : int
        Of the fields the network reads, :data:`gridmarl.environment.compiled.fields.VERSION`.
    sizes : tuple of int
        Observation fields, hidden layers, outputs.
    head, shared
        As for :class:`gridmarl.agents.networks.SeatNetwork`.
    low, high : tuple of float
        Bounds of the action's components, where it is one of numbers: -1 .. 1 of the network is stretched to them.
    seats : tuple of str
        Who learned, in the network's order.
    objectives : tuple of str
        What the values of each action are about, where they are vectors.
    preference : tuple of float
        How much each objective, scaled, counts where the player is told nothing else; sums to 1.
    weights_sha256 : str
        Of the file with the weights.
    reward_scale : mapping
        Seat -> the dollars that its rewards were divided by.
    tolerance : float
        Share by which a repeated evaluation may differ from ``metrics``: machines round differently.
    metrics : mapping
        Split -> what the chosen weights earned there.
    """

    format: int = FORMAT
    algorithm: str
    observation_version: int
    role: str
    codec: str
    sizes: tuple[int, ...]
    head: str = "values"
    shared: bool = True
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    objectives: tuple[str, ...] = ()
    preference: tuple[float, ...] = ()
    weights_sha256: str
    seats: tuple[str, ...]
    others: str
    reward_scale: Mapping[str, float]
    recipe: Mapping[str, JsonValue]
    seed: int
    scenario: str
    digest: str
    split: str
    torch: str
    threads: int
    tolerance: float
    chosen_step: int
    wall_s: float
    curve: tuple[CurvePoint, ...]
    metrics: Mapping[str, Standing]


def find_policy(name_or_path: str | Path) -> Path:
    """Folder of a shipped policy by name, or of your own by path.

    Raises
    ------
    PolicyError
        Where there is none.
    """
    shipped = catalogue.shipped("training") / "policies"
    for folder in (Path(name_or_path), shipped / str(name_or_path)):
        if (folder / CARD).is_file():
            return folder
    known = sorted(card.parent.name for card in shipped.glob(f"*/{CARD}"))
    remedy = nearest(str(name_or_path), known) or f"pass a folder that holds {CARD}, or train one"
    raise PolicyError("policy", str(name_or_path), ", ".join(known) or f"a folder with {CARD}", remedy)


def read_card(path: Path) -> PolicyCard:
    """Read a card and check that this version of gridmarl can play what it describes.

    Raises
    ------
    PolicyError
        Where it is not JSON, of another format or version of the observations, or of sizes that do not fit.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise PolicyError(f"{path}: {error}", allowed="JSON", remedy="restore the file or train again") from None
    version = content.get("format") if isinstance(content, dict) else None  # pyright: ignore[reportUnknownMemberType]  # raw JSON
    if version != FORMAT:
        raise PolicyError(
            f"{path}: format", version, str(FORMAT), "train the policy again with this version of gridmarl"
        )
    try:
        card = PolicyCard.parse(content, str(path))  # pyright: ignore[reportUnknownArgumentType]  # raw JSON
    except ScenarioError as error:
        raise PolicyError(error.thing, error.value, error.allowed, "restore the file or train again") from None
    _check(card, str(path))
    return card


def _check(card: PolicyCard, where: str) -> None:
    again = "train the policy again"
    if card.role not in fields.ROLES:
        raise PolicyError(f"{where}: role", card.role, ", ".join(fields.ROLES), again)
    if card.observation_version != fields.VERSION:
        raise PolicyError(f"{where}: version of the observations", card.observation_version, str(fields.VERSION), again)
    if card.codec not in ACTIONS:
        raise PolicyError(f"{where}: codec", card.codec, ", ".join(ACTIONS), nearest(card.codec, ACTIONS) or again)
    if card.head not in HEADS:
        raise PolicyError(f"{where}: head of the network", card.head, ", ".join(HEADS), again)
    choices = ACTIONS[card.codec]
    if card.head.endswith("vectors") != bool(card.objectives) or len(card.preference) != len(card.objectives):
        allowed = "objectives and a preference of the same length for heads of vectors, none for others"
        raise PolicyError(f"{where}: preference", card.preference, allowed, again)
    wanted = fields.SIZES[card.role], outputs(card.head, choices, len(card.objectives) or 1)
    if len(card.sizes) < 2 or (card.sizes[0], card.sizes[-1]) != wanted:
        allowed = f"{wanted[0]} fields of a {card.role} first, {wanted[1]} for {choices} actions of {card.codec!r} last"
        raise PolicyError(f"{where}: sizes of the network", card.sizes, allowed, again)
    if card.head in ("tanh", "gaussian") and not len(card.low) == len(card.high) == choices:
        raise PolicyError(f"{where}: bounds of the actions", card.low, f"{choices} of them, low and high", again)
