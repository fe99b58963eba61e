"""Messages tell what the arrays hold, losers learn why, mailboxes keep what was asked for, silence costs nothing."""

from __future__ import annotations

import json
import sys
from itertools import count

import numpy as np
import pytest

from gridmarl.agents.make import parallel_env
from gridmarl.environment import parallel
from gridmarl.environment.compiled.arrays import Outcome
from gridmarl.environment.core import Core
from gridmarl.environment.messages.announce import emergency_signals, interval_messages
from gridmarl.environment.messages.mailbox import Router
from gridmarl.environment.messages.records import (
    EVERYONE,
    RECORDS,
    DemandResponseOffer,
    DispatchInstruction,
    EmergencySignal,
    GenerationBid,
    MarketPriceUpdate,
    Message,
    MessageType,
    Reason,
    Stage,
    StatusUpdate,
    messages_graph,
    messages_table,
)
from gridmarl.environment.parallel import MarketEnv
from gridmarl.errors import DataError, ScenarioError
from tests.environment.worlds import CONNECTION, FLAT, ON_ORDER, Settings, play, world

UNITS: Settings = {
    "generators": [{"name": f"unit_{k}", "capacity_mw": 60, "cost_per_mwh": 20 + 10 * k} for k in range(3)],
    "storage": [{"name": "battery", "capacity_mwh": 40, "power_mw": 10}],
    "consumers": [{"name": "load", "load_mw": 100, "flexible_share": 0.2}],
}
KEY = 0xABC


def recorded(**settings: object) -> Core:
    """A core whose seats place orders and whose books are kept."""
    return Core(world(**settings), 1, ON_ORDER, record=True)


def told(core: Core, outcome: Outcome) -> list[Message]:
    """The messages of a first interval."""
    return interval_messages(core.compiled, outcome, 0, 0, KEY)


def answers(messages: list[Message], seat: str) -> list[DispatchInstruction]:
    """What the operator told a seat."""
    return [m for m in messages if isinstance(m, DispatchInstruction) and m.receiver == seat]


def reasons(core: Core, **actions: object) -> dict[str, list[str]]:
    """Seat -> why its orders got what they got, after one interval of these orders."""
    messages = told(core, play(core, **actions))
    return {s: [a.reason.value for a in answers(messages, s)] for s in core.compiled.layout.seats[:-1]}


def signals(mask: int) -> list[EmergencySignal]:
    return emergency_signals(mask, 7, (str(number) for number in count()))


def listening(*receivers: str) -> MarketEnv:
    """A market of the shipped world with these subscribers, at its beginning."""
    env = parallel_env("auction", seats="operator", others="markup")
    for receiver in receivers:
        env.messages.subscribe(receiver)
    env.reset(seed=3)
    return env


def price_update(number: int, receiver: str = EVERYONE) -> Message:
    """A message to be told apart by its number."""
    return MarketPriceUpdate(str(number), number, "operator", receiver, 50.0, 50.0, 60.0, 100.0, 100.0, 0.0, 0.0, 0.0)


def test_a_small_market_sends_every_type_except_emergencies_which_it_has_none_of() -> None:
    core = recorded(**UNITS)
    kinds = {m.type for m in told(core, play(core, unit_0=[20, 60], battery=[90, 10], load=[85, 20]))}
    assert kinds == set(MessageType) - {MessageType.EMERGENCY_SIGNAL}


def test_each_type_has_one_record() -> None:
    assert [record.type for record in RECORDS] == list(MessageType)


def test_orders_and_answers_say_what_was_asked_and_what_was_accepted() -> None:
    core = recorded(**UNITS)
    messages = told(core, play(core, unit_0=[20, 60], unit_1=[45, 60], battery=[10, -10], load=[85, 20]))
    bids = {m.sender: m for m in messages if isinstance(m, GenerationBid)}
    assert (bids["unit_1"].price_per_mwh, bids["unit_1"].quantity_mw, bids["unit_1"].role) == (45, 60, "generator")
    assert (bids["battery"].price_per_mwh, bids["battery"].quantity_mw) == (10, -10), "charging is negative"
    (offer,) = [m for m in messages if isinstance(m, DemandResponseOffer)]
    assert (offer.sender, offer.price_per_mwh, offer.quantity_mw) == ("load", 85, 20)
    (answer,) = answers(messages, "unit_1")
    assert answer.reply_to == bids["unit_1"].message_id
    assert (answer.quantity_mw, answer.accepted_mw, answer.setpoint_mw) == (60, 40, 40)
    assert (answer.clearing_price_per_mwh, answer.payment) == (45, 45 * 40)


def test_the_steps_of_a_curve_are_answered_one_by_one_and_add_up_to_the_set_point() -> None:
    core = Core(world(), 1, {"unit": "curve"}, record=True)
    told_unit = answers(told(core, play(core, unit=[10, 70, 40, 50, 60, 20])), "unit")
    assert [a.accepted_mw for a in told_unit] == [70, 30, 0]
    assert [a.reason for a in told_unit] == [Reason.CLEARED, Reason.PARTIALLY_CLEARED, Reason.DEMAND_MET]
    assert {a.setpoint_mw for a in told_unit} == {100}


def test_who_lost_when_all_demand_was_served_was_undercut() -> None:
    why = reasons(recorded(**UNITS), unit_0=[20, 60], unit_1=[45, 60], unit_2=[60, 60], load=[85, 20])
    assert why == {
        "unit_0": ["cleared"],
        "unit_1": ["partially_cleared"],
        "unit_2": ["demand_met_by_cheaper_generation"],
        "battery": ["not_offered"],
        "load": ["demand_met_by_cheaper_generation"],
    }


def test_who_lost_while_a_buyer_is_left_asked_more_than_the_buyer_would_pay() -> None:
    why = reasons(recorded(**UNITS), unit_0=[20, 60], unit_1=[45, 40], unit_2=[60, 60], battery=[50, -10])
    assert (why["unit_2"], why["battery"]) == (["bid_not_cleared"], ["bid_not_cleared"])
    why = reasons(recorded(**UNITS), unit_0=[20, 60], unit_1=[45, 60], unit_2=[60, 60], battery=[50, -30])
    assert (why["unit_2"], why["battery"]) == (["demand_met_by_cheaper_generation"], ["cleared"])
    why = reasons(recorded(**UNITS), unit_0=[20, 60], unit_1=[45, 60], unit_2=[60, 60], battery=[30, -10])
    assert (why["unit_1"], why["unit_2"], why["battery"]) == (
        ["partially_cleared"],
        ["bid_not_cleared"],
        ["bid_not_cleared"],
    )


def test_at_the_same_price_an_earlier_class_goes_first_and_the_later_one_lost_to_it() -> None:
    core = recorded(**UNITS)
    messages = told(core, play(core, unit_0=[45, 60], unit_1=[45, 60], battery=[45, 10]))
    (generator,), (battery,) = answers(messages, "unit_0"), answers(messages, "battery")
    assert (generator.reason, generator.accepted_mw) == (Reason.PARTIALLY_CLEARED, 50)
    assert (battery.reason, battery.order_price_per_mwh, battery.clearing_price_per_mwh) == (Reason.DEMAND_MET, 45, 45)


def test_must_run_that_is_held_back_is_curtailed() -> None:
    core = recorded(generators=[{"name": "unit", "capacity_mw": 150, "minimum_mw": 130, "cost_per_mwh": 50}])
    messages = told(core, play(core, unit=[50, 150]))
    must_run, above = answers(messages, "unit")
    assert (must_run.reason, must_run.quantity_mw, must_run.accepted_mw) == (Reason.CURTAILED, 130, 100)
    assert above.reason == Reason.DEMAND_MET
    assert next(m.must_run for m in messages if isinstance(m, GenerationBid))


def test_no_loser_asked_less_than_the_price_in_a_long_random_episode() -> None:
    env = listening(EVERYONE)
    lost = 0
    for _ in range(48):
        env.step({"operator": 0})
        for m in env.messages.read(EVERYONE):
            if isinstance(m, DispatchInstruction) and m.quantity_mw > 0 and m.accepted_mw == 0:
                lost += 1
                assert m.order_price_per_mwh is not None
                assert m.order_price_per_mwh >= m.clearing_price_per_mwh
    assert lost > 48


def test_instructions_pay_what_the_seats_were_paid() -> None:
    env = listening(EVERYONE)
    for _ in range(30):
        env.step({"operator": 0})
        messages = env.messages.read(EVERYONE)
        layout, results = env.core.compiled.layout, env.latest.seats[0]
        for seat, role in zip(layout.seats, layout.roles, strict=True):
            if role != "operator":
                paid = sum(a.payment for a in answers(list(messages), seat))
                assert paid == pytest.approx(results[layout.index(seat), 2], rel=1e-9, abs=1e-9)


def test_states_balance_the_grid_and_say_the_stored_share() -> None:
    core = recorded(**UNITS)
    messages = told(core, play(core, unit_0=[20, 60], unit_1=[45, 60], battery=[200, -10], load=[30, 20]))
    states = {m.sender: m for m in messages if isinstance(m, StatusUpdate)}
    assert sum(s.output_mw for s in states.values()) == pytest.approx(0.0, abs=1e-9)
    assert states["load"].output_mw == pytest.approx(-80)
    assert (states["battery"].output_mw, states["load"].unserved_mw) == (-10, 0)
    soc = states["battery"].soc
    assert soc is not None
    assert soc > 0.5
    assert states["unit_0"].available_mw == 60


def test_a_connection_has_no_seat_and_gets_no_mail_but_its_bid_counts_as_demand() -> None:
    profiles = {"demand": FLAT, "price": {**FLAT, "unit": "per_mwh", "scale": 40}}
    core = recorded(**UNITS, profiles=profiles, connection=CONNECTION)
    messages = told(core, play(core, unit_0=[20, 60], unit_1=[39, 60], unit_2=[90, 60]))
    assert "connection" not in {name for m in messages for name in (m.sender, m.receiver)}
    (answer,) = answers(messages, "unit_2")
    assert answer.reason == Reason.BID_NOT_CLEARED


def test_a_book_that_was_not_kept_is_asked_for() -> None:
    core = Core(world(), 1, ON_ORDER)
    with pytest.raises(DataError, match="record=True"):
        told(core, play(core, unit=[50, 150]))


@pytest.mark.parametrize(
    "mask, stages",
    [
        (0, []),
        (1, []),
        (0b0000111, [Stage.NORMAL, Stage.DETECTION, Stage.ALERT]),
        (0b1011100, [Stage.ALERT, Stage.STORAGE, Stage.SHEDDING, Stage.RECOVERY]),
        (0b1111111, list(Stage)),
    ],
)
def test_each_stage_that_was_passed_is_one_broadcast_in_order(mask: int, stages: list[Stage]) -> None:
    sent = signals(mask)
    assert [signal.stage for signal in sent] == stages
    assert {signal.receiver for signal in sent} <= {EVERYONE}
    assert [signal.message_id for signal in sent] == [str(number) for number in range(len(stages))]


def test_ids_are_the_episode_the_interval_and_a_number_and_repeat_with_the_episode() -> None:
    def ids(seed: int, listener: str) -> list[str]:
        env = listening(listener)
        env.reset(seed=seed)
        for _ in range(3):
            env.step({"operator": 0})
        return [m.message_id for m in env.messages.read(listener)]

    first = ids(3, EVERYONE)
    assert first == ids(3, EVERYONE)
    assert len(first) == len(set(first))
    assert set(first).isdisjoint(ids(4, EVERYONE))
    assert set(ids(3, "gas_1")) < set(first), "who listens changes no id"
    key, interval, number = first[0].split("/")
    assert (len(key), interval, number) == (16, "0", "0")


def test_a_full_mailbox_drops_the_oldest_and_counts() -> None:
    router = Router()
    router.subscribe("a", capacity=3)
    router.deliver(price_update(number) for number in range(5))
    assert router.dropped("a") == 2
    assert [m.interval for m in router.read("a")] == [2, 3, 4]
    assert router.read("a") == ()


def test_a_broadcast_reaches_everyone_but_its_sender_and_other_mail_only_its_receiver() -> None:
    router = Router()
    for name in ("operator", "a", "b"):
        router.subscribe(name)
    router.deliver([price_update(0), price_update(1, "a")])
    assert [len(router.read(name)) for name in ("operator", "a", "b")] == [0, 2, 1]


def test_a_subscriber_gets_the_types_it_asked_for_and_the_observer_all() -> None:
    env = listening(EVERYONE)
    env.messages.subscribe("gas_1", types=[MessageType.MARKET_PRICE_UPDATE])
    env.step({"operator": 0})
    assert [m.type for m in env.messages.read("gas_1")] == [MessageType.MARKET_PRICE_UPDATE]
    assert {m.sender for m in env.messages.read(EVERYONE)} == set(env.core.compiled.layout.seats)


def test_a_subscriber_sees_only_what_is_meant_for_it() -> None:
    env = listening("gas_1", "operator")
    env.step({"operator": 0})
    assert {m.receiver for m in env.messages.read("gas_1")} == {"gas_1", EVERYONE}
    assert {m.receiver for m in env.messages.read("operator")} == {"operator"}


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[Message]:
    """Every message that any market writes meanwhile."""
    kept: list[Message] = []

    def write(*arguments: object) -> list[Message]:
        messages = interval_messages(*arguments)  # pyright: ignore[reportArgumentType]
        kept.extend(messages)
        return messages

    monkeypatch.setattr(parallel, "interval_messages", write)
    return kept


def test_where_nobody_subscribed_no_message_is_written(written: list[Message]) -> None:
    env = listening()
    for _ in range(3):
        env.step({"operator": 0})
    assert written == []
    env.messages.subscribe("gas_1")
    env.step({"operator": 0})
    heard = len(written)
    assert heard > 0
    env.messages.unsubscribe("gas_1")
    env.step({"operator": 0})
    assert len(written) == heard


def test_listening_changes_nothing_in_the_market() -> None:
    loud, quiet = listening(EVERYONE), listening()
    for _ in range(5):
        loud.step({"operator": 0})
        quiet.step({"operator": 0})
        assert np.array_equal(loud.latest.seats, quiet.latest.seats)


def test_a_wrong_subscription_says_what_is_right() -> None:
    env = listening()
    with pytest.raises(ScenarioError, match=r"'batery_1'.*did you mean 'battery_1'"):
        env.messages.subscribe("batery_1")
    with pytest.raises(ScenarioError, match=r"mailbox: got 'gas_1'.*subscribe"):
        env.messages.read("gas_1")
    with pytest.raises(ScenarioError, match=r"capacity.*1 or more"):
        env.messages.subscribe("gas_1", capacity=0)
    with pytest.raises(ScenarioError, match=r"type of message.*market_price_update"):
        env.messages.subscribe("gas_1", types=["rumour"])  # pyright: ignore[reportArgumentType]


def test_a_table_has_a_row_a_message_and_the_same_columns_whatever_was_sent() -> None:
    core = recorded(**UNITS)
    messages = told(core, play(core, unit_0=[20, 60], unit_1=[45, 60], load=[85, 20]))
    table = messages_table(messages)
    assert list(table["message_id"]) == [m.message_id for m in messages]
    assert table.loc[table["type"] == "dispatch_instruction", "accepted_mw"].sum() == 100
    assert list(messages_table([]).columns) == list(table.columns)
    assert len(messages_table([])) == 0


def test_a_record_is_plain_values_that_any_format_holds() -> None:
    core = recorded(**UNITS)
    records = [m.record() for m in [*told(core, play(core, unit_0=[20, 60])), *signals(0b11)]]
    assert json.loads(json.dumps(records)) == records
    assert all(type(value) in (str, int, float, bool, type(None)) for record in records for value in record.values())


def test_a_graph_adds_up_counts_mw_and_dollars_by_pair_and_type() -> None:
    pytest.importorskip("networkx")
    core = recorded(**UNITS)
    messages = told(core, play(core, unit_0=[20, 60], unit_1=[45, 60], battery=[10, -10], load=[85, 20]))
    graph = messages_graph([*messages, *messages])
    roles = {name: graph.nodes[name]["role"] for name in ("unit_1", "battery", "load", "operator", EVERYONE)}
    assert list(roles.values()) == ["generator", "storage", "consumer", "operator", "broadcast"]
    answered = graph.edges["operator", "unit_1", "dispatch_instruction"]
    assert (answered["count"], answered["mw"], answered["dollars"]) == (2, 80, 2 * 45 * 40)
    assert graph.edges["battery", "operator", "generation_bid"]["mw"] == -20
    assert sum(edge["count"] for *_, edge in graph.edges(data=True)) == 2 * len(messages)


def test_without_networkx_the_graph_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "networkx", None)
    with pytest.raises(DataError, match=r"gridmarl\[graph\]"):
        messages_graph([])
