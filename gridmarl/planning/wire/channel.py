"""The channel between owners and the coordinator: bytes go in, bytes come out, and an audit writes it all down."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import astuple, dataclass, field, fields
from pathlib import Path
from typing import Final, TypeVar

from gridmarl.errors import PrivacyError
from gridmarl.files import write_atomically
from gridmarl.planning.wire.messages import Said, decode, described, encode

COORDINATOR: Final = "coordinator"

Kind = TypeVar("Kind", bound=Said)

Desk = Callable[[bytes], bytes]
"""An owner's side: hears a message, answers with one."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One message that crossed."""

    plan: int  # counted from 0, as often as the audit saw rounds begin
    round: int  # 0 before the first
    sender: str
    receiver: str
    kind: str
    bytes: int
    numbers: str  # names of the fields, with the length of rows


@dataclass(slots=True, eq=False)
class Audit:
    """Everything that crossed, in order.

    Attributes
    ----------
    keep : bool
        Whether the bytes themselves are kept too, in ``said``, one for each entry.
    """

    keep: bool = False
    entries: list[Entry] = field(default_factory=list[Entry])
    said: list[bytes] = field(default_factory=list[bytes])
    plan: int = -1
    round: int = 0

    def open_plan(self) -> None:
        """A plan begins."""
        self.plan, self.round = self.plan + 1, 0

    def open_round(self) -> None:
        """A round begins."""
        self.round += 1

    def note(self, sender: str, receiver: str, said: bytes) -> bytes:
        """Write a message down and pass it on."""
        message = decode(said)
        kind = type(message).__name__
        self.entries.append(Entry(self.plan, self.round, sender, receiver, kind, len(said), described(message)))
        if self.keep:
            self.said.append(said)
        return said

    def heard(self, kind: type[Kind], sender: str) -> list[Kind]:
        """Messages of a kind that one sender sent, in order, as their receiver reads them.

        Raises
        ------
        PrivacyError
            Where the bytes were not kept.
        """
        if self.entries and not self.keep:
            raise PrivacyError("audit", "without bytes", "one with keep=True", "Audit(keep=True) writes them down too")
        pairs = zip(self.entries, self.said, strict=True)
        messages = [decode(said) for entry, said in pairs if (entry.sender, entry.kind) == (sender, kind.__name__)]
        return [message for message in messages if isinstance(message, kind)]

    def table(self) -> str:
        """All entries as CSV, with a header."""
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow([column.name for column in fields(Entry)])
        rows.writerows(astuple(entry) for entry in self.entries)
        return text.getvalue()

    def write(self, path: Path) -> None:
        """Write the table to a CSV file."""
        write_atomically(path, self.table())


class Channel:
    """Carries messages between the coordinator and owners' desks, as bytes only.

    Parameters
    ----------
    desks : dict of str to Desk
        Owners by name. The channel, and whoever holds it, can do nothing with them but send bytes.
    audit : Audit, optional
        Writes everything down.
    """

    def __init__(self, desks: dict[str, Desk], audit: Audit | None = None) -> None:
        self._desks, self._audit = dict(desks), audit
        self.names = tuple(desks)
        self._sent: dict[int, tuple[Said, bytes]] = {}  # what many hear is put into bytes once a round
        if audit:
            audit.open_plan()

    def open_round(self) -> None:
        """A round begins."""
        self._sent.clear()
        if self._audit:
            self._audit.open_round()

    def ask(self, name: str, message: Said) -> Said:
        """Send an owner a message and wait for its answer.

        Raises
        ------
        PrivacyError
            For a message of no declared kind, in either direction.
        """
        if name not in self._desks:
            raise PrivacyError("receiver", name, f"one of {self.names}")
        if id(message) not in self._sent:
            self._sent[id(message)] = message, encode(message)
        said = self._sent[id(message)][1]
        if self._audit:
            said = self._audit.note(COORDINATOR, name, said)
        answered = self._desks[name](said)
        if self._audit:
            answered = self._audit.note(name, COORDINATOR, answered)
        return decode(answered)
