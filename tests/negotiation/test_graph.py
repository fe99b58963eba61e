"""The state graph leads the same negotiation as the plain rounds, and writes nothing private down."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np
import pytest

pytest.importorskip("langgraph", reason="the extra 'graph' is not installed")

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Send

from gridmarl.errors import CommitmentError, ScenarioError
from gridmarl.negotiation.coalition.rounds import Private, Settings, Table, lead_rounds, open_table
from gridmarl.negotiation.cycle import negotiate
from gridmarl.negotiation.graph import lead_in_graph, negotiation_graph, state_of, table_of
from gridmarl.negotiation.homes.capability import capability
from gridmarl.negotiation.homes.fleet import draw_fleet
from gridmarl.negotiation.homes.living import at_hour
from gridmarl.negotiation.menu import Menus, build_menus
from gridmarl.negotiation.opportunities import draw_opportunities
from gridmarl.negotiation.schemas import MarketOpportunity
from gridmarl.negotiation.strategies import Context, Random, Rule

SIZE = 60


def households(opportunity: MarketOpportunity, strategy: Any = None, seed: int = 0) -> Private:
    fleet = draw_fleet(SIZE)
    able = capability(fleet, at_hour(fleet, opportunity.local_hour), opportunity)
    return Private(build_menus(able, opportunity.market_price_mwh), strategy or Rule(), seed)


def some_opportunities(count: int = 6) -> list[MarketOpportunity]:
    return list(draw_opportunities(draw_fleet(SIZE), count, seed=3))


def numbers_in(thing: Any) -> Iterator[float]:
    """All numbers within nested mappings, sequences and objects with fields."""
    if isinstance(thing, float):
        yield thing
    elif isinstance(thing, Mapping):
        for part in cast("Mapping[Any, Any]", thing).values():
            yield from numbers_in(part)
    elif isinstance(thing, Sequence) and not isinstance(thing, str):
        for part in cast("Sequence[Any]", thing):
            yield from numbers_in(part)
    elif isinstance(thing, Send):
        yield from numbers_in(thing.arg)


def same(ours: Table, theirs: Table) -> bool:
    left, right = state_of(ours), state_of(theirs)
    return json.dumps(left) == json.dumps(right)


@pytest.mark.parametrize("per_task", [1, 7, SIZE])
def test_the_graph_leads_to_the_tables_of_the_plain_rounds(per_task: int) -> None:
    fleet = draw_fleet(SIZE)
    lengths: set[int] = set()
    for settings in (Settings(), Settings(rounds_planned=2, most_rounds=2)):
        for opportunity in some_opportunities(2):
            plain = negotiate(fleet, opportunity, settings=settings).tables
            graph = list(lead_in_graph(opportunity, households(opportunity), settings, per_task=per_task))
            assert len(plain) == len(graph)
            assert all(map(same, plain, graph))
            lengths.add(len(graph))
    assert len(lengths) > 1, "negotiations of one length only show little"


def test_a_table_survives_json() -> None:
    (opportunity, *_) = some_opportunities(1)
    for table in negotiate(draw_fleet(SIZE), opportunity).tables:
        assert same(table_of(json.loads(json.dumps(state_of(table)))), table)


def test_draws_depend_on_seed_round_and_household_not_on_the_order_of_tasks() -> None:
    (opportunity, *_) = some_opportunities(1)
    runs = [list(lead_in_graph(opportunity, households(opportunity, Random(), seed), Settings())) for seed in (0, 0, 1)]
    assert all(map(same, runs[0], runs[1]))
    assert not same(runs[0][0], runs[2][0])


def test_checkpoints_hold_no_floor_no_menu_and_no_key() -> None:
    (opportunity, *_) = some_opportunities(1)

    class Talkative(Rule):
        key = "sk-secret"

    private = households(opportunity, Talkative())
    saver = InMemorySaver()
    graph = negotiation_graph(checkpointer=saver)
    config: Any = {"configurable": {"thread_id": "one"}, "recursion_limit": 40}
    graph.invoke(state_of(open_table(opportunity, SIZE, Settings())), config=config, context=private)
    written = [(kept.checkpoint, kept.metadata, kept.pending_writes) for kept in saver.list(config)]
    assert len(written) > 3
    everything = str(written)
    assert "sk-secret" not in everything
    assert "Private" not in everything
    assert "Menus" not in everything
    kept = {number for part in written for number in numbers_in(part)}
    tables = list(lead_in_graph(opportunity, private, Settings()))
    asked = {float(ask) for table in tables for ask in table.bids.last.ask_per_mwh}
    assert asked <= kept, "what the aggregator was told is written down"
    menus = private.menus
    unasked = set(menus.price_per_mwh[menus.valid].tolist()) - asked - set(menus.kw.ravel().tolist())
    assert len(unasked) > 20
    assert not unasked & kept


def test_a_negotiation_written_down_is_taken_up_where_it_stopped() -> None:
    (opportunity, *_) = some_opportunities(1)
    private = households(opportunity)
    whole = list(lead_in_graph(opportunity, private, Settings()))
    graph = negotiation_graph(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "two"}, "recursion_limit": 40}
    begun: Any = state_of(open_table(opportunity, SIZE, Settings()))
    graph.invoke(begun, config=config, context=private, interrupt_after=["evaluate"])
    assert graph.get_state(config).values["round"] == 1
    final = graph.invoke(None, config=config, context=private)
    while graph.get_state(config).next:
        final = graph.invoke(None, config=config, context=private)
    assert same(table_of(final), whole[-1])


def test_an_entry_that_is_not_on_the_menu_ends_the_negotiation_by_name() -> None:
    (opportunity, *_) = some_opportunities(1)

    class Wrong:
        name = "wrong"

        def choose(self, menus: Menus, context: Context, rng: np.random.Generator) -> np.ndarray:
            return np.full(len(menus), 99)

    with pytest.raises(CommitmentError, match="choice of prosumer"):
        list(lead_in_graph(opportunity, households(opportunity, Wrong()), Settings()))


def test_a_task_without_households_is_refused() -> None:
    with pytest.raises(ScenarioError, match="per_task"):
        negotiation_graph(per_task=0)


def test_what_the_graph_agreed_on_is_checked_and_settled_as_ever() -> None:
    fleet, (opportunity, *_) = draw_fleet(SIZE), some_opportunities(1)
    plain, graph = (negotiate(fleet, opportunity, lead=lead) for lead in (lead_rounds, lead_in_graph))
    assert plain.to_dict() == graph.to_dict()
