"""How slots of an observation share their attention."""

from __future__ import annotations

import torch

from gridmarl.agents.networks import exponentials


def test_shares_of_slots_are_a_softmax_over_those_that_are_there() -> None:
    scores, there = torch.randn(6, 12, 12, generator=torch.Generator().manual_seed(0)) * 30, torch.ones(6, 1, 12)
    there[:, :, 7:] = 0.0
    there[5] = 0.0  # where nobody is there, the shares are equal and multiplied by 0 later
    scores[..., 9] = 200.0  # the highest, and absent
    e = exponentials(scores, there)
    wanted = scores[:5].masked_fill(there[:5] == 0.0, -torch.inf).softmax(-1)
    torch.testing.assert_close((e / e.sum(-1, keepdim=True))[:5], wanted, rtol=1e-5, atol=1e-7)
    assert e.isfinite().all()
    assert (e.sum(-1) > 0.0).all()
