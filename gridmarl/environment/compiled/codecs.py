"""Codecs: how a seat's action becomes orders, and the Gymnasium space each one spans."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Final

import numpy as np
from gymnasium import spaces

from gridmarl.environment.compiled.columns import FAULT_PRICE, FAULT_RANGE, FAULT_WHOLE
from gridmarl.errors import ScenarioError, nearest
from gridmarl.scenario.scenario import BUILT_IN_CODECS, PROSUMER, SEPARATE
from gridmarl.units import Float

ActionSpace = spaces.Discrete | spaces.Box

PRICE_GRID, ORDER, CURVE, MARKUP, POWER, SHARE, LEVELS, ASSETS = range(8)
CURVE_STEPS: Final = 3
MAXIMUM_MARKUP: Final = 20.0
GRID_PRICES: Final[Float] = np.linspace(20.0, 200.0, 20)
"""The 20 prices a generator's default action chooses from, $/MWh."""
SLACK: Final = 1e-6
"""Actions may exceed their bounds by this, as float32 does."""
RESERVE_LEVELS: Final = 5
INTERVENTIONS: Final = 5


@dataclass(frozen=True, slots=True)
class Codec:
    """One way of speaking to the auction.

    Attributes
    ----------
    name : str
    code : int
        What the kernel reads.
    roles : tuple of str
        Who may speak it.
    width : int
        Numbers per action.
    offers, bids : int
        Order slots a seat needs for it, per side, beyond must-run and load.
    """

    name: str
    code: int
    roles: tuple[str, ...]
    width: int
    offers: int
    bids: int

    @property
    def discrete(self) -> bool:
        """Whether the action is one integer."""
        return self.code in (PRICE_GRID, LEVELS)


_TRADERS = ("generator", "storage", "consumer")
CODECS: Final = {
    codec.name: codec
    for codec in (
        Codec("price-grid", PRICE_GRID, ("generator",), 1, 1, 0),
        Codec("order", ORDER, _TRADERS, 2, 1, 1),
        Codec("curve", CURVE, _TRADERS, 2 * CURVE_STEPS, CURVE_STEPS, CURVE_STEPS),
        Codec("markup", MARKUP, ("generator", "consumer"), 1, CURVE_STEPS, 0),
        Codec("power", POWER, ("storage",), 1, 1, 1),
        Codec("share", SHARE, ("consumer",), 1, 1, 0),
        Codec("assets", ASSETS, ("prosumer",), 3, 0, 0),
        Codec("levels", LEVELS, ("operator",), 1, 0, 0),
    )
}
DEFAULTS: Final = BUILT_IN_CODECS


def codec_of(name: str, role: str) -> Codec:
    """The codec of this name, if the role may speak it.

    Raises
    ------
    ScenarioError
        Where the name is unknown or not for the role.
    """
    allowed = [codec.name for codec in CODECS.values() if role in codec.roles]
    allowed += [SEPARATE] if role == PROSUMER else []
    if name not in allowed:
        raise ScenarioError(
            f"codec of a {role}", name, ", ".join(allowed), nearest(name, allowed) or "choose one of them"
        )
    return CODECS[name]


def action_space(codec: Codec, floor: float, cap: float, most_mw: float) -> ActionSpace:
    """Space of one seat's action.

    Parameters
    ----------
    codec : Codec
    floor, cap : float
        Bounds of order prices, $/MWh.
    most_mw : float
        Largest power of any seat of the role, MW; orders may name up to this, either sign.
    """
    match codec.code:
        case c if c == PRICE_GRID:
            return spaces.Discrete(len(GRID_PRICES))
        case c if c == LEVELS:
            return spaces.Discrete(RESERVE_LEVELS * INTERVENTIONS)
        case c if c in (ORDER, CURVE):
            steps = codec.width // 2
            low, high = np.tile([floor, -most_mw], steps), np.tile([cap, most_mw], steps)
            return spaces.Box(low, high, dtype=np.float64)
        case c if c == MARKUP:
            return spaces.Box(0.0, MAXIMUM_MARKUP, (1,), np.float32)
        case c if c == ASSETS:
            return spaces.Box(np.array([-1, -1, 0], np.float32), np.ones(3, np.float32), dtype=np.float32)
        case c if c == POWER:
            return spaces.Box(-1.0, 1.0, (1,), np.float32)
        case _:
            return spaces.Box(0.0, 1.0, (1,), np.float32)


def action_limits(codec: Codec, floor: float, cap: float) -> Float:
    """What the kernel lets pass: lowest, highest, whether whole, and which rule is broken otherwise, (4, component).

    Orders may name any finite MW.
    """
    space = action_space(codec, floor, cap, sys.float_info.max)
    if isinstance(space, spaces.Discrete):
        return np.array([[0.0], [float(space.n - 1)], [1.0], [FAULT_WHOLE]])
    low, high = space.low.astype(np.float64) - SLACK, space.high.astype(np.float64) + SLACK
    faults = np.full(codec.width, FAULT_PRICE if codec.code in (ORDER, CURVE) else FAULT_RANGE)
    return np.stack([low, high, np.zeros(codec.width), faults])
