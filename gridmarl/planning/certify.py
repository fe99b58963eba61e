"""A certificate for any plan, found without the method that made it.

The dual function of `gap` needs every owner's least cost at prices raised by the multiplier λ. As ``Σ Δ λ x`` is the
same in every scenario, ``E`` and ``CVaR`` of the revenue both rise by it, so that this is the owner's own plan where
every scenario's price is higher by λ: what `selfish` solves.
"""

from __future__ import annotations

import numpy as np

from gridmarl.planning.assets import Coupling, Owner, Terminal
from gridmarl.planning.gap import Certificate, admissible, coupling_value, slack_cost
from gridmarl.planning.plan import Plan
from gridmarl.planning.risk import Prices
from gridmarl.planning.selfish import SelfishPlanner


def certify(
    plan: Plan, owners: tuple[Owner, ...], coupling: Coupling, prices: Prices, terminal: Terminal | None = None
) -> Certificate:
    """Bounds on the optimum of a problem from a plan's multiplier and schedules.

    Parameters
    ----------
    plan : Plan
        Of these owners, by any method.
    owners : tuple of N Owner
    coupling : Coupling
    prices : Prices
    terminal : Terminal, optional
        As the plan was made with.

    Returns
    -------
    Certificate
        ``value`` and ``upper`` are what the owners' schedules cost, their mismatch paid as slack.

    Raises
    ------
    SolverError
        Where a local solver stopped without a usable answer.
    """
    multiplier = admissible(coupling, plan.multiplier_per_mwh)
    raised = Prices(prices.per_mwh + multiplier, prices.probability, prices.alpha)
    alone = SelfishPlanner().solve(owners, plan.step_h, coupling, raised, terminal)
    paid = slack_cost(coupling, plan.step_h, plan.injection_mw.sum(axis=0))
    cost = float(plan.owner_objective.sum()) + paid
    least = alone.objective if alone.converged else -np.inf  # what no solver vouches for bounds nothing
    return Certificate(least + coupling_value(coupling, plan.step_h, multiplier), cost, cost)
