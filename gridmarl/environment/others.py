"""The opening through which a team plays, inside an environment, the seats that nobody outside plays."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Protocol

from gridmarl.environment.compiled.arrays import Outcome
from gridmarl.environment.compiled.fields import ROLES
from gridmarl.environment.compiled.world import Layout
from gridmarl.environment.core import Core
from gridmarl.errors import ScenarioError, nearest
from gridmarl.units import Float


class Others(Protocol):
    """A team for the remaining seats."""

    @property
    def codecs(self) -> Mapping[str, str]:
        """Seat -> codec the team speaks there."""
        ...

    def begin(self, core: Core) -> None:
        """An episode begins in some rows of the core."""
        ...

    def fill(self, outcome: Outcome, actions: Float) -> None:
        """Write the seats' next actions into (env, width) rows, from the latest observations."""
        ...


def chosen_seats(layout: Layout, pattern: str | tuple[str, ...] | list[str] | None) -> tuple[str, ...]:
    """Seats that match a name, a role or a wildcard pattern; all where none is given.

    Parameters
    ----------
    layout : Layout
    pattern : str or sequence of str, optional
        ``"gas_1"``, ``"generator"``, ``"gas_*"``, ``"home_01.*"``, or several of them.

    Raises
    ------
    ScenarioError
        Where a pattern matches no seat.
    """
    if pattern is None:
        return layout.played
    roles = [layout.roles[layout.index(seat)] for seat in layout.played]
    patterns = (pattern,) if isinstance(pattern, str) else tuple(pattern)
    for one in patterns:
        if not any(matches(one, s, r) for s, r in zip(layout.played, roles, strict=True)):
            known = tuple(dict.fromkeys((*ROLES, *layout.played)))
            raise ScenarioError(
                "seats", one, ", ".join(known), nearest(one, known) or "choose a role, a seat or a pattern"
            )
    pairs = zip(layout.played, roles, strict=True)
    return tuple(s for s, r in pairs if any(matches(one, s, r) for one in patterns))


def matches(pattern: str, seat: str, role: str) -> bool:
    """Whether a role, a name or a wildcard (``gas_*``, ``generator_*``, ``home_01.*``) means this seat."""
    return pattern == role or fnmatchcase(seat, pattern) or fnmatchcase(f"{role}_{seat}", pattern)
