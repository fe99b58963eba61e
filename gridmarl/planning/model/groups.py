"""A coupling as rows: row 0 bounds the sum over everybody, row g that over the members of the g-th group.

What an owner injects counts in row 0 and in its own group's row, so what it hears is the sum of both rows' multipliers:
the same for all members of a group. Owners are counted by *class*: class g are the members of group g, class 0 whoever
is in none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gridmarl.errors import ScenarioError, nearest
from gridmarl.planning.model.assets import Coupling, per_step
from gridmarl.units import Float, Int


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Bounds and slack prices of all rows over K steps, each (1 + G, K)."""

    lower_mw: Float
    upper_mw: Float
    shortage_per_mwh: Float
    surplus_per_mwh: Float


def rows_of(coupling: Coupling, steps: int) -> Rows:
    """The coupling's bounds and prices, one row for everybody and one for each group."""
    parts = (coupling, *coupling.groups)
    return Rows(
        lower_mw=np.stack([per_step(part.lower_mw, steps) for part in parts]),
        upper_mw=np.stack([per_step(part.upper_mw, steps) for part in parts]),
        shortage_per_mwh=np.stack([per_step(part.shortage_per_mwh, steps) for part in parts]),
        surplus_per_mwh=np.stack([per_step(part.surplus_per_mwh, steps) for part in parts]),
    )


def classes(coupling: Coupling, owners: Sequence[str]) -> Int:
    """Class of each owner (N,): the number of its group, from 1; 0 where it is in none.

    Raises
    ------
    ScenarioError
        Where a group has a member that is no owner.
    """
    group_of = {member: g for g, group in enumerate(coupling.groups, 1) for member in group.members}
    for member in sorted(group_of.keys() - set(owners)):
        name = coupling.groups[group_of[member] - 1].name
        raise ScenarioError(f"group {name}.members", member, "owners of the plan", nearest(member, list(owners)))
    return np.array([group_of.get(owner, 0) for owner in owners], np.int64)


def by_class(values: Float, of: Int, count: int) -> Float:
    """Sums (C, ...) over the owners of each class of their values (N, ...)."""
    found = np.zeros((count, *values.shape[1:]))
    np.add.at(found, of, values)
    return found


def totals(of_classes: Float) -> Float:
    """What each row adds up to, (1 + G, K), from the classes' sums (1 + G, K)."""
    return np.concatenate([of_classes.sum(axis=0, keepdims=True), of_classes[1:]])


def heard(multiplier_per_mwh: Float) -> Float:
    """What each class hears, (1 + G, K), from the rows' multipliers (1 + G, K)."""
    return np.concatenate([multiplier_per_mwh[:1], multiplier_per_mwh[1:] + multiplier_per_mwh[0]])


def multipliers(heard_per_mwh: Float) -> Float:
    """The rows' multipliers (1 + G, K) from what each class hears: the inverse of `heard`."""
    return np.concatenate([heard_per_mwh[:1], heard_per_mwh[1:] - heard_per_mwh[0]])
