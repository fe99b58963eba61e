"""What a training wrote, as a team: its policies sit where they learned, everybody else plays as then."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gridmarl import catalogue
from gridmarl.agents.cards import CARD, PolicyCard, read_card
from gridmarl.environment.others import matches
from gridmarl.errors import PolicyError


def trained_team(folder: Path) -> dict[str, object]:
    """Content of the YAML file that would describe such a team.

    Parameters
    ----------
    folder : Path
        Of one policy, or of several roles' that learned together, a folder each.

    Raises
    ------
    PolicyError
        Where there is no policy, or one that this version cannot play.
    CatalogueError
        Where the team that played the other seats is not known here.
    """
    alone = folder / CARD
    paths = [alone] if alone.is_file() else sorted(folder.glob(f"*/{CARD}"))
    if not paths:
        allowed = f"a folder with {CARD}, as gridmarl train writes it, or a team's YAML file"
        raise PolicyError("team", str(folder), allowed, "train one, or name a file")
    cards = {path.parent: read_card(path) for path in paths}
    policies = {
        pattern: {"kind": "policy", "policy": str(parent)}
        for parent, card in cards.items()
        for pattern in learned(card)
    }
    one = next(iter(cards.values()))
    others = catalogue.read("baselines", one.others)["seats"]
    assert isinstance(others, Mapping)
    kinds = ", ".join(dict.fromkeys(card.algorithm for card in cards.values()))
    description = f"What {kinds} learned on {one.scenario}, seed {one.seed}; the others as in {one.others}."
    return {"description": description, "seats": {**policies, **{p: e for p, e in others.items() if p not in policies}}}


def learned(card: PolicyCard) -> tuple[str, ...]:
    """The role, seats or patterns of the recipe that a policy learned for; its role where all seats learned."""
    wanted = card.recipe.get("seats")
    patterns = [wanted] if isinstance(wanted, str) else [str(one) for one in wanted] if isinstance(wanted, list) else []
    found = [one for one in patterns if any(matches(one, seat, card.role) for seat in card.seats)]
    return tuple(card.role if one == "*" else one for one in found) or card.seats
