"""A flow plays exactly what its player plays, hears what its seats hear, and keeps plain values only."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

import gridmarl
from gridmarl.agents.agent import Agent, BatchAgent
from gridmarl.agents.load import load_agent
from gridmarl.agents.make import parallel_env
from gridmarl.agents.rules import Rule, ZeroIntelligence
from gridmarl.agents.team import Team, load_team
from gridmarl.environment.compiled.columns import DEVIATION_MW, POWER_MW
from gridmarl.environment.messages.records import Scalar
from gridmarl.errors import ActionError, ScenarioError
from gridmarl.evaluation.rollout import rollout
from gridmarl.scenario.scenario import Scenario
from gridmarl.units import Float, Float32

pytest.importorskip("langgraph", reason="needs the extra gridmarl[graph]")

from gridmarl.agents.flow import NODES, FlowAgent, FlowState

LOST = ("bid_not_cleared", "demand_met_by_cheaper_generation")
SHORT = Scenario.load("auction").but(intervals=8)


def wrapped(team: Team) -> Team:
    """The same team with each agent in a flow."""
    return Team({pattern: FlowAgent(agent) for pattern, agent in team.agents.items()}, team.name)


class Watcher(Rule):
    """Offers at a price that depends on every bit of what it observes, and keeps nothing else."""

    constant = False

    def __init__(self) -> None:
        super().__init__("fixed")

    def act(self, observations: Mapping[str, Float32]) -> dict[str, Float]:
        return {
            s: np.array([20.0 + abs(float(o.astype(np.float64).sum())) % 60, 30.0]) for s, o in observations.items()
        }


class Forgetful(Watcher):
    """Forgets a seat."""

    def act(self, observations: Mapping[str, Float32]) -> dict[str, Float]:
        return {seat: action for seat, action in super().act(observations).items() if seat != "gas_2"}


@pytest.mark.parametrize("name", ["truthful", "markup", "central"])
def test_a_shipped_team_in_flows_plays_bit_for_bit_what_it_plays_without(name: str) -> None:
    plain, flowing = rollout(SHORT, name, seed=3), rollout(SHORT, wrapped(load_team(name)), seed=3)
    assert np.array_equal(plain.book, flowing.book)
    assert np.array_equal(plain.results, flowing.results)
    assert (plain.information, plain.sees) == (flowing.information, flowing.sees)


@pytest.mark.parametrize("agent", [Watcher, ZeroIntelligence])
def test_a_player_that_observes_or_draws_acts_in_a_flow_as_it_does_without(
    agent: type[Watcher | ZeroIntelligence],
) -> None:
    plain = rollout(SHORT, Team({"generator": agent()}), seed=5)
    flowing = rollout(SHORT, Team({"generator": FlowAgent(agent())}), seed=5)
    asked = plain.of_seat("gas_1", "offer_price_per_mwh")
    assert len(set(asked.tolist())) > 1, "or the test would not see an observation that was changed"
    assert np.array_equal(plain.book, flowing.book)


def test_a_flow_is_an_agent_for_one_market_at_a_time() -> None:
    flow = FlowAgent(Rule("markup"))
    assert isinstance(flow, Agent)
    assert not isinstance(flow, BatchAgent)
    with pytest.raises(ScenarioError, match=r"FlowAgent in 2 environments.*parallel_env"):
        gridmarl.vector_env(SHORT, 2, seats="battery_1", others=Team({"gas_1": flow})).reset(seed=0)


def test_the_nodes_run_in_order_once_an_interval() -> None:
    flow = FlowAgent(Watcher())
    rollout(SHORT, Team({"gas_1": flow}))
    ran = [next(iter(update)) for update in flow.graph.stream(flow.state, stream_mode="updates")]
    assert ran == list(NODES)


def test_hooks_see_the_state_before_the_decision_and_after_it_and_notes_last_an_episode() -> None:
    before: list[FlowState] = []
    after: list[FlowState] = []

    def analyse(state: FlowState) -> Mapping[str, Scalar]:
        before.append(state)
        return {"fields": len(state["observations"]["gas_1"])}

    def learn(state: FlowState) -> Mapping[str, Scalar]:
        after.append(state)
        return {"played": int(str(state["notes"].get("played", 0))) + 1}

    team = Team({"gas_1": FlowAgent(Watcher(), analyse=analyse, learn=learn)})
    for _ in range(2):
        rollout(SHORT, team)
    assert [s["interval"] for s in before] == 2 * list(range(8))
    assert [s["notes"].get("played") for s in before] == 2 * [None, 1, 2, 3, 4, 5, 6, 7]
    assert all(not s["actions"] and s["observations"] for s in before)
    assert all(s["actions"].keys() == {"gas_1"} and s["notes"]["fields"] == 64 for s in after)


def test_a_flow_in_a_market_hears_what_became_of_its_bids() -> None:
    heard: list[FlowState] = []
    scheduled: list[list[float]] = []

    def learn(state: FlowState) -> Mapping[str, Scalar]:
        heard.append(state)
        return {}

    flow = FlowAgent(Watcher(), learn=learn)
    env = parallel_env(SHORT, seats="operator", others=Team({"gas_*": flow}))
    flow.router = env.messages
    for _ in range(2):
        env.reset(seed=1)
        for _ in range(SHORT.intervals):
            env.step({"operator": 0})
            rows = [env.latest.seats[0, env.core.compiled.layout.index(s)] for s in ("gas_1", "gas_2")]
            scheduled.append([row[POWER_MW] - row[DEVIATION_MW] for row in rows])
    assert [len(s["messages"]) > 0 for s in heard] == 2 * ([False] + 7 * [True])
    told = heard[1]["messages"]
    assert {m["receiver"] for m in told} == {"gas_1", "gas_2", "*"}
    for k in range(1, 8):
        answers = [m for m in heard[k]["messages"] if m["type"] == "dispatch_instruction"]
        assert [m["interval"] for m in answers] == [k - 1, k - 1]
        assert [m["accepted_mw"] for m in answers] == pytest.approx(scheduled[k - 1])
        assert all((m["accepted_mw"] == 0) == (m["reason"] in LOST) for m in answers)
    assert any(m["reason"] in LOST for state in heard for m in state["messages"] if "reason" in m)
    assert heard[8]["interval"] == 0, "mail of the last episode is not read in the next"


def test_the_state_is_plain_values() -> None:
    flow = FlowAgent(Watcher(), learn=lambda state: {"mood": "good"})
    env = parallel_env(SHORT, seats="operator", others=Team({"gas_*": flow}))
    flow.router = env.messages
    env.reset(seed=1)
    for _ in range(3):
        env.step({"operator": 0})
    assert flow.state["messages"]
    assert flow.state["notes"] == {"mood": "good"}
    assert json.loads(json.dumps(flow.state)) == flow.state


def test_a_note_that_is_no_plain_value_is_refused_by_name() -> None:
    def learn(state: FlowState) -> Mapping[str, Scalar]:
        return {"client": object()}  # pyright: ignore[reportReturnType]

    with pytest.raises(ActionError, match=r"'client' of the hook 'learn'.*'object'"):
        rollout(SHORT, Team({"gas_1": FlowAgent(Watcher(), learn=learn)}))


def test_a_player_that_forgets_a_seat_is_told_which() -> None:
    with pytest.raises(ActionError, match=r"Forgetful.*'gas_2'"):
        rollout(SHORT, Team({"gas_*": FlowAgent(Forgetful())}))


def test_an_unbegun_flow_says_so() -> None:
    with pytest.raises(ScenarioError, match=r"not yet begun.*begin\(\)"):
        FlowAgent(Rule("markup")).act({})


def test_what_a_flow_saves_plays_as_its_player(tmp_path: Path) -> None:
    FlowAgent(Rule("markup", factor=1.7)).save(tmp_path)
    once = rollout(SHORT, Team({"gas_1": load_agent(tmp_path)}))
    assert np.array_equal(once.book, rollout(SHORT, Team({"gas_1": Rule("markup", factor=1.7)})).book)


def test_without_langgraph_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "langgraph.graph", None)
    with pytest.raises(ScenarioError, match=r"gridmarl\[graph\]"):
        FlowAgent(Rule("markup"))


def test_a_flow_hands_on_the_negotiations_its_player_keeps() -> None:
    plain, flowing = rollout(SHORT, "admm"), rollout(SHORT, wrapped(load_team("admm")))
    assert len(plain.negotiations) > 0
    assert len(flowing.negotiations) == len(plain.negotiations)
