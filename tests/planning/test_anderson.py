"""Anderson acceleration: exact on affine maps, safeguarded elsewhere, and fewer rounds for ADMM."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridmarl.errors import ScenarioError
from gridmarl.planning.admm import AdmmSettings
from gridmarl.planning.admm.anderson import BACK, GROWTH, Anderson
from gridmarl.planning.admm.planner import AdmmPlanner
from gridmarl.planning.model.assets import Terminal
from gridmarl.planning.owners.worker import Message, Worker
from gridmarl.units import Float

ACCURACY = 1e-8


def iterate(matrix: Float, shift: Float, rounds: int, memory: int) -> float:
    """Distance from the fixed point of ``s -> matrix s + shift`` after so many rounds from 0."""
    anderson, start, led = Anderson(memory), np.zeros(len(shift)), list[Float]()
    for _ in range(rounds):
        led.append(matrix @ start + shift)
        weights = anderson.weights(start, led[-1])
        start = weights @ np.stack(led[-len(weights) :])
    return float(np.linalg.norm(start - np.linalg.solve(np.eye(len(shift)) - matrix, shift)))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_an_affine_contraction_of_four_dimensions_is_solved_in_as_many_rounds_and_two(seed: int):
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    matrix = rotation @ np.diag([0.95, 0.6, -0.4, 0.1]) @ rotation.T
    shift = rng.normal(size=4)
    assert iterate(matrix, shift, 6, memory=5) < 1e-3 * iterate(matrix, shift, 6, memory=0)
    assert iterate(matrix, shift, 12, memory=5) < ACCURACY


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 8))
def test_weights_add_up_to_one(seed: int, memory: int):
    rng, anderson = np.random.default_rng(seed), Anderson(memory)
    for _ in range(12):
        start = rng.normal(size=5)
        weights = anderson.weights(start, start + rng.normal(size=5))
        assert weights.sum() == pytest.approx(1.0, abs=1e-6)
        assert len(weights) <= max(memory + 1, len(BACK))


def test_a_mix_that_made_things_worse_is_taken_back():
    anderson, zero = Anderson(3), np.zeros(2)
    anderson.weights(zero, np.array([1.0, 0.0]))
    assert len(anderson.weights(zero, np.array([0.5, 0.5]))) == 2, "mixed"
    worse = anderson.weights(zero, np.array([2.0 * GROWTH, 0.0]))
    assert worse.tolist() == BACK.tolist()
    assert anderson.weights(zero, np.array([0.4, 0.4])).tolist() == [1.0], "from there on the memory is empty"


def test_without_memory_or_after_a_restart_nothing_is_mixed():
    start, end = np.zeros(2), np.ones(2)
    never, anderson = Anderson(0), Anderson(4)
    for _ in range(3):
        assert never.weights(start, end).tolist() == [1.0]
        anderson.restart()
        assert anderson.weights(start, end).tolist() == [1.0]


def test_an_owner_mixes_its_own_last_shares(quadratic_homes):
    homes, none = quadratic_homes, np.zeros(24)
    worker = Worker(homes.problem.owners[2], homes.problem.step_h, homes.problem.prices, Terminal(), 1.6)
    shares: list[Float] = []
    for _ in range(2):
        worker.respond(Message(none, none, 20_000.0))
        shares.append(worker.share_mw)
    plain = worker.next_share_mw(none)
    worker.respond(Message(none, none, 20_000.0, mix=np.array([-0.5, 1.5])))
    assert worker.share_mw == pytest.approx(-0.5 * shares[1] + 1.5 * plain, abs=1e-15)
    assert np.abs(worker.share_mw - plain).max() > 1e-6


@pytest.mark.parametrize("tolerance, saved", [(1e-3, 0.2), (1e-5, 0.5)])
def test_acceleration_saves_rounds_of_the_three_homes_and_agrees_on_the_plan(quadratic_homes, tolerance, saved):
    homes = quadratic_homes
    plain, mixed = (
        AdmmPlanner(AdmmSettings(tolerance=tolerance, gap_tolerance=tolerance / 10, memory=memory)).solve(homes.problem)
        for memory in (0, 10)
    )
    assert plain.converged
    assert mixed.converged
    assert mixed.rounds <= (1 - saved) * plain.rounds
    assert mixed.objective == pytest.approx(plain.objective, rel=tolerance / 10)


@pytest.mark.parametrize("memory", [-1, 31])
def test_a_memory_that_owners_do_not_have_is_refused(memory):
    with pytest.raises(ScenarioError, match=r"admm\.memory"):
        AdmmSettings(memory=memory)
