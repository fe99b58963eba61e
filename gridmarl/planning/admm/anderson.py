"""Anderson acceleration: the next point of a fixed-point iteration from a mix of the last ones, safeguarded.

ADMM's round is a map s -> F(s) of the owners' shares and the scaled dual. With f = F(s) - s, the mix ``Σ α_j F(s_j)``,
``Σ α_j = 1``, that makes ``‖Σ α_j f_j‖`` least takes the place of the last F(s) (Anderson 1965; type II as by Walker &
Ni 2011). The map is non-expansive, not smooth: where the mix led to a larger residual the plain point that it replaced
is taken after all and the memory starts anew, as Zhang, O'Donoghue & Boyd (2020) safeguard it.

Only the weights leave this file: each owner mixes its own shares with them.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from gridmarl.units import Float

GROWTH: Final = 2.0
"""A mixed point may have at most so many times the residual of the round before it."""
RIDGE: Final = 1e-10
"""Regularisation, over the residuals' own size: differences of residuals soon depend on each other."""
LARGEST: Final = 1e4
"""Weights that add up to more than this in size extrapolate noise."""
PLAIN: Final = np.ones(1)
"""The weights of a round without a mix."""
BACK: Final = np.array([1.0, 0.0])
"""The weights that take back the last mix."""


class Anderson:
    """Remembers the last points and chooses how to mix them.

    Parameters
    ----------
    memory : int
        Differences of points in a mix; 0 never mixes.
    """

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._residuals = list[Float]()
        self._before_mix: float | None = None  # the residual from which the last mix was made

    def restart(self) -> None:
        """Forget all points: the map has changed."""
        self._residuals, self._before_mix = [], None

    def weights(self, start: Float, end: Float) -> Float:
        """What the last points weigh in the next one, the newest last.

        Parameters
        ----------
        start, end : array (n,)
            The point of this round and the one that it led to.

        Returns
        -------
        array (L,)
            Of the last L points that rounds led to; they add up to 1.
        """
        if not self._memory:
            return PLAIN
        residual = end - start
        size, last = float(np.linalg.norm(residual)), self._before_mix
        if last is not None and size > GROWTH * last:
            self.restart()
            return BACK
        self._residuals = [*self._residuals, residual][-self._memory - 1 :]
        chosen = self._mixed()
        self._before_mix = None if len(chosen) == 1 else size
        return chosen

    def _mixed(self) -> Float:
        if len(self._residuals) < 2:
            return PLAIN
        change = np.diff(np.stack(self._residuals), axis=0)
        gram = change @ change.T
        ridge = RIDGE * float(np.trace(gram)) + np.finfo(float).tiny
        step = np.linalg.solve(gram + ridge * np.eye(len(gram)), change @ self._residuals[-1])
        if not np.all(np.isfinite(step)) or np.abs(step).sum() > LARGEST:
            return PLAIN
        return np.append(step, 1.0) - np.concatenate([[0.0], step])
