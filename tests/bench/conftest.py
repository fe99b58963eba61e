"""Speed is measured by ``make bench`` alone: numbers taken beside other tests would mean nothing."""

from __future__ import annotations

import pytest

SPEED = ("test_speed.py", "test_planners.py", "test_learners.py")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the measurements unless they are what was asked for."""
    if config.getoption("benchmark_only", False):
        return
    measured = [item for item in items if item.path.name in SPEED]
    config.hook.pytest_deselected(items=measured)
    items[:] = [item for item in items if item.path.name not in SPEED]
