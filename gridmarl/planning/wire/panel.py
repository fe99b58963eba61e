"""All owners as the coordinator knows them: names on a channel. It asks everybody and keeps what it may read.

With masks that is sums over each class of `groups` only; without, each owner's answer too. Owners of one class hear the
same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

import numpy as np

from gridmarl.errors import PrivacyError
from gridmarl.planning.model.groups import by_class, totals
from gridmarl.planning.owners.condensation import Condensed
from gridmarl.planning.owners.delegate import PriceMessage, Stake
from gridmarl.planning.owners.pricing import Proposal
from gridmarl.planning.owners.totals import Totals, Units
from gridmarl.planning.owners.worker import Message
from gridmarl.planning.wire.channel import Channel
from gridmarl.planning.wire.masks import summed
from gridmarl.planning.wire.messages import (
    Adopt,
    Answer,
    Begin,
    Face,
    Heard,
    Hello,
    Invitation,
    Least,
    Look,
    Masked,
    Offer,
    Presence,
    Roster,
    Said,
    Settlement,
    Share,
    Step,
)
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

    def invite(self, heard_per_mwh: Float) -> list[Proposal] | None:
        """A round of Dantzig-Wolfe among ALADIN's owners; None where somebody's costs are not linear."""
        said = self._ask([Invitation(multiplier) for multiplier in np.atleast_2d(heard_per_mwh)], (Proposal, Heard))
        proposals = [answer for answer in said if isinstance(answer, Proposal)]
        if len(proposals) < len(said):
            return None
        self._channel.open_round()
        return proposals

    def look(self) -> Condensed:
        """ALADIN's steps begin: where all owners together stand, as the coupling's rows see it."""
        return self._total(self._ask([Look()], Face))

    def step(self, messages: Sequence[PriceMessage]) -> tuple[Condensed, list[Stake]]:
        """A step, with a message for each class: where all stand after it, and each one's part of the certificate."""
        self._channel.open_round()
        steps = self._ask(messages, Step)
        return self._total(steps), [Stake(step.cost, step.least, step.moved_mw2) for step in steps]

    def adopt(self) -> None:
        """The last step is confirmed."""
        self._ask([Adopt()], Heard)

    def _total(self, parts: Sequence[Face | Step]) -> Condensed:
        """Sums over the owners as the coupling's rows see them, one after the other."""
        of, count = np.array(self._of), len(self._members)
        offer = totals(by_class(np.stack([part.offer_mw for part in parts]), of, count))
        slopes = totals(by_class(np.stack([part.slope for part in parts]), of, count))
        steps = offer.shape[1]
        joined = np.zeros((count, steps, count, steps))
        for row, slope in enumerate(slopes):  # an owner's answer counts in its group's row and in everybody's
            joined[row, :, row] = joined[row, :, 0] = joined[0, :, row] = slope.reshape(steps, steps)
        return Condensed(offer.ravel(), joined.reshape(offer.size, offer.size))

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

    def _ask(self, messages: Sequence[Said], kind: type[Kind] | tuple[type[Kind], ...]) -> list[Kind]:
        """Everybody's answer to the message for its class, or to the only one."""
        chosen = self._of if len(messages) > 1 else [0] * len(self._of)
        asked = zip(self._channel.names, chosen, strict=True)
        return [_expect(self._channel.ask(name, messages[c]), kind) for name, c in asked]


def _stacked(sums: Sequence[Float | None]) -> Float:
    """The classes' sums (C, ...), 0 where nobody is in a class."""
    size = next(len(row) for row in sums if row is not None)
    return np.stack([np.zeros(size) if row is None else row for row in sums])


def _expect(answer: Said, kind: type[Kind] | tuple[type[Kind], ...]) -> Kind:
    if not isinstance(answer, kind):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        raise PrivacyError("an answer", type(answer).__name__, " or ".join(one.__name__ for one in kinds))
    return answer
