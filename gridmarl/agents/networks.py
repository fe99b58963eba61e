"""Networks of seats: a normaliser, then perceptrons that seats of a group share or have each for themselves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

LEAST_DEVIATION: Final = 1e-2
"""Fields that hardly vary in training are divided by this, so that they cannot explode elsewhere."""
HIGHEST_EXPONENT: Final = 60.0
"""Scores of slots are clipped here, far from where they matter: exponentials of more might not be finite in sum."""
LEAST_SUM: Final = 1e-30
"""Added to sums of exponentials: nothing, but where an observation has no slot at all."""
HIGHEST_SCORE: Final = 5.0
"""Normalised observations are clipped at this many standard deviations."""


class Normaliser(nn.Module):
    """Subtracts the mean and divides by the standard deviation of all observations it was shown.

    It changes only in :meth:`observe`, which learners call while they explore and stored policies never do. Mean and
    deviation are stored with the weights; the sums behind them are kept in checkpoints alone, so a stored normaliser
    stays as it is.
    """

    mean: Tensor  # (field,)
    deviation: Tensor  # (field,)
    count: Tensor  # () samples seen
    average: Tensor  # (field,) float64
    squares: Tensor  # (field,) float64, sum of squared distances from the average

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("deviation", torch.ones(size))
        self.register_buffer("count", torch.zeros((), dtype=torch.float64), persistent=False)
        self.register_buffer("average", torch.zeros(size, dtype=torch.float64), persistent=False)
        self.register_buffer("squares", torch.zeros(size, dtype=torch.float64), persistent=False)

    @torch.no_grad()
    def observe(self, x: Tensor) -> None:
        """Take observations, (sample, field), into the mean and the deviation.

        Notes
        -----
        The pairwise update of Chan, Golub and LeVeque (1983), in float64.
        """
        x = x.to(torch.float64)
        before, new = float(self.count), len(x)
        count, mean = before + new, x.mean(0)
        gap = mean - self.average
        self.count.fill_(count)
        self.squares.add_((x - mean).square_().sum(0)).addcmul_(gap, gap, value=before * new / count)
        self.average.add_(gap, alpha=new / count)
        self.mean.copy_(self.average)
        self.deviation.copy_((self.squares / count).sqrt_().clamp_(min=LEAST_DEVIATION))

    def forward(self, x: Tensor) -> Tensor:
        """Scores of the observations, clipped."""
        return (x - self.mean).div_(self.deviation).clamp_(-HIGHEST_SCORE, HIGHEST_SCORE)


class Perceptron(nn.Module):
    """Copies of a multilayer perceptron side by side, each with weights of its own: seats, or twin critics.

    One batched product serves all copies; for small networks that costs little more than one copy alone.

    Parameters
    ----------
    sizes : sequence of int
        Inputs, hidden layers, outputs.
    copies : int
    """

    def __init__(self, sizes: Sequence[int], copies: int = 1) -> None:
        super().__init__()
        self.sizes, self.copies = tuple(sizes), copies
        self.weights = nn.ParameterList(torch.empty(copies, *pair) for pair in pairwise(self.sizes))
        self.biases = nn.ParameterList(torch.empty(copies, 1, size) for size in self.sizes[1:])
        for weight, bias in zip(self.weights, self.biases, strict=True):  # as torch.nn.Linear begins
            bound = 1.0 / math.sqrt(weight.shape[1])
            nn.init.uniform_(weight, -bound, bound)
            nn.init.uniform_(bias, -bound, bound)
        self._layers = tuple(zip(self.weights, self.biases, strict=True))  # lists of parameters are slow to read

    def forward(self, x: Tensor, shift: Tensor | None = None, chosen: Tensor | slice | None = None) -> Tensor:
        """Outputs (copy, sample, output) of inputs (copy, sample, input).

        Parameters
        ----------
        x : Tensor
        shift : Tensor, optional
            Added to the first layer before its nonlinearity.
        chosen : Tensor, optional
            Numbers of the copies that read ``x``; by default all, in order.
        """
        last = len(self._layers) - 1
        for layer, (weight, bias) in enumerate(self._layers):
            if chosen is not None:
                weight, bias = weight[chosen], bias[chosen]  # noqa: PLW2901  # the copies asked for, nothing more
            x = torch.baddbmm(bias, x, weight)
            if layer == 0 and shift is not None:
                x.add_(shift)
            if layer < last:
                x.relu_()  # in place: the product itself is needed nowhere else
        return x


class SeatNetwork(nn.Module):
    """What the seats of a group compute from their observations.

    Parameters
    ----------
    sizes : sequence of int
        Observation fields, hidden layers, outputs; (64, 128, 64, 32, 20) for generators.
    seats : int
    shared : bool
        One perceptron for all seats, which then also reads who the seat is: a one-hot seat id, that is to say a row of
        weights per seat in the first layer. Otherwise each seat has a perceptron of its own.
    head : {"values", "dueling", "tanh", "gaussian"}
        What the outputs mean: values (or logits) of the actions; a state's value and the actions' advantages (Wang et
        al. 2016); actions before a tanh; means of such actions and their log standard deviations, half each.
    beside : int
        Numbers that the first layer reads beside the observation.
    """

    def __init__(
        self, sizes: Sequence[int], seats: int = 1, shared: bool = True, head: str = "values", beside: int = 0
    ) -> None:
        super().__init__()
        self.sizes, self.seats, self.shared, self.head = tuple(sizes), seats, shared, head
        self.normaliser = Normaliser(self.sizes[0])
        self.layers = Perceptron((self.sizes[0] + beside, *self.sizes[1:]), 1 if shared else seats)
        # the last row is nobody's: it is never learned, and speaks for seats that training did not know
        self.identity = nn.Parameter(torch.zeros(seats + 1, self.sizes[1])) if shared and seats > 1 else None

    def forward(self, x: Tensor, who: Tensor | None = None) -> Tensor:
        """(row, seat, field) observations to (row, seat, output).

        Parameters
        ----------
        x : Tensor
        who : Tensor, optional
            (seat,) numbers of the seats, -1 for a stranger; by default all, in order.
        """
        return self._meant(self.through(self.normaliser(x), who))

    def through(self, x: Tensor, who: Tensor | None) -> Tensor:
        """(row, seat, input) of the first layer to (row, seat, output), each seat by its own or as itself."""
        rows, seats, size = x.shape
        if not self.shared:
            return self.layers(x.transpose(0, 1), chosen=who).transpose(0, 1)
        shift = None
        if self.identity is not None:
            own = self.identity[:-1] if who is None else self.identity[who]
            shift = own.expand(rows, -1, -1).reshape(1, rows * seats, -1)
        return self.layers(x.reshape(1, rows * seats, size), shift).view(rows, seats, -1)

    def _meant(self, y: Tensor) -> Tensor:
        if self.head != "dueling":
            return y
        value, advantage = y[..., :1], y[..., 1:]
        return value + advantage - advantage.mean(-1, keepdim=True)

    def greedy(self, x: Tensor, who: Tensor | None = None) -> Tensor:
        """The actions it holds best: (row, seat) whole numbers, or (row, seat, component) within -1 .. 1."""
        y = self(x, who)
        if self.head in ("values", "dueling"):
            return y.argmax(-1)
        return torch.tanh(y if self.head == "tanh" else y[..., : y.shape[-1] // 2])


class Slots(NamedTuple):
    """Where an observation describes things of one kind, one after the other; the first field of each says it is there.

    The operator's 80 fields are 20 globals, then 12 slots of 5: whether a class of participants fills the slot, its
    capacity, what it offered, what was accepted, and its mean offer price.
    """

    first: int
    number: int
    width: int


class SlotAttention(nn.Module):
    """Each slot that is filled gathers from the others (Vaswani et al. 2017), as the preference asks.

    Parameters
    ----------
    slots : Slots
    objectives : int
        Length of the preference that the questions depend on.
    size : int
        Of questions and keys.

    Notes
    -----
    A slot i gathers ``sum_j p_ij value_j`` where p_ij, a softmax over j, weighs ``question_i . key_j / sqrt(size)``.
    Questions, keys and values are linear in slots of a few fields, so none of them is ever formed: the scores are
    ``(s_i G + ...) . s_j`` with the small matrix ``G = W_question' W_key / sqrt(size)``, and values are those of what
    the p_ij gather of the slots themselves.
    """

    def __init__(self, slots: Slots, objectives: int, size: int = 16) -> None:
        super().__init__()
        self.slots, self.size = slots, size
        self.question = nn.Linear(slots.width + objectives, size)
        self.key = nn.Linear(slots.width, size, bias=False)  # it would add the same to all scores of a question
        self.value = nn.Linear(slots.width, slots.width)

    def forward(self, x: Tensor, seen: Tensor, w: Tensor) -> Tensor:
        """Normalised observations with what their slots gathered added; empty slots are zeros and give nothing.

        Parameters
        ----------
        x : (row, seat, field) Tensor
        seen : (row, seat, field) Tensor
            The same as the world says it.
        w : (row, seat, objective) Tensor
        """
        first, count, width = self.slots
        rows, seats, _ = x.shape
        there = (seen[..., first : first + count * width : width] > 0.5).to(x.dtype).view(-1, count)
        slots = x[..., first : first + count * width].reshape(-1, count, width).permute(2, 0, 1).contiguous() * there
        asked = self._asked(slots, w.reshape(rows * seats, -1))  # fields come first: products with few numbers are slow
        scores = torch.bmm(asked.permute(1, 2, 0), slots.transpose(0, 1))  # (row and seat, slot that asks, slot asked)
        scores.detach().clamp_(-HIGHEST_EXPONENT, HIGHEST_EXPONENT)  # in place, and gradients need not know
        e = scores.exp_()
        values = torch.addmm(self.value.bias[:, None], self.value.weight, slots.flatten(1)).view_as(slots) * there
        sums = torch.bmm(torch.cat([values, there[None]]).transpose(0, 1), e.transpose(1, 2))
        means = sums[:, :width] / (sums[:, width:] + LEAST_SUM)
        gathered = (slots.transpose(0, 1) + means) * there[:, None]
        parts = [x[..., :first], gathered.transpose(1, 2).reshape(rows, seats, -1), x[..., first + count * width :]]
        return torch.cat(parts, dim=-1)

    def _asked(self, slots: Tensor, w: Tensor) -> Tensor:
        """What each slot's scores multiply the other slots' fields with, (field, row and seat, slot)."""
        width = self.slots.width
        keys = self.key.weight.t() / math.sqrt(self.size)
        by_slot, by_preference = (keys @ self.question.weight).split((width, w.shape[-1]), dim=1)
        everywhere = torch.addmm((keys @ self.question.bias)[:, None], by_preference, w.t())
        return (by_slot @ slots.flatten(1)).view_as(slots) + everywhere[..., None]


class PreferenceNetwork(SeatNetwork):
    """Values of every action for every objective, given how much each objective counts (Abels et al. 2019).

    Parameters
    ----------
    sizes : sequence of int
        Observation fields, hidden layers, actions times objectives; (80, 128, 96, 64, 25 x 3) for the operator. The
        first layer also reads the preference.
    objectives : int
    seats, shared
        As for :class:`SeatNetwork`.
    head : {"vectors", "dueling-vectors"}
        Whether the outputs are the values, or the state's values and the actions' advantages, a vector each.
    slots : Slots, optional
        Where slots of the observation attend to each other.

    Attributes
    ----------
    preference : (objective,) Tensor
        What counts where no other is given; whoever stores the weights stores it beside them.
    """

    preference: Tensor

    def __init__(
        self,
        sizes: Sequence[int],
        objectives: int,
        seats: int = 1,
        shared: bool = True,
        head: str = "vectors",
        slots: Slots | None = None,
    ) -> None:
        super().__init__(sizes, seats, shared, head, objectives)
        self.objectives = objectives
        self.attention = SlotAttention(slots, objectives) if slots else None
        self.register_buffer("preference", torch.full((objectives,), 1.0 / objectives), persistent=False)

    def forward(self, x: Tensor, who: Tensor | None = None, w: Tensor | None = None) -> Tensor:
        """(row, seat, field) observations to (row, seat, action, objective) values.

        Parameters
        ----------
        x : Tensor
        who : Tensor, optional
            As for :class:`SeatNetwork`.
        w : (row, seat, objective) Tensor, optional
            Preferences; by default :attr:`preference` everywhere.
        """
        w = (self.preference if w is None else w).expand(*x.shape[:2], -1)
        scores = self.normaliser(x)
        if self.attention is not None:
            scores = self.attention(scores, x, w)
        y = self.through(torch.cat([scores, w], dim=-1), who).unflatten(-1, (-1, self.objectives))
        if self.head == "vectors":
            return y
        value, advantage = y[..., :1, :], y[..., 1:, :]
        return value + advantage - advantage.mean(-2, keepdim=True)

    @torch.no_grad()
    def raise_to(self, values: Tensor) -> None:
        """Add (objective,) values to those of every state and action."""
        bias = self.layers.biases[-1].unflatten(-1, (-1, self.objectives))  # a view
        (bias if self.head == "vectors" else bias[..., :1, :]).add_(values.to(bias))

    def greedy(self, x: Tensor, who: Tensor | None = None, w: Tensor | None = None) -> Tensor:
        """The actions whose values, weighted by the preference, are highest: (row, seat)."""
        return weighted(self(x, who, w), self.preference if w is None else w).argmax(-1)


def weighted(values: Tensor, w: Tensor) -> Tensor:
    """w'Q: (row, seat, action) of (row, seat, action, objective) values Q and (..., objective) preferences w."""
    return (values * w[..., None, :]).sum(-1)
