"""One owner's side of Dantzig-Wolfe: hearing prices, it proposes the schedule that suits it best at them.

The pricing problem is ``min f(x) - Σ_k Δ_k λ_k x_k``, a linear program of which only the objective ever changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gridmarl.errors import PlanError, ScenarioError, SolverError
from gridmarl.planning.model.assets import Battery, Generator, Owner, Terminal, single
from gridmarl.planning.model.plan import AssetPlan
from gridmarl.planning.model.risk import Prices
from gridmarl.planning.programs.feasible import infeasible_error
from gridmarl.planning.programs.local import local_problem, steady_base
from gridmarl.planning.programs.lp import LinearProgram
from gridmarl.units import Float


@dataclass(frozen=True, slots=True, eq=False)
class Proposal:
    """All that an owner says in a round."""

    injection_mw: Float  # (K,)
    cost: float  # $ at the forecast, without the coupling's multiplier


class Proposer:
    """Solves its pricing problem at one multiplier after another and remembers what it proposed.

    Parameters
    ----------
    owner : Owner
        The only private numbers it ever sees.
    step_h : array (K,)
        Hours a step.
    prices : Prices
        Public scenarios of $/MWh.
    terminal : Terminal
        What stored energy is worth at the end.

    Raises
    ------
    ScenarioError
        Where an asset has a quadratic cost, by name.
    """

    def __init__(self, owner: Owner, step_h: Float, prices: Prices, terminal: Terminal) -> None:
        _refuse_curvature(owner)
        self._problem = local_problem(owner, step_h, prices, terminal, steady_base((owner,), prices))
        self._terminal = terminal
        self._solver = LinearProgram.of(self._problem.program)
        self._proposed: list[Float] = []
        self._y = np.zeros(0)

    @property
    def rated_mw(self) -> float:
        """Declared size of the owner's largest asset, public as any connection's rating is."""
        return self._problem.base.power_mw

    def propose(self, multiplier_per_mwh: Float) -> Proposal:
        """Answer a multiplier (K,) in $/MWh, which is paid on top of the forecast, with the best schedule.

        Raises
        ------
        InfeasiblePlanError
            Where an asset cannot obey its limits, by name.
        SolverError
            Where HiGHS stopped without an answer.
        """
        problem = self._problem
        self._solver.set_cost(problem.cost_at(multiplier_per_mwh))
        answer = self._solver.solve()
        if not answer.solved:
            raise self._refusal(answer.status)
        self._proposed.append(answer.y)
        return Proposal(problem.injection_mw(answer.y), problem.objective(answer.y))

    def settle(self, weight: Float) -> None:
        """Take the mix (proposals,) of its own proposals, in their order, that has been agreed on."""
        self._y = weight @ np.stack(self._proposed)

    @property
    def injection_mw(self) -> Float:
        """Net injection (K,) of what was settled."""
        return self._problem.injection_mw(self._y)

    @property
    def objective(self) -> float:
        """Dollars that what was settled costs the owner."""
        return self._problem.objective(self._y)

    def trajectories(self) -> tuple[AssetPlan, ...]:
        """The owner's own assets in what was settled."""
        return self._problem.read(self._y)

    def _refusal(self, status: str) -> PlanError:
        owner: Owner = self._problem.owner
        found = infeasible_error((owner,), self._problem.step_h, self._terminal)
        return found or SolverError(
            f"{owner.name}'s pricing problem", status, "Optimal", "look for limits or costs of very different size"
        )


def _refuse_curvature(owner: Owner) -> None:
    for asset in map(single, owner.assets):
        match asset:
            case Battery():
                name, value = "wear_per_mw2h", asset.wear_per_mw2h
            case Generator():
                name, value = "cost_per_mw2h", asset.cost_per_mw2h
            case _:
                continue
        if value > 0:
            raise ScenarioError(
                f"{owner.name}.{asset.name}.{name}",
                value,
                "0: dantzig-wolfe plans linear costs only",
                "plan with method central or admm, which take quadratic costs, or set it to 0",
            )
