"""A battery that learned on a year of real Californian prices, in the weeks of the summer after it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gridmarl.agents.agent import Agent
from gridmarl.agents.policies import StoredPolicy
from gridmarl.agents.rules import Rule
from gridmarl.agents.team import Team, make_agent
from gridmarl.environment.compiled.columns import REWARD
from gridmarl.evaluation.rollout import rollout
from gridmarl.learning.trainer import train
from gridmarl.scenario.scenario import Scenario

TABLE = Path(__file__).parents[2] / ".." / "shared" / "data" / "caiso_dam_lmp_dlap_2023-06_2024-10.csv"
SEED = 0


def revenues(world: Scenario, agent: Agent, name: str) -> list[float]:
    """Profit of each test week, with the change in stored energy at the world's price, $."""
    found: list[float] = []
    for start in world.windows["test"]:
        week = world.but(windows={"test": [start]})
        played = rollout(week, Team({"storage": agent}, name))
        earned = played.results[:, played.seats.index("battery_1"), REWARD].sum()
        found.append(float(earned) + played.stored_mwh * world.stored_energy_price_per_mwh)
    return found


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not TABLE.exists(), reason="needs the real prices of ../shared/data")
def test_a_battery_earns_what_forecasts_allow_in_weeks_it_never_saw(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """At least 90 % of what perfect foresight earns, or at least what every planner with forecasts earns."""
    world = Scenario.load("caiso-battery").fed(TABLE)
    policy = StoredPolicy(train("storage-caiso", env=world, seed=SEED, out=tmp_path / "policy", progress=False))
    players: dict[str, Agent] = {
        "perfect": make_agent({"kind": "planner", "method": "central", "information": "perfect"}, "perfect"),
        "central": make_agent({"kind": "planner", "method": "central"}, "central"),
        "selfish": make_agent({"kind": "planner", "method": "selfish"}, "selfish"),
        "threshold": Rule("threshold", charge_below_per_mwh=25, discharge_above_per_mwh=60),
        "learned": policy,
    }
    total = {name: float(np.sum(revenues(world, agent, name))) for name, agent in players.items()}
    shares = {name: earned / total["perfect"] for name, earned in total.items()}
    with capsys.disabled():
        print("share of perfect foresight's revenue:", ", ".join(f"{n} {s:.3f}" for n, s in shares.items()))
    assert max(shares.values()) <= 1.0 + 1e-6
    assert shares["learned"] >= min(0.9, max(shares["central"], shares["selfish"])), shares
