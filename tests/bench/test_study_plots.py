"""Pictures of studies show the numbers they were given."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from gridmarl.agents.team import Team
from gridmarl.bench.pictures.plan import Picture, pictures
from gridmarl.bench.pictures.study import caution, negotiation, overheard, street
from gridmarl.bench.planned_run import play
from gridmarl.errors import ScenarioError
from gridmarl.planning.admm import AdmmPlanner
from gridmarl.planning.aladin import AladinPlanner
from gridmarl.planning.central import CentralPlanner
from gridmarl.planning.frontier import efficient_frontier
from gridmarl.planning.planner import Planner
from gridmarl.planning.problem import problem_of
from gridmarl.planning.sampling import sample_prices
from gridmarl.units import Float

PNG = b"\x89PNG\r\n"


def drawn(picture: Picture) -> Figure:
    figure = Figure()
    picture.draw(figure)
    return figure


def heights(line) -> Float:
    return np.asarray(line.get_ydata(), dtype=np.float64)


@pytest.fixture(scope="module")
def homes():
    return problem_of("three-homes")


@pytest.fixture(scope="module")
def trail(homes):
    rounds = AdmmPlanner().open(homes)
    plans = []
    while not rounds.settled():
        rounds.once()
        plans.append(rounds.plan())
    return plans


def test_rounds_close_in_on_the_optimum_from_both_sides(homes, trail):
    optimum, finished = CentralPlanner().solve(homes), AladinPlanner().solve(homes)
    picture = negotiation(trail, optimum, finished)
    assert f"certified after {len(trail)} rounds (aladin: {finished.rounds})" in picture.title
    residuals, cost, price = drawn(picture).axes
    assert heights(residuals.lines[0]) == pytest.approx(1000 * trail[-1].history.primal_mw)
    assert heights(cost.lines[0])[-1] == pytest.approx(optimum.objective, rel=1e-4)
    band = np.asarray(cost.collections[0].get_paths()[0].vertices, dtype=np.float64)[:, 1]
    assert band.min() == pytest.approx(min(plan.lower_bound for plan in trail))
    assert max(plan.lower_bound for plan in trail) <= optimum.objective + 1e-7
    assert min(plan.upper_bound for plan in trail) >= optimum.objective - 1e-7
    last, dual = price.lines[-3], price.lines[-2]
    assert heights(last)[:-1] == pytest.approx(trail[-1].multiplier_per_mwh)
    assert heights(dual) == pytest.approx(optimum.multiplier_per_mwh)
    assert heights(last)[:-1] == pytest.approx(heights(dual), abs=0.1), "the multiplier ends at the shadow price"


def test_masked_words_are_drawn_as_shares_of_all_words():
    words = np.array([0, 2**63, 2**64 - 1], np.uint64)
    clear, noise = drawn(overheard("family", np.array([0.001, -0.002, 0.0]), words, np.ones(3))).axes
    assert heights(clear.lines[0]) == pytest.approx([1.0, -2.0, 0.0, 0.0])
    assert [bar.get_height() for bar in noise.patches if isinstance(bar, Rectangle)] == pytest.approx([0.0, 0.5, 1.0])


def test_the_frontier_is_drawn_as_planned_and_as_judged_elsewhere():
    fleet = problem_of("bess-fleet", horizon_h=24)
    seen = sample_prices("bess-fleet", 50, intervals=24, alpha=0.9)
    unseen = sample_prices("bess-fleet", 80, intervals=24, alpha=0.9, split="test")
    choices = efficient_frontier(fleet.owners[1], fleet.step_h, seen, (0.0, 0.5, 0.9))
    figure = drawn(caution(choices, seen, unseen))
    axes = {one.get_ylabel(): one for one in figure.axes}
    assert set(axes) == {"price ($/MWh)", "injection (MW)", "expected profit ($)"}
    assert heights(axes["price ($/MWh)"].lines[0])[:-1] == pytest.approx(seen.expected_per_mwh)
    for line, choice in zip(axes["injection (MW)"].lines, (choices[0], choices[-1]), strict=False):
        assert heights(line)[:-1] == pytest.approx(choice.plan.injection_mw[0])
    for line, prices in zip(axes["expected profit ($)"].lines, (seen, unseen), strict=True):
        assert heights(line) == pytest.approx([choice.expected(prices) for choice in choices])
        assert np.asarray(line.get_xdata()) == pytest.approx([choice.cvar(prices) for choice in choices])


def test_a_streets_day_shows_its_limit_and_what_was_taken():
    teams = [Team({"*": Planner(method=method, replan_every_h=24.0)}, method) for method in ("selfish", "central")]
    runs = [play("bess-fleet", team) for team in teams]
    above, below = drawn(street(*runs)).axes
    for run, line in zip(runs, below.lines, strict=False):
        assert heights(line)[:-1] == pytest.approx(1000 * run.played.of_market("import_mw"))
    assert {heights(line)[0] for line in below.lines[2:]} == {-10_000.0, 10_000.0}
    assert above.get_ylabel() == "net load (MW)"


def test_a_street_where_nobody_plans_is_refused():
    idle = play("three-homes", "self-consumption")
    with pytest.raises(ScenarioError, match="plans"):
        street(idle, idle)


def test_a_notebook_shows_a_picture_by_its_name_alone():
    run = play("three-homes", Team({"*": Planner(method="selfish", replan_every_h=24.0)}, "homes"))
    shown = pictures(run)["net-load"]._repr_png_()
    assert shown.startswith(PNG)
    assert b"homes in three-homes" in shown
