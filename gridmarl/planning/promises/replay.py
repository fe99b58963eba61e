"""One negotiation heard twice: the second time everybody hears what was said the first time.

An owner whose private parameters were changed in between may answer otherwise; its old answer is passed on all the
same. So the coordinator and every other owner must repeat themselves, byte for byte, unless they know what they were
not told.
"""

from __future__ import annotations

from gridmarl.errors import ContractError
from gridmarl.planning.wire.channel import Audit, Entry


class Replay(Audit):
    """Records all messages, and after `rewind` holds everybody but one owner to them."""

    def __init__(self) -> None:
        super().__init__(keep=True)
        self._owner, self._again, self._at = "", False, 0
        self._script: list[tuple[Entry, bytes]] = []
        self.answered_otherwise = False  # whether the changed owner did

    def rewind(self, owner: str) -> None:
        """From here on everything is heard again, and this owner's private parameters are others."""
        if not self._again:
            self._script = list(zip(self.entries, self.said, strict=True))
        self._owner, self._again, self._at, self.answered_otherwise = owner, True, 0, False

    def note(self, sender: str, receiver: str, said: bytes) -> bytes:
        """Write a message down, or pass on what was said in its place the first time."""
        if not self._again:
            return super().note(sender, receiver, said)
        entry, before = self._next(sender, receiver)
        if said != before and sender != self._owner:
            raise ContractError(
                "contract 'sight', messages replayed",
                f"another {entry.kind} from {sender!r} to {receiver!r} in round {entry.round}",
                f"the same bytes whatever the private parameters of {self._owner!r} are",
                "let owners and coordinator know of each other only what passes the channel",
            )
        self.answered_otherwise |= said != before
        return before

    def _next(self, sender: str, receiver: str) -> tuple[Entry, bytes]:
        at, self._at = self._at, self._at + 1
        entry, before = self._script[at] if at < len(self._script) else (None, b"")
        if entry is None or (entry.sender, entry.receiver) != (sender, receiver):
            raise ContractError(
                "contract 'sight', messages replayed",
                f"a message from {sender!r} to {receiver!r} that was not sent the first time",
                f"the same messages whatever the private parameters of {self._owner!r} are",
            )
        return entry, before
