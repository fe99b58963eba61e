"""The numbers of an episode, computed by hand for a small one."""

from __future__ import annotations

import pytest

from gridmarl.agents.rules import Rule
from gridmarl.agents.team import Team
from gridmarl.evaluation.metrics import Yardstick, consumer_cost, measure, renewable_share, resource_cost
from gridmarl.evaluation.rollout import rollout
from gridmarl.evaluation.trajectory import Trajectory
from tests.environment.worlds import FLAT, Settings, world

EXACT = 1e-9


def played(**settings: object) -> Trajectory:
    """Two hours: 30 MW of sun, 60 MW of gas at $40 asking 50, a load of 100 MW that gives up 4 MW at $70."""
    base: Settings = {
        "profiles": {"demand": FLAT, "sun": FLAT},
        "generators": [
            {"name": "pv", "capacity_mw": 30, "availability": "sun", "renewable": True},
            {"name": "gas", "capacity_mw": 60, "cost_per_mwh": 40, "co2_kg_per_mwh": 500},
        ],
        "consumers": [{"name": "load", "load_mw": 100, "flexible_share": 0.04, "dr_price_per_mwh": 70}],
        "intervals": 2,
    }
    team = Team({"gas": Rule("fixed", price_per_mwh=50), "consumer": Rule("truthful")}, "hand")
    return rollout(world(**{**base, **settings}), team)


def test_resource_cost_is_true_cost_and_lost_load_without_transfers() -> None:
    fuel, comfort, lost = 60 * 40, 4 * 70, 6 * 10_000
    assert resource_cost(played()) == pytest.approx(2 * (fuel + comfort + lost), abs=EXACT)


def test_a_change_of_stored_energy_is_credited_and_owed_energy_charged_at_the_declared_price() -> None:
    battery = {"name": "battery", "capacity_mwh": 100, "power_mw": 5, "round_trip_efficiency": 1.0, "wear_per_mwh": 2}
    gas = {"name": "gas", "capacity_mw": 200, "cost_per_mwh": 40}
    load = {
        "name": "load",
        "load_mw": 100,
        "flexible_share": 0.1,
        "dr_price_per_mwh": 30,
        "rebound_share": 1,
        "rebound_h": 1000,
    }
    team = Team({"storage": Rule("threshold", charge_below_per_mwh=45), "consumer": Rule("truthful")}, "hand")
    scenario = world(generators=[gas], storage=[battery], consumers=[load], intervals=1, stored_energy_price_per_mwh=25)
    trajectory = rollout(scenario, team)
    assert (trajectory.stored_mwh, trajectory.owed_mwh) == (pytest.approx(5), pytest.approx(10))
    spent = 95 * 40 + 10 * 30 + 5 * 2
    assert resource_cost(trajectory) == pytest.approx(spent - 25 * (5 - 10), abs=EXACT)


def test_net_imports_cost_wholesale_and_fees_are_transfers() -> None:
    profiles = {"demand": FLAT, "price": {"unit": "per_mwh", "scale": 20}}
    connection = {"limit_mw": 30, "import_fee_per_mwh": 5}
    gas = {"name": "gas", "capacity_mw": 200, "cost_per_mwh": 40}
    trajectory = rollout(world(profiles=profiles, generators=[gas], connection=connection, intervals=1), "truthful")
    assert resource_cost(trajectory) == pytest.approx(70 * 40 + 30 * 20, abs=EXACT)
    columns = {m.metric: m.value for m in measure(trajectory, Yardstick(1.0, 0.0))}
    assert columns["congestion_rent"] == pytest.approx(30 * (40 - 20 - 5), abs=EXACT)


def test_consumers_pay_their_bills_less_what_reductions_earned() -> None:
    price = 10_000
    assert consumer_cost(played()) == pytest.approx(2 * (94 * price - 4 * price), rel=1e-12)


def test_the_table_has_every_number_with_its_unit() -> None:
    columns = {m.metric: (m.value, m.unit) for m in measure(played(), Yardstick(200_000.0, 100_000.0))}
    cost = 2 * (2400 + 280 + 60_000)
    assert columns["resource_cost"] == (pytest.approx(cost), "$")
    assert columns["regret"] == (pytest.approx(cost - 100_000), "$")
    assert columns["share"] == (pytest.approx((200_000 - cost) / 100_000), "1")
    assert columns["profit_generator"] == (pytest.approx(2 * (90 * 10_000 - 2400)), "$")
    assert columns["unserved"] == (pytest.approx(12), "MWh")
    assert columns["emissions"] == (pytest.approx(2 * 60 * 0.5), "t")
    assert columns["renewable_share"] == (pytest.approx(60 / 188), "1")
    assert columns["mean_price"] == (pytest.approx(10_000), "$/MWh")
    assert columns["curtailed"] == (0, "MWh")


def test_where_little_can_be_saved_no_share_is_printed() -> None:
    assert Yardstick(100.0, 98.0).share(98.5) == pytest.approx(0.75)
    assert Yardstick(100.0, 99.5).share(99.7) is None
    assert Yardstick(-100.0, -100.5).share(-100.2) is None
    assert Yardstick(-100.0, -102.0).share(-101.0) == pytest.approx(0.5)


def test_without_demand_there_is_no_renewable_share() -> None:
    assert renewable_share(played(profiles={"demand": {"scale": 0.0}, "sun": FLAT})) is None
