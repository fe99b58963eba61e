"""Who plays which seat: names, roles and patterns, in the order they are written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gridmarl
from gridmarl.agents.agent import Information, Sees
from gridmarl.agents.rules import Rule, ZeroIntelligence
from gridmarl.agents.seats import Seats
from gridmarl.agents.team import SeatedTeam, Team, load_team, roles_of
from gridmarl.environment.core import Core
from gridmarl.environment.others import matches
from gridmarl.errors import ActionError, CatalogueError, ScenarioError
from gridmarl.evaluation.rollout import rollout
from gridmarl.scenario.scenario import Scenario

AUCTION = Scenario.load("auction")
SHORT = AUCTION.but(intervals=6)


class Recorder:
    """Notes what it is told, and asks $60 for nothing; may forget a seat."""

    information: Information = "public"
    sees: Sees = "own"
    codecs: Mapping[str, str] = {"generator": "order", "storage": "order", "consumer": "order", "operator": "levels"}

    def __init__(self, forgets: str = "") -> None:
        self.forgets, self.seen, self.seeds, self.handle = forgets, list[dict[str, Any]](), list[int](), None

    def begin(self, seats: Seats, seed: int) -> None:
        self.handle = seats
        self.seeds.append(seed)

    def act(self, observations: Mapping[str, Any]) -> dict[str, Any]:
        self.seen.append({seat: observed.copy() for seat, observed in observations.items()})
        return {s: 0 if s == "operator" else np.array([60.0, 0.0]) for s in observations if s != self.forgets}

    def save(self, folder: Path) -> None:
        """Nothing to keep."""


@pytest.mark.parametrize(
    "pattern, seats",
    [
        ("generator", {"solar_1", "wind_1", "coal_1", "gas_1", "gas_2"}),
        ("gas_*", {"gas_1", "gas_2"}),
        ("*_1", {"solar_1", "wind_1", "coal_1", "gas_1", "battery_1", "load_1"}),
        ("storage_*", {"battery_1", "battery_2"}),
        ("battery_2", {"battery_2"}),
        ("operator", {"operator"}),
        ("gas_3", set()),
        ("Gas_1", set()),
    ],
)
def test_a_pattern_is_a_role_a_name_or_a_wildcard_over_either(pattern: str, seats: set[str]) -> None:
    assert {seat for seat, role in roles_of(AUCTION).items() if matches(pattern, seat, role)} == seats


def test_the_first_match_plays() -> None:
    one, rest = Rule("fixed", price_per_mwh=1), Rule("fixed", price_per_mwh=2)
    assert Team({"gas_1": one, "generator": rest}).player_of("gas_1", "generator") is one
    assert Team({"gas_1": one, "generator": rest}).player_of("gas_2", "generator") is rest
    assert Team({"generator": rest, "gas_1": one}).player_of("gas_1", "generator") is rest


def test_the_wildcard_is_all_who_trade_and_the_operator_is_passive_unless_it_is_named() -> None:
    everyone = Recorder()
    team = Team({"*": everyone})
    assert team.player_of("load_1", "consumer") is everyone
    assert team.player_of("operator", "operator") is not everyone
    rollout(SHORT, team)
    assert set(everyone.seen[0]) == set(SHORT.seats)
    named = Recorder()
    rollout(SHORT, Team({"operator": named}))
    assert set(named.seen[0]) == {"operator"}


def test_who_is_not_named_idles_and_a_generator_is_then_truthful() -> None:
    trajectory = rollout(SHORT, Team({"gas_1": Rule("fixed", price_per_mwh=99)}))
    assert (trajectory.of_seat("gas_1", "offer_price_per_mwh") == 99).all()
    assert (trajectory.of_seat("gas_2", "offer_price_per_mwh") == 75).all()
    assert not trajectory.of_seat("battery_1", "power_mw").any()
    assert not trajectory.of_seat("load_1", "reduction_mw").any()


def test_one_agent_in_several_entries_is_asked_once_for_all_its_seats() -> None:
    agent = Recorder()
    rollout(SHORT, Team({"gas_*": agent, "battery_1": agent}))
    assert len(agent.seen) == SHORT.intervals
    assert set(agent.seen[0]) == {"gas_1", "gas_2", "battery_1"}
    assert agent.handle is not None
    assert set(agent.handle.played) == {"gas_1", "gas_2", "battery_1"}


def test_a_player_sees_its_seats_observations_as_an_outsider_would() -> None:
    agent = Recorder()
    rollout(SHORT, Team({"gas_1": agent}), seed=3, split="test")
    env = gridmarl.parallel_env(SHORT, seats="gas_1", others=Team({}), codecs={"gas_1": "order"}, split="test")
    observed = env.reset(seed=3)[0]
    for seen in agent.seen:
        assert np.array_equal(seen["gas_1"], observed["gas_1"])
        observed = env.step({"gas_1": np.array([60.0, 0.0])})[0]


def test_an_agent_speaks_the_codec_it_names() -> None:
    seated = SeatedTeam(Team({"generator": Rule("maximum"), "storage": Rule("threshold")}), AUCTION)
    assert seated.codecs["gas_1"] == "order"
    assert seated.codecs["battery_1"] == "curve"
    assert seated.codecs["load_1"] == "share"
    assert seated.codecs["operator"] == "levels"


def test_seeds_of_players_differ_by_seed_and_by_player() -> None:
    one, other = Recorder(), Recorder()
    team = Team({"gas_1": one, "gas_2": other})
    for seed in (0, 1, 0):
        rollout(SHORT, team, seed=seed)
    assert len({*one.seeds, *other.seeds}) == 4
    assert one.seeds[0] == one.seeds[2]


def test_who_forgets_a_seat_is_told_which() -> None:
    with pytest.raises(ActionError, match=r"Recorder.*'gas_2'"):
        rollout(SHORT, Team({"generator": Recorder(forgets="gas_2")}))


@pytest.mark.parametrize(
    "settings, kind, said",
    [
        ({"seat": {}}, ScenarioError, "team 'mine': key.*'seat'.*did you mean 'seats'"),
        ({"seats": {}}, ScenarioError, "team 'mine': seats.*add entries"),
        ({"seats": {"generator": {"rule": "markup"}}}, ScenarioError, "seats.generator.*name a kind"),
        ({"seats": {"generator": {"kind": "ruel"}}}, CatalogueError, "'ruel'.*did you mean 'rule'"),
        ({"seats": {"generator": {"kind": "rule", "rule": "markop"}}}, ScenarioError, "did you mean 'markup'"),
        ({"seats": {"generator": {"kind": "rule"}}}, ScenarioError, "kind rule|'rule'"),
        ({"seats": {"generator": {"kind": "zero-intelligence", "highest": 3}}}, ScenarioError, "highest"),
    ],
)
def test_a_team_file_that_cannot_be_meant_is_refused(
    settings: dict[str, Any], kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=said):
        Team.from_mapping(settings, "mine")


def test_a_pattern_that_fits_no_seat_of_a_role_its_agent_plays_is_refused_by_the_agent() -> None:
    with pytest.raises(ScenarioError, match="Rule for the storage 'battery_1'"):
        rollout(SHORT, Team({"battery_1": Rule("maximum")}))


def test_a_team_is_as_informed_as_its_best_informed_agent() -> None:
    planner, rule = Recorder(), Rule("idle")
    planner.information, planner.sees = "forecast", "team"
    assert (Team({"generator": planner, "storage": rule}).information, Team({"storage": rule}).information) == (
        "forecast",
        "public",
    )
    assert (Team({"generator": planner, "storage": rule}).sees, Team({"storage": rule}).sees) == ("team", "own")


def test_a_shipped_team_is_loaded_by_name_a_file_by_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("description: Mine.\nseats: {generator: {kind: rule, rule: markup, factor: 2}}\n")
    assert load_team("truthful").name == "truthful"
    assert load_team(path).name == "mine"
    assert load_team(load_team(path)).description == "Mine."
    with pytest.raises(CatalogueError, match="did you mean 'truthful'"):
        load_team("truthfull")


def test_a_player_with_memory_is_refused_in_many_markets_at_once_before_it_can_mix_them_up() -> None:
    env = gridmarl.vector_env(SHORT, 2, seats="battery_1", others=Team({"gas_1": Recorder()}))
    with pytest.raises(ScenarioError, match=r"Recorder in 2 environments at once.*parallel_env"):
        env.reset(seed=0)


def test_random_others_draw_anew_in_every_episode_and_alike_for_every_seed() -> None:
    def books(seed: int) -> list[np.ndarray]:
        env = gridmarl.vector_env(SHORT, 3, seats="battery_1", others=Team({"generator": ZeroIntelligence()}))
        env.reset(seed=seed)
        asked = []
        for _ in range(2 * SHORT.intervals):
            infos = env.step({"storage": np.zeros((3, 1, 1))})[4]
            asked.append(infos["seats"][:, 3, 9].copy())
        return asked

    once, again, other = books(4), books(4), books(5)
    assert np.array_equal(once, again)
    assert not np.array_equal(once, other)
    assert not np.array_equal(once[0], once[SHORT.intervals])
    assert len(set(once[0].tolist())) == 3


def test_a_core_of_many_rows_can_be_played_by_rules() -> None:
    core = Core(SHORT, 3, SeatedTeam(load_team("truthful"), SHORT).codecs)
    seated = SeatedTeam(load_team("truthful"), SHORT)
    outcome = core.reset(np.array([1, 2, 3], np.uint64))
    seated.begin(core)
    actions = np.zeros((3, core.width))
    seated.fill(outcome, actions)
    together = core.step(actions)
    for row, seed in enumerate((1, 2, 3)):
        alone = rollout(SHORT, "truthful", seed=seed)
        assert np.array_equal(together.market[row], alone.market[0])


def test_one_team_can_sit_in_two_markets_at_once() -> None:
    team = load_team("fixed")
    one = gridmarl.parallel_env(SHORT, seats="gas_1", others=team)
    bigger = SHORT.but(generators=[g.model_dump() | {"capacity_mw": 60.0} for g in SHORT.generators])
    other = gridmarl.parallel_env(bigger, seats="gas_2", others=team)
    alone = gridmarl.parallel_env(SHORT, seats="gas_1", others="fixed")
    for env in (one, other, alone):
        env.reset(seed=1)
    for _ in range(SHORT.intervals):
        one.step({"gas_1": 3})
        other.step({"gas_2": 3})
        alone.step({"gas_1": 3})
        assert np.array_equal(one.latest.seats, alone.latest.seats)


def test_what_is_no_agent_is_refused_when_the_team_is_made() -> None:
    with pytest.raises(ScenarioError, match=r"player of 'storage': got 'truthful'.*it has no information, sees"):
        Team({"storage": "truthful"})  # pyright: ignore[reportArgumentType]  # on purpose


def test_a_team_of_nobody_idles_and_knows_nothing() -> None:
    nobody = Team({}, name="nobody")
    assert (nobody.information, nobody.sees) == ("public", "own")
    assert rollout("duopoly-low", nobody).team == "nobody"
