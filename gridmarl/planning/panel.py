"""All owners as the coordinator knows them: names on a channel. It asks everybody and keeps what it may read.

With masks that is sums only; without, each owner's answer too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

import numpy as np

from gridmarl.errors import PrivacyError
from gridmarl.planning.channel import Channel
from gridmarl.planning.condensation import Condensed
from gridmarl.planning.delegate import PriceMessage, Stake
from gridmarl.planning.masks import summed
from gridmarl.planning.pricing import Proposal
from gridmarl.planning.totals import Totals, Units
from gridmarl.planning.wire import (
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
from gridmarl.planning.worker import Message
from gridmarl.units import Float

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
        Whether they answer under masks.

    Raises
    ------
    PrivacyError
        For masks among fewer than three owners.
    """

    def __init__(self, channel: Channel, secure: bool = False) -> None:
        if secure and len(channel.names) < FEWEST:
            raise PrivacyError(
                "secure", f"{len(channel.names)} owners", f"at least {FEWEST}", "each finds the other's answer in a sum"
            )
        self._channel, self._secure, self._turnover = channel, secure, 1.0
        present = self._ask(Hello(), Presence)
        self.rated_mw = max(presence.rated_mw for presence in present)
        self.cost = 0.0  # $ of all owners' last answers
        if secure:
            keys = b"".join(presence.public_key for presence in present)
            for place, name in enumerate(channel.names):
                _expect(channel.ask(name, Roster(keys, float(place))), Heard)

    def begin(self, turnover: float) -> Float:
        """Where owners start from: each one's share (N, K), or with masks only their sum (1, K), in MW."""
        self._turnover = turnover
        message = Begin(self.rated_mw, turnover)
        if self._secure:
            return self._sum(message)[None, :] * self.rated_mw
        return np.stack([share.share_mw for share in self._ask(message, Share)])

    def respond(self, message: Message) -> Float | Totals:
        """A round: each one's net injection (N, K) in MW, or with masks only sums."""
        self._channel.open_round()
        if self._secure:
            units = Units(self.rated_mw, message.unit_mw, self._turnover)
            totals = Totals.from_row(self._sum(message), units)
            self.cost = totals.cost
            return totals
        answers = self._ask(message, Answer)
        self.cost = sum(answer.cost for answer in answers)
        return np.stack([answer.injection_mw for answer in answers])

    def least_cost(self, multiplier_per_mwh: Float) -> float:
        """Dollars: the sum of the owners' parts of the dual function at a multiplier (K,)."""
        if self._secure:
            return float(self._sum(Offer(multiplier_per_mwh))[0]) * self._turnover
        return sum(least.cost for least in self._ask(Offer(multiplier_per_mwh), Least))

    def propose(self, multiplier_per_mwh: Float) -> list[Proposal]:
        """A round of Dantzig-Wolfe: each one's proposal at a multiplier (K,)."""
        self._channel.open_round()
        return self._ask(Offer(multiplier_per_mwh), Proposal)

    def settle(self, weights: Float) -> None:
        """Tell each owner what its proposals weigh, (N, proposals)."""
        for name, weight in zip(self._channel.names, weights, strict=True):
            _expect(self._channel.ask(name, Settlement(weight)), Heard)

    def invite(self, multiplier_per_mwh: Float) -> list[Proposal] | None:
        """A round of Dantzig-Wolfe among ALADIN's owners; None where somebody's costs are not linear."""
        said = self._ask(Invitation(multiplier_per_mwh), (Proposal, Heard))
        proposals = [answer for answer in said if isinstance(answer, Proposal)]
        if len(proposals) < len(said):
            return None
        self._channel.open_round()
        return proposals

    def look(self) -> Condensed:
        """ALADIN's steps begin: where all owners together stand."""
        return _total(self._ask(Look(), Face))

    def step(self, message: PriceMessage) -> tuple[Condensed, list[Stake]]:
        """A step: where all owners together stand after it, and each one's part of the certificate."""
        self._channel.open_round()
        steps = self._ask(message, Step)
        return _total(steps), [Stake(step.cost, step.least, step.moved_mw2) for step in steps]

    def adopt(self) -> None:
        """The last step is confirmed."""
        self._ask(Adopt(), Heard)

    def _sum(self, message: Said) -> Float:
        return summed([masked.words for masked in self._ask(message, Masked)])

    def _ask(self, message: Said, kind: type[Kind] | tuple[type[Kind], ...]) -> list[Kind]:
        return [_expect(self._channel.ask(name, message), kind) for name in self._channel.names]


def _expect(answer: Said, kind: type[Kind] | tuple[type[Kind], ...]) -> Kind:
    if not isinstance(answer, kind):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        raise PrivacyError("an answer", type(answer).__name__, " or ".join(one.__name__ for one in kinds))
    return answer


def _total(parts: Sequence[Face | Step]) -> Condensed:
    offer = np.sum([part.offer_mw for part in parts], axis=0)
    return Condensed(offer, np.sum([part.slope for part in parts], axis=0).reshape(len(offer), -1))
