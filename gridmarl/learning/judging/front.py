"""What one network earns under many preferences: its Pareto front, and how much of the objectives' space it covers.

Returns are means over greedy episodes, the same seeds for every preference; higher is better in every objective.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path
from typing import Final

import numpy as np
import torch

from gridmarl.agents.networks import PreferenceNetwork
from gridmarl.files import write_atomically
from gridmarl.learning.interface import Algorithm, GroupSpec, VectorWorld
from gridmarl.learning.judging.standing import greedy_returns
from gridmarl.scenario.model import Model
from gridmarl.units import Bool, Float

FRONT: Final = "front"
"""Stem of the files in a policy's folder."""


class FrontPoint(Model):
    """What the network earns under one preference.

    Attributes
    ----------
    preference : tuple of float
        How much each scaled objective counts.
    returns : tuple of float
        Mean return of an episode, in the objectives' own units ($, $, kg CO2 of the operator).
    scaled : tuple of float
        The same divided by the objectives' scales.
    on_front : bool
        Whether no other preference earns as much in every objective and more in one; of equals the first.
    """

    preference: tuple[float, ...]
    returns: tuple[float, ...]
    scaled: tuple[float, ...]
    on_front: bool


class Front(Model):
    """All points of a grid of preferences.

    Attributes
    ----------
    objectives : tuple of str
    split : str
    first_seed, episodes : int
        Each preference played these.
    reference : tuple of float
        Scaled return that the hypervolume counts from; empty where it was not counted.
    hypervolume : float, optional
        Volume between the reference and the front, scaled (Zitzler & Thiele 1999).
    utility : float
        Mean over the grid of w'R, the scaled return that each preference w itself weighs (Zintgraf et al. 2015).
    points : tuple of FrontPoint
    """

    objectives: tuple[str, ...]
    split: str
    first_seed: int
    episodes: int
    reference: tuple[float, ...]
    hypervolume: float | None
    utility: float
    points: tuple[FrontPoint, ...]


def simplex_grid(objectives: int, parts: int) -> Float:
    """All preferences of multiples of 1 / parts, (preference, objective)."""
    places = combinations(range(parts + objectives - 1), objectives - 1)
    bars = np.array([(-1, *place, parts + objectives - 1) for place in places], np.float64)
    return (np.diff(bars, axis=1) - 1.0)[::-1] / parts


def on_front(points: Float) -> Bool:
    """Which (point, objective) rows no other row dominates; of equal rows the first."""
    no_worse = (points[None] >= points[:, None]).all(-1)  # [i, j]: j is at least as good as i everywhere
    better = no_worse & (points[None] > points[:, None]).any(-1)
    twin_before = np.tril(no_worse & no_worse.T, -1)
    return np.logical_not((better | twin_before).any(axis=1, keepdims=True))[:, 0]


def hypervolume(points: Float, reference: Float) -> float:
    """Volume of what (point, objective) rows dominate and the reference does not, by slices of the last objective."""
    points = points[(points > reference).all(1)]
    if not len(points):
        return 0.0
    if points.shape[1] == 1:
        return float(points.max() - reference[0])
    points = points[np.argsort(-points[:, -1], kind="stable")]
    depths = points[:, -1] - np.append(points[1:, -1], reference[-1])
    areas = (hypervolume(points[: k + 1, :-1], reference[:-1]) if depth else 0.0 for k, depth in enumerate(depths))
    return float(sum(area * depth for area, depth in zip(areas, depths.tolist(), strict=True)))


@contextmanager
def preferring(network: PreferenceNetwork, preference: Float) -> Generator[None]:
    """The network's own preference replaced for a while."""
    before = network.preference.clone()
    network.preference.copy_(torch.from_numpy(preference))
    try:
        yield
    finally:
        network.preference.copy_(before)


def front_of(
    algorithm: Algorithm, group: GroupSpec, world: VectorWorld, seed: int, parts: int, reference: Float, split: str
) -> Front:
    """Play a grid of preferences.

    Parameters
    ----------
    algorithm : Algorithm
        Its policy of the group is a :class:`gridmarl.agents.networks.PreferenceNetwork`.
    group : GroupSpec
    world : VectorWorld
        As many rows as episodes.
    seed : int
        Of row 0.
    parts : int
        As for :func:`simplex_grid`.
    reference : (objective,) or empty array
    split : str
        For the record.
    """
    network = algorithm.policies[group.name]
    assert isinstance(network, PreferenceNetwork)
    grid = simplex_grid(len(group.objectives), parts)
    found: list[Float] = []
    for preference in grid:
        with preferring(network, preference):
            found.append(greedy_returns(algorithm, world, seed)[group.name])
    returns = np.array([each.mean((0, 1)) for each in found])
    scaled = np.array([(each / group.scale).mean((0, 1)) for each in found])
    kept = on_front(scaled)
    rows = zip(grid.tolist(), returns.tolist(), scaled.tolist(), kept.tolist(), strict=True)
    return Front(
        objectives=group.objectives,
        split=split,
        first_seed=seed,
        episodes=world.num_envs,
        reference=tuple(reference.tolist()),
        hypervolume=hypervolume(scaled[kept], reference) if len(reference) else None,
        utility=float((grid * scaled).sum(1).mean()),
        points=tuple(FrontPoint(preference=w, returns=r, scaled=s, on_front=k) for w, r, s, k in rows),
    )


def write_front(folder: Path, front: Front) -> None:
    """Write ``front.json``, and ``front.csv`` with a row for each preference."""
    write_atomically(folder / f"{FRONT}.json", json.dumps(front.model_dump(mode="json"), indent=1) + "\n")
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    names = front.objectives
    writer.writerow([*(f"preference_{n}" for n in names), *names, *(f"{n}_scaled" for n in names), "on_front"])
    for point in front.points:
        writer.writerow([*point.preference, *point.returns, *point.scaled, point.on_front])
    write_atomically(folder / f"{FRONT}.csv", table.getvalue())


def drop_front(folder: Path) -> None:
    """Remove the front, if there is one, that a policy left whose place another one took; its table and picture too."""
    if (folder / f"{FRONT}.json").is_file():
        for suffix in ("csv", "png", "json"):
            (folder / f"{FRONT}.{suffix}").unlink(missing_ok=True)


def read_front(folder: Path) -> Front:
    """What :func:`write_front` wrote."""
    path = folder / f"{FRONT}.json"
    return Front.parse(json.loads(path.read_text("utf-8")), str(path))


def fronts_of(
    algorithm: Algorithm, world: VectorWorld, seed: int, parts: int, reference: tuple[float, ...], split: str
) -> Mapping[str, Front]:
    """Every group's front, the others playing their own preference."""
    point = np.array(reference)
    return {n: front_of(algorithm, g, world, seed, parts, point, split) for n, g in world.groups.items()}
