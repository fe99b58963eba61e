"""Rewards shaped by a potential: what an observation says about the value of what is stored (Ng et al. 1999)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from gridmarl.environment.compiled.fields import FIELDS
from gridmarl.errors import TrainingError, nearest
from gridmarl.learning.interface import GroupSpec


def potential_weights(worths: Mapping[str, float], group: GroupSpec) -> Tensor:
    """Weights of a group's fields in the potential Phi(s), (field,).

    Parameters
    ----------
    worths : mapping
        Field -> what a unit of it is thought to be worth, in scaled rewards.
    group : GroupSpec

    Raises
    ------
    TrainingError
        Where the seats observe no such field.
    """
    names = [field.name for field in FIELDS.get(group.role, ())]
    weights = torch.zeros(group.fields)
    for name, worth in worths.items():
        if name not in names:
            allowed = f"a field of a {group.role}" if names else "nothing, outside of our markets"
            raise TrainingError(
                f"potential of group {group.name!r}", name, allowed, nearest(name, names) or "leave it out"
            )
        weights[names.index(name)] = worth
    return weights


def shaped(r: Tensor, discount: Tensor, s: Tensor, s_next: Tensor, weights: Tensor) -> Tensor:
    """Rewards r + discount Phi(s') - Phi(s), also over n steps.

    That changes no comparison of policies (Ng, Harada and Russell 1999) and is as if learning began with the values Phi
    (Wiewiora 2003): a battery that thinks its energy is worth something does not sell it at once.

    Parameters
    ----------
    r : (row, seat) Tensor
    discount : (row, 1) Tensor
    s, s_next : (row, seat, field) Tensor
        As the world says them, not normalised.
    weights : (field,) Tensor
        Of Phi, linear in the fields.
    """
    return r + discount * (s_next @ weights) - s @ weights
