"""The rounds of a negotiation as a LangGraph state graph, fanned out to the prosumers.

    open -> ask (all prosumers side by side) -> evaluate -> counter -> ask -> ... -> END

The stages are those of :mod:`gridmarl.negotiation.coalition.rounds`; the graph lets them be drawn, streamed, traced,
written down between any two and taken up again. Its state holds plain values that the aggregator may know. Menus, and
with them everybody's floor, the strategy and whatever clients or keys it has, travel in the runtime context, which
LangGraph keeps out of checkpoints. What a household draws depends on the seed, the round and its own number alone, so
that the order in which tasks run changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any, Final, TypedDict, cast

import numpy as np

try:
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.graph import END, START, StateGraph
    from langgraph.graph.state import CompiledStateGraph
    from langgraph.runtime import Runtime
    from langgraph.types import Send
except ImportError as error:
    raise ImportError("gridmarl.negotiation.graph needs langgraph: pip install 'gridmarl[graph]'") from error

from gridmarl.errors import ScenarioError
from gridmarl.negotiation.coalition.offers import Bids, Offers
from gridmarl.negotiation.coalition.rounds import (
    Private,
    RoundRecord,
    Settings,
    Table,
    context_of,
    counter_offers,
    evaluate,
    goes_on,
    open_table,
    with_bids,
)
from gridmarl.negotiation.coalition.selection import Selection
from gridmarl.negotiation.menu import Menus
from gridmarl.negotiation.schemas import MarketOpportunity
from gridmarl.negotiation.strategies import Context

HOUSEHOLDS_PER_TASK: Final = 20
OFFERS: Final = ("first", "last", "counted")
"""Prefixes of the offers in a state: each prosumer's first, its last, and those that count."""
STEPS_A_ROUND: Final = 3
SPARE_STEPS: Final = 4


class Answer(TypedDict):
    """What some neighbouring households picked."""

    round: int
    first: int  # number of the first of them
    choices: list[int]
    kw: list[float]
    ask_per_mwh: list[float]


class Asked(TypedDict):
    """What these households are told before they pick."""

    opportunity: dict[str, Any]
    round: int
    rounds_planned: int
    short: bool
    first: int
    offered_price_per_mwh: list[float]
    wanted_kw: list[float]
    previous: list[int]
    taken_kw: list[float]


def latest_round(before: list[Answer], new: list[Answer]) -> list[Answer]:
    """Answers of the highest round, in the order of the households."""
    together = [*before, *new]
    last = max((answer["round"] for answer in together), default=0)
    return sorted((a for a in together if a["round"] == last), key=lambda a: a["first"])


class NegotiationState(TypedDict, total=False):
    """What lies on the table, as plain values."""

    opportunity: dict[str, Any]
    round: int
    opening_per_mwh: float
    first_kw: list[float]
    first_ask_per_mwh: list[float]
    last_kw: list[float]
    last_ask_per_mwh: list[float]
    counted_kw: list[float]
    counted_ask_per_mwh: list[float]
    choices: list[int]
    selected_kw: list[float]
    outcome: str
    solver: str
    offered_price_per_mwh: list[float]
    wanted_kw: list[float]
    records: list[dict[str, Any]]
    answers: Annotated[list[Answer], latest_round]


def answer(private: Private, asked: Asked) -> Answer:
    """Let some of the households pick from their menus.

    Raises
    ------
    CommitmentError
        Where the strategy names an entry that is not on a menu.
    """
    first, size = asked["first"], len(asked["wanted_kw"])
    part = slice(first, first + size)
    menus = Menus(private.menus.kw[part], private.menus.price_per_mwh[part], private.menus.valid[part])
    context = Context(
        MarketOpportunity.model_validate(asked["opportunity"], strict=False),
        asked["round"],
        asked["rounds_planned"],
        asked["short"],
        np.array(asked["offered_price_per_mwh"]),
        np.array(asked["wanted_kw"]),
        np.array(asked["previous"], np.int64),
        np.array(asked["taken_kw"]),
    )
    rng = np.random.default_rng([private.seed, 17, asked["round"], first])
    choices = private.strategy.choose(menus, context, rng)
    kw, asks = menus.chosen(choices)
    return Answer(
        round=asked["round"], first=first, choices=choices.tolist(), kw=kw.tolist(), ask_per_mwh=asks.tolist()
    )


def state_of(table: Table) -> NegotiationState:
    """A table as plain values."""
    bids = table.bids
    return NegotiationState(
        opportunity=table.opportunity.model_dump(mode="json"),
        round=table.round,
        opening_per_mwh=table.opening_per_mwh,
        first_kw=bids.first.kw.tolist(),
        first_ask_per_mwh=bids.first.ask_per_mwh.tolist(),
        last_kw=bids.last.kw.tolist(),
        last_ask_per_mwh=bids.last.ask_per_mwh.tolist(),
        counted_kw=table.offers.kw.tolist(),
        counted_ask_per_mwh=table.offers.ask_per_mwh.tolist(),
        choices=table.choices.tolist(),
        selected_kw=table.selection.kw.tolist(),
        outcome=table.selection.outcome,
        solver=table.selection.solver,
        offered_price_per_mwh=table.offered_price_per_mwh.tolist(),
        wanted_kw=table.wanted_kw.tolist(),
        records=[asdict(record) for record in table.records],
    )


def table_of(state: Mapping[str, Any]) -> Table:
    """The table that a state stands for."""
    offers = {name: Offers(np.array(state[f"{name}_kw"]), np.array(state[f"{name}_ask_per_mwh"])) for name in OFFERS}
    return Table(
        MarketOpportunity.model_validate(state["opportunity"], strict=False),
        state["round"],
        state["opening_per_mwh"],
        Bids(offers["first"], offers["last"]),
        offers["counted"],
        np.array(state["choices"], np.int64),
        Selection(np.array(state["selected_kw"]), state["outcome"], state["solver"]),
        np.array(state["offered_price_per_mwh"]),
        np.array(state["wanted_kw"]),
        tuple(RoundRecord(**record) for record in state["records"]),
    )


def questions(table: Table, settings: Settings, per_task: int) -> list[Asked]:
    """What each task of households is told."""
    context = context_of(table, settings)
    opportunity = table.opportunity.model_dump(mode="json")
    return [
        Asked(
            opportunity=opportunity,
            round=context.round,
            rounds_planned=context.rounds_planned,
            short=context.short,
            first=first,
            offered_price_per_mwh=context.offered_price_per_mwh[first : first + per_task].tolist(),
            wanted_kw=context.wanted_kw[first : first + per_task].tolist(),
            previous=context.previous[first : first + per_task].tolist(),
            taken_kw=context.taken_kw[first : first + per_task].tolist(),
        )
        for first in range(0, len(context.wanted_kw), per_task)
    ]


def answered(table: Table, answers: Sequence[Answer]) -> Table:
    """The table with everybody's answers on it."""
    choices = np.concatenate([np.array(a["choices"], np.int64) for a in answers])
    kw = np.concatenate([np.array(a["kw"]) for a in answers])
    asks = np.concatenate([np.array(a["ask_per_mwh"]) for a in answers])
    return with_bids(table, choices, kw, asks)


def negotiation_graph(
    settings: Settings | None = None,
    *,
    per_task: int = HOUSEHOLDS_PER_TASK,
    checkpointer: BaseCheckpointSaver[Any] | None = None,
) -> CompiledStateGraph[Any, Private, Any, Any]:
    """The graph of a negotiation, ready to run.

    Parameters
    ----------
    settings : Settings, optional
    per_task : int
        Households that answer in one task; 1 gives everybody a task of its own.
    checkpointer : langgraph checkpointer, optional
        Where the table is written down after each stage.

    Returns
    -------
    CompiledStateGraph
        Takes ``state_of(open_table(...))`` and, as its context, :class:`gridmarl.negotiation.coalition.rounds.Private`.

    Raises
    ------
    ScenarioError
        Where no household would be asked.
    """
    if per_task < 1:
        raise ScenarioError("per_task", per_task, "at least 1", "let one household answer in each task")
    chosen = settings or Settings()

    def fan_out(state: NegotiationState) -> list[Send]:
        return [Send("ask", asked) for asked in questions(table_of(state), chosen, per_task)]

    def ask(state: Asked, runtime: Runtime[Private]) -> NegotiationState:
        return {"answers": [answer(runtime.context, state)]}

    def judge(state: NegotiationState) -> NegotiationState:
        return state_of(evaluate(answered(table_of(state), state.get("answers", [])), chosen))

    def counter(state: NegotiationState) -> NegotiationState:
        return state_of(counter_offers(table_of(state), chosen))

    def whether(state: NegotiationState) -> str:
        return "counter" if goes_on(table_of(state), chosen) else END

    graph: Any = StateGraph(cast(Any, NegotiationState), context_schema=Private)
    graph.add_node("ask", ask)
    graph.add_node("evaluate", judge)
    graph.add_node("counter", counter)
    graph.add_conditional_edges(START, fan_out, ["ask"])
    graph.add_edge("ask", "evaluate")
    graph.add_conditional_edges("evaluate", whether, ["counter", END])
    graph.add_conditional_edges("counter", fan_out, ["ask"])
    return graph.compile(checkpointer=checkpointer, name="negotiation")


def lead_in_graph(
    opportunity: MarketOpportunity, private: Private, settings: Settings, *, per_task: int = HOUSEHOLDS_PER_TASK
) -> Iterator[Table]:
    """All rounds by the graph; the table after each of them."""
    graph = negotiation_graph(settings, per_task=per_task)
    begun = state_of(open_table(opportunity, len(private.menus), settings))
    config: Any = {"recursion_limit": STEPS_A_ROUND * settings.most_rounds + SPARE_STEPS}
    for update in graph.stream(begun, config=config, context=private, stream_mode="updates"):
        if "evaluate" in update:
            yield table_of(update["evaluate"])
