"""How content the members of a coalition are, on one scale from 0 to 10."""

from __future__ import annotations

from typing import Final

import numpy as np

from gridmarl.negotiation.coalition.payments import Books
from gridmarl.negotiation.coalition.rounds import Table
from gridmarl.negotiation.homes.capability import Capability
from gridmarl.units import KW_PER_MW, Float

FOR_FLOOR: Final = 4.0
FOR_COMFORT: Final = 3.0
FOR_GAIN: Final = 3.0
CENT: Final = 0.01
LEAST_ROOM_KW: Final = 0.01
"""Who could give no more than this beyond what it prefers is not strained."""


def satisfaction_scores(able: Capability, table: Table, books: Books) -> Float:
    """Satisfaction of each member, 0 to 10; 0 of everybody else.

    Each prosumer rates by its own costs, which nobody else knows; only the sum of the points leaves it:

    - 4 points where it is paid at least what it costs (to the cent), else none at all;
    - 3 points where its soft wish is kept: no more power than it prefers to give. Beyond, they fall in a straight line
      to 0 at all that it could give;
    - up to 3 points for the gain: payment above cost as a share of what the market paid above that cost.

    Parameters
    ----------
    able : Capability
        Private.
    table : Table
    books : Books
    """
    kw, market = table.selection.kw, table.opportunity.market_price_mwh
    cost = able.cost(kw)
    gain, most = books.payments - cost, market * kw * table.opportunity.duration_hours / KW_PER_MW - cost
    share = np.divide(gain, most, out=np.ones_like(kw), where=most > CENT)
    room = able.most_kw - able.preferred_kw
    beyond = np.maximum(kw - able.preferred_kw, 0.0)
    strain = np.divide(beyond, room, out=np.zeros_like(kw), where=room > LEAST_ROOM_KW)
    points = FOR_FLOOR + FOR_COMFORT * np.clip(1.0 - strain, 0.0, 1.0) + FOR_GAIN * np.clip(share, 0.0, 1.0)
    return np.where(table.selection.members & (gain >= -CENT), points, 0.0)
