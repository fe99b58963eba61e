"""A straight line from the first number to the last, and no further."""

from __future__ import annotations

import pytest

from gridmarl.learning.descent.schedules import linear


@pytest.mark.parametrize("step, value", [(0, 1.0), (25, 0.8), (100, 0.2), (1_000, 0.2)])
def test_the_line_ends_at_its_last_step_and_stays_there(step: int, value: float) -> None:
    assert linear(1.0, 0.2, step, 100) == pytest.approx(value, abs=1e-15)


def test_a_line_without_steps_is_at_its_end_at_once() -> None:
    assert linear(1.0, 0.2, 0, 0) == pytest.approx(0.2, abs=1e-15)
