"""The same island, cut into ever more participants."""

from __future__ import annotations

from gridmarl.scenario.model import Model
from gridmarl.scenario.scenario import Scenario

SIZES = ("capacity_mw", "minimum_mw", "initial_mw", "ramp_mw_per_h", "capacity_mwh", "power_mw", "load_mw")
"""What a participant has less of where it is one of several copies."""


def divided(part: Model, copies: int) -> list[dict[str, object]]:
    """Settings of the copies that stand in a participant's place, each with its share of the size."""
    settings = part.model_dump(exclude_unset=True)
    sizes = {name: settings[name] / copies for name in SIZES if name in settings}
    return [{**settings, **sizes, "name": f"{settings['name']}_{k + 1}"} for k in range(copies)]


def in_copies(scenario: Scenario, copies: int) -> Scenario:
    """Let several small participants stand in the place of each: as much power, load and physics in all.

    The mix of roles, the buses and the prices stay those of the world; its own name goes to nobody.
    """
    roles = ("generators", "storage", "consumers")
    parts = {role: [setting for part in getattr(scenario, role) for setting in divided(part, copies)] for role in roles}
    return scenario.but(name=f"{scenario.name}-in-{copies}", **parts)
