"""Parameters side by side in one vector, and target networks that follow by it."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn

from gridmarl.agents.networks import SeatNetwork
from gridmarl.learning.descent.adam import Descent
from gridmarl.learning.descent.targets import Following
from gridmarl.learning.descent.tensors import seeded
from gridmarl.learning.descent.vectors import laid_together

TAU = 0.25


def network(seed: int = 0) -> SeatNetwork:
    return seeded(seed, SeatNetwork, (5, 7, 3), 2)


def weights(network: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def test_laying_parameters_together_changes_no_number_and_no_object() -> None:
    before, after = network(), network()
    held = [*after.parameters()]
    vector = laid_together(held)
    assert all(p is q for p, q in zip(held, after.parameters(), strict=True))
    assert torch.equal(weights(before), weights(after))
    assert all(p.data_ptr() % 64 == vector.data_ptr() % 64 for p in held)
    vector.zero_()
    assert not weights(after).any()


def test_parameters_that_lie_together_stay_where_they_are() -> None:
    held = [*network().parameters()]
    first, again = laid_together(held), laid_together(held)
    assert first.data_ptr() == again.data_ptr()
    assert first.shape == again.shape
    alone = laid_together(held[1:])  # some of them do not fill the vector
    assert alone.data_ptr() != first.data_ptr()
    alone.zero_()
    assert not any(p.any() for p in held[1:])


def test_a_target_goes_its_share_of_the_way_and_its_normaliser_all_of_it() -> None:
    target, online = network(1).requires_grad_(False), network(2)
    online.normaliser.observe(torch.randn(9, 5, generator=torch.Generator().manual_seed(0)))
    before, wanted = weights(target), weights(online)
    follow = Following(target, online)
    follow(TAU)
    torch.testing.assert_close(weights(target), before + TAU * (wanted - before))
    assert torch.equal(target.normaliser.mean, online.normaliser.mean)
    assert torch.equal(target.normaliser.squares, online.normaliser.squares)
    assert torch.equal(weights(online), wanted)
    follow()
    assert torch.equal(weights(target), wanted)


def test_it_follows_what_is_descended_whichever_was_made_first() -> None:
    for order in (1, -1):
        online = network()
        target = deepcopy(online).requires_grad_(False)
        made = {}
        for key in ("follow", "descend")[::order]:
            made[key] = Following(target, online) if key == "follow" else Descent(online.parameters())
        made["descend"].take_gradient((online(torch.ones(4, 2, 5)) ** 2).mean(), 1.0)
        made["descend"].step(0.1)
        assert not torch.equal(weights(target), weights(online))
        made["follow"]()
        assert torch.equal(weights(target), weights(online))
