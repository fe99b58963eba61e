"""Owners behind their desks: each hears bytes, asks its own worker, and answers with bytes of a declared kind."""

from __future__ import annotations

import numpy as np

from gridmarl.errors import PrivacyError
from gridmarl.planning.owners.pricing import Proposer
from gridmarl.planning.owners.totals import Units
from gridmarl.planning.owners.worker import Message, Worker
from gridmarl.planning.wire.masks import Masker
from gridmarl.planning.wire.messages import (
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
    decode,
    encode,
    heard,
)
from gridmarl.units import Float


class WorkerDesk:
    """One owner in ADMM's rounds, for one plan.

    Parameters
    ----------
    worker : Worker
        Holds the owner's problem.
    secure : bool
        Whether every answer leaves under a mask; then no message brings out an open one.
    """

    def __init__(self, worker: Worker, secure: bool = False) -> None:
        self._worker, self._masker = worker, Masker() if secure else None
        self._begun = Begin(1.0, 1.0)

    def __call__(self, said: bytes) -> bytes:
        """Answer a message.

        Raises
        ------
        PrivacyError
            For anything but the messages of ADMM's coordinator.
        """
        return encode(self._answer(heard(said)))

    def _answer(self, message: Said) -> Said:
        worker, masker, begun = self._worker, self._masker, self._begun
        match message:
            case Hello():
                return Presence(worker.rated_mw, masker.public_key if masker else b"")
            case Roster() if masker:
                masker.meet(message.public_keys, int(message.place))
                return Heard()
            case Begin():
                self._begun = message
                return self._masked(worker.share_mw / message.rated_mw) if masker else Share(worker.share_mw)
            case Message():
                injection = worker.respond(message)
                if masker is None:
                    return Answer(injection, worker.objectives[-1])
                units = Units(begun.rated_mw, message.unit_mw, begun.turnover)
                return self._masked(worker.part().row(units, masker.largest))
            case Offer():
                least = worker.least_cost(message.multiplier_per_mwh)
                if masker is None:
                    return Least(least)
                lowest = max(least / begun.turnover, -masker.largest)  # a lower bound stays one
                return self._masked(np.array([lowest]))
            case _:
                raise _out_of_place(message)

    def _masked(self, values: Float) -> Masked:
        assert self._masker is not None
        return Masked(self._masker.mask(values))


class ProposerDesk:
    """One owner in Dantzig-Wolfe's rounds.

    Parameters
    ----------
    proposer : Proposer
        Holds the owner's problem.
    """

    def __init__(self, proposer: Proposer) -> None:
        self._proposer = proposer

    def __call__(self, said: bytes) -> bytes:
        """Answer a message.

        Raises
        ------
        PrivacyError
            For anything but the messages of Dantzig-Wolfe's coordinator.
        """
        return encode(self._answer(decode(said)))

    def _answer(self, message: Said) -> Said:
        match message:
            case Hello():
                return Presence(self._proposer.rated_mw, b"")
            case Offer():
                return self._proposer.propose(message.multiplier_per_mwh)
            case Settlement():
                self._proposer.settle(message.weight)
                return Heard()
            case _:
                raise _out_of_place(message)


def _out_of_place(message: Said) -> PrivacyError:
    return PrivacyError("a message to an owner", type(message).__name__, "what this method's coordinator says")
