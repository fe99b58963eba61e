"""Ageing paid interval by interval adds up to the rainflow count of the whole path."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridmarl.assets.degradation import COUNT, DEGRADATION_STATE, OPEN_TURNS, TURNS, begin_cycles, cycle_cost
from gridmarl.evaluation.rainflow import cycle_damage

EXACT = 1e-12
ROUNDING = 1e-9
"""Relative: what stress and its differences lose in a path of some hundred intervals."""
PRICE, CAPACITY = 30.0, 100.0
FIRST = 3
SHORT = st.lists(st.floats(0, 1), min_size=1, max_size=OPEN_TURNS)
LONG = st.lists(st.one_of(st.floats(0, 1), st.integers(0, 20).map(lambda n: n / 20)), min_size=1, max_size=60)
EXPONENTS = st.one_of(st.just(2.0), st.floats(1, 4))


def new_state() -> np.ndarray:
    return np.full(FIRST + DEGRADATION_STATE + 2, -7.0)


def costs(soc: list[float] | np.ndarray, exponent: float = 2.0, state: np.ndarray | None = None) -> np.ndarray:
    """What each interval of a path is charged, $."""
    state = new_state() if state is None else state
    begin_cycles(state, FIRST, soc[0])
    return np.array([cycle_cost(state, FIRST, a, b, CAPACITY, PRICE, exponent) for a, b in pairwise(soc)])


def counted(soc: list[float] | np.ndarray, exponent: float = 2.0) -> float:
    """Rainflow damage of a path, $."""
    return cycle_damage(np.array(soc), CAPACITY, PRICE, exponent)


def random_walk(seed: int, intervals: int) -> np.ndarray:
    """A battery pushed about within its window: steps of 10 % of capacity, standard deviation."""
    rng = np.random.default_rng(seed)
    soc = [0.5]
    for step in rng.normal(scale=0.1, size=intervals):
        soc.append(min(max(soc[-1] + step, 0.0), 1.0))
    return np.array(soc)


def nested(swings: int) -> list[float]:
    """Swings around one half, each smaller than the one before."""
    return [0.5 + (-1) ** n * 0.4 * 0.9**n for n in range(swings + 1)]


def test_a_swing_is_charged_as_it_deepens() -> None:
    # Half of 3,000 $ x (0.2², 0.4² - 0.2², 0.6² - 0.4²), then the way back from zero.
    assert costs([0.8, 0.6, 0.4, 0.2, 0.4]) == pytest.approx([60, 180, 300, 60], abs=ROUNDING)


def test_a_small_cycle_within_a_large_one_does_not_restart_the_large_one() -> None:
    # Down to 0.5, up to 0.6 and down to 0.2: the last interval pays the other half of the 0.1 swing, then goes on
    # from a depth of 0.4 to 0.7.
    expected = [1500 * 0.4**2, 1500 * 0.1**2, 1500 * (0.1**2 + 0.7**2 - 0.4**2)]
    assert costs([0.9, 0.5, 0.6, 0.2]) == pytest.approx(expected, abs=ROUNDING)


def test_a_full_depth_cycle_costs_its_price() -> None:
    assert costs([0.0, 1.0, 0.0]).sum() == pytest.approx(PRICE * CAPACITY, abs=ROUNDING)


@given(SHORT, EXPONENTS)
def test_the_sum_is_the_rainflow_count_after_every_interval(soc: list[float], exponent: float) -> None:
    paid = np.concatenate(([0.0], np.cumsum(costs(soc, exponent))))
    for end in range(1, len(soc) + 1):
        assert paid[end - 1] == pytest.approx(counted(soc[:end], exponent), rel=ROUNDING, abs=ROUNDING)


def test_the_sum_is_the_rainflow_count_of_a_long_path_while_the_open_swings_fit() -> None:
    exact = 0
    for seed in range(40):
        soc = random_walk(seed, 192)
        state = new_state()
        paid = costs(soc, 2.03, state).sum()
        if state[FIRST + COUNT] < OPEN_TURNS:
            exact += 1
            assert paid == pytest.approx(counted(soc, 2.03), rel=ROUNDING)
    assert exact >= 30


@given(LONG, EXPONENTS)
def test_no_interval_is_paid_for_ageing_and_no_path_is_charged_more_than_its_count(
    soc: list[float], exponent: float
) -> None:
    paid = costs(soc, exponent)
    assert (paid >= 0.0).all()
    assert paid.sum() <= counted(soc, exponent) * (1 + ROUNDING) + ROUNDING


@given(LONG)
def test_with_exponent_one_depth_is_throughput_however_many_swings_are_open(soc: list[float]) -> None:
    travelled = np.abs(np.diff(soc)).sum()
    assert costs(soc, 1.0).sum() == pytest.approx(PRICE * CAPACITY * travelled / 2, abs=1e-7)


def test_swings_that_fit_are_closed_exactly_and_one_too_many_forgets_the_oldest() -> None:
    fits = [*nested(OPEN_TURNS - 1), 1.0]
    assert costs(fits).sum() == pytest.approx(counted(fits), rel=EXACT)
    state = new_state()
    costs(nested(OPEN_TURNS + 1), state=state)
    assert state[FIRST + COUNT] == OPEN_TURNS
    assert state[FIRST + TURNS] == pytest.approx(nested(1)[1], abs=EXACT)
    over = [*nested(OPEN_TURNS + 1), 0.0, 1.0]
    assert 0.75 * counted(over) < costs(over).sum() < counted(over) * (1 - ROUNDING)


def test_weeks_of_random_walks_are_charged_within_one_percent_of_their_count() -> None:
    errors = [costs(soc, 2.03).sum() / counted(soc, 2.03) - 1 for soc in (random_walk(s, 672) for s in range(60))]
    assert min(errors) > -0.01
    assert max(errors) < ROUNDING
    assert np.mean(np.abs(errors)) < 1e-3


@given(LONG)
def test_rests_and_dust_neither_cost_nor_turn_the_path(soc: list[float]) -> None:
    dusty = [level + dust for level in soc for dust in (0.0, 3e-17, 0.0, -3e-17, 0.0)]
    plain, disturbed = new_state(), new_state()
    assert costs(dusty, state=disturbed).sum() == pytest.approx(costs(soc, state=plain).sum(), abs=1e-7)
    assert disturbed[FIRST + COUNT] == plain[FIRST + COUNT]


def test_a_free_cycle_leaves_the_state_alone_and_a_paid_one_its_neighbours() -> None:
    state = new_state()
    begin_cycles(state, FIRST, 0.5)
    before = state.copy()
    assert cycle_cost(state, FIRST, 0.5, 0.9, CAPACITY, 0.0, 2.0) == 0.0
    assert (state == before).all()
    costs(random_walk(1, 300), state=state)
    assert (state[:FIRST] == -7.0).all()
    assert (state[FIRST + DEGRADATION_STATE :] == -7.0).all()


def test_a_reset_forgets_the_path_before_it() -> None:
    used = new_state()
    costs(random_walk(2, 300), state=used)
    soc = random_walk(3, 50)
    assert costs(soc, state=used).tolist() == costs(soc).tolist()
