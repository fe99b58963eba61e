"""In which order a local problem's equations are eliminated, step after step, and which entries that fills.

Owners of one structure share all of this; it is found once. The unknowns of a Newton step are changes of the assets'
variables and multipliers of their rows; net injections are substituted, ``x = N y + offset``. Ordered by time, the
elimination is a Riccati recursion: each step hands on only its stored energies and debts (Rao, Wright & Rawlings 1998).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from gridmarl.bundles import bundle
from gridmarl.kernels import entry_kernel
from gridmarl.planning.model.sparse import Sparse, columns_of
from gridmarl.planning.programs.local import QuadraticProgram
from gridmarl.planning.programs.remembered import Remembered
from gridmarl.units import Bool, Int

LARGEST: Final = 2_500
"""Unknowns up to which a structure is worth its square table."""
REMEMBERED: Final = 256
"""Structures kept: a city's vehicles leave at many hours."""


@bundle
class Entries(NamedTuple):
    """A sparse matrix as its entries, sorted by row."""

    row: Int
    column: Int
    value: np.ndarray[tuple[int, ...], np.dtype[np.float64]]


@bundle
class Elimination(NamedTuple):
    """The plan of a factorisation ``L D L'``; columns of L hold the entries below the diagonal."""

    start: Int  # (unknown + 1,) first entry of each column
    row: Int  # (entry,) unknown of each
    target: Int  # entry that each product of two of a column changes, in order; -1 - unknown: its pivot
    place: Int  # (unknown,) of each variable, equality row and inequality row in the order of elimination


@bundle
class Structure(NamedTuple):
    """What owners of one structure share: their matrices, and the plan of elimination."""

    net: Entries  # N (K, m)
    equality: Entries  # A
    inequality: Entries  # G
    fixed_at: Int  # entries of L, or -1 - unknown, where A and G stand
    bent_at: Int  # the same where two variables of a step's net meet
    bent_step: Int
    bent_value: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
    plan: Elimination


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    """Matrices are told apart by identity, so they must live as long as what is known of them."""

    matrices: tuple[Sparse, Sparse]
    structure: Structure | None


_known: Remembered[tuple[int, int, int], _Kept] = Remembered(REMEMBERED)


def structure_of(program: QuadraticProgram, steps: int) -> Structure | None:
    """What is shared by all programs with these very matrices; None where rows hold net injections, as CVaR's do."""
    matrices = program.equality, program.inequality
    key = (id(matrices[0]), id(matrices[1]), steps)
    return _known.get(key, lambda: _Kept(matrices, _analyse(program, steps))).structure


def _analyse(program: QuadraticProgram, steps: int) -> Structure | None:
    equality, inequality = program.equality, program.inequality
    height = equality.shape[0]
    net, own = _entries(equality, (0, steps), steps), _entries(equality, (steps, height), steps)
    limits = _entries(inequality, (0, inequality.shape[0]), steps)
    if min([0, *own.column, *limits.column]) < 0:
        return None
    net = Entries(net.row, net.column, -net.value)
    variables, rows = len(program.linear) - steps, (equality.shape[0] - steps, inequality.shape[0])
    if variables + sum(rows) > LARGEST:
        return None
    place = _order(net, own, limits, variables, rows, steps)
    bent = _meetings(net, place, steps)
    low, high = _pairs(place, own, limits, variables, rows[0])
    pattern = np.zeros((len(place), len(place)), np.bool_)
    pattern[high, low] = pattern[bent.row, bent.column] = True
    np.fill_diagonal(pattern, False)
    plan, at = _eliminate(pattern, place)
    return Structure(net, own, limits, at[high, low], at[bent.row, bent.column], bent.step, bent.value, plan)


class _Meetings(NamedTuple):
    row: Int
    column: Int
    step: Int
    value: np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def _entries(matrix: Sparse, rows: tuple[int, int], steps: int) -> Entries:
    """Entries of some rows, row by row; columns count from behind the nets, whose own the first rows do without."""
    first, after = rows
    row, column = np.asarray(matrix.indices, dtype=np.int64), columns_of(matrix) - steps
    chosen = (row >= first) & (row < after) & ((column >= 0) | (first > 0) | (after > steps))
    order = np.lexsort((column[chosen], row[chosen]))
    return Entries(row[chosen][order] - first, column[chosen][order], np.asarray(matrix.data)[chosen][order])


def _order(net: Entries, own: Entries, limits: Entries, variables: int, rows: tuple[int, int], steps: int) -> Int:
    """Place of every unknown: by time; within a step first what ends with it, then its rows, then what it hands on."""
    when = np.arange(variables) % steps
    due = [np.zeros(count, np.int64) for count in rows]
    for step, entries in zip(due, (own, limits), strict=True):
        np.maximum.at(step, entries.row, when[entries.column])
    last = when.copy()
    for step, entries in ((np.arange(steps), net), (due[0], own), (due[1], limits)):
        np.maximum.at(last, entries.column, step[entries.row])
    kind = np.concatenate([np.where(last > when, 2, 0), np.ones(sum(rows), np.int64)])
    order = np.lexsort((kind, np.concatenate([when, *due])))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return place


def _pairs(place: Int, own: Entries, limits: Entries, variables: int, equalities: int) -> tuple[Int, Int]:
    """Lower and higher place of the two unknowns of each entry of A and G."""
    rows = np.concatenate([variables + own.row, variables + equalities + limits.row])
    ends = place[rows], place[np.concatenate([own.column, limits.column])]
    return np.minimum(*ends), np.maximum(*ends)


def _meetings(net: Entries, place: Int, steps: int) -> _Meetings:
    """Where ``N' diag N`` stands: every two variables of a step's net, a variable and itself included."""
    starts = np.searchsorted(net.row, np.arange(steps + 1))
    members = np.diff(starts)[net.row]  # of the step of each entry
    one = np.repeat(np.arange(len(net.row)), members)
    nth = np.arange(len(one)) - np.repeat(np.cumsum(members) - members, members)
    other = starts[net.row[one]] + nth
    row, column = place[net.column[one]], place[net.column[other]]
    kept = row >= column
    return _Meetings(row[kept], column[kept], net.row[one][kept], (net.value[one] * net.value[other])[kept])


def _eliminate(pattern: Bool, place: Int) -> tuple[Elimination, Int]:
    """The plan, and the entry of L (or -1 - unknown on the diagonal) of each pair of unknowns."""
    count = len(pattern)
    products = int(fill_in(pattern))
    start = np.concatenate([[0], np.cumsum(pattern.sum(axis=0))]).astype(np.int64)
    column, row = np.nonzero(pattern.T)
    at = np.full((count, count), 0, np.int64)
    at[row, column] = np.arange(len(row))
    np.fill_diagonal(at, -1 - np.arange(count))
    target = np.empty(products, np.int64)
    list_targets(start, row.astype(np.int64), at, target)
    return Elimination(start, row.astype(np.int64), target, place), at


@entry_kernel
def fill_in(pattern: Bool) -> int:
    """Mark below the diagonal what elimination fills; returns how many products it takes."""
    products = 0
    for j in range(len(pattern)):
        below = 0
        for i in range(j + 1, len(pattern)):
            if pattern[i, j]:
                below += 1
                products += below
                for k in range(i + 1, len(pattern)):
                    if pattern[k, j]:
                        pattern[k, i] = True
    return products


@entry_kernel
def list_targets(start: Int, row: Int, at: Int, target: Int) -> None:
    """Entry that each product changes, in the order in which `interior.factorise` takes them."""
    count = 0
    for j in range(len(start) - 1):
        for p in range(start[j], start[j + 1]):
            for q in range(p, start[j + 1]):
                target[count] = at[row[q], row[p]]
                count += 1
