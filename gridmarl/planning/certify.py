"""A certificate for any plan, found without the method that made it.

The dual function of `gap` needs every owner's least cost at prices raised by the multiplier λ. As ``Σ Δ λ x`` is the
same in every scenario, ``E`` and ``CVaR`` of the revenue both rise by it, so that this is the owner's own plan where
every scenario's price is higher by λ: what `selfish` solves. With groups λ is what the owner's class hears.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gridmarl.planning.model.assets import Coupling
from gridmarl.planning.model.gap import Certificate, admissible, coupling_value, slack_cost
from gridmarl.planning.model.groups import by_class, classes, heard, totals
from gridmarl.planning.model.plan import Plan
from gridmarl.planning.model.problem import Problem
from gridmarl.planning.model.risk import Prices
from gridmarl.planning.selfish import SelfishPlanner
from gridmarl.units import Float


def certify(plan: Plan, problem: Problem) -> Certificate:
    """Bounds on the optimum of a problem from a plan's multiplier and schedules.

    Parameters
    ----------
    plan : Plan
        By any method.
    problem : Problem
        That it answers.

    Returns
    -------
    Certificate
        ``value`` and ``upper`` are what the owners' schedules cost, their mismatch paid as slack.

    Raises
    ------
    SolverError
        Where a local solver stopped without a usable answer.
    """
    owners, step_h, coupling, prices, terminal = problem
    multiplier, of = admissible(coupling, _multipliers(plan, coupling)), classes(coupling, plan.owners)
    everybody = replace(coupling, groups=())  # what it binds is nothing to owners alone
    least = coupling_value(coupling, step_h, multiplier)
    for c, added in enumerate(heard(multiplier)):
        members = tuple(owner for owner, own in zip(owners, of.tolist(), strict=True) if own == c)
        if members:
            raised = Prices(prices.per_mwh + added, prices.probability, prices.alpha)
            alone = SelfishPlanner().solve(Problem(members, step_h, everybody, raised, terminal))
            least += alone.objective if alone.converged else -np.inf  # what no solver vouches for bounds nothing
    paid = slack_cost(coupling, step_h, totals(by_class(plan.injection_mw, of, len(multiplier))))
    cost = float(plan.owner_objective.sum()) + paid
    return Certificate(least, cost, cost)


def _multipliers(plan: Plan, coupling: Coupling) -> Float:
    """The rows' multipliers (1 + G, K); nothing for groups that the plan ignored, as selfish owners do."""
    known = {group.name: group.multiplier_per_mwh for group in plan.groups}
    nothing = np.zeros_like(plan.multiplier_per_mwh)
    return np.stack([plan.multiplier_per_mwh, *(known.get(group.name, nothing) for group in coupling.groups)])
