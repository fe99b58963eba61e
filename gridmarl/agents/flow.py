"""Any player as a LangGraph flow: receive, analyse, decide, execute, learn, once an interval.

The decision stays the player's own. Around it a flow shows what came in, lets callables of yours think before the
decision and after it, and can be drawn, streamed and traced with LangGraph's tools. Its state holds plain values only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypedDict

import numpy as np

from gridmarl.agents.agent import Agent, Information, Sees
from gridmarl.agents.seats import Seats
from gridmarl.environment.messages.mailbox import Router
from gridmarl.environment.messages.records import Record, Scalar
from gridmarl.errors import ActionError, ScenarioError
from gridmarl.units import Float, Float32

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph

Numbers = float | int | list[float] | list[int]
"""A seat's action as plain values."""


class FlowState(TypedDict):
    """What the nodes hand on: plain values, no handles, no clients, no keys.

    Attributes
    ----------
    interval : int
        The interval about to be decided.
    observations : dict
        Seat -> observed fields.
    messages : list
        What the played seats received since the last interval.
    notes : dict
        What the hooks wrote; kept from one interval to the next, empty at the beginning of an episode.
    proposals : dict
        Seat -> action, as the player decided.
    actions : dict
        Seat -> action, once there is one for each observed seat.
    """

    interval: int
    observations: dict[str, list[float]]
    messages: list[Record]
    notes: dict[str, Scalar]
    proposals: dict[str, Numbers]
    actions: dict[str, Numbers]


class Change(TypedDict, total=False):
    """The part of the state that a node writes."""

    messages: list[Record]
    notes: dict[str, Scalar]
    proposals: dict[str, Numbers]
    actions: dict[str, Numbers]


Hook = Callable[[FlowState], Mapping[str, Scalar]]
"""Reads the state and returns notes: texts, numbers, truth values or None, by name."""


class Node(Protocol):
    """A step of the flow."""

    def __call__(self, state: FlowState) -> Change:
        """What the step writes."""
        ...


NODES: Final = ("receive", "analyse", "decide", "execute", "learn")


def no_notes(state: FlowState) -> Mapping[str, Scalar]:
    """The hook that does nothing."""
    return {}


class FlowAgent:
    """Plays what another player plays, as a LangGraph ``StateGraph``.

    Parameters
    ----------
    agent : Agent
        Who decides.
    analyse, learn : callable, optional
        Called before the decision and after the execution of every interval; what they return joins the notes.
    router : Router, optional
        Where messages come from, ``env.messages``; by default none come. The played seats are subscribed at
        the beginning of an episode unless they are already, and what waited for them until then is discarded.

    Raises
    ------
    ScenarioError
        Where langgraph is not installed.

    Examples
    --------
    >>> from gridmarl.agents.rules import Rule
    >>> flow = FlowAgent(Rule("markup"), learn=lambda state: {"heard": len(state["messages"])})
    >>> flow.codecs["generator"]
    'markup'
    """

    def __init__(
        self, agent: Agent, *, analyse: Hook = no_notes, learn: Hook = no_notes, router: Router | None = None
    ) -> None:
        self.agent = agent
        self.information: Information = agent.information
        self.sees: Sees = agent.sees
        self.codecs: Mapping[str, str] = agent.codecs
        self.router = router
        self.state: FlowState = _empty(0, {})
        self._analyse, self._learn = analyse, learn
        self._seats: Seats | None = None
        self.graph: CompiledStateGraph[FlowState, None, FlowState, FlowState] = self._compiled()

    @property
    def negotiations(self) -> tuple[object, ...]:
        """Histories that the player keeps, if it keeps any."""
        return tuple(getattr(self.agent, "negotiations", ()))

    def begin(self, seats: Seats, seed: int) -> None:
        """An episode begins: the notes are empty and the mailboxes too."""
        self._seats = seats
        self.state = _empty(seats.interval, {})
        self.agent.begin(seats, seed)
        for seat in seats.played if self.router is not None else ():
            self._open_mailbox(seat)

    def act(self, observations: Mapping[str, Float32]) -> dict[str, Float]:
        """Run the flow once.

        Raises
        ------
        ActionError
            Where the player gives no action for a seat, or a hook returns what is no plain value.
        """
        if self._seats is None:
            raise ScenarioError("flow", "not yet begun", "act() after begin()", "call begin() first")
        state = _empty(self._seats.interval, self.state["notes"])
        state["observations"] = {seat: seen.tolist() for seat, seen in observations.items()}
        final = self.graph.invoke(state)
        self.state = FlowState(**{key: final[key] for key in state})
        return {seat: np.asarray(action) for seat, action in self.state["actions"].items()}

    def save(self, folder: Path) -> None:
        """Write the player; the hooks are code and stay where they are written."""
        self.agent.save(folder)

    def _compiled(self) -> CompiledStateGraph[FlowState, None, FlowState, FlowState]:
        try:
            from langgraph.graph import END, START, StateGraph
        except ImportError as error:
            raise ScenarioError("flow", "no langgraph", "langgraph", "pip install 'gridmarl[graph]'") from error
        graph = StateGraph(FlowState)
        graph.add_node("receive", self._receive)
        graph.add_node("analyse", self._reflect(self._analyse, "analyse"))
        graph.add_node("decide", self._decide)
        graph.add_node("execute", self._execute)
        graph.add_node("learn", self._reflect(self._learn, "learn"))
        for before, after in zip((START, *NODES), (*NODES, END), strict=True):
            graph.add_edge(before, after)
        return graph.compile(name=type(self.agent).__name__)

    def _open_mailbox(self, seat: str) -> None:
        assert self.router is not None
        if self.router.subscribed(seat):
            self.router.read(seat)
        else:
            self.router.subscribe(seat)

    def _receive(self, state: FlowState) -> Change:
        """Read the played seats' mail: a broadcast once a seat."""
        if self.router is None:
            return {"messages": []}
        mail = [self.router.read(seat) for seat in state["observations"]]
        return {"messages": [message.record() for messages in mail for message in messages]}

    def _reflect(self, hook: Hook, name: str) -> Node:
        """The node of a hook: its notes join those that there are."""

        def node(state: FlowState) -> Change:
            return {"notes": {**state["notes"], **_checked(hook(state), name)}}

        return node

    def _decide(self, state: FlowState) -> Change:
        """Ask the player."""
        seen = {seat: np.array(values, np.float32) for seat, values in state["observations"].items()}
        chosen = self.agent.act(seen)
        return {"proposals": {seat: np.asarray(action).tolist() for seat, action in chosen.items()}}

    def _execute(self, state: FlowState) -> Change:
        """Let the proposals pass once there is one for each observed seat."""
        proposals = state["proposals"]
        for seat in state["observations"]:
            if seat not in proposals:
                raise ActionError(
                    f"{type(self.agent).__name__}.act()", f"no action for {seat!r}", "one for each seat", "add it"
                )
        return {"actions": {seat: proposals[seat] for seat in state["observations"]}}


def _empty(interval: int, notes: dict[str, Scalar]) -> FlowState:
    return FlowState(interval=interval, observations={}, messages=[], notes=notes, proposals={}, actions={})


def _checked(notes: Mapping[str, Scalar], name: str) -> dict[str, Scalar]:
    """Notes, if they are plain values: whatever else would travel with the state into traces and files."""
    for key, value in notes.items():
        if value is not None and type(value) not in (str, int, float, bool):
            allowed = "a text, a number, a truth value or None"
            raise ActionError(f"note {key!r} of the hook {name!r}", type(value).__name__, allowed, "write plain values")
    return dict(notes)
