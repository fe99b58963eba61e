"""Every YAML in ``envs/``, ``baselines/`` and ``training/`` loads, says what it is, and comes back as it went out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import gridmarl
from gridmarl import catalogue
from gridmarl.agents.load import load_agent, policy_names
from gridmarl.agents.team import load_team
from gridmarl.evaluation.rollout import rollout
from gridmarl.learning.recipe import load_recipe, parse_recipe
from gridmarl.scenario.scenario import Scenario

PACKAGE = Path(gridmarl.__file__).parent
INTERVALS = 3
WORLDS, TEAMS, RECIPES = (catalogue.names(folder) for folder in ("envs", "baselines", "training"))


def skip_unwritten(name: str) -> None:
    """Skip a team whose kind's module is not in the package; an error inside an existing module stays an error."""
    seats = catalogue.read("baselines", name)["seats"]
    assert isinstance(seats, dict)
    for entry in seats.values():
        module = catalogue.AGENT_KINDS[entry["kind"]].partition(":")[0]
        if not (PACKAGE.parent / (module.replace(".", "/") + ".py")).is_file():
            pytest.skip(f"{module} is not in the package")


@pytest.mark.parametrize("name", WORLDS)
def test_a_world_survives_the_way_out_and_back(name: str) -> None:
    world = Scenario.load(name)
    for back in (
        Scenario.parse(world.model_dump(), name),
        Scenario.parse(world.model_dump(mode="json"), name),
        Scenario.parse(world.model_dump(exclude_unset=True), name),
        world.but(),
    ):
        assert back == world
        assert back.digest == world.digest


@pytest.mark.parametrize("name", WORLDS)
def test_a_world_says_what_it_is_and_its_digest_notices_any_change(name: str) -> None:
    world = Scenario.load(name)
    assert world.name == name
    assert len(world.description) > 20
    assert world.digest == Scenario.load(name).digest
    assert world.but(stored_energy_price_per_mwh=1.25).digest != world.digest


@pytest.mark.parametrize("name", TEAMS)
def test_a_team_says_what_it_is_and_plays(name: str) -> None:
    skip_unwritten(name)
    team = load_team(name)
    assert team.name == name
    assert len(team.description) > 20
    assert team.description.endswith(".")
    trajectory = rollout(Scenario.load("auction").but(intervals=INTERVALS), name, seed=1)
    assert trajectory.market.shape[0] == INTERVALS
    assert np.isfinite(trajectory.results).all()
    assert np.isfinite(trajectory.of_market("price_per_mwh")).all()


@pytest.mark.parametrize("name", TEAMS)
def test_agents_of_a_team_survive_being_saved(name: str, tmp_path: Path) -> None:
    skip_unwritten(name)
    for number, agent in enumerate(load_team(name).agents.values()):
        agent.save(tmp_path / str(number))
        back = load_agent(tmp_path / str(number))
        assert type(back) is type(agent)
        assert (back.information, back.sees, dict(back.codecs)) == (agent.information, agent.sees, dict(agent.codecs))


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_says_what_it_is_and_survives_the_way_out_and_back(name: str) -> None:
    recipe = load_recipe(name)
    assert len(recipe.description) > 20
    for dumped in (recipe.model_dump(), recipe.model_dump(mode="json"), recipe.model_dump(exclude_unset=True)):
        assert parse_recipe(dumped, name) == recipe
    Scenario.load(recipe.scenario)


@pytest.mark.parametrize("name", policy_names())
def test_a_shipped_policy_loads(name: str) -> None:
    assert load_agent(name).codecs
