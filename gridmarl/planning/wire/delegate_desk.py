"""One owner behind its desk in ALADIN: rounds as in ADMM, then steps, or proposals where its costs are linear."""

from __future__ import annotations

from collections.abc import Callable

from gridmarl.errors import PrivacyError, ScenarioError
from gridmarl.planning.owners.delegate import Delegate, PriceMessage
from gridmarl.planning.owners.pricing import Proposer
from gridmarl.planning.owners.worker import Worker
from gridmarl.planning.wire.desk import WorkerDesk
from gridmarl.planning.wire.messages import Adopt, Face, Heard, Invitation, Look, Said, Settlement, Step, encode, heard


class DelegateDesk:
    """One owner in one plan of ALADIN's.

    Parameters
    ----------
    worker : Worker
        Holds the owner's problem and answers ADMM's rounds.
    propose : callable
        Makes the proposer of the same problem; raises ScenarioError where a cost is not linear.
    """

    def __init__(self, worker: Worker, propose: Callable[[], Proposer]) -> None:
        self._worker, self._rounds, self._propose = worker, WorkerDesk(worker), propose
        self._delegate: Delegate | None = None
        self._proposer: Proposer | None = None

    def __call__(self, said: bytes) -> bytes:
        """Answer a message.

        Raises
        ------
        PrivacyError
            For anything but the messages of ALADIN's coordinator, each in its place.
        """
        match heard(said):
            case Look():
                self._delegate = Delegate(self._worker)
                return encode(Face.of(self.delegate.condensed()))
            case PriceMessage() as message:
                return encode(self._step(message))
            case Adopt():
                self.delegate.adopt()
                return encode(Heard())
            case Invitation() as message:
                return encode(self._invited(message))
            case Settlement() as message:
                self.proposer.settle(message.weight)
                return encode(Heard())
            case _:
                return self._rounds(said)

    @property
    def delegate(self) -> Delegate:
        """Speaks for the owner while steps are taken."""
        if self._delegate is None:
            raise _too_early("Look")
        return self._delegate

    @property
    def proposer(self) -> Proposer:
        """Speaks for the owner where all costs are linear."""
        if self._proposer is None:
            raise _too_early("Invitation")
        return self._proposer

    def _step(self, message: PriceMessage) -> Step:
        condensed, stake = self.delegate.answer(message), self.delegate.stake(message.multiplier_per_mwh)
        return Step(condensed.offer_mw, condensed.slope.ravel(), stake.cost, stake.least, stake.moved_mw2)

    def _invited(self, message: Invitation) -> Said:
        if self._proposer is None:
            try:
                self._proposer = self._propose()
            except ScenarioError:  # costs are not linear: it stays with ADMM's rounds
                return Heard()
        return self._proposer.propose(message.multiplier_per_mwh)


def _too_early(first: str) -> PrivacyError:
    return PrivacyError("a message to an owner", "one before its turn", f"{first} first", "it answers nothing else yet")
