"""The operator's network in the shape that Stable-Baselines3 takes one."""

from __future__ import annotations

from typing import Any

import torch
from gymnasium.spaces import Box
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor

from gridmarl.agents.networks import PreferenceNetwork
from gridmarl.agents.policies import slots_of


class SlotFeatures(BaseFeaturesExtractor):
    """What the first layer of our operator reads: the observation, its slots having attended, and the preference.

    Parameters
    ----------
    space : Box
        Of the operator's observation.
    objectives : int
    """

    def __init__(self, space: Box, objectives: int = 3) -> None:
        fields = space.shape[0]
        super().__init__(space, fields + objectives)
        network = PreferenceNetwork((fields, 1, objectives), objectives, slots=slots_of("operator"))
        self.normaliser, self.attention = network.normaliser, network.attention
        self.register_buffer("preference", network.preference.expand(1, 1, -1), persistent=False)

    def forward(self, observations: Tensor) -> Tensor:
        """(row, field) to (row, field and objective)."""
        seen = observations[:, None]
        w: Any = self.preference
        w, x = w.expand(len(seen), 1, -1), self.normaliser(seen)
        read = torch.cat([x, w], dim=-1) if self.attention is None else self.attention(x, seen, w)
        return read[:, 0]
