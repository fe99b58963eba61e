"""Worlds in which one owner's private parameters are others, and nothing that is public."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from gridmarl.scenario.participants import Battery, Generator, Load
from gridmarl.scenario.scenario import Scenario

DEARER = 1.0
"""$/MWh added to what an owner's assets cost it."""

Part = TypeVar("Part", Generator, Battery, Load)


def other_secrets(scenario: Scenario) -> Iterator[tuple[str, Scenario]]:
    """Each owner of named assets, and the same world with that owner's private costs changed."""
    named = (*scenario.generators, *scenario.storage, *scenario.consumers)
    for owner in dict.fromkeys(part.owned_by for part in named):
        changed = {
            "generators": _dearer(scenario.generators, owner),
            "storage": _dearer(scenario.storage, owner),
            "consumers": _dearer(scenario.consumers, owner),
        }
        yield owner, scenario.model_copy(update=changed)
    for home in scenario.prosumers:
        parts = {"solar": home.solar, "battery": home.battery, "ev": home.ev, "load": home.load}
        changed = {key: part.model_copy(update=_secrets(part)) for key, part in parts.items() if part is not None}
        others = tuple(h.model_copy(update=changed) if h is home else h for h in scenario.prosumers)
        yield home.name, scenario.model_copy(update={"prosumers": others})


def _dearer(parts: Sequence[Part], owner: str) -> tuple[Part, ...]:
    return tuple(part.model_copy(update=_secrets(part)) if part.owned_by == owner else part for part in parts)


def _secrets(part: Generator | Battery | Load) -> dict[str, float]:
    match part:
        case Generator():
            return {"cost_per_mwh": part.cost_per_mwh + DEARER}
        case Battery():
            return {"wear_per_mwh": part.wear_per_mwh + DEARER, "charge_efficiency": 0.9 * part.charge_efficiency}
        case Load():
            return {"comfort_cost_per_mwh": part.true_cost_per_mwh + DEARER}
