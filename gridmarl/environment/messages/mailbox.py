"""Mailboxes: who listens to what, what waits to be read, and how much was lost because nobody read it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from gridmarl.environment.messages.records import EVERYONE, Message, MessageType
from gridmarl.errors import ScenarioError, nearest

CAPACITY = 1024


@dataclass(slots=True)
class Mailbox:
    """One subscriber's messages, oldest first; when full, the oldest makes room."""

    types: frozenset[MessageType]
    capacity: int
    waiting: deque[Message] = field(default_factory=deque[Message])
    dropped: int = 0

    def put(self, message: Message) -> None:
        """Keep a message if it is of a type that was asked for."""
        if message.type not in self.types:
            return
        if len(self.waiting) == self.capacity:
            self.waiting.popleft()
            self.dropped += 1
        self.waiting.append(message)


class Router:
    """Brings messages to who subscribed; false where nobody did, so that a market without listeners writes none.

    Parameters
    ----------
    members : iterable of str, optional
        Who may subscribe, beside the observer ``"*"``; by default anybody.

    Notes
    -----
    Mailboxes outlast an episode, so that its last messages can still be read; ids tell episodes apart. The observer
    ``"*"`` reads everybody's mail: it is for logs and pictures, not for players.
    """

    def __init__(self, members: Iterable[str] = ()) -> None:
        self._members = frozenset(members)
        self._mailboxes: dict[str, Mailbox] = {}

    def __bool__(self) -> bool:
        return bool(self._mailboxes)

    def subscribe(self, receiver: str, types: Iterable[MessageType] | None = None, capacity: int = CAPACITY) -> None:
        """Open a mailbox, or open it anew with other types; what waited in it is gone then.

        Parameters
        ----------
        receiver : str
            A seat, ``"operator"``, or ``"*"`` to observe everything.
        types : iterable of MessageType, optional
            What to keep; by default every type.
        capacity : int
            How many messages wait at most.

        Raises
        ------
        ScenarioError
            Where the receiver is no member, a type is unknown or the capacity is below 1.
        """
        if self._members and receiver not in self._members and receiver != EVERYONE:
            known = ", ".join(sorted(self._members))
            raise ScenarioError("subscriber", receiver, f"{known}, {EVERYONE}", nearest(receiver, self._members))
        if capacity < 1:
            raise ScenarioError(f"capacity of the mailbox of {receiver!r}", capacity, "1 or more", "ask for more")
        self._mailboxes[receiver] = Mailbox(_chosen(types), capacity)

    def unsubscribe(self, receiver: str) -> None:
        """Close a mailbox."""
        self._mailbox(receiver)
        del self._mailboxes[receiver]

    def deliver(self, messages: Iterable[Message]) -> None:
        """Put each message into its receiver's mailbox, if there is one, and into the observer's."""
        for message in messages:
            if message.receiver == EVERYONE:
                self.broadcast(message)
                continue
            for name in (message.receiver, EVERYONE):
                if name in self._mailboxes:
                    self._mailboxes[name].put(message)

    def broadcast(self, message: Message) -> None:
        """Put a message into every mailbox but its sender's."""
        for name, mailbox in self._mailboxes.items():
            if name != message.sender:
                mailbox.put(message)

    def read(self, receiver: str) -> tuple[Message, ...]:
        """Take what waits for a subscriber, oldest first.

        Raises
        ------
        ScenarioError
            Where it has not subscribed.
        """
        mailbox = self._mailbox(receiver)
        messages = tuple(mailbox.waiting)
        mailbox.waiting.clear()
        return messages

    def dropped(self, receiver: str) -> int:
        """How many messages a subscriber lost because its mailbox was full.

        Raises
        ------
        ScenarioError
            Where it has not subscribed.
        """
        return self._mailbox(receiver).dropped

    def subscribed(self, receiver: str) -> bool:
        """Whether there is a mailbox of this name."""
        return receiver in self._mailboxes

    def _mailbox(self, receiver: str) -> Mailbox:
        if receiver not in self._mailboxes:
            known = ", ".join(self._mailboxes) or "nobody yet"
            raise ScenarioError("mailbox", receiver, f"who subscribed ({known})", f"call subscribe({receiver!r}) first")
        return self._mailboxes[receiver]


def _chosen(types: Iterable[MessageType] | None) -> frozenset[MessageType]:
    if types is None:
        return frozenset(MessageType)
    try:
        return frozenset(MessageType(kind) for kind in types)
    except ValueError as error:
        raise ScenarioError("type of message", str(error), ", ".join(MessageType), "choose among them") from error
