"""How slots of an observation attend to each other."""

from __future__ import annotations

import torch
from torch import Tensor

from gridmarl.agents.networks import SlotAttention, Slots

SLOTS = Slots(first=2, number=6, width=3)
FIELDS, OBJECTIVES = 2 + 6 * 3 + 1, 2


def attention() -> SlotAttention:
    torch.manual_seed(0)
    return SlotAttention(SLOTS, OBJECTIVES)


def observations(rows: int, seats: int, there: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Normalised observations, the same as seen, and preferences; ``there`` says which slots are filled."""
    torch.manual_seed(1)
    x, seen = torch.randn(rows, seats, FIELDS), torch.zeros(rows, seats, FIELDS)
    seen[..., 2 : 2 + 18 : 3] = there
    return x, seen, torch.rand(rows, seats, OBJECTIVES)


def textbook(a: SlotAttention, x: Tensor, w: Tensor, filled: list[int]) -> Tensor:
    """Dot-product attention among the filled slots of one observation, written out."""
    slots = x[2:20].view(6, 3)[filled]
    slots = torch.cat([torch.ones(len(filled), 1), slots[:, 1:]], 1)
    asked = torch.cat([slots, w.expand(len(filled), -1)], 1)
    scores = a.question(asked) @ slots.t()
    found = torch.zeros(6, 3)
    found[filled] = slots + torch.softmax(scores, 1) @ a.value(slots)
    return torch.cat([x[:2], found.flatten(), x[20:], w])


def test_slots_that_are_filled_attend_to_each_other_and_empty_ones_are_zeros() -> None:
    there = torch.tensor([[1, 1, 1, 0, 0, 0], [1, 0, 1, 1, 0, 1], [1, 1, 1, 1, 1, 1], [0, 0, 0, 1, 0, 0.0]])
    a, (x, seen, w) = attention(), observations(2, 4, there)
    found = a(x, seen, w)
    for row in range(2):
        for seat in range(4):
            filled = there[seat].nonzero().flatten().tolist()
            torch.testing.assert_close(found[row, seat], textbook(a, x[row, seat], w[row, seat], filled))


def test_an_observation_without_any_slot_is_finite() -> None:
    a, (x, seen, w) = attention(), observations(1, 1, torch.zeros(6))
    found = a(x, seen, w)[0, 0]
    assert torch.equal(found, torch.cat([x[0, 0, :2], torch.zeros(18), x[0, 0, 20:], w[0, 0]]))


def test_scores_however_large_leave_values_and_gradients_finite() -> None:
    a, (x, seen, w) = attention(), observations(3, 2, torch.ones(6))
    found = a(100.0 * x, seen, w)
    gradients = torch.autograd.grad(found.square().mean(), [*a.parameters()])
    assert found.isfinite().all()
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_gradients_are_those_of_the_textbook() -> None:
    a, (x, seen, w) = attention(), observations(1, 1, torch.ones(6))
    mine = torch.autograd.grad(a(x, seen, w).square().sum(), [*a.parameters()])
    theirs = torch.autograd.grad(textbook(a, x[0, 0], w[0, 0], list(range(6))).square().sum(), [*a.parameters()])
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
