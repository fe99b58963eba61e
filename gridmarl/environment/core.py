"""The batched market: a compiled scenario, the state of its rows, and the two things one can do with them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gridmarl.data.profiles import forecast_path, realised_path
from gridmarl.data.random import SPLIT_CODE
from gridmarl.data.straying import mean_strays
from gridmarl.environment.compiled import columns, fields
from gridmarl.environment.compiled.arrays import (
    Book,
    Outcome,
    Rows,
    book_sizes,
    copy_rows,
    empty_book,
    empty_given,
    empty_rows,
)
from gridmarl.environment.compiled.world import Compiled, compile_world
from gridmarl.environment.interval.step import observe_rows, reset_rows, step_rows
from gridmarl.errors import ActionError, OrderError, ScenarioError
from gridmarl.kernels import cache_folder, machine_code
from gridmarl.scenario.rules import SPLITS, Split
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import Bool, Float, UInt

log = logging.getLogger(__name__)

FAULTS = {
    columns.FAULT_NOT_FINITE: ("a finite number", "check the policy for NaN or infinity"),
    columns.FAULT_RANGE: ("within the bounds of the action space", "scale or clip the action"),
    columns.FAULT_PRICE: ("an order price within [floor, cap]", "clip the price, or widen market.floor / cap"),
    columns.FAULT_WHOLE: ("a whole number the action space contains", "pass an integer"),
}
POOL = 3
"""Results kept to be used again: those of the last step, of the one before, and those being written."""
UNHELD = 3
"""References to an array that nobody but its pool holds: the pool's, a loop's and the count's own argument."""


@dataclass(slots=True)
class Clocks:
    """Which seed and episode each row is in."""

    seed: UInt  # (env,)
    episode: UInt  # (env,)


class Core:
    """Many copies of one market, advanced together.

    Parameters
    ----------
    scenario : Scenario
    rows : int
        How many environments.
    codecs : mapping, optional
        Seat or role -> codec.
    split : {"train", "select", "test"}
        Which randomness, or which days, the episodes draw.
    record : bool
        Keep each interval's orders in ``Outcome.book``.
    """

    def __init__(
        self,
        scenario: Scenario,
        rows: int = 1,
        codecs: Mapping[str, str] | None = None,
        split: Split = "test",
        record: bool = False,
    ) -> None:
        if split not in SPLITS:
            raise ScenarioError("split", split, ", ".join(SPLITS), "choose one of them")
        if not isinstance(rows, (int, np.integer)) or rows < 1:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ScenarioError("number of environments", rows, "a whole number, 1 or more", "ask for at least one")
        self.compiled: Compiled = compile_world(scenario, codecs)
        self.split: Split = split
        self.record = record
        self.rows: Rows = empty_rows(self.compiled.world, rows)
        self.book: Book = empty_book(self.compiled.world, scenario.substeps)
        self._given: Float = empty_given(self.compiled.world, rows if scenario.clears_jointly else 0)
        self.clocks = Clocks(np.arange(rows, dtype=np.uint64), np.zeros(rows, np.uint64))
        self._begun = False
        self._step_rows: Callable[..., bool] | None = None  # machine code, from the first step on
        self._shapes = self._outcome_shapes()
        self._action_shape = (rows, self.width)
        self._pool: list[Outcome] = []

    @property
    def count(self) -> int:
        """Number of environments."""
        return len(self.rows.t)

    @property
    def width(self) -> int:
        """Numbers in a row of actions."""
        return int(self.compiled.world.seat[-1, columns.ACTION_AT])

    @property
    def intervals(self) -> int:
        """Intervals of an episode."""
        return self.compiled.scenario.intervals

    def empty_outcome(self, last: Outcome | None = None) -> Outcome:
        """Arrays for a step, which nobody else holds: fresh ones, or those of an earlier step that all let go of.

        Fresh memory is dear: the system hands it out page by page.

        Parameters
        ----------
        last : Outcome, optional
            Results that the caller holds and will not read again; their arrays are still in the processor's cache.
        """
        pooled = last is not None and any(last.seats is held.seats for held in self._pool)
        if last is not None and pooled and all(sys.getrefcount(array) == UNHELD + 1 for array in last):
            return last
        for held in self._pool:
            if all(sys.getrefcount(array) == UNHELD for array in held):
                return Outcome._make(held)
        wide, narrow = self._shapes
        seats, market, rewards, book = (np.empty(shape) for shape in wide)
        observed = dict(zip(fields.ROLES, (np.empty(shape, np.float32) for shape in narrow), strict=True))
        outcome = Outcome(seats=seats, market=market, rewards=rewards, book=book, **observed)
        self._pool = [*self._pool[1 - POOL :], outcome]
        return Outcome._make(outcome)

    def _outcome_shapes(self) -> tuple[tuple[tuple[int, ...], ...], tuple[tuple[int, ...], ...]]:
        """Shapes of a step's results and of its observations."""
        world, count, sizes = self.compiled.world, self.count, fields.SIZES
        wide = (
            (count, len(world.seat) - 1, columns.SEAT_COLUMNS),
            (count, len(columns.MARKET_NAMES)),
            (count, len(world.seat) - 1),
            (count if self.record else 0, sum(book_sizes(world)), 4),
        )
        seats = {
            "generator": len(world.generator),
            "storage": len(world.battery),
            "consumer": len(world.load),
            "prosumer": len(world.home),
            "operator": 1,
        }
        return wide, tuple((count, seats[role], sizes[role]) for role in fields.ROLES)

    def reset(self, seeds: UInt | None = None, chosen: Bool | None = None, outcome: Outcome | None = None) -> Outcome:
        """Begin an episode: the first of the given seeds, or the next of the seeds at hand.

        Parameters
        ----------
        seeds : (env,) uint64 array, optional
            Row i begins episode 0 of ``seeds[i]``.
        chosen : (env,) bool array, optional
            Only these rows; by default all.
        outcome : Outcome, optional
            Where first observations are written; by default fresh arrays.
        """
        chosen = np.ones(self.count, np.bool_) if chosen is None else chosen
        if seeds is not None:
            self.clocks.seed[chosen] = seeds[chosen]
            self.clocks.episode[chosen] = 0
        elif self._begun:
            self.clocks.episode[chosen] += np.uint64(1)
        self._begun = True
        origins = self.compiled.series.origins[self.split]
        self.rows.origin[chosen] = origins[(self.clocks.episode[chosen] % np.uint64(len(origins))).astype(np.int64)]
        outcome = self.empty_outcome() if outcome is None else outcome
        _announce_compilation()
        world, split = self.compiled.world, SPLIT_CODE[self.split]
        reset_rows(world, self.rows, chosen, self.clocks.seed, split, self.clocks.episode, self.book, outcome)
        return outcome

    def step(self, actions: Float, last: Outcome | None = None) -> Outcome:
        """Advance all rows by one interval.

        Parameters
        ----------
        actions : (env, width) float64 array
            Every seat's action side by side.
        last : Outcome, optional
            As for :meth:`empty_outcome`; unchanged where the actions are refused.

        Raises
        ------
        ActionError
            Where the array is misshapen, or a number not finite or outside its space; nothing has changed then.
        OrderError
            Where an order's price lies outside [floor, cap]; nothing has changed then.
        """
        actions = self._as_compiled(actions)
        outcome = self.empty_outcome(last)
        if len(self.compiled.world.home):
            actions = actions.copy()  # parts' actions are filled in from their home's
        if len(self._given):
            self._clear_jointly(actions)
        arguments = (self.compiled.world, self.rows, actions, self._given, self.book, outcome)
        if self._step_rows is None:
            self._step_rows = machine_code(step_rows, *arguments)
        if not self._step_rows(*arguments):
            raise self._fault(actions)
        return outcome

    def _as_compiled(self, actions: Float) -> Float:
        """Actions as machine code takes them: of this shape, float64, side by side."""
        if actions.shape != self._action_shape:
            allowed = str(self._action_shape)
            raise ActionError("array of actions, shape", actions.shape, allowed, "give a row per environment")
        return np.ascontiguousarray(actions, np.float64)

    def __getstate__(self) -> dict[str, Any]:
        """All but the machine code, which another process finds again."""
        return {**self.__dict__, "_step_rows": None}

    def _clear_jointly(self, actions: Float) -> None:
        """Take the orders from a step of copies, clear them, and leave the results for the step proper."""
        from gridmarl.environment.interval.joint import clear_rows

        world, slots = self.compiled.world, sum(book_sizes(self.compiled.world))
        ordered = self.empty_outcome()._replace(book=np.empty((self.count, slots, 4)))
        if step_rows(world, copy_rows(self.rows), actions, self._given[:0], self.book, ordered):
            clear_rows(world, self.rows, ordered, self._given)

    def observe(self) -> Outcome:
        """Observations at the next gate closure, anew from the state, in fresh arrays (the results are left empty)."""
        outcome = self.empty_outcome()
        observe_rows(self.compiled.world, self.rows, self.book, outcome)
        return outcome

    def _fault(self, actions: Float) -> ActionError | OrderError:
        row, seat, rule, component = (int(part) for part in self.book.fault)
        name, codec = self.compiled.layout.seats[seat], self.compiled.layout.codecs[seat]
        value = float(actions[row, self.compiled.world.seat[seat, columns.ACTION_AT] + component])
        allowed, remedy = FAULTS[rule]
        kind = OrderError if rule == columns.FAULT_PRICE else ActionError
        return kind(
            f"action of {name!r} (codec {codec.name}, component {component}, row {row})", value, allowed, remedy
        )

    def realised(self, row: int = 0) -> Float:
        """Everything the row's episode realises, (interval, profile); for ``perfect`` information only."""
        world = self.compiled.world
        origin, key = int(self.rows.origin[row]), self.rows.key[row]
        path = np.empty((self.intervals, len(world.profile)))
        realised_path(world.profile, world.series, origin, key, path)
        return path

    def delivered(self, row: int = 0) -> Float:
        """What the row's episode delivers, (interval, profile): realised values and how they stray on average."""
        world, path = self.compiled.world, self.realised(row)
        means, scratch = np.empty_like(path), np.empty(self.compiled.scenario.substeps + 2)
        mean_strays(world.straying, world.profile, self.rows.key[row], path, scratch, means)
        return path + means

    def forecast(self, row: int, horizon: int) -> Float:
        """Forecasts issued at the row's next gate closure, (horizon, profile)."""
        world = self.compiled.world
        origin, t = int(self.rows.origin[row]), int(self.rows.t[row])
        path = np.empty((horizon, len(world.profile)))
        forecast_path(world.profile, world.series, origin, t, self.rows.deviation[row], path)
        return path

    def snapshot(self) -> tuple[Rows, Clocks]:
        """A copy of all that changes."""
        clocks = Clocks(self.clocks.seed.copy(), self.clocks.episode.copy())
        return copy_rows(self.rows), clocks

    def restore(self, snapshot: tuple[Rows, Clocks]) -> None:
        """Go back to a snapshot."""
        for mine, theirs in zip(self.rows, snapshot[0], strict=True):
            mine[...] = theirs
        self.clocks = Clocks(snapshot[1].seed.copy(), snapshot[1].episode.copy())
        self._begun = True


def seed_array(seeds: Sequence[int | None]) -> UInt:
    """Seeds as the kernels read them, (env,).

    Raises
    ------
    ScenarioError
        Where one is negative, too large or no whole number.
    """
    for seed in seeds:
        if not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**64:
            raise ScenarioError("seed", seed, "a whole number, 0 .. 2**64 - 1", "choose another")
    return np.array(seeds, np.uint64)


def _announce_compilation() -> None:
    """Say once why the first call takes seconds."""
    folder = cache_folder()
    if not folder.exists():
        folder.mkdir(parents=True, exist_ok=True)
        log.warning("compiling the market's kernels once (about half a minute); kept in %s", folder)
