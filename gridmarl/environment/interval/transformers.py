"""Local limits: what the members of a transformer offer and bid for can never take it beyond its rating.

Before the auction the least willing orders give way: the dearest offers, the lowest charging bids; equal prices in
proportion. Loads and must-run output are what they are; where they alone exceed the rating, the loading says so.
"""

from __future__ import annotations

import numpy as np

from gridmarl.environment.compiled.arrays import Book, World
from gridmarl.environment.compiled.columns import (
    BID_AT,
    DEVIATION_MW,
    EIGHTH,
    FIFTH,
    OFFER_AT,
    OFFERS,
    ORDER_MW,
    ORDER_PRICE,
    POWER_MW,
    SEVENTH,
    TRANSFORMER_LOADING,
)
from gridmarl.kernels import inner_kernel
from gridmarl.units import Float, Int

DUST_MW = 1e-12


@inner_kernel
def give_way(orders: Float, behind: Int, group: int, most_mw: float, sign: float) -> None:
    """Cut the group's flexible orders to this much in all; those whose price, times the sign, is highest go first."""
    excess = -most_mw
    for slot in range(behind.shape[0]):
        if behind[slot] == group:
            excess += orders[ORDER_MW, slot]
    while excess > DUST_MW:
        worst, mw = -np.inf, 0.0
        for slot in range(behind.shape[0]):
            if behind[slot] == group and orders[ORDER_MW, slot] > 0.0:
                price = sign * orders[ORDER_PRICE, slot]
                if price > worst:
                    worst, mw = price, 0.0
                if price == worst:
                    mw += orders[ORDER_MW, slot]
        if mw <= 0.0:
            return
        kept = max(1.0 - excess / mw, 0.0)
        for slot in range(behind.shape[0]):
            if behind[slot] == group and sign * orders[ORDER_PRICE, slot] == worst:
                orders[ORDER_MW, slot] *= kept
        excess -= mw


@inner_kernel
def cover_load(world: World, group: int, book: Book) -> None:
    """What is left of each member's demand response is what its first bid covers of the load."""
    first = world.generator.shape[0] + world.battery.shape[0]
    for c in range(first, first + world.load.shape[0]):
        if world.behind[c] == group:
            seat, offered = world.seat[c], 0.0
            for slot in range(seat[OFFER_AT], seat[OFFER_AT] + seat[OFFERS]):
                offered += book.offers[ORDER_MW, slot]
            book.bids[ORDER_MW, seat[BID_AT]] = offered
            book.bids[ORDER_MW, seat[BID_AT] + 1] = book.limits[c, 0] - offered


@inner_kernel
def limit_orders(world: World, book: Book) -> None:
    """Orders behind each transformer, so that its net stays within the rating whatever clears."""
    units = world.generator.shape[0]
    first = units + world.battery.shape[0]
    for group in range(world.transformer.shape[0]):
        load, must_run = 0.0, 0.0
        for g in range(units):
            if world.behind[g] == group:
                must_run += book.offers[ORDER_MW, world.seat[g, OFFER_AT]]
        for c in range(first, first + world.load.shape[0]):
            if world.behind[c] == group:
                load += book.limits[c, 0]
        limit = world.transformer[group]
        give_way(book.offers, world.offer_behind, group, max(limit + load - must_run, 0.0), 1.0)
        give_way(book.bids, world.bid_behind, group, max(limit - load, 0.0), -1.0)
        cover_load(world, group, book)


@inner_kernel
def net_mw(world: World, seats: Float, seat: int) -> float:
    """What a seat really injects, MW: its schedule and its deviation, before settlement."""
    row = seats[seat]
    if seat < world.generator.shape[0] + world.battery.shape[0]:
        return row[POWER_MW] + row[DEVIATION_MW]
    return row[POWER_MW] - row[SEVENTH] + row[EIGHTH] + row[FIFTH] + row[DEVIATION_MW]


@inner_kernel
def measure_loading(world: World, loading: Float, seats: Float, market: Float) -> None:
    """Net power over rating of each transformer, + exports; the market sees the largest, without sign."""
    traders = world.generator.shape[0] + world.battery.shape[0] + world.load.shape[0]
    for group in range(world.transformer.shape[0]):
        net = 0.0
        for seat in range(traders):
            if world.behind[seat] == group:
                net += net_mw(world, seats, seat)
        loading[group] = net / world.transformer[group]
        market[TRANSFORMER_LOADING] = max(market[TRANSFORMER_LOADING], abs(loading[group]))
