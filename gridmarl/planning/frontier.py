"""What risk aversion costs: one owner's plans for rising risk weights, and what each earns on average and at worst.

Along the plans of ``max (1 - β) E[R] + β CVaR(R) - D`` the expected profit falls and CVaR rises with β: they are the
efficient frontier of Markowitz (1952) with CVaR in the place of the variance (Rockafellar & Uryasev 2000). Wear and
what stored energy is worth in the end (``D``) are the same in every scenario, so that they come off both alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from gridmarl.planning.model.assets import Coupling, Owner, Terminal
from gridmarl.planning.model.plan import Plan
from gridmarl.planning.model.problem import Problem
from gridmarl.planning.model.risk import Prices, cvar, revenue
from gridmarl.planning.selfish import SelfishPlanner
from gridmarl.units import Float

ALONE: Final = Coupling(-np.inf, np.inf, 1.0, 1.0)
"""A coupling that binds nobody."""


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """What one risk weight leads to.

    Attributes
    ----------
    beta : float
        Weight of CVaR.
    plan : Plan
        Of the one owner.
    certain_cost : float
        Dollars that the plan costs in every scenario alike: wear, less what stored energy gains in worth.
    """

    beta: float
    plan: Plan
    certain_cost: float

    def profit(self, prices: Prices) -> Float:
        """Dollars in each scenario (S,): of those that were planned against, or of others over the same steps."""
        return revenue(self.plan.injection_mw[0], self.plan.step_h, prices) - self.certain_cost

    def expected(self, prices: Prices) -> float:
        """Expected profit in dollars."""
        return float(prices.probability @ self.profit(prices))

    def cvar(self, prices: Prices) -> float:
        """Mean profit of the worst ``1 - alpha`` of scenarios, in dollars."""
        return cvar(self.profit(prices), prices.probability, prices.alpha)


def efficient_frontier(
    owner: Owner, step_h: Float, prices: Prices, betas: Sequence[float], terminal: Terminal | None = None
) -> tuple[Choice, ...]:
    """Plan an owner alone with each risk weight.

    Parameters
    ----------
    owner : Owner
        Its own ``beta`` is not used.
    step_h : array (K,)
        Hours a step.
    prices : Prices
        Scenarios of $/MWh.
    betas : sequence of float
        Weights of CVaR, in [0, 1].
    terminal : Terminal, optional
        What stored energy is worth at the end; by default batteries keep their energy.

    Returns
    -------
    tuple of Choice
        One a weight, in their order.

    Raises
    ------
    ScenarioError
        For a weight outside [0, 1], shapes that do not fit or a CVaR of less than two scenarios.
    """
    return tuple(_choice(replace(owner, beta=float(beta)), step_h, prices, terminal) for beta in betas)


def _choice(owner: Owner, step_h: Float, prices: Prices, terminal: Terminal | None) -> Choice:
    plan = SelfishPlanner().solve(Problem((owner,), step_h, ALONE, prices, terminal or Terminal()))
    gain = revenue(plan.injection_mw[0], plan.step_h, prices)
    mean, tail = float(prices.probability @ gain), cvar(gain, prices.probability, prices.alpha)
    return Choice(owner.beta, plan, plan.objective + (1 - owner.beta) * mean + owner.beta * tail)
