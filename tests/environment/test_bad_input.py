"""What cannot be meant is refused: the message names the thing, its value and what is allowed; nothing has moved."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

import gridmarl
from gridmarl.environment.parallel import MarketEnv
from gridmarl.errors import ActionError, CatalogueError, GridmarlError, OrderError, ScenarioError
from gridmarl.scenario.scenario import Scenario
from tests.environment.worlds import world

Actions = dict[str, Any]
STORAGE = [{"name": "battery", "capacity_mwh": 40, "power_mw": 10}]
CODECS = {"generator": "order", "consumer": "markup"}
PROFILES = {"demand": {"deviation_relative": 0.2}}


def scenario() -> Scenario:
    loads = [{"name": "load", "load_mw": 100, "flexible_share": 0.1}]
    return world(storage=STORAGE, consumers=loads, profiles=PROFILES, intervals=10)


def started() -> MarketEnv:
    env = gridmarl.parallel_env(scenario(), codecs=CODECS)
    env.reset(seed=1)
    env.step(good())
    return env


def good(**changes: Any) -> Actions:
    return {"unit": [40, 150], "battery": [0.5], "load": [1.0], "operator": 0} | changes


REFUSED = [
    ({"unit": [np.nan, 10]}, ActionError, "'unit'.*component 0.*got nan.*a finite number"),
    ({"unit": [40, np.inf]}, ActionError, "'unit'.*component 1.*got inf.*a finite number"),
    ({"battery": [-np.inf]}, ActionError, "'battery'.*got -inf.*a finite number"),
    ({"operator": None}, ActionError, "'operator'.*got nan.*a finite number"),
    ({"unit": [1000.5, 10]}, OrderError, r"'unit'.*got 1000.5.*within \[floor, cap\]"),
    ({"unit": [-100.5, 10]}, OrderError, r"'unit'.*got -100.5.*within \[floor, cap\]"),
    ({"battery": [1.01]}, ActionError, "'battery'.*codec power.*got 1.01.*bounds of the action space"),
    ({"load": [-0.5]}, ActionError, "'load'.*codec markup.*got -0.5.*bounds of the action space"),
    ({"load": [20.5]}, ActionError, "'load'.*got 20.5.*bounds"),
    ({"operator": 25}, ActionError, "'operator'.*got 25.0.*whole number"),
    ({"operator": -1}, ActionError, "'operator'.*got -1.0.*whole number"),
    ({"operator": 1.5}, ActionError, "'operator'.*got 1.5.*whole number"),
    ({"unit": [40]}, ActionError, r"shape.*'unit' \(codec order\).*\(1,\).*\(2,\)"),
    ({"unit": 40}, ActionError, r"shape.*'unit'.*\(\).*\(2,\)"),
    ({"battery": [[0.5]]}, ActionError, r"shape.*'battery'.*\(1, 1\).*\(1,\)"),
    ({"battery": [0.5, 0.5]}, ActionError, r"shape.*'battery'.*\(2,\)"),
    ({"unit": [[1], [1, 2]]}, ActionError, "'unit'.*numbers"),
    ({"battery": "full"}, ActionError, "'battery'.*got 'full'.*numbers"),
    ({"operator": "none"}, ActionError, "'operator'.*got 'none'.*allowed: numbers"),
    ({"gas": [1, 1]}, ActionError, "unknown agent.*'gas'.*unit, battery, load, operator"),
    ({"batery": [1]}, ActionError, "unknown agent.*did you mean 'battery'"),
]


@pytest.mark.parametrize("changes, kind, said", REFUSED, ids=[str(sorted(c.items())) for c, _, _ in REFUSED])
def test_a_bad_action_is_refused_by_name_and_nothing_has_moved(
    changes: Actions, kind: type[Exception], said: str
) -> None:
    env, other = started(), started()
    with pytest.raises(kind, match=said) as caught:
        env.step(good(**changes))
    assert isinstance(caught.value, GridmarlError)
    assert all(np.array_equal(mine, its) for mine, its in zip(env.core.rows, other.core.rows, strict=True))
    after, undisturbed = env.step(good()), other.step(good())
    assert after[1] == undisturbed[1]
    assert np.array_equal(env.state(), other.state())


def test_a_missing_action_is_named() -> None:
    actions = good()
    del actions["load"]
    with pytest.raises(ActionError, match=r"none for 'load'.*one for each of env.agents"):
        started().step(actions)


def test_a_refused_step_does_not_let_the_others_draw_twice() -> None:
    clean, disturbed = (
        gridmarl.parallel_env("auction", seats="battery_1", others="zero-intelligence") for _ in range(2)
    )
    for env in (clean, disturbed):
        env.reset(seed=2)
    with pytest.raises(ActionError, match="finite"):
        disturbed.step({"battery_1": [np.nan]})
    for _ in range(5):
        rewards = [env.step({"battery_1": [1.0]})[1] for env in (clean, disturbed)]
        assert rewards[0] == rewards[1]
        assert np.array_equal(clean.latest.book, disturbed.latest.book)


def test_a_step_before_reset_or_after_the_end_is_refused() -> None:
    env = gridmarl.parallel_env(scenario(), codecs=CODECS)
    with pytest.raises(ActionError, match=r"before the first reset.*call reset"):
        env.step(good())
    with pytest.raises(ScenarioError, match="call reset"):
        env.state()
    env.reset(seed=0)
    for _ in range(env.scenario.intervals):
        env.step(good())
    with pytest.raises(ActionError, match=r"after the end of the episode.*call reset"):
        env.step(good())


@pytest.mark.parametrize("actions", [None, [1, 2], np.zeros(4)])
def test_actions_that_are_no_mapping_are_refused(actions: Any) -> None:
    with pytest.raises(ActionError, match="mapping of agent to action"):
        started().step(actions)
    many = gridmarl.vector_env(scenario(), 2, codecs=CODECS)
    many.reset(seed=0)
    with pytest.raises(ActionError, match="mapping of group to array"):
        many.step(actions)


@pytest.mark.parametrize("ask", ["action_space", "observation_space", "fields"])
def test_an_agent_that_does_not_exist_is_named_beside_those_that_do(ask: str) -> None:
    with pytest.raises(CatalogueError, match=r"agent: got 'batery'; allowed: .*load.*battery"):
        getattr(started(), ask)("batery")


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, "one"])
def test_a_seed_that_is_no_whole_number_is_refused(seed: Any) -> None:
    with pytest.raises(ScenarioError, match=r"seed.*2\*\*64"):
        gridmarl.parallel_env("auction").reset(seed=seed)


VECTOR = [
    ({"storage": np.array([[[0.5]], [[np.nan]]])}, ActionError, "'battery'.*row 1.*got nan"),
    ({"generator": np.array([[[40, 1]], [[4000, 1]]])}, OrderError, r"'unit'.*row 1.*got 4000.*\[floor, cap\]"),
    ({"storage": np.zeros((2, 1))}, ActionError, r"shape.*'storage'.*\(2, 1\).*\(2, 1, 1\)"),
    ({"storage": np.zeros((3, 1, 1))}, ActionError, r"shape.*'storage'.*\(3, 1, 1\)"),
    ({"storage": None}, ActionError, "none for group 'storage'.*generator, storage, consumer, operator"),
    ({"storage": [[["full"]], [["empty"]]]}, ActionError, "'storage'.*numbers"),
    ({"storage": [[0.5], [0.5, 1]]}, ActionError, "'storage'.*numbers"),
    ({"operator": np.array([[0], [30]])}, ActionError, "'operator'.*row 1.*got 30"),
    ({"storrage": np.zeros((2, 1, 1))}, ActionError, "group of actions: got 'storrage'.*did you mean 'storage'"),
]


@pytest.mark.parametrize("changes, kind, said", VECTOR, ids=[str(sorted(c.items()))[:60] for c, _, _ in VECTOR])
def test_a_bad_action_of_a_group_is_refused_and_no_row_has_moved(changes: Actions, kind: Any, said: str) -> None:
    env = gridmarl.vector_env(scenario(), 2, codecs=CODECS)
    env.reset(seed=0)
    env.action_space.seed(0)
    actions = env.action_space.sample()
    before = env.core.snapshot()[0]
    with pytest.raises(kind, match=said):
        env.step({**actions, **changes})
    assert all(np.array_equal(mine, its) for mine, its in zip(env.core.rows, before, strict=True))
    env.step(actions)


@pytest.mark.parametrize("seed", [[1], [1, None], [1, 2, 3], -4, [0, -1]])
def test_seeds_of_a_vector_are_one_number_or_one_for_each(seed: Any) -> None:
    with pytest.raises(ScenarioError, match="seed"):
        gridmarl.vector_env(scenario(), 2).reset(seed=seed)


def test_a_vector_of_single_seats_refuses_actions_of_the_wrong_shape() -> None:
    env = gymnasium.make_vec("gridmarl/Seat-v0", num_envs=2, scenario="auction", seat="battery_1")
    env.reset(seed=0)
    for wrong in (np.zeros((3, 1)), np.zeros(2), 0.0):
        with pytest.raises(ActionError, match="shape"):
            env.step(wrong)


MAKING = [
    ({"split": "trian"}, "split.*'trian'.*train, select, test"),
    ({"seats": "gas_9"}, "seats.*'gas_9'.*did you mean 'gas_"),
    ({"seats": ["battery_*", "nuclear_*"]}, "'nuclear_.'.*generator, storage, consumer, prosumer, operator"),
    ({"seats": "gas_1", "others": None}, "others.*others='truthful'"),
    ({"seats": "gas_1", "others": "truthfull"}, "did you mean 'truthful'"),
    ({"codecs": {"gas_1": "ordr"}}, "codec of a generator.*'ordr'.*did you mean 'order'"),
    ({"codecs": {"gas_7": "order"}}, "'gas_7'.*did you mean"),
    ({"render_mode": "human"}, "render_mode.*'human'.*rgb_array, ansi"),
    ({"intervls": 4}, "unknown key 'intervls'.*did you mean 'intervals'"),
    ({"intervals": 0}, "intervals.*got 0"),
    ({"data": "no-such-file.csv"}, "no-such-file.csv"),
    ({"columns": {"demnd": "x"}}, "'demnd'.*did you mean 'demand'"),
]


@pytest.mark.parametrize("settings, said", MAKING, ids=[str(s) for s, _ in MAKING])
def test_what_cannot_be_made_is_refused_by_name(settings: Actions, said: str) -> None:
    with pytest.raises(GridmarlError, match=said):
        gridmarl.parallel_env("auction", **settings)


def test_an_unknown_world_suggests_the_nearest() -> None:
    with pytest.raises(GridmarlError, match=r"'auctoin'.*did you mean 'auction'"):
        gridmarl.parallel_env("auctoin")


@pytest.mark.parametrize("seat", ["battery_9", "battery_*", "storage"])
def test_the_single_seat_view_wants_the_name_of_one_seat(seat: str) -> None:
    with pytest.raises(ScenarioError, match="seat"):
        gymnasium.make("gridmarl/Seat-v0", scenario="auction", seat=seat)
    with pytest.raises(ScenarioError, match="seat"):
        gymnasium.make_vec("gridmarl/Seat-v0", num_envs=2, scenario="auction", seat=seat)


@pytest.mark.parametrize("count", [0, -3, 1.5, "two"])
def test_a_batch_has_at_least_one_row(count: Any) -> None:
    with pytest.raises(ScenarioError, match="number of environments"):
        gridmarl.vector_env("auction", count)
