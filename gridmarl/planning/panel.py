"""All owners as the coordinator knows them: names on a channel. It asks everybody and keeps what it may read.

With masks that is sums over each class of `groups` only; without, each owner's answer too. Owners of one class hear the
same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

import numpy as np

from gridmarl.errors import PrivacyError
from gridmarl.planning.channel import Channel
from gridmarl.planning.masks import summed
from gridmarl.planning.pricing import Proposal
from gridmarl.planning.totals import Totals, Units
from gridmarl.planning.wire import (
    Answer,
    Begin,
    Heard,
    Hello,
    Least,
    Masked,
    Offer,
    Presence,
    Roster,
    Said,
    Settlement,
    Share,
)
from gridmarl.planning.worker import Message
from gridmarl.units import Float, Int

FEWEST: Final = 3
"""Owners for a sum to hide one from another."""

Kind = TypeVar("Kind", bound=Said)


class Panel:
    """Asks all owners, in order.

    Parameters
    ----------
    channel : Channel
        The only way to them.
    secure : bool
        Whether they answer under masks, which cancel within each class.
    of : array (N,), optional
        Class of each owner; by default all are of class 0.
    count : int
        How many classes there are, with or without owners.

    Raises
    ------
    PrivacyError
        For masks among fewer than three owners.
    """

    def __init__(self, channel: Channel, secure: bool = False, of: Int | None = None, count: int = 1) -> None:
        self._of = [0] * len(channel.names) if of is None else [int(c) for c in of]
        self._members = [[n for n, c in zip(channel.names, self._of, strict=True) if c == k] for k in range(count)]
        fewest = min(len(members) for members in self._members if members)
        if secure and fewest < FEWEST:
            raise PrivacyError(
                "secure", f"{fewest} owners", f"at least {FEWEST}", "each finds the other's answer in a sum"
            )
        self._channel, self._secure, self._turnover = channel, secure, 1.0
        present = self._ask([Hello()], Presence)
        self.rated_mw = max(presence.rated_mw for presence in present)
        self.cost = 0.0  # $ of all owners' last answers
        if secure:
            self._introduce({n: presence.public_key for n, presence in zip(channel.names, present, strict=True)})

    def begin(self, turnover: float) -> Float:
        """Where owners start from: each one's share (N, K), or with masks only sums by class (C, K), in MW."""
        self._turnover = turnover
        message = Begin(self.rated_mw, turnover)
        if self._secure:
            return _stacked(self._sums(message)) * self.rated_mw
        return np.stack([share.share_mw for share in self._ask([message], Share)])

    def respond(self, messages: Sequence[Message]) -> Float | tuple[Totals, ...]:
        """A round, with a message for each class: each one's net injection (N, K) in MW, or with masks only sums."""
        self._channel.open_round()
        if self._secure:
            units = Units(self.rated_mw, messages[0].unit_mw, self._turnover)
            none = Totals.from_row(np.zeros(2 * len(messages[0].dual_mw) + 3), units)
            rows = self._sums(*messages)
            found = tuple(none if row is None else Totals.from_row(row, units) for row in rows)
            self.cost = sum(part.cost for part in found)
            return found
        answers = self._ask(messages, Answer)
        self.cost = sum(answer.cost for answer in answers)
        return np.stack([answer.injection_mw for answer in answers])

    def least_cost(self, heard_per_mwh: Float) -> float:
        """Dollars: the sum of the owners' parts of the dual function at what each class hears (C, K)."""
        offers = [Offer(multiplier) for multiplier in np.atleast_2d(heard_per_mwh)]
        if self._secure:
            return sum(float(row[0]) for row in self._sums(*offers) if row is not None) * self._turnover
        return sum(least.cost for least in self._ask(offers, Least))

    def propose(self, heard_per_mwh: Float) -> list[Proposal]:
        """A round of Dantzig-Wolfe: each one's proposal at what its class hears (C, K)."""
        self._channel.open_round()
        return self._ask([Offer(multiplier) for multiplier in np.atleast_2d(heard_per_mwh)], Proposal)

    def settle(self, weights: Float) -> None:
        """Tell each owner what its proposals weigh, (N, proposals)."""
        for name, weight in zip(self._channel.names, weights, strict=True):
            _expect(self._channel.ask(name, Settlement(weight)), Heard)

    def _introduce(self, public_keys: Mapping[str, bytes]) -> None:
        """Let the owners of each class agree on masks."""
        for members in self._members:
            keys = b"".join(public_keys[name] for name in members)
            for place, name in enumerate(members):
                _expect(self._channel.ask(name, Roster(keys, float(place))), Heard)

    def _sums(self, *messages: Said) -> list[Float | None]:
        """The sum of each class's masked answers to its message, or to the only one; None where nobody is in it."""
        said = dict(zip(self._channel.names, self._ask(messages, Masked), strict=True))
        return [summed([said[name].words for name in members]) if members else None for members in self._members]

    def _ask(self, messages: Sequence[Said], kind: type[Kind]) -> list[Kind]:
        """Everybody's answer to the message for its class, or to the only one."""
        chosen = self._of if len(messages) > 1 else [0] * len(self._of)
        asked = zip(self._channel.names, chosen, strict=True)
        return [_expect(self._channel.ask(name, messages[c]), kind) for name, c in asked]


def _stacked(sums: Sequence[Float | None]) -> Float:
    """The classes' sums (C, ...), 0 where nobody is in a class."""
    size = next(len(row) for row in sums if row is not None)
    return np.stack([np.zeros(size) if row is None else row for row in sums])


def _expect(answer: Said, kind: type[Kind]) -> Kind:
    if not isinstance(answer, kind):
        raise PrivacyError("an answer", type(answer).__name__, kind.__name__)
    return answer
