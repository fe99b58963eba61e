"""What every planning method takes: one problem, whoever solves it."""

from __future__ import annotations

from typing import NamedTuple

from gridmarl.errors import ScenarioError
from gridmarl.planning.model.assets import Coupling, Owner, Terminal, check_steps
from gridmarl.planning.model.risk import Prices, check_risk
from gridmarl.units import Float


class Problem(NamedTuple):
    """N owners over K steps; ``CentralPlanner().solve(problem)``, and so with every other method.

    Attributes
    ----------
    owners : tuple of N Owner
        Their assets and risk weights. Methods that plan by messages hand each to its own worker and to nobody else.
    step_h : array (K,)
        Hours a step.
    coupling : Coupling
        Bounds on the total injection [MW], and on those of groups, with the price of missing them [$/MWh].
    prices : Prices
        Scenarios (S, K) of $/MWh, public.
    terminal : Terminal
        What stored energy is worth at the end; by default batteries keep their energy.
    """

    owners: tuple[Owner, ...]
    step_h: Float  # (K,)
    coupling: Coupling
    prices: Prices
    terminal: Terminal = Terminal()

    def checked(self) -> Problem:
        """The same, its steps as floats, where a method can plan it at all.

        Raises
        ------
        ScenarioError
            For no owners, owners of one name, steps that are no hours, price scenarios of another length, or a CVaR of
            less than two scenarios.
        """
        steps, names = check_steps(self.step_h), [owner.name for owner in self.owners]
        if not names or len(set(names)) != len(names):
            raise ScenarioError("owners", names, "at least one, with names that differ")
        if self.prices.per_mwh.shape[1] != len(steps):
            raise ScenarioError("prices.per_mwh", self.prices.per_mwh.shape, f"{len(steps)} steps, one for each step_h")
        check_risk(self.prices, max(owner.beta for owner in self.owners))
        return self._replace(step_h=steps)
