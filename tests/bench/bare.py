"""The least a market does, as the measure of what ours costs: ten sellers, one random demand, a marginal price."""

from __future__ import annotations

import numba
import numpy as np

SELLERS, NUMBERS = 10, 20


@numba.njit(error_model="numpy")
def bare_step(state: np.ndarray, prices: np.ndarray, order: np.ndarray, seen: np.ndarray, paid: np.ndarray) -> None:
    """Sort ten offers, fill a random demand, pay the marginal price, show twenty numbers."""
    for b in range(prices.shape[0]):
        state[b, 0] = (state[b, 0] * 1103515245.0 + 12345.0) % 2147483648.0
        left = SELLERS * state[b, 0] / 2147483648.0
        for i in range(SELLERS):
            hole = i
            while hole > 0 and prices[b, order[hole - 1]] > prices[b, i]:
                order[hole] = order[hole - 1]
                hole -= 1
            order[hole] = i
        price = 0.0
        for i in range(SELLERS):
            paid[b, order[i]] = min(left, 1.0)
            price = prices[b, order[i]] if left > 0.0 else price
            left = max(left - 1.0, 0.0)
        for i in range(SELLERS):
            paid[b, i] *= price - 20.0 - i
            for k in range(NUMBERS):
                seen[b, i, k] = price if k < 2 else prices[b, (i + k) % SELLERS]


class BareMarket:
    """Fresh copies out, as a client would want them."""

    def __init__(self, rows: int) -> None:
        rng = np.random.default_rng(0)
        self.prices = rng.uniform(20, 200, (8, rows, SELLERS))
        self.state = rng.integers(1, 2**31, (rows, 1)).astype(np.float64)
        self.order = np.zeros(SELLERS, np.int64)
        self.seen = np.zeros((rows, SELLERS, NUMBERS), np.float32)
        self.paid = np.zeros((rows, SELLERS))
        self.t = 0

    def step(self) -> tuple[np.ndarray, np.ndarray]:
        """One interval of every row."""
        self.t = (self.t + 1) % len(self.prices)
        bare_step(self.state, self.prices[self.t], self.order, self.seen, self.paid)
        return self.seen.copy(), self.paid.copy()
