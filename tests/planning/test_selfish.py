"""Selfish plans are not held to the coupling, but told by how much they miss it."""

from __future__ import annotations

import numpy as np
import pytest

from gridmarl.planning.model.assets import Coupling, Generator, Owner
from gridmarl.planning.model.problem import Problem
from gridmarl.planning.model.risk import Prices
from gridmarl.planning.selfish import SelfishPlanner


@pytest.mark.parametrize(
    ("limit_mw", "beyond_mw"), [(12.0, 0.0), (9.0, 1.0), (np.inf, 0.0)], ids=["wide", "narrow", "none"]
)
def test_what_selfish_plans_miss_is_what_lies_beyond_the_limit(limit_mw, beyond_mw):
    owners = (Owner("roof", (Generator("sun", 4.0),)), Owner("park", (Generator("wind", 6.0),)))
    step_h = np.array([0.5, 0.5])
    coupling = Coupling(-limit_mw, limit_mw, 1000.0, 50.0)
    plan = SelfishPlanner().solve(Problem(owners, step_h, coupling, Prices.certain(np.array([30.0, 20.0]))))
    assert plan.injection_mw.sum(axis=0) == pytest.approx([10.0, 10.0], abs=1e-6)
    assert plan.primal_residual_mw == pytest.approx(beyond_mw * 2**0.5, abs=1e-5)
    assert plan.surplus_mwh == pytest.approx([beyond_mw / 2] * 2, abs=1e-5)
    assert plan.shortage_mwh == pytest.approx([0.0, 0.0])
    assert plan.objective == pytest.approx(-10.0 * (30.0 + 20.0) / 2, abs=1e-4), "nobody pays for what is missed"
