"""With compilation switched off the kernels are plain Python, and say the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
TOLERANCE = 1e-12
"""Relative: a compiler may contract or reorder nothing, but its exp and cos may differ in the last bit."""
INTERVALS = 10

RUN = """
import json
import numpy as np
from gridmarl.environment.core import Core
from gridmarl.scenario.scenario import Scenario
from tests.environment.worlds import random_actions
import numba

np.seterr(over="ignore")  # counters wrap around on purpose
said = {"compiled": not numba.config.DISABLE_JIT}
for name in ("three-homes", "auction"):
    core = Core(Scenario.load(name), 2, {"storage": "curve"}, record=True)
    rng = np.random.default_rng(1)
    outcome = core.reset(np.array([3, 2**63 + 5], np.uint64))
    taken = [part for part in outcome[2:6]]
    for _ in range(INTERVALS):
        taken += list(core.step(random_actions(core, rng)))
    taken += [core.realised(1), core.forecast(0, 8), *core.rows[3:]]
    said[name] = np.concatenate([np.ravel(part) for part in taken]).tolist()
    assert np.isfinite(said[name]).all()
print(json.dumps(said))
"""


def said(disabled: str) -> dict[str, list[float]]:
    done = subprocess.run(
        [sys.executable, "-c", RUN.replace("INTERVALS", str(INTERVALS))],
        cwd=ROOT,
        env={**os.environ, "NUMBA_DISABLE_JIT": disabled},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_ten_intervals_in_plain_python_equal_the_compiled_ones() -> None:
    plain, compiled = said("1"), said("0")
    assert (plain.pop("compiled"), compiled.pop("compiled")) == (False, True)
    for name, values in compiled.items():
        np.testing.assert_allclose(
            np.array(plain[name]), np.array(values), rtol=TOLERANCE, atol=TOLERANCE, err_msg=name
        )
