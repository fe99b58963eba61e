"""Numbers that change while a training goes on."""

from __future__ import annotations


def linear(first: float, last: float, step: int, steps: int) -> float:
    """From ``first`` at step 0 in a straight line to ``last`` at ``steps``, and ``last`` from there on.

    Examples
    --------
    >>> [linear(1.0, 0.5, step, 10) for step in (0, 5, 10, 20)]
    [1.0, 0.75, 0.5, 0.5]
    """
    done = min(step / steps, 1.0) if steps else 1.0
    return first + done * (last - first)
