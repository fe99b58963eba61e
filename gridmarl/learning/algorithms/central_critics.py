"""Central critics: what a seat does is judged by what everybody observes and does; in training alone.

One reads all of it at once (Lowe et al. 2017), the other weighs the other seats by attention (Iqbal & Sha 2019).
Symbols are those of :mod:`gridmarl.learning.algorithms.maddpg`, whose critics they are: seat i observes o_i and does
a_i, x is the world's state, Q_i(x, a_1 .. a_N) a value; several twins of each critic are one module.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn

from gridmarl.agents.networks import Normaliser, Perceptron
from gridmarl.learning.interface import GroupSpec

ByGroupTensors = Mapping[str, Tensor]
"""Group -> (row, seat, number)."""


def together(arrays: ByGroupTensors) -> Tensor:
    """Numbers of all seats in a row, (row, number)."""
    return torch.cat([array.flatten(1) for array in arrays.values()], 1)


class PerSeat(nn.Module):
    """Twin perceptrons of the seats of a group: shared, and reading who the seat is, or one each.

    Parameters
    ----------
    sizes : tuple of int
        Inputs, hidden layers, outputs.
    common : int
        Further inputs, the same for all seats: the first layer multiplies them once a row.
    seats, twins : int
    shared : bool
    """

    def __init__(self, sizes: tuple[int, ...], common: int, seats: int, twins: int, shared: bool) -> None:
        super().__init__()
        self.twins, self.copies = twins, 1 if shared else seats  # of each twin
        self.layers = Perceptron(sizes, twins * self.copies)
        self.common = Perceptron((common, sizes[1]), twins * self.copies) if common else None
        self.identity = nn.Parameter(torch.zeros(twins, seats, 1, sizes[1])) if shared and seats > 1 else None

    def forward(self, y: Tensor, x: Tensor | None = None) -> Tensor:
        """(row, seat, input), or each twin's own (twin, row, seat, input), to (twin, row, seat, output)."""
        y = y.expand(self.twins, *y.shape[-3:]).transpose(1, 2)  # (twin, seat, row, input)
        flat = y.reshape(self.twins * self.copies, -1, y.shape[-1])
        return self.layers(flat, self._shift(x, y)).view(*y.shape[:3], -1).transpose(1, 2)

    def _shift(self, x: Tensor | None, y: Tensor) -> Tensor | None:
        """What is added in the first layer for who the seat is and for the inputs that all seats have."""
        copies, shift = self.twins * self.copies, self.identity
        if self.common is not None and x is not None:
            product = self.common(x.expand(copies, -1, -1)).unflatten(0, (self.twins, self.copies))
            shift = product if shift is None else shift + product
        return None if shift is None else shift.expand(*y.shape[:3], -1).reshape(copies, -1, shift.shape[-1])


class CentralCritic(nn.Module):
    """Q_i(x, a_1 .. a_N) of each seat i of a group.

    It reads the state, what i observes and does, and what the others do; where i stands among them is left 0.

    Parameters
    ----------
    groups : mapping
        All who learn.
    name : str
        Of the group.
    hidden : tuple of int
        Layers.
    twins : int
    shared : bool
        As for :class:`PerSeat`.
    x_size : int
        Numbers of the state.
    """

    others: Tensor  # (seat, joint) 0 where a seat itself stands

    def __init__(
        self,
        groups: Mapping[str, GroupSpec],
        name: str,
        hidden: tuple[int, ...],
        twins: int,
        shared: bool,
        x_size: int,
    ) -> None:
        super().__init__()
        group, size = groups[name], groups[name].actions.size
        self.x_normaliser, self.o_normaliser, self.name = Normaliser(x_size), Normaliser(group.fields), name
        joint = {other: len(g.seats) * g.actions.size for other, g in groups.items()}
        sizes = (group.fields + size + sum(joint.values()), *hidden, 1)
        self.layers = PerSeat(sizes, x_size, len(group.seats), twins, shared)
        own = torch.eye(len(group.seats)).repeat_interleave(size, 1)
        blocks = [own if other == name else torch.zeros(len(own), count) for other, count in joint.items()]
        self.register_buffer("others", 1.0 - torch.cat(blocks, 1), persistent=False)

    def observe(self, x: Tensor, o: ByGroupTensors) -> None:
        """Take states and the group's observations into the normalisers."""
        self.x_normaliser.observe(x)
        self.o_normaliser.observe(o[self.name].flatten(0, 1))

    def forward(self, x: Tensor, o: ByGroupTensors, a: ByGroupTensors, own: Tensor) -> Tensor:
        """(twin, row, seat) values where each seat does ``own``, (row, seat, number), and the others ``a``."""
        a_others = together(a)[:, None] * self.others
        y = torch.cat([self.o_normaliser(o[self.name]), own, a_others], -1)
        return self.layers(y, self.x_normaliser(x)).squeeze(-1)


class AttentionCritic(nn.Module):
    """Q_i of each seat i of a group, which weighs what each other seat j observes and does (Iqbal & Sha 2019).

    Q_i = f(e_i, sum of alpha_ij V e_j over j other than i) with e_j = g_j(o_j, a_j) and alpha_i = softmax of
    (W e_i) · (K e_j) / sqrt(d), in several heads.

    Parameters
    ----------
    groups, name, hidden, twins, shared
        As for :class:`CentralCritic`.
    embedding : int
        Numbers of an e.
    heads : int
        They divide the embedding among them.
    """

    itself: Tensor  # (seat of the group, seat of all)

    def __init__(
        self,
        groups: Mapping[str, GroupSpec],
        name: str,
        hidden: tuple[int, ...],
        twins: int,
        shared: bool,
        embedding: int,
        heads: int,
    ) -> None:
        super().__init__()
        self.name, self.order, self.heads = name, list(groups), heads
        self.normalisers = nn.ModuleList(Normaliser(g.fields) for g in groups.values())
        self.encoders = nn.ModuleList(
            PerSeat((g.fields + g.actions.size, embedding), 0, len(g.seats), twins, shared) for g in groups.values()
        )
        self.queries, self.keys, self.values = (Perceptron((embedding, embedding), twins) for _ in range(3))
        seats = len(groups[name].seats)
        self.layers = PerSeat((2 * embedding, *hidden, 1), 0, seats, twins, shared)
        first = sum(len(groups[other].seats) for other in self.order[: self.order.index(name)])
        count = sum(len(g.seats) for g in groups.values())
        self.register_buffer("itself", torch.eye(count, dtype=torch.bool)[first : first + seats], persistent=False)

    def observe(self, x: Tensor, o: ByGroupTensors) -> None:
        """Take observations into the normalisers."""
        for normaliser, name in zip(self.normalisers, self.order, strict=True):
            cast(Normaliser, normaliser).observe(o[name].flatten(0, 1))

    def forward(self, x: Tensor, o: ByGroupTensors, a: ByGroupTensors, own: Tensor) -> Tensor:
        """As :meth:`CentralCritic.forward`; ``x`` is not read."""
        e_own = self._encoded(self.name, o, own)
        e = torch.cat([self._encoded(name, o, a[name]) for name in self.order], 2)
        query = self._by_head(self.queries, e_own)
        key, value = self._by_head(self.keys, e), torch.relu(self._by_head(self.values, e))
        scores = torch.einsum("trshd,trnhd->trhsn", query, key) / query.shape[-1] ** 0.5
        alpha = torch.softmax(scores.masked_fill(self.itself, -1e9), -1)
        heard = torch.einsum("trhsn,trnhd->trshd", alpha * ~self.itself, value).flatten(3)
        return self.layers(torch.cat([e_own, heard], -1)).squeeze(-1)

    def _encoded(self, name: str, o: ByGroupTensors, a: Tensor) -> Tensor:
        """Embeddings of the seats of a group, (twin, row, seat, number)."""
        at = self.order.index(name)
        return torch.relu(self.encoders[at](torch.cat([self.normalisers[at](o[name]), a], -1)))

    def _by_head(self, layer: Perceptron, e: Tensor) -> Tensor:
        """(twin, row, seat, head, number)."""
        return layer(e.flatten(1, 2)).view(*e.shape[:3], self.heads, -1)


Critic = CentralCritic | AttentionCritic
