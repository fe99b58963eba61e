from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gridmarl.learning.interface import Start, Step
from gridmarl.learning.worlds.nstep import NStep, column_shapes
from gridmarl.units import Float32
from tests.learning.worlds import group

GAMMA = 0.5
EXACT = 1e-6
"""Relative tolerance: single precision."""
SHAPES = column_shapes({"generator": group(1, 1)}, 1)
GOES_ON, TERMINATED, TRUNCATED = range(3)


def play(n: int, fates: Sequence[Sequence[int]]) -> list[dict[str, Float32]]:
    """Push steps; state t of environment e is 100 e + t, its reward t + 1, and what follows an action 0.5 more."""
    window, envs = NStep(n, GAMMA, SHAPES, len(fates[0])), len(fates[0])
    found: list[dict[str, Float32]] = []
    for t, fate in enumerate(fates):
        number = (100.0 * np.arange(envs) + t).astype(np.float32)
        start = Start({"generator": number[:, None, None]}, number[:, None])
        after = Start({"generator": number[:, None, None] + 0.5}, number[:, None] + 0.5)
        reward = {"generator": np.full((envs, 1), t + 1.0, np.float32)}
        ended = np.array(fate)
        flags = ended == TERMINATED, ended == TRUNCATED
        step = Step(after.observations, reward, *flags, after.observations, after.state, after.state)
        pushed = window.push(start, {"generator": number[:, None]}, step)
        found.append({name: column.copy() for name, column in pushed.items()})
    return found


def table(rows: Sequence[dict[str, Float32]], env: int = 0) -> list[tuple[float, float, float, float]]:
    """Where each transition of an environment began, its return, what followed, and what a value there counts."""
    joined = {name: np.concatenate([part[name] for part in rows]) for name in rows[0]}
    mine = np.flatnonzero(joined["state"][:, 0] // 100 == env)
    columns = [joined[name][mine].ravel() for name in ("s.generator", "r.generator", "s_next.generator")]
    assert (joined["a.generator"][:, 0] == joined["s.generator"][:, 0, 0]).all()
    assert (joined["state_next"] == joined["s_next.generator"][:, 0]).all()
    return [*zip(*(c.tolist() for c in columns), joined["discount"][mine].tolist(), strict=True)]


def test_one_step_is_the_step_itself() -> None:
    rows = play(1, [[GOES_ON], [TRUNCATED], [TERMINATED]])
    assert table(rows) == [(0, 1, 0.5, GAMMA), (1, 2, 1.5, GAMMA), (2, 3, 2.5, 0)]


def test_two_steps_by_hand() -> None:
    rows = play(2, [[GOES_ON], [GOES_ON], [GOES_ON]])
    assert [len(part["discount"]) for part in rows] == [0, 1, 1]
    assert table(rows) == [(0, 1 + 0.5 * 2, 1.5, 0.25), (1, 2 + 0.5 * 3, 2.5, 0.25)]


def test_an_episode_that_was_cut_off_bootstraps_from_its_true_last_observation() -> None:
    """After k rewards the value of the last observation counts gamma**k."""
    rows = play(3, [[GOES_ON], [TRUNCATED], [GOES_ON], [GOES_ON], [GOES_ON]])
    assert table(rows) == [(0, 2.0, 1.5, 0.25), (1, 2.0, 1.5, 0.5), (2, 3 + 2 + 1.25, 4.5, 0.125)]


def test_an_episode_that_ended_bootstraps_from_nothing() -> None:
    rows = play(3, [[GOES_ON], [TERMINATED], [GOES_ON]])
    assert table(rows) == [(0, 2.0, 1.5, 0), (1, 2.0, 1.5, 0)]


def test_an_episode_that_both_ended_and_was_cut_off_has_ended() -> None:
    window = NStep(1, GAMMA, SHAPES, 1)
    number = np.zeros((1, 1), np.float32)
    seen, yes = {"generator": number[:, None]}, np.array([True])
    step = Step(seen, {"generator": number}, yes, yes, seen, number, number)
    assert window.push(Start(seen, number), {"generator": number}, step)["discount"].tolist() == [0]


@given(
    n=st.integers(1, 5),
    fates=st.lists(st.lists(st.integers(0, 2), min_size=3, max_size=3), min_size=1, max_size=12),
)
def test_every_environment_gets_the_transitions_that_it_would_get_alone(n: int, fates: list[list[int]]) -> None:
    together = play(n, fates)
    for env in range(3):
        expected = brute_force(n, [fate[env] for fate in fates], env)
        found = sorted(table(together, env))
        assert len(found) == len(expected)
        np.testing.assert_allclose(found, sorted(expected), rtol=EXACT)


def brute_force(n: int, fate: list[int], env: int) -> list[tuple[float, float, float, float]]:
    """The definition, one start at a time."""
    found: list[tuple[float, float, float, float]] = []
    for start in range(len(fate)):
        ends = [t for t in range(start, len(fate)) if fate[t] != GOES_ON]
        stop = min([start + n - 1, *ends])
        if stop >= len(fate):
            continue  # its rewards are not all known
        total = sum(GAMMA ** (t - start) * (t + 1) for t in range(start, stop + 1))
        discount = 0.0 if fate[stop] == TERMINATED else GAMMA ** (stop - start + 1)
        found.append((100 * env + start, total, 100 * env + stop + 0.5, discount))
    return found


def test_what_waits_survives_a_snapshot_and_is_forgotten_on_demand() -> None:
    windows = [NStep(3, GAMMA, SHAPES, 1) for _ in range(2)]
    number = np.ones((1, 1), np.float32)
    seen, no = {"generator": number[:, None]}, np.array([False])
    step = Step(seen, {"generator": number}, no, no, seen, number, number)
    for _ in range(2):
        windows[0].push(Start(seen, number), {"generator": number}, step)
    windows[1].restore(windows[0].snapshot())
    for window in windows:
        assert window.push(Start(seen, number), {"generator": number}, step)["r.generator"].tolist() == [[1.75]]
    windows[1].clear()
    assert len(windows[1].push(Start(seen, number), {"generator": number}, step)["discount"]) == 0
