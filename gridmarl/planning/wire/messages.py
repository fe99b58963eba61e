"""The only things that owners and the coordinator may say to each other, and how they become bytes.

A message is a frozen record of numbers, arrays and octets. On the wire stand the length and name of its kind, then each
field as a type, a shape and its little-endian content: nothing that could run, and nothing that was not declared here.
"""

from __future__ import annotations

import struct
from dataclasses import Field, dataclass, fields
from functools import lru_cache
from typing import Any, Final, get_args

import numpy as np

from gridmarl.errors import PrivacyError
from gridmarl.planning.owners.condensation import Condensed
from gridmarl.planning.owners.delegate import PriceMessage
from gridmarl.planning.owners.pricing import Proposal
from gridmarl.planning.owners.worker import Message
from gridmarl.units import Float, UInt


@dataclass(frozen=True, slots=True)
class Hello:
    """The coordinator asks who is there."""


@dataclass(frozen=True, slots=True)
class Presence:
    """An owner's declared rating and, where answers are masked, its public key."""

    rated_mw: float
    public_key: bytes


@dataclass(frozen=True, slots=True)
class Roster:
    """Everybody's public keys in order, passed on by the coordinator, and the place of the one who hears it."""

    public_keys: bytes
    place: float


@dataclass(frozen=True, slots=True)
class Begin:
    """The rounds begin: units of power and money, the same for everyone."""

    rated_mw: float
    turnover: float  # $


@dataclass(frozen=True, slots=True, eq=False)
class Share:
    """Where an owner starts from."""

    share_mw: Float  # (K,)


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """An owner's net injection in a round, and what it costs."""

    injection_mw: Float  # (K,)
    cost: float  # $


@dataclass(frozen=True, slots=True, eq=False)
class Offer:
    """A multiplier at which an owner is to say its least cost, or to propose a schedule."""

    multiplier_per_mwh: Float  # (K,)


@dataclass(frozen=True, slots=True)
class Least:
    """An owner's part of the dual function."""

    cost: float  # $


@dataclass(frozen=True, slots=True, eq=False)
class Masked:
    """An answer under pairwise masks: only the sum over all owners can be read."""

    words: UInt


@dataclass(frozen=True, slots=True, eq=False)
class Settlement:
    """What an owner's proposals weigh in the agreed mix."""

    weight: Float  # (proposals,)


@dataclass(frozen=True, slots=True)
class Look:
    """ALADIN's steps begin: an owner is to say where it stands."""


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """Where an owner stands, condensed: its answer to a price is ``offer + slope price``."""

    offer_mw: Float  # (K,)
    slope: Float  # (K²,) MW²/$, row by row

    @classmethod
    def of(cls, condensed: Condensed) -> Face:
        """The message that says it."""
        return cls(condensed.offer_mw, condensed.slope.ravel())


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """Where an owner stands after a step, and its part of the certificate."""

    offer_mw: Float  # (K,)
    slope: Float  # (K²,) MW²/$, row by row
    cost: float  # $
    least: float  # $
    moved_mw2: float


@dataclass(frozen=True, slots=True)
class Adopt:
    """A step is confirmed: everybody stands where it led."""


@dataclass(frozen=True, slots=True, eq=False)
class Invitation:
    """A multiplier at which an owner is to propose a schedule if its costs are linear."""

    multiplier_per_mwh: Float  # (K,)


@dataclass(frozen=True, slots=True)
class Heard:
    """An owner has understood and has nothing to say."""


Said = (
    Hello
    | Presence
    | Roster
    | Begin
    | Share
    | Message
    | Answer
    | Offer
    | Least
    | Masked
    | Proposal
    | Settlement
    | Look
    | Face
    | PriceMessage
    | Step
    | Adopt
    | Invitation
    | Heard
)
KINDS: Final[dict[str, type[Said]]] = {kind.__name__: kind for kind in get_args(Said)}
"""All kinds there are, by name."""
FORMS: Final[dict[str, tuple[bytes, str, int]]] = {
    "float": (b"f", "<f8", 0),
    "Float": (b"F", "<f8", 1),
    "UInt": (b"U", "<u8", 1),
    "bytes": (b"B", "u1", 1),
}
"""Declared type of a field -> its letter on the wire, and the content's type and dimensions."""


def encode(message: Said) -> bytes:
    """Bytes of a message.

    Raises
    ------
    PrivacyError
        For anything that is not of a declared kind, or holds anything but numbers, arrays of numbers and octets.
    """
    name = type(message).__name__
    if KINDS.get(name) is not type(message):
        raise PrivacyError("a message", name, ", ".join(KINDS), "declare its kind in gridmarl.planning.wire.messages")
    parts = [_field(name, field, getattr(message, field.name)) for field in fields(message)]
    return b"".join([bytes([len(name)]), name.encode("ascii"), *parts])


def decode(said: bytes) -> Said:
    """The message that these bytes are.

    Raises
    ------
    PrivacyError
        For bytes that are not exactly one message of a declared kind.
    """
    try:
        kind: Any = KINDS[said[1 : 1 + said[0]].decode("ascii")]
        at, values = 1 + said[0], list[object]()
        for field in fields(kind):
            value, at = _value(field, said, at)
            values.append(value)
    except (KeyError, IndexError, UnicodeDecodeError, ValueError, struct.error):
        raise _unreadable(said) from None
    if at != len(said):
        raise _unreadable(said)
    return kind(*values)


@lru_cache(maxsize=64)
def heard(said: bytes) -> Said:
    """The same, read once for all owners of this process: what all hear is one message, which nobody can change."""
    message = decode(said)
    for field in fields(message):
        value = getattr(message, field.name)
        if isinstance(value, np.ndarray):
            value.flags.writeable = False
    return message


def described(message: Said) -> str:
    """Which numbers a message holds: names and shapes of its fields."""
    parts = [(field.name, getattr(message, field.name)) for field in fields(message)]
    sizes = {name: "" if isinstance(value, float) else f"[{len(value)}]" for name, value in parts}
    return " ".join(f"{name}{size}" for name, size in sizes.items())


def _field(kind: str, field: Field[Any], value: object) -> bytes:
    letter, content_type, dimensions = FORMS[str(field.type)]
    content: Any = np.frombuffer(value, np.uint8) if isinstance(value, bytes) else np.asarray(value)
    if content.dtype != np.dtype(content_type) or content.ndim != dimensions:
        raise PrivacyError(f"{kind}.{field.name}", type(value).__name__, f"a {field.type}, as declared")
    return letter + struct.pack("<I", content.size) + content.tobytes()


def _value(field: Field[Any], said: bytes, at: int) -> tuple[object, int]:
    letter, content_type, dimensions = FORMS[str(field.type)]
    if said[at : at + 1] != letter:
        raise ValueError
    (size,) = struct.unpack_from("<I", said, at + 1)
    start = at + 1 + struct.calcsize("<I")
    content = np.frombuffer(said, content_type, size, start)
    end = start + content.nbytes
    if letter == FORMS["bytes"][0]:
        return content.tobytes(), end
    return (content.copy() if dimensions else float(content[0])), end


def _unreadable(said: bytes) -> PrivacyError:
    return PrivacyError("a message on the wire", said[:24], f"one of {', '.join(KINDS)}, whole and alone")
