"""Who plays a home: teams that speak for prosumers play it whole, all others its parts; the rule keeps its own sun."""

from __future__ import annotations

import numpy as np
import pytest

import gridmarl
from gridmarl.agents.homes import SelfConsumption
from gridmarl.agents.rules import Rule
from gridmarl.agents.team import SeatedTeam, Team, load_team, roles_of
from gridmarl.environment.core import Core
from gridmarl.errors import PrivacyError
from gridmarl.evaluation.rollout import rollout
from tests.environment.homes import HOME, street

STEADY = {"demand": {}, "sun": {"shape": "solar", "maximum": 1}, "price": {"unit": "per_mwh", "scale": 50}}
CALM = street(profiles=STEADY)


def seated(team: str | Team, **settings: object) -> SeatedTeam:
    return SeatedTeam(load_team(team), street(**settings))


def test_a_team_that_does_not_know_homes_plays_their_parts() -> None:
    team = seated("truthful")
    assert team.codecs["home"] == "separate"
    assert {"home.pv", "home.battery", "home.ev", "home.load", "operator"} <= set(team.codecs)


def test_a_team_that_knows_homes_plays_them_whole_even_where_the_world_says_separate() -> None:
    for settings in ({}, {"codecs": {"prosumer": "separate"}}):
        team = seated("self-consumption", **settings)
        assert team.codecs["home"] == "assets"
        assert not any(seat.startswith("home.") for seat in team.codecs)


def test_a_pattern_may_give_one_home_to_an_agent_and_the_rest_to_others() -> None:
    other = {**HOME, "name": "other"}
    agents = {"home": SelfConsumption(), "*": Rule("truthful"), "storage": Rule("idle")}
    team = Team({"home": agents["home"], "storage": agents["storage"], "*": agents["*"]})
    found = SeatedTeam(team, street(prosumers=[HOME, other])).codecs
    assert (found["home"], found["other"]) == ("assets", "separate")
    assert "other.pv" in found
    assert "home.pv" not in found


@pytest.mark.parametrize("team", ["truthful", "reference", "central", "selfish", "self-consumption"])
def test_teams_play_a_street_without_change(team: str) -> None:
    played = rollout(street(intervals=6), team, seed=0)
    assert np.isfinite(played.results).all()
    whole = "home" in played.seats
    assert whole == (team == "self-consumption")
    assert {"home.pv", "home.battery", "home.ev", "home.load"} <= set(played.seats), "parts stay in the accounts"
    assert len(played.intervals_table()) > 0


def test_profits_of_roles_do_not_count_a_home_twice() -> None:
    played = rollout(CALM, "self-consumption", seed=0)
    roles = sum(played.rewards(role) for role in ("generator", "storage", "consumer"))
    assert played.rewards("prosumer") == pytest.approx(roles, abs=1e-12)
    assert played.rows_of("consumer") == [played.seats.index("home.load")]


def test_self_consumption_follows_the_surplus_and_charges_on_return() -> None:
    played = rollout(CALM, "self-consumption", seed=0)
    solar, load = played.of_seat("home", "solar_mw"), played.of_seat("home", "load_mw")
    cell, car = played.of_seat("home", "battery_mw"), played.of_seat("home", "vehicle_mw")
    soc = played.of_seat("home.battery", "soc")
    free = (soc > 0.1001) & (soc < 0.8999)  # a full or an empty battery cannot
    assert free.sum() >= 4
    assert cell[free] == pytest.approx(np.clip(load - solar, -0.005, 0.005)[free], abs=1e-8)
    assert car[0] == pytest.approx(-0.010), "at midnight it is there and not ready"
    assert (car[7:18] == 0).all()
    assert car[18] == pytest.approx(-0.010)
    assert played.of_seat("home", "missing_cost").sum() == pytest.approx(0.0, abs=1e-9)


def test_rows_of_a_vector_are_played_as_one_environment_is() -> None:
    one = gridmarl.parallel_env(street(), seats="operator", others="self-consumption", split="test")
    many = gridmarl.vector_env(street(), 2, seats="operator", others="self-consumption", split="test")
    one.reset(seed=1)
    many.reset(seed=0)
    for _ in range(5):
        one.step({"operator": 0})
        many.step({"operator": np.zeros((2, 1))})
        assert np.array_equal(one.latest.seats[0], many.latest.seats[1])


def test_idle_homes_leave_everything_to_must_charge() -> None:
    team = Team({"prosumer": Rule("idle")})
    played = rollout(CALM, team, seed=0)
    assert (played.of_seat("home", "battery_mw") == 0).all()
    assert played.of_seat("home", "vehicle_mw").min() < 0
    assert played.of_seat("home", "missing_cost").sum() == pytest.approx(0.0, abs=1e-9)


def test_roles_are_those_of_the_seats_that_are_played() -> None:
    assert roles_of(street()) == {"home": "prosumer", "operator": "operator"}
    assert list(roles_of(street(), {"prosumer": "separate"}).values()) == [
        *("generator", "storage", "storage", "consumer", "operator")
    ]


def test_a_home_is_private_to_who_plays_it() -> None:
    from gridmarl.agents.seats import Seats

    core = Core(street())
    core.reset(np.zeros(1, np.uint64))
    own = Seats(core, 0, ("home",), "forecast", "own").home("home")
    assert set(own.parts) == {"solar", "battery", "ev", "load"}
    with pytest.raises(PrivacyError, match="home"):
        Seats(core, 0, ("operator",), "forecast", "own").home("home")


def test_one_home_is_a_gymnasium_environment() -> None:
    from gridmarl.agents.seat import SeatEnv

    env = SeatEnv(street(), seat="home")
    env.reset(seed=0)
    assert env.action_space.shape == (3,)
    seen, reward, *_ = env.step(np.zeros(3, np.float32))
    assert env.observation_space.contains(seen)
    assert np.isfinite(reward)
