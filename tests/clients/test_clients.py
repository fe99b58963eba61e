"""Software that nobody here wrote drives the markets: PettingZoo, SuperSuit, Stable-Baselines3, TorchRL, Gymnasium."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = (ROOT / ".." / "shared" / "clients").resolve()
DAY = {"scenario": "auction", "intervals": 24}
BATTERY = {"scenario": "auction", "seat": "battery_1"}
MARKET, SEAT = "gridmarl:parallel_env", "gridmarl.agents.seat:SeatEnv"
BY_ID = ("--id", "gridmarl:gridmarl/Seat-v0", "--num-envs", "4")

RUNS = {
    "pettingzoo, auction": ("check_pettingzoo.py", "pettingzoo", MARKET, DAY, ("--cycles", "20")),
    "pettingzoo, three homes": (
        "check_pettingzoo.py",
        "pettingzoo",
        MARKET,
        {"scenario": "three-homes"},
        ("--cycles", "20"),
    ),
    "supersuit and sb3, one role": (
        "check_supersuit_sb3.py",
        "supersuit",
        MARKET,
        {"scenario": "auction", "seats": "generator", "others": "truthful"},
        ("--steps", "500", "--num-envs", "1"),
    ),
    "torchrl, grouped by name": ("check_torchrl.py", "torchrl", MARKET, DAY, ("--steps", "10")),
    "torchrl, one group each": ("check_torchrl.py", "torchrl", MARKET, DAY, ("--steps", "10", "--group", "one")),
    "gymnasium, vector entry point": ("check_vector.py", "gymnasium", MARKET, {}, BY_ID),
    "gymnasium, synchronous vector": ("check_vector.py", "gymnasium", MARKET, {}, (*BY_ID, "--mode", "sync")),
    "sb3, one seat": ("check_gym_sb3_single.py", "stable_baselines3", SEAT, BATTERY, ("--gym",)),
    "sb3, one seat among random ones": (
        "check_gym_sb3_single.py",
        "stable_baselines3",
        MARKET,
        DAY,
        ("--agent", "gas_1"),
    ),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_client_is_content(name: str) -> None:
    script, library, target, settings, options = RUNS[name]
    if not (SCRIPTS / script).is_file():
        pytest.skip(f"{script} is not beside this checkout")
    if find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    command = [sys.executable, str(SCRIPTS / script), target, "--kwargs", json.dumps(settings), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=200)
    failures = [line for line in done.stdout.splitlines() if line.startswith(("FAIL", "RESULT"))]
    assert done.returncode == 0, "\n".join([*failures, done.stderr[-2000:]])
    assert failures == ["RESULT OK"]
