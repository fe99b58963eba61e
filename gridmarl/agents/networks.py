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
HIGHEST_EXPONENT: Final = 30.0
"""Scores of slots are clipped here, far from where they matter: of more, squared sums might not be finite."""
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
        return self.of_scores(self.normaliser(x), who)

    def of_scores(self, scores: Tensor, who: Tensor | None = None) -> Tensor:
        """The same of observations that are normalised already."""
        return self._meant(self.through(scores, who))

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
    """Each slot that is filled gathers from all that are (Luong et al. 2015), as the preference asks.

    Parameters
    ----------
    slots : Slots
    objectives : int
        Length of the preference that the questions depend on.

    Notes
    -----
    To a slot s_i is added ``value(sum_j p_ij s_j)`` where p_ij, a softmax over j, weighs ``question(s_i, w) . s_j``.
    With so few fields as a slot has, keys of their own would only be another basis of the same fields. A slot's first
    field is 1, which serves both layers as bias and the sum over j as count, so an empty slot, all zeros, weighs
    nothing and gives nothing.
    """

    def __init__(self, slots: Slots, objectives: int) -> None:
        super().__init__()
        self.slots = slots
        self.question = nn.Linear(slots.width + objectives, slots.width, bias=False)
        self.value = nn.Linear(slots.width, slots.width, bias=False)

    def forward(self, x: Tensor, seen: Tensor, w: Tensor) -> Tensor:
        """Normalised observations with what their slots gathered added, then the preference; empty slots are zeros.

        Parameters
        ----------
        x : (row, seat, field) Tensor
        seen : (row, seat, field) Tensor
            The same as the world says it.
        w : (row, seat, objective) Tensor
        """
        first, count, width = self.slots
        beyond = first + count * width
        there = (seen[..., first:beyond:width] > 0.5).to(x.dtype).view(-1, count, 1)  # (row and seat, slot, 1)
        slots = x[..., first:beyond].reshape(-1, count, width) * there
        slots[..., :1] = there
        preference = w.reshape(len(slots), 1, -1).expand(-1, count, -1)
        asked = self.question(torch.cat([slots, preference], dim=-1))
        scores = torch.bmm(asked, slots.transpose(1, 2))  # (row and seat, slot that asks, slot asked)
        scores.detach().clamp_(-HIGHEST_EXPONENT, HIGHEST_EXPONENT)  # in place, and gradients need not know
        sums = torch.bmm(scores.exp_(), slots)
        means = sums * (there / (sums[..., :1] + LEAST_SUM))
        gathered = (slots + self.value(means)).view(*x.shape[:2], -1)
        return torch.cat([x[..., :first], gathered, x[..., beyond:], w], dim=-1)


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
        read = torch.cat([scores, w], dim=-1) if self.attention is None else self.attention(scores, x, w)
        y = self.through(read, who).unflatten(-1, (-1, self.objectives))
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
    return torch.einsum("...ao,...o->...a", values, w)
