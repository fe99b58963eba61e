"""Owners of one process who let their problems be solved together.

A crew is the delegate of many owners: it holds their problems, as the one process holds them anyway, and does for each
exactly what the owner would do alone. It hears what its members hear, when the first of them hears it, and hands every
member its own answer; members still speak for themselves, under their own masks. Nothing of it reaches the
coordinator's side. Owners whose problem has a structure of its own kind (CVaR rows) or whose lane is not solved go on
alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np

from gridmarl.planning.owners.worker import Message, Solved, Worker
from gridmarl.planning.programs.batched.batch import Batch
from gridmarl.planning.programs.batched.elimination import Structure, structure_of
from gridmarl.planning.programs.qp import Answer
from gridmarl.units import Float

LANES: Final = 16
"""Owners solved side by side: of 16, 32 and 64 the quickest for each owner, on homes of the city."""
WORTH_IT: Final = 8
"""Owners from which on there is a crew: a choice, so that a handful need not wait for the kernel to be compiled."""


class Crew:
    """Solves for its members.

    Parameters
    ----------
    workers : sequence of Worker
        They hear the same messages, and join where their problems' structure allows.
    threads : int
        How many cores to use; what is found does not depend on it.
    """

    def __init__(self, workers: Sequence[Worker], threads: int = 1) -> None:
        groups: dict[int, tuple[Structure, list[Worker]]] = {}
        for worker in workers:
            found = structure_of(worker.problem.program, len(worker.problem.step_h))
            if found is not None:
                groups.setdefault(id(found), (found, []))[1].append(worker)
        self._boats = [
            Boat(structure, members[at : at + LANES])
            for structure, members in groups.values()
            for at in range(0, len(members), LANES)
        ]
        for boat in self._boats:
            for worker in boat.members:
                worker.crew = self
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self._message: Message | None = None
        self._multiplier: Float | None = None

    def hear(self, message: Message) -> None:
        """Answer a round's message for every member, once."""
        if message is not self._message:
            self._message = message
            self._each(lambda boat: boat.respond(message))

    def hear_offer(self, multiplier_per_mwh: Float) -> None:
        """Find every member's least cost at a multiplier (K,), once."""
        if multiplier_per_mwh is not self._multiplier:
            self._multiplier = multiplier_per_mwh
            self._each(lambda boat: boat.least_cost(multiplier_per_mwh))

    def _each(self, task: Callable[[Boat], None]) -> None:
        if self._pool is None:
            for boat in self._boats:
                task(boat)
        else:
            list(self._pool.map(task, self._boats))


class Boat:
    """Some members of one structure, solved side by side.

    Parameters
    ----------
    structure : Structure
    members : list of Worker
    """

    def __init__(self, structure: Structure, members: list[Worker]) -> None:
        problems = [worker.problem for worker in members]
        steps = len(problems[0].step_h)
        self.members = members
        self._step_h = problems[0].step_h
        self._batch = Batch(structure, [problem.program for problem in problems], steps)
        self._linear = np.stack([problem.program.linear[:steps] for problem in problems])
        self._power = np.array([[problem.base.power_mw] for problem in problems])
        self._money = np.array([[problem.base.money] for problem in problems])

    def respond(self, message: Message) -> None:
        """Prepare the members' answers to a round's message."""
        aims = np.stack([worker.aim_mw(message) for worker in self.members])
        extra = message.rho * self._step_h * self._power**2 / self._money
        answers = self._batch.solve(self._linear - extra * aims / self._power, extra)
        for worker, aim, answer in zip(self.members, aims, answers, strict=True):
            worker.prepare(message, Solved(answer, aim, message.rho) if answer.solved else None)

    def least_cost(self, multiplier_per_mwh: Float) -> None:
        """Prepare the members' least costs at a multiplier (K,)."""
        shift = self._step_h * multiplier_per_mwh * self._power / self._money
        answers = self._batch.solve(self._linear - shift, np.zeros_like(self._linear))
        for worker, answer in zip(self.members, answers, strict=True):
            worker.prepare_least(multiplier_per_mwh, _known(answer))


def _known(answer: Answer) -> Answer | None:
    return answer if answer.solved else None
