"""Two DQNs that learn against each other end in equilibria that are known from von der Fehr & Harbord (1993)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gridmarl.agents.load import load_agent
from gridmarl.agents.team import load_team
from gridmarl.bench.market_power.strategy import strategy_table
from gridmarl.environment.compiled.codecs import GRID_PRICES
from gridmarl.evaluation.rollout import rollout
from gridmarl.learning.fixed.returns import with_player
from gridmarl.learning.trainer import train
from gridmarl.scenario.scenario import Scenario

TICK = float(GRID_PRICES[1] - GRID_PRICES[0])
EXPLOITABLE = 0.02
"""Share of the profit that a learned pair may leave on the table."""


def learned(world: str, seed: int, folder: Path, **changes: Any) -> tuple[float, list[float], list[float], float]:
    """Price, offers and profits of the learned pair, and what both could still gain, as a share of all profit."""
    out = train("duopoly", env=world, seed=seed, out=folder, progress=False, **changes)
    team = with_player(load_team("truthful"), load_agent(out), ("cheap", "dear"), f"seed {seed}")
    played = rollout(world, team)
    table = strategy_table(world, team, seeds=[0])
    assert set(table.kind) == {"exact"}
    offers = [float(played.of_seat(seat, "offer_price_per_mwh")[0]) for seat in table.seat]
    exploitability = table.exploitability.sum() / table.profit.sum()
    return float(played.of_market("price_per_mwh")[0]), offers, table.profit.tolist(), float(exploitability)


def test_with_pivotal_demand_one_learns_to_ask_the_cap_and_the_other_not_to_be_undercut(tmp_path: Path) -> None:
    changes = {"steps": 9_600, "epsilon_steps": 4_800, "evaluate_every": 960, "checkpoint_every": 9_600}
    price, offers, _, exploitability = learned("duopoly-pivotal", 0, tmp_path / "pair", **changes)
    assert price == max(offers) == Scenario.load("duopoly-pivotal").market.cap_per_mwh
    assert min(offers) < price
    assert exploitability <= EXPLOITABLE


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("world", ["duopoly-low", "duopoly-pivotal"])
def test_both_demands_end_in_an_equilibrium_for_every_seed(
    world: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rival, cap = Scenario.load(world).generators[1].cost_per_mwh, Scenario.load(world).market.cap_per_mwh
    found = [learned(world, seed, tmp_path / str(seed)) for seed in range(5)]
    with capsys.disabled():
        for seed, (price, offers, profits, exploitability) in enumerate(found):
            offered, earned = (" ".join(f"{value:.2f}" for value in values) for values in (offers, profits))
            line = f"seed {seed}: price {price:.2f}, offers {offered}, profits {earned}"
            print(f"\n{world}, {line}, exploitability {exploitability:.2%}", end="")  # the result
    for price, _, _, exploitability in found:
        assert abs(price - rival) <= TICK if world == "duopoly-low" else price == cap
        assert exploitability <= EXPLOITABLE
