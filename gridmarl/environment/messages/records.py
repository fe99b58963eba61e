"""What the market's members tell each other in an interval: typed records, as a table and as a graph.

A message is a record of what happened, written after the step from its arrays; nothing in the market waits for one.
Its id is the episode's key, the interval and a number, so that the same episode sends the same messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Final

from gridmarl.errors import DataError
from gridmarl.scenario.scenario import OPERATOR

if TYPE_CHECKING:
    from networkx import MultiDiGraph
    from pandas import DataFrame

Scalar = str | int | float | bool | None
Record = dict[str, Scalar]
"""A message as plain values, which any format can hold."""

EVERYONE: Final = "*"
"""Receiver of a broadcast; as a subscriber, an observer who gets a copy of every message."""


class MessageType(StrEnum):
    """What kind of message."""

    GENERATION_BID = "generation_bid"
    DEMAND_RESPONSE_OFFER = "demand_response_offer"
    DISPATCH_INSTRUCTION = "dispatch_instruction"
    STATUS_UPDATE = "status_update"
    MARKET_PRICE_UPDATE = "market_price_update"
    EMERGENCY_SIGNAL = "emergency_signal"


class Reason(StrEnum):
    """Why an order got what it got; see :func:`gridmarl.environment.messages.announce.reason_of`."""

    CLEARED = "cleared"
    PARTIALLY_CLEARED = "partially_cleared"
    BID_NOT_CLEARED = "bid_not_cleared"
    DEMAND_MET = "demand_met_by_cheaper_generation"
    NOT_OFFERED = "not_offered"
    CURTAILED = "curtailed"
    HOLDS_RESERVE = "holds_reserve"


class Stage(StrEnum):
    """Stages of an emergency, in the order in which they are entered; stage k is bit ``1 << k`` of a mask."""

    NORMAL = "normal"
    DETECTION = "detection"
    ALERT = "alert"
    STORAGE = "storage"
    SHEDDING = "shedding"
    GENERATION = "generation"
    RECOVERY = "recovery"


@dataclass(frozen=True, slots=True)
class Message:
    """What every message says.

    Attributes
    ----------
    message_id : str
        ``episode key (hexadecimal)/interval/number``: the same in every repetition of the episode.
    interval : int
        The interval it is about.
    sender : str
        A seat, or ``"operator"``.
    receiver : str
        A seat, ``"operator"``, or ``"*"`` for a broadcast.
    """

    type: ClassVar[MessageType]
    message_id: str
    interval: int
    sender: str
    receiver: str

    def amounts(self) -> tuple[float, float]:
        """MW (+ injects) and $ (+ to the receiver) that the message is about; zeros where it moves none."""
        return 0.0, 0.0

    def record(self) -> Record:
        """Plain values by name, the type first."""
        values: Record = {"type": self.type.value}
        for field in fields(self):
            value = getattr(self, field.name)
            values[field.name] = value.value if isinstance(value, StrEnum) else value
        return values


@dataclass(frozen=True, slots=True)
class GenerationBid(Message):
    """One order of a generator or a battery as it stood in the auction: after limits, the carbon adder included.

    Attributes
    ----------
    role : str
    order : int
        Which of the seat's order slots.
    price_per_mwh : float
    quantity_mw : float
        Offered output; negative where a battery bids to charge.
    must_run : bool
        Output that cannot be held back in time; it stands at the floor.
    """

    type: ClassVar[MessageType] = MessageType.GENERATION_BID
    role: str
    order: int
    price_per_mwh: float
    quantity_mw: float
    must_run: bool

    def amounts(self) -> tuple[float, float]:
        """Offered MW."""
        return self.quantity_mw, 0.0


@dataclass(frozen=True, slots=True)
class DemandResponseOffer(Message):
    """One offer of a load to consume less; fields as in :class:`GenerationBid`."""

    type: ClassVar[MessageType] = MessageType.DEMAND_RESPONSE_OFFER
    order: int
    price_per_mwh: float
    quantity_mw: float

    def amounts(self) -> tuple[float, float]:
        """Offered MW."""
        return self.quantity_mw, 0.0


@dataclass(frozen=True, slots=True)
class DispatchInstruction(Message):
    """The operator's answer to one order, or to a seat that had none.

    Attributes
    ----------
    reply_to : str or None
        Id of the bid or offer.
    order_price_per_mwh : float or None
    quantity_mw, accepted_mw : float
        Of the order; + injects.
    setpoint_mw : float
        What all the seat's accepted orders add up to; + injects, a reduction of load counts as +.
    clearing_price_per_mwh : float
    payment : float
        $ for the accepted quantity at the clearing price, + to the seat; before carbon and balancing.
    reason : Reason
    """

    type: ClassVar[MessageType] = MessageType.DISPATCH_INSTRUCTION
    reply_to: str | None
    order_price_per_mwh: float | None
    quantity_mw: float
    accepted_mw: float
    setpoint_mw: float
    clearing_price_per_mwh: float
    payment: float
    reason: Reason

    def amounts(self) -> tuple[float, float]:
        """Accepted MW and what is paid for them."""
        return self.accepted_mw, self.payment


@dataclass(frozen=True, slots=True)
class StatusUpdate(Message):
    """A seat's state at the end of the interval; what its role does not have is None.

    Attributes
    ----------
    role : str
    output_mw : float
        Net injection as settled in the auction: a load's is negative.
    available_mw : float or None
        The most a generator could have delivered.
    soc : float or None
        Stored energy over capacity, 0 .. 1.
    unserved_mw : float or None
        Load that was shed.
    """

    type: ClassVar[MessageType] = MessageType.STATUS_UPDATE
    role: str
    output_mw: float
    available_mw: float | None = None
    soc: float | None = None
    unserved_mw: float | None = None

    def amounts(self) -> tuple[float, float]:
        """Net injection."""
        return self.output_mw, 0.0


@dataclass(frozen=True, slots=True)
class MarketPriceUpdate(Message):
    """The auction's public result."""

    type: ClassVar[MessageType] = MessageType.MARKET_PRICE_UPDATE
    price_per_mwh: float
    price_low_per_mwh: float
    price_high_per_mwh: float
    volume_mw: float
    demand_mw: float
    unserved_mw: float
    curtailed_mw: float
    import_mw: float


@dataclass(frozen=True, slots=True)
class EmergencySignal(Message):
    """The grid passed through a stage of an emergency in this interval."""

    type: ClassVar[MessageType] = MessageType.EMERGENCY_SIGNAL
    stage: Stage


RECORDS: Final[tuple[type[Message], ...]] = (
    GenerationBid,
    DemandResponseOffer,
    DispatchInstruction,
    StatusUpdate,
    MarketPriceUpdate,
    EmergencySignal,
)
"""The record of each type, in the order of :class:`MessageType`."""


def messages_table(messages: Iterable[Message]) -> DataFrame:
    """One row a message, one column a field of any type; what a type does not have is missing.

    Parameters
    ----------
    messages : iterable of Message
    """
    from pandas import DataFrame

    columns = list(dict.fromkeys(["type", *(field.name for record in RECORDS for field in fields(record))]))
    return DataFrame([message.record() for message in messages], columns=columns)


def messages_graph(messages: Iterable[Message], roles: Mapping[str, str] | None = None) -> MultiDiGraph[str]:
    """Who told whom how much: seats as nodes, one edge a pair and type.

    Parameters
    ----------
    messages : iterable of Message
    roles : mapping, optional
        Seat -> role, beyond what the messages say.

    Returns
    -------
    networkx.MultiDiGraph
        Nodes have ``role`` ("seat" where unknown; broadcasts go to the node ``"*"``). Edges have the type as key, and
        ``count``, ``mw`` and ``dollars``, the sums of :meth:`Message.amounts`.

    Raises
    ------
    DataError
        Where networkx is not installed.
    """
    try:
        from networkx import MultiDiGraph
    except ImportError as error:
        raise DataError("graph of messages", "no networkx", "networkx", "pip install 'gridmarl[graph]'") from error
    messages = list(messages)
    known = {OPERATOR: "operator", EVERYONE: "broadcast", **_roles_told(messages), **(roles or {})}
    graph: MultiDiGraph[str] = MultiDiGraph()
    for message in messages:
        sender, receiver, kind = message.sender, message.receiver, message.type.value
        for name in (sender, receiver):
            graph.add_node(name, role=known.get(name, "seat"))
        if not graph.has_edge(sender, receiver, kind):
            graph.add_edge(sender, receiver, kind, type=kind, count=0, mw=0.0, dollars=0.0)
        edge, (mw, dollars) = graph.edges[sender, receiver, kind], message.amounts()
        edge["count"], edge["mw"], edge["dollars"] = edge["count"] + 1, edge["mw"] + mw, edge["dollars"] + dollars
    return graph


def _roles_told(messages: Iterable[Message]) -> dict[str, str]:
    """Roles that the messages themselves tell."""
    roles: dict[str, str] = {}
    for message in messages:
        if isinstance(message, GenerationBid | StatusUpdate):
            roles[message.sender] = message.role
        elif isinstance(message, DemandResponseOffer):
            roles[message.sender] = "consumer"
    return roles
