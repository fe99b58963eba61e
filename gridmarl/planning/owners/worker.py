"""One owner's side of ADMM: it holds its own problem, hears the aggregate message, answers with its net injection."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np

from gridmarl.errors import PlanError, SolverError
from gridmarl.planning.model.assets import Owner, Terminal
from gridmarl.planning.model.plan import AssetPlan
from gridmarl.planning.model.risk import Prices
from gridmarl.planning.owners.totals import Totals
from gridmarl.planning.programs.feasible import infeasible_error
from gridmarl.planning.programs.local import LocalProblem, local_problem, steady_base
from gridmarl.planning.programs.qp import Answer, QuadraticSolver, solve_afresh
from gridmarl.units import Float

SHARES: Final = 32
"""Shares that an owner remembers, to mix them."""


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """All that an owner hears in a round, the same for everyone in its group."""

    mean_mismatch_mw: Float  # (K,) mean target minus mean (over-relaxed) answer of the last round
    dual_mw: Float  # (K,) scaled dual u; -rho u is the multiplier in $/MWh
    rho: float  # $/(MW² h)
    unit_mw: float = 1.0  # of distances in masked answers
    mix: Float = field(default_factory=lambda: np.ones(1))  # weights of an owner's last shares, the newest last


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """A round's local solution, and the problem it belongs to: it stays with the owner."""

    answer: Answer
    aim_mw: Float  # (K,) what the injection was drawn to
    rho: float  # how strongly, $/(MW² h)


class Helper(Protocol):
    """Whoever solves for several owners of one process at once (`crew`)."""

    def hear(self, message: Message) -> None:
        """Prepare every member's answer to a round's message."""
        ...

    def hear_offer(self, multiplier_per_mwh: Float) -> None:
        """Prepare every member's least cost at a multiplier (K,)."""
        ...


class Worker:
    """Solves ``min f(x) + rho/2 Σ_k Δ_k (x_k - z_k + u_k)²`` round after round, z being its own share of the target.

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
    relaxation : float
        Over-relaxation factor, the same for everyone.
    """

    def __init__(self, owner: Owner, step_h: Float, prices: Prices, terminal: Terminal, relaxation: float) -> None:
        self._relaxation, self._terminal = relaxation, terminal
        self._problem = local_problem(owner, step_h, prices, terminal, steady_base((owner,), prices))
        self._solver: QuadraticSolver | None = None
        self._bare: QuadraticSolver | None = None  # without the proximal term
        self._rho = 0.0
        self.last: Solved | None = None
        self.crew: Helper | None = None
        self._mixed: tuple[Message, Float] | None = None  # of the round under way
        self._prepared: tuple[Message, Solved | None] | None = None
        self._prepared_least: tuple[Float, Answer | None] | None = None
        self._y = np.zeros(len(self._problem.program.linear))
        self._relaxed_mw = np.zeros(len(step_h))  # x over-relaxed towards the share
        self.share_mw = self._relaxed_mw  # (K,) z before the last answer
        self._shares_mw = deque[Float](maxlen=SHARES)  # that rounds led to
        self.accurate = True
        self.objectives: list[float] = []  # dollars a round, for the record only

    @property
    def problem(self) -> LocalProblem:
        """The owner's own problem, for whoever works on the owner's side."""
        return self._problem

    @property
    def rated_mw(self) -> float:
        """Declared size of the owner's largest asset, public as any connection's rating is."""
        return self._problem.base.power_mw

    def renew(self, owner: Owner, step_h: Float, prices: Prices, terminal: Terminal) -> None:
        """Take the numbers of the next plan; matrices are kept where they are the same."""
        self.crew = self._mixed = self._prepared = self._prepared_least = None
        before, self._terminal = self._problem, terminal
        base = steady_base((owner,), prices, before.base)
        self._problem = local_problem(owner, step_h, prices, terminal, base, before)
        if self._problem.key != before.key:
            self._solver = self._bare = None
        if self._solver is not None:
            self._solver.renew(self._problem.program, self._proximal(self._rho))
        if self._bare is not None:
            self._bare.renew(self._problem.program, np.zeros(len(self._y)))

    def begin(self, share_mw: Float) -> None:
        """Start the rounds of a plan from this share (K,) of the target."""
        self.last = self._mixed = None
        self._relaxed_mw, self.accurate, self.objectives = share_mw, True, []
        self.share_mw = share_mw
        self._shares_mw.clear()

    def respond(self, message: Message) -> Float:
        """Answer a round's message with the net injection (K,) in MW.

        Raises
        ------
        InfeasiblePlanError
            Where an asset cannot obey its limits, by name.
        SolverError
            Where the local solver stopped without a usable answer.
        """
        self.last = self._helped(message) or self.solve_near(self.aim_mw(message), message.rho)
        share = self.share_mw = self._mixed_mw(message)
        self._mixed = None
        self._shares_mw.append(self.next_share_mw(message.mean_mismatch_mw))
        answer = self.last.answer
        self._y, self.accurate = answer.y, answer.solved
        self.objectives.append(self._problem.objective(answer.y))
        injection = self._problem.injection_mw(answer.y)
        self._relaxed_mw = self._relaxation * injection + (1 - self._relaxation) * share
        return injection

    def aim_mw(self, message: Message) -> Float:
        """What a message draws the net injection (K,) to."""
        return self._mixed_mw(message) - message.dual_mw

    def _mixed_mw(self, message: Message) -> Float:
        """Its share (K,) of the target: that of the last answer and earlier ones, as the message weighs them."""
        if self._mixed is None or self._mixed[0] is not message:  # the crew asks before the owner itself does
            shares = [*self._shares_mw, self.next_share_mw(message.mean_mismatch_mw)][-len(message.mix) :]
            self._mixed = message, message.mix @ np.stack(shares)
        return self._mixed[1]

    def prepare(self, message: Message, solved: Solved | None) -> None:
        """Take what the crew found for this message; nothing where it must be found alone."""
        self._prepared = message, solved

    def prepare_least(self, multiplier_per_mwh: Float, answer: Answer | None) -> None:
        """Take what the crew found at this multiplier."""
        self._prepared_least = multiplier_per_mwh, answer

    def _helped(self, message: Message) -> Solved | None:
        if self.crew is not None:
            self.crew.hear(message)
        known, self._prepared = self._prepared, None
        return known[1] if known is not None and known[0] is message else None

    def _helped_least(self, multiplier_per_mwh: Float) -> Answer | None:
        if self.crew is not None:
            self.crew.hear_offer(multiplier_per_mwh)
        known, self._prepared_least = self._prepared_least, None
        return known[1] if known is not None and known[0] is multiplier_per_mwh else None

    def trajectories(self) -> tuple[AssetPlan, ...]:
        """The owner's own assets in its last answer."""
        return self._problem.read(self._y)

    def part(self) -> Totals:
        """Its part of the sums that the coupling needs of the last round."""
        answer, share = self.injection_mw[None, :], self.share_mw[None, :]
        return Totals.of(answer, share, self._relaxation, self.objectives[-1])

    @property
    def injection_mw(self) -> Float:
        """Net injection (K,) of its last answer."""
        return self._problem.injection_mw(self._y)

    def next_share_mw(self, mean_mismatch_mw: Float) -> Float:
        """Its share (K,) of the target after the last answer."""
        return self._relaxed_mw + mean_mismatch_mw

    def least_cost(self, multiplier_per_mwh: Float) -> float:
        """``min f(x) - Σ_k Δ_k λ_k x_k`` in dollars: the owner's part of the dual function at a multiplier (K,).

        An answer that the solver does not vouch for bounds nothing: it counts as -inf.

        Raises
        ------
        InfeasiblePlanError
            Where an asset cannot obey its limits, by name.
        """
        problem = self._problem
        answer = self._helped_least(multiplier_per_mwh) or self._solve_bare(multiplier_per_mwh)
        if not answer.solved:
            return -np.inf
        paid = problem.step_h @ (multiplier_per_mwh * problem.injection_mw(answer.y))
        return problem.objective(answer.y) - float(paid)

    def _solve_bare(self, multiplier_per_mwh: Float) -> Answer:
        """Solution of ``min f(x) - Σ_k Δ_k λ_k x_k``."""
        program, linear = self._problem.program, self._problem.cost_at(multiplier_per_mwh)
        none = np.zeros(len(linear))
        self._bare = self._bare or QuadraticSolver(program, none)
        answer = self._bare.solve(linear)
        if not answer.solved and not answer.infeasible:
            self._bare, answer = None, solve_afresh(program, none, linear)
        if answer.infeasible:
            raise self._refusal(answer)
        return answer

    def solve_near(self, aim_mw: Float, rho: float) -> Solved:
        """Solution of ``min f(x) + rho/2 Σ_k Δ_k (x_k - aim_k)²``; see `respond` for what it raises."""
        proximal = self._proximal(rho)
        if self._solver is None:
            self._solver = QuadraticSolver(self._problem.program, proximal)
        elif rho != self._rho:
            self._solver.set_extra(proximal)
        self._rho = rho
        linear = self._problem.program.linear.copy()
        net = self._problem.net
        linear[net] -= proximal[net] * aim_mw / self._problem.base.power_mw
        answer = self._solver.solve(linear)
        if not answer.solved and not answer.infeasible:  # a fresh start without the scaling of earlier numbers
            self._solver = QuadraticSolver(self._problem.program, proximal)
            answer = self._solver.solve(linear)
        if not answer.solved and not answer.infeasible:
            answer = solve_afresh(self._problem.program, proximal, linear)
        if not answer.solved and not answer.usable:
            raise self._refusal(answer)
        return Solved(answer, aim_mw, rho)

    def _proximal(self, rho: float) -> Float:
        """``rho Δ`` on the net injections, in scaled units (n,)."""
        problem = self._problem
        extra = np.zeros(len(problem.program.linear))
        extra[problem.net] = rho * problem.step_h * problem.base.power_mw**2 / problem.base.money
        return extra

    def _refusal(self, answer: Answer) -> PlanError:
        owner: Owner = self._problem.owner
        found = infeasible_error((owner,), self._problem.step_h, self._terminal)
        return found or SolverError(
            f"{owner.name}'s local problem", answer.status, "solved", "look for limits or costs of very different size"
        )
