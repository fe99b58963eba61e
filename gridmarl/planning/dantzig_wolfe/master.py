"""The coordinator's side of Dantzig-Wolfe: the best mix of what owners proposed, and the two bounds it proves.

With ``w`` the weights of the proposals and slack s, t, each step's rows weighed by its hours,

``min Σ w_ij f_ij + Σ_k Δ_k (S_k s_k + T_k t_k)  subject to  lower <= Σ w_ij x_ij + s - t <= upper,  Σ_j w_ij = 1``.

Each group of the coupling has rows of the same kind, with a slack of their own. The value is an upper bound. The
coupling rows' duals are prices; at any prices λ in [-T, S] (not positive where there is no lower bound, not negative
where there is no upper one) the owners' answers prove the Lagrangian lower bound
``Σ_i min_x (f_i(x) - Σ_k Δ_k λ_k x_k) + Σ_k Δ_k (λ_k⁺ lower_k - λ_k⁻ upper_k)``, an owner hearing the sum of its rows'.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from scipy.sparse import csc_matrix, eye_array, hstack, vstack

from gridmarl.errors import SolverError
from gridmarl.planning.model.assets import Coupling
from gridmarl.planning.model.gap import admissible, coupling_value, slack_mw
from gridmarl.planning.model.groups import by_class, heard, rows_of, totals
from gridmarl.planning.owners.pricing import Proposal
from gridmarl.planning.programs.local import Base
from gridmarl.planning.programs.lp import LinearProgram
from gridmarl.units import Float, Int

WORTH_ADDING: Final = 1e-12
"""A proposal that promises less than this (numbers are near 1) cannot improve the mix."""


class Master:
    """The restricted master problem; it sees proposals only.

    Parameters
    ----------
    of : array (N,)
        Class of each owner, as `groups` counts them.
    step_h : array (K,)
        Hours a step.
    coupling : Coupling
        Bounds and slack prices.
    base : Base
        Units in which the master's numbers are near 1.
    """

    def __init__(self, of: Int, step_h: Float, coupling: Coupling, base: Base) -> None:
        k, owners = len(step_h), len(of)
        self._of, self._owners, self._step_h, self._base, self._coupling = of, owners, step_h, base, coupling
        self._rows, groups = rows_of(coupling, k), len(coupling.groups)
        self._coupled = m = (1 + groups) * k  # rows of the coupling, everybody's first
        one = np.ones(owners)
        slack: Any = vstack([hstack([eye_array(m), -eye_array(m)]), csc_matrix((owners, 2 * m))], format="csc")
        costs = [(price * step_h).ravel() for price in (self._rows.shortage_per_mwh, self._rows.surplus_per_mwh)]
        self._program = LinearProgram(
            slack,
            np.concatenate([self._rows.lower_mw.ravel() / base.power_mw, one]),
            np.concatenate([self._rows.upper_mw.ravel() / base.power_mw, one]),
            np.concatenate(costs) / base.price_per_mwh,
            np.zeros(2 * m),
            np.full(2 * m, np.inf),
        )
        self._owner_of: list[int] = []  # of each column
        self._number_of: list[int] = []  # of each column among its owner's proposals
        self._injection: list[Float] = []  # of each column, MW
        self._cost: list[float] = []
        self._heard = 0  # proposals of each owner so far
        self.multiplier_per_mwh, self._worth = np.zeros((1 + groups, k)), np.zeros(owners)
        self._solution = np.zeros(0)

    def take(self, proposals: Sequence[Proposal]) -> bool:
        """Add what improves the mix of the last solution; whether anything did."""
        promise = np.array([self._promise(i, proposal) for i, proposal in enumerate(proposals)])
        fresh = np.flatnonzero(promise > WORTH_ADDING) if len(self._solution) else np.arange(self._owners)
        if len(fresh):
            self._add(fresh, [proposals[i] for i in fresh.tolist()])
        self._heard += 1
        return len(fresh) > 0

    def solve(self) -> float:
        """Mix anew; the least cost in dollars, an upper bound on the optimum.

        Raises
        ------
        SolverError
            Where HiGHS stopped without an answer.
        """
        answer, m, base = self._program.solve(), self._coupled, self._base
        if not answer.solved:
            raise SolverError(
                "dantzig-wolfe's master problem", answer.status, "Optimal", "bring quantities and prices near 1"
            )
        self._solution, self._worth = answer.y, answer.dual[m:]
        dual = answer.dual[:m].reshape(self.multiplier_per_mwh.shape)
        self.multiplier_per_mwh = self.within(dual * base.price_per_mwh / self._step_h)
        weights = np.maximum(answer.y[2 * m :], 0.0)
        short, over = self.slack_mw()
        penalty = self._step_h * (self._rows.shortage_per_mwh * short + self._rows.surplus_per_mwh * over)
        return float(weights @ np.array(self._cost) + penalty.sum())

    def lower_bound(self, multiplier_per_mwh: Float, proposals: Sequence[Proposal]) -> float:
        """Dollars that no plan can undercut, as the answers to multipliers (1 + G, K) within their limits prove."""
        paid = (self._step_h * heard(multiplier_per_mwh))[self._of]
        own = sum(one.cost - pay @ one.injection_mw for one, pay in zip(proposals, paid, strict=True))
        return float(own + coupling_value(self._coupling, self._step_h, multiplier_per_mwh))

    def within(self, multiplier_per_mwh: Float) -> Float:
        """The multiplier brought within the limits at which a bound can be proved."""
        return admissible(self._coupling, multiplier_per_mwh)

    def slack_mw(self) -> tuple[Float, Float]:
        """Shortage and surplus (1 + G, K) of the mix."""
        slack = np.maximum(self._solution[: 2 * self._coupled] * self._base.power_mw, 0.0)
        shape = self.multiplier_per_mwh.shape
        return slack[: self._coupled].reshape(shape), slack[self._coupled :].reshape(shape)

    def missed_mw(self, injection_mw: Float) -> Float:
        """What the rows' sums (1 + G, K) of these injections (N, K) miss beyond the mix's slack."""
        sums = totals(by_class(injection_mw, self._of, len(self.multiplier_per_mwh)))
        beyond = zip(slack_mw(self._coupling, sums), self.slack_mw(), strict=True)
        return np.sum([np.maximum(missed - slack, 0.0) for missed, slack in beyond], axis=0)

    def injection_mw(self) -> Float:
        """Each owner's injection (N, K) in the mix."""
        mixed = np.zeros((self._owners, len(self._step_h)))
        weights = np.maximum(self._solution[2 * self._coupled :], 0.0)
        np.add.at(mixed, np.array(self._owner_of), weights[:, None] * np.stack(self._injection))
        return mixed

    def weights(self) -> Float:
        """What each owner's proposals, in their order, weigh in the mix: (N, proposals), rows adding up to 1."""
        found = np.zeros((self._owners, self._heard))
        found[self._owner_of, self._number_of] = np.maximum(self._solution[2 * self._coupled :], 0.0)
        return found / found.sum(axis=1, keepdims=True)

    def _promise(self, owner: int, proposal: Proposal) -> float:
        """Minus the reduced cost of a column, scaled."""
        price = heard(self.multiplier_per_mwh)[self._of[owner]]
        paid = (self._step_h * price) @ proposal.injection_mw
        return float(self._worth[owner] - (proposal.cost - paid) / self._base.money)

    def _add(self, owners: Int, proposals: Sequence[Proposal]) -> None:
        injection = np.stack([proposal.injection_mw for proposal in proposals])
        cost = np.array([proposal.cost for proposal in proposals])
        convexity = csc_matrix((np.ones(len(owners)), (owners, np.arange(len(owners)))), (self._owners, len(owners)))
        coupled = np.zeros((*self.multiplier_per_mwh.shape, len(owners)))
        coupled[0], of = injection.T, self._of[owners]
        inside = np.flatnonzero(of)
        coupled[of[inside], :, inside] = injection[inside]
        rows = csc_matrix(coupled.reshape(self._coupled, -1) / self._base.power_mw)
        entries: Any = vstack([rows, convexity], format="csc")
        self._program.add_columns(cost / self._base.money, entries)
        self._owner_of += owners.tolist()
        self._number_of += [self._heard] * len(owners)
        self._injection += list(injection)
        self._cost += cost.tolist()
