"""Who sits where: each played seat's spaces and its place in the packed arrays, built once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from gymnasium import spaces

from gridmarl.environment.compiled import columns, fields
from gridmarl.environment.compiled.arrays import Outcome
from gridmarl.environment.compiled.codecs import ActionSpace, Codec, action_space
from gridmarl.environment.compiled.world import Compiled
from gridmarl.errors import ActionError
from gridmarl.units import Float, Float32


@dataclass(frozen=True, slots=True)
class Place:
    """One seat's place."""

    seat: str
    role: str
    codec: Codec
    row: int  # in Outcome.seats
    among: int  # in the role's observations
    start: int  # of its action in the packed row
    stop: int
    shape: tuple[int, ...]  # of its action

    def write(self, action: object, row: Float) -> None:
        """Put an action into the packed row.

        Raises
        ------
        ActionError
            Where its shape or type is wrong.
        """
        # the common cases first: this is called for every seat of every step
        if isinstance(action, np.ndarray) and action.shape == self.shape and action.dtype.kind in "fi":
            row[self.start : self.stop] = action
        elif self.codec.discrete and isinstance(action, (int, np.integer)):
            row[self.start] = action
        else:
            self._write_checked(action, row)

    def _write_checked(self, action: object, row: Float) -> None:
        """Put an unusual, perhaps unusable, action into the packed row."""
        try:
            value = np.asarray(action, np.float64)
        except (TypeError, ValueError):
            raise ActionError(f"action of {self.seat!r}", action, "numbers", "pass an array or a number") from None
        if isinstance(action, str):
            raise ActionError(f"action of {self.seat!r}", action, "numbers", "pass an array or a number")
        if value.shape != self.shape and not (self.codec.discrete and value.size == 1):
            raise ActionError(
                f"shape of the action of {self.seat!r} (codec {self.codec.name})",
                value.shape,
                str(self.shape),
                "reshape it",
            )
        row[self.start : self.stop] = value


class Seating:
    """Spaces and places of a world's seats."""

    def __init__(self, compiled: Compiled) -> None:
        layout, world = compiled.layout, compiled.world
        market = compiled.scenario.market
        among: dict[str, int] = {}
        self.places: dict[str, Place] = {}
        observed = {role: spaces.Box(*fields.bounds(role), dtype=np.float32) for role in fields.ROLES}
        self.observation_spaces: dict[str, spaces.Box] = {}
        self.action_spaces: dict[str, ActionSpace] = {}
        for row, (seat, role, codec) in enumerate(zip(layout.seats, layout.roles, layout.codecs, strict=True)):
            start, stop = (int(at) for at in world.seat[row : row + 2, columns.ACTION_AT])
            self.places[seat] = Place(
                seat, role, codec, row, among.get(role, 0), start, stop, () if codec.discrete else (codec.width,)
            )
            among[role] = among.get(role, 0) + 1
            self.observation_spaces[seat] = observed[role]
            # a space of its own: each agent samples from its own stream
            most_mw = layout.most_mw[role]
            self.action_spaces[seat] = action_space(codec, market.floor_per_mwh, market.cap_per_mwh, most_mw)


def observations_of(outcome: Outcome, role: str) -> Float32:
    """A role's observations, (env, seat, field)."""
    match role:
        case "generator":
            return outcome.generator
        case "storage":
            return outcome.storage
        case "consumer":
            return outcome.consumer
        case "prosumer":
            return outcome.prosumer
        case _:
            return outcome.operator


def global_state(outcome: Outcome) -> Float32:
    """The state for central critics: every seat's own block, then one public block, (env, number)."""
    count = len(outcome.market)
    parts = [observations_of(outcome, role)[:, :, : fields.OWN_SIZES[role]].reshape(count, -1) for role in fields.ROLES]
    public = _public_block(outcome)
    return np.concatenate([*parts, public], axis=1)


def _public_block(outcome: Outcome) -> Float32:
    """The longest public prefix that a seat of this world observes."""
    for role in ("generator", "storage", "consumer", "prosumer"):
        observed = observations_of(outcome, role)
        if observed.shape[1]:
            return observed[:, 0, fields.OWN_SIZES[role] :]
    return np.empty((len(outcome.market), 0), np.float32)


def state_space(compiled: Compiled) -> spaces.Box:
    """Bounds of :func:`global_state`."""
    low: list[Float32] = []
    high: list[Float32] = []
    public: tuple[Float32, Float32] | None = None
    for role in fields.ROLES:
        own, (lowest, highest) = fields.OWN_SIZES[role], fields.bounds(role)
        seats = len(compiled.layout.of_role(role))
        low += [lowest[:own]] * seats
        high += [highest[:own]] * seats
        if public is None and seats and fields.PUBLIC_PREFIX[role]:
            public = lowest[own:], highest[own:]
    if public is not None:
        low.append(public[0])
        high.append(public[1])
    return spaces.Box(np.concatenate(low), np.concatenate(high), dtype=np.float32)


def reward_vector(row: list[float]) -> Float:
    """The operator's objectives (stability, cost, emissions), higher is better."""
    return np.array([-row[columns.NINTH], -row[columns.COST_OBJECTIVE], -row[columns.FIFTH]])
