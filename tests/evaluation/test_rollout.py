"""A rollout keeps everything an episode did, under the names it had, and a table says it tidily."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

import gridmarl
from gridmarl.agents.rules import Rule
from gridmarl.agents.team import Team
from gridmarl.environment.compiled.columns import MARKET_NAMES, SEAT_NAMES
from gridmarl.errors import CatalogueError, ScenarioError
from gridmarl.evaluation.rollout import rollout
from gridmarl.evaluation.trajectory import Trajectory
from gridmarl.scenario.scenario import Scenario
from tests.environment.worlds import world

SHORT = Scenario.load("auction").but(intervals=12)


@pytest.fixture(scope="module")
def played() -> Trajectory:
    return rollout(SHORT, "truthful", seed=5)


def test_a_rollout_is_stamped_with_all_that_made_it(played: Trajectory) -> None:
    assert (played.scenario, played.digest, played.source) == ("auction", SHORT.digest, "synthetic")
    assert (played.team, played.information, played.sees) == ("truthful", "public", "own")
    assert (played.split, played.seed) == ("test", 5)
    assert played.start_utc == datetime(2025, 7, 1, tzinfo=UTC)
    assert played.wall_s > 0


def test_a_rollout_is_the_environments_episode_with_the_same_actions(played: Trajectory) -> None:
    codecs = {"generator": "markup", "storage": "curve", "consumer": "markup"}
    env = gridmarl.parallel_env(SHORT, codecs=codecs, split="test")
    env.reset(seed=5)
    for interval in range(SHORT.intervals):
        actions: dict[str, object] = {}
        for agent in env.agents:
            size = env.action_space(agent).shape
            actions[agent] = np.ones(1) if size == (1,) else 0
        for name, mw in (("battery_1", 15.0), ("battery_2", 10.0)):
            actions[name] = np.array([40.0, -mw, 55.0, mw, 55.0, 0.0])
        env.step(actions)
        assert np.array_equal(env.latest.seats[0], played.results[interval])
        assert np.array_equal(env.latest.book[0], played.book[interval])


def test_splits_and_seeds_are_other_episodes(played: Trajectory) -> None:
    for other in (rollout(SHORT, "truthful", seed=6), rollout(SHORT, "truthful", seed=5, split="train")):
        assert not np.array_equal(other.realised, played.realised)
    assert np.array_equal(rollout(SHORT, "truthful", seed=5).results, played.results)


def test_progress_is_told_after_every_interval() -> None:
    told: list[int] = []
    rollout(SHORT, "truthful", progress=told.append)
    assert told == [1] * 12


def test_the_book_names_the_seat_behind_every_slot(played: Trajectory) -> None:
    assert len(played.order_seats) == played.book.shape[1]
    assert played.order_seats[played.offers - 1] == played.order_seats[-1] == "connection"
    accepted = played.book[:, :, 2]
    for seat, role in zip(played.seats, played.roles, strict=True):
        mine = [slot for slot, name in enumerate(played.order_seats) if name == seat]
        sold = accepted[:, [slot for slot in mine if slot < played.offers]].sum(axis=1)
        bought = accepted[:, [slot for slot in mine if slot >= played.offers]].sum(axis=1)
        power = played.schedule(seat)
        if role == "storage":
            assert power == pytest.approx(sold - bought, abs=1e-12)
        elif role != "operator":
            assert power == pytest.approx(sold, abs=1e-12)


def test_columns_are_found_by_name_and_unknown_ones_suggest_the_nearest(played: Trajectory) -> None:
    price = played.of_market("price_per_mwh")
    assert np.array_equal(price, played.market[:, 0])
    revenue = played.of_seat("gas_1", "revenue")
    assert revenue == pytest.approx(price * played.schedule("gas_1") / 12)
    with pytest.raises(ScenarioError, match="did you mean 'price_per_mwh'"):
        played.of_market("price_pr_mwh")
    with pytest.raises(ScenarioError, match="did you mean 'gas_1'"):
        played.of_seat("gas1", "revenue")
    with pytest.raises(ScenarioError, match=r"'gas_1'.*did you mean 'revenue'"):
        played.of_seat("gas_1", "revenu")


def test_rewards_of_a_role_are_the_sum_of_its_seats(played: Trajectory) -> None:
    total = sum(played.of_seat(name, "reward").sum() for name in ("battery_1", "battery_2"))
    assert played.rewards("storage") == pytest.approx(total)


def test_change_of_stored_energy_and_what_is_owed_are_kept() -> None:
    scenario = world(
        generators=[{"name": "unit", "capacity_mw": 150, "cost_per_mwh": 90}],
        storage=[{"name": "battery", "capacity_mwh": 100, "power_mw": 8, "round_trip_efficiency": 1.0}],
        consumers=[{"name": "load", "load_mw": 100, "flexible_share": 0.1, "dr_price_per_mwh": 50, "rebound_share": 1}],
        intervals=1,
    )
    team = Team(
        {
            "storage": Rule("threshold", charge_below_per_mwh=95, discharge_above_per_mwh=99),
            "consumer": Rule("truthful"),
        }
    )
    trajectory = rollout(scenario, team)
    assert trajectory.stored_mwh == pytest.approx(8)
    assert trajectory.owed_mwh == pytest.approx(10)


def test_the_tidy_table_has_a_row_for_every_interval_seat_and_name(played: Trajectory) -> None:
    table = played.intervals_table()
    per_seat = sum(len(SEAT_NAMES[role]) for role in played.roles)
    assert len(table) == 12 * (len(MARKET_NAMES) + per_seat)
    assert not table.isna().any().any()
    price = table[(table["seat"] == "market") & (table["name"] == "price_per_mwh")]
    assert np.array_equal(np.asarray(price["value"]), played.of_market("price_per_mwh"))
    assert list(price["start_utc"]) == played.times()
    assert played.times()[1] - played.times()[0] == timedelta(minutes=5)
    soc = table[(table["seat"] == "battery_1") & (table["name"] == "soc")]
    assert np.array_equal(np.asarray(soc["value"]), played.of_seat("battery_1", "soc"))
    assert set(table["digest"]) == {SHORT.digest}


def test_an_unknown_team_or_world_is_refused_with_a_suggestion() -> None:
    with pytest.raises(CatalogueError, match="did you mean 'truthful'"):
        rollout("auction", "truthfl")
    with pytest.raises(CatalogueError, match="did you mean 'auction'"):
        rollout("auctio", "truthful")


@pytest.mark.parametrize("seed", [-1, 1.5, 2**64])
def test_a_seed_that_is_no_whole_number_from_0_on_is_refused(seed: int) -> None:
    with pytest.raises(ScenarioError, match=r"seed: got .*; allowed: a whole number"):
        rollout("duopoly-low", "truthful", seed=seed)


def test_roles_and_seats_that_do_not_exist_are_refused_with_a_suggestion(played: Trajectory) -> None:
    with pytest.raises(ScenarioError, match=r"role: got 'generators'.*did you mean 'generator'"):
        played.rewards("generators")
    with pytest.raises(ScenarioError, match="did you mean"):
        played.power(played.seats[0] + "x")
    with pytest.raises(ScenarioError, match="seat of"):
        played.schedule("nobody")
