"""Energy and reserve cleared together: what the sellers of every row could deliver, and what its programme decides.

Orders do not depend on how they are cleared. So the rows' orders come from an ordinary step of copies of the rows; the
programme takes them, and the step proper takes its results in place of its own auctions'.

Must-run output cannot make room for reserve: it stands in the auction like an offer of somebody without reserve, and
takes its capacity whether it is accepted or not.
"""

from __future__ import annotations

import numpy as np

from gridmarl.assets import battery, generator
from gridmarl.environment.compiled import arrays, columns
from gridmarl.environment.compiled.arrays import Outcome, Rows, World
from gridmarl.market.joint import JointMarket, Requirement, Sellers, clear_together
from gridmarl.units import Bool, Float

UP_AND_DOWN = 2.0
"""A battery's power changes by at most this many ratings."""


def clear_rows(world: World, rows: Rows, ordered: Outcome, given: Float) -> None:
    """Clear every row's orders and write what the step proper takes.

    Parameters
    ----------
    world : World
        Of a scenario that buys reserve.
    rows : Rows
        Before the interval.
    ordered : Outcome
        Of the interval, cleared in turn: its orders and what reserve it requires.
    given : (env, column) array
        Filled, as `gridmarl.environment.interval.step.step_rows` takes it.

    Raises
    ------
    SolverError
        Where a row's programme has no answer.
    """
    auction = _Auction(world)
    for b in range(len(given)):
        given[b] = auction.clear(rows, b, ordered.book[b], ordered.market[b])


class _Auction:
    """One world's orders and sellers of reserve: all that is the same in every interval."""

    def __init__(self, world: World) -> None:
        self.world = world
        units = len(world.generator)
        self.offers, bids = arrays.book_sizes(world)
        self.sign = np.repeat([1.0, -1.0], [self.offers, bids])
        self.must_run = world.seat[:units, columns.OFFER_AT]
        seller = np.concatenate([world.offer_seat, world.bid_seat])
        seller[self.must_run] = -1
        seller[np.isin(seller, np.flatnonzero(world.generator[:, generator.RENEWABLE]))] = -1
        self.seller = np.where(seller >= 0, seller, len(world.reserve_asked))

    def clear(self, rows: Rows, b: int, book: Float, market: Float) -> Float:
        """What one row is given."""
        some = book[:, 1] > 0.0
        found = clear_together(self._market(rows, b, book, some, market), int(self.world.rules[columns.PRICING]))
        accepted = np.zeros(len(book))
        accepted[some] = found.accepted_mw
        prices = [found.energy_price, found.energy_low, found.energy_high, accepted[: self.offers].sum()]
        prices += [found.spin_price, found.nonspin_price]
        return np.concatenate([prices, accepted, found.spin_mw, found.nonspin_mw])

    def _market(self, rows: Rows, b: int, book: Float, some: Bool, market: Float) -> JointMarket:
        """The orders that have a quantity, the sellers, and what is required of them."""
        rules, reserve = self.world.rules, self.world.reserve
        return JointMarket(
            price=book[some, 0],
            quantity=book[some, 1],
            sign=self.sign[some],
            rank=book[some, 3].astype(np.int64),
            seller=self.seller[some],
            sellers=self._sellers(rows, b, book[self.must_run, 1]),
            requirement=Requirement(
                spin_mw=float(market[columns.SPIN_REQUIRED]),
                nonspin_mw=float(market[columns.NONSPIN_REQUIRED]),
                duration_h=float(reserve[columns.DURATION_H]),
                hours=float(rules[columns.HOURS]),
            ),
            penalty_per_mwh=float(reserve[columns.PENALTY]),
            floor_per_mwh=float(rules[columns.FLOOR]),
            voll_per_mwh=float(rules[columns.VOLL]),
        )

    def _sellers(self, rows: Rows, b: int, must_run_mw: Float) -> Sellers:
        """What everybody could deliver beyond must-run; the rules are those of `procurement.offer_reserve`."""
        units, stores, reserve = self.world.generator, self.world.battery, self.world.reserve
        ceiling = (
            units[:, generator.CAPACITY]
            * rows.generator[b, :, generator.ONLINE]
            * (1.0 - units[:, generator.RENEWABLE])
        )
        rating, state = stores[:, battery.POWER_LIMIT], rows.battery[b]
        stored = (state[:, battery.ENERGY] - stores[:, battery.ENERGY_MIN]) * (1.0 - state[:, battery.AWAY])
        reach = [
            np.minimum(units[:, generator.RAMP_PER_MIN] * reserve[k], ceiling)
            for k in (columns.SPIN_MIN, columns.NONSPIN_MIN)
        ]
        return Sellers(
            high_mw=np.concatenate([np.maximum(ceiling - must_run_mw, 0.0), rating]),
            spin_reach_mw=np.concatenate([reach[0], UP_AND_DOWN * rating]),
            nonspin_reach_mw=np.concatenate([reach[1], UP_AND_DOWN * rating]),
            stored_mwh=np.concatenate([np.full(len(units), np.inf), stored * stores[:, battery.DISCHARGE_EFFICIENCY]]),
            asked_per_mwh=self.world.reserve_asked,
        )
