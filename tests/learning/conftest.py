"""A market whose best price is known by trying all twenty, and a recipe that learns it in a second."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridmarl.learning.recipe import Recipe
from gridmarl.learning.trainer import train
from gridmarl.scenario.scenario import Scenario
from tests.learning.worlds import duopoly_world, quick_recipe


@pytest.fixture(scope="session")
def duopoly() -> Scenario:
    return duopoly_world()


@pytest.fixture(scope="session")
def quick() -> Recipe:
    return quick_recipe()


@pytest.fixture(scope="session")
def trained(duopoly: Scenario, quick: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a policy that learned the duopoly."""
    return train(quick, env=duopoly, out=tmp_path_factory.mktemp("policy") / "quick", progress=False)
