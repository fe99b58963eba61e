"""Each prosumer's menu: deterministic, decline first, every other entry deliverable and priced at or above its floor.

Whoever chooses, be it a rule, a policy or a language model, names an index. Ids, prices and kW never come from it, so
nothing it says can promise what the devices cannot hold or sell below the floor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from gridmarl.errors import CommitmentError
from gridmarl.negotiation.homes.capability import ROUNDING, Capability
from gridmarl.units import Bool, Float, Int

DECLINE: Final = 0
DEPTHS: Final = ("half of the preferred power", "the preferred power", "between", "all that is possible")
MARKS: Final = (0.0, 0.25, 0.5, 1.0)
"""How far from its floor towards the market's price an entry asks."""
PREFERRED_DEPTH: Final = 1
FULL_DEPTH: Final = len(DEPTHS) - 1
ENTRIES: Final = 1 + len(DEPTHS) * len(MARKS)
STEPS_PER_KW: Final = 100.0
"""Powers are whole multiples of 10 W, which is all a meter shows."""
CENTS: Final = 100.0


@dataclass(frozen=True, slots=True, eq=False)
class Menus:
    """Entries of all prosumers; entry 0 declines. Private to each of them."""

    kw: Float  # (prosumer, entry)
    price_per_mwh: Float  # (prosumer, entry)
    valid: Bool  # (prosumer, entry)

    def __len__(self) -> int:
        return len(self.kw)

    def chosen(self, indices: Int) -> tuple[Float, Float]:
        """Power [kW] and price [$/MWh] of one entry each.

        Raises
        ------
        CommitmentError
            Where an index is no valid entry of that prosumer's menu.
        """
        everyone = np.arange(len(self))
        if indices.shape != (len(self),) or not np.issubdtype(indices.dtype, np.integer):
            raise CommitmentError("choices", indices.shape, f"({len(self)},) whole numbers", "one index a prosumer")
        inside = (indices >= 0) & (indices < ENTRIES)
        legal = inside & self.valid[everyone, np.where(inside, indices, DECLINE)]
        if not legal.all():
            first = int(np.argmin(legal))
            allowed = ", ".join(map(str, np.flatnonzero(self.valid[first])))
            raise CommitmentError(f"choice of prosumer {first}", int(indices[first]), allowed, "0 declines")
        return self.kw[everyone, indices], self.price_per_mwh[everyone, indices]


def entry(depth: int, mark: int) -> int:
    """Index of the entry of a depth and a mark."""
    return 1 + depth * len(MARKS) + mark


def build_menus(able: Capability, market_price_per_mwh: float) -> Menus:
    """The menus of an event.

    Parameters
    ----------
    able : Capability
        What each prosumer could hold and what it costs.
    market_price_per_mwh : float
        No entry asks more.

    Returns
    -------
    Menus
        Invalid entries are 0 kW at the market's price. Prices are rounded up to the cent where that stays below the
        market's, powers down to 10 W.
    """
    top = able.affordable_kw(market_price_per_mwh)
    preferred = np.minimum(able.preferred_kw, top)
    strained = top > preferred + ROUNDING
    depths = np.stack([preferred / 2.0, preferred, (preferred + top) / 2.0, top], axis=1)
    kw = np.floor(depths * STEPS_PER_KW + ROUNDING) / STEPS_PER_KW
    floor = np.minimum(able.floor_per_mwh(kw), market_price_per_mwh)
    sold = (kw > ROUNDING) & (able.floor_per_mwh(kw) <= market_price_per_mwh + ROUNDING)
    sold[:, PREFERRED_DEPTH + 1 :] &= strained[:, None]
    asks = floor[..., None] + np.array(MARKS) * (market_price_per_mwh - floor[..., None])
    asks = np.minimum(np.ceil(asks * CENTS - ROUNDING) / CENTS, market_price_per_mwh)
    size = len(top)
    valid = np.concatenate([np.ones((size, 1), np.bool_), np.repeat(sold, len(MARKS), axis=1)], axis=1)
    powers = np.concatenate([np.zeros((size, 1)), np.repeat(kw, len(MARKS), axis=1)], axis=1)
    prices = np.concatenate([np.full((size, 1), market_price_per_mwh), asks.reshape(size, -1)], axis=1)
    return Menus(np.where(valid, powers, 0.0), np.where(valid, np.maximum(prices, 0.0), market_price_per_mwh), valid)
