"""What every method asks of a planning request before it starts."""

from __future__ import annotations

from collections.abc import Sequence

from gridmarl.errors import ScenarioError
from gridmarl.planning.model.assets import Owner, check_steps
from gridmarl.planning.model.risk import Prices, check_risk
from gridmarl.units import Float


def check_request(owners: Sequence[Owner], step_h: Float, prices: Prices) -> Float:
    """Refuse what no method can plan, and return the step lengths (K,) as floats.

    Raises
    ------
    ScenarioError
        For no owners, owners of one name, price scenarios of another length, or a CVaR of less than two scenarios.
    """
    steps, names = check_steps(step_h), [owner.name for owner in owners]
    if not names or len(set(names)) != len(names):
        raise ScenarioError("owners", names, "at least one, with names that differ")
    if prices.per_mwh.shape[1] != len(steps):
        raise ScenarioError("prices.per_mwh", prices.per_mwh.shape, f"{len(steps)} steps, one for each step_h")
    check_risk(prices, max(owner.beta for owner in owners))
    return steps
