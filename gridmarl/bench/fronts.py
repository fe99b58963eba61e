"""What an operator's policy earns under many preferences, beside doing nothing and beside the best fixed action."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from gridmarl.agents.policies import StoredPolicy, preferring, read_policy
from gridmarl.agents.rules import Rule
from gridmarl.agents.team import Team, load_team
from gridmarl.bench.pictures.comparison import INK, PRICE_INK, png
from gridmarl.bench.statistics import estimate
from gridmarl.environment.compiled.codecs import INTERVENTIONS, RESERVE_LEVELS
from gridmarl.errors import PolicyError
from gridmarl.files import write_atomically
from gridmarl.learning.fixed.returns import episode_objectives, with_player
from gridmarl.learning.judging.front import FRONT, Front, read_front, simplex_grid
from gridmarl.learning.worlds.scales import OBJECTIVES, objective_scale
from gridmarl.scenario.rules import Split
from gridmarl.scenario.scenario import OPERATOR, Scenario
from gridmarl.units import Float

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SEEDS: Final = range(64)
RESAMPLES: Final = 10_000
VARIES: Final = 1e-6
"""An objective whose scaled returns differ by less is not drawn."""


def preference_table(
    policy: str | Path,
    *,
    parts: int = 4,
    others: str | Path | Team | None = None,
    train_seeds: Sequence[int] = SEEDS,
    test_seeds: Sequence[int] = SEEDS,
) -> pd.DataFrame:
    """Compare an operator's policy, preference by preference, with the untouched market and the best fixed action.

    The best fixed action is the one of all 25 that its preference weighs highest on the train split; the policy never
    saw the test split either.

    Parameters
    ----------
    policy : str or Path
    parts : int
        Preferences are all multiples of 1 over this.
    others : str, Path or Team, optional
        Who plays the other seats; by default those it was trained with.
    train_seeds, test_seeds : sequence of int

    Returns
    -------
    DataFrame
        One row a preference: ``preference_<objective>``; mean returns of the policy per objective ($, $, kg per
        episode, higher is better); its ``utility``, scaled returns weighted by the preference; how much that is above
        the untouched market's (``less_untouched``) and the best fixed action's (``less_fixed``), paired by seed, with
        the ends of their 95 % bootstrap intervals; and which action that was (``reserve_level``, ``intervention``).

    Raises
    ------
    PolicyError
        Where the policy knows no preferences.
    """
    import pandas as pd

    stored = read_policy(policy)
    card = stored.card
    if not card.objectives:
        raise PolicyError(f"policy {stored.name!r}", card.algorithm, "one that takes a preference", "train operator")
    scenario, team = Scenario.load(card.scenario), load_team(others or card.others)
    chosen_on, fixed = (
        np.array([_steady(scenario, team, number, split, seeds) for number in range(RESERVE_LEVELS * INTERVENTIONS)])
        for split, seeds in (("train", train_seeds), ("test", test_seeds))
    )  # (action, seed, objective) each
    rows: list[dict[str, float]] = []
    for w in simplex_grid(len(card.objectives), parts):
        player = StoredPolicy(preferring(stored, tuple(w.tolist())))
        returns = _returns(scenario, with_player(team, player, (OPERATOR,), stored.name), "test", test_seeds)
        best = int((chosen_on @ w).mean(1).argmax())
        row = dict(zip((f"preference_{name}" for name in card.objectives), w.tolist(), strict=True))
        row |= dict(zip(OBJECTIVES, (returns.mean(0) * objective_scale(scenario)[0]).tolist(), strict=True))
        row["utility"] = float((returns @ w).mean())
        for name, other in (("untouched", fixed[0]), ("fixed", fixed[best])):
            row |= _above(f"less_{name}", (returns - other) @ w)
        rows.append({**row, "reserve_level": best // INTERVENTIONS, "intervention": best % INTERVENTIONS})
    return pd.DataFrame(rows)


def _returns(scenario: Scenario, team: Team, split: Split, seeds: Sequence[int]) -> Float:
    """Scaled returns, (seed, objective)."""
    return episode_objectives(scenario, team, split, seeds) / objective_scale(scenario)


def _steady(scenario: Scenario, team: Team, action: int, split: str, seeds: Sequence[int]) -> Float:
    level, intervention = divmod(action, INTERVENTIONS)
    rule = Rule("steady", reserve_level=level, intervention=intervention)
    chosen: Split = "train" if split == "train" else "test"
    return _returns(scenario, with_player(team, rule, (OPERATOR,), "steady"), chosen, seeds)


def _above(name: str, differences: Float) -> dict[str, float]:
    """Mean of paired differences and its 95 % interval."""
    rng = np.random.default_rng(0)
    found = estimate(differences[:, None], rng, statistic=_mean, resamples=RESAMPLES)
    low = found.value if found.low is None else found.low
    high = found.value if found.high is None else found.high
    return {name: found.value, f"{name}_low": low, f"{name}_high": high}


def _mean(scores: Float) -> Float:
    return scores.mean((-2, -1))


def draw_front(folder: Path) -> Path:
    """Draw the front that a training left in a policy's folder, as ``front.png`` beside it."""
    path = folder / f"{FRONT}.png"
    write_atomically(path, front_picture(read_front(folder), folder.name))
    return path


def front_picture(front: Front, name: str) -> bytes:
    """The front seen along each objective that varies, as PNG: one panel a pair of objectives."""
    scaled = np.array([point.scaled for point in front.points])
    varying = [k for k in range(len(front.objectives)) if np.ptp(scaled[:, k]) > VARIES]
    pairs = [*combinations(varying or [0], 2)] or [(0, min(1, len(front.objectives) - 1))]

    def draw(figure: Figure) -> None:
        panels = figure.subplots(1, len(pairs), squeeze=False)[0]
        for axes, pair in zip(panels, pairs, strict=True):
            _panel(axes, front, scaled, pair)
        panels[0].legend(frameon=False, loc="lower left")

    counted = "" if front.hypervolume is None else f", hypervolume {front.hypervolume:.4g}"
    return png(draw, 3.6, f"{name}: front on the {front.split} split{counted}")


def _panel(axes: Axes, front: Front, scaled: Float, pair: tuple[int, int]) -> None:
    across, up = pair
    kept = np.array([point.on_front for point in front.points])
    axes.scatter(*scaled[~kept][:, [across, up]].T, facecolors="none", edgecolors=INK, s=28, label="dominated")
    axes.scatter(*scaled[kept][:, [across, up]].T, color=PRICE_INK, s=28, label="on the front")
    axes.set_xlabel(f"{front.objectives[across]}, scaled return of an episode")
    axes.set_ylabel(f"{front.objectives[up]}, scaled")
