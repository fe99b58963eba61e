"""Target networks: copies that follow the networks that learn (Mnih et al. 2015; Lillicrap et al. 2016)."""

from __future__ import annotations

import torch
from torch import nn

from gridmarl.learning.descent.tensors import copy_all
from gridmarl.learning.descent.vectors import laid_together


class Following:
    """Moves a target network towards the online one.

    Parameters
    ----------
    target, online : nn.Module
        Of one shape, on the device where they stay.
    """

    def __init__(self, target: nn.Module, online: nn.Module) -> None:
        self._target, self._online = (laid_together([*network.parameters()]) for network in (target, online))
        self._buffers = [*target.buffers()], [*online.buffers()]

    @torch.no_grad()
    def __call__(self, tau: float = 1.0) -> None:
        """Target + tau (online - target), which copies where tau is 1; a normaliser is copied whole."""
        self._target.lerp_(self._online, tau)
        if self._buffers[0]:
            copy_all(*self._buffers)
