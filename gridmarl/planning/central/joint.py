"""All owners' local problems stacked into one, and a plan read back from the stacked solution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gridmarl.planning.model.sparse import Sparse, block_diagonal, picker
from gridmarl.planning.programs.local import LocalProblem, QuadraticProgram
from gridmarl.units import Float, Int


@dataclass(frozen=True, slots=True, eq=False)
class Joint:
    """N local problems without CVaR rows as one program over their stacked variables."""

    problems: tuple[LocalProblem, ...]
    program: QuadraticProgram
    total: Sparse  # ((1 + G) K, n): the coupling's rows = total y, as `groups` orders them
    averse: Sparse  # (r K, n): net injections of the r owners with β > 0, one after the other
    of: Int  # (N,) class of each owner
    groups: int  # G

    @property
    def key(self) -> tuple[object, ...]:
        """Equal keys have equal matrices."""
        owners = tuple((problem.key, problem.owner.beta > 0) for problem in self.problems)
        return (self.groups, self.of.tobytes(), *owners)

    @property
    def steps(self) -> int:
        """K."""
        return len(self.problems[0].step_h)

    def split(self, y: Float) -> list[Float]:
        """Each owner's own variables."""
        return np.split(y, _starts(self.problems)[1:])


def join(problems: Sequence[LocalProblem], of: Int, groups: int = 0, previous: Joint | None = None) -> Joint:
    """Stack local problems; where the structure is that of ``previous``, its matrices are shared.

    Parameters
    ----------
    problems : sequence of LocalProblem
        One for each owner, in one base, without CVaR rows.
    of : array (N,)
        Class of each owner, as `groups` counts them.
    groups : int
        How many groups there are.
    previous : Joint, optional
        An earlier stack.

    Returns
    -------
    Joint
    """
    parts = [problem.program for problem in problems]
    fresh = Joint(tuple(problems), parts[0], parts[0].equality, parts[0].equality, of, groups)
    same = previous is not None and previous.key == fresh.key
    old = previous if same else None
    program = QuadraticProgram(
        quadratic=np.concatenate([part.quadratic for part in parts]),
        linear=np.concatenate([part.linear for part in parts]),
        constant=sum(part.constant for part in parts),
        equality=old.program.equality if old else block_diagonal([part.equality for part in parts]),
        equality_rhs=np.concatenate([part.equality_rhs for part in parts]),
        inequality=old.program.inequality if old else block_diagonal([part.inequality for part in parts]),
        inequality_rhs=np.concatenate([part.inequality_rhs for part in parts]),
        lower=np.concatenate([part.lower for part in parts]),
        upper=np.concatenate([part.upper for part in parts]),
    )
    if old:
        return Joint(fresh.problems, program, old.total, old.averse, of, groups)
    return Joint(fresh.problems, program, *_nets(problems, of, groups, len(program.linear)), of, groups)


def _nets(problems: Sequence[LocalProblem], of: Int, groups: int, variables: int) -> tuple[Sparse, Sparse]:
    """Matrices that pick the coupling's rows and the risk-averse owners' net injections."""
    steps = np.arange(len(problems[0].step_h), dtype=np.int64)
    nets = [start + steps for start in _starts(problems)]
    averse = [net for net, problem in zip(nets, problems, strict=True) if problem.owner.beta > 0]
    inside = [(g * len(steps) + steps, net) for g, net in zip(of.tolist(), nets, strict=True) if g > 0]
    at = np.concatenate([np.tile(steps, len(nets)), *(row for row, _ in inside)])
    columns = np.concatenate([*nets, *(net for _, net in inside)])
    total = picker(at, columns, ((1 + groups) * len(steps), variables))
    chosen = np.concatenate([np.zeros(0, np.int64), *averse])
    return total, picker(np.arange(len(chosen), dtype=np.int64), chosen, (len(chosen), variables))


def _starts(problems: Sequence[LocalProblem]) -> list[int]:
    sizes = [len(problem.program.linear) for problem in problems]
    return [int(start) for start in np.cumsum([0, *sizes[:-1]])]
