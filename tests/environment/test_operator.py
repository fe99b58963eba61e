"""What the operator can do: five interventions and five levels of reserve, each by hand; doing nothing is free."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gridmarl
from gridmarl.environment.compiled import arrays
from gridmarl.environment.core import Core
from gridmarl.scenario.scenario import Scenario
from tests.environment.worlds import Settings, market, play, seat, world

NONE, CARBON, HOLD, CALL, MITIGATE = range(5)
LEVELS = (1.0, 1.25, 1.5, 1.75, 2.0)
ORDERS = {"generator": "order", "storage": "order", "consumer": "share"}
OTHERS = [(CARBON, 0), (HOLD, 0), (CALL, 0), (MITIGATE, 0), (NONE, 1)]
"""Interventions and levels other than doing nothing."""


def near(value: float) -> Any:
    return pytest.approx(value, rel=1e-9, abs=1e-9)


def action(intervention: int, level: int = 0) -> int:
    """The operator's whole number."""
    return 5 * level + intervention


def core_of(**settings: object) -> Core:
    """A clean and a dirty unit, a battery and a load that could give 20 of its 100 MW at $60."""
    units = [
        {"name": "clean", "capacity_mw": 60, "cost_per_mwh": 30},
        {"name": "dirty", "capacity_mw": 90, "cost_per_mwh": 50, "co2_kg_per_mwh": 800},
    ]
    load: Settings = {"name": "load", "load_mw": 100, "flexible_share": 0.2, "dr_price_per_mwh": 60}
    battery = {"name": "battery", "capacity_mwh": 40, "power_mw": 10}
    scenario = world(
        **{
            "generators": units,
            "storage": [battery],
            "consumers": [load],
            "reserve": {"spin_share": 0.1, "nonspin_share": 0.05},
            **settings,
        }
    )
    return Core(scenario, 1, ORDERS, record=True)


CHARGE, DISCHARGE = (999, -8), (0, 8)


def played(core: Core, chosen: int, battery: tuple[float, float] = CHARGE, dirty: float = 50) -> arrays.Outcome:
    return play(core, clean=(30, 60), dirty=(dirty, 90), battery=battery, operator=chosen)


def test_doing_nothing_leaves_every_order_as_it_was_sent() -> None:
    core = core_of()
    outcome = played(core, action(NONE))
    public = market(outcome)
    assert public["carbon_adder_per_t"] == 0
    assert public["price_per_mwh"] == 50
    assert seat(core, outcome, "clean")["output_mw"] == near(60)
    assert seat(core, outcome, "dirty")["output_mw"] == near(100 + 8 - 60)
    assert seat(core, outcome, "battery")["power_mw"] == near(-8)
    assert seat(core, outcome, "load")["offered_mw"] == 0
    assert public["spin_required_mw"] == near(10)
    account = seat(core, outcome, "operator")
    assert (account["reserve_level"], account["intervention"], account["account"]) == (0, NONE, 0)


@pytest.mark.parametrize(("intervention", "level"), OTHERS)
def test_every_other_action_changes_something(intervention: int, level: int) -> None:
    """So the next tests cannot pass on an operator that is not heard."""
    outcomes = [played(core_of(), chosen, dirty=900) for chosen in (action(NONE), action(intervention, level))]
    changed = np.abs(outcomes[0].market - outcomes[1].market).max()
    assert changed > 1e-6


def test_the_carbon_adder_raises_offers_by_their_emissions_and_is_collected() -> None:
    core = core_of(operator={"carbon_step_per_t": 25})
    outcome = played(core, action(CARBON))
    public, dirty = market(outcome), seat(core, outcome, "dirty")
    assert public["carbon_adder_per_t"] == 25
    assert public["price_per_mwh"] == near(50 + 25 * 0.8)
    assert dirty["carbon_payment"] == near(25 * 0.8 * 48)
    assert dirty["reward"] == near(dirty["revenue"] + dirty["reserve_payment"] - 50 * 48 - 25 * 0.8 * 48)
    assert public["carbon_collected"] == seat(core, outcome, "operator")["account"] == near(25 * 0.8 * 48)
    assert seat(core, outcome, "clean")["carbon_payment"] == 0


def test_the_adder_comes_on_top_of_a_carbon_price() -> None:
    core = core_of(market={"carbon_price_per_t": 40}, operator={"carbon_step_per_t": 25})
    assert market(played(core, action(NONE)))["carbon_adder_per_t"] == 40
    assert market(played(core, action(CARBON)))["carbon_adder_per_t"] == 65


def test_held_storage_does_not_charge_but_may_discharge() -> None:
    core = core_of()
    assert seat(core, played(core, action(HOLD), CHARGE), "battery")["power_mw"] == 0
    assert seat(core, played(core, action(HOLD), DISCHARGE), "battery")["power_mw"] == near(8)


def test_called_demand_response_is_offered_whole_at_its_own_price() -> None:
    core = core_of()
    cheap = played(core, action(CALL), dirty=50)
    assert seat(core, cheap, "load")["offered_mw"] == near(20)
    assert seat(core, cheap, "load")["reduction_mw"] == 0, "at $50 nobody needs load that asks $60"
    dear = played(core, action(CALL), dirty=70)
    load = seat(core, dear, "load")
    assert load["reduction_mw"] == near(20)
    assert seat(core, dear, "dirty")["output_mw"] == near(100 + 8 - 60 - 20)
    assert load["saving"] == near(70 * 20)
    assert load["comfort"] == near(60 * 20)


def test_mitigated_offers_ask_at_most_twice_the_reference_price_or_what_the_operator_says() -> None:
    assert market(played(core_of(), action(NONE), dirty=900))["price_per_mwh"] == 900
    assert market(played(core_of(), action(MITIGATE), dirty=900))["price_per_mwh"] == near(2 * 50)
    stricter = core_of(operator={"mitigated_per_mwh": 75})
    assert market(played(stricter, action(MITIGATE), dirty=900))["price_per_mwh"] == 75
    assert market(played(stricter, action(MITIGATE), dirty=50))["price_per_mwh"] == 50, "lower offers stay"


@pytest.mark.parametrize("level", range(5))
@pytest.mark.parametrize("intervention", [NONE, HOLD])
def test_a_level_multiplies_the_required_reserve_whatever_the_intervention(level: int, intervention: int) -> None:
    core = core_of()
    outcome = played(core, action(intervention, level), DISCHARGE)
    public, own = market(outcome), seat(core, outcome, "operator")
    assert public["spin_required_mw"] == near(10 * LEVELS[level])
    assert public["nonspin_required_mw"] == near(5 * LEVELS[level])
    assert public["spin_mw"] == near(10 * LEVELS[level])
    assert (own["reserve_level"], own["intervention"]) == (level, intervention)


def test_levels_are_the_worlds() -> None:
    core = core_of(reserve={"spin_share": 0.1, "levels": (0.0, 0.5, 1.0, 2.0, 3.0)})
    required = [market(played(core, action(NONE, level)))["spin_required_mw"] for level in range(5)]
    assert required == [near(mw) for mw in (0, 5, 10, 20, 30)]


def test_the_reward_vector_is_stability_cost_and_emissions_and_its_weighted_sum_the_reward() -> None:
    weights: Settings = {"stability_weight": 2.0, "cost_weight": 3.0, "emissions_weight": 0.1}
    unit = {"name": "unit", "capacity_mw": 90, "cost_per_mwh": 50, "co2_kg_per_mwh": 800}
    scenario = world(generators=[unit], operator=weights)
    env = gridmarl.parallel_env(scenario, codecs={"generator": "order"})
    env.reset(seed=0)
    actions = {"unit": np.array([50, 90], np.float32), "load": np.zeros(1, np.float32), "operator": 0}
    _, rewards, _, _, infos = env.step(actions)
    stability, cost, emissions = infos["operator"]["reward_vector"]
    assert stability == near(-10_000 * 10), "10 MW of the load are not served"
    assert cost == near(-50 * 90)
    assert emissions == near(-800 * 90)
    assert rewards["operator"] == near(2 * stability + 3 * cost + 0.1 * emissions)


@pytest.mark.parametrize("name", ["auction", "storm"])
def test_the_passive_operator_is_one_that_is_not_there(name: str) -> None:
    """Zero is what an operator without a say would do: the carbon price and the first level, in a shipped world."""
    scenario = Scenario.load(name)
    assert scenario.reserve
    core = Core(scenario, 1)
    outcome = play(core)
    public = market(outcome)
    assert public["carbon_adder_per_t"] == scenario.market.carbon_price_per_t
    assert public["spin_required_mw"] == near(scenario.reserve.spin_share * public["demand_mw"])
