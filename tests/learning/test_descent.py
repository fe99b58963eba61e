"""Descending all parameters as one vector against torch's own optimiser and clipping."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from gridmarl.agents.networks import SeatNetwork
from gridmarl.errors import TrainingError
from gridmarl.learning.descent.adam import Descent
from gridmarl.learning.descent.tensors import seeded

LIMIT, RATE = 0.05, 1e-2


def network() -> SeatNetwork:
    return seeded(0, SeatNetwork, (5, 7, 3), 2)


def losses(network: SeatNetwork, steps: int) -> list[Tensor]:
    """One for each step, a function of weights as they are when it is asked for."""
    inputs = torch.randn(steps, 8, 2, 5, generator=torch.Generator().manual_seed(1))
    return [(network(x) ** 2).mean() for x in inputs]


def weights(network: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def test_steps_are_those_of_adam_with_clipped_gradients() -> None:
    ours, theirs = network(), network()
    descent, adam = Descent(ours.parameters()), torch.optim.Adam(theirs.parameters(), lr=RATE)
    for step in range(1, 6):
        norm = descent.take_gradient(losses(ours, step)[-1], LIMIT)
        descent.step(RATE)
        adam.zero_grad()
        losses(theirs, step)[-1].backward()
        wanted = float(nn.utils.clip_grad_norm_(theirs.parameters(), LIMIT))
        adam.step()
        assert norm == pytest.approx(wanted, rel=1e-5)
        assert wanted > LIMIT  # so that it did clip
        torch.testing.assert_close(weights(ours), weights(theirs), rtol=1e-4, atol=1e-6)
    assert not torch.equal(weights(ours), weights(network()))


def test_moments_that_are_taken_up_go_on_to_equal_weights() -> None:
    first, second = network(), network()
    begun, taken_up = Descent(first.parameters()), Descent(second.parameters())
    assert begun.tensors("adam") == {}
    begun.take_gradient(losses(first, 1)[0], LIMIT)
    begun.step(RATE)
    second.load_state_dict(first.state_dict())
    taken_up.load("adam", begun.tensors("adam"))
    for net, descent in ((first, begun), (second, taken_up)):
        descent.take_gradient(losses(net, 2)[1], LIMIT)
        descent.step(RATE)
    assert torch.equal(weights(first), weights(second))


def test_moments_of_another_network_are_refused_by_name() -> None:
    small = nn.Linear(2, 1)
    other, descent = Descent(small.parameters()), Descent(network().parameters())
    other.take_gradient(small(torch.ones(1, 2)).sum(), LIMIT)
    other.step(RATE)
    with pytest.raises(TrainingError, match=r"adam\.exp_avg"):
        descent.load("adam", other.tensors("adam"))


def test_a_pace_shortens_the_steps_of_its_parameters_alone() -> None:
    even, uneven = network(), network()
    first, *others = uneven.parameters()
    for net, pace in ((even, None), (uneven, {first: torch.full((1,), 0.25)})):
        descent = Descent(net.parameters(), pace)
        descent.take_gradient(losses(net, 1)[-1], LIMIT)
        descent.step(RATE)
    begun, whole = next(network().parameters()), next(even.parameters())
    torch.testing.assert_close(first - begun, 0.25 * (whole - begun))
    assert all(torch.equal(p, q) for p, q in zip(others, [*even.parameters()][1:], strict=True))
